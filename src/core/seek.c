/* SEEK_DATA and SEEK_HOLE, in blocks as with other file systems: a block that holds a byte of data
 * is data. */
#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "rows_priv.h"

/* Looked at in one hold of the lock: more than a block can hold, so that each hold gets on. */
enum { SEEK_EXTENTS = 2 * RIAD_BLOCK_SIZE };

struct search {
    uint64_t position; /* everything from the start up to here is what is not searched for */
    unsigned seen;
    bool hole;
    bool found;
};

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static int see_for_data(struct search *search, const struct riad_extent *extent)
{
    if (extent->kind != RIAD_EXTENT_DATA) {
        search->position = later(search->position, riad_block_floor(riad_extent_end(extent)));
        return ++search->seen == SEEK_EXTENTS;
    }
    search->position = later(search->position, riad_block_floor(extent->offset));
    search->found = true;
    return 1;
}

/* What is allocated only is a hole where it goes on to the block's end: data may follow before. */
static int see_for_hole(struct search *search, const struct riad_extent *extent)
{
    uint64_t end = riad_extent_end(extent);

    if (extent->kind != RIAD_EXTENT_DATA) {
        search->found = end >= riad_block_floor(search->position) + RIAD_BLOCK_SIZE;
        return search->found || ++search->seen == SEEK_EXTENTS;
    }
    if (riad_block_floor(extent->offset) > search->position) {
        search->found = true;
        return 1;
    }
    search->position = later(search->position, riad_block_ceil(end));
    return ++search->seen == SEEK_EXTENTS;
}

static int see(void *context, const struct riad_extent *extent)
{
    struct search *search = context;

    return search->hole ? see_for_hole(search, extent) : see_for_data(search, extent);
}

/* Looks at one bound's worth of extents. 1 if the answer is not known yet; 0 when it is
 * search->position. (mutation) */
static int look(struct riad_workspace *workspace, uint64_t inode, struct search *search)
{
    struct riad_inode row;
    uint64_t end;
    int r = riad_get_file(workspace, inode, &row);

    if (r < 0) {
        return r;
    }
    if (search->position >= row.size) {
        search->position = row.size;
        return search->hole && search->seen > 0 ? 0 : -ENXIO;
    }
    search->seen = 0;
    end = row.truncate_mark < row.size ? row.truncate_mark : row.size;
    if (riad_block_floor(search->position) < end) {
        r = riad_index_extents(
                workspace->index, inode, riad_block_floor(search->position), end, see, search);
    }
    if (r < 0) {
        return r;
    }
    if (!search->found && search->seen == SEEK_EXTENTS) {
        return 1;
    }
    search->position = search->position < row.size ? search->position : row.size;
    return search->found || search->hole ? 0 : -ENXIO;
}

int riad_seek(struct riad_workspace *workspace, uint64_t inode, uint64_t offset, int whence,
        uint64_t *ret)
{
    struct search search = { .position = offset, .hole = whence == SEEK_HOLE };
    int r;

    if (whence != SEEK_DATA && whence != SEEK_HOLE) {
        return -EINVAL;
    }
    do {
        r = riad_workspace_lock(workspace);
        if (r < 0) {
            return r;
        }
        r = look(workspace, inode, &search);
        riad_workspace_unlock(workspace);
        sched_yield();
    } while (r > 0);
    if (r == 0) {
        *ret = search.position;
    }
    return r;
}
