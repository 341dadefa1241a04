/* The fixture, and a catalog in its store with short words for what is done to it. For tests only.
 */
#ifndef RIAD_TESTS_CATALOG_CATALOG_FIXTURE_H
#define RIAD_TESTS_CATALOG_CATALOG_FIXTURE_H

#include "faults.h"
#include "fixture.h"

static int catalog_fd, state_fd;

static inline int setup(void **state)
{
    char path[FIXTURE_PATH];

    if (fixture_setup(state) < 0) {
        return -1;
    }
    store_path("state", path);
    if (mkdir(path, 0700) < 0) {
        return -1;
    }
    state_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    catalog_fd = openat(fixture.store.fd, "catalog", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return state_fd < 0 || catalog_fd < 0 ? -1 : 0;
}

static inline int teardown(void **state)
{
    faults_remove();
    close(state_fd);
    close(catalog_fd);
    return fixture_teardown(state);
}

#define _cleanup_catalog_ _cleanup_(riad_catalog_done)

static inline int load(struct riad_catalog *ret)
{
    const struct riad_signer owner = riad_signer_always(&fixture.keys.sign_key);

    return riad_catalog_load(&fixture.store, &owner, 1, ret);
}

static inline int try_load(void)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };

    return load(&catalog);
}

/* One batch, signed as it should be, of a body that the test writes: the whole catalog. */
static inline int load_body(const struct riad_writer *body)
{
    _cleanup_(riad_writer_done) struct riad_writer file = { 0 };

    riad_writer_init_growing(&file, 4096, RIAD_ENVELOPE_MAX);
    assert_int_equal(body->error, 0);
    assert_int_equal(riad_envelope_sign(RIAD_ENVELOPE_CATALOG, &fixture.store.binding,
                             &fixture.keys, body->data, body->size, &file),
            0);
    write_bytes(catalog_fd, "0000000000000000", file.data, file.size);
    return try_load();
}

static inline struct riad_id id_of(uint8_t number)
{
    return (struct riad_id){ .bytes = { number } };
}

static inline int add(struct riad_catalog *catalog, uint8_t number, uint64_t bytes_hard)
{
    const struct riad_catalog_limit limit = { .bytes_hard = bytes_hard, .grace_bytes = 7 };
    const struct riad_id id = id_of(number);

    return riad_catalog_add_workspace(&fixture.store, &fixture.keys, catalog, &id, RIAD_KIND_HOME,
            &fixture.user.id, &limit, NULL);
}

static inline int set_limit(struct riad_catalog *catalog, uint8_t number, uint64_t bytes_hard)
{
    const struct riad_catalog_limit limit = { .bytes_hard = bytes_hard };
    const struct riad_id id = id_of(number);

    return riad_catalog_set_limit(&fixture.store, &fixture.keys, catalog, &id, &limit);
}

static inline uint64_t hard_limit(const struct riad_catalog *catalog, uint8_t number)
{
    const struct riad_id id = id_of(number);
    const struct riad_catalog_workspace *found = riad_catalog_find(catalog, &id);

    assert_non_null(found);
    return found->limit.bytes_hard;
}

#endif
