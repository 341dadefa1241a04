#include <linux/fuse.h>

#include "raw_abi_priv.h"
#include "session_priv.h"
#include "settle_priv.h"

static bool changes_names(uint32_t opcode)
{
    switch (opcode) {
    case FUSE_MKNOD:
    case FUSE_MKDIR:
    case FUSE_SYMLINK:
    case FUSE_LINK:
    case FUSE_UNLINK:
    case FUSE_RMDIR:
    case FUSE_RENAME:
    case FUSE_RENAME2:
        return true;
    default:
        return false;
    }
}

static bool changes_inodes(uint32_t opcode)
{
    switch (opcode) {
    case FUSE_SETATTR:
    case FUSE_SETXATTR:
    case FUSE_REMOVEXATTR:
    case FUSE_FALLOCATE:
    case FUSE_COPY_FILE_RANGE:
    case RIAD_FUSE_COPY_FILE_RANGE_64:
    case FUSE_IOCTL:
        return true;
    default:
        return false;
    }
}

bool riad_settle_is_due(bool synchronous, bool directory_synchronous, uint32_t opcode)
{
    if (changes_names(opcode)) {
        return synchronous || directory_synchronous;
    }
    return synchronous && changes_inodes(opcode);
}

bool riad_settle_waits(const struct riad_session *session, uint32_t opcode)
{
    return riad_settle_is_due(session->synchronous, session->directory_synchronous, opcode);
}

int riad_settle(const struct riad_session *session, uint32_t opcode)
{
    return riad_settle_waits(session, opcode) ? riad_workspace_sync(session->workspace) : 0;
}
