#include "fixture.h"
#include "label_priv.h"

/* Authentic, but not what a writer makes (F3). */
static void names_have_one_encoding(void **state)
{
    static const struct {
        uint8_t start[4];
        size_t size;
    } plains[] = {
        { { 2, 1, 0, 'a' }, 64 },   /* version */
        { { 1, 0, 0, 0 }, 64 },     /* empty */
        { { 1, 1, 0, 0 }, 64 },     /* a zero in the name */
        { { 1, 1, 0, 'a' }, 128 },  /* more padding than needed */
        { { 1, 0, 1, 'a' }, 320 },  /* 256 bytes */
        { { 1, 200, 0, 'a' }, 64 }, /* longer than it is */
        { { 1, 1, 0, 'a' }, 3 },
    };
    _cleanup_secret_ struct riad_secret *key = NULL;
    _cleanup_(riad_siv_freep) struct riad_siv *siv = NULL;
    uint8_t plain[320], sealed[336];
    char name[256];

    (void)state;
    assert_int_equal(riad_secret_new_random(RIAD_SIV_KEY_SIZE, &key), 0);
    assert_int_equal(riad_siv_new(key, &siv), 0);
    for (size_t i = 0; i < sizeof plains / sizeof *plains; i++) {
        memset(plain, 0, sizeof plain);
        memcpy(plain, plains[i].start, 4);
        assert_int_equal(riad_siv_seal(siv, "riad/v1/label", 13, plain, plains[i].size, sealed), 0);
        assert_int_equal(
                riad_label_open(siv, sealed, plains[i].size + RIAD_SIV_SIZE, name), -EBADMSG);
    }
    assert_int_equal(riad_label_open(siv, sealed, RIAD_SIV_SIZE, name), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_one_encoding),
    };

    return cmocka_run_group_tests_name("label", tests, NULL, NULL);
}
