#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/state.h"

#include "temporary.h"
#include "unit.h"

static void open_in(const char *directory, struct riad_state *ret)
{
    assert_int_equal(riad_state_open(directory, ret), 0);
}

static void test_node_id_is_kept(void **context)
{
    struct temporary temporary;
    struct riad_state first, second;

    (void)context;
    assert_int_equal(temporary_make(&temporary), 0);
    open_in(temporary.path, &first);
    open_in(temporary.path, &second);
    assert_true(riad_id_equal(&first.node, &second.node));
    assert_true(riad_id_equal(&first.boot, &second.boot));
    riad_state_close(&first);
    riad_state_close(&second);
    temporary_remove(&temporary);
}

static void test_missing_directories_are_made_private(void **context)
{
    struct temporary temporary;
    _cleanup_free_ char *deep = NULL;
    struct riad_state state;
    struct stat info;

    (void)context;
    assert_int_equal(temporary_make(&temporary), 0);
    assert_true(asprintf(&deep, "%s/a/b/c", temporary.path) > 0);
    open_in(deep, &state);
    assert_int_equal(fstat(state.fd, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    riad_state_close(&state);
    temporary_remove(&temporary);
}

static void test_open_mode_is_closed(void **context)
{
    struct temporary temporary;
    struct riad_state state;
    struct stat info;

    (void)context;
    assert_int_equal(temporary_make(&temporary), 0);
    assert_int_equal(chmod(temporary.path, 0777), 0);
    open_in(temporary.path, &state);
    assert_int_equal(fstat(state.fd, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    riad_state_close(&state);
    temporary_remove(&temporary);
}

static void test_damaged_node_file_gives_a_new_node(void **context)
{
    struct temporary temporary;
    struct riad_state first, second;
    int fd;

    (void)context;
    assert_int_equal(temporary_make(&temporary), 0);
    open_in(temporary.path, &first);
    fd = openat(first.fd, "node", O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "no id", 5), 5);
    close(fd);
    open_in(temporary.path, &second);
    assert_false(riad_id_equal(&first.node, &second.node));
    riad_state_close(&first);
    riad_state_close(&second);
    temporary_remove(&temporary);
}

static void test_directory_of_a_workspace(void **context)
{
    struct temporary temporary;
    _cleanup_free_ char *path = NULL;
    struct riad_id id = { .bytes = { 0xab } };
    struct riad_state state;
    int fd;

    (void)context;
    assert_int_equal(temporary_make(&temporary), 0);
    open_in(temporary.path, &state);
    fd = riad_state_directory(&state, "ws", &id, &path);
    assert_true(fd >= 0);
    assert_non_null(strstr(path, "/ws/ab000000000000000000000000000000"));
    assert_int_equal(access(path, R_OK | W_OK | X_OK), 0);
    close(fd);
    riad_state_close(&state);
    temporary_remove(&temporary);
}

static void test_what_is_no_more_is_forgotten(void **context)
{
    const struct riad_id id = { { 1 } }, other = { { 2 } };
    _cleanup_free_ char *path = NULL;
    _cleanup_free_ char *kept = NULL;
    struct temporary temporary;
    struct riad_state state;
    int fd, file;

    (void)context;
    assert_int_equal(temporary_make(&temporary), 0);
    open_in(temporary.path, &state);
    assert_int_equal(riad_state_forget(&state, "ws", &id), 0); /* there is none of the kind */
    fd = riad_state_directory(&state, "ws", &other, &kept);
    assert_true(fd >= 0);
    close(fd);
    fd = riad_state_directory(&state, "ws", &id, &path);
    file = openat(fd, "index.db", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    close(file);
    assert_int_equal(mkdirat(fd, "not-ours", 0700), 0);
    assert_int_equal(riad_state_forget(&state, "ws", &id), -ENOTEMPTY);
    assert_int_equal(unlinkat(fd, "not-ours", AT_REMOVEDIR), 0);
    close(fd);
    assert_int_equal(riad_state_forget(&state, "ws", &id), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(kept, F_OK), 0);
    assert_int_equal(riad_state_forget(&state, "ws", &id), 0);
    riad_state_close(&state);
    temporary_remove(&temporary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_node_id_is_kept),
        cmocka_unit_test(test_missing_directories_are_made_private),
        cmocka_unit_test(test_open_mode_is_closed),
        cmocka_unit_test(test_damaged_node_file_gives_a_new_node),
        cmocka_unit_test(test_directory_of_a_workspace),
        cmocka_unit_test(test_what_is_no_more_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
