/* Each secret lies alone between two guard pages, its last byte just before the second one: running
 * over its end faults at once, and neither swap, a core dump nor a forked child gets it. */
#include "riad/secret.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "riad/digest.h"
#include "riad/error.h"

enum { PASSPHRASE_MAX = 1024 };

struct riad_secret {
    uint8_t *data;
    size_t size;
    uint8_t *map; /* guard page, pages of the secret, guard page */
    size_t map_size;
};

/* Some secret could not be locked. */
static atomic_bool unlocked;

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Opens the pages between the guards. WIPEONFORK and DONTDUMP may be unknown to a kernel or a
 * sandbox; a lock may be over the limit: the secret is used all the same. */
static int open_pages(const struct riad_secret *secret)
{
    uint8_t *pages = secret->map + page_size();
    size_t size = secret->map_size - 2 * page_size();

    if (mprotect(pages, size, PROT_READ | PROT_WRITE) < 0) {
        return -errno;
    }
    if (mlock(pages, size) < 0) {
        atomic_store(&unlocked, true);
    }
    (void)madvise(pages, size, MADV_DONTDUMP);
    (void)madvise(pages, size, MADV_WIPEONFORK);
    return 0;
}

static int map_pages(struct riad_secret *secret, size_t size)
{
    size_t page = page_size();
    void *map;
    int r;

    secret->map_size = (size + page - 1) / page * page + 2 * page;
    map = mmap(NULL, secret->map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        return -errno;
    }
    secret->map = map;
    secret->size = size;
    secret->data = secret->map + secret->map_size - page - size;
    r = open_pages(secret);
    if (r < 0) {
        (void)munmap(map, secret->map_size);
    }
    return r;
}

int riad_secret_new(size_t size, struct riad_secret **ret)
{
    _cleanup_free_ struct riad_secret *secret = NULL;
    int r;

    if (size == 0 || size > RIAD_SECRET_MAX) {
        return -EINVAL;
    }
    secret = calloc(1, sizeof *secret);
    if (!secret) {
        return -ENOMEM;
    }
    r = map_pages(secret, size);
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(secret);
    return 0;
}

int riad_secret_new_random(size_t size, struct riad_secret **ret)
{
    _cleanup_secret_ struct riad_secret *secret = NULL;
    int r;

    r = riad_secret_new(size, &secret);
    if (r < 0) {
        return r;
    }
    r = riad_random(secret->data, size);
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(secret);
    return 0;
}

int riad_secret_new_copy(const void *data, size_t size, struct riad_secret **ret)
{
    struct riad_secret *secret;
    int r;

    r = riad_secret_new(size, &secret);
    if (r < 0) {
        return r;
    }
    memcpy(secret->data, data, size);
    *ret = secret;
    return 0;
}

void riad_secret_free(struct riad_secret *secret)
{
    int saved = errno;

    if (!secret) {
        return;
    }
    OPENSSL_cleanse(secret->data, secret->size);
    (void)munmap(secret->map, secret->map_size);
    free(secret);
    errno = saved;
}

uint8_t *riad_secret_bytes(struct riad_secret *secret)
{
    return secret->data;
}

const uint8_t *riad_secret_peek(const struct riad_secret *secret)
{
    return secret->data;
}

size_t riad_secret_size(const struct riad_secret *secret)
{
    return secret->size;
}

void riad_secret_truncate(struct riad_secret *secret, size_t size)
{
    assert(size <= secret->size);
    OPENSSL_cleanse(secret->data + size, secret->size - size);
    secret->size = size;
}

bool riad_secret_equal(const struct riad_secret *a, const struct riad_secret *b)
{
    return a->size == b->size && riad_equal_constant_time(a->data, b->data, a->size);
}

bool riad_equal_constant_time(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}

void riad_wipe(void *data, size_t size)
{
    OPENSSL_cleanse(data, size);
}

bool riad_secret_all_locked(void)
{
    return !atomic_load(&unlocked);
}

int riad_secret_harden_process(void)
{
    const struct rlimit none = { 0, 0 };

    if (setrlimit(RLIMIT_CORE, &none) < 0) {
        return -errno;
    }
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

/* Reads straight into the secret until it is full, the input ends or, on a terminal, a line ends.
 */
static int fill(int fd, struct riad_secret *secret, size_t *ret_size)
{
    bool terminal = isatty(fd) == 1;
    size_t size = 0;

    while (size < secret->size) {
        ssize_t n = read(fd, secret->data + size, secret->size - size);

        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        if (n == 0) {
            break;
        }
        size += n > 0 ? (size_t)n : 0;
        if (terminal && size > 0 && secret->data[size - 1] == '\n') {
            break;
        }
    }
    *ret_size = size;
    return 0;
}

int riad_secret_read_fd(int fd, struct riad_secret **ret)
{
    _cleanup_secret_ struct riad_secret *secret = NULL;
    size_t size = 0;
    int r;

    /* One byte for the newline and one that only a longer passphrase reaches. */
    r = riad_secret_new(PASSPHRASE_MAX + 2, &secret);
    if (r < 0) {
        return r;
    }
    r = fill(fd, secret, &size);
    if (r < 0) {
        return r;
    }
    if (size > 0 && secret->data[size - 1] == '\n') {
        size--;
    }
    if (size == 0 || size > PASSPHRASE_MAX) {
        return -EINVAL;
    }
    riad_secret_truncate(secret, size);
    *ret = riad_take_pointer(secret);
    return 0;
}
