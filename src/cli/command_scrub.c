/* Whether what is in a store is as it was written, for who runs the storage: no key is needed. */
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "riad/bytes.h"
#include "riad/cleanup.h"
#include "riad/scrub.h"
#include "riad/store.h"
#include "riad/units.h"

#include "cli.h"

struct scrubbing {
    const struct options *options;
    char name[2 * sizeof(struct riad_id) + 1]; /* of the workspace's directory */
    json_t *findings, *tails;
    bool line_open; /* a progress line stands unfinished on the terminal */
    struct riad_scrub_result sum;
};

static void end_line(struct scrubbing *scrubbing)
{
    if (scrubbing->line_open) {
        fputs("\r\033[K", stderr);
        scrubbing->line_open = false;
    }
}

static void find(void *context, const char *path, uint64_t offset, uint64_t end, bool tail)
{
    struct scrubbing *scrubbing = context;
    json_t *found =
            json_pack("{s:o, s:I, s:I}", "path", json_sprintf("ws/%s/%s", scrubbing->name, path),
                    "offset", (json_int_t)offset, "bytes", (json_int_t)(end - offset));

    json_array_append_new(tail ? scrubbing->tails : scrubbing->findings, found);
    if (scrubbing->options->json) {
        return;
    }
    end_line(scrubbing);
    printf("ws/%s/%s: %llu bytes at %llu are %s\n", scrubbing->name, path,
            (unsigned long long)(end - offset), (unsigned long long)offset,
            tail ? "no whole record: left by a crash, or damaged; riad fsck can tell" : "DAMAGED");
}

static void show_progress(void *context, uint64_t done)
{
    struct scrubbing *scrubbing = context;
    char bytes[32];

    fprintf(stderr, "\r%s verified\033[K", show_bytes(scrubbing->sum.bytes + done, false, bytes));
    scrubbing->line_open = true;
}

static int scrub_workspace(struct scrubbing *scrubbing, const struct riad_store *store,
        const struct riad_id *id, uint64_t rate)
{
    bool progress = !scrubbing->options->quiet && isatty(STDERR_FILENO);
    struct riad_scrub_result *sum = &scrubbing->sum, result = { 0 };
    _cleanup_close_ int fd = riad_store_open_workspace(store, id);
    const struct riad_scrub scrub = { .workspace_fd = fd,
        .rate = rate,
        .find = find,
        .progress = progress ? show_progress : NULL,
        .context = scrubbing };
    int r = fd < 0 ? fd : 0;

    riad_hex_encode(id->bytes, sizeof id->bytes, scrubbing->name);
    if (r == 0) {
        r = riad_scrub_workspace(&scrub, &result);
    }
    sum->files += result.files;
    sum->records += result.records;
    sum->bytes += result.bytes;
    sum->findings += result.findings;
    sum->tails += result.tails;
    end_line(scrubbing);
    return r < 0 ? fail(riad_exit_of(r), "ws/%s cannot be read: %s", scrubbing->name, strerror(-r))
                 : RIAD_EXIT_DONE;
}

static int scrub_all(struct scrubbing *scrubbing, const struct riad_store *store, uint64_t rate)
{
    _cleanup_free_ struct riad_id *ids = NULL;
    size_t count = 0;
    int worst = RIAD_EXIT_DONE, r = riad_store_list_workspaces(store, &ids, &count);

    if (r < 0) {
        return fail(riad_exit_of(r), "the store's workspaces cannot be listed: %s", strerror(-r));
    }
    for (size_t i = 0; i < count; i++) {
        int code = scrub_workspace(scrubbing, store, &ids[i], rate);

        worst = code > worst ? code : worst;
    }
    return worst == RIAD_EXIT_DONE && scrubbing->sum.findings > 0 ? RIAD_EXIT_DAMAGED : worst;
}

static int report(const struct scrubbing *scrubbing)
{
    const struct riad_scrub_result *sum = &scrubbing->sum;
    char bytes[32];

    if (scrubbing->options->json) {
        return print_json(json_pack("{s:I, s:I, s:I, s:I, s:O, s:O}", "files",
                (json_int_t)sum->files, "records", (json_int_t)sum->records, "bytes",
                (json_int_t)sum->bytes, "damage", (json_int_t)sum->findings, "findings",
                scrubbing->findings, "tails", scrubbing->tails));
    }
    printf("%s: %llu records in %llu files (%s)\n", sum->findings == 0 ? "clean" : "DAMAGED",
            (unsigned long long)sum->records, (unsigned long long)sum->files,
            show_bytes(sum->bytes, false, bytes));
    return RIAD_EXIT_DONE;
}

/* No store, and on a file system that a process serves. */
static bool may_be_mount(const char *path, int error)
{
    struct statfs st;

    return (error == -ENOENT || error == -EMEDIUMTYPE) && statfs(path, &st) == 0 &&
           st.f_type == FUSE_SUPER_MAGIC;
}

int command_scrub(int argc, char **argv)
{
    struct options options;
    struct scrubbing scrubbing = { .options = &options };
    struct riad_store store;
    uint64_t rate = 0;
    int code, r = parse_options(argc, argv, "jqxWs", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    if (argc - optind != 1) {
        return usage_error("name the store, or where it is mounted");
    }
    if (options.rate && riad_parse_bytes(options.rate, &rate) < 0) {
        return usage_error("`%s` is no rate: bytes a second, as 50M", options.rate);
    }
    r = riad_store_open(argv[optind], &store);
    if (may_be_mount(argv[optind], r)) {
        return scrub_mounted(&options, argv[optind], rate);
    }
    if (r < 0) {
        return fail(riad_exit_of(r == -ENOENT || r == -ENOTDIR ? -EMEDIUMTYPE : r),
                "cannot open the store %s: %s", argv[optind], strerror(-r));
    }
    scrubbing.findings = json_array();
    scrubbing.tails = json_array();
    code = scrub_all(&scrubbing, &store, rate);
    riad_store_close(&store);
    r = report(&scrubbing);
    json_decref(scrubbing.findings);
    json_decref(scrubbing.tails);
    return code == RIAD_EXIT_DONE ? r : code;
}
