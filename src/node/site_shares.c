/* Limits of users and groups at a site (riad/grants.h): who has a workspace open keeps to the
 * grants of the catalog, and raises them there before more is used. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "riad/diag.h"
#include "riad/error.h"
#include "riad/events.h"
#include "riad/grants.h"

#include "control_priv.h"
#include "site_amount_priv.h"
#include "site_host_priv.h"

enum {
    SCARCE = 16,           /* a part of the limit */
    PATIENCE_SECONDS = 20, /* for the site's lock: who has it may wait for what waits here */
};

static struct amount granted_to(
        const struct riad_catalog_subject *subject, const struct riad_id *workspace)
{
    const struct riad_catalog_grant *grant = riad_catalog_find_grant(subject, workspace);

    return grant ? (struct amount){ grant->bytes, grant->inodes } : (struct amount){ 0 };
}

/* --- what mounts keep to --- */

/* More is granted than there is: it was used when the limit was set or the workspace opened. Then
 * nobody grows without asking, or what is freed would be used again above the limit. */
static void find_over(const struct riad_catalog_subject *subject, bool *ret_bytes, bool *ret_inodes)
{
    struct amount sum = { 0 };

    for (size_t i = 0; i < subject->grant_count; i++) {
        sum.bytes += subject->grants[i].bytes;
        sum.inodes += subject->grants[i].inodes;
    }
    *ret_bytes = subject->limit.bytes_hard > 0 && sum.bytes > subject->limit.bytes_hard;
    *ret_inodes = subject->limit.inodes_hard > 0 && sum.inodes > subject->limit.inodes_hard;
}

static bool is_over(const struct riad_catalog_subject *subject)
{
    bool bytes, inodes;

    find_over(subject, &bytes, &inodes);
    return bytes || inodes;
}

static struct riad_grant grant_of(
        const struct riad_catalog_subject *subject, const struct riad_id *workspace)
{
    struct amount granted = granted_to(subject, workspace);
    bool bytes, inodes;

    find_over(subject, &bytes, &inodes);
    granted.bytes = bytes ? 0 : granted.bytes;
    granted.inodes = inodes ? 0 : granted.inodes;

    return (struct riad_grant){ .subject = (enum riad_subject)subject->kind,
        .id = subject->id,
        .most = { subject->limit.bytes_hard > 0 ? granted.bytes / RIAD_BLOCK_SIZE : RIAD_NO_LIMIT,
                subject->limit.inodes_hard > 0 ? granted.inodes : RIAD_NO_LIMIT } };
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

/* --- changes of the catalog --- */

/* Grants of one subject that are to be published. */
struct changes {
    enum riad_catalog_subject_kind kind;
    uint32_t id;
    struct riad_catalog_grant *items;
    size_t count;
};

static void changes_done(struct changes *changes)
{
    free(changes->items);
}

/* In place of what was noted of that workspace before. */
static int note(struct changes *changes, const struct riad_id *workspace, struct amount amount)
{
    struct riad_catalog_grant *items;
    size_t at = 0;

    while (at < changes->count && !riad_id_equal(&changes->items[at].workspace, workspace)) {
        at++;
    }
    if (at == changes->count) {
        items = reallocarray(changes->items, changes->count + 1, sizeof *items);
        if (!items) {
            return -ENOMEM;
        }
        changes->items = items;
        changes->count++;
    }
    changes->items[at] = (struct riad_catalog_grant){ *workspace, amount.bytes, amount.inodes };
    return 0;
}

/* (lock) */
static int publish(struct riad_site_host *site, const struct changes *changes)
{
    const struct riad_catalog_subject subject = { changes->kind, changes->id, { 0 }, changes->items,
        changes->count };
    int r;

    if (changes->count == 0) {
        return 0;
    }
    r = riad_catalog_set_grants(&site->node.store, &site->keys, &site->catalog, &subject);
    if (r < 0) {
        return r;
    }
    site->shares_applied += changes->count; /* by who publishes them */
    return riad_mark_catalog(&site->node.store, &site->node.state, &site->catalog);
}

/* As it will be when the changes are published. */
static struct amount changed(const struct riad_catalog_grant *grant, const struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        if (riad_id_equal(&changes->items[i].workspace, &grant->workspace)) {
            return (struct amount){ changes->items[i].bytes, changes->items[i].inodes };
        }
    }
    return (struct amount){ grant->bytes, grant->inodes };
}

static struct amount changed_of(const struct riad_catalog_subject *subject,
        const struct riad_id *workspace, const struct changes *changes)
{
    const struct riad_catalog_grant *grant = riad_catalog_find_grant(subject, workspace);

    return grant ? changed(grant, changes) : (struct amount){ 0 };
}

