/* Rows as the operations read and put them. All functions run under the mutation lock; those that
 * put append to workspace->change. */
#ifndef RIAD_ROWS_PRIV_H
#define RIAD_ROWS_PRIV_H

#include <sys/stat.h>

#include "extent_map_priv.h"
#include "references_priv.h"
#include "workspace_priv.h"

enum {
    RIAD_FIRST_GENERATION = 1, /* inode numbers are never reused: always this one */
    RIAD_NLINK_MAX = INT32_MAX,
    RIAD_NO_PARENT = 0,        /* of a file made without a name, until it gets its first one */
    RIAD_SLICE_EXTENTS = 1024, /* L8: rows that one change, or one hold of the lock, frees */
};

/* Internal result: the operation reaches past a pending truncate mark; riad_truncate_finish, then
 * again. */
#define RIAD_PENDING (-ERESTART)

/* 1..255 bytes, no '/', not "." or "..": -EINVAL, -ENAMETOOLONG. */
int riad_name_check(const char *name) RIAD_MUST_CHECK;

/* -ENOTDIR. A directory that was removed has no entries, and gets none: riad_get_live_directory
 * says -ENOENT. */
int riad_get_directory(
        struct riad_workspace *workspace, uint64_t inode, struct riad_inode *ret) RIAD_MUST_CHECK;
int riad_get_live_directory(
        struct riad_workspace *workspace, uint64_t inode, struct riad_inode *ret) RIAD_MUST_CHECK;
/* -EISDIR, -EINVAL for what is neither file nor directory. */
int riad_get_file(
        struct riad_workspace *workspace, uint64_t inode, struct riad_inode *ret) RIAD_MUST_CHECK;
/* Entry and inode behind a name that riad_name_check has let pass. */
int riad_get_entry(struct riad_workspace *workspace, uint64_t parent, const char *name,
        struct riad_dentry *ret_entry, struct riad_inode *ret) RIAD_MUST_CHECK;
/* 0 if the name is free, -EEXIST. */
int riad_check_free_name(
        struct riad_workspace *workspace, uint64_t parent, const char *name) RIAD_MUST_CHECK;

/* Puts the row with its next version. */
void riad_put_row(struct riad_workspace *workspace, struct riad_inode *row);
/* Lets an existing entry name another inode. Its cookie stays, so that who lists the directory sees
 * the name once. */
void riad_replace_entry(struct riad_workspace *workspace, const struct riad_dentry *entry,
        const struct riad_inode *row);
/* Gives an existing entry another name, which no entry of its directory has. Its cookie stays. */
void riad_rename_entry(
        struct riad_workspace *workspace, const struct riad_dentry *entry, const char *name);
/* Puts an entry at the directory's next cookie; the caller puts the directory. */
void riad_put_entry(struct riad_workspace *workspace, struct riad_inode *directory,
        const char *name, const struct riad_inode *row);
/* mtime and ctime become the change's time. */
void riad_touch(struct riad_workspace *workspace, struct riad_inode *row);
/* What the kernel leaves to us (KILLPRIV_V2): the mode without setuid, and without setgid where the
 * group may execute or the caller is not in it. */
uint32_t riad_mode_unprivileged(const struct riad_caller *caller, const struct riad_inode *row);
/* After a change of a file's data: capabilities of the file go whoever wrote (but not when a
 * mapping is written back, long after the program wrote there), setuid and setgid if the kernel
 * asks for it. The caller puts the row. */
int riad_kill_privileges(struct riad_workspace *workspace, const struct riad_caller *caller,
        struct riad_inode *row) RIAD_MUST_CHECK;
/* The capabilities alone. */
int riad_kill_capabilities(
        struct riad_workspace *workspace, struct riad_inode *row) RIAD_MUST_CHECK;

/* 1 if the inode has the xattr with this value, else 0. */
int riad_xattr_is(struct riad_workspace *workspace, const struct riad_inode *row, const char *name,
        const void *value, size_t size) RIAD_MUST_CHECK;
/* An xattr of any name, its bytes counted and charged in the row, which the caller puts. -EDQUOT,
 * -ENOSPC; -ENODATA nothing to remove. One of an inode in a change: what is put cannot be seen
 * before the commit. */
