/* Names of workspaces are inside their keys: read once for many. */
#include <stdlib.h>
#include <string.h>

#include "quota.h"

static int compare(const void *a, const void *b)
{
    const struct named_workspace *left = a, *right = b;

    return strcmp(left->name, right->name);
}

int list_named(const struct session *session, struct named_workspace **ret, size_t *ret_count)
{
    const struct riad_catalog *catalog = &session->unlocked.catalog;
    struct named_workspace *items = calloc(catalog->workspace_count + 1, sizeof *items);
    size_t count = 0;

    if (!items) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < catalog->workspace_count; i++) {
        const struct riad_catalog_workspace *entry = &catalog->workspaces[i];

        if (entry->deleted) {
            continue;
        }
        items[count].entry = entry;
        if (riad_unlocked_name(&session->unlocked, &entry->id, items[count].name) < 0) {
            items[count].name[0] = 0; /* damaged: `riad fsck` says how */
        }
        count++;
    }
    qsort(items, count, sizeof *items, compare);
    *ret = items;
    *ret_count = count;
    return 0;
}

const struct named_workspace *find_named(
        const struct named_workspace *items, size_t count, const char *name)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int r = strcmp(items[middle].name, name);

        if (r == 0) {
            return &items[middle];
        }
        low = r < 0 ? middle + 1 : low;
        high = r < 0 ? high : middle;
    }
    return NULL;
}
