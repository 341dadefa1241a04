/* Having a mounted workspace counted anew. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"

#include "cli.h"

static void print_found(const json_t *found)
{
    const json_t *item;
    size_t i;

    json_array_foreach(found, i, item)
    {
        bool whole = strcmp(json_text(item, "kind"), "workspace") == 0;
        char kept[32], counted[32], id[32] = "";

        if (!whole) {
            snprintf(id, sizeof id, " %llu", (unsigned long long)json_number(item, "id"));
        }
        printf("%s%s: kept as %s and %llu inodes, counted are %s and %llu\n",
                json_text(item, "kind"), id,
                show_bytes(json_number(item, "bytes_kept"), false, kept),
                (unsigned long long)json_number(item, "inodes_kept"),
                show_bytes(json_number(item, "bytes_counted"), false, counted),
                (unsigned long long)json_number(item, "inodes_counted"));
    }
}

/* What is wrong and was not mended is damage, as with fsck. */
static int report(const struct options *options, const char *directory, const json_t *reply)
{
    uint64_t count = json_number(reply, "miscounts");
    bool repaired = json_is_true(json_object_get(reply, "repaired"));

    if (options->json) {
        print_json(json_pack("{s:s, s:I, s:b, s:O}", "directory", directory, "miscounts",
                (json_int_t)count, "repaired", repaired, "found", json_object_get(reply, "found")));
    } else {
        print_found(json_object_get(reply, "found"));
        printf("%s: %s\n", directory,
                count == 0 ? "all is counted right"
                : repaired ? "mended"
                           : "not counted right: --repair mends it");
    }
    return count > 0 && !repaired ? RIAD_EXIT_DAMAGED : RIAD_EXIT_DONE;
}

static int check(const struct options *options, const char *path)
{
    struct riad_state state;
    const json_t *mount;
    json_t *mounts, *reply;
    int code = open_mount(options, path, "`riad fsck` checks what is not", &state, &mounts, &mount);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    code = call_mount(
            &state, mount, "recount", json_pack("{s:b}", "repair", options->repair), &reply);
    if (code == RIAD_EXIT_DONE) {
        code = report(options, json_text(mount, "directory"), reply);
        json_decref(reply);
    }
    json_decref(mounts);
    riad_state_close(&state);
    return code;
}

int command_quota_check(int argc, char **argv)
{
    _cleanup_free_ char *path = NULL;
    struct options options;
    int r = parse_options(argc, argv, "jXs", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    r = named_directory(argc, argv, &path);
    if (r != RIAD_EXIT_DONE) {
        return r;
    }
    return check(&options, path);
}
