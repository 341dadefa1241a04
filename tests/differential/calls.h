/* The operations: each makes one system call or a few, and returns its result as the call would. */
#ifndef DIFFERENTIAL_CALLS_H
#define DIFFERENTIAL_CALLS_H

#include "engine.h"

/* calls_open.c */
call_function call_open, call_open_folder, call_close, call_dup, call_set_status, call_sync;
call_function call_flock, call_lock, call_statfs;
/* calls_data.c */
call_function call_read, call_pread, call_preadv, call_write, call_pwrite, call_writev;
call_function call_pwritev2, call_lseek, call_seek_data;
call_function call_truncate, call_ftruncate, call_fallocate;
/* calls_copy.c */
call_function call_copy_range, call_sendfile, call_splice;
/* calls_map.c */
call_function call_map, call_map_load, call_map_store, call_unmap, call_map_write;
void unmap_slot(struct side *side, int64_t slot);
/* calls_names.c */
call_function call_mkdir, call_rmdir, call_unlink, call_mknod, call_bind, call_symlink;
call_function call_readlink, call_link, call_link_slot, call_rename, call_clear;
call_function call_readdir, call_readdir_slot;
/* calls_attributes.c */
call_function call_chmod, call_fchmod, call_lchmod, call_chown, call_lchown, call_fchown;
call_function call_utimens, call_futimens, call_access, call_statx, call_umask, call_heal;
/* calls_flags.c */
call_function call_flagged, call_get_flags, call_set_flags;
/* calls_xattrs.c */
call_function call_setxattr, call_fsetxattr, call_getxattr, call_fgetxattr, call_listxattr;
call_function call_flistxattr, call_removexattr, call_fremovexattr;
call_function call_set_acl, call_get_acl, call_remove_acl;

/* What FUSE has in newer kernels only. */
enum feature { FEATURE_TMPFILE, FEATURE_BIRTH_TIME };
bool lacks(enum feature feature);

/* Is it open with O_DIRECT? Then offsets and lengths are taken in blocks, as ext4 wants them. */
bool is_direct(int fd);
/* Where it stands, -1 for directories: their offsets are the file system's own affair. */
int64_t position(int fd);
/* Names, types and inode numbers of a directory: their count, and a hash that knows no order in
 * *ret_hash. Closes the descriptor. */
int64_t list_directory(int fd, int64_t *ret_hash);

#endif
