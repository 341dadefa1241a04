/* Requests that libfuse does not decode: right answers, and hostile messages. */
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "acl.h"
#include "fuse/raw.h"

static void interrupts_are_refused_here(void **state)
{
    struct bench *bench = *state;
    uint64_t interrupted = 75;

    assert_int_equal(ask(bench, FUSE_INTERRUPT, 0, &interrupted, sizeof interrupted), -ENOSYS);
}

static void what_libfuse_knows_is_left_to_it(void **state)
{
    struct bench *bench = *state;
    struct fuse_in_header header = { .len = sizeof header, .opcode = FUSE_GETATTR, .nodeid = 1 };

    assert_false(riad_raw_answer(&bench->session, &header, sizeof header, &bench->reply));
    header.opcode = UINT32_MAX;
    assert_false(riad_raw_answer(&bench->session, &header, sizeof header, &bench->reply));
    header.opcode = RIAD_FUSE_STATX;
    assert_false(riad_raw_answer(&bench->session, &header, sizeof header - 1, &bench->reply));
    assert_false(riad_raw_answer(&bench->session, &header, 0, &bench->reply));
}

static void lying_headers_are_refused(void **state)
{
    struct bench *bench = *state;
    struct {
        struct fuse_in_header header;
        struct riad_fuse_statx_in in;
    } message = { .header = { .len = sizeof message, .opcode = RIAD_FUSE_STATX, .nodeid = 1 } };

    assert_true(riad_raw_answer(&bench->session, &message, sizeof message, &bench->reply));
    assert_int_equal(bench->reply.header.error, 0);
    message.header.len = sizeof message - 1;
    assert_true(riad_raw_answer(&bench->session, &message, sizeof message, &bench->reply));
    assert_int_equal(bench->reply.header.error, -EINVAL);
    message.header.len = sizeof message;
    message.header.total_extlen = 1; /* what would be the body is an extension */
    assert_true(riad_raw_answer(&bench->session, &message, sizeof message, &bench->reply));
    assert_int_equal(bench->reply.header.error, -EINVAL);
    message.header.total_extlen = UINT16_MAX;
    assert_true(riad_raw_answer(&bench->session, &message, sizeof message, &bench->reply));
    assert_int_equal(bench->reply.header.error, -EINVAL);
}

static void statx_of_any_size_is_answered(void **state)
{
    struct bench *bench = *state;
    uint8_t in[sizeof(struct riad_fuse_statx_in) + 8] = { 0 };

    for (size_t size = 0; size <= sizeof in; size++) {
        int expected = size < sizeof(struct riad_fuse_statx_in) ? -EINVAL : 0;

        assert_int_equal(ask(bench, RIAD_FUSE_STATX, RIAD_ROOT_INODE, in, size), expected);
    }
    assert_int_equal(
            ask(bench, RIAD_FUSE_STATX, 4711, in, sizeof(struct riad_fuse_statx_in)), -ENOENT);
    assert_int_equal(ask(bench, RIAD_FUSE_STATX, UINT64_MAX, in, sizeof(struct riad_fuse_statx_in)),
            -ENOENT);
}

