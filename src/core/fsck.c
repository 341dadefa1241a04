/* Checking a workspace that nobody has open. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include "riad/fdio.h"
#include "riad/replay.h"
#include "riad/sysops.h"

#include "fsck_priv.h"

static const char folder[] = "fsck";

void riad_fsck_find(struct riad_fsck *fsck, const char *format, ...)
{
    char finding[RIAD_FSCK_FINDING];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(finding, sizeof finding, format, arguments);
    va_end(arguments);
    fsck->result.findings++;
    if (fsck->report) {
        fsck->report(fsck->context, finding);
    }
}

void riad_fsck_begin(struct riad_fsck *fsck, const char *index_path, struct riad_reason *reason,
        struct riad_opening *ret)
{
    *ret = (struct riad_opening){
        .config = fsck->config,
        .reason = reason,
        .keys = fsck->keys,
        .index_path = index_path,
        .history = fsck->history,
        .mark = fsck->mark,
        .closed_number = fsck->closed_number,
    };
}

void riad_fsck_end(struct riad_fsck *fsck, struct riad_opening *opening)
{
    (void)fsck;
    if (opening->index) {
        riad_index_close(opening->index);
        opening->index = NULL;
    }
}

/* Clients were told that these changes are made, and they are not in the log (O2). */
static void find_late_spool(struct riad_fsck *fsck, const struct riad_opening *opening)
{
    struct riad_reason late;

    if (riad_recover_spool_late(opening, &late)) {
        riad_fsck_find(fsck, "%s", late.text);
    }
}

int riad_fsck_enter(struct riad_fsck *fsck)
{
    _cleanup_close_ int lock_fd = riad_ownership_lock(fsck->config, fsck->reason);
    struct riad_opening opening;
    int r;

    if (lock_fd < 0) {
        return lock_fd;
    }
    riad_fsck_begin(fsck, NULL, fsck->reason, &opening);
    r = riad_ownership_wait(&opening);
    if (r >= 0) {
        r = riad_recover_spool(&opening);
    }
    if (r >= 0) {
        find_late_spool(fsck, &opening);
    }
    if (r >= 0) {
        r = riad_recover_mark(&opening);
    }
    fsck->history = opening.history;
    fsck->mark = opening.mark;
    fsck->closed_number = opening.closed_number;
    return r < 0 ? r : riad_take_fd(&lock_fd);
}

int riad_fsck_make_folder(struct riad_fsck *fsck)
{
    int length = snprintf(fsck->path, sizeof fsck->path, "%s/%s", fsck->config->state_path, folder);
    int r;

    if (length < 0 || (size_t)length >= sizeof fsck->path) {
        return riad_reason_set(
                fsck->reason, -ENAMETOOLONG, "the state directory's path is too long");
    }
    r = riad_mkdir_at(fsck->config->state_fd, folder);
    if (r >= 0) {
        r = riad_index_discard(fsck->path);
    }
    return r < 0 ? riad_reason_set(fsck->reason, r, "cannot make %s: %s", fsck->path, strerror(-r))
                 : 0;
}

void riad_fsck_remove_folder(struct riad_fsck *fsck)
{
    int r = riad_index_discard(fsck->path);

    if (r >= 0) {
        riad_sys->unlinkat(fsck->config->state_fd, folder, AT_REMOVEDIR);
    }
}

/* Damage is a finding, anything else ends the check. */
static int find_damage(struct riad_fsck *fsck, const struct riad_reason *reason, int error)
{
    if (error != -EUCLEAN && error != -EBADMSG) {
        return riad_reason_set(fsck->reason, error, "%s", reason->text);
    }
    if (strcmp(reason->text, fsck->damage.text) != 0) { /* not the same again on another way */
        riad_fsck_find(fsck, "%s", reason->text);
        fsck->damage = *reason;
    }
    return 0;
}

/* Where the log was cut (L6), the rows begin with the oldest checkpoint that is of use. */
static int begin_rows(struct riad_fsck *fsck, struct riad_opening *opening)
{
    static const struct riad_end first;
    const struct riad_epoch_ends epochs = riad_workspace_epochs(fsck->config);
    int r = riad_rebuild_empty(opening);

    if (r < 0) {
        return r;
    }
    r = riad_replay_connects(
            fsck->config->workspace_fd, fsck->keys, &fsck->history, &epochs, &first);
    if (r == -EUCLEAN) {
        return 0; /* damage: reading on tells */
    }
    return r == -ENOENT ? riad_rebuild_from_oldest(opening) : r;
}

