/* Asking the cleaner for space, and waiting for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "cli.h"

enum { POLL_US = 500000 };

int mount_figures(const struct options *options, const char *key, const char *value,
        const char *member, json_t **ret)
{
    struct riad_state state;
    json_t *mounts, *mount;
    size_t i;
    int code = open_mounts(options, &state, &mounts);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    *ret = NULL;
    json_array_foreach(mounts, i, mount)
    {
        if (!*ret && strcmp(json_text(mount, key), value) == 0) {
            *ret = json_incref(json_object_get(mount, member));
        }
    }
    json_decref(mounts);
    riad_state_close(&state);
    return RIAD_EXIT_DONE;
}

static void show_progress(const json_t *figures, bool rekey, uint64_t first)
{
    uint64_t left = json_number(figures, "old_key_bytes");
    char some[32], total[32];

    if (rekey) {
        fprintf(stderr, "\r%s to be sealed anew", show_bytes(left, false, some));
        if (first > left) {
            fprintf(stderr, " of %s", show_bytes(first, false, total));
        }
    } else {
        fprintf(stderr, "\r%s in use, of %s in the store",
                show_bytes(json_number(figures, "live_bytes"), false, some),
                show_bytes(json_number(figures, "store_bytes"), false, total));
    }
    fputs("\033[K", stderr);
}

static bool is_done(const json_t *figures, bool rekey)
{
    return rekey ? json_is_true(json_object_get(figures, "rekeyed"))
                 : !json_is_true(json_object_get(figures, "asked"));
}

int follow_cleaning(
        const struct options *options, const char *key, const char *value, bool rekey, json_t **ret)
{
    bool progress = !options->quiet && isatty(STDERR_FILENO);
    uint64_t first = 0;
    json_t *figures = NULL;
    int code;

    for (;;) {
        code = mount_figures(options, key, value, "cleaning", &figures);
        if (code == RIAD_EXIT_DONE && !figures && !mounts_are_known()) {
            continue; /* it took its time to find that out */
        }
        if (code != RIAD_EXIT_DONE || !figures || is_done(figures, rekey)) {
            break;
        }
        if (json_number(figures, "old_key_bytes") > first) {
            first = json_number(figures, "old_key_bytes");
        }
        if (progress) {
            show_progress(figures, rekey, first);
        }
        json_decref(figures);
        usleep(POLL_US);
    }
    if (progress) {
        fputs("\r\033[K", stderr);
    }
    if (code == RIAD_EXIT_DONE) {
        *ret = figures;
    }
    return code;
}

static int report(const struct options *options, const char *directory, json_t *figures)
{
    char live[32], store[32];

    if (!figures) {
        return fail(RIAD_EXIT_NOT_MOUNTED, "%s was unmounted before all was done", directory);
    }
    if (options->json) {
        return print_json(json_pack("{s:s, s:o}", "directory", directory, "cleaning", figures));
    }
    printf("%s: %s in use, of %s in the store\n", directory,
            show_bytes(json_number(figures, "live_bytes"), false, live),
            show_bytes(json_number(figures, "store_bytes"), false, store));
    json_decref(figures);
    return RIAD_EXIT_DONE;
}

/* *ret: where it is mounted; heap. */
static int ask(const struct options *options, const char *path, char **ret)
{
    struct riad_state state;
    const json_t *mount;
    json_t *mounts;
    int code = open_mount(options, path, "`riad status` shows the mounts", &state, &mounts, &mount);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    code = ask_mount(&state, mount, "clean", false, false);
    *ret = strdup(json_text(mount, "directory"));
    code = *ret ? code : fail(RIAD_EXIT_FAILED, "no memory");
    json_decref(mounts);
    riad_state_close(&state);
    return code;
}

int command_gc(int argc, char **argv)
{
    _cleanup_free_ char *path = NULL, *directory = NULL;
    struct options options;
    json_t *figures;
    int r = parse_options(argc, argv, "jqWs", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    r = named_directory(argc, argv, &path);
    if (r != RIAD_EXIT_DONE) {
        return r;
    }
    r = ask(&options, path, &directory);
    if (r != RIAD_EXIT_DONE || options.no_wait) {
        return r;
    }
    r = follow_cleaning(&options, "directory", directory, false, &figures);
    return r == RIAD_EXIT_DONE ? report(&options, directory, figures) : r;
}
