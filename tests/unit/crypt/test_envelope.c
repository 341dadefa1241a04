#include <errno.h>
#include <stdlib.h>

#include "riad/cleanup.h"
#include "riad/envelope.h"
#include "riad/error.h"

#include "crypt/vectors.h"

#define _cleanup_writer_ _cleanup_(riad_writer_done)

/* Written by an independent program (Python) from FORMAT 3: a term with this body, store id 0x10..,
 * riad.json's hash 0x80.., Ed25519 seed 0x20... */
static const char body[] = "body of a term";
static const char golden[] =
        "5249415401010000000000000000000000000000101112131415161718191a1b1c1d1e1f808182838485868788"
        "898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f0e000000626f6479206f662061207465726d01005450"
        "054de7bbf2c20a4df7cbee2cc8a167134cbb898b7f17f45ba70874318b2a0c00726961642f76312f7465726d40"
        "00e3d1013e6a495d937b3c8f494dbc3c74702e8c54b88cb9b842252b52d96e514e16f70bf107ca5929988b4d16"
        "b721e00fa4e77133c07f13a4fc1a1db1dee66a06";

enum { BODY_SIZE = sizeof body - 1, GOLDEN_SIZE = sizeof golden / 2, COMPAT_OFFSET = 8 };

struct fixture {
    struct riad_keypair signer;
    struct riad_store_binding binding;
    uint8_t data[GOLDEN_SIZE];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    assert_int_equal(riad_keypair_from_secret(secret_counting(64, 0), &f->signer), 0);
    count_up(&f->binding.store, sizeof f->binding.store, 0x10);
    count_up(&f->binding.json, sizeof f->binding.json, 0x80);
    from_hex(golden, f->data);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    riad_keypair_done(&f->signer);
    free(f);
    return 0;
}

static int verify(const struct fixture *f, const void *data, size_t size)
{
    const uint8_t *found = NULL;
    size_t found_size = 0;
    int r = riad_envelope_verify(
            RIAD_ENVELOPE_TERM, &f->binding, &f->signer.sign_key, data, size, &found, &found_size);

    if (r == 0) {
        assert_int_equal(found_size, BODY_SIZE);
        assert_memory_equal(found, body, BODY_SIZE);
    } else {
        assert_null(found);
    }
    return r;
}

static int peek(const struct fixture *f, const void *data, size_t size)
{
    const uint8_t *found;
    size_t found_size;

    return riad_envelope_peek(RIAD_ENVELOPE_TERM, &f->binding, data, size, &found, &found_size);
}

static void signing_gives_the_golden_bytes(void **state)
{
    struct fixture *f = *state;
    _cleanup_writer_ struct riad_writer out = { 0 };

    riad_writer_init_growing(&out, 16, RIAD_ENVELOPE_MAX + 3);
    riad_put_bytes(&out, "abc", 3);
    assert_int_equal(
            riad_envelope_sign(RIAD_ENVELOPE_TERM, &f->binding, &f->signer, body, BODY_SIZE, &out),
            0);
    assert_int_equal(out.size, 3 + GOLDEN_SIZE);
    assert_memory_equal(out.data, "abc", 3);
    assert_memory_equal(out.data + 3, f->data, GOLDEN_SIZE);
    assert_int_equal(verify(f, f->data, GOLDEN_SIZE), 0);
    assert_int_equal(peek(f, f->data, GOLDEN_SIZE), 0);
}

static void every_changed_bit_is_refused(void **state)
{
    struct fixture *f = *state;

    for (size_t bit = 0; bit < 8 * (size_t)GOLDEN_SIZE; bit++) {
        int r;

        f->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        r = verify(f, f->data, GOLDEN_SIZE);
        assert_true(r == -EBADMSG || r == -EPROTONOSUPPORT);
        f->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t i = 0; i < GOLDEN_SIZE; i++) {
        f->data[i] ^= 0xff;
        assert_true(verify(f, f->data, GOLDEN_SIZE) < 0);
        f->data[i] ^= 0xff;
    }
    assert_int_equal(verify(f, f->data, GOLDEN_SIZE), 0);
}

static void another_length_is_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t longer[GOLDEN_SIZE + 1] = { 0 };

    memcpy(longer, f->data, GOLDEN_SIZE);
    assert_int_equal(verify(f, longer, sizeof longer), -EBADMSG);
    assert_int_equal(peek(f, longer, sizeof longer), -EBADMSG);
    for (size_t size = 0; size < GOLDEN_SIZE; size++) {
        /* In memory of just that size, so that a sanitizer sees a read too far. */
        _cleanup_free_ uint8_t *cut = malloc(size + 1);

        assert_non_null(cut);
        memcpy(cut + 1, f->data, size);
        assert_int_equal(verify(f, cut + 1, size), -EBADMSG);
        assert_int_equal(peek(f, cut + 1, size), -EBADMSG);
    }
}

