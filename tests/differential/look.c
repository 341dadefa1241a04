/* What an operation names, as it is before and after. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"

enum { DAY = 24 * 60 * 60, TIME_TRIALS = 20 };

const char *const probe_names[PROBE_FIELDS] = { "error", "mode", "nlink", "uid", "gid", "rdev",
    "size", "atime", "mtime", "mtime moved", "ctime moved", "same inode" };

/* One inode to look at. */
struct place {
    int at; /* or the descriptor itself, if there is no path */
    const char *path;
    int flags;
};

static void look(const struct place *place, struct look *ret)
{
    memset(ret, 0, sizeof *ret);
    if (fstatat(place->at, place->path, &ret->st, place->flags) < 0) {
        ret->error = errno;
    }
}

static int look_at_path(const struct side *side, int64_t path, struct look *ret)
{
    char buffer[PATH_BYTES];
    struct place place = { side_at(side, path), buffer, AT_SYMLINK_NOFOLLOW };

    path_text(path, buffer);
    look(&place, &ret[0]);
    path_parent(path, buffer);
    place.flags = 0;
    look(&place, &ret[1]);
    return 2;
}

static int look_at_argument(
        const struct side *side, enum type type, int64_t argument, int left, struct look *ret)
{
    struct place place = { .path = "", .flags = AT_EMPTY_PATH };

    if (left >= 2 && type_is_path(type) && type != TYPE_TARGET) {
        return look_at_path(side, argument, ret);
    }
    if (left >= 1 && type_is_slot(type)) {
        place.at = side->slot[argument];
        look(&place, ret);
        return 1;
    }
    return 0;
}

void look_before(const struct side *side, const struct operation *operation, struct look *ret)
{
    const struct kind *kind = &kinds[operation->kind];
    int count = 0;

    memset(ret, 0, PROBES * sizeof *ret);
    for (int i = 0; i < ARGUMENTS && !operation->quiet; i++) {
        count += look_at_argument(
                side, kind->type[i], operation->argument[i], PROBES - count, ret + count);
    }
}

int64_t distant_time(struct timespec moment)
{
    int64_t distance = (int64_t)moment.tv_sec - (int64_t)time(NULL);

    return distance > -DAY && distance < DAY ? 0 : moment.tv_sec * 1000003 + moment.tv_nsec;
}

static bool differ(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec || a.tv_nsec != b.tv_nsec;
}

/* Sizes of directories, and the time of the last access, are no subject (README.md). */
static void describe(const struct look *before, const struct look *after, int64_t *ret)
{
    bool both = !before->error && !after->error && before->st.st_ino == after->st.st_ino;

    ret[PROBE_ERROR] = after->error;
    if (after->error) {
        return;
    }
    ret[PROBE_MODE] = after->st.st_mode;
    ret[PROBE_NLINK] = (int64_t)after->st.st_nlink;
    ret[PROBE_UID] = after->st.st_uid;
    ret[PROBE_GID] = after->st.st_gid;
    ret[PROBE_RDEV] = (int64_t)after->st.st_rdev;
    ret[PROBE_SIZE] = S_ISDIR(after->st.st_mode) ? 0 : after->st.st_size;
    ret[PROBE_SAME_INODE] = both;
    if (S_ISFIFO(after->st.st_mode)) {
        return; /* what goes through a fifo moves its times on ext4; FUSE is not told */
    }
    ret[PROBE_MTIME] = distant_time(after->st.st_mtim);
    ret[PROBE_MTIME_MOVED] = both && differ(before->st.st_mtim, after->st.st_mtim);
    ret[PROBE_CTIME_MOVED] = both && differ(before->st.st_ctim, after->st.st_ctim);
}

/* Reading moves the time of the last access on ext4 now and then, on riad never. A symbolic link is
 * also read by looking at a path that leads through it and back ("link/../link"). */
static bool sets_atime(const struct operation *operation, const struct outcome *outcome)
{
    const struct kind *kind = &kinds[operation->kind];
    char path[PATH_BYTES];
    bool followed;

    if (kind->type[1] != TYPE_TIME) {
        return false;
    }
    path_text(operation->argument[0], path);
    followed = S_ISLNK(outcome->probe[0][PROBE_MODE]) &&
               (!operation->argument[3] || strstr(path, "/../"));

    return outcome->result == 0 && !followed && operation->argument[1] != TIME_OMITTED;
}

void look_after(const struct side *side, const struct operation *operation,
        const struct look *before, struct outcome *ret)
{
    struct look after[PROBES];

    look_before(side, operation, after);
    for (int i = 0; i < PROBES && !operation->quiet; i++) {
        describe(&before[i], &after[i], ret->probe[i]);
        if (ret->untimed) {
            ret->probe[i][PROBE_MTIME_MOVED] = ret->probe[i][PROBE_CTIME_MOVED] = 0;
        }
    }
    if (sets_atime(operation, ret)) {
        ret->probe[0][PROBE_ATIME] = distant_time(after[0].st.st_atim);
    }
}

/* Kernels before 6.13 give ext4 times that move with the clock tick only. */
bool has_fine_times(int directory)
{
    struct stat before, after;
    bool fine = true;

    for (int i = 0; i < TIME_TRIALS && fine; i++) {
        fine = fstat(directory, &before) == 0 && fchmod(directory, before.st_mode & 07777) == 0 &&
               fstat(directory, &after) == 0 && differ(before.st_ctim, after.st_ctim);
    }
    return fine;
}
