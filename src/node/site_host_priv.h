/* riadd's worker, as its files share it: a host of many people's mounts. */
#ifndef RIAD_SITE_HOST_PRIV_H
#define RIAD_SITE_HOST_PRIV_H

#include "riad/members.h"
#include "riad/node.h"

#include "host_priv.h"
#include "service_priv.h"

enum { RIAD_SITE_MOUNTS_MAX = 4096, RIAD_SITE_OPENINGS_MAX = 8, RIAD_SITE_CHECKS_MAX = 4 };

struct riad_site_host {
    struct riad_host host;
    struct riad_host_config host_config;
    struct riad_node node; /* its site: lock. State and store are the host's, too */
    pthread_mutex_t lock;  /* also held while the store is read: who asks for the catalog waits */
    struct riad_catalog catalog;  /* lock */
    struct riad_signers *signers; /* the site's nodes, also removed ones: of any term */
    bool nodes_changed;           /* lock: since terms were last bounded */
    struct riad_service *service;
    struct riad_keypair keys; /* the node's: the monitor signs */
    int keys_fd;              /* where keys come */
    _Atomic bool members_due; /* the catalog changed: who may do what is looked at */
    int64_t members_looked;   /* main thread: when it was; riad_control_now */
    int64_t sessions_due;     /* main thread: when to look who has one; riad_control_now */
    uint64_t shares_applied;  /* lock: changes of limits of users and groups, and grants, as applied
                               */
    struct riad_told_subject *told; /* lock */
    size_t told_count;              /* lock */
    pthread_mutex_t follower_lock;
    pthread_cond_t follower_wake; /* monotonic */
    bool follower_ends;           /* follower_lock */
    uint64_t applied;             /* lock: the catalog's number whose limits running mounts obey */
    pthread_mutex_t tries_lock;
    struct riad_site_try *tries; /* tries_lock */
    size_t try_count;            /* tries_lock */
    pthread_mutex_t openings_lock;
    pthread_cond_t openings_changed;
    unsigned openings; /* openings_lock: threads that open workspaces */
    struct riad_site_checking {
        bool running;
        uint32_t uid;               /* who asked for it */
    } checks[RIAD_SITE_CHECKS_MAX]; /* openings_lock: threads that check workspaces */
    _Atomic bool checks_stop;       /* the worker ends: no check is wanted any more */
};

/* Whose terms of a workspace count (site_terms.c). */
struct riad_site_signing {
    struct riad_site_host *site;
    struct riad_id workspace;
    struct riad_signers *signers;
};

/* What belongs to one mount, beside the host's. */
struct riad_site_mount {
    struct riad_site_host *site;
    struct riad_id workspace;
    struct riad_hash identity; /* of the keys, in the monitor; changing */
    enum riad_workspace_kind kind;
    char name[256]; /* of a home: its owner's; of a project: its own */
    char *directory;
    struct riad_mount_service service;
    struct riad_site_signing signing;
    struct riad_member *members; /* of a project; site's lock */
    size_t member_count;
    pthread_mutex_t
            changing; /* one change of the members at a time; taken before the site's lock */
};

/* site_catalog.c. (lock) Brings site and catalog up to date. Exit code and reason. */
int riad_site_host_refresh(struct riad_site_host *site, struct riad_reason *ret_reason);
/* How requests begin that are about site and catalog of now: true with the lock held. False: they
 * cannot be had, and *ret_failure is the reply that says why (NULL without memory). */
bool riad_site_begin(struct riad_site_host *site, json_t **ret_failure);
/* (lock) The user whose uid it is, and whose account has still her name; NULL. Borrowed. */
const struct riad_catalog_user *riad_site_host_user(const struct riad_site_host *site, uid_t uid);
/* The account's name and group. -ENOENT. */
int riad_site_account(
        uid_t uid, char ret_name[RIAD_USER_NAME_MAX + 1], gid_t *ret_gid) RIAD_MUST_CHECK;

/* The account of the user's uid has still her name: a uid that was given to somebody else since
 * inherits nothing. */
