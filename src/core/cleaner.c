/* When the cleaner works, and on what. */
#include <stdlib.h>

#include "cleaner_priv.h"

enum {
    BUSY_BYTES = 16 << 20,     /* moved in a round while others write */
    IDLE_SECONDS = 5,          /* after the last change of others */
    SURVEY_SECONDS = 10,       /* between two surveys while others write */
    FIRST_SURVEY_SECONDS = 15, /* what earlier terms left is looked at so long after opening */
    SHORT_OF_ROOM = (128 << 20) / RIAD_BLOCK_SIZE, /* besides what is kept for deleting */
    SMALL = 4 << 20,                               /* bytes not worth the trouble */
    QUIET_ROUNDS = 4, /* more than retire.c takes from death to unlinking */
};

/* How much dead there may be beside what is live, in hundredths of that. Cleaning begins above
 * `begin` and goes on to `end`; what is copied for it is at most live / dead of what comes back. */
struct mode {
    unsigned begin, end;
    uint64_t spare; /* dead bytes that are always let be */
    unsigned worst; /* hundredths of a segment that must be dead to be worth copying its rest */
};

static const struct mode busy = { 100, 60, 256 << 20, 30 };
static const struct mode idle = { 25, 18, 16 << 20, 10 };
static const struct mode thorough = { 3, 2, 1 << 20, 3 };

/* Times are ns of the clock of the lease. Changes are counted but for the cleaner's own. */
struct riad_cleaner {
    struct riad_known_segments known;
    struct riad_space space;
    bool floor_known; /* upkeep.cut_below was looked for */
    bool surveyed;
    bool outdated;   /* the survey is, by what the cleaner did itself */
    bool reclaiming; /* between a mode's begin and its end */
    bool failing;    /* an event told of it */
    unsigned quiet;  /* rounds in a row with nothing to do */
    uint64_t opened_at;
    uint64_t surveyed_at;
    uint64_t surveyed_changes; /* how many there were then */
    uint64_t changes;          /* how many there were when last looked at */
    uint64_t changed_at;       /* when that number was seen to grow; 0: never */
    uint64_t segment, from;    /* being moved; 0: none */
};

void riad_cleaner_free(struct riad_cleaner *cleaner)
{
    if (cleaner) {
        riad_known_segments_done(&cleaner->known);
        free(cleaner);
    }
}

static struct riad_cleaner *get_cleaner(struct riad_workspace *workspace)
{
    struct riad_cleaner *cleaner = workspace->upkeep.cleaner;

    if (!cleaner) {
        cleaner = calloc(1, sizeof *cleaner);
        if (!cleaner) {
            return NULL; /* the next round tries again */
        }
        cleaner->opened_at = riad_clock_boottime();
        workspace->upkeep.cleaner = cleaner;
    }
    return cleaner;
}

/* What decides about a round, read under one hold of the lock. */
struct view {
    uint64_t now;
    uint64_t changes;
    uint64_t last_before;
    uint64_t surveyed_before;
    uint64_t blocks_free; /* of the store, but for what is kept for deleting */
    uint64_t checkpoint_bytes;
    bool asked;
};

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static void look(struct riad_workspace *workspace, struct riad_cleaner *cleaner, struct view *ret)
{
    struct riad_end end;
    uint64_t start;

    ret->now = riad_clock_boottime();
    pthread_mutex_lock(&workspace->checkpointing);
    ret->checkpoint_bytes = workspace->upkeep.checkpoint_bytes;
    pthread_mutex_unlock(&workspace->checkpointing);
    pthread_mutex_lock(&workspace->mutation);
    riad_index_end(workspace->index, &end, &start);
    ret->changes = end.sequence.number - workspace->cleaning.own_changes;
    ret->last_before = workspace->last_segment_before;
    ret->surveyed_before = workspace->cleaning.surveyed_before;
    ret->blocks_free = less(workspace->store_blocks_free, workspace->store_reserve);
    ret->asked = workspace->cleaning.asked;
    pthread_mutex_unlock(&workspace->mutation);
    if (cleaner->changes != 0 && ret->changes != cleaner->changes) {
        cleaner->changed_at = ret->now;
    }
    cleaner->changes = ret->changes;
}

