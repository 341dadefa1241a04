#include "extent_map_priv.h"

static void cut_run(const struct riad_extent *extent, uint64_t from, struct riad_extent *ret)
{
    uint32_t unit = 1U << extent->unit_shift;
    uint64_t start = extent->skip + (from - extent->offset);
    uint32_t dropped = (uint32_t)(start / unit);
    uint32_t rest = extent->run_length - dropped * unit;
    uint32_t kept;

    ret->skip = (uint32_t)(start % unit);
    kept = (uint32_t)((ret->skip + ret->length + unit - 1) / unit);
    ret->position = extent->position + (uint64_t)dropped * (unit + RIAD_DATA_OVERHEAD);
    ret->born.offset = extent->born.offset + (uint64_t)dropped * unit;
    ret->run_length = (uint64_t)kept * unit < rest ? kept * unit : rest;
    ret->tag_count = (uint16_t)kept;
    memmove(ret->tags, extent->tags + (size_t)dropped * RIAD_TAG_SIZE,
            (size_t)kept * RIAD_TAG_SIZE);
}

void riad_extent_cut(
        const struct riad_extent *extent, uint64_t from, uint64_t to, struct riad_extent *ret)
{
    struct riad_extent cut = *extent;

    cut.offset = from;
    cut.length = to - from;
    if (extent->kind == RIAD_EXTENT_DATA) {
        cut_run(extent, from, &cut);
    }
    *ret = cut;
}

/* Whether the records of next are those that would follow extent's own. */
static bool continues_run(const struct riad_extent *extent, const struct riad_extent *next)
{
    uint32_t unit = 1U << extent->unit_shift;

    return extent->unit_shift == next->unit_shift && extent->segment == next->segment &&
           extent->run_length % unit == 0 && extent->skip + extent->length == extent->run_length &&
           next->skip == 0 && extent->tag_count + next->tag_count <= RIAD_RUN_RECORDS_MAX &&
           next->position ==
                   extent->position + (uint64_t)extent->tag_count * (unit + RIAD_DATA_OVERHEAD) &&
           extent->born.inode == next->born.inode &&
           extent->born.generation == next->born.generation &&
           extent->born.offset + extent->run_length == next->born.offset;
}

bool riad_extent_grow(struct riad_extent *extent, const struct riad_extent *next)
{
    if (extent->kind != next->kind || extent->inode != next->inode ||
            riad_extent_end(extent) != next->offset) {
        return false;
    }
    if (extent->kind == RIAD_EXTENT_DATA) {
        if (!continues_run(extent, next)) {
            return false;
        }
        memcpy(extent->tags + (size_t)extent->tag_count * RIAD_TAG_SIZE, next->tags,
                (size_t)next->tag_count * RIAD_TAG_SIZE);
        extent->tag_count = (uint16_t)(extent->tag_count + next->tag_count);
        extent->run_length += next->run_length;
    }
    extent->length += next->length;
    extent->birth = next->birth;
    return true;
}

void riad_block_count_add(struct riad_block_count *count, uint64_t from, uint64_t to)
{
    uint64_t first = from / RIAD_BLOCK_SIZE;
    uint64_t last;

    if (from >= to) {
        return;
    }
    last = (to - 1) / RIAD_BLOCK_SIZE;
    first = first < count->next ? count->next : first;
    if (last >= first) {
        count->blocks += last - first + 1;
        count->next = last + 1;
    }
}