/* All changes that there are, and all data records among them. */
static int read_log(struct riad_fsck *fsck, struct riad_opening *opening)
{
    uint64_t start;
    int r = begin_rows(fsck, opening);

    if (r < 0) {
        return r;
    }
    opening->check_data = true;
    r = riad_recover_follow(opening);
    opening->check_data = false;
    fsck->result.changes = opening->replayed;
    fsck->result.records = opening->replayed;
    fsck->result.bytes = opening->bytes;
    fsck->log_whole = r >= 0;
    fsck->result.log_damaged = r < 0;
    riad_index_end(opening->index, &fsck->log_end, &start);
    return r < 0 ? find_damage(fsck, opening->reason, r) : 0;
}

/* Behind a damaged place the newest checkpoint may help to see more of the rows. */
static int read_rest(struct riad_fsck *fsck, struct riad_opening *opening)
{
    int r = riad_rebuild_empty(opening);

    if (r >= 0) {
        r = riad_rebuild_from_checkpoint(opening);
    }
    if (r >= 0) {
        r = riad_recover_follow(opening);
    }
    return r < 0 ? find_damage(fsck, opening->reason, r) : 0;
}

static int check_rows(
        struct riad_fsck *fsck, struct riad_opening *opening, struct riad_fsck_digest *ret)
{
    int r = read_log(fsck, opening);

    if (r >= 0 && !fsck->log_whole) {
        r = read_rest(fsck, opening);
    }
    if (r >= 0) {
        r = riad_fsck_rows(fsck, opening);
    }
    if (r >= 0) {
        r = riad_fsck_data(fsck, opening);
    }
    return r < 0 ? r : riad_fsck_digest(opening, ret);
}

static int check(struct riad_fsck *fsck)
{
    struct riad_reason reason = { "" };
    struct riad_fsck_digest digest = { 0 };
    struct riad_opening opening;
    int r;

    riad_fsck_begin(fsck, fsck->path, &reason, &opening);
    r = check_rows(fsck, &opening, &digest);
    riad_fsck_end(fsck, &opening);
    if (r >= 0 && fsck->log_whole) {
        r = riad_fsck_local(fsck, &digest);
    }
    if (r >= 0) {
        r = riad_fsck_checkpoints(fsck, &digest);
    }
    if (r < 0 && fsck->reason && fsck->reason->text[0] == 0) {
        return riad_reason_set(fsck->reason, r, "%s cannot be checked: %s", fsck->config->name,
                reason.text[0] ? reason.text : strerror(-r));
    }
    return r;
}

static int check_locked(struct riad_fsck *fsck)
{
    int r = riad_fsck_make_folder(fsck);

    if (r >= 0) {
        r = check(fsck);
        riad_fsck_remove_folder(fsck);
    }
    return r;
}

/* Another machine could open it all the time, as a check claims nothing: what was found may be what
 * that changed (O1). */
static int refuse_company(const struct riad_fsck *fsck)
{
    const struct riad_workspace_config *config = fsck->config;
    const struct riad_history *history = &fsck->history;
    uint32_t last = history->count > 0 ? history->terms[history->count - 1].number : 0;
    int r = riad_term_check(config->workspace_fd, &config->binding, config->signers,
            riad_keys_workspace(fsck->keys), last);

    return r != -ESTALE ? 0
                        : riad_reason_set(fsck->reason, -EBUSY,
                                  "%s was opened on another machine while it was checked: what was "
                                  "found says nothing. Check it again when it is closed there",
                                  config->name);
}

int riad_fsck_run(const struct riad_workspace_config *config, riad_fsck_report report,
        void *context, struct riad_fsck_result *ret, struct riad_reason *ret_reason)
{
    _cleanup_(riad_keys_freep) struct riad_keys *keys = config->keys;
    _cleanup_close_ int lock_fd = -1;
    struct riad_fsck fsck = {
        .config = config, .keys = keys, .report = report, .context = context, .reason = ret_reason
    };
    int r;

    if (ret_reason) {
        ret_reason->text[0] = 0;
    }
    lock_fd = riad_fsck_enter(&fsck);
    r = lock_fd < 0 ? lock_fd : check_locked(&fsck);
    if (lock_fd >= 0 && r != -ECANCELED) {
        int company = refuse_company(&fsck);

        r = company < 0 ? company : r;
    }
    riad_history_done(&fsck.history);
    if (r >= 0) {
        *ret = fsck.result;
    }
    return r < 0 ? r : 0;
}
