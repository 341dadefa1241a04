/* What keys that were given lead to: a workspace of the catalog, its roster, and who may open it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/events.h"

#include "site_host_priv.h"

static bool is_project(const struct riad_site_target *target)
{
    return target->entry.kind == RIAD_KIND_PROJECT;
}

/* (lock) The catalog's lists are not the copy's. */
static int copy_entry(const struct riad_catalog_workspace *entry, struct riad_site_target *ret)
{
    ret->entry = *entry;
    ret->entry.members = NULL;
    ret->entry.epoch_ends = NULL;
    ret->entry.term_bounds = NULL;
    ret->entry.member_count = ret->entry.epoch_end_count = ret->entry.term_bound_count = 0;
    ret->ends = calloc(entry->epoch_end_count + 1, sizeof *ret->ends);
    if (!ret->ends) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < entry->epoch_end_count; i++) {
        const struct riad_catalog_epoch_end *end = &entry->epoch_ends[i];
        const struct riad_sequence sequence = { end->term, end->number };

        ret->ends[i].epoch = end->epoch;
        ret->ends[i].end = (struct riad_end){ .sequence = sequence, .chain = end->chain };
        ret->ends[i].segment = end->segment;
    }
    ret->end_count = entry->epoch_end_count;
    return 0;
}

static int find_entry(struct riad_site_host *site, const struct riad_key_grant *grant,
        struct riad_site_target *ret, struct riad_reason *reason)
{
    const struct riad_catalog_user *user = riad_site_host_user(site, grant->uid), *owner;
    const struct riad_catalog_workspace *entry =
            riad_catalog_find(&site->catalog, &grant->workspace);

    if (!user) {
        return riad_reason_set(reason, RIAD_EXIT_NOT_PERMITTED,
                "uid %u is no user of this site: `riad user enroll`", grant->uid);
    }
    owner = entry ? riad_catalog_find_user(&site->catalog, &entry->owner) : NULL;
    if (!entry || entry->deleted || !owner) {
        return riad_reason_set(reason, RIAD_EXIT_FAILED, "the site has no such workspace");
    }
    if (owner->disabled && entry->kind == RIAD_KIND_HOME) {
        return riad_reason_set(
                reason, RIAD_EXIT_NOT_PERMITTED, "its owner is disabled at this site");
    }
    ret->user = *user;
    ret->owner = *owner;
    return copy_entry(entry, ret) < 0 ? riad_reason_set(reason, RIAD_EXIT_FAILED, "no memory")
                                      : RIAD_EXIT_DONE;
}

static int look_up(struct riad_site_host *site, const struct riad_key_grant *grant,
        struct riad_site_target *ret, struct riad_reason *reason)
{
    int code;

    pthread_mutex_lock(&site->lock);
    code = riad_site_host_refresh(site, reason);
    if (code == RIAD_EXIT_DONE) {
        code = find_entry(site, grant, ret, reason);
    }
    pthread_mutex_unlock(&site->lock);
    return code;
}

/* Those of all epochs. */
static bool are_keys(const struct riad_key_grant *grant, const struct riad_roster *roster)
{
    if (grant->epoch != roster->epoch) {
        return false;
    }
    for (uint32_t i = 0; i < roster->epoch; i++) {
        if (!riad_equal_constant_time(&grant->keys[i].commitment, &roster->epochs[i].commitment,
                    sizeof grant->keys[i].commitment)) {
            return false;
        }
    }
    return true;
}

/* K2: who has the root key that the roster commits to has been a member; and is one still. */
static int check_grant(const struct riad_key_grant *grant, const struct riad_roster *roster,
        const struct riad_site_target *target, struct riad_reason *reason)
{
    const struct riad_member *member = riad_roster_find(roster, &target->user.id);

    if (!member ||
            memcmp(&member->sign_key, &target->user.sign_key, sizeof member->sign_key) != 0 ||
            !riad_site_is_still(&target->user, member)) {
        return riad_reason_set(
                reason, RIAD_EXIT_NOT_PERMITTED, "you are no member of this workspace");
    }
    return are_keys(grant, roster) ? RIAD_EXIT_DONE
                                   : riad_reason_set(reason, RIAD_EXIT_WRONG_SECRET,
                                             "this is not the workspace's key");
}

