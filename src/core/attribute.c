/* Attributes read and set. */
#include <errno.h>

#include "rows_priv.h"

enum { NANOSECONDS = 1000000000 };

int riad_getattr(struct riad_workspace *workspace, uint64_t inode, struct riad_inode *ret)
{
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    r = riad_index_get_inode(workspace->index, inode, ret);
    riad_workspace_unlock(workspace);
    return r;
}

static bool valid_time(struct timespec time)
{
    return time.tv_nsec >= 0 && time.tv_nsec < NANOSECONDS;
}

static int check_values(uint32_t mask, const struct riad_inode *values)
{
    bool valid = (!(mask & RIAD_SET_ATIME) || valid_time(values->atime)) &&
                 (!(mask & RIAD_SET_MTIME) || valid_time(values->mtime)) &&
                 (!(mask & RIAD_SET_CTIME) || valid_time(values->ctime));

    return valid ? 0 : -EINVAL;
}

/* A new owner does not inherit the privileges of the program, whoever gives it away. */
static void set_owner(uint32_t mask, const struct riad_inode *values, struct riad_inode *row)
{
    if (mask & RIAD_SET_UID) {
        row->uid = values->uid;
    }
    if (mask & RIAD_SET_GID) {
        row->gid = values->gid;
    }
    if ((mask & (RIAD_SET_UID | RIAD_SET_GID)) && !S_ISDIR(row->mode)) {
        row->mode = riad_mode_unprivileged(row->mode);
    }
}

static void set_mode(uint32_t mask, const struct riad_inode *values, struct riad_inode *row)
{
    if (mask & RIAD_SET_MODE) {
        row->mode = (row->mode & S_IFMT) | (values->mode & 07777);
    }
}

/* truncate(2) sets mtime even when the size stays; what the mask names wins. */
static void set_times(
        uint32_t mask, const struct riad_inode *values, struct timespec now, struct riad_inode *row)
{
    row->ctime = mask & RIAD_SET_CTIME ? values->ctime : now;
    if (mask & (RIAD_SET_MTIME_NOW | RIAD_SET_SIZE)) {
        row->mtime = now;
    }
    if (mask & RIAD_SET_ATIME_NOW) {
        row->atime = now;
    }
    if ((mask & RIAD_SET_MTIME) && !(mask & RIAD_SET_MTIME_NOW)) {
        row->mtime = values->mtime;
    }
    if ((mask & RIAD_SET_ATIME) && !(mask & RIAD_SET_ATIME_NOW)) {
        row->atime = values->atime;
    }
}

static int set_size(struct riad_workspace *workspace, uint32_t mask,
        const struct riad_inode *values, const struct riad_survey *survey, struct riad_inode *row)
{
    if (!(mask & RIAD_SET_SIZE)) {
        return 0;
    }
    if (!S_ISREG(row->mode)) {
        return S_ISDIR(row->mode) ? -EISDIR : -EINVAL;
    }
    return riad_truncate(workspace, row, values->size, survey);
}

static int set_locked(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t inode, uint32_t mask, const struct riad_inode *values,
        const struct riad_survey *survey, struct riad_inode *ret)
{
    int r = riad_index_get_inode(workspace->index, inode, ret);

    if (r < 0 || (mask == 0 && !caller->kill_privileges)) {
        return r;
    }
    r = set_size(workspace, mask, values, survey, ret);
    if (r < 0) {
        return r;
    }
    riad_kill_privileges(caller, ret);
    set_owner(mask, values, ret);
    set_mode(mask, values, ret);
    set_times(mask, values, riad_mutation_time(workspace), ret);
    riad_put_row(workspace, ret);
    return riad_mutation_commit(workspace, NULL);
}

int riad_setattr(struct riad_workspace *workspace, const struct riad_caller *caller, uint64_t inode,
        uint32_t mask, const struct riad_inode *values, struct riad_inode *ret)
{
    struct riad_survey survey = { 0 };
    struct riad_inode row;
    int r = check_values(mask, values);

    if (r == 0 && (mask & RIAD_SET_SIZE)) {
        riad_truncate_survey(workspace, inode, values->size, &survey);
    }
    if (r == 0) {
        r = riad_mutation_begin(workspace, caller);
    }
    if (r < 0) {
        return r;
    }
    r = set_locked(workspace, caller, inode, mask, values, &survey, &row);
    riad_mutation_end(workspace);
    if (r < 0) {
        return r;
    }
    *ret = row;
    if (row.truncate_mark != RIAD_NO_TRUNCATE_MARK) {
        r = riad_truncate_finish(workspace, inode);
    }
    return 0; /* the truncation stands: what is left behind the mark is finished at the next chance
               */
}
