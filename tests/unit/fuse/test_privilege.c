/* Who is an administrator, as far as /proc tells. */
#include <grp.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "privilege_priv.h"
#include "unit.h"

enum { YES, NO, NOT_ALLOWED };

static int answer(void)
{
    return riad_privilege_is_admin(getpid(), getuid()) ? YES : NO;
}

/* In a child process, after `become`; NOT_ALLOWED if that fails. */
static int ask_as(int (*become)(void))
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        _exit(become() < 0 ? NOT_ALLOWED : answer());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status);
}

static int become_nothing(void)
{
    return 0;
}

static int become_user(void)
{
    return setresuid(65534, 65534, 65534);
}

static int become_root_of_a_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

static void root_is_one_and_users_are_none(void **state)
{
    (void)state;
    assert_int_equal(ask_as(become_nothing), geteuid() == 0 ? YES : NO);
    if (geteuid() == 0) {
        assert_int_equal(ask_as(become_user), NO);
    }
}

static void other_namespaces_have_none(void **state)
{
    int got = ask_as(become_root_of_a_namespace);

    (void)state;
    if (got == NOT_ALLOWED) {
        skip();
    }
    assert_int_equal(got, NO);
}

static void who_is_out_of_sight_is_none(void **state)
{
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_false(riad_privilege_is_admin(child, 0));
    assert_false(riad_privilege_is_admin(0, 0));
    assert_false(riad_privilege_is_admin(-1, 0));
}

static bool is_member(gid_t group)
{
    return riad_privilege_is_member(getpid(), group);
}

/* In these groups, but for the one that reads and counts. */
static int count_right_answers(void)
{
    static const gid_t groups[] = { 7, 777, 4294967290u };
    int right = 0;

    if (setgroups(3, groups) < 0 || setresgid(5, 5, 5) < 0 || setresuid(65534, 65534, 65534) < 0) {
        return -1;
    }
    for (size_t i = 0; i < 3; i++) {
        right += is_member(groups[i]);
    }
    right += !is_member(5) + !is_member(77) + !is_member(0) + !is_member(7777) +
             !is_member(4294967295u);
    return right;
}

static int count_none(void)
{
    if (setgroups(0, NULL) < 0 || setresuid(65534, 65534, 65534) < 0) {
        return -1;
    }
    return !is_member(0) + !is_member(7);
}

static int run(int (*function)(void))
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        _exit(function());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status);
}

static void groups_are_read(void **state)
{
    (void)state;
    assert_false(riad_privilege_is_member(0, 7));
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(run(count_right_answers), 8);
    assert_int_equal(run(count_none), 2);
    assert_true(is_member(4711)); /* root is as if it were */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_is_one_and_users_are_none),
        cmocka_unit_test(other_namespaces_have_none),
        cmocka_unit_test(groups_are_read),
        cmocka_unit_test(who_is_out_of_sight_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
