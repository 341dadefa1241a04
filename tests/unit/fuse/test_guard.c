/* A session for members: who is none gets nothing, who may only read opens nothing for writing. */
#include <fcntl.h>

#include "riad/members.h"

#include "fuse/raw.h"

enum { WRITER = 1000, READER = 1001, STRANGER = 1002 };

static int setup_guarded(void **state)
{
    static const struct riad_member_standing members[] = { { WRITER, RIAD_STANDING_WRITER },
        { READER, RIAD_STANDING_READER } };
    struct bench *bench;

    setup(state);
    bench = *state;
    assert_int_equal(riad_members_set(bench->workspace, members, 2, NULL), 0);
    bench->session.guarded = true;
    return 0;
}

/* Whether the request is answered before libfuse sees it. */
static bool is_answered(struct bench *bench, uint32_t opcode, uint32_t uid)
{
    struct fuse_in_header header = {
        .len = sizeof header, .opcode = opcode, .nodeid = 1, .uid = uid
    };

    return riad_raw_answer(&bench->session, &header, sizeof header, &bench->reply);
}

static bool is_for_all(uint32_t opcode)
{
    static const uint32_t opcodes[] = { FUSE_INIT, FUSE_DESTROY, FUSE_FORGET, FUSE_BATCH_FORGET,
        FUSE_INTERRUPT, FUSE_NOTIFY_REPLY, FUSE_RELEASE, FUSE_RELEASEDIR, FUSE_FLUSH, FUSE_FSYNC,
        FUSE_FSYNCDIR, FUSE_STATFS };

    for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++) {
        if (opcodes[i] == opcode) {
            return true;
        }
    }
    return false;
}

static void strangers_are_refused(void **state)
{
    struct bench *bench = *state;

    for (uint32_t opcode = 0; opcode < 100; opcode++) {
        bool answered = is_answered(bench, opcode, STRANGER);

        if (!is_for_all(opcode)) {
            assert_true(answered);
            assert_int_equal(bench->reply.header.error, -EACCES);
            assert_int_equal(bench->reply.header.len, sizeof bench->reply.header);
        } else if (answered) {
            assert_true(bench->reply.header.error != -EACCES);
        }
    }
    assert_false(is_answered(bench, FUSE_FORGET, STRANGER)); /* which gets no reply */
    assert_false(is_answered(bench, FUSE_BATCH_FORGET, STRANGER));
    assert_true(is_answered(bench, UINT32_MAX, STRANGER));
}

static void members_and_root_are_let_in(void **state)
{
    struct bench *bench = *state;

    assert_false(is_answered(bench, FUSE_LOOKUP, WRITER));
    assert_false(is_answered(bench, FUSE_GETATTR, READER));
    assert_false(is_answered(bench, FUSE_READ, READER));
    assert_false(is_answered(bench, FUSE_WRITE, READER)); /* core refuses it */
    assert_false(is_answered(bench, FUSE_LOOKUP, 0));
    assert_int_equal(riad_members_set(bench->workspace, NULL, 0, NULL), 0);
    assert_true(is_answered(bench, FUSE_READ, WRITER));
    assert_int_equal(bench->reply.header.error, -EACCES);
    assert_false(is_answered(bench, FUSE_READ, 0));
}

static int open_as(struct bench *bench, uint32_t uid, uint32_t opcode, int flags)
{
    const struct fuse_open_in in = { .flags = (uint32_t)flags };

    bench->uid = uid;
    return ask(bench, opcode, 1, &in, sizeof in);
}

static void assert_opened(struct bench *bench, uint32_t flags)
{
    struct fuse_open_out out;

    assert_int_equal(bench->reply.size, sizeof out);
    memcpy(&out, bench->reply.body, sizeof out);
    assert_int_equal(out.fh, 0);
    assert_int_equal(out.open_flags, flags);
}

static void readers_open_nothing_for_writing(void **state)
{
    static const int writing[] = { O_WRONLY, O_RDWR, O_ACCMODE, O_RDONLY | O_TRUNC,
        O_WRONLY | O_APPEND, O_RDWR | O_DIRECT };
    struct bench *bench = *state;

    for (size_t i = 0; i < sizeof writing / sizeof writing[0]; i++) {
        assert_int_equal(open_as(bench, READER, FUSE_OPEN, writing[i]), -EACCES);
        assert_int_equal(open_as(bench, STRANGER, FUSE_OPEN, writing[i]), -EACCES);
        assert_int_equal(open_as(bench, WRITER, FUSE_OPEN, writing[i]), 0);
        assert_opened(bench, FOPEN_KEEP_CACHE);
        assert_int_equal(open_as(bench, 0, FUSE_OPEN, writing[i]), 0);
    }
    assert_int_equal(open_as(bench, READER, FUSE_OPEN, O_RDONLY | O_DIRECT), 0);
    assert_opened(bench, FOPEN_KEEP_CACHE);
    assert_int_equal(open_as(bench, STRANGER, FUSE_OPEN, O_RDONLY), -EACCES);
}

static void directories_are_opened_as_by_the_kernel(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(open_as(bench, READER, FUSE_OPENDIR, O_RDONLY | O_DIRECTORY), 0);
    assert_opened(bench, FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR);
    assert_int_equal(open_as(bench, STRANGER, FUSE_OPENDIR, O_RDONLY | O_DIRECTORY), -EACCES);
    bench->uid = STRANGER; /* who opened it when a member */
    assert_int_equal(ask(bench, FUSE_RELEASE, 1, NULL, 0), 0);
    assert_int_equal(ask(bench, FUSE_RELEASEDIR, 1, NULL, 0), 0);
}

static void opens_of_any_size_are_answered(void **state)
{
    static const uint32_t opcodes[] = { FUSE_OPEN, FUSE_OPENDIR };
    struct fuse_open_in in = { .flags = O_RDONLY };
    struct bench *bench = *state;

    for (size_t i = 0; i < 2; i++) {
        for (size_t size = 0; size < sizeof in; size++) {
            assert_int_equal(ask(bench, opcodes[i], 1, &in, size), -EINVAL);
        }
    }
}

/* Elsewhere the kernel opens by itself, and everybody may ask. */
static void other_sessions_are_as_ever(void **state)
{
    struct bench *bench = *state;

    for (uint32_t opcode = 0; opcode < 50; opcode++) {
        bool raw = opcode == FUSE_INTERRUPT || opcode == FUSE_IOCTL;

        assert_int_equal(is_answered(bench, opcode, STRANGER), raw);
    }
}

#define GUARDED(function) cmocka_unit_test_setup_teardown(function, setup_guarded, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GUARDED(strangers_are_refused),
        GUARDED(members_and_root_are_let_in),
        GUARDED(readers_open_nothing_for_writing),
        GUARDED(directories_are_opened_as_by_the_kernel),
        GUARDED(opens_of_any_size_are_answered),
        cmocka_unit_test_setup_teardown(other_sessions_are_as_ever, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