/* (lock) What of the limit is in nobody's grant. */
static struct amount left_of(
        const struct riad_catalog_subject *subject, const struct changes *changes)
{
    const struct riad_catalog_limit *limit = &subject->limit;
    struct amount sum = { 0 };

    for (size_t i = 0; i < subject->grant_count; i++) {
        struct amount granted = changed(&subject->grants[i], changes);

        sum.bytes += granted.bytes;
        sum.inodes += granted.inodes;
    }
    return (struct amount){
        limit->bytes_hard > sum.bytes ? limit->bytes_hard - sum.bytes : 0,
        limit->inodes_hard > sum.inodes ? limit->inodes_hard - sum.inodes : 0,
    };
}

/* (lock) What of a grant is kept: what is used. The mount is bound by it at once, or by less
 * already (find_over): so usage does not grow between the two. (held) */
static int keep_used(struct riad_mount *mount, const struct riad_catalog_subject *subject,
        struct amount before, struct amount *ret)
{
    const struct riad_usage none = { 0 };
    struct riad_usage kept, used;
    int r = riad_workspace_lower_grant(
            mount->workspace, (enum riad_subject)subject->kind, subject->id, &none, &kept);

    if (r == 0) {
        r = riad_workspace_owner_usage(
                mount->workspace, (enum riad_subject)subject->kind, subject->id, &used);
    }
    if (r < 0) {
        return r;
    }
    *ret = before;
    if (kept.blocks != RIAD_NO_LIMIT) {
        ret->bytes = larger(kept.blocks, used.blocks) * RIAD_BLOCK_SIZE;
    }
    if (kept.inodes != RIAD_NO_LIMIT) {
        ret->inodes = larger(kept.inodes, used.inodes);
    }
    return 0;
}

/* (lock) What a mount does not use of its grant, it has no more; noted to be published. (held) */
static int take_back(struct riad_site_host *site, struct riad_mount *mount, struct changes *changes)
{
    const struct riad_catalog_subject *subject =
            riad_catalog_find_subject(&site->catalog, changes->kind, changes->id);
    struct amount before = granted_to(subject, &mount->id), now;
    int r = keep_used(mount, subject, before, &now);

    if (r < 0) {
        return r == -ENOENT ? 0 : r;
    }
    return now.bytes < before.bytes || now.inodes < before.inodes ? note(changes, &mount->id, now)
                                                                  : 0;
}

/* (lock) Of all that are open here, but for one. */
static int take_back_all(
        struct riad_site_host *site, const struct riad_mount *but, struct changes *changes)
{
    struct riad_host *host = &site->host;
    int r = 0;

    for (size_t i = 0; i < host->mount_count && r == 0; i++) {
        struct riad_mount *mount = &host->mounts[i];

        if (mount != but && riad_host_hold(host, mount)) {
            r = take_back(site, mount, changes);
            riad_host_unhold(host, mount);
        }
    }
    return r;
}

/* (lock) */
static int raise_limited(struct riad_site_host *site, struct riad_mount *mount,
        const struct riad_catalog_subject *subject, const struct riad_usage *needed)
{
    __attribute__((cleanup(changes_done))) struct changes changes = { subject->kind, subject->id,
        NULL, 0 };
    struct amount granted = granted_to(subject, &mount->id);
    struct amount wanted = wanted_of(subject, needed);
    struct amount now = grow(&subject->limit, granted, wanted, left_of(subject, &changes));
    bool over = is_over(subject), more;
    int r = 0;

    if (over || !covers(now, wanted)) {
        r = take_back_all(site, over ? NULL : mount, &changes);
        granted = changed_of(subject, &mount->id, &changes);
        now = grow(&subject->limit, granted, wanted, left_of(subject, &changes));
    }
    more = now.bytes > granted.bytes || now.inodes > granted.inodes;
    if (r == 0 && more) {
        r = note(&changes, &mount->id, now);
    }
    if (r == 0) {
        r = publish(site, &changes); /* before it is used */
    }
    if (r == 0) {
        r = apply(site, mount); /* also where it had as much, and was kept from it (find_over) */
    }
    return r < 0 ? r : covers(now, wanted) ? 0 : -EDQUOT;
}

/* (lock) */
static int raise_locked(struct riad_site_host *site, struct riad_mount *mount,
        enum riad_subject kind, uint32_t id, const struct riad_usage *needed)
{
    struct riad_reason reason = { "" };
    const struct riad_catalog_subject *subject;
    int r = riad_site_host_refresh(site, &reason) == RIAD_EXIT_DONE ? 0 : -EIO;

