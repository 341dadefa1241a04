/* riadd's worker, as its files share it: a host of many people's mounts. */
#ifndef RIAD_SITE_HOST_PRIV_H
#define RIAD_SITE_HOST_PRIV_H

#include "riad/node.h"

#include "host_priv.h"
#include "service_priv.h"

enum { RIAD_SITE_MOUNTS_MAX = 4096, RIAD_SITE_OPENINGS_MAX = 8 };

struct riad_site_host {
    struct riad_host host;
    struct riad_host_config host_config;
    struct riad_node node; /* its site: lock. State and store are the host's, too */
    pthread_mutex_t lock;  /* also held while the store is read: who asks for the catalog waits */
    struct riad_catalog catalog;  /* lock */
    struct riad_signers *signers; /* the site's nodes: of terms */
    struct riad_service *service;
    struct riad_keypair keys; /* the node's: the monitor signs */
    int keys_fd;              /* where keys come */
    uint64_t applied;         /* lock: the catalog's number whose limits running mounts obey */
    pthread_mutex_t tries_lock;
    struct riad_site_try *tries; /* tries_lock */
    size_t try_count;            /* tries_lock */
    pthread_mutex_t openings_lock;
    pthread_cond_t openings_changed;
    unsigned openings; /* openings_lock: threads that open workspaces */
};

/* What belongs to one mount, beside the host's. */
struct riad_site_mount {
    struct riad_site_host *site;
    struct riad_id workspace;
    struct riad_hash commitment;
    enum riad_workspace_kind kind;
    char name[256]; /* of a home: its owner's; else the workspace's */
    char *directory;
    struct riad_mount_service service;
};

/* site_catalog.c. (lock) Brings site and catalog up to date. Exit code and reason. */
int riad_site_host_refresh(struct riad_site_host *site, struct riad_reason *ret_reason);
/* (lock) The user whose uid it is, and whose account has still her name; NULL. Borrowed. */
const struct riad_catalog_user *riad_site_host_user(const struct riad_site_host *site, uid_t uid);
/* The account's name and group. -ENOENT. */
int riad_site_account(
        uid_t uid, char ret_name[RIAD_USER_NAME_MAX + 1], gid_t *ret_gid) RIAD_MUST_CHECK;

/* site_open.c. Opens what a grant is for, or finds that it is open. Exit code; *ret_directory is
 * heap, the reason is for the person. */
int riad_site_open(struct riad_site_host *site, const struct riad_key_grant *grant,
        char **ret_directory, struct riad_reason *ret_reason);
/* After the host closed a mount: the monitor forgets its key, and the slot is free. */
void riad_site_closed(struct riad_mount *mount);
/* Unmounts what a user owns, whoever uses it: who has something open keeps it until it is closed.
 */
void riad_site_lock_user(struct riad_site_host *site, uid_t uid);
/* At the end: what is in use is taken away from its users; what was acknowledged is made durable.
 */
void riad_site_unmount_all(struct riad_site_host *site);
/* A thread: takes grants until the monitor is gone. argument: the site. */
void *riad_site_take_keys(void *argument);

/* site_tries.c. Somebody wants to try to unlock: milliseconds that she has to wait first; 0: now,
 * which counts. And: it was not in vain. */
int64_t riad_site_try(struct riad_site_host *site, uid_t uid);
void riad_site_tried_well(struct riad_site_host *site, uid_t uid);

/* site_limits.c. All of them for root, else one's own; and, for root, a limit. New replies. */
json_t *riad_site_list_workspaces(struct riad_site_host *site, uid_t uid);
json_t *riad_site_set_limit(struct riad_site_host *site, uid_t uid, const json_t *request);

/* site_users.c. All users, for everybody; and, for root, whether one is disabled. New replies. */
json_t *riad_site_list_users(struct riad_site_host *site, uid_t uid, const json_t *request);
json_t *riad_site_set_user(struct riad_site_host *site, uid_t uid, const json_t *request);

/* site_request.c. The handler of the socket for everybody. */
json_t *riad_site_request(void *site, uid_t uid, const char *operation, const json_t *request);

#endif
