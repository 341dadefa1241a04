/* The way of a request past libfuse: header, opcode, reply. */
#include "riad/error.h"
#include "riad/members.h"

#include "privilege_priv.h"
#include "raw_abi_priv.h"
#include "raw_priv.h"
#include "session_priv.h"

int riad_raw_get(const struct riad_raw_call *call, void *ret, size_t size)
{
    if (call->size < size) {
        return -EINVAL;
    }
    memcpy(ret, call->body, size);
    return 0;
}

void riad_raw_put(struct riad_raw_call *call, const void *body, size_t size)
{
    struct riad_raw_reply *reply = call->reply;

    memcpy(reply->body + reply->size, body, size);
    reply->size += size;
}

struct riad_caller riad_raw_caller(const struct riad_raw_call *call)
{
    return (struct riad_caller){
        .uid = call->header.uid,
        .gid = call->header.gid,
        .request = call->header.unique,
        .no_acls = call->session->no_xattr,
        .pid = (int32_t)call->header.pid,
        .is_member = riad_privilege_is_member,
    };
}

typedef int (*answer_function)(struct riad_raw_call *call);

/* Nothing in riad ends early because of a signal, and the kernel asks no more after this. libfuse
 * would reply to an interrupt that came too late while it begins another request, whose place in
 * the ring would get that reply. */
static int refuse_interrupt(struct riad_raw_call *call)
{
    (void)call;
    return -ENOSYS;
}

/* What must go on when somebody is no member any more, and tells nothing of the contents. */
static bool is_for_all(uint32_t opcode)
{
    switch (opcode) {
    case FUSE_INIT:
    case FUSE_DESTROY:
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
    case FUSE_NOTIFY_REPLY:
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_FLUSH:
    case FUSE_FSYNC:
    case FUSE_FSYNCDIR:
    case FUSE_STATFS:
        return true;
    default:
        return false;
    }
}

/* Also of who opened the file when he was a member. Changes by who may only read are refused by
 * core. */
static int refuse_stranger(struct riad_raw_call *call)
{
    (void)call;
    return -EACCES;
}

static bool is_stranger(const struct riad_session *session, const struct fuse_in_header *header)
{
    return session->guarded && !is_for_all(header->opcode) &&
           riad_members_standing(session->workspace, header->uid) == RIAD_STANDING_NONE;
}

/* What the kernel does by itself in other sessions. NULL: it is libfuse's. */
static answer_function find_opening(uint32_t opcode)
{
    switch (opcode) {
    case FUSE_OPEN:
        return riad_raw_open;
    case FUSE_OPENDIR:
        return riad_raw_opendir;
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
        return riad_raw_release;
    default:
        return NULL;
    }
}

static answer_function find_function(const struct riad_session *session, uint32_t opcode)
{
    switch (opcode) {
    case FUSE_INTERRUPT:
        return refuse_interrupt;
    case FUSE_IOCTL:
        return riad_raw_ioctl;
    case FUSE_SETXATTR:
        return session->long_setxattr ? riad_raw_setxattr : NULL;
    case FUSE_TMPFILE:
        return riad_raw_tmpfile;
    case RIAD_FUSE_STATX:
        return riad_raw_statx;
    case RIAD_FUSE_COPY_FILE_RANGE_64:
        return riad_raw_copy;
    default:
        return session->guarded ? find_opening(opcode) : NULL;
    }
}

/* The kernel's length is what was read; extensions, which none was agreed on, lie at the end. */
static int split(const void *message, size_t size, struct riad_raw_call *call)
{
    size_t extensions = (size_t)call->header.total_extlen * 8;

    call->body = (const uint8_t *)message + sizeof call->header;
    call->size = size - sizeof call->header;
    if (call->header.len != size || extensions > call->size) {
        return -EINVAL;
    }
    call->size -= extensions;
    return 0;
}

bool riad_raw_answer(const struct riad_session *session, const void *message, size_t size,
        struct riad_raw_reply *ret)
{
    struct riad_raw_call call = {
        .session = session, .workspace = session->workspace, .reply = ret
    };
    answer_function answer;
    int r;

    if (size < sizeof call.header) {
        return false; /* libfuse reports it */
    }
    memcpy(&call.header, message, sizeof call.header);
    answer = is_stranger(session, &call.header) ? refuse_stranger
                                                : find_function(session, call.header.opcode);
    if (!answer) {
        return false;
    }
    ret->size = 0;
    ret->given = ret->stale = 0;
    r = split(message, size, &call);
    if (r == 0) {
        r = answer(&call);
    }
    if (r < 0) {
        ret->size = 0;
    }
    ret->header = (struct fuse_out_header){
        .len = (uint32_t)(sizeof ret->header + ret->size),
        .error = r,
        .unique = call.header.unique,
    };
    return true;
}

bool riad_raw_request(struct riad_session *session, const void *message, size_t size)
{
    struct riad_raw_reply reply;
    struct iovec pieces[] = { { &reply.header, sizeof reply.header }, { reply.body, 0 } };
    int r;

    if (!riad_raw_answer(session, message, size, &reply)) {
        return false;
    }
    if (reply.stale != 0) {
        (void)fuse_lowlevel_notify_inval_inode(session->fuse, reply.stale, -1, 0);
    }
    pieces[1].iov_len = reply.size;
    r = riad_transport_reply(pieces, reply.size > 0 ? 2 : 1);
    if (r < 0 && reply.given != 0) {
        riad_forget(session->workspace, reply.given, 1);
    }
    return true;
}
