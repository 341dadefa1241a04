#include <errno.h>

#include "riad/key_text.h"

#include "unit.h"

static struct riad_keypair keys;

static int setup(void **state)
{
    (void)state;
    return riad_keypair_generate(&keys);
}

static int teardown(void **state)
{
    (void)state;
    riad_keypair_done(&keys);
    return 0;
}

static void keys_come_back(void **state)
{
    char text[RIAD_KEY_TEXT_SIZE];
    struct riad_public_key again;

    (void)state;
    assert_int_equal(riad_key_text(&keys.sign_key, text), 0);
    assert_int_equal(strlen(text), 56);
    assert_int_equal(riad_key_text_parse(text, &again), 0);
    assert_memory_equal(&again, &keys.sign_key, sizeof again);
}

static void nodes_come_back(void **state)
{
    const struct riad_site_node node = {
        .id = { { 7 } }, .wrap_key = keys.wrap_key, .sign_key = keys.sign_key
    };
    char text[RIAD_NODE_TEXT_SIZE];
    struct riad_site_node again;

    (void)state;
    assert_int_equal(riad_node_text(&node, text), 0);
    assert_int_equal(strlen(text), 136);
    assert_int_equal(riad_node_text_parse(text, &again), 0);
    assert_memory_equal(&again, &node, sizeof again);
}

/* Any one character, and any two neighbours exchanged. */
static void what_was_miscopied_is_refused(void **state)
{
    char text[RIAD_KEY_TEXT_SIZE], wrong[RIAD_KEY_TEXT_SIZE], node_text[RIAD_NODE_TEXT_SIZE];
    const struct riad_site_node node = { .sign_key = keys.sign_key };
    struct riad_public_key key;
    struct riad_site_node parsed;

    (void)state;
    assert_int_equal(riad_key_text(&keys.sign_key, text), 0);
    for (size_t i = 0; text[i]; i++) {
        memcpy(wrong, text, sizeof text);
        wrong[i] = text[i] == 'Q' ? 'R' : 'Q';
        assert_int_equal(riad_key_text_parse(wrong, &key), -EINVAL);
        if (text[i + 1] && text[i + 1] != text[i]) {
            memcpy(wrong, text, sizeof text);
            wrong[i] = text[i + 1];
            wrong[i + 1] = text[i];
            assert_int_equal(riad_key_text_parse(wrong, &key), -EINVAL);
        }
    }
    assert_int_equal(riad_node_text(&node, node_text), 0);
    assert_int_equal(riad_key_text_parse(node_text, &key), -EINVAL); /* another thing's text */
    assert_int_equal(riad_node_text_parse(text, &parsed), -EINVAL);
    assert_int_equal(riad_key_text_parse("", &key), -EINVAL);
}

/* Known by its place in docs/FORMAT.md: other programs show the same. */
static void fingerprints_are_short_and_fixed(void **state)
{
    const struct riad_public_key zeros = { 0 };
    char text[RIAD_FINGERPRINT_SIZE];

    (void)state;
    assert_int_equal(riad_key_fingerprint(&zeros, text), 0);
    assert_string_equal(text, "PUC6-3UM3-T45W-PUDB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_come_back),
        cmocka_unit_test(nodes_come_back),
        cmocka_unit_test(what_was_miscopied_is_refused),
        cmocka_unit_test(fingerprints_are_short_and_fixed),
    };

    return cmocka_run_group_tests_name("key_text", tests, setup, teardown);
}
