#include "adapt_priv.h"
#include "init_priv.h"
#include "session_priv.h"

/* In the order of fuse_lowlevel.h. NULL: the reason stands beside it. */
const struct fuse_lowlevel_ops riad_ops = {
    .init = riad_init_configure,
    .destroy = NULL, /* the workspace outlives the session */
    .lookup = riad_adapt_lookup,
    .forget = riad_adapt_forget,
    .getattr = riad_adapt_getattr,
    .setattr = riad_adapt_setattr,
    .readlink = riad_adapt_readlink,
    .mknod = riad_adapt_mknod,
    .mkdir = riad_adapt_mkdir,
    .unlink = riad_adapt_unlink,
    .rmdir = riad_adapt_rmdir,
    .symlink = riad_adapt_symlink,
    .rename = riad_adapt_rename,
    .link = riad_adapt_link,
    .open = riad_adapt_open,
    .read = riad_adapt_read,
    .write = riad_adapt_write,
    .flush = riad_adapt_flush,
    .release = NULL, /* no OPEN, no RELEASE; or raw_open.c */
    .fsync = riad_adapt_fsync,
    .opendir = riad_adapt_opendir,
    .readdir = riad_adapt_readdir,
    .releasedir = NULL, /* no OPENDIR, no RELEASEDIR; or raw_open.c */
    .fsyncdir = riad_adapt_fsync,
    .statfs = riad_adapt_statfs,
    .setxattr = riad_adapt_setxattr,
    .getxattr = riad_adapt_getxattr,
    .listxattr = riad_adapt_listxattr,
    .removexattr = riad_adapt_removexattr,
    .access = NULL, /* default_permissions: the kernel decides */
    .create = riad_adapt_create,
    .getlk = NULL,          /* the kernel keeps locks: one node owns the workspace */
    .setlk = NULL,          /* as getlk */
    .bmap = NULL,           /* no block device */
    .ioctl = NULL,          /* raw.c decodes those few that there are */
    .poll = NULL,           /* regular files are always ready */
    .write_buf = NULL,      /* would turn splice on; sealing needs the bytes in memory */
    .retrieve_reply = NULL, /* nothing is retrieved from the kernel's cache */
    .forget_multi = riad_adapt_forget_multi,
    .flock = NULL, /* as getlk */
    .fallocate = riad_adapt_fallocate,
    .readdirplus = riad_adapt_readdirplus,
    .copy_file_range = riad_adapt_copy_file_range,
    .lseek = riad_adapt_lseek,
};
