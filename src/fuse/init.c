#include <linux/fuse.h>

#include "fuse_priv.h"
#include "init_priv.h"
#include "session_priv.h"
#include "uring_abi_priv.h"

enum { MAX_BACKGROUND = 64, SETXATTR_EXT_SINCE = 33 /* minor version of the protocol */ };

/* Not sent by libfuse 3.14. PARALLEL_DIROPS: without it the lookups and listings of one directory
 * go one at a time. HANDLE_KILLPRIV_V2: without it each write first asks for security.capability;
 * riad owes the clearing of setuid, setgid and capabilities in return. SETXATTR_EXT: when an access
 * list is set, the kernel tells whether setgid has to go. */
static const uint64_t extra = FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT;

/* The workspace is owned exclusively and changes only through this kernel: cached data stays valid
 * (no AUTO_INVAL_DATA, which drops a file's pages whenever its mtime moves). EXPORT_SUPPORT: inode
 * numbers and generations outlive a mount, and so do the file handles made of them. */
static const unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_READDIRPLUS |
                               FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_CACHE_SYMLINKS |
                               FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_EXPORT_SUPPORT;

/* POSIX_ACL: the kernel checks access lists, which it then caches. DONT_MASK: the umask comes
 * beside the mode, as it does not count where the directory has a default list. */
static const unsigned wanted_for_acls = FUSE_CAP_POSIX_ACL | FUSE_CAP_DONT_MASK;

/* Everything else that libfuse would turn on stays off, among it ATOMIC_O_TRUNC (without OPEN
 * requests a truncation must come as SETATTR), WRITEBACK_CACHE (it acknowledges writes that riad
 * has not seen: P1, P3, P7), ASYNC_DIO (after an asynchronous direct write the kernel keeps what
 * others read into its cache meanwhile) and the splice flags (sealing needs the bytes in memory).
 */
void riad_init_configure(void *session, struct fuse_conn_info *connection)
{
    struct riad_session *mounted = session;

    mounted->long_setxattr = connection->proto_minor >= SETXATTR_EXT_SINCE;
    connection->want = connection->capable & wanted;
    if (!mounted->no_xattr) {
        connection->want |= connection->capable & wanted_for_acls;
    }
    connection->max_write = RIAD_MESSAGE_MAX;
    connection->max_read = RIAD_MESSAGE_MAX;
    connection->max_background = MAX_BACKGROUND;
    connection->congestion_threshold = MAX_BACKGROUND * 3 / 4;
    connection->time_gran = 1;
}

uint64_t riad_init_offered(const void *request, size_t size)
{
    struct fuse_in_header header;
    struct fuse_init_in init;
    size_t body;

    memset(&init, 0, sizeof init);
    if (size < sizeof header + offsetof(struct fuse_init_in, flags2)) {
        return 0;
    }
    memcpy(&header, request, sizeof header);
    body = size - sizeof header < sizeof init ? size - sizeof header : sizeof init;
    memcpy(&init, (const uint8_t *)request + sizeof header, body);
    if (header.opcode != FUSE_INIT || init.major != FUSE_KERNEL_VERSION) {
        return 0;
    }
    return init.flags | (init.flags & FUSE_INIT_EXT ? (uint64_t)init.flags2 << 32 : 0);
}

bool riad_init_amend(const struct iovec *reply, int count, uint64_t offered, bool ring)
{
    struct fuse_out_header header;
    struct fuse_init_out *init;

    if (count != 2 || offered == 0 || reply[0].iov_len < sizeof header) {
        return false;
    }
    memcpy(&header, reply[0].iov_base, sizeof header);
    if (header.error != 0 || reply[1].iov_len < sizeof *init) {
        return false;
    }
    init = reply[1].iov_base;
    init->flags |= (uint32_t)(extra & offered);
    if (ring) {
        init->flags |= FUSE_INIT_EXT;
        init->flags2 |= (uint32_t)(RIAD_FUSE_OVER_IO_URING >> 32);
    }
    return true;
}
