/* How much of each segment is still needed. */
#include <fcntl.h>
#include <stdlib.h>

#include "riad/sysops.h"

#include "cleaner_priv.h"

enum {
    LOCKED_MAX = 128,        /* extents that are counted under one hold of the lock */
    OPEN_DEAD_MAX = 4 << 20, /* bytes of a segment that is open for appending, and a quarter */
};

void riad_known_segments_done(struct riad_known_segments *segments)
{
    free(segments->items);
    *segments = (struct riad_known_segments){ 0 };
}

/* One slice of counting a segment. */
struct counting {
    uint64_t live;
    uint64_t end;  /* of what was counted: clones share records */
    uint64_t from; /* to go on from */
    unsigned left; /* of this slice */
};

static int count_extent(void *context, const struct riad_extent *extent)
{
    struct counting *counting = context;
    struct riad_range range = riad_extent_needs(extent);
    uint64_t begin = range.from > counting->end ? range.from : counting->end;

    if (counting->left == 0) {
        return 1;
    }
    counting->left--;
    counting->from = extent->position + 1;
    if (range.to > begin) {
        counting->live += range.to - begin + RIAD_DATA_OVERHEAD;
        counting->end = range.to;
    }
    return 0;
}

static int count_slice(
        struct riad_workspace *workspace, uint64_t segment, struct counting *counting)
{
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    counting->left = LOCKED_MAX;
    r = riad_index_placed(workspace->index, segment, counting->from, count_extent, counting);
    riad_background_changed(workspace); /* asking may have begun a batch */
    riad_workspace_unlock(workspace);
    return r;
}

int riad_cleaner_count(struct riad_workspace *workspace, uint64_t segment, uint64_t *ret)
{
    struct counting counting = { 0 };
    int r;

    do {
        r = riad_background_stopping(workspace) ? -ECANCELED
                                                : count_slice(workspace, segment, &counting);
    } while (r == 0 && counting.left == 0);
    if (r < 0) {
        return r;
    }
    *ret = counting.live;
    return 0;
}

/* What the index says without counting; 0 where nothing ever referred to it. */
static int estimate(struct riad_workspace *workspace, uint64_t segment, uint64_t *ret)
{
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    r = riad_index_segment_live(workspace->index, segment, ret);
    riad_background_changed(workspace);
    riad_workspace_unlock(workspace);
    if (r == -ENOENT) {
        *ret = 0;
        r = 0;
    }
    return r;
}

