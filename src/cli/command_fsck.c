#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/fsck.h"

#include "cli.h"

struct check {
    const struct options *options;
    const char *name;
    json_t *findings;
    bool line_open; /* a progress line stands unfinished on the terminal */
};

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

static json_t *pack_result(const struct check *check, const struct riad_fsck_result *result)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O}", "workspace", check->name,
            "changes", (json_int_t)result->changes, "records", (json_int_t)result->records, "bytes",
            (json_int_t)result->bytes, "inodes", (json_int_t)result->inodes, "bytes_used",
            (json_int_t)(result->blocks * RIAD_BLOCK_SIZE), "checkpoints",
            (json_int_t)result->checkpoints, "damage", (json_int_t)result->findings, "findings",
            check->findings);
}

static void print_result(const struct check *check, const struct riad_fsck_result *result)
{
    char used[32], read[32];

    if (check->line_open) {
        fputs("\r\033[K", stderr);
    }
    printf("%s: %s: %llu changes, %llu records (%s), %llu checkpoints; %llu inodes use %s\n",
            check->name, result->findings == 0 ? "clean" : "DAMAGED",
            (unsigned long long)result->changes, (unsigned long long)result->records,
            show_bytes(result->bytes, false, read), (unsigned long long)result->checkpoints,
            (unsigned long long)result->inodes,
            show_bytes(result->blocks * RIAD_BLOCK_SIZE, false, used));
}

/* Takes keys over. */
static int run(struct session *session, struct check *check, const struct riad_roster *roster,
        struct riad_keys *keys, struct riad_fsck_result *ret)
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
        .keys = keys,
        .node = session->state.node,
        .boot = session->state.boot,
        .roster_head = roster->head,
        .read_only = true,
        .progress = progress ? show_progress : NULL,
        .progress_context = check };
    int r;

    if (fd < 0 || state_fd < 0) {
        riad_keys_free(keys);
        r = fd < 0 ? fd : state_fd;
        return fail(riad_exit_of(r), "cannot open workspace `%s`: %s", check->name, strerror(-r));
    }
    r = riad_fsck_run(&config, report, check, ret, &reason);
    return r < 0 ? fail(riad_exit_of(r), "%s", reason.text[0] ? reason.text : strerror(-r))
                 : RIAD_EXIT_DONE;
}

static int check_workspace(
        struct session *session, const struct options *options, const char *name, json_t *results)
{
    struct check check = { .options = options, .name = name, .findings = json_array() };
    const struct riad_catalog_workspace *entry;
    struct riad_fsck_result result = { 0 };
    struct riad_roster roster;
    struct riad_keys *keys;
    int code, r = riad_unlocked_workspace(&session->unlocked, name, &roster, &keys, &entry);

    if (r < 0) {
        json_decref(check.findings);
        return fail(r == -ENOENT ? RIAD_EXIT_FAILED : riad_exit_of(r), "workspace `%s`: %s", name,
                r == -ENOENT ? "there is none of that name" : "its keys are damaged");
    }
    code = run(session, &check, &roster, keys, &result);
    riad_roster_done(&roster);
    if (code == RIAD_EXIT_DONE) {
        json_array_append_new(results, pack_result(&check, &result));
        if (!options->json) {
            print_result(&check, &result);
        }
        record(session, &entry->id, "checked", "%llu findings in %llu records",
                (unsigned long long)result.findings, (unsigned long long)result.records);
        code = result.findings > 0 ? RIAD_EXIT_DAMAGED : RIAD_EXIT_DONE;
    }
    json_decref(check.findings);
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
    int code = begin_session(argc, argv, "pPrkwsjqR", 1, "name the store", &options, &session);

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
