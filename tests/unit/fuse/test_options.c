/* The fuse layer without a mount: options, messages, INIT, rows as replies, and the table of
 * operations. */
#include <linux/fuse.h>
#include <sys/stat.h>

#include "riad/cleanup.h"
#include "riad/error.h"

#include "fuse_priv.h"
#include "init_priv.h"
#include "options_priv.h"
#include "reason_priv.h"
#include "reply_priv.h"
#include "session_priv.h"
#include "temporary.h"
#include "unit.h"

static void expect_option(const char *text, const struct riad_options *expected)
{
    struct riad_options options;
    struct riad_reason reason = { .text = "" };

    memset(&options, 0, sizeof options);
    assert_int_equal(riad_options_parse(text, &options, &reason), 0);
    assert_int_equal(options.read_only, expected->read_only);
    assert_int_equal(options.no_exec, expected->no_exec);
    assert_int_equal(options.no_atime, expected->no_atime);
    assert_int_equal(options.synchronous, expected->synchronous);
    assert_int_equal(options.directory_synchronous, expected->directory_synchronous);
    assert_int_equal(options.allow_other, expected->allow_other);
    assert_int_equal(options.no_xattr, expected->no_xattr);
    assert_int_equal(options.threads, expected->threads);
}

static void options_are_read(void **state)
{
    (void)state;
    expect_option(NULL, &(struct riad_options){ .threads = 0 });
    expect_option("", &(struct riad_options){ .threads = 0 });
    expect_option("ro", &(struct riad_options){ .read_only = true });
    expect_option("ro,rw", &(struct riad_options){ .read_only = false });
    expect_option("rw,ro", &(struct riad_options){ .read_only = true });
    expect_option(",noexec,,noatime,", &(struct riad_options){ .no_exec = 1, .no_atime = 1 });
    expect_option("sync,dirsync,allow_other",
            &(struct riad_options){
                    .synchronous = true, .directory_synchronous = true, .allow_other = true });
    expect_option("sync,async,noexec,exec", &(struct riad_options){ .threads = 0 });
    expect_option("noxattr", &(struct riad_options){ .no_xattr = true });
    expect_option("max_threads=1", &(struct riad_options){ .threads = 1 });
    expect_option("max_threads=64", &(struct riad_options){ .threads = 64 });
    expect_option(
            "defaults,nosuid,nodev,default_permissions", &(struct riad_options){ .threads = 0 });
}

static void unknown_options_are_refused(void **state)
{
    static const char *const refused[] = { "suid", "dev", "allow_root", "RO", "ro ", "r",
        "fsname=x", "subtype=x", "default_permissions=1", "max_threads",
        "max_threads=", "max_threads=0", "max_threads=65", "max_threads=-1", "max_threads=4x",
        "max_threads= 4", "max_threads=18446744073709551617", "auto_unmount", "debug", "context=a",
        "ro,nope" };

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct riad_options options = { .threads = 7 };
        struct riad_reason reason = { .text = "" };

        assert_int_equal(riad_options_parse(refused[i], &options, &reason), -EINVAL);
        assert_true(strlen(reason.text) > 20);
        assert_int_equal(options.threads, 7);
        assert_false(options.read_only);
    }
}

static void an_endless_option_does_not_overflow_the_reason(void **state)
{
    _cleanup_free_ char *text = malloc(100001);
    struct riad_options options = { .threads = 0 };
    struct riad_reason reason;

    (void)state;
    memset(text, 'x', 100000);
    text[100000] = '\0';
    assert_int_equal(riad_options_parse(text, &options, &reason), -EINVAL);
    assert_true(memchr(reason.text, '\0', sizeof reason.text) != NULL);
}

static void expect_format(
        const struct riad_options *options, const char *source, const char *expected)
{
    _cleanup_free_ char *text = NULL;

    assert_int_equal(riad_options_format(options, source, &text), 0);
    assert_string_equal(text, expected);
}

static void options_are_written_for_libfuse(void **state)
{
    struct riad_options all = { .read_only = true,
        .no_exec = true,
        .no_atime = true,
        .synchronous = true,
        .directory_synchronous = true,
        .allow_other = true,
        .no_xattr = true };
    struct riad_options none = { .threads = 3 };
    char *text = NULL;

    (void)state;
    expect_format(&none, "riad:home",
            "fsname=riad:home,subtype=riad,default_permissions,nosuid,nodev,max_read=1048576");
    expect_format(&all, "x",
            "fsname=x,subtype=riad,default_permissions,nosuid,nodev,max_read=1048576,ro,noexec,"
            "noatime,sync,dirsync,allow_other");
    expect_format(&none, "a,suid\\b",
            "fsname=a\\,suid\\\\b,subtype=riad,default_permissions,nosuid,nodev,max_read=1048576");
    assert_int_equal(riad_options_format(&none, "", &text), -EINVAL);
    assert_int_equal(riad_options_format(&none, "a\nb", &text), -EINVAL);
    assert_int_equal(riad_options_format(&none, "a\x7f", &text), -EINVAL);
    assert_null(text);
}

