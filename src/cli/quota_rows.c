/* Rows of reports: how full, how far over, how much grace is left. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "riad/cleanup.h"
#include "riad/workspace.h"

#include "quota.h"

void quota_rows_done(struct quota_rows *rows)
{
    json_decref(rows->list);
    free(rows->rows);
    free(rows->store);
    *rows = (struct quota_rows){ 0 };
}

static struct quota_resource bytes_of(const json_t *item)
{
    const json_t *soft = json_object_get(item, "soft");

    return (struct quota_resource){ json_number(item, "bytes_used"),
        json_number(soft, "bytes_limit"), json_number(item, "bytes_limit"),
        json_number(soft, "bytes_over_since"), (uint32_t)json_number(soft, "bytes_grace_seconds") };
}

static struct quota_resource inodes_of(const json_t *item)
{
    const json_t *soft = json_object_get(item, "soft");

    return (struct quota_resource){ json_number(item, "inodes_used"),
        json_number(soft, "inodes_limit"), json_number(item, "inodes_limit"),
        json_number(soft, "inodes_over_since"),
        (uint32_t)json_number(soft, "inodes_grace_seconds") };
}

static double share_of(const struct quota_resource *resource)
{
    uint64_t limit = resource->soft > 0 ? resource->soft : resource->hard;

    return limit > 0 ? (double)resource->used / (double)limit : -1;
}

static struct quota_row row_of(json_t *item)
{
    struct quota_row row = { .item = item,
        .name = json_text(item, json_object_get(item, "name") ? "name" : "workspace"),
        .known = json_is_integer(json_object_get(item, "bytes_used")),
        .bytes = bytes_of(item),
        .inodes = inodes_of(item) };
    double bytes = share_of(&row.bytes), inodes = share_of(&row.inodes);

    row.share = !row.known ? -1 : bytes > inodes ? bytes : inodes;
    return row;
}

int make_rows(json_t *list, struct quota_rows *ret)
{
    json_t *item;
    size_t i;

    ret->list = list;
    ret->now = time(NULL);
    ret->rows = calloc(json_array_size(list) + 1, sizeof *ret->rows);
    if (!ret->rows) {
        return fail(RIAD_EXIT_FAILED, "no memory");
    }
    json_array_foreach(list, i, item)
    {
        ret->rows[ret->count++] = row_of(item);
    }
    return RIAD_EXIT_DONE;
}

static int compare_names(const void *a, const void *b)
{
    const struct quota_row *left = a, *right = b;

    return strcmp(left->name, right->name);
}

/* What is not known comes last. */
static int compare_used(const void *a, const void *b)
{
    const struct quota_row *left = a, *right = b;

    if (left->known != right->known) {
        return left->known ? -1 : 1;
    }
    if (left->bytes.used != right->bytes.used) {
        return left->bytes.used > right->bytes.used ? -1 : 1;
    }
    return compare_names(a, b);
}

static int compare_shares(const void *a, const void *b)
{
    const struct quota_row *left = a, *right = b;

    return left->share > right->share ? -1 : left->share < right->share ? 1 : compare_names(a, b);
}

void sort_rows(struct quota_rows *rows, enum quota_order order)
{
    static int (*const orders[])(const void *a, const void *b) = { [QUOTA_BY_NAME] = compare_names,
        [QUOTA_BY_USED] = compare_used,
        [QUOTA_BY_SHARE] = compare_shares };

    qsort(rows->rows, rows->count, sizeof *rows->rows, orders[order]);
}

bool is_over(const struct quota_resource *resource)
{
    return (resource->soft > 0 && resource->used > resource->soft) ||
           (resource->hard > 0 && resource->used > resource->hard);
}

/* Of one that nobody has looked at since it was passed, the grace has not begun. */
int64_t grace_left(const struct quota_resource *resource, int64_t now)
{
    int64_t grace = resource->grace > 0 ? resource->grace : RIAD_GRACE_SECONDS;
    int64_t since = resource->over_since > INT64_MAX / 2 ? 0 : (int64_t)resource->over_since;

    if (resource->soft == 0 || resource->used <= resource->soft) {
        return -1;
    }
    if (since == 0 || since > now) {
        return grace;
    }
    return now - since >= grace ? 0 : grace - (now - since);
}

static json_t *pack_left(
        const struct quota_row *row, const struct quota_resource *resource, int64_t now)
{
    int64_t left = row->known ? grace_left(resource, now) : -1;

    return left < 0 ? json_null() : json_integer(left);
}

json_t *pack_row(const struct quota_row *row, int64_t now)
{
    json_t *object = json_copy(row->item);

    json_object_set_new(object, "share", row->share < 0 ? json_null() : json_real(row->share));
    json_object_set_new(object, "over",
            json_boolean(row->known && (is_over(&row->bytes) || is_over(&row->inodes))));
    json_object_set_new(object, "bytes_grace_left", pack_left(row, &row->bytes, now));
    json_object_set_new(object, "inodes_grace_left", pack_left(row, &row->inodes, now));
    return object;
}
