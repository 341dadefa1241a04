/* Changes of the grants of a user or group, reckoned and published as one. */
#ifndef RIAD_SITE_SHARES_PRIV_H
#define RIAD_SITE_SHARES_PRIV_H

#include "site_amount_priv.h"
#include "site_host_priv.h"

/* What is to be published of one subject. */
struct share_changes {
    struct riad_catalog_grant *items;
    size_t count;
    struct riad_catalog_clock clock;
    uint64_t now; /* seconds since 1970, when it is reckoned */
};

/* In place of what was noted of that workspace before. -ENOMEM. */
int riad_shares_note(struct share_changes *changes, const struct riad_id *workspace,
        struct amount amount) RIAD_MUST_CHECK;
/* The workspace's grant, and all of them, as they will be when the changes are published. */
struct amount riad_shares_granted(const struct riad_catalog_subject *subject,
        const struct riad_id *workspace, const struct share_changes *changes);
struct amount riad_shares_sum(
        const struct riad_catalog_subject *subject, const struct share_changes *changes);
/* Whether more will be granted than there is; of each resource. It was used when the limit was set
 * or the workspace opened, or the grace is over. */
void riad_shares_find_over(const struct riad_catalog_subject *subject,
        const struct share_changes *changes, bool ret[static RESOURCES]);
/* Clocks of soft limits begin where more will be granted, and end where no more will be. */
void riad_shares_settle(const struct riad_catalog_subject *subject, struct share_changes *changes);
/* (lock) What of its grant a mount does not use, it has no more; or all that are open here, but for
 * one (NULL: of all). Noted to be published. (held) */
int riad_shares_take_back(struct riad_mount *mount, const struct riad_catalog_subject *subject,
        struct share_changes *changes) RIAD_MUST_CHECK;
int riad_shares_take_back_all(struct riad_site_host *site, const struct riad_mount *but,
        const struct riad_catalog_subject *subject, struct share_changes *changes) RIAD_MUST_CHECK;

/* Notes what is to change. */
typedef int (*riad_shares_function)(struct riad_site_host *site,
        const struct riad_catalog_subject *subject, void *context, struct share_changes *changes);
/* (lock) Publishes what the function notes, with clocks settled; when another node was faster, it
 * is asked again, of what is in the catalog then. Where a clock changed, all mounts keep to it.
 * -ENOENT the subject has no limit any more. */
int riad_shares_change(struct riad_site_host *site, enum riad_catalog_subject_kind kind,
        uint32_t id, riad_shares_function function, void *context) RIAD_MUST_CHECK;

/* site_shares.c. (lock) Each mount that is open keeps to the catalog's grants from now on; where
 * one cannot, it is an event, and the first error is returned. */
int riad_shares_apply_all(struct riad_site_host *site) RIAD_MUST_CHECK;

#endif