static int add_key(struct riad_keys **keys, const struct riad_key_grant *grant, uint32_t epoch)
{
    _cleanup_secret_ struct riad_secret *subkeys = NULL;
    const struct riad_epoch_key *key = &grant->keys[epoch - 1];
    int r = riad_secret_new_copy(key->subkeys, sizeof key->subkeys, &subkeys);

    if (r < 0) {
        return r;
    }
    return *keys ? riad_keys_add(*keys, epoch, subkeys)
                 : riad_keys_from_subkeys(&grant->workspace, epoch, subkeys, keys);
}

int riad_site_grant_keys(const struct riad_key_grant *grant, struct riad_keys **ret)
{
    _cleanup_(riad_keys_freep) struct riad_keys *keys = NULL;
    int r = 0;

    for (uint32_t epoch = 1; r == 0 && epoch <= grant->epoch; epoch++) {
        r = add_key(&keys, grant, epoch);
    }
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(keys);
    return 0;
}

static int take_keys(const struct riad_key_grant *grant, const struct riad_roster *roster,
        struct riad_site_target *target, struct riad_reason *reason)
{
    int r = riad_site_grant_keys(grant, &target->keys);

    if (r == 0) {
        r = riad_roster_name(roster, target->keys, target->name);
    }
    return r < 0 ? riad_reason_set(reason, riad_exit_of(r),
                           "the workspace's keys cannot be used: %s", strerror(-r))
                 : RIAD_EXIT_DONE;
}

/* (lock) The file is ahead of the catalog if a change of the members was cut short. */
static int register_roster(struct riad_site_host *site, const struct riad_roster *roster,
        const struct riad_catalog_workspace *entry)
{
    int r = 0;

    if (roster->entries > entry->roster_entries) {
        r = riad_catalog_set_roster(
                &site->node.store, &site->keys, &site->catalog, &roster->workspace, roster);
        r = r < 0 ? r : riad_mark_catalog(&site->node.store, &site->node.state, &site->catalog);
    }
    return r;
}

static int take_members(struct riad_site_host *site, const struct riad_roster *roster,
        struct riad_site_target *target, struct riad_reason *reason)
{
    int r;

    pthread_mutex_lock(&site->lock);
    r = register_roster(site, roster, &target->entry);
    r = r < 0 ? r : riad_site_copy_members(roster, &target->members);
    if (r == 0) {
        target->member_count = roster->member_count;
        r = riad_site_standings(site, target->members, target->member_count, &target->standings,
                &target->standing_count);
    }
    pthread_mutex_unlock(&site->lock);
    return r < 0 ? riad_reason_set(
                           reason, riad_exit_of(r), "its members cannot be read: %s", strerror(-r))
                 : RIAD_EXIT_DONE;
}

static int unlock(struct riad_site_host *site, const struct riad_key_grant *grant,
        struct riad_site_target *target, struct riad_reason *reason)
{
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size;
    int r = riad_site_read_roster(
            site, &target->entry, &target->owner.sign_key, &roster, &bytes, &size);
    int code;

    if (r < 0) {
        return riad_reason_set(reason, riad_exit_of(r),
                r == -ESTALE ? "the list of members is older than what the site has seen: the "
                               "store was rolled back"
                             : "the list of members is damaged or was tampered with (%s)",
                strerror(-r));
    }
    code = check_grant(grant, &roster, target, reason);
    if (code == RIAD_EXIT_DONE) {
        target->roster_head = roster.head;
        code = take_keys(grant, &roster, target, reason);
    }
    if (code == RIAD_EXIT_DONE && is_project(target)) {
        code = take_members(site, &roster, target, reason);
    }
    return code;
}

int riad_site_find_target(struct riad_site_host *site, const struct riad_key_grant *grant,
        struct riad_site_target *ret, struct riad_reason *ret_reason)
{
    int code = look_up(site, grant, ret, ret_reason);

    if (code == RIAD_EXIT_DONE && !is_project(ret) &&
            !riad_site_has_account(&ret->owner, &ret->gid)) {
        code = riad_reason_set(
                ret_reason, RIAD_EXIT_NOT_PERMITTED, "its owner has no account here");
    }
    return code == RIAD_EXIT_DONE ? unlock(site, grant, ret, ret_reason) : code;
}

const char *riad_site_target_name(const struct riad_site_target *target)
{
    return is_project(target) ? target->entry.name : target->owner.name;
}

void riad_site_target_done(struct riad_site_target *target)
{
    riad_keys_free(target->keys);
    free(target->standings);
    free(target->members);
    free(target->ends);
    *target = (struct riad_site_target){ 0 };
}
