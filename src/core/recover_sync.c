/* Durability of what was recovered. */
#include <fcntl.h>

#include "riad/fdio.h"
#include "riad/sysops.h"

#include "lifecycle_priv.h"

static int sync_file(int workspace_fd, enum riad_segment_kind kind, uint64_t segment)
{
    _cleanup_close_ int fd = -1;
    char path[32];

    riad_segment_path(kind, segment, path);
    fd = riad_sys->openat(workspace_fd, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    return riad_sys->fdatasync(fd) < 0 ? -errno : 0;
}

static int sync_folder(int workspace_fd, const char *name)
{
    _cleanup_close_ int fd = riad_open_dir_at(workspace_fd, name);

    return fd < 0 ? fd : riad_fsync_dir(fd);
}

static int sync_kind(int workspace_fd, enum riad_segment_kind kind, uint32_t term)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0;
    int r = riad_segment_list(workspace_fd, kind, &ids, &count);

    while (r >= 0 && count-- > 0 && riad_segment_term(ids[count]) >= term) {
        r = sync_file(workspace_fd, kind, ids[count]);
    }
    return r < 0 ? r : sync_folder(workspace_fd, kind == RIAD_SEGMENT_LOG ? "log" : "data");
}

/* Each opening does this before it claims its term, so terms before the last one are durable. */
int riad_recover_sync(struct riad_opening *opening)
{
    const struct riad_history *history = &opening->history;
    int fd = opening->config->workspace_fd;
    struct riad_end end;
    uint64_t start;
    uint32_t term;
    int r;

    riad_index_end(opening->index, &end, &start);
    if (history->count == 0 || end.sequence.number == opening->mark.end.sequence.number) {
        return 0;
    }
    term = history->terms[history->count - 1].number;
    r = sync_kind(fd, RIAD_SEGMENT_DATA, term);
    if (r >= 0) {
        r = sync_kind(fd, RIAD_SEGMENT_LOG, term);
    }
    if (r < 0) {
        return riad_reason_set(opening->reason, r, "the store of %s cannot be synced: %s",
                opening->config->name, strerror(-r));
    }
    return 0;
}