static void statx_tells_all_of_a_row(void **state)
{
    struct bench *bench = *state;
    struct riad_fuse_statx_in in = { .sx_mask = STATX_BTIME };
    struct riad_fuse_statx_out out;
    struct riad_inode row;
    struct riad_inode wanted = { .mtime = { 5, 6 }, .atime = { -7, 8 } };

    assert_int_equal(riad_mknod(bench->workspace, &alice, RIAD_ROOT_INODE, "device", S_IFCHR | 0640,
                             makedev(0x123, 0x45678), &row),
            0);
    assert_int_equal(riad_setattr(bench->workspace, &alice, row.inode,
                             RIAD_SET_MTIME | RIAD_SET_ATIME, &wanted, &row),
            0);
    assert_int_equal(ask(bench, RIAD_FUSE_STATX, row.inode, &in, sizeof in), 0);
    assert_int_equal(bench->reply.size, sizeof out);
    memcpy(&out, bench->reply.body, sizeof out);
    assert_true(out.attr_valid > 0);
    assert_int_equal(out.stat.mask, STATX_BASIC_STATS | STATX_BTIME);
    assert_int_equal(out.stat.ino, row.inode);
    assert_int_equal(out.stat.mode, S_IFCHR | 0640);
    assert_int_equal(out.stat.nlink, 1);
    assert_int_equal(out.stat.uid, 1000);
    assert_int_equal(out.stat.gid, 1000);
    assert_int_equal(out.stat.rdev_major, 0x123);
    assert_int_equal(out.stat.rdev_minor, 0x45678);
    assert_int_equal(out.stat.btime.tv_sec, row.btime.tv_sec);
    assert_int_equal(out.stat.btime.tv_nsec, row.btime.tv_nsec);
    assert_int_equal(out.stat.ctime.tv_sec, row.ctime.tv_sec);
    assert_int_equal(out.stat.mtime.tv_sec, 5);
    assert_int_equal(out.stat.mtime.tv_nsec, 6);
    assert_int_equal(out.stat.atime.tv_sec, -7);
    assert_int_equal(out.stat.atime.tv_nsec, 8);
}

static void tmpfile_of_any_size_is_answered(void **state)
{
    struct bench *bench = *state;
    struct fuse_create_in in = { .mode = S_IFREG | 0600 };
    uint8_t body[sizeof in + 300];

    memset(body, 'x', sizeof body); /* a name without an end */
    memcpy(body, &in, sizeof in);
    for (size_t size = 0; size <= sizeof body; size++) {
        int expected = size < sizeof in ? -EINVAL : 0;

        assert_int_equal(ask(bench, FUSE_TMPFILE, RIAD_ROOT_INODE, body, size), expected);
        assert_int_equal(bench->reply.given != 0, expected == 0);
        riad_forget(bench->workspace, bench->reply.given, 1);
    }
    assert_int_equal(ask(bench, FUSE_TMPFILE, 4711, body, sizeof in), -ENOENT);
}

static struct fuse_entry_out tmpfile_made(struct bench *bench, uint32_t flags)
{
    struct fuse_create_in in = { .mode = S_IFREG | 0666, .umask = 026, .flags = flags };
    struct fuse_entry_out entry;

    assert_int_equal(ask(bench, FUSE_TMPFILE, RIAD_ROOT_INODE, &in, sizeof in), 0);
    assert_int_equal(bench->reply.size, sizeof entry + sizeof(struct fuse_open_out));
    memcpy(&entry, bench->reply.body, sizeof entry);
    assert_int_equal(entry.nodeid, bench->reply.given);
    return entry;
}

static void tmpfile_gives_an_inode_without_a_name(void **state)
{
    struct bench *bench = *state;
    struct fuse_entry_out entry = tmpfile_made(bench, O_RDWR);
    struct riad_inode row;

    assert_int_equal(entry.attr.ino, entry.nodeid);
    assert_int_equal(entry.attr.mode, S_IFREG | 0640);
    assert_int_equal(entry.attr.nlink, 0);
    assert_int_equal(entry.attr.uid, 1000);
    assert_int_equal(
            riad_link(bench->workspace, &alice, entry.nodeid, RIAD_ROOT_INODE, "named", &row), 0);
    assert_int_equal(row.nlink, 1);
    entry = tmpfile_made(bench, O_RDWR | O_EXCL);
    assert_int_equal(
            riad_link(bench->workspace, &alice, entry.nodeid, RIAD_ROOT_INODE, "never", &row),
            -ENOENT);
}