bool riad_site_has_account(const struct riad_catalog_user *user, gid_t *ret_gid);
/* The lock is not held. root, or an account in the configured group of admins. */
bool riad_site_is_admin(struct riad_site_host *site, uid_t uid);
/* Whether the account is in the group of that name. Asks the name service. */
bool riad_site_in_group(uid_t uid, const char *group);

/* site_roster.c. Reads and verifies a roster by the key of the workspace's owner; it is no older
 * than the one that the catalog has registered. What is refused is an event. The bytes are heap.
 * -ENOENT, -EBADMSG, -ESTALE older. */
int riad_site_read_roster(const struct riad_site_host *site,
        const struct riad_catalog_workspace *entry, const struct riad_public_key *owner,
        struct riad_roster *ret, uint8_t **ret_data, size_t *ret_size) RIAD_MUST_CHECK;
/* She is active, the account of her uid is hers, and it is in the group that she is a member for,
 * if she is one for a group. Asks the name service. */
bool riad_site_is_still(const struct riad_catalog_user *user, const struct riad_member *member);
/* A copy of who is a member and why, for riad_site_take_members. Heap. */
int riad_site_copy_members(
        const struct riad_roster *roster, struct riad_member **ret) RIAD_MUST_CHECK;
/* (lock) Who may do what, by uid. A member who is no active user any more, whose uid is another
 * account's now, or who is not in the group any more that she is one for, is left out. Heap. */
int riad_site_standings(const struct riad_site_host *site, const struct riad_member *members,
        size_t member_count, struct riad_member_standing **ret, size_t *ret_count) RIAD_MUST_CHECK;
/* (not locked) The same for all that are open, as users and groups come and go; who may do less
 * than before is out at once. */
void riad_site_update_members(struct riad_site_host *site);
/* Main thread: does so when it is due. Milliseconds until it wants to look again; -1: never. */
int riad_site_follow_members(struct riad_site_host *site);
/* (lock) It is her home, or a project that she is a member of, or is to make. */
bool riad_site_is_hers(
        const struct riad_catalog_workspace *entry, const struct riad_catalog_user *user);

/* site_projects.c. New replies. */
json_t *riad_site_reserve_project(struct riad_site_host *site, uid_t uid, const json_t *request);
json_t *riad_site_make_project(struct riad_site_host *site, uid_t uid, const json_t *request);
/* Limits (site_quota.c) and expiry that a request names; the others stay. -EINVAL. */
int riad_site_get_limit(const json_t *request, struct riad_catalog_limit *limit) RIAD_MUST_CHECK;
int riad_site_get_expiry(const json_t *request, struct riad_catalog_expiry *expiry) RIAD_MUST_CHECK;

/* site_events.c. The monitor is to tell whoever the configuration names. A workspace of zeros: the
 * limit is of a user or group, which the text begins with. */
void riad_site_tell_limit(
        struct riad_site_host *site, const struct riad_id *workspace, const char *text);
/* site_events.c. Hers; for admins all. A new reply. */
json_t *riad_site_list_events(struct riad_site_host *site, uid_t uid, const json_t *request);

/* site_delete.c. A new reply. */
json_t *riad_site_delete_workspace(struct riad_site_host *site, uid_t uid, const json_t *request);

/* site_members.c. New replies. */
json_t *riad_site_set_members(struct riad_site_host *site, uid_t uid, const json_t *request);
json_t *riad_site_list_members(struct riad_site_host *site, uid_t uid, const json_t *request);

/* site_target.c. All that a grant leads to, copied out of the catalog. */
struct riad_site_target {
    struct riad_catalog_workspace entry; /* without lists */
    struct riad_catalog_user user, owner;
    gid_t gid; /* a home: the owner's */
    struct riad_keys *keys;
    struct riad_hash roster_head;
    struct riad_epoch_end *ends; /* of epochs, as far as they are registered */
    size_t end_count;
    struct riad_member *members; /* of a project */
    size_t member_count;
    struct riad_member_standing *standings;
    size_t standing_count;
    char name[256];
};
/* Finds it, and sees that who gave the keys is a member, and that they are the workspace's. Exit
 * code and reason; *ret is for riad_site_target_done in any case. */
