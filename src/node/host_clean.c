/* The cleaner of a mount (L7), as the control socket tells of it. */
#include "riad/error.h"

#include "control_priv.h"
#include "host_priv.h"

json_t *riad_host_pack_cleaning(const struct riad_workspace_status *status)
{
    const struct riad_cleaning *cleaning = &status->cleaning;
    bool rekeyed =
            cleaning->surveyed_before == status->last_segment_before && cleaning->old_segments == 0;

    return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:b}", "asked", cleaning->asked, "store_bytes",
            (json_int_t)cleaning->store_bytes, "live_bytes", (json_int_t)cleaning->live_bytes,
            "moved_bytes", (json_int_t)cleaning->moved_bytes, "old_key_bytes",
            (json_int_t)cleaning->old_bytes, "old_key_files", (json_int_t)cleaning->old_segments,
            "rekeyed", rekeyed);
}

json_t *riad_host_clean(struct riad_mount *mount, const json_t *request)
{
    struct riad_workspace_status status;
    int r = riad_workspace_status(mount->workspace, &status);

    (void)request;
    if (r == 0 && status.state != RIAD_WORKSPACE_RUNNING) {
        return riad_control_failure(
                RIAD_EXIT_FAILED, "it is read-only: nothing can be moved, or given back");
    }
    if (r < 0) {
        return riad_control_failure(riad_exit_of(r), strerror(-r));
    }
    riad_workspace_clean(mount->workspace);
    return json_pack("{s:b}", "ok", 1);
}
