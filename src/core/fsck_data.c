/* fsck of contents: every record that an extent refers to. */
#include <stdlib.h>

#include "fsck_priv.h"

enum { RUN_BYTES_MAX = RIAD_RUN_RECORDS_MAX * RIAD_UNIT_MAX, TOLD_EVERY_NS = 100000000 };

struct reading {
    struct riad_fsck *fsck;
    struct riad_index *index;
    struct riad_segments *segments;
    uint8_t *buffer; /* RUN_BYTES_MAX */
    uint64_t told;   /* when progress was told, riad_clock_boottime */
};

/* By the clock: reading may be slow, and who does not want this any more is heard here. */
static int tell(struct reading *reading)
{
    uint64_t now = riad_clock_boottime();

    if (now - reading->told < TOLD_EVERY_NS) {
        return 0;
    }
    reading->told = now;
    return riad_workspace_progress(
            reading->fsck->config, "bytes verified", reading->fsck->result.bytes, 0);
}

static void tell_damage(struct reading *reading, const struct riad_extent *extent, int error)
{
    char path[RIAD_FSCK_PATH], segment[48];

    riad_fsck_path(reading->index, extent->inode, path);
    riad_segment_show(reading->fsck->config->workspace_fd, extent->segment, segment);
    if (segment[0] == 's') { /* there is none: most likely it was a data segment */
        riad_segment_path(RIAD_SEGMENT_DATA, extent->segment, segment);
    }
    riad_fsck_find(reading->fsck,
            "%s: inode %llu at %llu: %s is damaged in the run at offset %llu: %s", path,
            (unsigned long long)extent->inode, (unsigned long long)extent->offset, segment,
            (unsigned long long)extent->position, strerror(-error));
}

static int read_extent(void *context, const struct riad_extent *extent)
{
    struct reading *reading = context;
    struct riad_run run = riad_extent_run(extent);
    int r;

    if (extent->kind != RIAD_EXTENT_DATA) {
        return 0;
    }
    r = riad_segments_read(
            reading->segments, &run, extent->skip, (uint32_t)extent->length, reading->buffer);
    if (r >= 0) {
        reading->fsck->result.records += extent->tag_count;
        reading->fsck->result.bytes += extent->length;
        return tell(reading);
    }
    if (r == -ENOMEM) {
        return r;
    }
    tell_damage(reading, extent, r);
    return 0;
}

static int check_header(struct riad_fsck *fsck, uint64_t segment)
{
    const struct riad_epoch_ends epochs = riad_workspace_epochs(fsck->config);
    struct riad_segment_header header;
    int r = riad_segment_header_read(
            fsck->config->workspace_fd, fsck->keys, RIAD_SEGMENT_DATA, segment, &header);

    return r == 0 && !riad_epoch_allows_segment(&epochs, header.epoch, segment) ? -EBADMSG : r;
}

/* What no extent refers to may be a leftover of a power cut, which is removed by who opens the
 * workspace (retire.c). */
static bool is_needed(struct riad_opening *opening, uint64_t segment)
{
    uint64_t live = 0;
    int r = riad_index_segment_live(opening->index, segment, &live);

    return r != -ENOENT && (r < 0 || live > 0);
}

/* The records can be read without it, but nothing else says what the file is. */
static int check_headers(struct riad_fsck *fsck, struct riad_opening *opening)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0;
    int r = riad_segment_list(fsck->config->workspace_fd, RIAD_SEGMENT_DATA, &ids, &count);

    for (size_t i = 0; i < count && r >= 0; i++) {
        int found = check_header(fsck, ids[i]);

        if (found < 0 && is_needed(opening, ids[i])) {
            riad_fsck_find(fsck, "data/%016llx is damaged in its header: %s",
                    (unsigned long long)ids[i], strerror(-found));
        }
    }
    return r;
}

static int read_extents(
        struct riad_fsck *fsck, struct riad_index *index, struct riad_snapshot *snapshot)
{
    const struct riad_epoch_ends epochs = riad_workspace_epochs(fsck->config);
    _cleanup_(riad_segments_freep) struct riad_segments *segments = NULL;
    _cleanup_free_ uint8_t *buffer = malloc(RUN_BYTES_MAX);
    struct reading reading = { .fsck = fsck, .index = index, .buffer = buffer };
    int r;

    if (!buffer) {
        return -ENOMEM;
    }
    r = riad_segments_new(fsck->config->workspace_fd, fsck->keys, &epochs, &segments);
    if (r < 0) {
        return r;
    }
    reading.segments = segments;
    return riad_snapshot_extents(snapshot, read_extent, &reading);
}

int riad_fsck_data(struct riad_fsck *fsck, struct riad_opening *opening)
{
    _cleanup_(riad_snapshot_freep) struct riad_snapshot *snapshot = NULL;
    int r = riad_index_commit(opening->index);

    if (r >= 0) {
        r = riad_snapshot_take(opening->index, &snapshot);
    }
    if (r >= 0) {
        r = read_extents(fsck, opening->index, snapshot);
    }
    return r < 0 ? r : check_headers(fsck, opening);
}
