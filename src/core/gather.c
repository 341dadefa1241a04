/* Small appends make small extents. Whenever a file has grown over another 256 KiB by them, those
 * are read back and written once more as one run: fewer rows, and reads of one piece. */
#include <errno.h>
#include <stdlib.h>

#include "write_priv.h"

enum {
    CHUNK = 256 << 10,
    EXTENTS_MIN = 8,     /* fewer are not worth it */
    STORE_MIN = 1 << 16, /* blocks that the store has free, else its room is for others */
};

/* What lies in a chunk. */
struct gathering {
    uint64_t next; /* covered without a gap up to here */
    unsigned count;
    bool small; /* all are data, and small */
};

static int see(void *context, const struct riad_extent *extent)
{
    struct gathering *gathering = context;

    if (extent->kind != RIAD_EXTENT_DATA || extent->offset > gathering->next ||
            extent->length >= RIAD_SMALL_WRITE_MAX) {
        gathering->small = false;
        return 1;
    }
    gathering->next = riad_extent_end(extent);
    gathering->count++;
    return 0;
}

/* Whether [from, from + CHUNK) is worth it, and the version that says so. (mutation) */
static bool is_scattered(
        struct riad_workspace *workspace, uint64_t inode, uint64_t from, uint64_t *ret_version)
{
    struct gathering gathering = { .next = from, .small = true };
    struct riad_inode row;
    int r = riad_get_file(workspace, inode, &row);

    if (r < 0 || from + CHUNK > row.truncate_mark || workspace->store_blocks_free < STORE_MIN) {
        return false;
    }
    r = riad_index_extents(workspace->index, inode, from, from + CHUNK, see, &gathering);
    *ret_version = row.version;
    return r == 0 && gathering.small && gathering.count >= EXTENTS_MIN &&
           gathering.next >= from + CHUNK;
}

static bool find_scattered(
        struct riad_workspace *workspace, uint64_t inode, uint64_t from, uint64_t *ret_version)
{
    bool scattered;

    if (riad_workspace_lock(workspace) < 0) {
        return false;
    }
    scattered = is_scattered(workspace, inode, from, ret_version);
    riad_workspace_unlock(workspace);
    return scattered;
}

/* Only if nobody has written since: then the bytes that were read are still those of the file. The
 * blocks stay the same, so the inode's row does. Nor if an epoch has ended since: not worth sealing
 * them again. (mutation) */
static int replace_locked(struct riad_workspace *workspace, const struct riad_data_write *write,
        const struct riad_payload *payload, uint64_t version)
{
    struct riad_extent_edit edit;
    struct riad_inode row;
    int r = riad_get_file(workspace, write->inode, &row);

    if (r < 0 || row.version != version || riad_log_is_stale(workspace->log, payload)) {
        return r;
    }
    r = riad_scan_edit(workspace, &row, write->offset, write->offset + write->size, &edit);
    if (r < 0 || riad_extent_edit_filled(&edit) != 0) {
        return r;
    }
    riad_write_put(workspace, write, payload, &edit);
    return riad_mutation_commit(workspace, NULL);
}

static int replace(struct riad_workspace *workspace, struct riad_data_write *write,
        const struct riad_payload *payload, uint64_t version)
{
    unsigned ticket = riad_bulk_begin(workspace);
    int r = riad_log_write_bulk(workspace->log, payload, write->inode, &write->place);

    if (r == 0) {
        r = riad_mutation_begin(workspace, NULL);
    }
    if (r == 0) {
        r = replace_locked(workspace, write, payload, version);
        riad_mutation_end(workspace);
    }
    riad_bulk_end(workspace, ticket);
    return r;
}

static int gather(struct riad_workspace *workspace, uint64_t inode, uint64_t from, uint64_t version)
{
    _cleanup_free_ uint8_t *data = malloc(CHUNK);
    _cleanup_(riad_payload_freep) struct riad_payload *payload = NULL;
    struct riad_data_write write = { .inode = inode, .offset = from, .data = data };
    int r;

    if (!data) {
        return -ENOMEM;
    }
    r = riad_read(workspace, inode, from, CHUNK, data, &write.size);
    if (r < 0 || write.size < CHUNK) {
        return r;
    }
    r = riad_write_seal(workspace, &write, &payload);
    return r < 0 ? r : replace(workspace, &write, payload, version);
}

void riad_gather(struct riad_workspace *workspace, const struct riad_data_write *write)
{
    uint64_t end = (write->offset + write->size) / CHUNK * CHUNK;
    uint64_t version;
    int r;

    if (end <= write->offset || !find_scattered(workspace, write->inode, end - CHUNK, &version)) {
        return;
    }
    r = gather(workspace, write->inode, end - CHUNK, version);
    if (r < 0) {
        return; /* the small extents stay: they are as good, only more */
    }
}