int riad_xattr_put(struct riad_workspace *workspace, struct riad_inode *row, const char *name,
        const void *value, size_t size) RIAD_MUST_CHECK;
int riad_xattr_remove(
        struct riad_workspace *workspace, struct riad_inode *row, const char *name) RIAD_MUST_CHECK;
/* Makes the row count `bytes` instead of what it has for xattrs: charged (-EDQUOT, -ENOSPC), or
 * whatever the limit says. */
int riad_xattr_recount(
        struct riad_workspace *workspace, struct riad_inode *row, uint32_t bytes) RIAD_MUST_CHECK;
void riad_xattr_count(struct riad_inode *row, uint32_t bytes);
/* Takes one name from the inode, or from a directory its only one: the row is put, or removed at
 * once if nothing holds it. The caller removes the entry. Returns whether it was removed:
 * then riad_reap after the commit. */
bool riad_drop_name(struct riad_workspace *workspace, struct riad_inode *row);

/* flags.c: -EPERM where immutable or append-only forbids it, else 0. A name is put into a
 * directory; taken from it (both are asked); the inode gets a further name, an xattr, other
 * contents; the attributes of a mask are set (RIAD_SET_*); bytes are written at an offset; room is
 * allocated. */
int riad_flags_allow_new_name(const struct riad_inode *directory) RIAD_MUST_CHECK;
int riad_flags_allow_removal(
        const struct riad_inode *directory, const struct riad_inode *row) RIAD_MUST_CHECK;
int riad_flags_allow_change(const struct riad_inode *row) RIAD_MUST_CHECK;
int riad_flags_allow_attributes(const struct riad_inode *row, uint32_t mask) RIAD_MUST_CHECK;
int riad_flags_allow_write(const struct riad_inode *row, uint64_t offset) RIAD_MUST_CHECK;
int riad_flags_allow_room(const struct riad_inode *row) RIAD_MUST_CHECK;
/* The flags that a new inode has from its directory. */
uint32_t riad_flags_inherited(const struct riad_inode *directory);

/* Shows the edit of [from, to) all extents that it asks for, but those past the truncate mark. */
int riad_scan_edit(struct riad_workspace *workspace, const struct riad_inode *row, uint64_t from,
        uint64_t to, struct riad_extent_edit *ret) RIAD_MUST_CHECK;
/* Bounds work (L8): *ret is `to` if at most RIAD_SLICE_EXTENTS extents begin in [from, to), else a
 * whole block's start behind `from` with not many more before it. */
int riad_slice_end(struct riad_workspace *workspace, uint64_t inode, uint64_t from, uint64_t to,
        uint64_t *ret) RIAD_MUST_CHECK;
/* Takes what [from, to) holds away and sets the row's blocks; puts no row. */
int riad_clear_range(struct riad_workspace *workspace, struct riad_inode *row, uint64_t from,
        uint64_t to) RIAD_MUST_CHECK;

/* How much of a write of [offset, offset + size) the limit lets in: all, or up to the first block
 * too many; 0 if nothing. */
int riad_write_room(struct riad_workspace *workspace, const struct riad_inode *row, uint64_t offset,
        uint32_t size, uint32_t *ret) RIAD_MUST_CHECK;

/* The blocks that extents touch from the block of a size on; true for one version of the row, 0 for
 * none. */
struct riad_survey {
    uint64_t version;
    struct riad_block_count before;
};
/* Takes a survey without holding the lock for long; one that failed is true for no row. Called
 * without the lock. */
void riad_truncate_survey(
        struct riad_workspace *workspace, uint64_t inode, uint64_t size, struct riad_survey *ret);
/* Lowers or raises row->size and puts the extents that differ; the caller puts the row. A row with
 * a truncate mark afterwards wants riad_truncate_finish. The survey is of the same size. */
int riad_truncate(struct riad_workspace *workspace, struct riad_inode *row, uint64_t size,
        const struct riad_survey *survey) RIAD_MUST_CHECK;

/* Frees the extents of removed inodes in slices (L8). Called without the lock. What an error leaves
 * is reaped later. */
void riad_reap(struct riad_workspace *workspace);

#endif
