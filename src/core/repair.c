/* Salvage of a damaged workspace (riad/repair.h). */
#include "riad/repair.h"

#include <fcntl.h>
#include <stdio.h>

#include "riad/fdio.h"
#include "riad/log.h"
#include "riad/sysops.h"

#include "repair_priv.h"

static int mend_history(struct riad_repair *repair)
{
    int r = riad_repair_load(repair);

    if (r == 0) {
        r = riad_repair_salvage(repair);
    }
    if (r == 0) {
        r = riad_repair_tree(repair);
    }
    if (r == 0) {
        r = riad_repair_claim(repair);
    }
    repair->result.history_mended = r == 0;
    return r;
}

static void release(struct riad_repair *repair)
{
    riad_fsck_end(&repair->fsck, &repair->source);
    riad_fsck_end(&repair->fsck, &repair->work);
    if (repair->log) {
        riad_log_free(repair->log);
        repair->log = NULL;
    }
    riad_change_done(&repair->change);
    riad_writer_done(&repair->content);
    riad_history_done(&repair->fsck.history);
}

static const char work_folder[] = "fsck/work";

/* One for the rows to begin with, one in it for those to be mended. */
static int make_folders(struct riad_repair *repair)
{
    struct riad_fsck *fsck = &repair->fsck;
    int length = snprintf(
            repair->path, sizeof repair->path, "%s/%s", fsck->config->state_path, work_folder);
    int r = riad_fsck_make_folder(fsck);

    if (r >= 0 && (length < 0 || (size_t)length >= sizeof repair->path)) {
        r = -ENAMETOOLONG;
    }
    if (r >= 0) {
        r = riad_mkdir_at(fsck->config->state_fd, work_folder);
    }
    return r;
}

static void remove_folders(struct riad_repair *repair)
{
    if (riad_index_discard(repair->path) >= 0) {
        riad_sys->unlinkat(repair->fsck.config->state_fd, work_folder, AT_REMOVEDIR);
    }
    riad_fsck_remove_folder(&repair->fsck);
}

/* With the lock of the state directory. */
static int mend_locked(struct riad_repair *repair)
{
    bool needed = false;
    int r = make_folders(repair);

    if (r < 0) {
        return r;
    }
    riad_salvage_clear(repair->fsck.config, &repair->fsck.history);
    r = riad_repair_begin(repair, &needed);
    if (r == 0 && needed) {
        r = mend_history(repair);
    }
    riad_fsck_end(&repair->fsck, &repair->source);
    riad_fsck_end(&repair->fsck, &repair->work);
    remove_folders(repair);
    return r;
}

/* An index is known to be wrong only where the log is whole. */
static int mend(struct riad_repair *repair, bool discard_index)
{
    _cleanup_close_ int lock_fd = riad_fsck_enter(&repair->fsck);
    int r = lock_fd;

    if (r >= 0 && discard_index) {
        r = riad_index_discard(repair->fsck.config->state_path);
    }
    if (r >= 0) {
        r = mend_locked(repair);
    }
    release(repair);
    return r < 0 ? r : 0;
}

int riad_repair_run(const struct riad_workspace_config *config,
        const struct riad_fsck_result *checked, riad_fsck_report report, void *context,
        struct riad_repair_result *ret, struct riad_reason *ret_reason)
{
    struct riad_reason reason = { "" };
    struct riad_repair repair = { .fsck = { .config = config,
                                          .keys = config->keys,
                                          .report = report,
                                          .context = context,
                                          .reason = &reason } };
    int r;

    riad_writer_init_growing(&repair.content, 4096, RIAD_CHANGE_BODY_MAX);
    r = mend(&repair, checked->index_damaged);
    if (r == 0 &&
            (repair.result.history_mended || checked->log_damaged || checked->checkpoint_damaged)) {
        r = riad_repair_store(&repair);
    } else {
        riad_keys_free(config->keys);
    }
    if (r < 0) {
        return riad_reason_set(ret_reason, r, "%s cannot be repaired: %s", config->name,
                reason.text[0] ? reason.text : strerror(-r));
    }
    repair.result.told = repair.fsck.result.findings;
    *ret = repair.result;
    return 0;
}
