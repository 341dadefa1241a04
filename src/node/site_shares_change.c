/* Grants of users and groups in the catalog: how they change. */
#include <stdlib.h>
#include <time.h>

#include "riad/error.h"
#include "riad/thread.h"

#include "site_shares_priv.h"

enum { TRIES_MAX = 100, ORPHANS_MS = 1000 };

int riad_shares_note(
        struct share_changes *changes, const struct riad_id *workspace, struct amount amount)
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
    changes->items[at] =
            (struct riad_catalog_grant){ *workspace, amount.of[BYTES], amount.of[INODES] };
    return 0;
}

static struct amount changed(
        const struct riad_catalog_grant *grant, const struct share_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        if (riad_id_equal(&changes->items[i].workspace, &grant->workspace)) {
            grant = &changes->items[i];
            break;
        }
    }
    return (struct amount){ { grant->bytes, grant->inodes } };
}

struct amount riad_shares_granted(const struct riad_catalog_subject *subject,
        const struct riad_id *workspace, const struct share_changes *changes)
{
    const struct riad_catalog_grant none = { .workspace = *workspace };
    const struct riad_catalog_grant *grant = riad_catalog_find_grant(subject, workspace);

    return changed(grant ? grant : &none, changes);
}

struct amount riad_shares_sum(
        const struct riad_catalog_subject *subject, const struct share_changes *changes)
{
    struct amount sum = { { 0 } };

    for (size_t i = 0; i < subject->grant_count; i++) {
        struct amount granted = changed(&subject->grants[i], changes);

        sum.of[BYTES] += granted.of[BYTES];
        sum.of[INODES] += granted.of[INODES];
    }
    for (size_t i = 0; i < changes->count; i++) {
        if (!riad_catalog_find_grant(subject, &changes->items[i].workspace)) {
            sum.of[BYTES] += changes->items[i].bytes;
            sum.of[INODES] += changes->items[i].inodes;
        }
    }
    return sum;
}

void riad_shares_find_over(const struct riad_catalog_subject *subject,
        const struct share_changes *changes, bool ret[static RESOURCES])
{
    struct amount sum = riad_shares_sum(subject, changes);

    for (unsigned i = 0; i < RESOURCES; i++) {
        const struct bound bound = bound_of(&subject->limit, &changes->clock, i);

        ret[i] = sum.of[i] > ceiling(&bound, changes->now);
    }
}

void riad_shares_settle(const struct riad_catalog_subject *subject, struct share_changes *changes)
{
    struct amount sum = riad_shares_sum(subject, changes);
    uint64_t *const clocks[RESOURCES] = { &changes->clock.bytes_over_since,
        &changes->clock.inodes_over_since };

    for (unsigned i = 0; i < RESOURCES; i++) {
        const struct bound bound = bound_of(&subject->limit, &changes->clock, i);
        bool over = bound.soft > 0 && sum.of[i] > bound.soft;

        if (over != (bound.since > 0)) {
            *clocks[i] = over ? changes->now : 0;
        }
    }
}

/* (lock) What of a grant is kept: what is used. The mount is bound by it at once, or by less
 * already: so usage does not grow between the two. (held) */
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
        ret->of[BYTES] = larger(kept.blocks, used.blocks) * RIAD_BLOCK_SIZE;
    }
    if (kept.inodes != RIAD_NO_LIMIT) {
        ret->of[INODES] = larger(kept.inodes, used.inodes);
    }
    return 0;
}

int riad_shares_take_back(struct riad_mount *mount, const struct riad_catalog_subject *subject,
        struct share_changes *changes)
{
    struct amount before = riad_shares_granted(subject, &mount->id, changes), now;
    int r = keep_used(mount, subject, before, &now);

    if (r < 0) {
        return r == -ENOENT ? 0 : r;
    }
    return covers(&now, &before) ? 0 : riad_shares_note(changes, &mount->id, now);
}

int riad_shares_take_back_all(struct riad_site_host *site, const struct riad_mount *but,
        const struct riad_catalog_subject *subject, struct share_changes *changes)
{
    struct riad_host *host = &site->host;
    uint64_t until = riad_now_ns() + (uint64_t)ORPHANS_MS * 1000000;
    int r = 0;

    for (size_t i = 0; i < host->mount_count && r == 0; i++) {
        struct riad_mount *mount = &host->mounts[i];

        if (mount != but && riad_host_hold(host, mount)) {
            riad_workspace_await_orphans(mount->workspace, until);
            r = riad_shares_take_back(mount, subject, changes);
            riad_host_unhold(host, mount);
        }
    }
    return r;
}

static bool is_new_clock(
        const struct riad_catalog_subject *subject, const struct share_changes *changes)
{
    return subject->clock.bytes_over_since != changes->clock.bytes_over_since ||
           subject->clock.inodes_over_since != changes->clock.inodes_over_since;
}

/* (lock) */
static int publish(struct riad_site_host *site, const struct riad_catalog_subject *of,
        const struct share_changes *changes)
{
    const struct riad_catalog_subject subject = { of->kind, of->id, { 0 }, changes->items,
        changes->count, changes->clock };
    bool new_clock = is_new_clock(of, changes);
    int r;

    if (changes->count == 0 && !new_clock) {
        return 0;
    }
    r = riad_catalog_set_grants(&site->node.store, &site->keys, &site->catalog, &subject);
    if (r < 0) {
        return r;
    }
    site->shares_applied += changes->count + new_clock; /* by who publishes them */
    r = riad_mark_catalog(&site->node.store, &site->node.state, &site->catalog);
    return r == 0 && new_clock ? riad_shares_apply_all(site) : r;
}

static int reckon(struct riad_site_host *site, const struct riad_catalog_subject *subject,
        riad_shares_function function, void *context)
{
    struct share_changes changes = { .clock = subject->clock, .now = (uint64_t)time(NULL) };
    int r = function(site, subject, context, &changes);

    if (r == 0) {
        riad_shares_settle(subject, &changes);
        r = publish(site, subject, &changes);
    }
    free(changes.items);
    return r;
}

int riad_shares_change(struct riad_site_host *site, enum riad_catalog_subject_kind kind,
        uint32_t id, riad_shares_function function, void *context)
{
    int r = -ESTALE;

    for (unsigned tries = 0; r == -ESTALE && tries < TRIES_MAX; tries++) {
        const struct riad_catalog_subject *subject;

        r = tries > 0 ? riad_catalog_catch_up(&site->node.store, &site->catalog) : 0;
        subject = riad_catalog_find_subject(&site->catalog, kind, id);
        if (r == 0) {
            r = subject ? reckon(site, subject, function, context) : -ENOENT;
        }
    }
    return r == -ESTALE ? -EAGAIN : r;
}
