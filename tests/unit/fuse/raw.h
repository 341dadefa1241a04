/* Requests in their raw form, without a mount. */
#ifndef RIAD_TESTS_FUSE_RAW_H
#define RIAD_TESTS_FUSE_RAW_H

#include <stdlib.h>

#include "core/fixture.h"
#include "raw_abi_priv.h"
#include "raw_priv.h"
#include "session_priv.h"

struct bench {
    struct fixture fixture;
    struct riad_workspace *workspace;
    struct riad_session session;
    struct riad_raw_reply reply;
    uint32_t uid; /* who asks */
};

static const struct riad_caller alice = { .uid = 1000, .gid = 1000, .request = 1 };

static inline int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);

    fixture_make(&bench->fixture);
    bench->workspace = fixture_open(&bench->fixture);
    bench->session.workspace = bench->workspace;
    bench->uid = alice.uid;
    *state = bench;
    return 0;
}

static inline int teardown(void **state)
{
    struct bench *bench = *state;

    fixture_close(bench->workspace);
    fixture_assert_sound(&bench->fixture);
    fixture_remove(&bench->fixture);
    free(bench);
    return 0;
}

/* A message in memory of exactly its size, so that a sanitizer sees a read behind it. Returns the
 * error of the reply. */
static inline int ask(
        struct bench *bench, uint32_t opcode, uint64_t inode, const void *body, size_t size)
{
    struct fuse_in_header header = {
        .len = (uint32_t)(sizeof header + size),
        .opcode = opcode,
        .unique = 77,
        .nodeid = inode,
        .uid = bench->uid,
        .gid = bench->uid,
    };
    uint8_t *message = malloc(header.len);

    memcpy(message, &header, sizeof header);
    if (size > 0) {
        memcpy(message + sizeof header, body, size);
    }
    assert_true(riad_raw_answer(&bench->session, message, header.len, &bench->reply));
    free(message);
    assert_int_equal(bench->reply.header.unique, 77);
    assert_int_equal(bench->reply.header.len, sizeof(struct fuse_out_header) + bench->reply.size);
    assert_true(bench->reply.header.error == 0 || bench->reply.size == 0);
    return bench->reply.header.error;
}

#endif
