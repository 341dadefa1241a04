/* Whether the log still holds a change that somebody remembers (L3). */
#include "riad/error.h"
#include "riad/fdio.h"

#include "replay_priv.h"

/* 0 if the change between start and end is the one that end names. */
static int check_change(int workspace_fd, struct riad_key_cache *cache,
        const struct riad_epoch_ends *epochs, const struct riad_end *end, uint64_t start)
{
    _cleanup_close_ int fd = riad_segment_open(workspace_fd, RIAD_SEGMENT_LOG, end->segment);
    _cleanup_free_ uint8_t *data = malloc(RIAD_RECORD_OVERHEAD + 2 * RIAD_CHANGE_LENGTH_MAX);
    struct riad_change_record change;
    size_t size;
    int r;

    if (fd < 0) {
        return fd;
    }
    if (!data) {
        return -ENOMEM;
    }
    r = riad_pread_all(fd, data, (size_t)(end->offset - start), start, &size);
    if (r < 0) {
        return r;
    }
    r = riad_change_open(
            cache, data, size, data + RIAD_RECORD_OVERHEAD + RIAD_CHANGE_LENGTH_MAX, &change);
    if (r < 0) {
        return r;
    }
    return change.record_size == end->offset - start &&
                           change.sequence.term == end->sequence.term &&
                           change.sequence.number == end->sequence.number &&
                           riad_hash_equal(&change.chain, &end->chain) &&
                           riad_epoch_allows(epochs, change.epoch, change.sequence.number) &&
                           riad_epoch_allows_segment(epochs, change.epoch, end->segment)
                   ? 0
                   : -ENOENT;
}

static int find(int workspace_fd, struct riad_key_cache *cache, const struct riad_history *history,
        const struct riad_epoch_ends *epochs, const struct riad_end *end, uint64_t start)
{
    _cleanup_(riad_lineage_done) struct riad_lineage lineage = { 0 };
    char damage[RIAD_DAMAGE_SIZE];
    int r;

    r = riad_lineage_build(workspace_fd, cache, history, epochs, end, &lineage, damage);
    if (r < 0) {
        return r;
    }
    if (lineage.count == 0 || lineage.segments[0].segment != end->segment) {
        return 0; /* the header of a later segment, or a term, names it as its predecessor */
    }
    return check_change(workspace_fd, cache, epochs, end, start);
}

int riad_replay_find(int workspace_fd, const struct riad_keys *keys,
        const struct riad_history *history, const struct riad_epoch_ends *epochs,
        const struct riad_end *end, uint64_t start)
{
    static const struct riad_end empty;
    _cleanup_(riad_key_cache_freep) struct riad_key_cache *cache = NULL;
    int r;

    if (riad_end_equal(end, &empty)) {
        return 0;
    }
    if (end->segment == 0 || start >= end->offset ||
            end->offset - start > RIAD_RECORD_OVERHEAD + RIAD_CHANGE_LENGTH_MAX) {
        return -ENOENT;
    }
    r = riad_key_cache_new(keys, &cache);
    if (r < 0) {
        return r;
    }
    r = find(workspace_fd, cache, history, epochs, end, start);
    return r == -EUCLEAN || r == -EBADMSG ? -ENOENT : r;
}

int riad_replay_connects(int workspace_fd, const struct riad_keys *keys,
        const struct riad_history *history, const struct riad_epoch_ends *epochs,
        const struct riad_end *from)
{
    _cleanup_(riad_key_cache_freep) struct riad_key_cache *cache = NULL;
    _cleanup_(riad_lineage_done) struct riad_lineage lineage = { 0 };
    char damage[RIAD_DAMAGE_SIZE];
    int r = riad_key_cache_new(keys, &cache);

    if (r == 0) {
        r = riad_lineage_build(workspace_fd, cache, history, epochs, from, &lineage, damage);
    }
    return r;
}
