/* Whether the payloads of a change that may not have been durable reached the store (P3). */
#include "recover_priv.h"

enum { RUN_BYTES_MAX = RIAD_RUN_RECORDS_MAX * RIAD_UNIT_MAX, SEEN = 64 };

/* The row that an extent replaces: the same run, which may have grown since. */
struct replaced {
    const struct riad_extent *extent;
    uint64_t length; /* bytes that both refer to */
};

static bool same_run(const struct riad_extent *a, const struct riad_extent *b)
{
    return a->inode == b->inode && a->kind == b->kind && a->unit_shift == b->unit_shift &&
           a->segment == b->segment && a->position == b->position && a->skip == b->skip &&
           a->born.inode == b->born.inode && a->born.generation == b->born.generation &&
           a->born.offset == b->born.offset;
}

static int compare_row(void *context, const struct riad_extent *row)
{
    struct replaced *replaced = context;
    const struct riad_extent *extent = replaced->extent;

    if (row->offset == extent->offset && row->length <= extent->length &&
            row->tag_count <= extent->tag_count && same_run(row, extent) &&
            memcmp(row->tags, extent->tags, (size_t)row->tag_count * RIAD_TAG_SIZE) == 0) {
        replaced->length = row->length;
    }
    return 1;
}

/* A file's small and large writes go to segments of their own. */
static struct riad_extent *seen_of(
        const struct riad_payload_check *check, const struct riad_extent *extent)
{
    return &check->seen[(extent->inode + extent->segment) % SEEN];
}

/* What an earlier change wrote was judged with that one: were it judged again, damage that a sync
 * has settled would cut off all that was written since, and a run of many writes be read as often.
 */
static int find_known(const struct riad_payload_check *check, const struct riad_extent *extent,
        uint64_t *ret_length)
{
    struct replaced replaced = { .extent = extent };
    int r = 0;

    if (check->index) {
        r = riad_index_extents(check->index, extent->inode, extent->offset, extent->offset + 1,
                compare_row, &replaced);
    } else {
        compare_row(&replaced, seen_of(check, extent));
    }
    if (r < 0) {
        return r;
    }
    *ret_length = replaced.length;
    return 0;
}

/* A row that shares the records of another place, or that an edit beside it has cut, comes without
 * a payload of its own. */
static bool is_written_by(const struct riad_extent *extent, uint64_t number)
{
    return extent->kind == RIAD_EXTENT_DATA && extent->birth == number &&
           extent->born.inode == extent->inode &&
           extent->born.offset + extent->skip == extent->offset;
}

static int prepare(struct riad_payload_check *check)
{
    if (!check->buffer) {
        check->buffer = malloc(RUN_BYTES_MAX);
        if (!check->buffer) {
            return -ENOMEM;
        }
    }
    if (!check->seen) {
        check->seen = calloc(SEEN, sizeof *check->seen);
        if (!check->seen) {
            return -ENOMEM;
        }
    }
    return check->segments ? 0
                           : riad_segments_new(check->workspace_fd, check->keys, &check->epochs,
                                     &check->segments);
}

static int check_extent(
        struct riad_payload_check *check, const struct riad_extent *extent, uint64_t number)
{
    struct riad_run run = riad_extent_run(extent);
    uint64_t known = 0;
    int r;

    if (!is_written_by(extent, number)) {
        return 0;
    }
    r = find_known(check, extent, &known);
    if (r < 0 || known == extent->length) {
        return r;
    }
    r = riad_segments_read(check->segments, &run, extent->skip + (uint32_t)known,
            (uint32_t)(extent->length - known), check->buffer);
    if (r == 0) {
        *seen_of(check, extent) = *extent;
    }
    return r == -EBADMSG || r == -ENOENT || r == -EINVAL ? RIAD_REPLAY_STOP : r;
}

int riad_payload_check(
        struct riad_payload_check *check, uint64_t number, struct riad_reader operations)
{
    struct riad_operation operation;
    int found;
    int r = prepare(check);

    while (r == 0) {
        found = riad_operation_next(&operations, &operation);
        if (found <= 0) {
            return found;
        }
        if (operation.kind == RIAD_OP_EXTENT_PUT) {
            r = check_extent(check, &operation.extent, number);
        }
    }
    return r;
}

void riad_payload_check_done(struct riad_payload_check *check)
{
    riad_segments_freep(&check->segments);
    free(check->buffer);
    free(check->seen);
    check->buffer = NULL;
    check->seen = NULL;
}
