/* Which rows a salvage begins with. */
#include <stdlib.h>

#include "riad/log.h"

#include "repair_priv.h"

static bool is_damage(int r)
{
    return r == -EUCLEAN || r == -EBADMSG;
}

static uint64_t number_of(const struct riad_opening *opening)
{
    struct riad_end end = { 0 };
    uint64_t start;

    if (opening->index) {
        riad_index_end(opening->index, &end, &start);
    }
    return end.sequence.number;
}

static bool is_on_history(const struct riad_opening *opening)
{
    struct riad_end end;
    uint64_t start;

    if (number_of(opening) == 0) {
        return false;
    }
    riad_index_end(opening->index, &end, &start);
    return riad_history_covers(&opening->history, &end);
}

static int note_any(void *context, const struct riad_defect *defect)
{
    (void)defect;
    *(bool *)context = true;
    return 0;
}

static int find_defects(struct riad_opening *opening, bool *ret)
{
    _cleanup_(riad_snapshot_freep) struct riad_snapshot *snapshot = NULL;
    int r = riad_snapshot_take(opening->index, &snapshot);

    for (enum riad_defect_kind kind = RIAD_DEFECT_ENTRY; kind <= RIAD_DEFECT_ROW && r == 0;
            kind++) {
        r = riad_snapshot_defects(snapshot, kind, note_any, ret);
    }
    return r;
}

/* As any opening would: the local index if it can be used, else all there is in the store. */
static int try_local(struct riad_repair *repair, bool *ret_usable)
{
    struct riad_fsck *fsck = &repair->fsck;
    struct riad_opening *source = &repair->source;
    int r;

    riad_fsck_begin(fsck, fsck->config->state_path, fsck->reason, source);
    r = riad_recover(source);
    if (is_damage(r)) {
        fsck->reason->text[0] = '\0'; /* the check has told it */
        return 0;
    }
    if (source->tolerated) {
        riad_fsck_find(fsck, "the log is damaged: %s; this machine's index has what it said",
                source->damage);
    }
    repair->whole = r == 0;
    *ret_usable = r == 0 && !source->tolerated;
    return r;
}

/* The rows of a checkpoint, or none, and of the log what can be read behind them. */
static int try_store(struct riad_repair *repair, uint64_t checkpoint, struct riad_opening *opening)
{
    struct riad_fsck *fsck = &repair->fsck;
    int r;

    riad_fsck_begin(fsck, fsck->path, fsck->reason, opening);
    r = riad_rebuild_empty(opening);
    if (r == 0 && checkpoint != 0) {
        r = riad_rebuild_load(opening, checkpoint);
        if (is_damage(r) || r == -ENOENT) {
            return riad_rebuild_empty(opening);
        }
    }
    if (r == 0) {
        r = riad_recover_follow(opening);
        r = is_damage(r) ? 0 : r;
    }
    if (r == 0) {
        fsck->reason->text[0] = '\0';
    }
    return r;
}

/* What the store alone gives. *ret_checkpoint: by which way the most. */
static int compare_ways(struct riad_repair *repair, uint64_t *ret_checkpoint, uint64_t *ret_number)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0;
    int r = riad_segment_list(
            repair->fsck.config->workspace_fd, RIAD_SEGMENT_CHECKPOINT, &ids, &count);

    *ret_checkpoint = *ret_number = 0;
    for (size_t i = 0; i <= count && r == 0; i++) {
        uint64_t checkpoint = i < count ? ids[count - 1 - i] : 0;
        struct riad_opening opening;

        r = try_store(repair, checkpoint, &opening);
        if (r == 0 && number_of(&opening) > *ret_number) {
            *ret_number = number_of(&opening);
            *ret_checkpoint = checkpoint;
        }
        riad_fsck_end(&repair->fsck, &opening);
    }
    return r;
}

static int choose(struct riad_repair *repair)
{
    uint64_t checkpoint, number;
    int r;

    if (repair->whole) {
        return 0; /* the local index is the newest there can be */
    }
    r = compare_ways(repair, &checkpoint, &number);
    if (r < 0 || (is_on_history(&repair->source) && number_of(&repair->source) >= number)) {
        return r;
    }
    riad_fsck_end(&repair->fsck, &repair->source);
    return number > 0 ? try_store(repair, checkpoint, &repair->source) : 0;
}

int riad_repair_begin(struct riad_repair *repair, bool *ret_needed)
{
    bool usable = false;
    bool defects = false;
    int r = try_local(repair, &usable);

    if (r == 0 && usable) {
        r = find_defects(&repair->source, &defects);
    }
    if (r == 0 && (!usable || defects)) {
        r = choose(repair);
        *ret_needed = true;
        return r;
    }
    riad_fsck_end(&repair->fsck, &repair->source);
    *ret_needed = false;
    return r;
}

