/* A store with one user in a temporary directory, and what the tests of this layer do to its files.
 * For tests only. */
#ifndef RIAD_TESTS_CATALOG_FIXTURE_H
#define RIAD_TESTS_CATALOG_FIXTURE_H

#include <sys/stat.h>

#include "riad/catalog.h"
#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/fdio.h"

#include "object_priv.h"
#include "slot_priv.h"
#include "temporary.h"
#include "unit.h"

enum { FIXTURE_LOG_N = 15, FIXTURE_PATH = 512 };

struct fixture {
    struct temporary directory;
    struct riad_store store;
    struct riad_user user;
    struct riad_keypair keys;
    struct riad_secret *code; /* opens the user's recovery slot */
};

static struct fixture fixture;

static inline struct riad_secret *secret_of(const char *text)
{
    struct riad_secret *secret = NULL;

    assert_int_equal(riad_secret_new_copy(text, strlen(text), &secret), 0);
    return secret;
}

static inline void store_path(const char *name, char ret[FIXTURE_PATH])
{
    assert_true(snprintf(ret, FIXTURE_PATH, "%s/%s", fixture.directory.path, name) < FIXTURE_PATH);
}

static inline void make_store(const char *name, struct riad_store *ret)
{
    char path[FIXTURE_PATH];

    store_path(name, path);
    assert_int_equal(riad_store_create(path, ret), 0);
}

/* A saved user with a recovery slot: fast to open. */
static inline void make_user(const struct riad_store *store, struct riad_user *ret,
        struct riad_keypair *ret_keys, struct riad_secret **ret_code)
{
    assert_int_equal(riad_user_create(ret, ret_keys), 0);
    assert_int_equal(riad_secret_new_random(32, ret_code), 0);
    assert_int_equal(riad_user_set_slot(ret, store, ret_keys, RIAD_SLOT_RECOVERY, *ret_code), 0);
    assert_int_equal(riad_user_save(ret, store, ret_keys), 0);
}

static inline int fixture_setup(void **state)
{
    (void)state;
    fixture = (struct fixture){ .store.fd = -1 };
    if (temporary_make(&fixture.directory) < 0) {
        return -1;
    }
    make_store("store", &fixture.store);
    make_user(&fixture.store, &fixture.user, &fixture.keys, &fixture.code);
    return 0;
}

static inline int fixture_teardown(void **state)
{
    (void)state;
    riad_secret_free(fixture.code);
    riad_keypair_done(&fixture.keys);
    riad_store_close(&fixture.store);
    return temporary_remove(&fixture.directory);
}

/* A whole file, below a directory. */
struct bytes {
    uint8_t *data;
    size_t size;
};

static inline void bytes_done(struct bytes *bytes)
{
    free(bytes->data);
}
#define _cleanup_bytes_ _cleanup_(bytes_done)

static inline struct bytes read_bytes(int fd, const char *path)
{
    struct bytes bytes = { 0 };

    assert_int_equal(riad_read_file_at(fd, path, 1 << 24, &bytes.data, &bytes.size), 0);
    return bytes;
}

static inline void write_bytes(int fd, const char *path, const void *data, size_t size)
{
    _cleanup_close_ int file = openat(fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(file >= 0);
    assert_int_equal(riad_pwrite_all(file, data, size, 0), 0);
}

/* A check of a damaged file: 0 or the error; must leave nothing behind when it fails. */
typedef int (*reader_function)(void);

static inline bool is_typed(int r)
{
    return r == -EBADMSG || r == -EPROTONOSUPPORT || r == -ENOKEY || r == -EUCLEAN;
}

static inline void assert_refused(reader_function read, size_t at)
{
    int r = read();

    if (!is_typed(r)) {
        fail_msg("damage at byte %zu gave %d", at, r);
    }
}

/* Every byte changed in two ways, every length but the right one's shorter, one and many bytes
 * more: all refused. Afterwards the file is as before and reads. */
static inline void assert_every_damage_refused(int fd, const char *path, reader_function read)
{
    _cleanup_bytes_ struct bytes whole = read_bytes(fd, path);
    _cleanup_free_ uint8_t *changed = malloc(whole.size + 64);
    static const uint8_t flips[] = { 0x01, 0x80 };

    assert_non_null(changed);
    for (size_t i = 0; i < 2 * whole.size; i++) {
        memcpy(changed, whole.data, whole.size);
        changed[i / 2] ^= flips[i % 2];
        write_bytes(fd, path, changed, whole.size);
        assert_refused(read, i / 2);
    }
    memcpy(changed, whole.data, whole.size);
    memset(changed + whole.size, 0, 64);
    for (size_t size = 0; size < whole.size; size++) {
        write_bytes(fd, path, changed, size);
        assert_refused(read, size);
    }
    for (size_t more = 1; more <= 64; more *= 4) {
        write_bytes(fd, path, changed, whole.size + more);
        assert_refused(read, whole.size);
    }
    write_bytes(fd, path, whole.data, whole.size);
    assert_int_equal(read(), 0);
}

#endif