static void each_type_accepts_only_itself(void **state)
{
    static const char *const magics[] = { "RIAU", "RIAO", "RIAT", "RIAC" };
    struct fixture *f = *state;
    const uint8_t *found;
    size_t size;

    for (int made = RIAD_ENVELOPE_USER; made <= RIAD_ENVELOPE_CATALOG; made++) {
        _cleanup_writer_ struct riad_writer out = { 0 };

        riad_writer_init_growing(&out, 16, RIAD_ENVELOPE_MAX);
        assert_int_equal(riad_envelope_sign((enum riad_envelope_type)made, &f->binding, &f->signer,
                                 "", 0, &out),
                0);
        assert_memory_equal(out.data, magics[made], 4);
        for (int read = RIAD_ENVELOPE_USER; read <= RIAD_ENVELOPE_CATALOG; read++) {
            assert_int_equal(riad_envelope_verify((enum riad_envelope_type)read, &f->binding,
                                     &f->signer.sign_key, out.data, out.size, &found, &size),
                    made == read ? 0 : -EBADMSG);
        }
    }
}

static void another_store_or_signer_is_refused(void **state)
{
    struct fixture *f = *state;
    struct riad_keypair other;

    f->binding.store.bytes[15] ^= 1;
    assert_int_equal(verify(f, f->data, GOLDEN_SIZE), -EBADMSG);
    assert_int_equal(peek(f, f->data, GOLDEN_SIZE), -EBADMSG);
    f->binding.store.bytes[15] ^= 1;
    f->binding.json.bytes[31] ^= 1;
    assert_int_equal(verify(f, f->data, GOLDEN_SIZE), -EBADMSG);
    assert_int_equal(peek(f, f->data, GOLDEN_SIZE), -EBADMSG);
    f->binding.json.bytes[31] ^= 1;
    assert_int_equal(riad_keypair_generate(&other), 0);
    riad_keypair_done(&f->signer);
    f->signer = other;
    assert_int_equal(verify(f, f->data, GOLDEN_SIZE), -EBADMSG);
    assert_int_equal(peek(f, f->data, GOLDEN_SIZE), 0);
}

/* F2: what a newer riad wrote is told from damage; compat and ro_compat bits are only signed. */
static void newer_formats_are_told_from_damage(void **state)
{
    struct fixture *f = *state;

    for (size_t offset = 4; offset <= 5; offset++) {
        f->data[offset] = 2;
        assert_int_equal(verify(f, f->data, GOLDEN_SIZE), -EPROTONOSUPPORT);
        assert_int_equal(peek(f, f->data, GOLDEN_SIZE), -EPROTONOSUPPORT);
        f->data[offset] = 0;
        assert_int_equal(verify(f, f->data, GOLDEN_SIZE), -EBADMSG);
        f->data[offset] = 1;
    }
    for (size_t bit = 0; bit < 96; bit++) {
        uint8_t *byte = &f->data[COMPAT_OFFSET + bit / 8];

        *byte ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(verify(f, f->data, GOLDEN_SIZE), bit >= 64 ? -EPROTONOSUPPORT : -EBADMSG);
        assert_int_equal(peek(f, f->data, GOLDEN_SIZE), bit >= 64 ? -EPROTONOSUPPORT : 0);
        *byte ^= (uint8_t)(1 << bit % 8);
    }
}

static void a_failure_leaves_the_writer_as_it_was(void **state)
{
    struct fixture *f = *state;
    uint8_t small[GOLDEN_SIZE - 1];
    struct riad_writer out;

    riad_writer_init_fixed(&out, small, sizeof small);
    riad_put_u8(&out, 7);
    assert_int_equal(
            riad_envelope_sign(RIAD_ENVELOPE_TERM, &f->binding, &f->signer, body, BODY_SIZE, &out),
            -ENOBUFS);
    assert_int_equal(out.size, 1);
}

static void the_largest_body_fits_and_no_larger(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ uint8_t *large = calloc(1, RIAD_ENVELOPE_BODY_MAX + 1);
    _cleanup_writer_ struct riad_writer out = { 0 };
    const uint8_t *found;
    size_t size;

    assert_non_null(large);
    riad_writer_init_growing(&out, 16, RIAD_ENVELOPE_MAX);
    assert_int_equal(riad_envelope_sign(RIAD_ENVELOPE_CATALOG, &f->binding, &f->signer, large,
                             RIAD_ENVELOPE_BODY_MAX + 1, &out),
            -EINVAL);
    assert_int_equal(out.size, 0);
    assert_int_equal(riad_envelope_sign(RIAD_ENVELOPE_CATALOG, &f->binding, &f->signer, large,
                             RIAD_ENVELOPE_BODY_MAX, &out),
            0);
    assert_true(out.size <= RIAD_ENVELOPE_MAX);
    assert_int_equal(riad_envelope_verify(RIAD_ENVELOPE_CATALOG, &f->binding, &f->signer.sign_key,
                             out.data, out.size, &found, &size),
            0);
    assert_int_equal(size, RIAD_ENVELOPE_BODY_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(signing_gives_the_golden_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_changed_bit_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_length_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_type_accepts_only_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_store_or_signer_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(newer_formats_are_told_from_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_leaves_the_writer_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_largest_body_fits_and_no_larger, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
