/* Workspaces by their names, for requests about thousands of them. */
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/error.h"

#include "site_host_priv.h"

/* Of the same name a home comes before a project, and before one whose owner is disabled. */
struct riad_site_name {
    const char *name;
    unsigned rank;
    const struct riad_catalog_workspace *entry;
};

static int compare(const void *a, const void *b)
{
    const struct riad_site_name *left = a, *right = b;
    int r = strcmp(left->name, right->name);

    if (r == 0) {
        r = (left->rank > right->rank) - (left->rank < right->rank);
    }
    return r != 0 ? r : (left->entry > right->entry) - (left->entry < right->entry);
}

static struct riad_site_name name_of(
        const struct riad_site_host *site, const struct riad_catalog_workspace *entry)
{
    const struct riad_catalog_user *owner;

    if (entry->kind != RIAD_KIND_HOME) {
        return (struct riad_site_name){ entry->name, 2, entry };
    }
    owner = riad_catalog_find_user(&site->catalog, &entry->owner);
    return (struct riad_site_name){ owner ? owner->name : "", owner && owner->disabled, entry };
}

int riad_site_list_names(const struct riad_site_host *site, struct riad_site_names *ret)
{
    size_t count = 0;
    struct riad_site_name *items = calloc(site->catalog.workspace_count + 1, sizeof *items);

    if (!items) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < site->catalog.workspace_count; i++) {
        const struct riad_catalog_workspace *entry = &site->catalog.workspaces[i];
        struct riad_site_name item = name_of(site, entry);

        if (!entry->deleted && item.name[0]) {
            items[count++] = item;
        }
    }
    qsort(items, count, sizeof *items, compare);
    *ret = (struct riad_site_names){ site, items, count };
    return 0;
}

void riad_site_names_done(struct riad_site_names *names)
{
    free(names->items);
}

const struct riad_catalog_workspace *riad_site_named(
        const struct riad_site_names *names, const char *name)
{
    const struct riad_catalog_workspace *entry;
    struct riad_id id;
    size_t low = 0, high = names->count;

    if (riad_hex_decode(name, &id, sizeof id) == 0) {
        entry = riad_catalog_find(&names->site->catalog, &id);
        return entry && !entry->deleted ? entry : NULL;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(names->items[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < names->count && strcmp(names->items[low].name, name) == 0 ? names->items[low].entry
                                                                           : NULL;
}
