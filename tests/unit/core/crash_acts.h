/* What is done to a workspace before it crashes, or while calls fail. Each act answers as riad
 * does; what it needs may be gone by then (-ENOENT). For tests only. */
#ifndef RIAD_TESTS_CORE_CRASH_ACTS_H
#define RIAD_TESTS_CORE_CRASH_ACTS_H

#include "cleaner_priv.h"
#include "operations.h"

static uint8_t act_bytes[300000], act_step = 1; /* what is written; how it differs each time */

static inline int create(struct riad_workspace *workspace)
{
    struct riad_inode row;
    int r = riad_mknod(workspace, &alice, RIAD_ROOT_INODE, "c", S_IFREG | 0644, 0, &row);

    if (r == 0) {
        riad_forget(workspace, row.inode, 1);
    }
    return r;
}

static inline int named(struct riad_workspace *workspace, const char *name, uint64_t *ret)
{
    struct riad_inode row;
    int r = riad_lookup(workspace, RIAD_ROOT_INODE, name, &row);

    if (r == 0) {
        riad_forget(workspace, row.inode, 1);
        *ret = row.inode;
    }
    return r;
}

static inline int write_to(
        struct riad_workspace *workspace, const char *name, uint64_t offset, uint32_t size)
{
    uint64_t inode = 0;
    uint32_t done;
    int r = named(workspace, name, &inode);

    act_bytes[0] = (uint8_t)(act_bytes[0] + act_step);
    return r < 0 ? r : riad_write(workspace, &alice, inode, offset, act_bytes, size, &done);
}

static inline int write_part(struct riad_workspace *workspace)
{
    return write_to(workspace, "a", 2000, 3000);
}

static inline int append(struct riad_workspace *workspace)
{
    uint64_t inode = 0;
    int r = named(workspace, "b", &inode);

    return r < 0 ? r : write_to(workspace, "b", attributes(workspace, inode).size, 5000);
}

static inline int overwrite(struct riad_workspace *workspace)
{
    return write_to(workspace, "a", 0, sizeof act_bytes); /* in a data segment */
}

static inline int cut(struct riad_workspace *workspace)
{
    uint64_t inode = 0;
    int r = named(workspace, "a", &inode);

    return r < 0 ? r : set_size(workspace, inode, 1000);
}

static inline int rename_over(struct riad_workspace *workspace)
{
    return riad_rename(workspace, &alice, RIAD_ROOT_INODE, "a", RIAD_ROOT_INODE, "b", 0);
}

static inline int link_again(struct riad_workspace *workspace)
{
    struct riad_inode row;
    uint64_t inode = 0;
    int r = named(workspace, "b", &inode);

    r = r < 0 ? r : riad_link(workspace, &alice, inode, RIAD_ROOT_INODE, "l", &row);
    if (r == 0) {
        riad_forget(workspace, inode, 1);
    }
    return r;
}

static inline int remove_name(struct riad_workspace *workspace)
{
    return riad_unlink(workspace, &alice, RIAD_ROOT_INODE, "a");
}

static inline int make(struct riad_workspace *workspace)
{
    struct riad_inode row;
    int r = riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "e", 0755, &row);

    if (r == 0) {
        riad_forget(workspace, row.inode, 1);
    }
    return r;
}

static inline int remove_directory(struct riad_workspace *workspace)
{
    return riad_rmdir(workspace, &alice, RIAD_ROOT_INODE, "d");
}

static inline int set_attribute(struct riad_workspace *workspace)
{
    uint64_t inode = 0;
    int r = named(workspace, "b", &inode);

    return r < 0 ? r : riad_setxattr(workspace, &alice, inode, "user.x", "roses", 5, 0);
}

static inline int sync_file(struct riad_workspace *workspace)
{
    uint64_t inode = 0;
    int r = named(workspace, "a", &inode);

    return r < 0 ? r : riad_fsync(workspace, inode);
}

static inline int clone_part(struct riad_workspace *workspace)
{
    uint64_t from = 0, to = 0, done;
    int r = named(workspace, "a", &from);

    r = r < 0 ? r : named(workspace, "b", &to);
    return r < 0 ? r : riad_copy_range(workspace, &alice, from, 0, to, 4096, 5000, &done);
}

static inline int commit_index(struct riad_workspace *workspace)
{
    int r = riad_workspace_lock(workspace);

    if (r == 0) {
        r = riad_index_commit(workspace->index);
        riad_workspace_unlock(workspace);
    }
    return r;
}

static inline int move_all_of(struct riad_workspace *workspace, uint64_t segment)
{
    struct riad_moved moved = { .next = 1 };
    int r = 0;

    while (r == 0 && moved.next != 0) {
        r = riad_cleaner_move(workspace, segment, moved.next, &moved);
    }
    return r;
}

static inline int move_everything(struct riad_workspace *workspace)
{
    int r = 0;

    for (enum riad_segment_kind kind = RIAD_SEGMENT_LOG; kind <= RIAD_SEGMENT_DATA; kind++) {
        _cleanup_free_ uint64_t *ids = NULL;
        size_t count = 0;

        r = r < 0 ? r : riad_segment_list(workspace->workspace_fd, kind, &ids, &count);
        for (size_t i = 0; i < count && r >= 0; i++) {
            r = move_all_of(workspace, ids[i]);
        }
    }
    return r;
}

/* All that the cleaner ever does (L7), by this thread: the log is ended behind two checkpoints,
 * what is live is moved, and what is not needed then is unlinked. */
static inline int clean_all(struct riad_workspace *workspace)
{
    size_t count;
    int r, started;

    riad_background_stop(workspace);
    r = riad_cleaner_roll(workspace);
    r = r < 0 ? r : move_everything(workspace);
    r = r < 0 ? r : riad_cleaner_unlink(workspace, &count);
    riad_retire_round(workspace);
    riad_retire_round(workspace);
    started = riad_background_start(workspace, NULL);
    return r < 0 ? r : started;
}

static const struct {
    const char *name;
    int (*run)(struct riad_workspace *workspace);
} acts[] = {
    { "create", create },
    { "write", write_part },
    { "append", append },
    { "overwrite", overwrite },
    { "truncate", cut },
    { "rename over", rename_over },
    { "link", link_again },
    { "unlink", remove_name },
    { "mkdir", make },
    { "rmdir", remove_directory },
    { "setxattr", set_attribute },
    { "fsync", sync_file },
    { "clone", clone_part },
    /* What riad does by itself, at any time: */
    { "commit", commit_index },
    { "checkpoint", riad_workspace_checkpoint },
    { "clean", clean_all },
};

enum {
    ACTS = sizeof acts / sizeof acts[0],
    SYNC_ACT = 11,
    CHECKPOINT_ACT = 14,
    CLEAN_ACT = 15,
    SINGLE_ACTS = 13
};

/* What they are done to: "a" and "b", files, and "d", a directory. */
static inline void populate(struct riad_workspace *workspace)
{
    struct riad_inode row;

    for (const char *name = "ab"; *name; name++) {
        char text[2] = { *name, '\0' };
        uint64_t inode = make_file(workspace, RIAD_ROOT_INODE, text);

        write_fill(workspace, inode, 0, *name, *name == 'a' ? 6000 : 100);
        riad_forget(workspace, inode, 1);
    }
    assert_int_equal(riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "d", 0755, &row), 0);
    riad_forget(workspace, row.inode, 1);
}

#endif