static bool is_idle(const struct riad_cleaner *cleaner, const struct view *view)
{
    return view->now - cleaner->changed_at >= IDLE_SECONDS * RIAD_SECOND_NS;
}

static bool is_short(const struct view *view)
{
    return view->blocks_free < SHORT_OF_ROOM;
}

static const struct mode *mode_of(const struct riad_cleaner *cleaner, const struct view *view)
{
    if (view->asked || is_short(view)) {
        return &thorough;
    }
    return is_idle(cleaner, view) ? &idle : &busy;
}

/* Records of epochs before are left, or may be: nobody has looked since the last one ended. */
static bool has_old(const struct riad_cleaner *cleaner, const struct view *view)
{
    return view->last_before != view->surveyed_before || cleaner->space.old_segments > 0;
}

static bool is_first_survey_due(const struct riad_cleaner *cleaner, const struct view *view)
{
    return view->asked || is_short(view) || has_old(cleaner, view) || cleaner->changed_at != 0 ||
           view->now - cleaner->opened_at >= FIRST_SURVEY_SECONDS * RIAD_SECOND_NS;
}

static bool is_survey_due(const struct riad_cleaner *cleaner, const struct view *view)
{
    if (!cleaner->surveyed) {
        return is_first_survey_due(cleaner, view);
    }
    if (cleaner->segment != 0) {
        return false;
    }
    return cleaner->outdated || view->last_before != view->surveyed_before ||
           (view->changes != cleaner->surveyed_changes &&
                   view->now - cleaner->surveyed_at >= SURVEY_SECONDS * RIAD_SECOND_NS);
}

static void publish(struct riad_workspace *workspace, const struct riad_cleaner *cleaner,
        const struct view *view)
{
    struct riad_cleaning *cleaning = &workspace->cleaning;

    pthread_mutex_lock(&workspace->mutation);
    cleaning->surveyed_before = view->last_before;
    cleaning->store_bytes = cleaner->space.size + cleaner->space.tail + cleaner->space.open;
    cleaning->live_bytes =
            cleaner->space.live + cleaner->space.tail_live + cleaner->space.open_live;
    cleaning->old_bytes = cleaner->space.old_live;
    cleaning->old_segments = cleaner->space.old_segments;
    pthread_mutex_unlock(&workspace->mutation);
}

static int survey(
        struct riad_workspace *workspace, struct riad_cleaner *cleaner, const struct view *view)
{
    int r = 0;

    if (!cleaner->floor_known) {
        r = riad_checkpoint_prune(workspace);
        cleaner->floor_known = r == 0;
    }
    if (r == 0) {
        r = riad_cleaner_survey(workspace, &cleaner->known, &cleaner->space);
    }
    if (r < 0) {
        return r;
    }
    cleaner->surveyed = true;
    cleaner->outdated = false;
    cleaner->surveyed_at = view->now;
    cleaner->surveyed_changes = view->changes;
    publish(workspace, cleaner, view);
    return 0;
}

/* Whether there is too much that is dead: from `begin` on, until there is no more than `end`. */
static bool is_too_much(struct riad_cleaner *cleaner, const struct mode *mode)
{
    const struct riad_space *space = &cleaner->space;
    uint64_t dead = space->size > space->live ? space->size - space->live : 0;
    unsigned share = cleaner->reclaiming ? mode->end : mode->begin;

    cleaner->reclaiming = dead > mode->spare && dead > space->live / 100 * share;
    return cleaner->reclaiming;
}

static uint64_t dead_share(const struct riad_known_segment *item)
{
    uint64_t dead = item->size > item->live ? item->size - item->live : 0;

    return item->size == 0 ? 0 : dead * 1000 / item->size;
}

static struct riad_known_segment *choose_old(struct riad_cleaner *cleaner, const struct view *view)
{
    for (size_t i = 0; i < cleaner->known.count; i++) {
        struct riad_known_segment *item = &cleaner->known.items[i];

        if (item->segment > view->last_before) {
            break;
        }
        if (item->live > 0 && !item->stuck) {
            return item;
        }
    }
    return NULL;
}

