#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"

#include "site_client.h"

/* Keeps the mounts that are at, above or of the path; all if it is NULL. New array. */
static json_t *select_mounts(const json_t *mounts, const char *path)
{
    const json_t *at = path ? find_mount(mounts, path) : NULL;
    json_t *selected = json_array(), *mount;
    size_t i;

    json_array_foreach(mounts, i, mount)
    {
        if (!path || mount == at || strcmp(json_text(mount, "store"), path) == 0) {
            json_array_append(selected, mount);
        }
    }
    return selected;
}

static void print_stall(const json_t *stalled)
{
    if (json_is_object(stalled)) {
        printf("  waits for the %s: %s of %s has not come back for %llu s\n",
                json_text(stalled, "where"), json_text(stalled, "call"), json_text(stalled, "file"),
                (unsigned long long)json_number(stalled, "seconds"));
    }
}

static void print_table(const json_t *mounts)
{
    json_t *mount;
    size_t i;

    printf("%-16s %-10s %10s %10s %9s %9s  %s\n", "WORKSPACE", "STATE", "USED", "LIMIT", "INODES",
            "LIMIT", "MOUNTED ON");
    json_array_foreach(mounts, i, mount)
    {
        char used[32], limit[32], inodes[32], inodes_limit[32];

        printf("%-16s %-10s %10s %10s %9s %9s  %s\n", json_text(mount, "workspace"),
                json_text(mount, "state"),
                show_bytes(json_number(mount, "bytes_used"), false, used),
                show_bytes(json_number(mount, "bytes_limit"), true, limit),
                show_count(json_number(mount, "inodes_used"), false, inodes),
                show_count(json_number(mount, "inodes_limit"), true, inodes_limit),
                json_text(mount, "directory"));
        if (json_text(mount, "event")[0]) {
            printf("  event: %s\n", json_text(mount, "event"));
        }
        print_stall(json_object_get(mount, "stalled"));
    }
}

static int show(const struct options *options, const json_t *mounts, const char *path)
{
    json_t *selected = select_mounts(mounts, path);
    bool found = json_array_size(selected) > 0;
    bool whole = mounts_are_known() || (path && found);
    int code = whole ? RIAD_EXIT_DONE : RIAD_EXIT_FAILED; /* which was reported */

    if (options->json) {
        int r = print_json(json_pack("{s:o}", "mounts", selected));

        return r == RIAD_EXIT_DONE ? code : r;
    }
    if (found) {
        print_table(selected);
    } else if (whole && path) {
        code = fail(RIAD_EXIT_NOT_MOUNTED, "nothing of %s is mounted by you", path);
    } else if (whole) {
        puts(has_site(options)
                        ? "Nothing is mounted. `riad unlock` opens what is yours at this site."
                        : "Nothing is mounted. `riad mount STORE DIR` mounts a workspace.");
    }
    json_decref(selected);
    return code;
}

int command_status(int argc, char **argv)
{
    _cleanup_free_ char *path = NULL;
    struct riad_state state;
    struct options options;
    json_t *mounts;
    int r = parse_options(argc, argv, "js", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    if (optind + 1 < argc) {
        return usage_error("name one directory or store, or none for all");
    }
    path = optind < argc ? absolute_path(argv[optind]) : NULL;
    if (optind < argc && !path) {
        return fail(RIAD_EXIT_FAILED, "%s: %s", argv[optind], strerror(errno));
    }
    r = open_mounts(&options, &state, &mounts);
    if (r != RIAD_EXIT_DONE) {
        return r;
    }
    riad_state_close(&state);
    r = show(&options, mounts, path);
    json_decref(mounts);
    return r;
}
