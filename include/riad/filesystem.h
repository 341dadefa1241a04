/* Layer core. The operations of a file system on one workspace: what FUSE decodes to. Inode numbers
 * are those of the rows and of FUSE's nodeids (F6).
 *
 * Permissions are the kernel's (default_permissions); core owes what the kernel leaves to a file
 * system: limits, setgid inheritance, clearing of setuid and setgid, times, link counts, sticky
 * results of races (-ENOENT, -EEXIST, -ENOTEMPTY ...).
 *
 * Common errors, not repeated: -ENOENT no such inode or name; -ENOTDIR, -EISDIR; -ENAMETOOLONG
 * above 255 bytes; -EINVAL; -EDQUOT the limit (P7); -ENOSPC the store is full; -EROFS the workspace
 * turned read-only; -EACCES changes by who may not write (riad/members.h); -ESTALE superseded; -EIO
 * damage in what was needed (P5, an event was raised).
 * On error nothing changed (P4). Every mutation is one change in the log before it returns 0 (P1).
 */
#ifndef RIAD_FILESYSTEM_H
#define RIAD_FILESYSTEM_H

#include "riad/tree.h"
#include "riad/workspace.h"

/* Who asks. request: FUSE's unique id, recorded in the change (F7). */
struct riad_caller {
    uint32_t uid, gid;
    uint64_t request;
    uint32_t umask;       /* for new inodes, where the directory has no default ACL */
    bool no_acls;         /* default ACLs are not inherited: the kernel does not look at ACLs */
    bool kill_privileges; /* the kernel asks for setuid/setgid to be cleared (of
                             FUSE_WRITE_KILL_SUIDGID, FATTR_KILL_SUIDGID), or for setgid when an
                             access ACL is set (FUSE_SETXATTR_ACL_KILL_SGID) */
    bool written_back;    /* nobody's: the kernel writes pages of a mapping (FUSE_WRITE_CACHE) */
    int32_t pid;
    /* Whether the process is in the group, or may do as if it were (CAP_FSETID). Asked, under the
     * mutation lock, only of a caller with another gid, on files that are setgid and not for the
     * group to execute. NULL: it is not. */
    bool (*is_member)(int32_t pid, uint32_t group);
    bool *killed; /* NULL, or becomes true if a change of data took setuid or setgid away */
};

/* References: lookup, mknod, mkdir, symlink, tmpfile, link and each entry that readdirplus delivers
 * add one to the inode's count; forget takes n away. An inode without names lives while the count
 * is above 0. The root is always there. */
int riad_lookup(struct riad_workspace *workspace, uint64_t parent, const char *name,
        struct riad_inode *ret) RIAD_MUST_CHECK;
void riad_forget(struct riad_workspace *workspace, uint64_t inode, uint64_t count);
/* Adds references without a lookup, for entries of readdirplus. */
void riad_reference(struct riad_workspace *workspace, uint64_t inode);
/* The inodes that the kernel holds references to, and the root, in any order; heap. Looks at all of
 * them under the mutation lock: some ms where they are a million. -ENOMEM. */
int riad_workspace_known(
        struct riad_workspace *workspace, uint64_t **ret_inodes, size_t *ret_count) RIAD_MUST_CHECK;

/* New inodes, but symlinks, take from their directory its default ACL, which narrows their mode in
 * place of the umask. */
/* Regular files, fifos, sockets, devices. */
int riad_mknod(struct riad_workspace *workspace, const struct riad_caller *caller, uint64_t parent,
        const char *name, uint32_t mode, uint64_t rdev, struct riad_inode *ret) RIAD_MUST_CHECK;
/* A regular file without a name (O_TMPFILE): gone with its last reference, or at the next opening
 * after a crash. linkable: riad_link may give it a first name, until then. */
int riad_tmpfile(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t parent, uint32_t mode, bool linkable, struct riad_inode *ret) RIAD_MUST_CHECK;
int riad_mkdir(struct riad_workspace *workspace, const struct riad_caller *caller, uint64_t parent,
        const char *name, uint32_t mode, struct riad_inode *ret) RIAD_MUST_CHECK;