    if (r < 0) {
        riad_diag(RIAD_WARNING, "riadd: a grant cannot be raised: %s", reason.text);
        return r;
    }
    subject = riad_catalog_find_subject(&site->catalog, (enum riad_catalog_subject_kind)kind, id);
    if (!subject || !is_limited(subject)) {
        return apply(site, mount); /* it was lifted */
    }
    r = raise_limited(site, mount, subject, needed);
    /* The list is another one after a change. */
    subject = riad_catalog_find_subject(&site->catalog, (enum riad_catalog_subject_kind)kind, id);
    if (subject) {
        riad_site_watch_subject(site, mount, subject, needed);
    }
    return r;
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
static int register_usage(struct riad_site_host *site, struct riad_mount *mount,
        const struct riad_catalog_subject *subject)
{
    __attribute__((cleanup(changes_done))) struct changes changes = { subject->kind, subject->id,
        NULL, 0 };
    struct amount granted = granted_to(subject, &mount->id), used;
    struct riad_usage usage;
    int r = riad_workspace_owner_usage(
            mount->workspace, (enum riad_subject)subject->kind, subject->id, &usage);

    if (r < 0) {
        return r;
    }
    used = wanted_of(subject, &usage);
    if (covers(granted, used)) {
        return 0;
    }
    r = note(&changes, &mount->id,
            (struct amount){
                    larger(granted.bytes, used.bytes), larger(granted.inodes, used.inodes) });
    return r < 0 ? r : publish(site, &changes);
}

/* (lock) Of all with a limit. */
static int register_all(struct riad_site_host *site, struct riad_mount *mount)
{
    int r = 0;

    /* The list is another one after each change, of the same subjects. */
    for (size_t i = 0; i < site->catalog.subject_count && r == 0; i++) {
        if (is_limited(&site->catalog.subjects[i])) {
            r = register_usage(site, mount, &site->catalog.subjects[i]);
        }
    }
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

/* (lock) */
static bool is_any_over(const struct riad_site_host *site)
{
    size_t i = 0;

    while (i < site->catalog.subject_count && !is_over(&site->catalog.subjects[i])) {
        i++;
    }
    return i < site->catalog.subject_count;
}

/* (lock) What one uses already may make it too much for all: then none may grow without asking. */
static int follow(struct riad_site_host *site, struct riad_mount *mount)
{
    int r = register_all(site, mount);

    r = r < 0 ? r : apply(site, mount);
    return r == 0 && is_any_over(site) ? for_each_mount(site, apply) : r;
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

/* (lock) Little is left for whoever asks: what is spare here should not be. */
static int release_scarce(struct riad_site_host *site)
{
    int r = 0;

    for (size_t i = 0; i < site->catalog.subject_count && r == 0; i++) {
        const struct riad_catalog_subject *subject = &site->catalog.subjects[i];
        __attribute__((cleanup(changes_done))) struct changes changes = { subject->kind,
            subject->id, NULL, 0 };
        struct amount left = left_of(subject, &changes);

        if ((subject->limit.bytes_hard > 0 && left.bytes < subject->limit.bytes_hard / SCARCE) ||
                (subject->limit.inodes_hard > 0 &&
                        left.inodes < subject->limit.inodes_hard / SCARCE)) {
            r = take_back_all(site, NULL, &changes);
            r = r < 0 ? r : publish(site, &changes);
        }
    }
    return r;
}

void riad_site_follow_all_grants(struct riad_site_host *site)
{
    int r = release_scarce(site);

    (void)r;                         /* whoever asks next tries it again */
    r = for_each_mount(site, apply); /* bound first, so that no more is used when it is granted */
    (void)r;                         /* of this and the next, what fails is told */
    r = for_each_mount(site, register_all);
    (void)r;
    r = for_each_mount(site, apply);
    (void)r;
}

static int release(struct riad_site_host *site, struct riad_mount *mount)
{
    int r = 0;

    for (size_t i = 0; i < site->catalog.subject_count && r == 0; i++) {
        const struct riad_catalog_subject *subject = &site->catalog.subjects[i];
        __attribute__((cleanup(changes_done))) struct changes changes = { subject->kind,
            subject->id, NULL, 0 };

        r = is_limited(subject) ? take_back(site, mount, &changes) : 0;
        r = r < 0 ? r : publish(site, &changes);
    }
    return r;
}

void riad_site_release_grants(struct riad_mount *mount)
{
    struct riad_site_mount *own = mount->site;
    struct riad_site_host *site = own->site;
    struct riad_reason reason;

    if (site->catalog.subject_count == 0 || !lock_patiently(site)) {
        return; /* what is spare stays granted until it is opened and closed again */
    }
    if (riad_site_host_refresh(site, &reason) == RIAD_EXIT_DONE) {
        int r = release(site, mount);

        (void)r; /* as above */
    }
    pthread_mutex_unlock(&site->lock);
}
