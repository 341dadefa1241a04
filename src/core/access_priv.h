/* Access control lists of inodes, kept in step with their modes: an access list says of owner,
 * group class and others what the mode says, and is there only if it says more. All functions run
 * under the mutation lock. */
#ifndef RIAD_ACCESS_PRIV_H
#define RIAD_ACCESS_PRIV_H

#include "riad/acl.h"

#include "rows_priv.h"

/* The lists of a new inode, or of one that gets others, as xattrs hold them. */
struct riad_inheritance {
    size_t access_size, default_size; /* 0: none, or not another one */
    uint8_t access[RIAD_ACL_SIZE_MAX];
    uint8_t by_default[RIAD_ACL_SIZE_MAX];
};

/* A list that is stored. -ENODATA; -EIO damaged, with an event. */
int riad_access_get(struct riad_workspace *workspace, const struct riad_inode *row,
        const char *name, struct riad_acl *ret) RIAD_MUST_CHECK;

/* What a new inode gets from its directory: its default list narrows row->mode, or without one the
 * caller's umask does. Counts the lists in row->xattr_bytes, but charges and puts nothing. */
int riad_access_inherit(struct riad_workspace *workspace, const struct riad_caller *caller,
        const struct riad_inode *parent, struct riad_inode *row,
        struct riad_inheritance *ret) RIAD_MUST_CHECK;
void riad_access_put(struct riad_workspace *workspace, uint64_t inode,
        const struct riad_inheritance *inheritance);

/* What a renaming with RENAME_WHITEOUT leaves in a directory: charges it, but puts nothing. */
int riad_prepare_whiteout(struct riad_workspace *workspace, const struct riad_caller *caller,
        const struct riad_inode *directory, struct riad_inode *ret,
        struct riad_inheritance *ret_lists) RIAD_MUST_CHECK;

/* After a chmod: the access list, if there is one, follows row->mode. */
int riad_access_follow_mode(
        struct riad_workspace *workspace, struct riad_inode *row) RIAD_MUST_CHECK;
/* Setting one of the two xattrs: its list is put in its one encoding, or removed where nothing is
 * left to say; the mode follows an access list. Returns 1 if that changed anything: then the caller
 * puts the row. Errors as
 * riad_acl_decode; -EACCES a default list on what is no directory; -EOPNOTSUPP symlinks. */
int riad_access_set(struct riad_workspace *workspace, const struct riad_caller *caller,
        struct riad_inode *row, const char *name, const void *value, size_t size) RIAD_MUST_CHECK;

#endif