int riad_symlink(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t parent, const char *name, const char *target,
        struct riad_inode *ret) RIAD_MUST_CHECK;
/* -EPERM for directories, -EMLINK above 2^31 - 1, -ENOENT for what lost its last name. */
int riad_link(struct riad_workspace *workspace, const struct riad_caller *caller, uint64_t inode,
        uint64_t parent, const char *name, struct riad_inode *ret) RIAD_MUST_CHECK;
int riad_unlink(struct riad_workspace *workspace, const struct riad_caller *caller, uint64_t parent,
        const char *name) RIAD_MUST_CHECK;
int riad_rmdir(struct riad_workspace *workspace, const struct riad_caller *caller, uint64_t parent,
        const char *name) RIAD_MUST_CHECK;
/* flags as renameat2(2): RENAME_EXCHANGE, or RENAME_NOREPLACE and RENAME_WHITEOUT, which leaves the
 * caller's character device 0/0 at the old name, charged. -EINVAL into an own descendant or for
 * other flags; -ENOTEMPTY, -EEXIST as rename(2). */
int riad_rename(struct riad_workspace *workspace, const struct riad_caller *caller, uint64_t parent,
        const char *name, uint64_t new_parent, const char *new_name,
        uint32_t flags) RIAD_MUST_CHECK;
/* Zero-terminated, heap. -EINVAL if not a symlink. */
int riad_readlink(struct riad_workspace *workspace, uint64_t inode, char **ret) RIAD_MUST_CHECK;

int riad_getattr(
        struct riad_workspace *workspace, uint64_t inode, struct riad_inode *ret) RIAD_MUST_CHECK;
enum {
    RIAD_SET_MODE = 1 << 0,
    RIAD_SET_UID = 1 << 1,
    RIAD_SET_GID = 1 << 2,
    RIAD_SET_SIZE = 1 << 3,
    RIAD_SET_ATIME = 1 << 4,
    RIAD_SET_MTIME = 1 << 5,
    RIAD_SET_ATIME_NOW = 1 << 6,
    RIAD_SET_MTIME_NOW = 1 << 7,
    RIAD_SET_CTIME = 1 << 8,
};
/* `values` holds the fields that `mask` names; a mask of 0 is chown(2) with -1 and -1: it moves the
 * ctime, and takes privileges if the caller is the owner or root. A new size above the present one
 * makes a hole and is free; below frees (L8: in slices when many extents go). A new mode is the
 * access ACL's too. */
int riad_setattr(struct riad_workspace *workspace, const struct riad_caller *caller, uint64_t inode,
        uint32_t mask, const struct riad_inode *values, struct riad_inode *ret) RIAD_MUST_CHECK;

/* Sets the flags of a row (RIAD_INODE_*), all of them. Who may is the kernel's to decide. From then
 * on the operations here answer -EPERM where immutable or append-only forbids them. -EOPNOTSUPP
 * other flags; -EPERM other changes of what stays immutable. */
int riad_set_flags(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t inode, uint32_t flags) RIAD_MUST_CHECK;

/* Entries with cookie > after, ascending, never "." or ".." (fuse adds those: cookies 1 and 2). A
 * cookie stays valid while entries come and go. function returns 0 to go on, 1 when its buffer is
 * full (the entry was not taken). It runs under the mutation lock and must not call core. */
int riad_readdir(struct riad_workspace *workspace, uint64_t inode, uint64_t after,
        riad_index_entry_function function, void *context) RIAD_MUST_CHECK;

/* Reads up to size bytes; short at end of file only; holes are zeros. */
int riad_read(struct riad_workspace *workspace, uint64_t inode, uint64_t offset, uint32_t size,
        uint8_t *ret, uint32_t *ret_size) RIAD_MUST_CHECK;
/* Writes up to size bytes (at most 1 MiB) as one change. What fits under the limit is written
 * (*ret_size > 0), else -EDQUOT. -EFBIG past RIAD_FILE_SIZE_MAX. */