int riad_site_find_target(struct riad_site_host *site, const struct riad_key_grant *grant,
        struct riad_site_target *ret, struct riad_reason *ret_reason);
void riad_site_target_done(struct riad_site_target *target);
/* The keys that a grant has, new. */
int riad_site_grant_keys(
        const struct riad_key_grant *grant, struct riad_keys **ret) RIAD_MUST_CHECK;
/* What people call it: a home by its owner. Borrowed. */
const char *riad_site_target_name(const struct riad_site_target *target);

/* site_terms.c. (lock) Registers how far the terms of removed nodes count, where it is not known
 * yet. What fails is an event, and tried again later. */
void riad_site_bound_terms(struct riad_site_host *site);
/* (not locked) Those of a workspace, kept up to date when a term is by somebody who is not known:
 * *ret stays where it is until it is done with (riad_site_signing_done, also after a failure). */
int riad_site_signing_begin(struct riad_site_host *site, const struct riad_id *workspace,
        struct riad_site_signing *ret) RIAD_MUST_CHECK;
void riad_site_signing_done(struct riad_site_signing *signing);
/* (lock) The same for all that are open. */
void riad_site_update_signers(struct riad_site_host *site);

/* site_epoch.c. An open workspace goes on with the grant's epoch, if it has an earlier one. Exit
 * code and reason. */
int riad_site_follow_epochs(struct riad_site_host *site, struct riad_mount *mount,
        const struct riad_key_grant *grant, const struct riad_site_target *target,
        struct riad_reason *ret_reason);

/* site_open.c. The mount of a workspace, held (riad_host_unhold); NULL: it is not open here. */
struct riad_mount *riad_site_hold(struct riad_site_host *site, const struct riad_id *workspace);
/* Opens what a grant is for, or finds that it is open. Exit code; *ret_directory is
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
/* site_check.c. Checks what a grant is for, which nobody may have open, and repairs it if that is
 * its purpose; the client hears of it (riad/monitor.h). Who goes away, or the end of the worker,
 * ends it. The last line, which is to be sent; NULL: no memory. */
json_t *riad_site_check(
        struct riad_site_host *site, const struct riad_key_grant *grant, int client);
/* site_grants.c. A thread: takes grants until the monitor is gone. argument: the site. */
void *riad_site_take_keys(void *argument);

/* site_subjects.c. Limits of users and groups: for admins to set, and for all to see their own. New
 * replies. */
json_t *riad_site_set_subjects(struct riad_site_host *site, uid_t uid, const json_t *request);
json_t *riad_site_list_subjects(struct riad_site_host *site, uid_t uid, const json_t *request);

/* site_shares.c. As riad_workspace_config.raise_grant; context: the mount. */
int riad_site_raise_grant(void *context, enum riad_subject kind, uint32_t id,
        const struct riad_usage *needed) RIAD_MUST_CHECK;
/* (lock) What root used for those who are bound counts for them. */
void riad_site_register_exempt(struct riad_site_host *site);
/* (lock) What is spare here is given back: so clocks of soft limits end, and others have it. */
int riad_site_release_spare(struct riad_site_host *site, enum riad_catalog_subject_kind kind,
        uint32_t id) RIAD_MUST_CHECK;
/* (lock) All that are open keep to the catalog's grants, which cover what is used there already. */
void riad_site_follow_all_grants(struct riad_site_host *site);
/* Before anybody can use it: takes the site's lock. Exit code and reason. */
int riad_site_prepare_grants(struct riad_mount *mount, struct riad_reason *ret_reason);
/* What a workspace that is being closed does not use is for others. */
void riad_site_release_grants(struct riad_mount *mount);
/* site_shares_watch.c. (lock) After the mount was granted what is needed, or not (NULL, both:
 * nobody asked): an event when 80 or 95 % of the subject's limit are used, or something was
 * refused, each once until usage was well below. */