/* No term may begin before the last one did, which is signed: where less is known than that, what
 * is known is said to be the state then. */
static void set_base(struct riad_repair *repair)
{
    const struct riad_history *history = &repair->fsck.history;
    const struct riad_end *last =
            history->count > 0 ? &history->terms[history->count - 1].end : &repair->base;
    uint64_t start;

    repair->after = number_of(&repair->source);
    if (repair->after > last->sequence.number) {
        riad_index_end(repair->source.index, &repair->base, &start);
    } else {
        repair->base = *last;
    }
}

/* The first change of the new term is one of nothing: a checkpoint of it counts when the term is
 * claimed, and not before. */
static int open_log(struct riad_repair *repair)
{
    const struct riad_fsck *fsck = &repair->fsck;
    const struct riad_log_config config = {
        .workspace_fd = fsck->config->workspace_fd,
        .keys = fsck->keys,
        .term = fsck->history.taken + 1,
        .end = repair->base,
        .salvaging = true,
    };
    struct riad_place place;
    int r = riad_log_open(&config, &repair->log);

    if (r == 0) {
        r = riad_log_place(repair->log, 0, &place);
    }
    if (r == 0) {
        r = riad_salvage_begin(fsck->config, place.segment);
    }
    if (r < 0) {
        return r;
    }
    riad_log_require(repair->log, RIAD_FEATURES_KNOWN); /* what is salvaged may need any of them */
    riad_repair_change(repair);
    return riad_repair_append(repair);
}

static int load_row(void *context, const uint8_t *operation, size_t size)
{
    return riad_index_load(context, operation, size);
}

static int load_next_inode(struct riad_repair *repair, uint64_t next_inode)
{
    const struct riad_writer *built = &repair->change.operations;

    riad_repair_change(repair);
    riad_change_put_workspace(&repair->change, next_inode);
    return built->error ? built->error
                        : riad_index_load(repair->work.index, built->data, built->size);
}

/* The rows to be mended stand at the base until all is done: so a claim is made behind that. */
static int load(struct riad_repair *repair, struct riad_snapshot *snapshot, uint64_t next_inode)
{
    struct riad_fsck *fsck = &repair->fsck;
    int r;

    riad_fsck_begin(fsck, fsck->path, fsck->reason, &repair->work);
    repair->work.index_path = repair->path;
    r = riad_rebuild_empty(&repair->work);
    if (r == 0 && snapshot) {
        r = riad_snapshot_rows(snapshot, load_row, repair->work.index);
    }
    if (r == 0) {
        r = load_next_inode(repair, next_inode);
    }
    return r < 0 ? r : riad_index_set_end(repair->work.index, &repair->base, 0);
}

static int publish(struct riad_repair *repair, struct riad_snapshot *snapshot,
        const struct riad_snapshot_header *header)
{
    _cleanup_(riad_checkpoint_writer_freep) struct riad_checkpoint_writer *writer = NULL;
    const struct riad_fsck *fsck = &repair->fsck;
    const struct riad_checkpoint_manifest manifest = {
        .end = repair->end,
        .roster_head = fsck->config->roster_head,
        .time = riad_clock_now(),
        .next_inode = header->next_inode,
        .inodes = header->usage.inodes,
        .blocks = header->usage.blocks,
        .features = riad_log_features(repair->log),
    };
    uint64_t bytes;
    int r = riad_checkpoint_create(fsck->config->workspace_fd, fsck->keys,
            riad_log_new_segment_id(repair->log), &manifest, &writer);

    if (r == 0) {
        r = riad_checkpoint_add_rows(writer, snapshot, header->next_inode, NULL);
    }
    return r < 0 ? r : riad_checkpoint_finish(writer, &bytes);
}

int riad_repair_load(struct riad_repair *repair)
{
    _cleanup_(riad_snapshot_freep) struct riad_snapshot *snapshot = NULL;
    struct riad_snapshot_header header = { .next_inode = RIAD_ROOT_INODE };
    int r;

    set_base(repair);
    r = open_log(repair);
    if (r == 0 && repair->source.index) {
        r = riad_snapshot_take(repair->source.index, &snapshot);
    }
    if (r == 0 && snapshot) {
        riad_snapshot_header(snapshot, &header);
    }
    if (r == 0) {
        r = publish(repair, snapshot, &header);
    }
    return r < 0 ? r : load(repair, snapshot, header.next_inode);
}
