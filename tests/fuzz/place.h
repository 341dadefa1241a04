/* For fuzzers of files: a workspace's directory with keys, in which a file is put in place again
 * and again. For tests only. */
#ifndef RIAD_TESTS_FUZZ_PLACE_H
#define RIAD_TESTS_FUZZ_PLACE_H

#include "riad/cleanup.h"
#include "riad/fdio.h"
#include "riad/keys.h"

#include "fuzz.h"
#include "temporary.h"

static struct temporary place;
static struct riad_keys *place_keys;
static const struct riad_id place_workspace = { { 7 } };

static void place_remove(void)
{
    riad_keys_free(place_keys);
    (void)temporary_remove(&place);
}

static inline void place_make(void)
{
    _cleanup_secret_ struct riad_secret *root = NULL;

    FUZZ_ASSERT(temporary_make(&place) == 0);
    FUZZ_ASSERT(riad_secret_new_random(32, &root) == 0);
    FUZZ_ASSERT(riad_keys_new(&place_workspace, 1, root, &place_keys) == 0);
    atexit(place_remove);
}

static inline void place_put(const char *path, const void *data, size_t size)
{
    _cleanup_close_ int fd = openat(place.fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    FUZZ_ASSERT(fd >= 0);
    FUZZ_ASSERT(riad_pwrite_all(fd, data, size, 0) == 0);
}

static inline void place_get(const char *path, struct fuzz_model *ret)
{
    _cleanup_close_ int fd = openat(place.fd, path, O_RDONLY | O_CLOEXEC);

    FUZZ_ASSERT(fd >= 0);
    FUZZ_ASSERT(riad_pread_all(fd, ret->data, sizeof ret->data, 0, &ret->size) == 0);
    FUZZ_ASSERT(ret->size > 0 && ret->size < sizeof ret->data);
}

#endif
