/* Files of a term that a salvage made and did not claim. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "riad/fdio.h"
#include "riad/sysops.h"

#include "lifecycle_priv.h"

static const char record[] = "salvage";

enum { RECORD_SIZE = 17 }; /* a segment's number, 16 digits, and a newline */

int riad_salvage_begin(const struct riad_workspace_config *config, uint64_t first)
{
    char text[RECORD_SIZE + 1];
    _cleanup_close_ int fd = riad_sys->openat(
            config->state_fd, record, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r;

    if (fd < 0) {
        return -errno;
    }
    snprintf(text, sizeof text, "%016" PRIx64 "\n", first);
    r = riad_pwrite_all(fd, text, RECORD_SIZE, 0);
    if (r == 0 && riad_sys->fsync(fd) < 0) {
        r = -errno;
    }
    return r < 0 ? r : riad_fsync_dir(config->state_fd);
}

void riad_salvage_end(const struct riad_workspace_config *config)
{
    riad_sys->unlinkat(config->state_fd, record, 0); /* if it stays, its term is taken */
}

/* The first segment that the record names; 0 if there is none. */
static uint64_t read_record(const struct riad_workspace_config *config)
{
    char text[RECORD_SIZE + 1] = "";
    _cleanup_close_ int fd =
            riad_sys->openat(config->state_fd, record, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
    size_t size = 0;

    if (fd < 0 || riad_pread_all(fd, text, RECORD_SIZE, 0, &size) < 0 || size != RECORD_SIZE) {
        return 0;
    }
    return strtoull(text, NULL, 16);
}

static void clear_kind(
        const struct riad_workspace_config *config, enum riad_segment_kind kind, uint64_t first)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0;
    char path[32];

    if (riad_segment_list(config->workspace_fd, kind, &ids, &count) < 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (ids[i] >= first && riad_segment_term(ids[i]) == riad_segment_term(first)) {
            riad_segment_path(kind, ids[i], path);
            riad_sys->unlinkat(config->workspace_fd, path, 0);
        }
    }
}

void riad_salvage_clear(
        const struct riad_workspace_config *config, const struct riad_history *history)
{
    uint64_t first = read_record(config);

    if (first != 0 && riad_segment_term(first) == history->taken + 1) {
        clear_kind(config, RIAD_SEGMENT_LOG, first);
        clear_kind(config, RIAD_SEGMENT_CHECKPOINT, first);
    }
    if (first != 0) {
        riad_salvage_end(config);
    }
}
