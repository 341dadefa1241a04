#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/repair.h"

#include "cli.h"

struct check {
    const struct options *options;
    const char *name;
    json_t *findings;
    bool line_open; /* a progress line stands unfinished on the terminal */
    struct riad_fsck_result result;
    struct riad_repair_result repair;
};

/* One step with the workspace, whose keys it takes over: a check, or a repair. */
typedef int (*step_function)(const struct riad_workspace_config *config, struct check *check,
        struct riad_reason *reason);

static void report(void *context, const char *finding)
{
    struct check *check = context;

    if (check->line_open) {
        fputc('\n', stderr);
        check->line_open = false;
    }
    if (!check->options->json) {
        printf("%s: %s\n", check->name, finding);
    }
    json_array_append_new(check->findings, json_string(finding));
}

static void show_progress(void *context, const char *what, uint64_t done, uint64_t total)
{
    struct check *check = context;

    fprintf(stderr, "\r%s: %s %llu", check->name, what, (unsigned long long)done);
    if (total > 0) {
        fprintf(stderr, " of %llu", (unsigned long long)total);
    }
    fputs("\033[K", stderr);
    check->line_open = true;
}

static int run_check(
        const struct riad_workspace_config *config, struct check *check, struct riad_reason *reason)
{
    return riad_fsck_run(config, report, check, &check->result, reason);
}

static int run_repair(
        const struct riad_workspace_config *config, struct check *check, struct riad_reason *reason)
{
    return riad_repair_run(config, &check->result, report, check, &check->repair, reason);
}

static json_t *pack_result(const struct check *check)
{
    const struct riad_fsck_result *result = &check->result;

    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O}", "workspace", check->name,
            "changes", (json_int_t)result->changes, "records", (json_int_t)result->records, "bytes",
            (json_int_t)result->bytes, "inodes", (json_int_t)result->inodes, "bytes_used",
            (json_int_t)(result->blocks * RIAD_BLOCK_SIZE), "checkpoints",
            (json_int_t)result->checkpoints, "damage", (json_int_t)result->findings, "findings",
            check->findings);
}

static json_t *pack_repair(const struct check *check)
{
    const struct riad_repair_result *repair = &check->repair;

    return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O}", "history_mended",
            repair->history_mended, "changes_salvaged", (json_int_t)repair->salvaged,
            "changes_lost", (json_int_t)repair->missing, "operations_refused",
            (json_int_t)repair->refused, "names_lost", (json_int_t)repair->lost_names, "orphans",
            (json_int_t)repair->orphans, "files_torn", (json_int_t)repair->torn_files,
            "files_stale", (json_int_t)repair->stale_files, "findings", check->findings);
}

static void end_line(struct check *check)
{
    if (check->line_open) {
        fputs("\r\033[K", stderr);
        check->line_open = false;
    }
}

static void print_result(const struct check *check)
{
    const struct riad_fsck_result *result = &check->result;
    char used[32], read[32];

    printf("%s: %s: %llu changes, %llu records (%s), %llu checkpoints; %llu inodes use %s\n",
            check->name, result->findings == 0 ? "clean" : "DAMAGED",
            (unsigned long long)result->changes, (unsigned long long)result->records,
            show_bytes(result->bytes, false, read), (unsigned long long)result->checkpoints,
            (unsigned long long)result->inodes,
            show_bytes(result->blocks * RIAD_BLOCK_SIZE, false, used));
}

static void print_repair(const struct check *check)
{
    const struct riad_repair_result *repair = &check->repair;

    printf("%s: repaired: %llu changes salvaged, %llu lost; %llu names lost, %llu inodes put into "
           "/lost+found, %llu files torn, %llu maybe older\n",
            check->name, (unsigned long long)repair->salvaged, (unsigned long long)repair->missing,
            (unsigned long long)repair->lost_names, (unsigned long long)repair->orphans,
            (unsigned long long)repair->torn_files, (unsigned long long)repair->stale_files);
}

static bool lost_something(const struct riad_repair_result *repair)
{
    return repair->missing + repair->refused + repair->lost_names + repair->orphans +
                   repair->torn_files + repair->stale_files >
           0;
}

/* Takes keys over. */
static int run(struct session *session, struct check *check, const struct riad_roster *roster,
        struct riad_keys *keys, step_function step)
{
    struct riad_reason reason = { "" };
    _cleanup_free_ char *state_path = NULL;
    _cleanup_close_ int state_fd =
            riad_state_directory(&session->state, "ws", &roster->workspace, &state_path);
    _cleanup_close_ int fd =
            riad_store_open_workspace(&session->unlocked.store, &roster->workspace);
    bool progress = !check->options->quiet && isatty(STDERR_FILENO);
    struct riad_workspace_config config = { .workspace_fd = fd,
        .state_fd = state_fd,
        .state_path = state_path,
        .name = check->name,
        .binding = session->unlocked.store.binding,
        .signers = session->unlocked.signers,
        .term_signer = &session->unlocked.keypair,
        .keys = keys,
        .node = session->state.node,
        .boot = session->state.boot,
        .roster_head = roster->head,
        .root_uid = geteuid(),
        .root_gid = getegid(),
        .read_only = true,
        .progress = progress ? show_progress : NULL,
        .progress_context = check };
    int r;

