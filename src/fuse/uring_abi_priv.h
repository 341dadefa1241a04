/* FUSE over io_uring as the kernel defines it: include/uapi/linux/fuse.h of Linux 6.14, which the
 * headers of Debian 12 do not have yet. */
#ifndef RIAD_URING_ABI_PRIV_H
#define RIAD_URING_ABI_PRIV_H

#include <stdint.h>

#define RIAD_FUSE_OVER_IO_URING (UINT64_C(1) << 41) /* FUSE_OVER_IO_URING, a flag of INIT */

enum {
    RIAD_URING_IN_OUT_SIZE = 128,
    RIAD_URING_OP_SIZE = 128,
    RIAD_URING_REGISTER = 1,         /* FUSE_IO_URING_CMD_REGISTER */
    RIAD_URING_COMMIT_AND_FETCH = 2, /* FUSE_IO_URING_CMD_COMMIT_AND_FETCH */
};

/* struct fuse_uring_req_header. in_out holds a fuse_in_header, then the fuse_out_header of the
 * reply; op_in the first, fixed part of the request. All else is payload. */
struct riad_uring_header {
    uint8_t in_out[RIAD_URING_IN_OUT_SIZE];
    uint8_t op_in[RIAD_URING_OP_SIZE];
    struct {
        uint64_t flags;
        uint64_t commit_id;
        uint32_t payload_size;
        uint32_t padding;
        uint64_t reserved;
    } entry;
};

/* struct fuse_uring_cmd_req: the command's own bytes in the submission. */
struct riad_uring_command {
    uint64_t flags;
    uint64_t commit_id;
    uint16_t queue;
    uint8_t padding[6];
};

#endif
