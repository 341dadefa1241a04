/* riad fsck: a person's store, which this process opens, or a site's, which riadd's worker does. */
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "fsck_report.h"
#include "site_client.h"

/* A workspace of the store that the session has open. */
struct subject {
    struct session *session;
    const char *name;
    struct fsck_report report;
};

static int open_keys(void *context, struct riad_keys **ret)
{
    const struct subject *subject = context;
    const struct riad_catalog_workspace *entry;
    struct riad_roster roster;
    int r = riad_unlocked_workspace(
            &subject->session->unlocked, subject->name, &roster, ret, &entry);

    if (r == 0) {
        riad_roster_done(&roster);
    }
    return r;
}

static void find(void *context, enum riad_checking_step step, const char *finding)
{
    fsck_report_find(&((struct subject *)context)->report, step, finding);
}

static void end(void *context, enum riad_checking_step step, const json_t *numbers)
{
    fsck_report_end(&((struct subject *)context)->report, step, numbers);
}

/* With the directories of the workspace open; exit code. */
static int check_open(struct subject *subject, const struct riad_roster *roster, int fd,
        int state_fd, const char *state_path)
{
    struct session *session = subject->session;
    struct riad_reason reason = { "" };
    const struct riad_checking checking = { .config = { .workspace_fd = fd,
                                                    .state_fd = state_fd,
                                                    .state_path = state_path,
                                                    .name = subject->name,
                                                    .binding = session->unlocked.store.binding,
                                                    .signers = session->unlocked.signers,
                                                    .term_signer = &session->unlocked.keypair,
                                                    .node = session->state.node,
                                                    .boot = session->state.boot,
                                                    .roster_head = roster->head,
                                                    .root_uid = geteuid(),
                                                    .root_gid = getegid(),
                                                    .read_only = true,
                                                    .progress = fsck_report_progress,
                                                    .progress_context = &subject->report },
        .state = &session->state,
        .repair = subject->report.options->repair,
        .open_keys = open_keys,
        .find = find,
        .end = end,
        .context = subject };
    int code = riad_checking_run(&checking, &reason);

    return code == RIAD_EXIT_DONE || reason.text[0] == '\0' ? code : fail(code, "%s", reason.text);
}

static int check(struct subject *subject, const struct riad_roster *roster)
{
    struct session *session = subject->session;
    _cleanup_free_ char *state_path = NULL;
    _cleanup_close_ int state_fd =
            riad_state_directory(&session->state, "ws", &roster->workspace, &state_path);
    _cleanup_close_ int fd =
            riad_store_open_workspace(&session->unlocked.store, &roster->workspace);
    int r = fd < 0 ? fd : state_fd;

    return r < 0 ? fail(riad_exit_of(r), "cannot open workspace `%s`: %s", subject->name,
                           strerror(-r))
                 : check_open(subject, roster, fd, state_fd, state_path);
}

static int check_workspace(
        struct session *session, const struct options *options, const char *name, json_t *results)
{
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    struct subject subject = { .session = session, .name = name };
    const struct riad_catalog_workspace *entry;
    struct riad_keys *keys;
    int code, r = riad_unlocked_workspace(&session->unlocked, name, &roster, &keys, &entry);

    if (r < 0) {
        return fail(r == -ENOENT ? RIAD_EXIT_FAILED : riad_exit_of(r), "workspace `%s`: %s", name,
                r == -ENOENT ? "there is none of that name" : "its keys are damaged");
    }
    riad_keys_free(keys);
    fsck_report_begin(&subject.report, options, name);
    code = check(&subject, &roster);
    fsck_report_done(&subject.report, results);
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

static int fsck_store(const struct options *options, const char *store)
{
    _cleanup_session_ struct session session = { 0 };
    json_t *results;
    int code = open_session(options, store, &session);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    results = json_array();
    code = options->workspace ? check_workspace(&session, options, options->workspace, results)
                              : check_all(&session, options, results);
    return fsck_report_print(options, code, results);
}

int command_fsck(int argc, char **argv)
{
    struct options options;
    int r = parse_options(argc, argv, "pPrkwsjqRXc", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    if (optind == argc && has_site(&options)) {
        return fsck_site(&options);
    }
    return optind + 1 == argc ? fsck_store(&options, argv[optind]) : usage_error("name the store");
}
