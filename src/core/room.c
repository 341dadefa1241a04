/* What fits under the limit (P7). */
#include "rows_priv.h"

struct room {
    uint64_t next; /* block: the first one not looked at */
    uint64_t left; /* blocks that may still be charged */
    uint64_t cut;  /* block: the first one too many, UINT64_MAX while there is none */
};

/* Blocks up to `block` that no extent touches are to be charged. */
static void spend(struct room *room, uint64_t block)
{
    uint64_t free_blocks = block > room->next ? block - room->next : 0;

    if (free_blocks > room->left) {
        room->cut = room->next + room->left;
        return;
    }
    room->left -= free_blocks;
}

static int spend_gap(void *context, const struct riad_extent *extent)
{
    struct room *room = context;
    uint64_t last = (riad_extent_end(extent) - 1) / RIAD_BLOCK_SIZE;

    spend(room, extent->offset / RIAD_BLOCK_SIZE);
    room->next = last + 1;
    return room->cut != UINT64_MAX;
}

int riad_write_room(struct riad_workspace *workspace, const struct riad_inode *row, uint64_t offset,
        uint32_t size, uint32_t *ret)
{
    struct room room = { .left = riad_limits_room(workspace, row), .cut = UINT64_MAX };
    uint64_t low = riad_block_floor(offset), high = riad_block_ceil(offset + size), end;
    int r = 0;

    room.next = low / RIAD_BLOCK_SIZE;
    if (room.left >= (high - low) / RIAD_BLOCK_SIZE) {
        *ret = size;
        return 0;
    }
    end = high < row->truncate_mark ? high : row->truncate_mark;
    if (low < end) {
        r = riad_index_extents(workspace->index, row->inode, low, end, spend_gap, &room);
    }
    if (r < 0) {
        return r;
    }
    if (room.cut == UINT64_MAX) {
        spend(&room, high / RIAD_BLOCK_SIZE);
    }
    end = room.cut == UINT64_MAX ? offset + size : room.cut * RIAD_BLOCK_SIZE;
    end = end < offset ? offset : end;
    if (end < offset + size) {
        riad_limits_refused(workspace);
    }
    *ret = end < offset + size ? (uint32_t)(end - offset) : size;
    return 0;
}