    if (fd < 0 || state_fd < 0) {
        riad_keys_free(keys);
        r = fd < 0 ? fd : state_fd;
        return fail(riad_exit_of(r), "cannot open workspace `%s`: %s", check->name, strerror(-r));
    }
    r = step(&config, check, &reason);
    end_line(check);
    return r < 0 ? fail(riad_exit_of(r), "%s", reason.text[0] ? reason.text : strerror(-r))
                 : RIAD_EXIT_DONE;
}

/* With findings of its own: check->findings, which the caller frees. Exit code. */
static int take_step(struct session *session, struct check *check, step_function step,
        const struct riad_catalog_workspace **ret_entry)
{
    struct riad_roster roster;
    struct riad_keys *keys;
    int code,
            r = riad_unlocked_workspace(&session->unlocked, check->name, &roster, &keys, ret_entry);

    check->findings = json_array();
    if (r < 0) {
        return fail(r == -ENOENT ? RIAD_EXIT_FAILED : riad_exit_of(r), "workspace `%s`: %s",
                check->name, r == -ENOENT ? "there is none of that name" : "its keys are damaged");
    }
    code = run(session, check, &roster, keys, step);
    riad_roster_done(&roster);
    return code;
}

static int check_once(struct session *session, struct check *check, json_t **ret)
{
    const struct riad_catalog_workspace *entry;
    int code = take_step(session, check, run_check, &entry);

    if (code == RIAD_EXIT_DONE) {
        *ret = pack_result(check);
        if (!check->options->json) {
            print_result(check);
        }
        record(session, &entry->id, "checked", "%llu findings in %llu records",
                (unsigned long long)check->result.findings,
                (unsigned long long)check->result.records);
        code = check->result.findings > 0 ? RIAD_EXIT_DAMAGED : RIAD_EXIT_DONE;
    }
    json_decref(check->findings);
    return code;
}

static int repair_once(struct session *session, struct check *check, json_t *result)
{
    const struct riad_catalog_workspace *entry;
    int code = take_step(session, check, run_repair, &entry);

    if (code == RIAD_EXIT_DONE) {
        json_object_set_new(result, "repair", pack_repair(check));
        if (!check->options->json) {
            print_repair(check);
        }
        record(session, &entry->id, "repaired",
                "%llu changes salvaged, %llu lost; %llu names lost, %llu inodes in lost+found",
                (unsigned long long)check->repair.salvaged,
                (unsigned long long)check->repair.missing,
                (unsigned long long)check->repair.lost_names,
                (unsigned long long)check->repair.orphans);
    }
    json_decref(check->findings);
    return code;
}

/* What was damaged is repaired and checked again: exit 0 if all is whole now and nothing was lost.
 */
static int repair_workspace(struct session *session, struct check *check, json_t *result)
{
    json_t *after = NULL;
    int code = repair_once(session, check, result);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    code = check_once(session, check, &after);
    if (after) {
        json_object_set_new(result, "after", after);
    }
    return code == RIAD_EXIT_DONE && lost_something(&check->repair) ? RIAD_EXIT_DAMAGED : code;
}

static int check_workspace(
        struct session *session, const struct options *options, const char *name, json_t *results)
{
    struct check check = { .options = options, .name = name };
    json_t *result = NULL;
    int code = check_once(session, &check, &result);

    if (options->repair && result && check.result.findings > 0) {
        code = repair_workspace(session, &check, result);
    }
    if (result) {
        json_array_append_new(results, result);
    }
    return code;
}

static int check_all(struct session *session, const struct options *options, json_t *results)
{
    const struct riad_catalog *catalog = &session->unlocked.catalog;
    int worst = RIAD_EXIT_DONE;

    for (size_t i = 0; i < catalog->workspace_count; i++) {
        char name[256];
        int code, r;

        if (catalog->workspaces[i].deleted) {
            continue;
        }
        r = riad_unlocked_name(&session->unlocked, &catalog->workspaces[i].id, name);
        code = r < 0 ? fail(RIAD_EXIT_DAMAGED, "the roster or wrap of a workspace is damaged: %s",
                               strerror(-r))
                     : check_workspace(session, options, name, results);
        worst = code > worst ? code : worst;
    }
    return worst;
}

int command_fsck(int argc, char **argv)
{
    _cleanup_session_ struct session session = { 0 };
    struct options options;
    json_t *results;
    int code = begin_session(argc, argv, "pPrkwsjqRX", 1, "name the store", &options, &session);

    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    results = json_array();
    code = options.workspace ? check_workspace(&session, &options, options.workspace, results)
                             : check_all(&session, &options, results);
    if (options.json) {
        int printed = print_json(json_pack("{s:O}", "workspaces", results));

        code = code == RIAD_EXIT_DONE ? printed : code;
    }
    json_decref(results);
    return code;
}
