/* Attributes read and set. */
#include <errno.h>

#include "access_priv.h"

enum { NANOSECONDS = 1000000000, TICK_NS = 4000000 };

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

/* A mask of 0 is chown(2) with -1 and -1, which everybody may call, or comes before a write that
 * takes privileges: who could set the mode takes them, others leave them to the write. Who else
 * than root has CAP_FOWNER cannot be seen from here. */
static bool takes_privileges(
        const struct riad_caller *caller, uint32_t mask, const struct riad_inode *row)
{
    if (mask == 0) {
        return caller->uid == row->uid || caller->uid == 0;
    }
    return (mask & (RIAD_SET_UID | RIAD_SET_GID)) != 0;
}

/* A new owner does not inherit the privileges of the program, whoever gives it away. */
static int set_owner(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint32_t mask, const struct riad_inode *values, struct riad_inode *row)
{
    bool takes = takes_privileges(caller, mask, row) && !S_ISDIR(row->mode);

    if (takes) {
        row->mode = riad_mode_unprivileged(caller, row);
    }
    if (mask & RIAD_SET_UID) {
        row->uid = values->uid;
    }
    if (mask & RIAD_SET_GID) {
        row->gid = values->gid;
    }
    return takes ? riad_kill_capabilities(workspace, row) : 0;
}

static int set_mode(struct riad_workspace *workspace, uint32_t mask,
        const struct riad_inode *values, struct riad_inode *row)
{
    if (!(mask & RIAD_SET_MODE)) {
        return 0;
    }
    row->mode = (row->mode & S_IFMT) | (values->mode & 07777);
    return riad_access_follow_mode(workspace, row);
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

static int set_size(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint32_t mask, const struct riad_inode *values, const struct riad_survey *survey,
        struct riad_inode *row)
{
    int r;

    if (!(mask & RIAD_SET_SIZE)) {
        return caller->kill_privileges ? riad_kill_privileges(workspace, caller, row) : 0;
    }
    if (!S_ISREG(row->mode)) {
        return S_ISDIR(row->mode) ? -EISDIR : -EINVAL;
    }
    r = riad_kill_privileges(workspace, caller, row);
    return r < 0 ? r : riad_truncate(workspace, row, values->size, survey);
}

static int allow(struct riad_workspace *workspace, uint32_t mask, const struct riad_inode *row)
{
    int r = riad_flags_allow_attributes(row, mask);

    if (r == 0 && (mask & (RIAD_SET_MODE | RIAD_SET_UID | RIAD_SET_GID))) {
        r = riad_members_allow_rights(workspace, row->inode);
    }
    return r;
}

/* As on ext4, ctime moves once in a tick of the kernel's clock, so an owner or mode that is set to
 * what it is (tar does it with each file) right after another change leaves nothing to be logged.
 * row: as it would be, but for ctime. (mutation) */
static bool changes_nothing(const struct riad_workspace *workspace, uint32_t mask,
        const struct riad_inode *before, const struct riad_inode *row)
{
    struct timespec now = riad_mutation_time(workspace);
    int64_t past = (now.tv_sec - before->ctime.tv_sec) * (int64_t)NANOSECONDS + now.tv_nsec -
                   before->ctime.tv_nsec;

    return mask != 0 && (mask & ~(uint32_t)(RIAD_SET_UID | RIAD_SET_GID | RIAD_SET_MODE)) == 0 &&
           workspace->change.count == 0 && row->mode == before->mode && row->uid == before->uid &&
           row->gid == before->gid && past >= 0 && past < TICK_NS;
}

static int set_locked(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t inode, uint32_t mask, const struct riad_inode *values,
        const struct riad_survey *survey, struct riad_inode *ret)
{
    struct riad_inode before = { 0 };
    int r = riad_index_get_inode(workspace->index, inode, ret);

    if (r == 0) {
        before = *ret;
        r = allow(workspace, mask, ret);
    }
    if (r == 0) {
        r = set_size(workspace, caller, mask, values, survey, ret);
    }
    if (r == 0) {
        r = set_owner(workspace, caller, mask, values, ret);
    }
    if (r == 0) {
        r = set_mode(workspace, mask, values, ret);
    }
    if (r == 0) {
        r = riad_grants_move(workspace, &before, ret);
    }
    if (r < 0 || changes_nothing(workspace, mask, &before, ret)) {
        return r;
    }
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
    if (r < 0) {
        return r;
    }
    do {
        r = riad_mutation_begin(workspace, caller);
        if (r < 0) {
            return r;
        }
        r = set_locked(workspace, caller, inode, mask, values, &survey, &row);
        riad_mutation_end(workspace);
    } while (riad_orphan_awaited(workspace, &r));
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
