#include <linux/fuse.h>

#include "counters_priv.h"
#include "raw_abi_priv.h"

static const char *const names[RIAD_OPCODES_MAX] = {
    [FUSE_LOOKUP] = "LOOKUP",
    [FUSE_FORGET] = "FORGET",
    [FUSE_GETATTR] = "GETATTR",
    [FUSE_SETATTR] = "SETATTR",
    [FUSE_READLINK] = "READLINK",
    [FUSE_SYMLINK] = "SYMLINK",
    [FUSE_MKNOD] = "MKNOD",
    [FUSE_MKDIR] = "MKDIR",
    [FUSE_UNLINK] = "UNLINK",
    [FUSE_RMDIR] = "RMDIR",
    [FUSE_RENAME] = "RENAME",
    [FUSE_LINK] = "LINK",
    [FUSE_OPEN] = "OPEN",
    [FUSE_READ] = "READ",
    [FUSE_WRITE] = "WRITE",
    [FUSE_STATFS] = "STATFS",
    [FUSE_RELEASE] = "RELEASE",
    [FUSE_FSYNC] = "FSYNC",
    [FUSE_SETXATTR] = "SETXATTR",
    [FUSE_GETXATTR] = "GETXATTR",
    [FUSE_LISTXATTR] = "LISTXATTR",
    [FUSE_REMOVEXATTR] = "REMOVEXATTR",
    [FUSE_FLUSH] = "FLUSH",
    [FUSE_INIT] = "INIT",
    [FUSE_OPENDIR] = "OPENDIR",
    [FUSE_READDIR] = "READDIR",
    [FUSE_RELEASEDIR] = "RELEASEDIR",
    [FUSE_FSYNCDIR] = "FSYNCDIR",
    [FUSE_GETLK] = "GETLK",
    [FUSE_SETLK] = "SETLK",
    [FUSE_SETLKW] = "SETLKW",
    [FUSE_ACCESS] = "ACCESS",
    [FUSE_CREATE] = "CREATE",
    [FUSE_INTERRUPT] = "INTERRUPT",
    [FUSE_BMAP] = "BMAP",
    [FUSE_DESTROY] = "DESTROY",
    [FUSE_IOCTL] = "IOCTL",
    [FUSE_POLL] = "POLL",
    [FUSE_NOTIFY_REPLY] = "NOTIFY_REPLY",
    [FUSE_BATCH_FORGET] = "BATCH_FORGET",
    [FUSE_FALLOCATE] = "FALLOCATE",
    [FUSE_READDIRPLUS] = "READDIRPLUS",
    [FUSE_RENAME2] = "RENAME2",
    [FUSE_LSEEK] = "LSEEK",
    [FUSE_COPY_FILE_RANGE] = "COPY_FILE_RANGE",
    [FUSE_SETUPMAPPING] = "SETUPMAPPING",
    [FUSE_REMOVEMAPPING] = "REMOVEMAPPING",
    [FUSE_SYNCFS] = "SYNCFS",
    [FUSE_TMPFILE] = "TMPFILE",
    [RIAD_FUSE_STATX] = "STATX",
    [RIAD_FUSE_COPY_FILE_RANGE_64] = "COPY_FILE_RANGE_64",
};

void riad_counters_request(struct riad_counters *counters, uint32_t opcode)
{
    uint32_t slot = opcode < RIAD_OPCODES_MAX ? opcode : 0;

    atomic_fetch_add_explicit(&counters->requests[slot], 1, memory_order_relaxed);
}

void riad_counters_error(struct riad_counters *counters)
{
    atomic_fetch_add_explicit(&counters->errors, 1, memory_order_relaxed);
}

void riad_counters_read(const struct riad_counters *counters, struct riad_session_counters *ret)
{
    for (size_t i = 0; i < RIAD_OPCODES_MAX; i++) {
        ret->requests[i] = atomic_load_explicit(&counters->requests[i], memory_order_relaxed);
    }
    ret->errors = atomic_load_explicit(&counters->errors, memory_order_relaxed);
}

uint64_t riad_counters_uses(const struct riad_session_counters *counters)
{
    uint64_t uses = 0;

    for (size_t i = 0; i < RIAD_OPCODES_MAX; i++) {
        bool use = i != FUSE_FORGET && i != FUSE_BATCH_FORGET && i != FUSE_INTERRUPT &&
                   i != FUSE_STATFS;

        uses += use ? counters->requests[i] : 0;
    }
    return uses;
}

const char *riad_session_opcode_name(unsigned opcode)
{
    return opcode < RIAD_OPCODES_MAX ? names[opcode] : NULL;
}