/* The body of an IOCTL: what the fixed part says of sizes, and how many bytes follow it. */
static int ask_ioctl(struct bench *bench, uint64_t inode, const struct fuse_ioctl_in *in,
        const void *argument, size_t size)
{
    uint8_t body[sizeof *in + 64];

    memcpy(body, in, sizeof *in);
    if (size > 0) {
        memcpy(body + sizeof *in, argument, size);
    }
    return ask(bench, FUSE_IOCTL, inode, body, sizeof *in + size);
}

static void ioctls_of_any_size_are_answered(void **state)
{
    struct bench *bench = *state;
    static const uint32_t commands[] = { FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IOC_FSGETXATTR,
        FS_IOC_FSSETXATTR };
    uint8_t body[sizeof(struct fuse_ioctl_in) + 8] = { 0 };

    for (size_t size = 0; size <= sizeof body; size++) {
        int expected = size < sizeof(struct fuse_ioctl_in) ? -EINVAL : -ENOTTY;

        assert_int_equal(ask(bench, FUSE_IOCTL, RIAD_ROOT_INODE, body, size), expected);
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        static const uint32_t sizes[] = { 0, 1, 3, 5, 8, 27, 29, 64, UINT32_MAX };

        for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++) {
            struct fuse_ioctl_in in = {
                .cmd = commands[i], .in_size = sizes[j], .out_size = sizes[j]
            };

            assert_int_equal(ask_ioctl(bench, RIAD_ROOT_INODE, &in, body, 0), -ENOTTY);
            assert_int_equal(ask_ioctl(bench, RIAD_ROOT_INODE, &in, body, 8), -ENOTTY);
        }
    }
}

static void other_ioctls_are_refused(void **state)
{
    struct bench *bench = *state;
    static const uint32_t commands[] = { FIFREEZE, FITRIM, FICLONE, FS_IOC_FIEMAP,
        FS_IOC32_GETFLAGS, FS_IOC32_SETFLAGS, FS_IOC_GETVERSION, 0, UINT32_MAX };

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        struct fuse_ioctl_in in = { .cmd = commands[i], .in_size = 4, .out_size = 4 };
        uint32_t argument = 0;

        assert_int_equal(ask_ioctl(bench, RIAD_ROOT_INODE, &in, &argument, 4), -ENOTTY);
    }
}

static uint32_t flags_got(struct bench *bench, uint64_t inode)
{
    struct fuse_ioctl_in in = { .cmd = FS_IOC_GETFLAGS, .out_size = sizeof(uint32_t) };
    uint32_t flags;

    assert_int_equal(ask_ioctl(bench, inode, &in, NULL, 0), 0);
    assert_int_equal(bench->reply.size, sizeof(struct fuse_ioctl_out) + sizeof flags);
    memcpy(&flags, bench->reply.body + sizeof(struct fuse_ioctl_out), sizeof flags);
    return flags;
}

static int set_flags(struct bench *bench, uint64_t inode, uint32_t flags)
{
    struct fuse_ioctl_in in = { .cmd = FS_IOC_SETFLAGS, .in_size = sizeof flags };
    int r = ask_ioctl(bench, inode, &in, &flags, sizeof flags);

    assert_int_equal(bench->reply.size, r < 0 ? 0 : sizeof(struct fuse_ioctl_out));
    assert_int_equal(bench->reply.stale, r < 0 ? 0 : inode);
    return r;
}

