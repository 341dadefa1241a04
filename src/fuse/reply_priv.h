/* From rows of core to replies of FUSE. */
#ifndef RIAD_REPLY_PRIV_H
#define RIAD_REPLY_PRIV_H

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "riad/filesystem.h"

#include "fuse_priv.h"

/* Entries and attributes stay valid in the kernel: the workspace changes through it only. Seconds.
 */
enum { RIAD_VALID_SECONDS = 24 * 3600, RIAD_IO_SIZE = 64 * 1024 };

void riad_reply_stat(const struct riad_inode *row, struct stat *ret);
void riad_reply_entry_param(const struct riad_inode *row, struct fuse_entry_param *ret);
void riad_reply_statvfs(const struct riad_filesystem_size *size, struct statvfs *ret);

/* Each answers the request, which is gone afterwards. error is negative or 0. */
void riad_reply_error(fuse_req_t request, int error);
void riad_reply_attr(fuse_req_t request, int error, const struct riad_inode *row);
/* An entry comes with a reference: it is given back if nobody waits for the reply any more. */
void riad_reply_entry(fuse_req_t request, int error, const struct riad_inode *row);
/* "There is no such name", to be remembered by the kernel. */
void riad_reply_negative(fuse_req_t request);
/* Names or a value of xattrs: wanted 0 asks for the size only; -ERANGE if it does not fit. */
void riad_reply_xattr(fuse_req_t request, int error, const void *value, size_t size, size_t wanted);

#endif
