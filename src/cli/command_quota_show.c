/* riad quota show: limits and usage, in plain words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "quota.h"

typedef const char *(*show_function)(uint64_t value, bool zero_is_none, char ret[32]);

/* "5 days", "23 hours", "12 minutes". */
static const char *show_span(int64_t seconds, char ret[32])
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" } };

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        long long count = seconds / units[i].seconds;

        if (count > 0) {
            snprintf(ret, 32, "%lld %s%s", count, units[i].name, count == 1 ? "" : "s");
            return ret;
        }
    }
    return "less than a minute";
}

/* Rounded down, so that "0 %" is nearly nothing and 100 % is all. */
static int percent_left(uint64_t used, uint64_t limit)
{
    return used >= limit ? 0 : (int)(100.0 * (double)(limit - used) / (double)limit);
}

static void say_over(const struct quota_resource *resource, int64_t now, show_function show)
{
    char soft[32], more[32], span[32];
    int64_t left = grace_left(resource, now);

    if (left > 0) {
        printf("over the soft limit of %s: %s left", show(resource->soft, false, soft),
                show_span(left, span));
    } else {
        printf("over the soft limit of %s, and its grace is over: nothing grows until %s "
               "less is used",
                show(resource->soft, false, soft),
                show(resource->used - resource->soft, false, more));
    }
}

static void say(const struct quota_resource *resource, int64_t now, show_function show)
{
    char soft[32];

    if (resource->hard > 0 && resource->used >= resource->hard) {
        printf("%s the limit: nothing grows until something is deleted",
                resource->used > resource->hard ? "over" : "at");
    } else if (grace_left(resource, now) >= 0) {
        say_over(resource, now, show);
    } else if (resource->soft > 0) {
        printf("%d %% left to the soft limit of %s", percent_left(resource->used, resource->soft),
                show(resource->soft, false, soft));
    } else if (resource->hard > 0) {
        printf("%d %% left", percent_left(resource->used, resource->hard));
    } else {
        printf("no limit");
    }
}

static void print_resource(const char *what, const struct quota_row *row,
        const struct quota_resource *resource, int64_t now, show_function show)
{
    char used[32], hard[32];

    printf("  %-7s %10s of %10s  ", what, row->known ? show(resource->used, false, used) : "?",
            show(resource->hard, true, hard));
    if (row->known) {
        say(resource, now, show);
    } else {
        printf("not known: it was never open on this machine");
    }
    putchar('\n');
}

/* With when it was so, where that is not now. */
static void print_row(const struct quota_row *row, int64_t now)
{
    int64_t as_of = json_integer_value(json_object_get(row->item, "as_of"));
    char when[32];

    printf("workspace %s", row->name);
    if (row->known && !json_is_true(json_object_get(row->item, "open"))) {
        printf(" (as it was when it was open here last, %s)", show_local_time(as_of, when));
    }
    putchar('\n');
    print_resource("bytes", row, &row->bytes, now, show_bytes);
    print_resource("inodes", row, &row->inodes, now, show_count);
}

static int print_rows(const struct options *options, struct quota_rows *rows, bool one)
{
    json_t *list = json_array();

    sort_rows(rows, QUOTA_BY_SHARE);
    for (size_t i = 0; i < rows->count; i++) {
        if (options->json) {
            json_array_append_new(list, pack_row(&rows->rows[i], rows->now));
        } else {
            print_row(&rows->rows[i], rows->now);
        }
    }
    if (!options->json) {
        json_decref(list);
        return RIAD_EXIT_DONE;
    }
    if (one && rows->count == 1) {
        json_t *only = json_incref(json_array_get(list, 0));

        json_decref(list);
        return print_json(only);
    }
    return print_json(json_pack("{s:o}", "workspaces", list));
}

/* What one's own limit over all workspaces of the site says; NULL: there is none. */
static const struct quota_row *find_own(const struct options *options, struct quota_rows *rows)
{
    struct options users = *options;

    users.users = true;
    if (gather_subjects(&users, rows) != RIAD_EXIT_DONE) {
        return NULL;
    }
    for (size_t i = 0; i < rows->count; i++) {
        const struct quota_row *row = &rows->rows[i];

        if ((uid_t)json_integer_value(json_object_get(row->item, "id")) == getuid() &&
                (row->share >= 0)) {
            return row;
        }
    }
    return NULL;
}

/* All workspaces of a site that are one's own, and what binds over all of them. */
static int print_site(const struct options *options, struct quota_rows *rows)
{
    _cleanup_quota_rows_ struct quota_rows users = { 0 };
    const struct quota_row *own = find_own(options, &users);
    json_t *list;

    if (!options->json) {
        if (own) {
            puts("you, in all workspaces");
            print_resource("bytes", own, &own->bytes, users.now, show_bytes);
            print_resource("inodes", own, &own->inodes, users.now, show_count);
        }
        return print_rows(options, rows, false);
    }
    list = json_array();
    sort_rows(rows, QUOTA_BY_SHARE);
    for (size_t i = 0; i < rows->count; i++) {
        json_array_append_new(list, pack_row(&rows->rows[i], rows->now));
    }
    return print_json(json_pack("{s:o, s:o}", "user", own ? pack_row(own, users.now) : json_null(),
            "workspaces", list));
}

/* The mount at the path, or the mount of the store and workspace named. */
static const json_t *find_subject(const json_t *mounts, const char *path, const char *workspace)
{
    json_t *mount;
    size_t i;

    json_array_foreach(mounts, i, mount)
    {
        if (strcmp(json_text(mount, "store"), path) == 0 &&
                strcmp(json_text(mount, "workspace"), workspace) == 0) {
            return mount;
        }
    }
    return find_mount(mounts, path);
}

/* Named, or the current directory's; without an argument all there are, if that is in none. */
static int gather(const struct options *options, const char *argument, const json_t *mounts,
        struct quota_rows *ret, bool *ret_one)
{
    const char *name = options->workspace ? options->workspace : "home";
    _cleanup_free_ char *path = absolute_path(argument ? argument : ".");
    const json_t *mount = path ? find_subject(mounts, path, name) : NULL;

    *ret_one = true;
    if (!path) {
        return fail(RIAD_EXIT_FAILED, "%s: %s", argument ? argument : ".", strerror(errno));
    }
    if (mount) {
        return gather_mount(mounts, mount, ret);
    }
    if (argument || (!has_site(options) && json_array_size(mounts) == 0)) {
        return gather_store(options, path, name, ret);
    }
    *ret_one = false;
    return has_site(options) ? gather_site(options, true, ret) : gather_mounts(mounts, ret);
}

int command_quota_show(int argc, char **argv)
{
    _cleanup_quota_rows_ struct quota_rows rows = { 0 };
    struct riad_state state;
    struct options options;
    json_t *mounts;
    bool one;
    int code, r = parse_options(argc, argv, "pPrkwsjRc", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    if (optind + 1 < argc) {
        return usage_error("name one mounted directory or store, or none for what is yours");
    }
    code = open_mounts(&options, &state, &mounts);
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    riad_state_close(&state);
    code = gather(&options, argv[optind], mounts, &rows, &one);
    json_decref(mounts);
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    return !one && has_site(&options) ? print_site(&options, &rows)
                                      : print_rows(&options, &rows, one);
}