static void write_file(const struct temporary *at, const char *name, const char *text)
{
    int fd = openat(at->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int allow_other_with(const struct temporary *at, const char *text)
{
    char path[PATH_MAX];
    struct riad_reason reason;

    write_file(at, "fuse.conf", text);
    snprintf(path, sizeof path, "%s/fuse.conf", at->path);
    return riad_reason_check_allow_other(path, &reason);
}

static void allow_other_needs_its_line(void **state)
{
    struct temporary at;
    struct riad_reason reason;

    (void)state;
    assert_int_equal(temporary_make(&at), 0);
    assert_int_equal(allow_other_with(&at, "# a\nuser_allow_other\n"), 0);
    assert_int_equal(allow_other_with(&at, "\t user_allow_other  "), 0);
    assert_int_equal(allow_other_with(&at, "#user_allow_other\n"), -EACCES);
    assert_int_equal(allow_other_with(&at, "user_allow_others\n"), -EACCES);
    assert_int_equal(allow_other_with(&at, ""), -EACCES);
    assert_int_equal(riad_reason_check_allow_other("/nonexistent/fuse.conf", &reason), -EACCES);
    assert_non_null(strstr(reason.text, "user_allow_other"));
    assert_int_equal(temporary_remove(&at), 0);
}

static void what_is_missing_is_said(void **state)
{
    struct riad_reason reason = { .text = "" };

    (void)state;
    assert_int_equal(riad_reason_check_device("/dev/null", &reason), 0);
    assert_string_equal(reason.text, "");
    assert_int_equal(riad_reason_check_device("/nonexistent/fuse", &reason), -ENOENT);
    assert_non_null(strstr(reason.text, "modprobe fuse"));
    assert_int_equal(riad_reason_check_helper("/bin/sh", &reason), 0);
    assert_int_equal(riad_reason_check_helper("/nonexistent/sh", &reason), 0); /* in $PATH */
    assert_int_equal(riad_reason_check_helper("/usr/bin/no-such-helper", &reason), -ENOENT);
    assert_non_null(strstr(reason.text, "apt install fuse3"));
}

static void only_empty_directories_are_mount_points(void **state)
{
    struct temporary at;
    struct riad_reason reason;
    char path[PATH_MAX];

    (void)state;
    assert_int_equal(temporary_make(&at), 0);
    assert_int_equal(riad_reason_check_mountpoint(at.path, &reason), 0);
    write_file(&at, "file", "");
    snprintf(path, sizeof path, "%s/file", at.path);
    assert_int_equal(riad_reason_check_mountpoint(at.path, &reason), -ENOTEMPTY);
    assert_int_equal(riad_reason_check_mountpoint(path, &reason), -ENOTDIR);
    snprintf(path, sizeof path, "%s/none", at.path);
    assert_int_equal(riad_reason_check_mountpoint(path, &reason), -ENOENT);
    assert_int_equal(riad_reason_check_mountpoint("relative", &reason), -EINVAL);
    assert_int_equal(riad_reason_check_mountpoint(NULL, &reason), -EINVAL);
    assert_int_equal(temporary_remove(&at), 0);
}

static void a_refused_mount_leaves_nothing(void **state)
{
    struct riad_session_config config = { .mountpoint = "/nonexistent/dir", .source = "riad:x" };
    struct riad_session *session = NULL;
    struct riad_reason reason = { .text = "" };

    (void)state;
    assert_int_equal(riad_session_mount(&config, &session, &reason), -ENOENT);
    config.options = "bogus";
    assert_int_equal(riad_session_mount(&config, &session, &reason), -EINVAL);
    assert_non_null(strstr(reason.text, "bogus"));
    config.options = NULL;
    config.threads = RIAD_THREADS_MAX + 1;
    assert_int_equal(riad_session_mount(&config, &session, &reason), -EINVAL);
    assert_null(session);
    riad_session_free(session);
}

struct init_request {
    struct fuse_in_header header;
    struct fuse_init_in init;
};

static void init_offers_are_read(void **state)
{
    struct init_request request = { .header = { .opcode = FUSE_INIT },
        .init = { .major = 7, .minor = 45, .flags = FUSE_PARALLEL_DIROPS, .flags2 = 5 } };
    size_t old_size = sizeof request.header + offsetof(struct fuse_init_in, flags2);

    (void)state;
    assert_int_equal(riad_init_offered(&request, sizeof request), FUSE_PARALLEL_DIROPS);
    request.init.flags |= FUSE_INIT_EXT;
    assert_int_equal(riad_init_offered(&request, sizeof request),
            FUSE_PARALLEL_DIROPS | FUSE_INIT_EXT | ((uint64_t)5 << 32));
    assert_int_equal(riad_init_offered(&request, old_size), FUSE_PARALLEL_DIROPS | FUSE_INIT_EXT);
    assert_int_equal(riad_init_offered(&request, old_size - 1), 0);
    request.init.major = 8;
    assert_int_equal(riad_init_offered(&request, sizeof request), 0);
    request.init.major = 7;
    request.header.opcode = FUSE_LOOKUP;
    assert_int_equal(riad_init_offered(&request, sizeof request), 0);
}

static void init_replies_get_what_is_offered_only(void **state)
{
    struct fuse_out_header header = { .error = 0 };
    struct fuse_init_out init = { .major = 7, .flags = FUSE_ASYNC_READ };
    struct iovec reply[] = { { &header, sizeof header }, { &init, sizeof init } };

    (void)state;
    assert_true(riad_init_amend(reply, 2, FUSE_INIT_EXT, false));
    assert_int_equal(init.flags, FUSE_ASYNC_READ);
    assert_true(riad_init_amend(reply, 2,
            FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2 | FUSE_WRITEBACK_CACHE, false));
    assert_int_equal(init.flags, FUSE_ASYNC_READ | FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2);
    assert_true(riad_init_amend(reply, 2, FUSE_SETXATTR_EXT, false));
    assert_true(init.flags & FUSE_SETXATTR_EXT);
    assert_int_equal(init.flags2, 0);
    assert_true(riad_init_amend(reply, 2, FUSE_PARALLEL_DIROPS, true));
    assert_true(init.flags & FUSE_INIT_EXT);
    assert_int_equal(init.flags2, 1 << 9);
    init.flags = 0;
    init.flags2 = 0;
    assert_false(riad_init_amend(reply, 1, UINT64_MAX, true));
    assert_false(riad_init_amend(reply, 2, 0, false));
    reply[1].iov_len = sizeof init - 1;
    assert_false(riad_init_amend(reply, 2, UINT64_MAX, true));
    reply[1].iov_len = sizeof init;
    header.error = -EPROTO;
    assert_false(riad_init_amend(reply, 2, UINT64_MAX, true));
    assert_int_equal(init.flags, 0);
    assert_int_equal(init.flags2, 0);
}

static void init_leaves_dangerous_flags_off(void **state)
{
    struct fuse_conn_info connection = { .capable = ~0u, .want = ~0u };
    struct riad_session session = { .no_xattr = false };
    const unsigned off = FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_ATOMIC_O_TRUNC |
                         FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE;

    (void)state;
    riad_init_configure(&session, &connection);
    assert_int_equal(connection.want & off, 0);
    assert_true(connection.want & FUSE_CAP_READDIRPLUS_AUTO);
    assert_int_equal(connection.max_write, 1 << 20);
    connection.capable = FUSE_CAP_ASYNC_READ;
    riad_init_configure(&session, &connection);
    assert_int_equal(connection.want, FUSE_CAP_ASYNC_READ);
}

static void acls_go_with_xattrs(void **state)
{
    const unsigned acls = FUSE_CAP_POSIX_ACL | FUSE_CAP_DONT_MASK;
    struct fuse_conn_info connection = { .capable = ~0u };
    struct riad_session session = { .no_xattr = false };

    (void)state;
    riad_init_configure(&session, &connection);
    assert_int_equal(connection.want & acls, acls);
    assert_false(session.long_setxattr);
    connection.proto_minor = 33;
    session.no_xattr = true;
    riad_init_configure(&session, &connection);
    assert_int_equal(connection.want & acls, 0);
    assert_true(session.long_setxattr);
}

static void rows_become_entries(void **state)
{
    struct riad_inode row = { .inode = ((uint64_t)1 << 40) + 7,
        .generation = 9,
        .mode = S_IFCHR | 0640,
        .nlink = 3,
        .uid = 1000,
        .gid = 4294967294u,
        .rdev = 0x1234,
        .size = ((uint64_t)1 << 62) - 1,
        .blocks = 5,
        .atime = { -7, 1 },
        .mtime = { 8, 999999999 },
        .ctime = { 5000000000, 2 } };
    struct fuse_entry_param entry;

    (void)state;
    riad_reply_entry_param(&row, &entry);
    assert_int_equal(entry.ino, row.inode);
    assert_int_equal(entry.attr.st_ino, row.inode);
    assert_int_equal(entry.generation, 9);
    assert_true(entry.attr_timeout >= 3600 && entry.entry_timeout >= 3600);
    assert_int_equal(entry.attr.st_mode, S_IFCHR | 0640);
    assert_int_equal(entry.attr.st_nlink, 3);
    assert_int_equal(entry.attr.st_uid, 1000);
    assert_int_equal(entry.attr.st_gid, 4294967294u);
    assert_int_equal(entry.attr.st_rdev, 0x1234);
    assert_int_equal(entry.attr.st_size, ((int64_t)1 << 62) - 1);
    assert_int_equal(entry.attr.st_blocks, 40); /* of 512 bytes */
    assert_int_equal(entry.attr.st_blksize, 65536);
    assert_int_equal(entry.attr.st_atim.tv_sec, -7);
    assert_int_equal(entry.attr.st_mtim.tv_nsec, 999999999);
    assert_int_equal(entry.attr.st_ctim.tv_sec, 5000000000);
}

static void sizes_become_statfs(void **state)
{
    struct riad_filesystem_size size = {
        .blocks = 1000,
        .blocks_free = 300,
        .blocks_available = 200,
        .inodes = 50,
        .inodes_free = 7,
    };
    struct statvfs result;

    (void)state;
    riad_reply_statvfs(&size, &result);
    assert_int_equal(result.f_bsize, 4096);
    assert_int_equal(result.f_frsize, 4096);
    assert_int_equal(result.f_blocks, 1000);
    assert_int_equal(result.f_bfree, 300);
    assert_int_equal(result.f_bavail, 200);
    assert_int_equal(result.f_files, 50);
    assert_int_equal(result.f_ffree, 7);
    assert_int_equal(result.f_namemax, 255);
}

/* A field that a later libfuse adds is found here: decide on it, then list it or set it. */
static void every_operation_is_set_or_listed_absent(void **state)
{
    static const size_t absent[] = {
        offsetof(struct fuse_lowlevel_ops, destroy),
        offsetof(struct fuse_lowlevel_ops, release),
        offsetof(struct fuse_lowlevel_ops, releasedir),
        offsetof(struct fuse_lowlevel_ops, access),
        offsetof(struct fuse_lowlevel_ops, getlk),
        offsetof(struct fuse_lowlevel_ops, setlk),
        offsetof(struct fuse_lowlevel_ops, bmap),
        offsetof(struct fuse_lowlevel_ops, ioctl),
        offsetof(struct fuse_lowlevel_ops, poll),
        offsetof(struct fuse_lowlevel_ops, write_buf),
        offsetof(struct fuse_lowlevel_ops, retrieve_reply),
        offsetof(struct fuse_lowlevel_ops, flock),
    };
    const size_t count = sizeof absent / sizeof absent[0];
    size_t next = 0;

    (void)state;
    for (size_t at = 0; at < sizeof riad_ops; at += sizeof(void (*)(void))) {
        void (*operation)(void);
        bool listed = next < count && absent[next] == at;

        memcpy(&operation, (const char *)&riad_ops + at, sizeof operation);
        assert_true((operation == NULL) == listed);
        next += listed;
    }
    assert_int_equal(next, count);
}

static void opcodes_have_names(void **state)
{
    (void)state;
    assert_string_equal(riad_session_opcode_name(FUSE_LOOKUP), "LOOKUP");
    assert_string_equal(riad_session_opcode_name(FUSE_COPY_FILE_RANGE), "COPY_FILE_RANGE");
    assert_null(riad_session_opcode_name(0));
    assert_null(riad_session_opcode_name(RIAD_OPCODES_MAX));
    assert_null(riad_session_opcode_name(UINT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_read),
        cmocka_unit_test(unknown_options_are_refused),
        cmocka_unit_test(an_endless_option_does_not_overflow_the_reason),
        cmocka_unit_test(options_are_written_for_libfuse),
        cmocka_unit_test(allow_other_needs_its_line),
        cmocka_unit_test(what_is_missing_is_said),
        cmocka_unit_test(only_empty_directories_are_mount_points),
        cmocka_unit_test(a_refused_mount_leaves_nothing),
        cmocka_unit_test(init_offers_are_read),
        cmocka_unit_test(init_replies_get_what_is_offered_only),
        cmocka_unit_test(init_leaves_dangerous_flags_off),
        cmocka_unit_test(acls_go_with_xattrs),
        cmocka_unit_test(rows_become_entries),
        cmocka_unit_test(sizes_become_statfs),
        cmocka_unit_test(every_operation_is_set_or_listed_absent),
        cmocka_unit_test(opcodes_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
