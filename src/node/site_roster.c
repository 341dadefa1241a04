/* Rosters as riadd's worker reads them, and what they mean for an open workspace. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/events.h"

#include "control_priv.h"
#include "site_host_priv.h"

enum {
    GROUPS_MS = 5000, /* between two looks who is in a group */
    AGAIN_MS = 500
};

int riad_site_read_roster(const struct riad_site_host *site,
        const struct riad_catalog_workspace *entry, const struct riad_public_key *owner,
        struct riad_roster *ret, uint8_t **ret_data, size_t *ret_size)
{
    const struct riad_store *store = &site->node.store;
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    _cleanup_free_ uint8_t *data = NULL;
    size_t size = 0;
    int r = riad_roster_read(store, &entry->id, &data, &size);

    if (r == 0) {
        r = riad_roster_parse(&store->binding, &entry->id, owner, data, size, &roster);
    }
    if (r == 0 && !riad_roster_passed(&roster, entry->roster_entries, &entry->roster_head)) {
        r = -ESTALE;
    }
    if (r < 0) {
        riad_events_record(&site->node.state, "refused", &store->binding.store, &entry->id,
                r == -ESTALE ? "the roster is older than what the site has seen"
                             : "the roster is missing, damaged or was tampered with (%s)",
                strerror(-r));
        return r;
    }
    *ret = roster;
    roster = (struct riad_roster){ 0 };
    *ret_data = riad_take_pointer(data);
    *ret_size = size;
    return 0;
}

bool riad_site_is_still(const struct riad_catalog_user *user, const struct riad_member *member)
{
    gid_t gid;

    return !user->disabled && riad_site_has_account(user, &gid) &&
           (!member->group[0] || riad_site_in_group(user->uid, member->group));
}

int riad_site_copy_members(const struct riad_roster *roster, struct riad_member **ret)
{
    struct riad_member *copy = calloc(roster->member_count + 1, sizeof *copy);

    if (!copy) {
        return -ENOMEM;
    }
    memcpy(copy, roster->members, roster->member_count * sizeof *copy);
    *ret = copy;
    return 0;
}

int riad_site_standings(const struct riad_site_host *site, const struct riad_member *members,
        size_t member_count, struct riad_member_standing **ret, size_t *ret_count)
{
    struct riad_member_standing *list = calloc(member_count + 1, sizeof *list);
    size_t count = 0;

    if (!list) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < member_count; i++) {
        const struct riad_member *member = &members[i];
        const struct riad_catalog_user *user =
                riad_catalog_find_user(&site->catalog, &member->user);

        if (user && riad_site_is_still(user, member)) {
            list[count++] = (struct riad_member_standing){ user->uid,
                member->role == RIAD_ROLE_READER ? RIAD_STANDING_READER : RIAD_STANDING_WRITER };
        }
    }
    *ret = list;
    *ret_count = count;
    return 0;
}

/* (held) */
static int update(struct riad_site_host *site, struct riad_mount *mount)
{
    const struct riad_site_mount *own = mount->site;
    _cleanup_free_ struct riad_member_standing *list = NULL;
    bool less;
    size_t count = 0;
    int r;

    pthread_mutex_lock(&site->lock);
    r = riad_site_standings(site, own->members, own->member_count, &list, &count);
    pthread_mutex_unlock(&site->lock);
    r = r < 0 ? r : riad_members_set(mount->workspace, list, count, &less);
    if (r == 0 && less) {
        riad_session_forget(mount->session, true);
    }
    return r;
}

void riad_site_update_members(struct riad_site_host *site)
{
    struct riad_host *host = &site->host;

    for (size_t i = 0; i < host->mount_count; i++) {
        struct riad_mount *mount = &host->mounts[i];
        struct riad_site_mount *own;
        int r = 0;

        if (!riad_host_hold(host, mount)) {
            continue;
        }
        own = mount->site;
        if (mount->shared && pthread_mutex_trylock(&own->changing) == 0) {
            r = update(site, mount);
            pthread_mutex_unlock(&own->changing);
        } else if (mount->shared) {
            site->members_due = true; /* a change that takes its time: nobody waits for it */
        }
        riad_host_unhold(host, mount);
        if (r < 0) {
            riad_events_record(&site->node.state, "members-kept", &site->node.store.binding.store,
                    &mount->id, "who may do what is as it was before: %s", strerror(-r));
        }
    }
}

/* (lock) */
static bool has_groups(const struct riad_site_mount *own)
{
    for (size_t i = 0; i < own->member_count; i++) {
        if (own->members[i].group[0]) {
            return true;
        }
    }
    return false;
}

static bool any_groups(struct riad_site_host *site)
{
    struct riad_host *host = &site->host;
    bool found = false;

    for (size_t i = 0; i < host->mount_count && !found; i++) {
        struct riad_mount *mount = &host->mounts[i];

        if (riad_host_hold(host, mount)) {
            pthread_mutex_lock(&site->lock);
            found = mount->shared && has_groups(mount->site);
            pthread_mutex_unlock(&site->lock);
            riad_host_unhold(host, mount);
        }
    }
    return found;
}

int riad_site_follow_members(struct riad_site_host *site)
{
    bool groups = any_groups(site);
    int64_t left = site->members_looked + GROUPS_MS - riad_control_now();

    if (!atomic_exchange(&site->members_due, false) && (!groups || left > 0)) {
        return groups ? (int)left : -1;
    }
    site->members_looked = riad_control_now();
    riad_site_update_members(site);
    return site->members_due ? AGAIN_MS : groups ? GROUPS_MS : -1;
}

bool riad_site_is_hers(
        const struct riad_catalog_workspace *entry, const struct riad_catalog_user *user)
{
    if (entry->deleted) {
        return false;
    }
    return entry->kind == RIAD_KIND_HOME || entry->roster_entries == 0
                   ? riad_id_equal(&entry->owner, &user->id)
                   : riad_catalog_find_member(entry, &user->id) != NULL;
}
