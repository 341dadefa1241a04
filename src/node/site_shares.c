/* Limits of users and groups at a site (riad/grants.h): who has a workspace open keeps to the
 * grants of the catalog, and raises them there before more is used. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "riad/diag.h"
#include "riad/error.h"
#include "riad/events.h"

#include "control_priv.h"
#include "site_shares_priv.h"

enum { PATIENCE_SECONDS = 20 }; /* for the site's lock: who has it may wait for what waits here */

/* --- what mounts keep to --- */

static struct share_changes no_changes(const struct riad_catalog_subject *subject)
{
    return (struct share_changes){ .clock = subject->clock, .now = (uint64_t)time(NULL) };
}

static bool is_over(const struct riad_catalog_subject *subject, const struct share_changes *changes)
{
    bool over[RESOURCES];

    riad_shares_find_over(subject, changes, over);
    return over[BYTES] || over[INODES];
}

/* While more is granted than there is, nobody grows without asking, or what is freed would be used
 * again above the limit. */
static struct riad_grant grant_of(
        const struct riad_catalog_subject *subject, const struct riad_id *workspace)
{
    const struct share_changes none = no_changes(subject);
    const struct bound bytes = bound_of(&subject->limit, &subject->clock, BYTES);
    const struct bound inodes = bound_of(&subject->limit, &subject->clock, INODES);
    struct amount granted = riad_shares_granted(subject, workspace, &none);
    bool over[RESOURCES];

    riad_shares_find_over(subject, &none, over);
    for (unsigned i = 0; i < RESOURCES; i++) {
        granted.of[i] = over[i] ? 0 : granted.of[i];
    }
    return (struct riad_grant){ .subject = (enum riad_subject)subject->kind,
        .id = subject->id,
        .most = { is_bound(&bytes) ? granted.of[BYTES] / RIAD_BLOCK_SIZE : RIAD_NO_LIMIT,
                is_bound(&inodes) ? granted.of[INODES] : RIAD_NO_LIMIT },
        .blocks_until = grace_end(&bytes),
        .inodes_until = grace_end(&inodes) };
}

/* (lock) The workspace keeps to the catalog's grants from now on. */
static int apply(struct riad_site_host *site, struct riad_mount *mount)
{
    const struct riad_catalog *catalog = &site->catalog;
    struct riad_grant *grants = calloc(catalog->subject_count + 1, sizeof *grants);
    size_t count = 0;
    int r;

    if (!grants) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < catalog->subject_count; i++) {
        if (is_limited(&catalog->subjects[i])) {
            grants[count++] = grant_of(&catalog->subjects[i], &mount->id);
        }
    }
    r = riad_workspace_set_grants(mount->workspace, grants, count);
    free(grants);
    return r;
}

/* (lock) For each that is open; what fails for one is told, and does not keep the others from it.
 * The first error. */
static int for_each_mount(struct riad_site_host *site,
        int (*function)(struct riad_site_host *site, struct riad_mount *mount))
{
    struct riad_host *host = &site->host;
    int first = 0;

    for (size_t i = 0; i < host->mount_count; i++) {
        struct riad_mount *mount = &host->mounts[i];
        int r;

        if (!riad_host_hold(host, mount)) {
            continue;
        }
        r = function(site, mount);
        riad_host_unhold(host, mount);
        if (r < 0) {
            riad_events_record(&host->state, "problem", &site->node.store.binding.store, &mount->id,
                    "limits of users and groups cannot be followed: %s", strerror(-r));
        }
        first = first < 0 ? first : r;
    }
    return first;
}

int riad_shares_apply_all(struct riad_site_host *site)
{
    return for_each_mount(site, apply);
}

/* --- who needs more --- */

struct raise {
    struct riad_mount *mount;
    const struct riad_usage *needed;
    bool enough; /* what was needed is granted */
};

static struct amount grow(const struct riad_catalog_subject *subject, struct amount granted,
        struct amount wanted, const struct share_changes *changes)
{
    struct amount sum = riad_shares_sum(subject, changes);

    for (unsigned i = 0; i < RESOURCES; i++) {
        const struct bound bound = bound_of(&subject->limit, &changes->clock, i);

        granted.of[i] = grown(&bound, i, granted.of[i], wanted.of[i], sum.of[i], changes->now);
    }
    return granted;
}

/* A soft limit would be passed that is not passed yet: what is only spare elsewhere should not
 * count. */
static bool passes_soft(const struct riad_catalog_subject *subject, struct amount before,
        struct amount after, const struct share_changes *changes)
{
    struct amount sum = riad_shares_sum(subject, changes);
    bool passes = false;

