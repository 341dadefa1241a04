/* `riad fsck` at a site: the keys came as for unlocking, and whoever gave them hears line by line
 * how it goes. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "riad/checking.h"
#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/events.h"

#include "control_priv.h"
#include "site_host_priv.h"

enum {
    CLIENT_MS = 60000, /* who does not read for so long has gone away */
    TOLD_MS = 100,     /* progress, at most so often */
};

struct check {
    struct riad_site_host *site;
    const struct riad_key_grant *grant;
    int client;
    _Atomic bool stop; /* nobody wants it any more */
    int64_t told;      /* when progress was told; riad_control_now */
    struct riad_site_target target;
    struct riad_site_signing signing;
};

/* Takes the line over; NULL: no memory. */
static void say(struct check *check, json_t *line)
{
    int r = line ? riad_control_send(check->client, riad_control_now() + CLIENT_MS, line) : -ENOMEM;

    json_decref(line);
    if (r < 0) {
        check->stop = true;
    }
}

static void say_finding(void *context, enum riad_checking_step step, const char *finding)
{
    say(context, json_pack("{s:s, s:s}", "step", riad_checking_names[step], "finding", finding));
}

static void say_end(void *context, enum riad_checking_step step, const json_t *numbers)
{
    say(context, json_pack("{s:s, s:O}", "step", riad_checking_names[step], "result", numbers));
}

static void say_progress(void *context, const char *what, uint64_t done, uint64_t total)
{
    struct check *check = context;
    int64_t now = riad_control_now();

    if (check->site->checks_stop) {
        check->stop = true;
    }
    if (now - check->told >= TOLD_MS) {
        check->told = now;
        say(check, json_pack("{s:s, s:I, s:I}", "progress", what, "done", (json_int_t)done, "total",
                           (json_int_t)total));
    }
}

static int open_keys(void *context, struct riad_keys **ret)
{
    const struct check *check = context;

    return riad_site_grant_keys(check->grant, ret);
}

/* With the workspace's directories open. */
static int run_open(struct check *check, int fd, int state_fd, const char *state_path,
        struct riad_reason *reason)
{
    struct riad_site_host *site = check->site;
    const struct riad_site_target *target = &check->target;
    bool shared = target->entry.kind == RIAD_KIND_PROJECT;
    const struct riad_checking checking = { .config = { .workspace_fd = fd,
                                                    .state_fd = state_fd,
                                                    .state_path = state_path,
                                                    .name = riad_site_target_name(target),
                                                    .binding = site->node.store.binding,
                                                    .signers = check->signing.signers,
                                                    .term_signer = &site->keys,
                                                    .epoch_ends = target->ends,
                                                    .epoch_end_count = target->end_count,
                                                    .node = site->host.state.node,
                                                    .boot = site->host.state.boot,
                                                    .roster_head = target->roster_head,
                                                    .root_uid = check->grant->uid,
                                                    .root_gid = shared ? 0 : target->gid,
                                                    .read_only = true,
                                                    .progress = say_progress,
                                                    .progress_context = check,
                                                    .stop = &check->stop },
        .state = &site->node.state,
        .repair = check->grant->purpose == RIAD_KEY_REPAIRS,
        .open_keys = open_keys,
        .find = say_finding,
        .end = say_end,
        .context = check };

    return riad_checking_run(&checking, reason);
}

static int run(struct check *check, struct riad_reason *reason)
{
    struct riad_site_host *site = check->site;
    const struct riad_id *id = &check->grant->workspace;
    _cleanup_free_ char *state_path = NULL;
    _cleanup_close_ int state_fd = riad_state_directory(&site->host.state, "ws", id, &state_path);
    _cleanup_close_ int fd = riad_store_open_workspace(&site->node.store, id);
    int r = fd < 0 ? fd : state_fd < 0 ? state_fd : 0, code;

    if (r < 0) {
        return riad_explain(reason, r, "cannot open the %s of `%s`: %s",
                fd < 0 ? "store directory" : "state directory",
                riad_site_target_name(&check->target), strerror(-r));
    }
    r = riad_site_signing_begin(site, id, &check->signing);
    code = r < 0 ? riad_explain(reason, r, "whose terms count cannot be told: %s", strerror(-r))
                 : run_open(check, fd, state_fd, state_path, reason);
    riad_site_signing_done(&check->signing);
    return code;
}

/* What is found has paths in it, and nobody can open a workspace meanwhile: of a project its
 * managers may. */
static int admit(const struct check *check, struct riad_reason *reason)
{
    const struct riad_site_target *target = &check->target;
    struct riad_mount *mount;

    for (size_t i = 0; i < target->member_count; i++) {
        if (riad_id_equal(&target->members[i].user, &target->user.id) &&
                target->members[i].role != RIAD_ROLE_MANAGER) {
            return riad_reason_set(reason, RIAD_EXIT_NOT_PERMITTED,
                    "the managers of the project `%s` can check it", riad_site_target_name(target));
        }
    }
    mount = riad_site_hold(check->site, &check->grant->workspace);
    if (!mount) {
        return RIAD_EXIT_DONE;
    }
    riad_host_unhold(&check->site->host, mount);
    return riad_reason_set(reason, RIAD_EXIT_OWNED,
            "`%s` is open on this machine: `riad lock` it first (while it is open, `riad scrub` "
            "verifies it)",
            riad_site_target_name(target));
}

static int find_target(struct check *check, struct riad_reason *reason)
{
    const struct riad_key_grant *grant = check->grant;
    struct riad_site_host *site = check->site;
    int code = riad_site_find_target(site, grant, &check->target, reason);

    if (code != RIAD_EXIT_DONE) {
        riad_events_record(&site->node.state, "unlock-failed", &site->node.store.binding.store,
                &grant->workspace, "uid %u: %s", grant->uid, riad_host_meaning(code));
        return code;
    }
    riad_site_tried_well(site, grant->uid);
    return RIAD_EXIT_DONE;
}

static json_t *last_line(const struct check *check, int code, const struct riad_reason *reason)
{
    bool whole = code == RIAD_EXIT_DONE || (code == RIAD_EXIT_DAMAGED && reason->text[0] == '\0');

    if (whole) {
        return json_pack("{s:b, s:i}", "ok", 1, "exit", code);
    }
    return riad_control_failure(
            code, check->site->checks_stop ? "riadd is being stopped" : reason->text);
}

json_t *riad_site_check(struct riad_site_host *site, const struct riad_key_grant *grant, int client)
{
    struct check check = { .site = site, .grant = grant, .client = client };
    struct riad_reason reason = { "" };
    int code = find_target(&check, &reason);

    if (code == RIAD_EXIT_DONE) {
        code = admit(&check, &reason);
    }
    if (code == RIAD_EXIT_DONE) {
        code = run(&check, &reason);
    }
    riad_site_target_done(&check.target);
    return last_line(&check, code, &reason);
}
