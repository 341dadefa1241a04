#include "fixture.h"
#include "roster_priv.h"

static const struct riad_wrap_scope scope = { { { 1 } }, { { 2 } }, 1 };

static struct riad_secret *new_wrap(uint8_t ret[RIAD_WRAP_SIZE])
{
    struct riad_secret *root = NULL;

    assert_int_equal(riad_secret_new_random(RIAD_ROOT_SIZE, &root), 0);
    assert_int_equal(riad_wrap_seal(&scope, &fixture.keys.wrap_key, root, ret), 0);
    return root;
}

static int try_open(const uint8_t *data, size_t size)
{
    _cleanup_secret_ struct riad_secret *opened = NULL;
    int r = riad_wrap_open(&scope, &fixture.keys, data, size, &opened);

    assert_true((r == 0) == (opened != NULL));
    return r;
}

/* The hash in the roster catches damage first; a wrap must refuse it by itself as well. */
static void every_damage_is_refused(void **state)
{
    uint8_t wrap[RIAD_WRAP_SIZE + 1] = { 0 };
    _cleanup_secret_ struct riad_secret *root = new_wrap(wrap);

    (void)state;
    for (size_t i = 0; i < 8 * RIAD_WRAP_SIZE; i++) {
        int r;

        wrap[i / 8] ^= (uint8_t)(1 << i % 8);
        r = try_open(wrap, RIAD_WRAP_SIZE);
        wrap[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_true(r == -EBADMSG || r == -EPROTONOSUPPORT);
    }
    for (size_t size = 0; size < RIAD_WRAP_SIZE; size++) {
        assert_int_equal(try_open(wrap, size), -EBADMSG);
    }
    assert_int_equal(try_open(wrap, RIAD_WRAP_SIZE + 1), -EBADMSG);
    assert_int_equal(try_open(wrap, RIAD_WRAP_SIZE), 0);
}

static void a_root_of_another_size_is_not_wrapped(void **state)
{
    _cleanup_secret_ struct riad_secret *root = NULL;
    uint8_t wrap[RIAD_WRAP_SIZE];

    (void)state;
    assert_int_equal(riad_secret_new_random(RIAD_ROOT_SIZE - 1, &root), 0);
    assert_int_equal(riad_wrap_seal(&scope, &fixture.keys.wrap_key, root, wrap), -EINVAL);
}

static void a_wrap_opens_in_its_scope_only(void **state)
{
    uint8_t wrap[RIAD_WRAP_SIZE];
    _cleanup_secret_ struct riad_secret *root = new_wrap(wrap);
    struct riad_secret *opened = NULL;
    struct riad_wrap_scope others[] = { scope, scope, scope };
    struct riad_keypair keys;

    (void)state;
    others[0].store.bytes[3] ^= 1;
    others[1].workspace.bytes[3] ^= 1;
    others[2].epoch = 2;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
                riad_wrap_open(&others[i], &fixture.keys, wrap, sizeof wrap, &opened), -EBADMSG);
    }
    assert_int_equal(riad_keypair_generate(&keys), 0);
    assert_int_equal(riad_wrap_open(&scope, &keys, wrap, sizeof wrap, &opened), -EBADMSG);
    riad_keypair_done(&keys);
    assert_null(opened);
    assert_int_equal(riad_wrap_open(&scope, &fixture.keys, wrap, sizeof wrap, &opened), 0);
    assert_true(riad_secret_equal(root, opened));
    riad_secret_free(opened);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_damage_is_refused),
        TEST(a_root_of_another_size_is_not_wrapped),
        TEST(a_wrap_opens_in_its_scope_only),
    };

    return cmocka_run_group_tests_name("wrap", tests, NULL, NULL);
}
