/* Files of which extents are lost: nobody can tell a hole from what was there, and zeros would be
 * other bytes than were written (P5). */
#include "riad/log.h"

#include "repair_priv.h"

/* One run is as long as an extent can be. */
enum { RUN_BYTES = RIAD_RUN_RECORDS_MAX * RIAD_UNIT_MAX };

struct holes {
    struct riad_repair *repair;
    struct riad_inode inode;
    uint64_t next;    /* covered up to here */
    uint64_t segment; /* that will never be there */
};

/* Names records in a segment whose number is used for nothing else. */
static int cover(struct holes *holes, uint64_t from, uint64_t length)
{
    struct riad_repair *repair = holes->repair;
    struct riad_extent extent = {
        .inode = holes->inode.inode,
        .offset = from,
        .length = length,
        .kind = RIAD_EXTENT_DATA,
        .unit_shift = 16,
        .segment = holes->segment,
        .position = 1,
        .run_length = (uint32_t)length,
        .born = { holes->inode.inode, 1, from },
        .birth = 1,
        .tag_count = (uint16_t)((length + RIAD_UNIT_MAX - 1) / RIAD_UNIT_MAX),
    };
    int r;

    riad_repair_change(repair);
    riad_change_put_extent(&repair->change, &extent);
    r = riad_repair_emit(repair);
    return r < 0 ? r : 0;
}

static int fill(struct holes *holes, uint64_t to)
{
    int r = 0;

    while (holes->next < to && r == 0) {
        uint64_t length = to - holes->next < RUN_BYTES ? to - holes->next : RUN_BYTES;

        r = cover(holes, holes->next, length);
        holes->next += length;
    }
    return r;
}

struct list {
    uint64_t ends[64][2]; /* begin and end of extents */
    size_t count;
};

static int note(void *context, const struct riad_extent *extent)
{
    struct list *list = context;

    list->ends[list->count][0] = extent->offset;
    list->ends[list->count][1] = extent->offset + extent->length;
    return ++list->count == sizeof list->ends / sizeof *list->ends;
}

/* The extents are listed in pieces, as rows cannot be put while they are. */
int riad_repair_tear(struct riad_repair *repair, const struct riad_inode *inode)
{
    struct holes holes = {
        .repair = repair, .inode = *inode, .segment = riad_log_new_segment_id(repair->log)
    };
    bool more = true;
    int r = 0;

    while (more && r == 0) {
        struct list list = { .count = 0 };

        r = riad_index_extents(
                repair->work.index, inode->inode, holes.next, inode->size, note, &list);
        more = list.count == sizeof list.ends / sizeof *list.ends;
        for (size_t i = 0; i < list.count && r == 0; i++) {
            r = fill(&holes, list.ends[i][0]);
            holes.next = list.ends[i][1];
        }
    }
    return r < 0 ? r : fill(&holes, inode->size);
}