static struct riad_known_segment *choose_emptiest(
        struct riad_cleaner *cleaner, const struct mode *mode)
{
    struct riad_known_segment *best = NULL;

    for (size_t i = 0; i < cleaner->known.count; i++) {
        struct riad_known_segment *item = &cleaner->known.items[i];

        if (item->live > 0 && !item->stuck && dead_share(item) >= mode->worst * 10U &&
                (!best || dead_share(item) > dead_share(best))) {
            best = item;
        }
    }
    return best;
}

static struct riad_known_segment *find(struct riad_cleaner *cleaner, uint64_t segment)
{
    for (size_t i = 0; i < cleaner->known.count; i++) {
        if (cleaner->known.items[i].segment == segment) {
            return &cleaner->known.items[i];
        }
    }
    return NULL;
}

/* The one that was begun is finished first. */
static struct riad_known_segment *choose(
        struct riad_cleaner *cleaner, const struct view *view, const struct mode *mode)
{
    struct riad_known_segment *item =
            cleaner->segment != 0 ? find(cleaner, cleaner->segment) : NULL;

    if (!item) {
        item = choose_old(cleaner, view);
    }
    if (!item && is_too_much(cleaner, mode)) {
        item = choose_emptiest(cleaner, mode);
    }
    return item;
}

/* What came into the segment while it was moved, or cannot be, the next survey finds. */
static void finish(
        struct riad_cleaner *cleaner, struct riad_known_segment *item, const struct view *view)
{
    cleaner->space.size = less(cleaner->space.size, item->size);
    cleaner->space.live = less(cleaner->space.live, item->live);
    if (item->segment <= view->last_before) {
        cleaner->space.old_live = less(cleaner->space.old_live, item->live);
    }
    item->live = 0;
    item->estimate = UINT64_MAX; /* to be counted again */
    cleaner->segment = 0;
}

static int move(struct riad_workspace *workspace, struct riad_cleaner *cleaner,
        struct riad_known_segment *item, const struct view *view, uint64_t *ret_bytes)
{
    struct riad_moved moved;
    int r;

    if (cleaner->segment != item->segment) {
        cleaner->segment = item->segment;
        cleaner->from = 1;
    }
    r = riad_cleaner_move(workspace, item->segment, cleaner->from, &moved);
    if (r < 0) {
        return r;
    }
    item->stuck |= moved.stuck;
    cleaner->from = moved.next;
    *ret_bytes += moved.bytes;
    pthread_mutex_lock(&workspace->mutation);
    workspace->cleaning.moved_bytes += moved.bytes;
    workspace->cleaning.old_bytes = less(
            workspace->cleaning.old_bytes, item->segment <= view->last_before ? moved.bytes : 0);
    pthread_mutex_unlock(&workspace->mutation);
    if (moved.next == 0) {
        finish(cleaner, item, view);
    }
    return 0;
}

/* The log itself is what is left of the epochs before, or is large for what is in it. Once there
 * are checkpoints of what comes behind, its segments are as others. */
static bool is_roll_due(const struct riad_cleaner *cleaner, const struct view *view)
{
    const struct riad_space *space = &cleaner->space;
    uint64_t dead = less(space->tail, space->tail_live);
    uint64_t live = space->live + space->tail_live;

    if (space->old_tail > 0 && view->last_before != 0) {
        return true;
    }
    return (view->asked || is_idle(cleaner, view)) && dead > SMALL &&
           dead > view->checkpoint_bytes && dead > live / (view->asked ? 32 : 8);
}

/* Files that nothing is left in, which retiring (retire.c) leaves to the cleaner. */
static bool is_unlinking_due(const struct riad_cleaner *cleaner, const struct view *view)
{
    for (size_t i = 0; i < cleaner->known.count; i++) {
        const struct riad_known_segment *item = &cleaner->known.items[i];

        if (item->live == 0 && !item->stuck &&
                (item->kind == RIAD_SEGMENT_LOG || item->segment <= view->last_before)) {
            return true;
        }
    }
    return false;
}

