/* riad scrub DIR: the process that has the key verifies what the files of its mount hold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "cli.h"

enum { POLL_US = 300000 };

/* *ret: where it is mounted; heap. */
static int ask(const struct options *options, const char *path, uint64_t rate, char **ret)
{
    struct riad_state state;
    const json_t *mount;
    json_t *mounts, *reply;
    int code = open_mount(options, path, "name its store to have its checksums verified", &state,
            &mounts, &mount);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    code = call_mount(&state, mount, "scrub", json_pack("{s:I}", "rate", (json_int_t)rate), &reply);
    if (code == RIAD_EXIT_DONE) {
        json_decref(reply);
        *ret = strdup(json_text(mount, "directory"));
        code = *ret ? code : fail(RIAD_EXIT_FAILED, "no memory");
    }
    json_decref(mounts);
    riad_state_close(&state);
    return code;
}

static void show(const json_t *figures)
{
    char some[32], total[32];

    fprintf(stderr, "\r%s verified, of about %s\033[K",
            show_bytes(json_number(figures, "bytes"), false, some),
            show_bytes(json_number(figures, "bytes_total"), false, total));
}

/* Until it is done. *ret: its figures; NULL: it is not mounted any more. */
static int follow(const struct options *options, const char *directory, json_t **ret)
{
    bool progress = !options->quiet && isatty(STDERR_FILENO);
    json_t *figures = NULL;
    int code;

    for (;;) {
        code = mount_figures(options, "directory", directory, "scrub", &figures);
        if (code == RIAD_EXIT_DONE && !figures && !mounts_are_known()) {
            continue; /* it took its time to find that out */
        }
        if (code != RIAD_EXIT_DONE || !figures ||
                !json_is_true(json_object_get(figures, "running"))) {
            break;
        }
        if (progress) {
            show(figures);
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

static bool is_authentic(const json_t *figures)
{
    return json_number(figures, "damaged") + json_number(figures, "history_damaged") == 0;
}

static int print_figures(
        const struct options *options, const char *directory, const json_t *figures)
{
    const json_t *inodes = json_object_get(figures, "inodes"), *inode;
    char bytes[32];
    size_t i;

    if (options->json) {
        return print_json(json_pack("{s:s, s:O}", "directory", directory, "scrub", figures));
    }
    json_array_foreach(inodes, i, inode)
    {
        printf("inode %lld cannot be read whole: find %s -inum %lld\n",
                (long long)json_integer_value(inode), directory,
                (long long)json_integer_value(inode));
    }
    printf("%s: %s: %llu files, %llu checkpoints, %llu changes (%s)", directory,
            is_authentic(figures) ? "authentic" : "DAMAGED",
            (unsigned long long)json_number(figures, "files"),
            (unsigned long long)json_number(figures, "checkpoints"),
            (unsigned long long)json_number(figures, "changes"),
            show_bytes(json_number(figures, "bytes"), false, bytes));
    if (json_number(figures, "damaged") > 0) {
        printf(", %llu of them cannot be read whole",
                (unsigned long long)json_number(figures, "damaged"));
    }
    if (json_number(figures, "history_damaged") > 0) {
        printf(", the log or a checkpoint is damaged: `riad events` says where");
    }
    putchar('\n');
    return RIAD_EXIT_DONE;
}

int scrub_mounted(const struct options *options, const char *path, uint64_t rate)
{
    _cleanup_free_ char *directory = NULL;
    json_t *figures = NULL;
    bool authentic;
    int code = ask(options, path, rate, &directory);

    if (code != RIAD_EXIT_DONE || options->no_wait) {
        return code;
    }
    code = follow(options, directory, &figures);
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    if (!figures) {
        return fail(RIAD_EXIT_NOT_MOUNTED, "%s was unmounted before all was verified", directory);
    }
    authentic = is_authentic(figures);
    if (json_number(figures, "ended") == 0) {
        json_decref(figures);
        return fail(RIAD_EXIT_FAILED,
                "%s cannot be written to any more, so not all was verified: `riad status` says why",
                directory);
    }
    code = print_figures(options, directory, figures);
    json_decref(figures);
    return code == RIAD_EXIT_DONE && !authentic ? RIAD_EXIT_DAMAGED : code;
}