int riad_write(struct riad_workspace *workspace, const struct riad_caller *caller, uint64_t inode,
        uint64_t offset, const uint8_t *data, uint32_t size, uint32_t *ret_size) RIAD_MUST_CHECK;
/* mode as fallocate(2): 0, KEEP_SIZE, PUNCH_HOLE|KEEP_SIZE, ZERO_RANGE, ZERO_RANGE|KEEP_SIZE;
 * -EOPNOTSUPP otherwise. */
int riad_fallocate(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t inode, int mode, uint64_t offset, uint64_t length) RIAD_MUST_CHECK;
/* whence SEEK_DATA or SEEK_HOLE. -ENXIO past the end. Unwritten extents count as holes. */
int riad_seek(struct riad_workspace *workspace, uint64_t inode, uint64_t offset, int whence,
        uint64_t *ret) RIAD_MUST_CHECK;
/* Shares extents (a clone: no data is moved); charged in full. May return short (L8). */
int riad_copy_range(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t from, uint64_t from_offset, uint64_t to, uint64_t to_offset, uint64_t length,
        uint64_t *ret_length) RIAD_MUST_CHECK;
/* P2 for this inode: syncs the log up to now. */
int riad_fsync(struct riad_workspace *workspace, uint64_t inode) RIAD_MUST_CHECK;

/* Names in user. (of files and directories: -EPERM), trusted. and security., and the two of POSIX
 * ACLs; others -EOPNOTSUPP. Who may is the kernel's. flags XATTR_CREATE, XATTR_REPLACE. -ENODATA,
 * -EEXIST, -E2BIG; -ERANGE a name over 255 bytes; -ENOSPC over 1 MiB of them all. Setting an access
 * ACL sets the mode; one that says no more than a mode is kept as that alone, and removing an ACL
 * that is not there is right. -EINVAL, -EOPNOTSUPP a malformed one, -EACCES a default one of what
 * is no directory. */
int riad_setxattr(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t inode, const char *name, const void *value, size_t size,
        int flags) RIAD_MUST_CHECK;
int riad_getxattr(struct riad_workspace *workspace, uint64_t inode, const char *name,
        uint8_t **ret_value, size_t *ret_size) RIAD_MUST_CHECK;
int riad_listxattr(struct riad_workspace *workspace, uint64_t inode, char **ret_names,
        size_t *ret_size) RIAD_MUST_CHECK;
int riad_removexattr(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t inode, const char *name) RIAD_MUST_CHECK;

struct riad_filesystem_size {
    uint64_t blocks, blocks_free; /* of RIAD_BLOCK_SIZE: the limit and what is left of it, */
    uint64_t blocks_available;    /* at most what the store has free */
    uint64_t inodes, inodes_free;
};
int riad_statfs(struct riad_workspace *workspace, struct riad_filesystem_size *ret) RIAD_MUST_CHECK;

/* What a directory holds in all, itself included; what counts where: riad/tree.h. Exact if nobody
 * writes below it. While others do, it is so for one moment of the call, or, where they write so
 * much that such a moment does not come, holds at least all that was changed before the call. Needs
 * no walk, only that what was changed in the last moments is handed up: some us for each directory,
 * in slices; the mutation lock is held for some 300 us at a time. An impatient thread does one
 * slice, then gets RIAD_WOULD_WAIT. Whether who asks may list the directory, the caller knows. */
int riad_tree_usage(struct riad_workspace *workspace, uint64_t inode,
        struct riad_tree_usage *ret) RIAD_MUST_CHECK;
/* The same of the next directory that lies in this one, by cookie: 0, or that of the entry before.
 * -ENODATA: there is no more. Entries that are no directories are not looked at. */
int riad_tree_next(struct riad_workspace *workspace, uint64_t inode, uint64_t after,
        struct riad_dentry *ret_entry, struct riad_tree_usage *ret) RIAD_MUST_CHECK;

#endif
