#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"

#include "cli.h"

enum { DURABLE_TIMEOUT_MS = 3600 * 1000 };

int call_mount(const struct riad_state *state, const json_t *mount, const char *operation,
        json_t *arguments, json_t **ret)
{
    int pid = (int)json_integer_value(json_object_get(mount, "pid"));
    const char *socket = json_text(mount, "socket");
    json_t *reply;
    int code, r;

    json_object_set(arguments, "directory", json_object_get(mount, "directory"));
    r = socket[0] ? riad_control_call_path(socket, operation, arguments, DURABLE_TIMEOUT_MS, &reply)
                  : riad_control_call(state, pid, operation, arguments, DURABLE_TIMEOUT_MS, &reply);
    json_decref(arguments);
    if (r < 0) {
        return fail(RIAD_EXIT_FAILED, "the process %d did not answer: %s", pid, strerror(-r));
    }
    if (!json_is_true(json_object_get(reply, "ok"))) {
        const char *sentence = json_string_value(json_object_get(reply, "error"));

        code = (int)json_integer_value(json_object_get(reply, "exit"));
        code = fail(code ? code : RIAD_EXIT_FAILED, "%s: %s",
                json_string_value(json_object_get(mount, "directory")),
                sentence ? sentence : "failed");
        json_decref(reply);
        return code;
    }
    *ret = reply;
    return RIAD_EXIT_DONE;
}

int ask_mount(const struct riad_state *state, const json_t *mount, const char *operation, bool lazy,
        bool force)
{
    json_t *reply;
    int code = call_mount(
            state, mount, operation, json_pack("{s:b, s:b}", "lazy", lazy, "force", force), &reply);

    if (code == RIAD_EXIT_DONE) {
        json_decref(reply);
    }
    return code;
}

static void show_holders(const char *directory)
{
    json_t *holders = list_holders(directory), *holder;
    size_t i;

    json_array_foreach(holders, i, holder)
    {
        fprintf(stderr, "  %lld %s: %s %s\n",
                (long long)json_integer_value(json_object_get(holder, "pid")),
                json_text(holder, "command"), json_text(holder, "how"), json_text(holder, "path"));
    }
    json_decref(holders);
}

int unmount_one(const struct riad_state *state, const json_t *mount, bool lazy, bool force)
{
    int code = ask_mount(state, mount, "unmount", lazy, force);

    if (code == RIAD_EXIT_FAILED) {
        show_holders(json_text(mount, "directory"));
    }
    return code;
}

static int on_mount(
        const struct options *options, const char *path, const char *operation, bool exactly)
{
    static const char hint[] = "`riad status` shows the mounts";
    struct riad_state state;
    const json_t *mount;
    json_t *mounts;
    int code = open_mount(options, path, hint, &state, &mounts, &mount);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    if (!exactly) {
        code = ask_mount(&state, mount, operation, false, false);
    } else if (strcmp(json_text(mount, "directory"), path) != 0) {
        code = not_mounted(path, hint);
    } else {
        code = unmount_one(&state, mount, options->lazy, options->force);
    }
    json_decref(mounts);
    riad_state_close(&state);
    return code;
}

int command_unmount(int argc, char **argv)
{
    _cleanup_free_ char *path = NULL;
    struct options options;
    int r = parse_options(argc, argv, "lFs", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    if (optind + 1 != argc) {
        return usage_error("name the directory to unmount");
    }
    path = absolute_path(argv[optind]);
    if (!path) {
        return fail(RIAD_EXIT_NOT_MOUNTED, "%s: %s", argv[optind], strerror(errno));
    }
    return on_mount(&options, path, "unmount", true);
}

int command_sync(int argc, char **argv)
{
    _cleanup_free_ char *path = NULL;
    struct options options;
    int r = parse_options(argc, argv, "s", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    r = named_directory(argc, argv, &path);
    if (r != RIAD_EXIT_DONE) {
        return r;
    }
    return on_mount(&options, path, "sync", false);
}
