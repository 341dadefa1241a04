#include "riad/site.h"

#include "fixture.h"
#include "site_priv.h"

/* A site's store; the site root is its fixture's user. */
static struct riad_store site_store;
static int site_fd, catalog_fd, state_fd;
static struct riad_keypair root_keys, node_keys[4];

static struct riad_site_node node_of(unsigned number, const char *name)
{
    struct riad_site_node node = { .id = { { (uint8_t)(number + 1) } },
        .wrap_key = node_keys[number].wrap_key,
        .sign_key = node_keys[number].sign_key };

    snprintf(node.name, sizeof node.name, "%s", name);
    return node;
}

static int open_below(const char *name)
{
    return openat(site_store.fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int make_site(void)
{
    const struct riad_site_node first = node_of(0, "login1");
    struct riad_user root;
    struct riad_secret *code;

    make_user(&site_store, &root, &root_keys, &code);
    riad_secret_free(code);
    return riad_site_create(&site_store, &root, &root_keys, &first);
}

static int setup(void **state)
{
    char path[FIXTURE_PATH];

    if (fixture_setup(state) < 0) {
        return -1;
    }
    store_path("site", path);
    assert_int_equal(riad_store_create_site(path, &site_store), 0);
    store_path("state", path);
    assert_int_equal(mkdir(path, 0700), 0);
    state_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof node_keys / sizeof *node_keys; i++) {
        assert_int_equal(riad_keypair_generate(&node_keys[i]), 0);
    }
    assert_int_equal(make_site(), 0);
    site_fd = open_below("site");
    catalog_fd = open_below("catalog");
    return state_fd < 0 || site_fd < 0 || catalog_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    for (size_t i = 0; i < sizeof node_keys / sizeof *node_keys; i++) {
        riad_keypair_done(&node_keys[i]);
    }
    riad_keypair_done(&root_keys);
    close(site_fd);
    close(catalog_fd);
    close(state_fd);
    riad_store_close(&site_store);
    return fixture_teardown(state);
}

#define _cleanup_site_ _cleanup_(riad_site_done)
#define _cleanup_catalog_ _cleanup_(riad_catalog_done)

static int load(struct riad_site *ret)
{
    return riad_site_load(&site_store, &root_keys.sign_key, ret);
}

static int add(struct riad_site *site, unsigned number, const char *name)
{
    const struct riad_site_node node = node_of(number, name);

    return riad_site_add_node(&site_store, &root_keys, site, &node);
}

static int remove_at(struct riad_site *site, unsigned number, const struct riad_catalog *catalog)
{
    const struct riad_site_node node = node_of(number, "any");
    const struct riad_chain_end end = riad_chain_last(&catalog->ends);

    return riad_site_remove_node(&site_store, &root_keys, site, &node.id, &end);
}

static int load_catalog(const struct riad_site *site, struct riad_catalog *ret)
{
    return riad_site_load_catalog(&site_store, site, ret);
}

/* The node adds a workspace of that number to the catalog. */
static int sign(unsigned node, struct riad_catalog *catalog, uint8_t workspace)
{
    const struct riad_catalog_limit limit = { 0 };
    const struct riad_id id = { .bytes = { workspace } };

    return riad_catalog_add_workspace(&site_store, &node_keys[node], catalog, &id,
            RIAD_KIND_PROJECT, &fixture.user.id, &limit, NULL);
}

static void nodes_come_and_go(void **state)
{
    _cleanup_site_ struct riad_site site = { 0 };
    _cleanup_site_ struct riad_site again = { 0 };
    const struct riad_catalog empty = { 0 };

    (void)state;
    assert_int_equal(load(&site), 0);
    assert_int_equal(site.node_count, 1);
    assert_string_equal(site.nodes[0].name, "login1");
    assert_int_equal(add(&site, 1, "login2"), 0);
    assert_int_equal(remove_at(&site, 0, &empty), 0);
    assert_int_equal(add(&site, 2, "login1"), 0); /* its name is free again */
    assert_int_equal(load(&again), 0);
    assert_int_equal(again.node_count, 3);
    assert_memory_equal(again.nodes, site.nodes, 3 * sizeof *site.nodes);
    assert_true(again.nodes[0].removed && !again.nodes[1].removed && !again.nodes[2].removed);
    assert_ptr_equal(riad_site_find(&again, "login1"), &again.nodes[2]);
    assert_null(riad_site_find(&again, "login3"));
    assert_null(riad_site_find_key(&again, &node_keys[0].sign_key));
    assert_ptr_equal(riad_site_find_key(&again, &node_keys[1].sign_key), &again.nodes[1]);
}

static void what_cannot_be_is_not_written(void **state)
{
    _cleanup_site_ struct riad_site site = { 0 };
    const struct riad_catalog empty = { 0 };
    struct riad_site_node root_again = node_of(1, "login2");
    size_t count;

    (void)state;
    assert_int_equal(load(&site), 0);
    assert_int_equal(
            riad_site_create(&site_store, &fixture.user, &root_keys, &root_again), -EEXIST);
    assert_int_equal(remove_at(&site, 0, &empty), -EBUSY); /* the last one */
    assert_int_equal(remove_at(&site, 1, &empty), -ENOENT);
    assert_int_equal(add(&site, 1, "login1"), -EEXIST);
    assert_int_equal(add(&site, 0, "login2"), -EEXIST);
    assert_int_equal(add(&site, 1, ""), -EINVAL);
    assert_int_equal(add(&site, 1, "log in"), -EINVAL);
    assert_int_equal(add(&site, 1, "\x1b[31m"), -EINVAL);
    root_again.sign_key = root_keys.sign_key; /* one key, one job (F8) */
    assert_int_equal(riad_site_add_node(&site_store, &root_keys, &site, &root_again), -EEXIST);
    count = site.ends.count;
    riad_site_done(&site);
    assert_int_equal(load(&site), 0);
    assert_int_equal(site.ends.count, count);
    assert_int_equal(count, 1);
}

/* Two who have read the same list add one after the other. */
static void two_admins_do_not_lose_each_others_nodes(void **state)
{
    _cleanup_site_ struct riad_site one = { 0 };
    _cleanup_site_ struct riad_site two = { 0 };

    (void)state;
    assert_int_equal(load(&one), 0);
    assert_int_equal(load(&two), 0);
    assert_int_equal(add(&one, 1, "login2"), 0);
    assert_int_equal(add(&two, 2, "login2"), -EEXIST); /* seen before it is written */
    assert_int_equal(add(&two, 2, "login3"), 0);
    assert_int_equal(two.node_count, 3);
}

/* K3: a store whose list somebody else signed is refused, whoever that says he is. */
static void another_root_is_refused(void **state)
{
    _cleanup_site_ struct riad_site site = { 0 };
    struct riad_site_node node = node_of(1, "login2");

    (void)state;
    assert_int_equal(riad_site_load(&site_store, &node_keys[0].sign_key, &site), -EBADMSG);
    assert_int_equal(load(&site), 0);
    /* Nor does a node add a node. */
    assert_int_equal(riad_site_add_node(&site_store, &node_keys[0], &site, &node), -EBADMSG);
    assert_int_equal(site.node_count, 1);
}

static int try_load(void)
{
    _cleanup_site_ struct riad_site site = { 0 };

    return load(&site);
}

static void every_damage_is_refused(void **state)
{
    _cleanup_site_ struct riad_site site = { 0 };

    (void)state;
    assert_int_equal(load(&site), 0);
    assert_int_equal(add(&site, 1, "login2"), 0);
    assert_every_damage_refused(site_fd, "0000000000000000", try_load);
    assert_every_damage_refused(site_fd, "0000000000000001", try_load);
    assert_int_equal(unlinkat(site_fd, "0000000000000000", 0), 0);
    assert_int_equal(try_load(), -EUCLEAN);
}

/* K6: an older list brings a removed node back. */
static void an_older_list_is_refused(void **state)
{
    _cleanup_site_ struct riad_site site = { 0 };
    _cleanup_site_ struct riad_site older = { 0 };
    const struct riad_catalog empty = { 0 };

    (void)state;
    assert_int_equal(load(&site), 0);
    assert_int_equal(add(&site, 1, "login2"), 0);
    assert_int_equal(remove_at(&site, 0, &empty), 0);
    assert_int_equal(riad_site_check_mark(&site, state_fd), 0);
    assert_int_equal(unlinkat(site_fd, "0000000000000002", 0), 0);
    assert_int_equal(load(&older), 0);
    assert_false(older.nodes[0].removed);
    assert_int_equal(riad_site_check_mark(&older, state_fd), -ESTALE);
}

static void nodes_sign_the_catalog(void **state)
{
    _cleanup_site_ struct riad_site site = { 0 };
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    _cleanup_catalog_ struct riad_catalog again = { 0 };

    (void)state;
    assert_int_equal(load(&site), 0);
    assert_int_equal(add(&site, 1, "login2"), 0);
    assert_int_equal(load_catalog(&site, &catalog), 0);
    assert_int_equal(sign(0, &catalog, 1), 0);
    assert_int_equal(sign(1, &catalog, 2), 0);
    assert_int_equal(load_catalog(&site, &again), 0);
    assert_int_equal(again.workspace_count, 2);
    assert_int_equal(sign(2, &catalog, 3), -EBADMSG); /* no node of the site */
}

/* What a node signed before it was removed stays; what its key signs from then on does not count.
 */
static void a_removed_node_signs_no_more(void **state)
{
    _cleanup_site_ struct riad_site site = { 0 };
    _cleanup_catalog_ struct riad_catalog before = { 0 };
    _cleanup_catalog_ struct riad_catalog after = { 0 };
    _cleanup_catalog_ struct riad_catalog forged = { 0 };

    (void)state;
    assert_int_equal(load(&site), 0);
    assert_int_equal(add(&site, 1, "login2"), 0);
    assert_int_equal(load_catalog(&site, &before), 0);
    assert_int_equal(sign(0, &before, 1), 0);
    assert_int_equal(remove_at(&site, 0, &before), 0);
    assert_int_equal(load_catalog(&site, &after), 0);
    assert_int_equal(after.workspace_count, 1);
    assert_int_equal(sign(0, &after, 2), -EBADMSG);
    assert_int_equal(
            faccessat(catalog_fd, "0000000000000002", F_OK, 0), -1); /* nor was it written */
    assert_int_equal(sign(0, &before, 2), 0); /* it does not know, or does not care */
    assert_int_equal(load_catalog(&site, &forged), -EBADMSG);
    assert_int_equal(unlinkat(catalog_fd, "0000000000000002", 0), 0);
    assert_int_equal(sign(1, &after, 2), 0);
    assert_int_equal(after.workspace_count, 2);
}

/* With the key of a removed node the storage can write another history, as long as the one that was
 * there when the node was removed; that is not the one that the root has signed. */
static void a_removed_node_cannot_rewrite_history(void **state)
{
    _cleanup_site_ struct riad_site site = { 0 };
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    _cleanup_catalog_ struct riad_catalog forged = { 0 };
    _cleanup_catalog_ struct riad_catalog read = { 0 };

    (void)state;
    assert_int_equal(load(&site), 0);
    assert_int_equal(add(&site, 1, "login2"), 0);
    assert_int_equal(load_catalog(&site, &catalog), 0);
    assert_int_equal(sign(0, &catalog, 1), 0);
    assert_int_equal(remove_at(&site, 0, &catalog), 0);
    assert_int_equal(unlinkat(catalog_fd, "0000000000000000", 0), 0);
    assert_int_equal(load_catalog(&site, &read), -EBADMSG); /* cut off */
    assert_int_equal(sign(0, &forged, 9), 0);
    assert_int_equal(load_catalog(&site, &read), -EBADMSG);
}

/* It went on while it was being removed: it is removed once more, later; never earlier. */
static void a_node_is_removed_again_later(void **state)
{
    _cleanup_site_ struct riad_site site = { 0 };
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    _cleanup_catalog_ struct riad_catalog read = { 0 };
    const struct riad_catalog empty = { 0 };

    (void)state;
    assert_int_equal(load(&site), 0);
    assert_int_equal(add(&site, 1, "login2"), 0);
    assert_int_equal(load_catalog(&site, &catalog), 0);
    assert_int_equal(sign(0, &catalog, 1), 0);
    assert_int_equal(remove_at(&site, 0, &empty), 0);
    assert_int_equal(load_catalog(&site, &read), -EBADMSG);
    assert_int_equal(remove_at(&site, 0, &catalog), 0);
    assert_int_equal(load_catalog(&site, &read), 0);
    assert_int_equal(read.workspace_count, 1);
    assert_int_equal(remove_at(&site, 0, &empty), -EINVAL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nodes_come_and_go),
        TEST(what_cannot_be_is_not_written),
        TEST(two_admins_do_not_lose_each_others_nodes),
        TEST(another_root_is_refused),
        TEST(every_damage_is_refused),
        TEST(an_older_list_is_refused),
        TEST(nodes_sign_the_catalog),
        TEST(a_removed_node_signs_no_more),
        TEST(a_removed_node_cannot_rewrite_history),
        TEST(a_node_is_removed_again_later),
    };

    return cmocka_run_group_tests_name("site", tests, NULL, NULL);
}
