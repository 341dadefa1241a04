/* A change of a project's roster, by one of its managers. */
#ifndef RIAD_ROSTER_CHANGE_H
#define RIAD_ROSTER_CHANGE_H

#include "site_client.h"

struct roster_change {
    struct site_workspace project;
    struct riad_member member;
    struct riad_writer file;
    uint8_t wrap[RIAD_WRAP_SIZE]; /* the member's, if she is new */
    bool has_wrap;
    struct riad_roster after; /* with a new key: the members, and each one's wrap */
    uint8_t (*wraps)[RIAD_WRAP_SIZE];
    struct riad_secret *fresh; /* the new key; NULL: none */
};

void roster_change_done(struct roster_change *change);
/* Sends what was drafted in change->file. Exit code; reported. */
int send_change(const struct site_client *client, const struct roster_change *change);
/* Drafts a new root key for those who are members after change->file (empty: who are members),
 * sends all, and has riadd go on with the new key. --force: what is open there is cut before. Exit
 * code; reported. */
int send_with_epoch(const struct options *options, const struct site_client *client,
        const struct site_user *user, struct roster_change *change);

#endif
