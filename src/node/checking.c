/* A check, and maybe a repair, of a workspace that nobody has open. */
#include "riad/checking.h"

#include "riad/error.h"
#include "riad/events.h"
#include "riad/host.h"

const char *const riad_checking_names[RIAD_CHECKING_STEPS] = { "check", "repair", "after" };

/* One run. */
struct run {
    const struct riad_checking *checking;
    struct riad_workspace_config config; /* with the keys of the step */
    struct riad_id workspace;
    enum riad_checking_step step;
    struct riad_reason *reason;
};

static void pass_on(void *context, const char *finding)
{
    const struct run *run = context;

    run->checking->find(run->checking->context, run->step, finding);
}

static json_t *pack_check(const struct riad_fsck_result *result)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "changes", (json_int_t)result->changes,
            "records", (json_int_t)result->records, "bytes", (json_int_t)result->bytes, "inodes",
            (json_int_t)result->inodes, "bytes_used",
            (json_int_t)(result->blocks * RIAD_BLOCK_SIZE), "checkpoints",
            (json_int_t)result->checkpoints, "damage", (json_int_t)result->findings);
}

static json_t *pack_repair(const struct riad_repair_result *repair)
{
    return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "history_mended",
            repair->history_mended, "changes_salvaged", (json_int_t)repair->salvaged,
            "changes_lost", (json_int_t)repair->missing, "operations_refused",
            (json_int_t)repair->refused, "names_lost", (json_int_t)repair->lost_names, "orphans",
            (json_int_t)repair->orphans, "files_torn", (json_int_t)repair->torn_files,
            "files_stale", (json_int_t)repair->stale_files);
}

/* Takes the numbers over. */
static void end_step(const struct run *run, json_t *numbers)
{
    run->checking->end(run->checking->context, run->step, numbers);
    json_decref(numbers);
}

/* Whose keys the step gets; they say which workspace it is. */
static int begin_step(struct run *run, enum riad_checking_step step)
{
    const struct riad_checking *checking = run->checking;
    int r = checking->open_keys(checking->context, &run->config.keys);

    if (r < 0) {
        return riad_explain(run->reason, r, "the keys of %s cannot be used: %s", run->config.name,
                strerror(-r));
    }
    run->step = step;
    run->workspace = *riad_keys_workspace(run->config.keys);
    return RIAD_EXIT_DONE;
}

/* An exit code for what a step returned, with a reason if it failed, and only then. */
static int judge(const struct run *run, int r)
{
    if (r < 0 && run->reason->text[0] == '\0') {
        return riad_explain(run->reason, r, "%s: %s", run->config.name, strerror(-r));
    }
    if (r >= 0) {
        run->reason->text[0] = '\0';
    }
    return riad_exit_of(r);
}

static int check(struct run *run, enum riad_checking_step step, struct riad_fsck_result *ret)
{
    int code = begin_step(run, step);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    code = judge(run, riad_fsck_run(&run->config, pass_on, run, ret, run->reason));
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    end_step(run, pack_check(ret));
    riad_events_record(run->checking->state, "checked", &run->config.binding.store, &run->workspace,
            "%llu findings in %llu records", (unsigned long long)ret->findings,
            (unsigned long long)ret->records);
    return ret->findings > 0 ? RIAD_EXIT_DAMAGED : RIAD_EXIT_DONE;
}

static int repair(
        struct run *run, const struct riad_fsck_result *checked, struct riad_repair_result *ret)
{
    int code = begin_step(run, RIAD_CHECKING_REPAIR);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    code = judge(run, riad_repair_run(&run->config, checked, pass_on, run, ret, run->reason));
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    end_step(run, pack_repair(ret));
    riad_events_record(run->checking->state, "repaired", &run->config.binding.store,
            &run->workspace,
            "%llu changes salvaged, %llu lost; %llu names lost, %llu inodes in lost+found",
            (unsigned long long)ret->salvaged, (unsigned long long)ret->missing,
            (unsigned long long)ret->lost_names, (unsigned long long)ret->orphans);
    return RIAD_EXIT_DONE;
}

static bool lost_something(const struct riad_repair_result *repair)
{
    return repair->missing + repair->refused + repair->lost_names + repair->orphans +
                   repair->torn_files + repair->stale_files >
           0;
}

int riad_checking_run(const struct riad_checking *checking, struct riad_reason *ret_reason)
{
    struct run run = { .checking = checking, .config = checking->config, .reason = ret_reason };
    struct riad_fsck_result checked = { 0 }, after;
    struct riad_repair_result repaired;
    int code = check(&run, RIAD_CHECKING_FIRST, &checked);

    if (checked.findings == 0 || !checking->repair) {
        return code;
    }
    code = repair(&run, &checked, &repaired);
    if (code == RIAD_EXIT_DONE) {
        code = check(&run, RIAD_CHECKING_AFTER, &after);
    }
    return code == RIAD_EXIT_DONE && lost_something(&repaired) ? RIAD_EXIT_DAMAGED : code;
}