static void flags_go_in_and_out(void **state)
{
    struct bench *bench = *state;
    struct fuse_ioctl_in in = { .cmd = FS_IOC_FSSETXATTR, .in_size = sizeof(struct fsxattr) };
    struct fsxattr attributes = { .fsx_xflags = FS_XFLAG_APPEND | FS_XFLAG_NODUMP };
    struct riad_inode row;
    uint64_t inode;

    assert_int_equal(
            riad_mknod(bench->workspace, &alice, RIAD_ROOT_INODE, "f", S_IFREG, 0, &row), 0);
    inode = row.inode;
    assert_int_equal(flags_got(bench, inode), 0);
    assert_int_equal(set_flags(bench, inode, FS_IMMUTABLE_FL | FS_NOATIME_FL), 0);
    assert_int_equal(flags_got(bench, inode), FS_IMMUTABLE_FL | FS_NOATIME_FL);
    assert_int_equal(riad_unlink(bench->workspace, &alice, RIAD_ROOT_INODE, "f"), -EPERM);
    assert_int_equal(set_flags(bench, inode, FS_COMPR_FL), -EOPNOTSUPP);
    assert_int_equal(set_flags(bench, inode, UINT32_MAX), -EOPNOTSUPP);
    assert_int_equal(set_flags(bench, 4711, 0), -ENOENT);
    assert_int_equal(ask_ioctl(bench, inode, &in, &attributes, sizeof attributes), 0);
    assert_int_equal(flags_got(bench, inode), FS_APPEND_FL | FS_NODUMP_FL);
    attributes.fsx_projid = 1;
    assert_int_equal(ask_ioctl(bench, inode, &in, &attributes, sizeof attributes), -EOPNOTSUPP);
    attributes.fsx_projid = 0;
    attributes.fsx_extsize = 4096;
    assert_int_equal(ask_ioctl(bench, inode, &in, &attributes, sizeof attributes), -EOPNOTSUPP);
    in = (struct fuse_ioctl_in){ .cmd = FS_IOC_FSGETXATTR, .out_size = sizeof attributes };
    assert_int_equal(ask_ioctl(bench, inode, &in, NULL, 0), 0);
    assert_int_equal(bench->reply.size, sizeof(struct fuse_ioctl_out) + sizeof attributes);
    memcpy(&attributes, bench->reply.body + sizeof(struct fuse_ioctl_out), sizeof attributes);
    assert_int_equal(attributes.fsx_xflags, FS_XFLAG_APPEND | FS_XFLAG_NODUMP);
    assert_int_equal(attributes.fsx_extsize, 0);
    assert_int_equal(set_flags(bench, inode, 0), 0);
}

/* Sizes that do not add up, a name without an end. */
static void setxattr_of_any_size_is_answered(void **state)
{
    struct bench *bench = *state;
    struct fuse_setxattr_in in = { .size = 3 };
    uint8_t body[64], *value = NULL;
    size_t size = 0;

    memset(body, 0, sizeof body);
    memcpy(body, &in, sizeof in);
    memcpy(body + sizeof in, "user.a\0one", 11);
    bench->session.long_setxattr = true;
    for (size_t i = 0; i <= sizeof body; i++) {
        int expected = i == sizeof in + 10 ? 0 : -EINVAL;

        assert_int_equal(ask(bench, FUSE_SETXATTR, RIAD_ROOT_INODE, body, i), expected);
    }
    assert_int_equal(riad_getxattr(bench->workspace, RIAD_ROOT_INODE, "user.a", &value, &size), 0);
    assert_int_equal(size, 3);
    assert_memory_equal(value, "one", 3);
    free(value);
    memset(body + sizeof in, 'x', sizeof body - sizeof in);
    assert_int_equal(ask(bench, FUSE_SETXATTR, RIAD_ROOT_INODE, body, sizeof body), -EINVAL);
    bench->session.no_xattr = true;
    assert_int_equal(ask(bench, FUSE_SETXATTR, RIAD_ROOT_INODE, body, sizeof body), -ENOSYS);
}

