/* What a worker and its monitor say to each other. Both are riadd of one version and one machine,
 * so structures travel as they are; but the worker reads what is hostile, so the monitor trusts
 * nothing that comes from it. */
#ifndef RIAD_SERVICE_PRIV_H
#define RIAD_SERVICE_PRIV_H

#include "riad/catalog.h"
#include "riad/keys.h"
#include "riad/site.h"

enum { RIAD_SERVICE_SIGN_MAX = 128 << 10, RIAD_SERVICE_PATH_MAX = 512 };

enum riad_service_operation {
    RIAD_SERVICE_SELF = 1, /* who this node is */
    RIAD_SERVICE_SIGN,     /* with the node's key: terms and catalog batches only */
    RIAD_SERVICE_MOUNT,
    RIAD_SERVICE_UNMOUNT,
    RIAD_SERVICE_ABORT,
    RIAD_SERVICE_READY,   /* the worker serves */
    RIAD_SERVICE_LIMIT,   /* a limit was passed: whoever the configuration names is to hear of it */
    RIAD_SERVICE_ROTATED, /* what is mounted has another epoch's keys now, of a later grant */
};

/* Followed by `size` bytes: what is to be signed, or said. */
struct riad_service_request {
    uint32_t operation, size;
    /* mount, rotated */
    struct riad_id workspace;
    struct riad_hash identity; /* with the workspace: the grant that it belongs to */
    /* mount */
    uint32_t kind;  /* enum riad_workspace_kind */
    char name[256]; /* of a project; of a home: its owner's; also of limit */
    /* unmount, abort */
    char path[RIAD_SERVICE_PATH_MAX];
    bool lazy;
};

/* A mount comes with a descriptor. */
struct riad_service_reply {
    int32_t result;
    struct riad_site_node self;
    uint8_t signature[RIAD_SIGNATURE_SIZE];
};

/* From the monitor to the worker: somebody has unlocked a workspace. With the descriptor of who
 * waits for the answer, one JSON line; without, if it is repeated to a new worker. */
struct riad_epoch_key {
    struct riad_hash commitment; /* of the root key that was given: the roster has the right one */
    uint8_t subkeys[RIAD_SUBKEYS_SIZE];
};
enum riad_key_purpose { RIAD_KEY_OPENS, RIAD_KEY_CHECKS, RIAD_KEY_REPAIRS };
struct riad_key_grant {
    uint32_t uid, epoch;
    struct riad_id workspace;
    struct riad_hash identity;    /* of these very keys */
    uint32_t purpose;             /* enum riad_key_purpose */
    struct riad_epoch_key keys[]; /* `epoch` many, epoch 1 first */
};
static inline size_t riad_key_grant_size(uint32_t epoch)
{
    return sizeof(struct riad_key_grant) + epoch * sizeof(struct riad_epoch_key);
}

/* One message, of two pieces, with a descriptor unless fd is -1. 0 or negative errno. */
int riad_service_send(int socket, const void *head, size_t head_size, const void *tail,
        size_t tail_size, int fd) RIAD_MUST_CHECK;
/* The size of the message, which was at most that long; 0: the other end is gone; negative errno.
 * *ret_fd: -1 if none came. */
ssize_t riad_service_receive(int socket, void *data, size_t size, int *ret_fd) RIAD_MUST_CHECK;

/* The worker's end. Any thread. */
struct riad_service;
int riad_service_new(int fd, struct riad_service **ret) RIAD_MUST_CHECK;
void riad_service_free(struct riad_service *service);
/* Result or negative errno; -EPIPE: the monitor is gone. ret_fd: NULL if none is wanted. */
int riad_service_call(struct riad_service *service, const struct riad_service_request *request,
        const void *payload, struct riad_service_reply *ret, int *ret_fd) RIAD_MUST_CHECK;

#endif
