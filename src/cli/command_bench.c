/* How fast a directory is, and what that costs a mount of riad's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "bench.h"

struct bench {
    const struct options *options;
    struct bench_where where;
    bool progress;
    struct bench_place place;
    struct bench_result results[BENCH_STEPS];
};

static void bench_done(struct bench *bench)
{
    for (size_t i = 0; i < BENCH_STEPS; i++) {
        json_decref(bench->results[i].requests);
    }
    free(bench->where.directory);
    free(bench->where.mount);
    free(bench->where.transport);
    free(bench->where.workspace);
}

/* Elsewhere nothing is counted: that is no failure. */
static int find_own_mount(struct bench *bench)
{
    struct riad_state state;
    const json_t *mount;
    json_t *mounts;
    int code = open_mounts(bench->options, &state, &mounts);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    mount = find_mount(mounts, bench->where.directory);
    if (mount) {
        bench->where.mount = strdup(json_text(mount, "directory"));
        bench->where.transport = strdup(json_text(mount, "transport"));
        bench->where.workspace = strdup(json_text(mount, "workspace"));
    }
    json_decref(mounts);
    riad_state_close(&state);
    return RIAD_EXIT_DONE;
}

static int check_room(const struct bench *bench)
{
    struct statvfs st;
    char need[32], bytes[32];
    uint64_t room;

    if (statvfs(bench->where.directory, &st) < 0) {
        return fail(RIAD_EXIT_FAILED, "%s: %s", bench->where.directory, strerror(errno));
    }
    room = (uint64_t)st.f_bavail * st.f_frsize;
    if (room < BENCH_BYTES) {
        return fail(RIAD_EXIT_OVER_LIMIT, "it takes %s, and %s has room for %s",
                show_bytes(BENCH_BYTES, false, need), bench->where.directory,
                show_bytes(room, false, bytes));
    }
    if (st.f_files > 0 && st.f_favail < BENCH_INODES) {
        return fail(RIAD_EXIT_OVER_LIMIT, "it takes %d inodes, and %s has room for %llu",
                BENCH_INODES, bench->where.directory, (unsigned long long)st.f_favail);
    }
    return RIAD_EXIT_DONE;
}

/* What the mount has counted so far; *ret stays NULL where nothing is. */
static int read_counts(const struct bench *bench, json_t **ret_counters, json_t **ret_requests)
{
    int code;

    if (!bench->where.mount) {
        return RIAD_EXIT_DONE;
    }
    code = mount_figures(bench->options, "directory", bench->where.mount, "counters", ret_counters);
    if (code == RIAD_EXIT_DONE) {
        code = mount_figures(
                bench->options, "directory", bench->where.mount, "requests", ret_requests);
    }
    if (code == RIAD_EXIT_DONE && !(*ret_counters && *ret_requests)) {
        code = fail(RIAD_EXIT_NOT_MOUNTED, "%s was unmounted", bench->where.mount);
    }
    return code;
}

static json_t *subtract(json_t *after, const json_t *before)
{
    json_t *object = json_object(), *value;
    const char *name;

    json_object_foreach(after, name, value)
    {
        uint64_t more = json_number(after, name) - json_number(before, name);

        if (more > 0) {
            json_object_set_new(object, name, json_integer((json_int_t)more));
        }
    }
    return object;
}

static void take_counts(struct bench_result *result, json_t *before[2], json_t *after[2])
{
    const json_t *calls[] = { json_object_get(before[0], "store_calls"),
        json_object_get(after[0], "store_calls") };

    result->counted = true;
    result->messages = json_number(after[0], "requests") - json_number(before[0], "requests");
    result->store_calls = json_number(calls[1], "total") - json_number(calls[0], "total");
    result->requests = subtract(after[1], before[1]);
}

static int refuse_step(const struct bench *bench, const struct bench_step *step, int error)
{
    int code = error == -EDQUOT || error == -ENOSPC ? RIAD_EXIT_OVER_LIMIT : RIAD_EXIT_FAILED;

    return bench_is_interrupted() ? fail(RIAD_EXIT_FAILED, "interrupted")
                                  : fail(code, "%s in %s: %s", step->title, bench->where.directory,
                                            strerror(-error));
}

static int run_step(struct bench *bench, const struct bench_step *step, struct bench_result *ret)
{
    json_t *before[2] = { NULL }, *after[2] = { NULL };
    int r = step->begin ? step->begin(&bench->place) : 0;
    int code = r < 0 ? refuse_step(bench, step, r) : read_counts(bench, &before[0], &before[1]);

    if (code == RIAD_EXIT_DONE) {
        r = bench_run(step, &bench->place, ret);
        code = r < 0 ? refuse_step(bench, step, r) : read_counts(bench, &after[0], &after[1]);
    }
    if (code == RIAD_EXIT_DONE && bench->where.mount) {
        take_counts(ret, before, after);
    }
    for (int i = 0; i < 2; i++) {
        json_decref(before[i]);
        json_decref(after[i]);
    }
    return code;
}

static int run_steps(struct bench *bench)
{
    int code = RIAD_EXIT_DONE;

    for (size_t i = 0; i < BENCH_STEPS && code == RIAD_EXIT_DONE; i++) {
        if (bench->progress) {
            fprintf(stderr, "\r%zu of %d: %s\033[K", i + 1, BENCH_STEPS, bench_steps[i].title);
        }
        code = run_step(bench, &bench_steps[i], &bench->results[i]);
    }
    if (bench->progress) {
        fputs("\r\033[K", stderr);
    }
    return code;
}

/* The directory is removed in any case. */
static int run_in_place(struct bench *bench)
{
    int removed, code = bench_place_make(bench->where.directory, &bench->place);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    code = run_steps(bench);
    removed = bench_place_remove(&bench->place);
    return code == RIAD_EXIT_DONE ? removed : code;
}

static int prepare(struct bench *bench, const char *path)
{
    int code;

    bench->where.directory = realpath(path, NULL);
    if (!bench->where.directory) {
        return fail(RIAD_EXIT_FAILED, "%s: %s", path, strerror(errno));
    }
    bench->progress = !bench->options->quiet && isatty(STDERR_FILENO);
    code = find_own_mount(bench);
    return code == RIAD_EXIT_DONE ? check_room(bench) : code;
}

int command_bench(int argc, char **argv)
{
    __attribute__((cleanup(bench_done))) struct bench bench = { .place = { .large = -1 } };
    struct options options;
    int code, r = parse_options(argc, argv, "jsq", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    if (optind + 1 < argc) {
        return usage_error("name one directory, or none for the current one");
    }
    bench.options = &options;
    code = prepare(&bench, optind < argc ? argv[optind] : ".");
    if (code == RIAD_EXIT_DONE) {
        code = run_in_place(&bench);
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    return options.json ? bench_print_json(&bench.where, bench.results)
                        : bench_print(&bench.where, bench.results);
}