static void setxattr_takes_setgid_when_asked_to(void **state)
{
    static const char name[] = RIAD_ACL_ACCESS;
    struct riad_acl acl = acl_of("u::7 u:9:7 g::5 m::7 o::0");
    struct bench *bench = *state;
    struct riad_inode values = { .mode = 02755 }, row;
    uint8_t body[256], list[RIAD_ACL_SIZE_MAX];
    struct fuse_setxattr_in in = { .size = (uint32_t)riad_acl_encode(&acl, list) };

    bench->session.long_setxattr = true;
    assert_int_equal(riad_setattr(bench->workspace, &alice, 1, RIAD_SET_MODE, &values, &row), 0);
    for (uint32_t kill = 0; kill <= FUSE_SETXATTR_ACL_KILL_SGID; kill++) {
        in.setxattr_flags = kill;
        memcpy(body, &in, sizeof in);
        memcpy(body + sizeof in, name, sizeof name);
        memcpy(body + sizeof in + sizeof name, list, in.size);
        assert_int_equal(ask(bench, FUSE_SETXATTR, 1, body, sizeof in + sizeof name + in.size), 0);
        assert_int_equal(riad_getattr(bench->workspace, 1, &row), 0);
        assert_int_equal(row.mode, S_IFDIR | (kill ? 0770 : 02770));
    }
}

static void copies_of_any_size_are_answered(void **state)
{
    struct bench *bench = *state;
    struct fuse_copy_file_range_in in = { .len = UINT64_MAX };
    struct riad_fuse_copy_file_range_out out;
    struct riad_inode from, to;
    uint8_t body[sizeof in + 8] = { 0 };
    uint32_t written;

    assert_int_equal(
            riad_mknod(bench->workspace, &alice, RIAD_ROOT_INODE, "a", S_IFREG, 0, &from), 0);
    assert_int_equal(
            riad_mknod(bench->workspace, &alice, RIAD_ROOT_INODE, "b", S_IFREG | 06777, 0, &to), 0);
    assert_int_equal(riad_write(bench->workspace, &alice, from.inode, 0, (const uint8_t *)"text", 4,
                             &written),
            0);
    for (size_t size = 0; size <= sizeof body; size++) {
        assert_int_equal(ask(bench, RIAD_FUSE_COPY_FILE_RANGE_64, from.inode, body, size),
                size < sizeof in ? -EINVAL : -ENOENT);
    }
    in.nodeid_out = to.inode;
    assert_int_equal(ask(bench, RIAD_FUSE_COPY_FILE_RANGE_64, from.inode, &in, sizeof in), -EFBIG);
    in.off_in = in.off_out = UINT64_MAX;
    assert_int_equal(ask(bench, RIAD_FUSE_COPY_FILE_RANGE_64, from.inode, &in, sizeof in), -EFBIG);
    in.off_in = in.off_out = 0;
    in.len = UINT64_C(1) << 40;
    assert_int_equal(ask(bench, RIAD_FUSE_COPY_FILE_RANGE_64, from.inode, &in, sizeof in), 0);
    assert_int_equal(bench->reply.size, sizeof out);
    memcpy(&out, bench->reply.body, sizeof out);
    assert_int_equal(out.bytes_copied, 4);
    assert_int_equal(riad_getattr(bench->workspace, to.inode, &to), 0);
    assert_int_equal(to.mode, S_IFREG | 0777);      /* privileges go with a stranger's copy */
    assert_int_equal(bench->reply.stale, to.inode); /* and the kernel hears of it */
    in.flags = 1;
    assert_int_equal(ask(bench, RIAD_FUSE_COPY_FILE_RANGE_64, from.inode, &in, sizeof in), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(interrupts_are_refused_here, setup, teardown),
        cmocka_unit_test_setup_teardown(what_libfuse_knows_is_left_to_it, setup, teardown),
        cmocka_unit_test_setup_teardown(lying_headers_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(statx_of_any_size_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(statx_tells_all_of_a_row, setup, teardown),
        cmocka_unit_test_setup_teardown(setxattr_of_any_size_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(setxattr_takes_setgid_when_asked_to, setup, teardown),
        cmocka_unit_test_setup_teardown(tmpfile_of_any_size_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(tmpfile_gives_an_inode_without_a_name, setup, teardown),
        cmocka_unit_test_setup_teardown(ioctls_of_any_size_are_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(other_ioctls_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(flags_go_in_and_out, setup, teardown),
        cmocka_unit_test_setup_teardown(copies_of_any_size_are_answered, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
