#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine.h"

static struct {
    uid_t uid;
    gid_t gid;
    size_t group_count;
    gid_t groups[2];
} users[USERS] = {
    [1] = { 1001, 1001, 0, { 0 } },
    [2] = { 1002, 1002, 1, { 1001 } },
    [3] = { 1003, 1001, 2, { 1002, 1003 } },
};
static bool many;
static int current = -1;

void users_init(void)
{
    users[0].uid = getuid();
    users[0].gid = getgid();
    many = geteuid() == 0;
}

bool users_are_many(void)
{
    return many;
}

uid_t user_uid(int user)
{
    return users[user].uid;
}

gid_t user_gid(int user)
{
    return users[user].gid;
}

static void insist(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        _exit(3);
    }
}

/* Real and effective ids, as access(2) asks for the real ones; the saved one leads back. */
void user_become(int user)
{
    if (!many || user == current) {
        return;
    }
    current = user;
    insist(setresuid(0, 0, 0), "setresuid");
    insist(setgroups(users[user].group_count, users[user].groups), "setgroups");
    insist(setresgid(users[user].gid, users[user].gid, 0), "setresgid");
    insist(setresuid(users[user].uid, users[user].uid, 0), "setresuid");
}