    for (unsigned i = 0; i < RESOURCES; i++) {
        const struct bound bound = bound_of(&subject->limit, &changes->clock, i);

        passes |= bound.soft > 0 && bound.since == 0 &&
                  sum.of[i] - before.of[i] + after.of[i] > bound.soft;
    }
    return passes;
}

/* (lock) */
static int reckon_raise(struct riad_site_host *site, const struct riad_catalog_subject *subject,
        void *context, struct share_changes *changes)
{
    struct raise *raise = context;
    const struct riad_id *workspace = &raise->mount->id;
    struct amount granted = riad_shares_granted(subject, workspace, changes);
    struct amount wanted = wanted_of(subject, raise->needed);
    struct amount now = grow(subject, granted, wanted, changes);
    bool over = is_over(subject, changes);
    int r = 0;

    if (over || !covers(&now, &wanted) || passes_soft(subject, granted, now, changes)) {
        r = riad_shares_take_back_all(site, over ? NULL : raise->mount, subject, changes);
        riad_shares_settle(subject, changes); /* so little is used that a grace ends */
        granted = riad_shares_granted(subject, workspace, changes);
        now = grow(subject, granted, wanted, changes);
    }
    if (r == 0 && !covers(&granted, &now)) {
        r = riad_shares_note(changes, workspace, now);
    }
    raise->enough = covers(&now, &wanted);
    return r;
}

/* (lock) */
static int raise_locked(struct riad_site_host *site, struct riad_mount *mount,
        enum riad_subject kind, uint32_t id, const struct riad_usage *needed)
{
    struct raise raise = { mount, needed, true };
    struct riad_reason reason = { "" };
    const struct riad_catalog_subject *subject;
    int r = riad_site_host_refresh(site, &reason) == RIAD_EXIT_DONE ? 0 : -EIO;

    if (r < 0) {
        riad_diag(RIAD_WARNING, "riadd: a grant cannot be raised: %s", reason.text);
        return r;
    }
    subject = riad_catalog_find_subject(&site->catalog, (enum riad_catalog_subject_kind)kind, id);
    if (subject && is_limited(subject)) { /* else it was lifted */
        r = riad_shares_change(
                site, (enum riad_catalog_subject_kind)kind, id, reckon_raise, &raise);
    }
    if (r == 0) {
        r = apply(site, mount); /* also where it had as much, and was kept from it (grant_of) */
    }
    /* The list is another one after a change. */
    subject = riad_catalog_find_subject(&site->catalog, (enum riad_catalog_subject_kind)kind, id);
    if (subject) {
        riad_site_watch_subject(site, mount, subject, needed);
    }
    return r < 0 ? r : raise.enough ? 0 : -EDQUOT;
}

static bool lock_patiently(struct riad_site_host *site)
{
    struct timespec until = { 0 };

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_SECONDS;
    return pthread_mutex_timedlock(&site->lock, &until) == 0;
}

int riad_site_raise_grant(
        void *context, enum riad_subject kind, uint32_t id, const struct riad_usage *needed)
{
    struct riad_mount *mount = context;
    struct riad_site_mount *own = mount->site;
    struct riad_site_host *site = own->site;
    int r;

    if (!lock_patiently(site)) {
        return -EDQUOT;
    }
    r = raise_locked(site, mount, kind, id, needed);
    pthread_mutex_unlock(&site->lock);
    return r;
}

/* --- when a workspace is opened, a limit is set, a workspace is closed --- */

/* (lock) What is used already is granted, also above the limit: so all that is used counts. */
static int reckon_usage(struct riad_site_host *site, const struct riad_catalog_subject *subject,
        void *context, struct share_changes *changes)
{
    struct riad_mount *mount = context;
    struct amount granted = riad_shares_granted(subject, &mount->id, changes), used;
    struct riad_usage usage;
    int r = riad_workspace_owner_usage(
            mount->workspace, (enum riad_subject)subject->kind, subject->id, &usage);

    (void)site;
    if (r < 0) {
        return r;
    }
    used = wanted_of(subject, &usage);
    if (covers(&granted, &used)) {
        return 0;
    }
    for (unsigned i = 0; i < RESOURCES; i++) {
        used.of[i] = larger(granted.of[i], used.of[i]);
    }
    return riad_shares_note(changes, &mount->id, used);
}

static bool has_clock(const struct riad_catalog_subject *subject)
{
    return subject->clock.bytes_over_since > 0 || subject->clock.inodes_over_since > 0;
}

/* (lock) One after the other, all that have a limit, or whose clock is to be ended. */
static int for_each_limited(
        struct riad_site_host *site, riad_shares_function function, void *context)
{
    int r = 0;

    /* The list is another one after each change, of the same subjects. */
    for (size_t i = 0; i < site->catalog.subject_count && r == 0; i++) {
        const struct riad_catalog_subject *subject = &site->catalog.subjects[i];

        if (is_limited(subject) || has_clock(subject)) {
            r = riad_shares_change(site, subject->kind, subject->id, function, context);
        }
    }
    return r;
}

