/* Access lists in step with the members. */
#include <errno.h>

#include "access_priv.h"
#include "lifecycle_priv.h"
#include "members_priv.h"

enum {
    ROOT_MODE = S_IFDIR | 0770,
    ANY_EXECUTE = 0111,
    /* Inodes under one hold of the lock, about a millisecond. One by one, programs that make files
     * in the root would be as fast, and what is left to do would never be less. */
    GROUP = 32,
};

/* One call's. */
struct application {
    struct riad_membership who;
    uint64_t changed;
    uint64_t skipped; /* inodes without room for a longer list */
};

/* *ret_size stays 0 if the list is not there, or as it should be; else *bytes, of all xattrs, moves
 * with it. */
static int rewrite_list(struct riad_workspace *workspace, const struct application *application,
        const struct riad_inode *row, const char *name, uint8_t ret[RIAD_ACL_SIZE_MAX],
        size_t *ret_size, uint32_t *bytes)
{
    bool execute = S_ISDIR(row->mode) || (row->mode & ANY_EXECUTE);
    uint8_t present[RIAD_ACL_SIZE_MAX];
    struct riad_acl acl, wanted;
    size_t present_size, size;
    int r = riad_access_get(workspace, row, name, &acl);

    if (r < 0) {
        return r == -ENODATA ? 0 : r;
    }
    r = riad_membership_rewrite(&application->who, &acl, execute, &wanted);
    if (r < 0) {
        return r;
    }
    present_size = riad_acl_encode(&acl, present);
    size = riad_acl_encode(&wanted, ret);
    if (size != present_size || memcmp(ret, present, size) != 0) {
        *ret_size = size;
        *bytes = *bytes - (uint32_t)present_size + (uint32_t)size;
    }
    return 0;
}

/* Both lists are charged together. Returns 1 if there is something to put. */
static int rewrite_lists(struct riad_workspace *workspace, const struct application *application,
        struct riad_inode *row, struct riad_inheritance *ret)
{
    uint32_t bytes = row->xattr_bytes;
    int r = rewrite_list(
            workspace, application, row, RIAD_ACL_ACCESS, ret->access, &ret->access_size, &bytes);

    if (r == 0 && S_ISDIR(row->mode)) {
        r = rewrite_list(workspace, application, row, RIAD_ACL_DEFAULT, ret->by_default,
                &ret->default_size, &bytes);
    }
    if (r < 0 || (ret->access_size == 0 && ret->default_size == 0)) {
        return r;
    }
    r = riad_xattr_recount(workspace, row, bytes);
    return r < 0 ? r : 1;
}

/* (mutation) */
static int commit(struct riad_workspace *workspace, struct application *application,
        struct riad_inode *row, const struct riad_inheritance *lists)
{
    int r;

    riad_access_put(workspace, row->inode, lists);
    row->ctime = riad_mutation_time(workspace);
    riad_put_row(workspace, row);
    r = riad_mutation_commit(workspace, NULL);
    application->changed += r == 0;
    return r;
}

static bool has_no_room(int error)
{
    return error == -EDQUOT || error == -ENOSPC || error == -E2BIG;
}

/* (mutation) */
static int apply_locked(
        struct riad_workspace *workspace, struct application *application, uint64_t inode)
{
    struct riad_inheritance lists = { .access_size = 0, .default_size = 0 };
    struct riad_inode row;
    int r = riad_index_get_inode(workspace->index, inode, &row);

    if (r < 0 || S_ISLNK(row.mode)) {
        return r == -ENOENT ? 0 : r; /* it went meanwhile */
    }
    r = rewrite_lists(workspace, application, &row, &lists);
    if (has_no_room(r)) {
        application->skipped++;
        return 0;
    }
    return r <= 0 ? r : commit(workspace, application, &row, &lists);
}

/* What *bytes, of all xattrs, becomes if the list gets this size. */
static int count_bytes(struct riad_workspace *workspace, const struct riad_inode *row,
        const char *name, size_t size, uint32_t *bytes)
{
    uint8_t present[RIAD_ACL_SIZE_MAX];
    struct riad_acl acl;
    int r = riad_access_get(workspace, row, name, &acl);

    if (r < 0 && r != -ENODATA) {
        return r;
    }
    *bytes -= r == 0 ? (uint32_t)(strlen(name) + riad_acl_encode(&acl, present)) : 0;
    *bytes += (uint32_t)(strlen(name) + size);
    return 0;
}

/* Who takes rights away must not fail because there is no room, so the limit is not asked. Usage
 * may lie above a limit anyhow (when it is lowered), and stays the sum of the rows. (mutation) */
