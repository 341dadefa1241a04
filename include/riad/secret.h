/* Key memory: locked, left out of core dumps, wiped when freed (K4). A secret never becomes a char
 * * and is never logged. */
#ifndef RIAD_SECRET_H
#define RIAD_SECRET_H

#include "riad/cleanup.h"
#include "riad/types.h"

struct riad_secret;

enum { RIAD_SECRET_MAX = 32 << 10 };

/* Zeroed memory of size bytes (1..4096, else -EINVAL), not aligned, between guard pages, mlocked,
 * MADV_DONTDUMP and MADV_WIPEONFORK. If the lock limit is reached it is used unlocked (a person's
 * shell allows 8 MiB); riad_secret_all_locked() tells. A forked child finds zeros. -ENOMEM. */
int riad_secret_new(size_t size, struct riad_secret **ret) RIAD_MUST_CHECK;
int riad_secret_new_random(size_t size, struct riad_secret **ret) RIAD_MUST_CHECK;
int riad_secret_new_copy(const void *data, size_t size, struct riad_secret **ret) RIAD_MUST_CHECK;
/* Wipes and frees; NULL is fine; keeps errno. */
void riad_secret_free(struct riad_secret *secret);
/* Borrowed; valid until the secret is freed. */
uint8_t *riad_secret_bytes(struct riad_secret *secret);
const uint8_t *riad_secret_peek(const struct riad_secret *secret);
size_t riad_secret_size(const struct riad_secret *secret);
/* Shortens (wiping the tail); size must not exceed the present one. */
void riad_secret_truncate(struct riad_secret *secret, size_t size);
/* Constant time in the content. */
bool riad_secret_equal(const struct riad_secret *a, const struct riad_secret *b);
/* Constant-time comparison and wiping of plain buffers. */
bool riad_equal_constant_time(const void *a, const void *b, size_t size);
void riad_wipe(void *data, size_t size);
/* False from the first secret on that could not be locked. */
bool riad_secret_all_locked(void);
/* RLIMIT_CORE 0, PR_SET_DUMPABLE 0. For every process that will hold secrets, at its start. 0 or
 * negative errno. */
int riad_secret_harden_process(void) RIAD_MUST_CHECK;
/* Reads a passphrase of 1..1024 bytes, else -EINVAL: all bytes of fd, from a terminal one line,
 * less one trailing newline. Nothing passes through stdio's buffers. -ENOMEM or the errno of read.
 */
int riad_secret_read_fd(int fd, struct riad_secret **ret) RIAD_MUST_CHECK;

RIAD_DEFINE_CLEANUP(struct riad_secret, riad_secret_free);
#define _cleanup_secret_ _cleanup_(riad_secret_freep)

#endif
