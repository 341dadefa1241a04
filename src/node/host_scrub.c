/* Verifying the contents of a mount, as the control socket tells of it. */
#include "riad/error.h"

#include "control_priv.h"
#include "host_priv.h"

json_t *riad_host_pack_scrub(const struct riad_workspace_status *status)
{
    const struct riad_scrubbing *scrub = &status->scrubbing;
    json_t *inodes = json_array();

    for (size_t i = 0; i < scrub->damaged && i < RIAD_SCRUB_TOLD; i++) {
        json_array_append_new(inodes, json_integer((json_int_t)scrub->inodes[i]));
    }
    return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I}", "running",
            scrub->running, "rate", (json_int_t)scrub->rate, "bytes", (json_int_t)scrub->bytes,
            "bytes_total", (json_int_t)scrub->total, "files", (json_int_t)scrub->files, "damaged",
            (json_int_t)scrub->damaged, "inodes", inodes, "checkpoints",
            (json_int_t)scrub->checkpoints, "changes", (json_int_t)scrub->changes,
            "history_damaged", (json_int_t)scrub->history_damaged, "began",
            (json_int_t)scrub->began, "ended", (json_int_t)scrub->ended);
}

json_t *riad_host_scrub(struct riad_mount *mount, const json_t *request)
{
    json_int_t rate = json_integer_value(json_object_get(request, "rate"));
    struct riad_workspace_status status;
    int r = riad_workspace_status(mount->workspace, &status);

    if (r == 0 && status.state != RIAD_WORKSPACE_RUNNING) {
        return riad_control_failure(RIAD_EXIT_FAILED,
                "it is read-only: `riad fsck` verifies it when it is not mounted");
    }
    if (r < 0 || rate < 0) {
        return riad_control_failure(
                r < 0 ? riad_exit_of(r) : RIAD_EXIT_USAGE, r < 0 ? strerror(-r) : "no rate");
    }
    riad_workspace_scrub(mount->workspace, (uint64_t)rate);
    return json_pack("{s:b}", "ok", 1);
}