static int put_root(struct riad_workspace *workspace, struct application *application)
{
    struct riad_inheritance lists;
    struct riad_acl list;
    struct riad_inode row;
    uint32_t bytes;
    int r = riad_index_get_inode(workspace->index, RIAD_ROOT_INODE, &row);

    if (r < 0) {
        return r;
    }
    riad_membership_root_list(&application->who, &list);
    lists.access_size = riad_acl_encode(&list, lists.access);
    lists.default_size = riad_acl_encode(&list, lists.by_default);
    bytes = row.xattr_bytes;
    r = count_bytes(workspace, &row, RIAD_ACL_ACCESS, lists.access_size, &bytes);
    if (r == 0) {
        r = count_bytes(workspace, &row, RIAD_ACL_DEFAULT, lists.default_size, &bytes);
    }
    if (r < 0) {
        return r;
    }
    riad_xattr_count(&row, bytes);
    row.uid = row.gid = 0;
    row.mode = ROOT_MODE;
    return commit(workspace, application, &row, &lists);
}

/* Some inodes behind *after, each a change; behind the last of all the root, before anybody can
 * make more with what was its default list. Returns 1 if there may be others. (mutation) */
static int step_locked(
        struct riad_workspace *workspace, struct application *application, uint64_t *after)
{
    uint64_t inodes[GROUP];
    size_t count = 0;
    int r = riad_index_xattr_inodes(workspace->index, *after, inodes, GROUP, &count);

    for (size_t i = 0; i < count && r == 0; i++) {
        *after = inodes[i];
        r = inodes[i] == RIAD_ROOT_INODE ? 0 : apply_locked(workspace, application, inodes[i]);
        riad_change_begin(&workspace->change, riad_clock_now(), 0);
    }
    if (r == 0) {
        r = count == GROUP ? 1 : put_root(workspace, application);
    }
    return r;
}

static int step(struct riad_workspace *workspace, struct application *application, uint64_t *after)
{
    int r = riad_mutation_begin(workspace, NULL);

    if (r < 0) {
        return r;
    }
    r = step_locked(workspace, application, after);
    riad_mutation_end(workspace);
    return r;
}

/* Ascending, so that what is made meanwhile in a directory that still has its old list comes later.
 */
static int apply_all(struct riad_workspace *workspace, struct application *application)
{
    uint64_t after = 0;
    int r;

    do {
        r = step(workspace, application, &after);
    } while (r > 0);
    return r;
}

/* 1 if the root is right. (mutation) */
static int is_applied(struct riad_workspace *workspace, const struct application *application,
        const struct riad_inode *row)
{
    uint8_t encoded[RIAD_ACL_SIZE_MAX];
    struct riad_acl list;
    size_t size;
    int r;

    if (row->uid != 0 || row->gid != 0 || row->mode != ROOT_MODE) {
        return 0;
    }
    riad_membership_root_list(&application->who, &list);
    size = riad_acl_encode(&list, encoded);
    r = riad_xattr_is(workspace, row, RIAD_ACL_ACCESS, encoded, size);
    return r <= 0 ? r : riad_xattr_is(workspace, row, RIAD_ACL_DEFAULT, encoded, size);
}

/* Returns 1 if there is nothing to do. (mutation) */
static int learn_locked(struct riad_workspace *workspace, struct application *application)
{
    struct riad_acl before;
    struct riad_inode row;
    int r = riad_index_get_inode(workspace->index, RIAD_ROOT_INODE, &row);

    if (r == 0) {
        r = is_applied(workspace, application, &row);
    }
    if (r != 0) {
        return r;
    }
    r = riad_access_get(workspace, &row, RIAD_ACL_DEFAULT, &before);
    if (r == 0) {
        riad_membership_learn(&application->who, &before);
    }
    return r == -ENODATA ? 0 : r;
}

static int learn(struct riad_workspace *workspace, struct application *application)
{
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    r = learn_locked(workspace, application);
    riad_workspace_unlock(workspace);
    return r;
}

static int run(struct riad_workspace *workspace, struct application *application)
{
    int r;

    application->who.count = riad_members_copy(workspace, application->who.members);
    r = learn(workspace, application);
    if (r == 0) {
        r = apply_all(workspace, application);
    }
    if (application->skipped > 0) {
        riad_workspace_event_unlocked(workspace,
                "the access lists of %llu inodes do not name all %zu members: there is no room",
                (unsigned long long)application->skipped, application->who.count);
    }
    return r < 0 ? r : 0;
}

int riad_members_apply(struct riad_workspace *workspace, uint64_t *ret_changed)
{
    struct application application = { .changed = 0, .skipped = 0 };
    int r = 0;

    if (riad_members_guarded(workspace)) {
        pthread_mutex_lock(&workspace->members.applying);
        r = run(workspace, &application);
        pthread_mutex_unlock(&workspace->members.applying);
    }
    if (r == 0) {
        *ret_changed = application.changed;
    }
    return r;
}