/* (lock) */
static int register_all(struct riad_site_host *site, struct riad_mount *mount)
{
    return for_each_limited(site, reckon_usage, mount);
}

/* (lock) */
static bool is_any_over(const struct riad_site_host *site)
{
    bool over = false;

    for (size_t i = 0; i < site->catalog.subject_count && !over; i++) {
        const struct share_changes none = no_changes(&site->catalog.subjects[i]);

        over = is_over(&site->catalog.subjects[i], &none);
    }
    return over;
}

/* (lock) What one uses already may make it too much for all: then none may grow without asking. */
static int follow(struct riad_site_host *site, struct riad_mount *mount)
{
    int r = register_all(site, mount);

    r = r < 0 ? r : apply(site, mount);
    return r == 0 && is_any_over(site) ? riad_shares_apply_all(site) : r;
}

/* (lock) */
static int register_exempt(struct riad_site_host *site, struct riad_mount *mount)
{
    return riad_workspace_exempt_grew(mount->workspace) ? follow(site, mount) : 0;
}

void riad_site_register_exempt(struct riad_site_host *site)
{
    int r = for_each_mount(site, register_exempt);

    (void)r; /* what fails is told */
}

int riad_site_prepare_grants(struct riad_mount *mount, struct riad_reason *ret_reason)
{
    struct riad_site_mount *own = mount->site;
    struct riad_site_host *site = own->site;
    int r;

    pthread_mutex_lock(&site->lock);
    r = follow(site, mount);
    pthread_mutex_unlock(&site->lock);
    return r < 0 ? riad_reason_set(ret_reason, riad_exit_of(r),
                           "limits of users and groups cannot be followed: %s", strerror(-r))
                 : RIAD_EXIT_DONE;
}

/* Little is left until a limit, so that what is spare here should not be. */
static bool is_scarce(
        const struct riad_catalog_subject *subject, const struct share_changes *changes)
{
    struct amount sum = riad_shares_sum(subject, changes);
    bool scarce = false;

    for (unsigned i = 0; i < RESOURCES; i++) {
        const struct bound bound = bound_of(&subject->limit, &changes->clock, i);
        uint64_t hard = ceiling(&bound, changes->now), soft = bound.since > 0 ? 0 : bound.soft;

        scarce |= (hard < UINT64_MAX && less(hard, sum.of[i]) < hard / SCARCE) ||
                  (soft > 0 && less(soft, sum.of[i]) < soft / SCARCE);
    }
    return scarce;
}

/* (lock) Before anything else is done by new limits. */
static int reckon_scarce(struct riad_site_host *site, const struct riad_catalog_subject *subject,
        void *context, struct share_changes *changes)
{
    (void)context;
    return is_scarce(subject, changes) ? riad_shares_take_back_all(site, NULL, subject, changes)
                                       : 0;
}

void riad_site_follow_all_grants(struct riad_site_host *site)
{
    int r = for_each_limited(site, reckon_scarce, NULL);

    (void)r;                         /* whoever asks next tries it again */
    r = riad_shares_apply_all(site); /* bound first, so that no more is used when it is granted */
    (void)r;                         /* of this and the next, what fails is told */
    r = for_each_mount(site, register_all);
    (void)r;
    r = riad_shares_apply_all(site);
    (void)r;
}

/* (lock) */
static int reckon_spare(struct riad_site_host *site, const struct riad_catalog_subject *subject,
        void *context, struct share_changes *changes)
{
    (void)context;
    return riad_shares_take_back_all(site, NULL, subject, changes);
}

int riad_site_release_spare(
        struct riad_site_host *site, enum riad_catalog_subject_kind kind, uint32_t id)
{
    int r = riad_shares_change(site, kind, id, reckon_spare, NULL);

    return r < 0 ? r : riad_shares_apply_all(site);
}

/* (lock) */
static int reckon_release(struct riad_site_host *site, const struct riad_catalog_subject *subject,
        void *context, struct share_changes *changes)
{
    (void)site;
    return riad_shares_take_back(context, subject, changes);
}

void riad_site_release_grants(struct riad_mount *mount)
{
    struct riad_site_mount *own = mount->site;
    struct riad_site_host *site = own->site;
    struct riad_reason reason;

    if (!lock_patiently(site)) {
        return; /* what is spare stays granted until it is opened and closed again */
    }
    if (site->catalog.subject_count > 0 &&
            riad_site_host_refresh(site, &reason) == RIAD_EXIT_DONE) {
        int r = for_each_limited(site, reckon_release, mount);

        (void)r; /* as above */
    }
    pthread_mutex_unlock(&site->lock);
}
