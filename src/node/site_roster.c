/* Rosters as riadd's worker reads them, and what they mean for an open workspace. */
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/events.h"

#include "site_host_priv.h"

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

static bool is_hers_still(const struct riad_catalog_user *user)
{
    char name[RIAD_USER_NAME_MAX + 1];
    gid_t gid;

    return !user->disabled && riad_site_account(user->uid, name, &gid) == 0 &&
           strcmp(name, user->name) == 0;
}

int riad_site_standings(const struct riad_site_host *site,
        const struct riad_catalog_workspace *entry, struct riad_member_standing **ret,
        size_t *ret_count)
{
    struct riad_member_standing *list = calloc(entry->member_count + 1, sizeof *list);
    size_t count = 0;

    if (!list) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < entry->member_count; i++) {
        const struct riad_catalog_member *member = &entry->members[i];
        const struct riad_catalog_user *user =
                riad_catalog_find_user(&site->catalog, &member->user);

        if (user && is_hers_still(user)) {
            list[count++] = (struct riad_member_standing){ user->uid,
                member->role == RIAD_ROLE_READER ? RIAD_STANDING_READER : RIAD_STANDING_WRITER };
        }
    }
    *ret = list;
    *ret_count = count;
    return 0;
}

/* (lock) */
static int update(struct riad_site_host *site, struct riad_mount *mount)
{
    const struct riad_catalog_workspace *entry = riad_catalog_find(&site->catalog, &mount->id);
    _cleanup_free_ struct riad_member_standing *list = NULL;
    size_t count = 0;
    int r = entry ? riad_site_standings(site, entry, &list, &count) : 0;

    return r < 0 ? r : riad_members_set(mount->workspace, list, count);
}

void riad_site_update_members(struct riad_site_host *site)
{
    struct riad_host *host = &site->host;

    for (size_t i = 0; i < host->mount_count; i++) {
        struct riad_mount *mount = &host->mounts[i];

        if (!riad_host_hold(host, mount)) {
            continue;
        }
        if (riad_members_guarded(mount->workspace)) {
            int r = update(site, mount);

            if (r < 0) {
                riad_events_record(&site->node.state, "members-kept",
                        &site->node.store.binding.store, &mount->id,
                        "who may do what is as it was before: %s", strerror(-r));
            }
        }
        riad_host_unhold(host, mount);
    }
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
