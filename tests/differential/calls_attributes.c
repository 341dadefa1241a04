/* Attributes: modes, owners, times, and the questions about them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"

#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif

/* ext4 with inodes of 256 bytes holds -2^31 .. 2^34 seconds. */
static const struct timespec times[] = { { 0, UTIME_NOW }, [TIME_OMITTED] = { 0, UTIME_OMIT },
    { 0, 0 }, { -1, 0 }, { -1000000, 500000000 }, { 1600000000, 123456789 },
    { INT64_C(1) << 31, 1 }, { INT64_C(1) << 33, 999999999 }, { 5, 1000000000 }, { 0, UTIME_NOW } };

enum { TIME_COUNT = sizeof times / sizeof times[0] };

int64_t call_chmod(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];

    (void)ret;
    return fchmodat(
            side_at(side, argument[0]), path_text(argument[0], buffer), (mode_t)argument[1], 0);
}

int64_t call_fchmod(struct side *side, const int64_t *argument, struct outcome *ret)
{
    (void)ret;
    return fchmod(side->slot[argument[0]], (mode_t)argument[1]);
}

int64_t call_lchmod(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];

    (void)ret;
    return syscall(__NR_fchmodat2, side_at(side, argument[0]), path_text(argument[0], buffer),
            (mode_t)argument[1], AT_SYMLINK_NOFOLLOW);
}

/* A stranger gives a file to nobody: whether that takes setuid and setgid, or fails because there
 * are any, riad cannot know. The kernel asks it the same as before a write, and tells no groups. */
static bool is_open_question(const struct stat *st, int64_t user, int64_t group)
{
    bool own = geteuid() == 0 || geteuid() == st->st_uid;

    return user < 0 && group < 0 && !S_ISDIR(st->st_mode) && !own;
}

static uid_t uid_of(int64_t user)
{
    return user < 0 ? (uid_t)-1 : user_uid((int)user);
}

static gid_t gid_of(int64_t user)
{
    return user < 0 ? (gid_t)-1 : user_gid((int)user);
}

static int64_t change_owner(struct side *side, const int64_t *argument, int flags)
{
    char buffer[PATH_BYTES];
    int at = side_at(side, argument[0]);
    struct stat st;

    path_text(argument[0], buffer);
    if (fstatat(at, buffer, &st, flags) == 0 && is_open_question(&st, argument[1], argument[2])) {
        return SKIPPED;
    }
    return fchownat(at, buffer, uid_of(argument[1]), gid_of(argument[2]), flags);
}

int64_t call_chown(struct side *side, const int64_t *argument, struct outcome *ret)
{
    (void)ret;
    return change_owner(side, argument, 0);
}

int64_t call_lchown(struct side *side, const int64_t *argument, struct outcome *ret)
{
    (void)ret;
    return change_owner(side, argument, AT_SYMLINK_NOFOLLOW);
}

int64_t call_fchown(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int fd = side->slot[argument[0]];
    struct stat st;

    (void)ret;
    if (fstat(fd, &st) == 0 && is_open_question(&st, argument[1], argument[2])) {
        return SKIPPED;
    }
    return fchown(fd, uid_of(argument[1]), gid_of(argument[2]));
}

static void pick_times(const int64_t *argument, struct timespec *ret)
{
    ret[0] = times[(uint64_t)argument[0] % TIME_COUNT];
    ret[1] = times[(uint64_t)argument[1] % TIME_COUNT];
}

int64_t call_utimens(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];
    struct timespec pair[2];

    (void)ret;
    pick_times(argument + 1, pair);
    return utimensat(side_at(side, argument[0]), path_text(argument[0], buffer), pair,
            argument[3] ? AT_SYMLINK_NOFOLLOW : 0);
}

int64_t call_futimens(struct side *side, const int64_t *argument, struct outcome *ret)
{
    struct timespec pair[2];

    (void)ret;
    pick_times(argument + 1, pair);
    return futimens(side->slot[argument[0]], pair);
}

int64_t call_access(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];

    (void)ret;
    return faccessat(side_at(side, argument[0]), path_text(argument[0], buffer),
            (int)argument[1] & 7, argument[2] ? AT_SYMLINK_NOFOLLOW : 0);
}

static bool has_birth_time(const struct statx *st)
{
    struct timespec birth = { st->stx_btime.tv_sec, st->stx_btime.tv_nsec };

    return (st->stx_mask & STATX_BTIME) && distant_time(birth) == 0;
}

int64_t call_statx(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];
    struct statx st;
    int64_t r = statx(side_at(side, argument[0]), path_text(argument[0], buffer),
            argument[1] ? AT_SYMLINK_NOFOLLOW : 0, STATX_BASIC_STATS | STATX_BTIME, &st);

    if (r < 0) {
        return -1;
    }
    ret->value[0] = (int64_t)st.stx_mode | (int64_t)st.stx_nlink << 16;
    ret->value[1] = st.stx_uid | (int64_t)st.stx_gid << 32;
    ret->value[2] = S_ISDIR(st.stx_mode) ? 0 : (int64_t)st.stx_size;
    ret->value[3] = (st.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS;
    ret->value[3] += !lacks(FEATURE_BIRTH_TIME) && has_birth_time(&st);
    return 0;
}

int64_t call_umask(struct side *side, const int64_t *argument, struct outcome *ret)
{
    (void)side;
    (void)ret;
    return umask((mode_t)argument[0] & 077);
}

/* Else nobody but root would get anywhere, once the top is closed to others. */
int64_t call_heal(struct side *side, const int64_t *argument, struct outcome *ret)
{
    (void)argument;
    (void)ret;
    user_become(0);
    return fchmod(side->top, 0777);
}