static int size_of(struct riad_workspace *workspace, enum riad_segment_kind kind, uint64_t segment,
        uint64_t *ret)
{
    char path[32];
    struct stat st;

    riad_segment_path(kind, segment, path);
    if (riad_sys->fstatat(workspace->workspace_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return -errno;
    }
    *ret = (uint64_t)st.st_size;
    return 0;
}

static const struct riad_known_segment *find(
        const struct riad_known_segments *known, uint64_t segment)
{
    size_t low = 0;
    size_t high = known->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (known->items[middle].segment < segment) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < known->count && known->items[low].segment == segment ? &known->items[low] : NULL;
}

/* Fills *item, whose segment and kind are set. 1: it is not there any more. */
static int look_at(struct riad_workspace *workspace, const struct riad_known_segments *known,
        struct riad_known_segment *item)
{
    const struct riad_known_segment *before = find(known, item->segment);
    int r = estimate(workspace, item->segment, &item->estimate);

    if (r < 0) {
        return r;
    }
    if (before && before->estimate == item->estimate) {
        *item = *before;
        return 0;
    }
    item->stuck = before && before->stuck;
    r = size_of(workspace, item->kind, item->segment, &item->size);
    if (r < 0) {
        return r == -ENOENT ? 1 : r;
    }
    return riad_cleaner_count(workspace, item->segment, &item->live);
}

static int compare_segments(const void *a, const void *b)
{
    uint64_t left = ((const struct riad_known_segment *)a)->segment;
    uint64_t right = ((const struct riad_known_segment *)b)->segment;

    return (left > right) - (left < right);
}

/* One that is open for appending is nobody's to clean; with much of it dead it is ended. */
static int pass_over_open(struct riad_workspace *workspace, const struct riad_known_segment *item,
        struct riad_space *space)
{
    uint64_t live = 0;
    uint64_t size = 0;
    int r = estimate(workspace, item->segment, &live);

    if (r == 0) {
        r = size_of(workspace, item->kind, item->segment, &size);
    }
    if (r == 0 && size > live + live / 4 + OPEN_DEAD_MAX) {
        riad_log_end_segment(workspace->log, item->segment);
        space->ended++;
    }
    space->open += size;
    space->open_live += live;
    return r == -ENOENT ? 0 : r;
}

/* The log behind the older checkpoint is needed whatever is live in it. */
static int add_tail(struct riad_workspace *workspace, const struct riad_known_segment *item,
        struct riad_space *space)
{
    uint64_t live = 0;
    uint64_t size = 0;
    int r = estimate(workspace, item->segment, &live);

    if (r == 0) {
        r = size_of(workspace, item->kind, item->segment, &size);
    }
    space->tail += size;
    space->tail_live += live;
    return r == -ENOENT ? 0 : r;
}

static bool is_old(struct riad_workspace *workspace, uint64_t segment)
{
    bool old;

    pthread_mutex_lock(&workspace->mutation);
    old = segment <= workspace->last_segment_before;
    pthread_mutex_unlock(&workspace->mutation);
    return old;
}

static void add_closed(struct riad_workspace *workspace, const struct riad_known_segment *item,
        struct riad_space *space)
{
    space->size += item->size;
    space->live += item->live;
    if (is_old(workspace, item->segment) && !item->stuck) {
        space->old_live += item->live;
        space->old_segments++;
    }
}

/* What a survey makes. */
struct survey {
    struct riad_workspace *workspace;
    const struct riad_known_segments *known;
    uint64_t cut_below;
    struct riad_known_segments found;
    struct riad_space space;
};

static int see(struct survey *survey, enum riad_segment_kind kind, uint64_t segment)
{
    struct riad_known_segment *item = &survey->found.items[survey->found.count];
    struct riad_workspace *workspace = survey->workspace;
    int r;

    *item = (struct riad_known_segment){ .segment = segment, .kind = kind };
    if (kind == RIAD_SEGMENT_LOG && segment >= survey->cut_below) {
        survey->space.old_tail += is_old(workspace, segment);
        survey->space.old_segments += is_old(workspace, segment);
        return add_tail(workspace, item, &survey->space);
    }
    if (riad_log_is_open_segment(workspace->log, segment)) {
        survey->space.old_segments += is_old(workspace, segment);
        return pass_over_open(workspace, item, &survey->space);
    }
    r = look_at(workspace, survey->known, item);
    if (r == 0) {
        add_closed(workspace, item, &survey->space);
        survey->found.count++;
    }
    return r < 0 ? r : 0;
}

static int see_all(struct survey *survey, enum riad_segment_kind kind)
{
    _cleanup_free_ uint64_t *ids = NULL;
    struct riad_known_segment *grown;
    size_t count = 0;
    int r = riad_segment_list(survey->workspace->workspace_fd, kind, &ids, &count);

    if (r < 0 || count == 0) {
        return r;
    }
    grown = reallocarray(survey->found.items, survey->found.count + count, sizeof *grown);
    if (!grown) {
        return -ENOMEM;
    }
    survey->found.items = grown;
    for (size_t i = 0; i < count && r == 0; i++) {
        r = see(survey, kind, ids[i]);
    }
    return r;
}

int riad_cleaner_survey(struct riad_workspace *workspace, struct riad_known_segments *segments,
        struct riad_space *ret)
{
    struct survey survey = { .workspace = workspace, .known = segments };
    int r;

    pthread_mutex_lock(&workspace->checkpointing);
    survey.cut_below = workspace->upkeep.cut_below;
    pthread_mutex_unlock(&workspace->checkpointing);
    r = see_all(&survey, RIAD_SEGMENT_LOG);
    if (r == 0) {
        r = see_all(&survey, RIAD_SEGMENT_DATA);
    }
    if (r < 0) {
        riad_known_segments_done(&survey.found);
        return r;
    }
    if (survey.found.count > 0) {
        qsort(survey.found.items, survey.found.count, sizeof *survey.found.items, compare_segments);
    }
    riad_known_segments_done(segments);
    *segments = survey.found;
    *ret = survey.space;
    return 0;
}
