/* Changes of a project's roster, by one of its managers: drafted here one after another, and sent
 * together. */
#ifndef RIAD_ROSTER_CHANGE_H
#define RIAD_ROSTER_CHANGE_H

#include "site_client.h"

struct roster_change {
    const struct site_user *user;  /* the manager; borrowed */
    struct site_workspace project; /* with what was drafted so far */
    struct riad_hash previous;     /* the head that riadd knows, */
    size_t known;                  /* and so many bytes */
    json_t *wraps;                 /* of new members, or of all with a new key */
    struct riad_secret *fresh;     /* the new key; NULL: none */
};

/* Opens the user, who is to be a manager, and the project. Exit code; reported. *ret is for
 * roster_change_done in any case, before close_site_user. */
int open_change(const struct options *options, const struct site_client *client,
        struct site_user *user, const char *name, struct roster_change *ret);
void roster_change_done(struct roster_change *change);
/* Draft one entry each; errors as those of riad/roster.h. */
int change_put(struct roster_change *change, const struct riad_member *member) RIAD_MUST_CHECK;
int change_role(struct roster_change *change, const struct riad_id *member,
        enum riad_role role) RIAD_MUST_CHECK;
int change_remove(struct roster_change *change, const struct riad_id *member) RIAD_MUST_CHECK;
/* Sends what was drafted. Exit code; reported. */
int send_change(const struct site_client *client, const struct roster_change *change);
/* Drafts a new root key for those who are members then, sends all, and has riadd go on with the new
 * key. --force: what is open there is cut before. Exit code; reported. */
int send_with_epoch(const struct options *options, const struct site_client *client,
        struct roster_change *change);

#endif