void riad_site_watch_subject(struct riad_site_host *site, const struct riad_mount *mount,
        const struct riad_catalog_subject *subject, const struct riad_usage *needed);
/* (lock) The same for all, as usage goes up and down within what was granted. Where it went below
 * a soft limit, the clock ends; what is scarce, and not used here any more, is for others. */
void riad_site_watch_subjects(struct riad_site_host *site);
/* site_follow.c. A thread that keeps the worker up to date with what other nodes write, and with
 * what is used of limits. Started and ended once; ended before what it works on. */
int riad_site_follower_start(struct riad_site_host *site, pthread_t *ret) RIAD_MUST_CHECK;
void riad_site_follower_end(struct riad_site_host *site, pthread_t follower);

/* site_sessions.c. Main thread: locks what has nobody left who is logged in, if the configuration
 * says so. Milliseconds until it wants to look again; -1: never. */
int riad_site_lock_sessions(struct riad_site_host *site);

/* site_tries.c. Somebody wants to try to unlock: milliseconds that she has to wait first; 0: now,
 * which counts. And: it was not in vain. */
int64_t riad_site_try(struct riad_site_host *site, uid_t uid);
void riad_site_tried_well(struct riad_site_host *site, uid_t uid);

/* site_quota.c. For admins: limits of one or many, or what new workspaces get. A new reply. */
json_t *riad_site_set_limits(struct riad_site_host *site, uid_t uid, const json_t *request);
/* (lock) Of a workspace that is made: what the policy says, where it says something (0: nothing),
 * else the catalog's default. */
struct riad_catalog_limit riad_site_new_limit(
        const struct riad_site_host *site, uint64_t bytes, uint64_t inodes);

/* site_report.c. Usage and limits of all workspaces, for admins, else, or if she asks for "mine",
 * of one's own. A new reply. */
json_t *riad_site_report(struct riad_site_host *site, uid_t uid, const json_t *request);

/* site_names.c. (lock) All workspaces by their names; as long as the catalog is not changed.
 * -ENOMEM. */
struct riad_site_names {
    const struct riad_site_host *site;
    struct riad_site_name *items;
    size_t count;
};
int riad_site_list_names(
        const struct riad_site_host *site, struct riad_site_names *ret) RIAD_MUST_CHECK;
void riad_site_names_done(struct riad_site_names *names);
/* One that is not deleted: the home of a user by her name, a project by its, or by its id. NULL. */
const struct riad_catalog_workspace *riad_site_named(
        const struct riad_site_names *names, const char *name);

/* site_limits.c. All of them for admins, else one's own; and, for admins, an expiry. New replies.
 */
json_t *riad_site_list_workspaces(struct riad_site_host *site, uid_t uid);
json_t *riad_site_set_expiry(struct riad_site_host *site, uid_t uid, const json_t *request);
/* (lock) The home of a user by her name, a project by its, or a workspace by its id; NULL.
 * Borrowed. */
const struct riad_catalog_workspace *riad_site_find_workspace(
        const struct riad_site_host *site, const char *name);

/* site_users.c. All users, for everybody; and, for root, whether one is disabled. New replies. */
json_t *riad_site_list_users(struct riad_site_host *site, uid_t uid, const json_t *request);
/* Those who are in a group of accounts. */
json_t *riad_site_list_group(struct riad_site_host *site, uid_t uid, const json_t *request);
json_t *riad_site_set_user(struct riad_site_host *site, uid_t uid, const json_t *request);

/* The files of a workspace that a user makes: its roster is signed by her, and she is its only
 * member. -EBADMSG. */
int riad_site_check_first(const struct riad_site_host *site, enum riad_workspace_kind kind,
        const struct riad_id *workspace, const struct riad_catalog_user *user, const void *roster,
        size_t roster_size, const void *wrap, size_t wrap_size,
        struct riad_roster *ret) RIAD_MUST_CHECK;

/* site_request.c. The handler of the socket for everybody. */
json_t *riad_site_request(void *site, uid_t uid, const char *operation, const json_t *request);

#endif
