/* Counts what a truncation frees before it takes place, so that the lock is not held over all the
 * rows of a file in a million pieces. */
#include <errno.h>
#include <sched.h>

#include "rows_priv.h"

enum { SURVEY_EXTENTS = 4096, SURVEY_TRIES = 3 };

struct surveyor {
    struct riad_survey *survey;
    uint64_t next; /* offset: where to go on */
    uint64_t low;  /* the first block's start */
    unsigned seen;
};

static int count_extent(void *context, const struct riad_extent *extent)
{
    struct surveyor *surveyor = context;
    uint64_t from = extent->offset > surveyor->low ? extent->offset : surveyor->low;

    surveyor->next = riad_extent_end(extent);
    riad_block_count_add(&surveyor->survey->before, from, surveyor->next);
    return ++surveyor->seen == SURVEY_EXTENTS;
}

/* Some thousand rows. 1 if there are more, 0 at the end, -EAGAIN if the file was changed.
 * (mutation) */
static int count_some(struct riad_workspace *workspace, uint64_t inode, struct surveyor *surveyor)
{
    struct riad_inode row;
    uint64_t end;
    int r = riad_get_file(workspace, inode, &row);

    if (r < 0) {
        return r;
    }
    if (surveyor->survey->version != 0 && surveyor->survey->version != row.version) {
        return -EAGAIN;
    }
    surveyor->survey->version = row.version;
    surveyor->seen = 0;
    end = row.truncate_mark < RIAD_FILE_SIZE_MAX ? row.truncate_mark : RIAD_FILE_SIZE_MAX;
    if (surveyor->next >= end) {
        return 0;
    }
    r = riad_index_extents(workspace->index, inode, surveyor->next, end, count_extent, surveyor);
    return r < 0 ? r : surveyor->seen == SURVEY_EXTENTS;
}

static int count_all(
        struct riad_workspace *workspace, uint64_t inode, uint64_t size, struct riad_survey *ret)
{
    struct surveyor surveyor = { .survey = ret, .low = riad_block_floor(size) };
    int r;

    *ret = (struct riad_survey){ 0 };
    surveyor.next = surveyor.low;
    do {
        r = riad_workspace_lock(workspace);
        if (r < 0) {
            return r;
        }
        r = count_some(workspace, inode, &surveyor);
        riad_workspace_unlock(workspace);
        sched_yield();
    } while (r > 0);
    return r;
}

void riad_truncate_survey(
        struct riad_workspace *workspace, uint64_t inode, uint64_t size, struct riad_survey *ret)
{
    int r = size > 0 ? -EAGAIN : 0;

    for (int i = 0; i < SURVEY_TRIES && r == -EAGAIN; i++) {
        r = count_all(workspace, inode, size, ret);
    }
    if (r < 0 || size == 0) {
        *ret = (struct riad_survey){ 0 };
    }
}
