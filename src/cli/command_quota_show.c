/* riad quota show: limits and usage. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"

#include "site_client.h"

static uint64_t number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* "80 %" of the limit; empty without one. */
static const char *show_share(uint64_t used, uint64_t limit, char ret[16])
{
    if (limit == 0) {
        return "";
    }
    snprintf(ret, 16, "(%.0f %%)", 100.0 * (double)used / (double)limit);
    return ret;
}

static int print_mounted(const json_t *mount, bool json)
{
    uint64_t bytes = number(mount, "bytes_used"), bytes_limit = number(mount, "bytes_limit");
    uint64_t inodes = number(mount, "inodes_used"), inodes_limit = number(mount, "inodes_limit");
    char used[32], limit[32], share[16];

    if (json) {
        return print_json(json_pack("{s:O, s:I, s:I, s:I, s:I}", "workspace",
                json_object_get(mount, "workspace"), "bytes_used", (json_int_t)bytes, "bytes_limit",
                (json_int_t)bytes_limit, "inodes_used", (json_int_t)inodes, "inodes_limit",
                (json_int_t)inodes_limit));
    }
    printf("workspace %s\n", json_string_value(json_object_get(mount, "workspace")));
    printf("  bytes   %10s of %10s %s\n", show_bytes(bytes, false, used),
            show_bytes(bytes_limit, true, limit), show_share(bytes, bytes_limit, share));
    printf("  inodes  %10s of %10s %s\n", show_count(inodes, false, used),
            show_count(inodes_limit, true, limit), show_share(inodes, inodes_limit, share));
    return RIAD_EXIT_DONE;
}

/* Without a mount only the limits are known cheaply: usage is inside the sealed log. */
static int show_store(const struct options *options, const char *store)
{
    _cleanup_session_ struct session session = { 0 };
    const struct riad_catalog_workspace *entry;
    const char *name = options->workspace ? options->workspace : "home";
    char bytes[32], inodes[32];
    int code = open_session(options, store, &session);

    if (code == RIAD_EXIT_DONE) {
        code = find_workspace(&session, name, &entry);
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    if (options->json) {
        return print_json(json_pack("{s:s, s:n, s:I, s:n, s:I}", "workspace", name, "bytes_used",
                "bytes_limit", (json_int_t)entry->limit.bytes_hard, "inodes_used", "inodes_limit",
                (json_int_t)entry->limit.inodes_hard));
    }
    printf("workspace %s (not mounted: usage is shown when it is)\n  bytes   limit %s\n  inodes  "
           "limit %s\n",
            name, show_bytes(entry->limit.bytes_hard, true, bytes),
            show_count(entry->limit.inodes_hard, true, inodes));
    return RIAD_EXIT_DONE;
}

/* The mount at the path, or the mount of the store and workspace named. */
static const json_t *find_subject(const json_t *mounts, const char *path, const char *workspace)
{
    json_t *mount;
    size_t i;

    json_array_foreach(mounts, i, mount)
    {
        if (strcmp(json_string_value(json_object_get(mount, "store")), path) == 0 &&
                strcmp(json_string_value(json_object_get(mount, "workspace")), workspace) == 0) {
            return mount;
        }
    }
    return find_mount(mounts, path);
}

int command_quota_show(int argc, char **argv)
{
    _cleanup_free_ char *path = NULL;
    struct riad_state state;
    struct options options;
    const json_t *mount;
    json_t *mounts;
    int r = parse_options(argc, argv, "pPrkwsjR", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    if (optind + 1 < argc) {
        return usage_error(
                "name one mounted directory or store, or none for the current directory");
    }
    path = absolute_path(optind < argc ? argv[optind] : ".");
    r = path ? riad_state_open(options.state_dir, &state) : -errno;
    if (r < 0) {
        return fail(RIAD_EXIT_FAILED, "%s: %s", optind < argc ? argv[optind] : ".", strerror(-r));
    }
    r = list_mounts(&state, &mounts);
    riad_state_close(&state);
    if (r < 0) {
        return fail(RIAD_EXIT_FAILED, "cannot list the mounts: %s", strerror(-r));
    }
    mount = find_subject(mounts, path, options.workspace ? options.workspace : "home");
    r = mount ? print_mounted(mount, options.json) : show_store(&options, path);
    json_decref(mounts);
    return r;
}