/* What is done when nothing is left to be moved. 1: something was. */
static int tidy(
        struct riad_workspace *workspace, struct riad_cleaner *cleaner, const struct view *view)
{
    size_t unlinked = 0;
    int r = 0;

    if (is_unlinking_due(cleaner, view)) {
        r = riad_cleaner_unlink(workspace, &unlinked);
    }
    if (r == 0 && unlinked == 0 && is_roll_due(cleaner, view)) {
        r = riad_cleaner_roll(workspace);
        unlinked = 1;
    }
    if (r < 0) {
        return r;
    }
    cleaner->outdated |= unlinked > 0;
    return unlinked > 0;
}

/* 1: something was done, and more may be to do. */
static int step(struct riad_workspace *workspace, struct riad_cleaner *cleaner, uint64_t *ret_bytes)
{
    struct riad_known_segment *item;
    struct view view;
    int r = 0;

    look(workspace, cleaner, &view);
    if (is_survey_due(cleaner, &view)) {
        r = survey(workspace, cleaner, &view);
    }
    if (r < 0 || !cleaner->surveyed) {
        return r;
    }
    item = choose(cleaner, &view, mode_of(cleaner, &view));
    if (item) {
        r = move(workspace, cleaner, item, &view, ret_bytes);
        return r < 0 ? r : 1;
    }
    return tidy(workspace, cleaner, &view);
}

/* As long as the time and, while others write, the bytes of one round last. 1: more is to do. */
static int work(struct riad_workspace *workspace, struct riad_cleaner *cleaner)
{
    uint64_t begun = riad_clock_boottime();
    uint64_t bytes = 0;
    int r;

    do {
        r = step(workspace, cleaner, &bytes);
    } while (r > 0 && !riad_background_stopping(workspace) &&
             riad_clock_boottime() - begun < RIAD_SECOND_NS &&
             (bytes < BUSY_BYTES || cleaner->changed_at + IDLE_SECONDS * RIAD_SECOND_NS < begun));
    return r;
}

static void tell(struct riad_workspace *workspace, struct riad_cleaner *cleaner, int error)
{
    bool failing = error < 0 && error != -ESTALE && error != -ECANCELED && error != -EROFS &&
                   error != -EBUSY;

    if (failing && !cleaner->failing) {
        riad_workspace_event_unlocked(
                workspace, "space in the store cannot be made: %s", strerror(-error));
    }
    cleaner->failing = failing;
}

static bool has_dead(const struct riad_cleaner *cleaner)
{
    size_t i = 0;

    while (i < cleaner->known.count &&
            (cleaner->known.items[i].live > 0 || cleaner->known.items[i].stuck)) {
        i++;
    }
    return i < cleaner->known.count;
}

/* What is dead is unlinked two rounds later (retire.c), and what was ended can be cleaned when it
 * is synced: it is looked for again until then, or for some rounds. So long who asked is not told
 * that all is done. */
static void settle(struct riad_workspace *workspace, struct riad_cleaner *cleaner, int result)
{
    cleaner->quiet = result == 0 ? cleaner->quiet + 1 : 0;
    if (cleaner->space.old_segments > 0 ||
            ((has_dead(cleaner) || cleaner->space.ended > 0) && cleaner->quiet < QUIET_ROUNDS)) {
        cleaner->outdated = true;
        return;
    }
    if (result == 0 && cleaner->surveyed) {
        pthread_mutex_lock(&workspace->mutation);
        workspace->cleaning.asked = false;
        pthread_mutex_unlock(&workspace->mutation);
    }
}

void riad_workspace_clean(struct riad_workspace *workspace)
{
    pthread_mutex_lock(&workspace->mutation);
    workspace->cleaning.asked = workspace->clean;
    pthread_mutex_unlock(&workspace->mutation);
    riad_background_upkeep(workspace);
}

void riad_cleaner_round(struct riad_workspace *workspace)
{
    struct riad_cleaner *cleaner = get_cleaner(workspace);
    int r = cleaner ? work(workspace, cleaner) : 0;

    if (!cleaner) {
        return;
    }
    tell(workspace, cleaner, r);
    settle(workspace, cleaner, r);
    if (r > 0) {
        riad_background_upkeep(workspace);
    }
}
