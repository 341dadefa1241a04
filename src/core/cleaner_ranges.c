/* Which bytes of a segment extents need. A byte of a record counts at the record's place and as far
 * behind as it is in the data: so ranges of one record, and of several in a row, can be joined. */
#include <stdlib.h>

#include "cleaner_priv.h"

uint32_t riad_extent_record_length(const struct riad_extent *extent, uint32_t i)
{
    uint32_t unit = 1U << extent->unit_shift;

    return i + 1U < extent->tag_count ? unit : extent->run_length - i * unit;
}

uint64_t riad_extent_record_place(const struct riad_extent *extent, uint32_t i)
{
    return extent->position +
           (uint64_t)i * (((uint64_t)1 << extent->unit_shift) + RIAD_DATA_OVERHEAD);
}

uint64_t riad_extent_sealed_size(const struct riad_extent *extent)
{
    uint32_t last = extent->tag_count - 1U;

    return riad_extent_record_place(extent, last) - extent->position +
           riad_data_record_size(riad_extent_record_length(extent, last));
}

struct riad_range riad_extent_needs(const struct riad_extent *extent)
{
    uint64_t end = extent->skip + extent->length;
    uint32_t last = (uint32_t)((end - 1) >> extent->unit_shift);

    return (struct riad_range){ extent->position + extent->skip,
        riad_extent_record_place(extent, last) + end - ((uint64_t)last << extent->unit_shift) };
}

void riad_ranges_done(struct riad_ranges *ranges)
{
    free(ranges->items);
    *ranges = (struct riad_ranges){ 0 };
}

static int compare(const void *a, const void *b)
{
    uint64_t left = ((const struct riad_range *)a)->from;
    uint64_t right = ((const struct riad_range *)b)->from;

    return (left > right) - (left < right);
}

int riad_ranges_of(const struct riad_extent *extents, size_t count, struct riad_ranges *ret)
{
    struct riad_range *items = calloc(count + 1, sizeof *items);
    size_t joined = 0;

    if (!items) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = riad_extent_needs(&extents[i]);
    }
    qsort(items, count, sizeof *items, compare);
    for (size_t i = 0; i < count; i++) {
        if (joined > 0 && items[i].from <= items[joined - 1].to) {
            if (items[i].to > items[joined - 1].to) {
                items[joined - 1].to = items[i].to;
            }
        } else {
            items[joined++] = items[i];
        }
    }
    *ret = (struct riad_ranges){ items, joined };
    return 0;
}

uint64_t riad_ranges_covered(const struct riad_ranges *ranges, uint64_t from, uint64_t to)
{
    uint64_t covered = 0;

    for (size_t i = 0; i < ranges->count && ranges->items[i].from < to; i++) {
        uint64_t begin = ranges->items[i].from > from ? ranges->items[i].from : from;
        uint64_t end = ranges->items[i].to < to ? ranges->items[i].to : to;

        covered += end > begin ? end - begin : 0;
    }
    return covered;
}
