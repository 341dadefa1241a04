/* Looking for changes record by record (riad/salvage.h). */
#include "riad/salvage.h"

#include <stdlib.h>

#include "riad/error.h"
#include "riad/fdio.h"

#include "replay_priv.h"

/* Where one lies, and what it says it is. */
struct item {
    struct riad_sequence sequence;
    uint64_t segment, offset;
    struct riad_hash previous, chain;
};

struct riad_salvage {
    int workspace_fd;
    const struct riad_history *history;
    struct riad_epoch_ends epochs;
    uint64_t after;
    struct riad_key_cache *cache;
    struct riad_window window;
    uint8_t *plain; /* RIAD_CHANGE_LENGTH_MAX */
    int fd;         /* what the window is on */
    uint64_t segment;
    struct item *items;
    size_t count;
    size_t capacity;
};

void riad_salvage_free(struct riad_salvage *salvage)
{
    if (!salvage) {
        return;
    }
    riad_key_cache_freep(&salvage->cache);
    riad_window_done(&salvage->window);
    riad_close_fd(&salvage->fd);
    free(salvage->plain);
    free(salvage->items);
    free(salvage);
}

/* Past its term's bound another history was written (O1). */
static bool is_on_history(const struct riad_salvage *salvage, const struct riad_sequence *sequence)
{
    const struct riad_history *history = salvage->history;
    struct riad_end bound;

    for (size_t i = 0; i < history->count; i++) {
        if (history->terms[i].number == sequence->term) {
            return !riad_history_bound(history, sequence->term, &bound) ||
                   sequence->number <= bound.sequence.number;
        }
    }
    return false;
}

static bool is_wanted(const struct riad_salvage *salvage, uint64_t segment,
        const struct riad_change_record *change)
{
    const struct riad_epoch_ends *epochs = &salvage->epochs;

    return change->sequence.number > salvage->after &&
           change->sequence.term == riad_segment_term(segment) &&
           riad_epoch_allows(epochs, change->epoch, change->sequence.number) &&
           riad_epoch_allows_segment(epochs, change->epoch, segment) &&
           is_on_history(salvage, &change->sequence);
}

static int remember(struct riad_salvage *salvage, uint64_t segment, uint64_t offset,
        const struct riad_change_record *change)
{
    if (salvage->count == salvage->capacity) {
        size_t capacity = salvage->capacity > 0 ? 2 * salvage->capacity : 256;
        struct item *grown = reallocarray(salvage->items, capacity, sizeof *grown);

        if (!grown) {
            return -ENOMEM;
        }
        salvage->items = grown;
        salvage->capacity = capacity;
    }
    salvage->items[salvage->count++] = (struct item){ .sequence = change->sequence,
        .segment = segment,
        .offset = offset,
        .previous = change->previous,
        .chain = change->chain };
    return 0;
}

/* The whole record at offset, if one is there; *ret_size 0 if not. */
static int get_record(struct riad_salvage *salvage, uint64_t offset, const uint8_t **ret,
        struct riad_record_header *ret_header, size_t *ret_size)
{
    size_t size, whole;
    int r = riad_window_get(&salvage->window, offset, RIAD_RECORD_HEADER_SIZE, ret, &size);

    *ret_size = 0;
    if (r < 0 || size < RIAD_RECORD_HEADER_SIZE ||
            riad_record_header_decode(*ret, ret_header) < 0) {
        return r;
    }
    whole = RIAD_RECORD_OVERHEAD + (size_t)ret_header->length;
    r = riad_window_get(&salvage->window, offset, whole, ret, &size);
    if (r == 0 && size >= whole && riad_record_check(*ret, whole) == 0) {
        *ret_size = whole;
    }
    return r;
}

/* *ret_next: where to go on. */
static int look_at(
        struct riad_salvage *salvage, uint64_t segment, uint64_t offset, uint64_t *ret_next)
{
    struct riad_record_header header;
    struct riad_change_record change;
    const uint8_t *data;
    size_t size;
    int r = get_record(salvage, offset, &data, &header, &size);

    *ret_next = offset + (size > 0 ? size : 1);
    if (r < 0 || size == 0 || header.type != RIAD_RECORD_CHANGE) {
        return r;
    }
    r = riad_change_open(salvage->cache, data, size, salvage->plain, &change);
    if (r < 0) {
        return r == -EBADMSG ? 0 : r;
    }
    return is_wanted(salvage, segment, &change) ? remember(salvage, segment, offset, &change) : 0;
}

/* Turns the window to a segment. -ENOENT: there is none, or no file. */
static int turn_to(struct riad_salvage *salvage, uint64_t segment)
{
    if (salvage->fd >= 0 && salvage->segment == segment) {
        return 0;
    }
    riad_close_fd(&salvage->fd);
    salvage->fd = riad_segment_open(salvage->workspace_fd, RIAD_SEGMENT_LOG, segment);
    if (salvage->fd < 0) {
        return salvage->fd == -EBADMSG ? -ENOENT : salvage->fd;
    }
    salvage->segment = segment;
    riad_window_set(&salvage->window, salvage->fd);
    return 0;
}

static int look_through(struct riad_salvage *salvage, uint64_t segment)
{
    uint64_t offset = 0;
    int r = turn_to(salvage, segment);

    while (r == 0) {
        r = riad_window_find(&salvage->window, offset, &offset);
        if (r < 0 || offset == UINT64_MAX) {
            return r;
        }
        r = look_at(salvage, segment, offset, &offset);
    }
    return r == -ENOENT ? 0 : r;
}

static int compare(const void *a, const void *b)
{
    const struct item *left = a;
    const struct item *right = b;

    if (left->sequence.number != right->sequence.number) {
        return left->sequence.number < right->sequence.number ? -1 : 1;
    }
    return (left->segment > right->segment) - (left->segment < right->segment);
}

/* Whether the change behind those of its number names it. */
static bool is_named(const struct riad_salvage *salvage, size_t i)
{
    uint64_t number = salvage->items[i].sequence.number;
    size_t next = i + 1;

    while (next < salvage->count && salvage->items[next].sequence.number == number) {
        next++;
    }
    return next < salvage->count && salvage->items[next].sequence.number == number + 1 &&
           riad_hash_equal(&salvage->items[next].previous, &salvage->items[i].chain);
}

/* One of each number: the last, unless an earlier one is named. */
static void drop_doubles(struct riad_salvage *salvage)
{
    size_t kept = 0;
    bool named = false;

    for (size_t i = 0; i < salvage->count; i++) {
        const struct item item = salvage->items[i];
        bool twin = kept > 0 && salvage->items[kept - 1].sequence.number == item.sequence.number;
        bool better = is_named(salvage, i);

        if (twin && named && !better) {
            continue;
        }
        kept -= twin;
        named = better;
        salvage->items[kept++] = item;
    }
    salvage->count = kept;
}

static int find_all(struct riad_salvage *salvage)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0;
    int r = riad_segment_list(salvage->workspace_fd, RIAD_SEGMENT_LOG, &ids, &count);

    for (size_t i = 0; i < count && r == 0; i++) {
        r = look_through(salvage, ids[i]);
    }
    if (r == 0 && salvage->count > 0) {
        qsort(salvage->items, salvage->count, sizeof *salvage->items, compare);
        drop_doubles(salvage);
    }
    return r;
}

int riad_salvage_find(int workspace_fd, const struct riad_keys *keys,
        const struct riad_history *history, const struct riad_epoch_ends *epochs, uint64_t after,
        struct riad_salvage **ret)
{
    _cleanup_(riad_salvage_freep) struct riad_salvage *salvage = calloc(1, sizeof *salvage);
    int r;

    if (!salvage) {
        return -ENOMEM;
    }
    salvage->fd = -1;
    salvage->workspace_fd = workspace_fd;
    salvage->history = history;
    salvage->epochs = *epochs;
    salvage->after = after;
    salvage->plain = malloc(RIAD_CHANGE_LENGTH_MAX);
    r = salvage->plain ? riad_window_init(&salvage->window) : -ENOMEM;
    if (r == 0) {
        r = riad_key_cache_new(keys, &salvage->cache);
    }
    if (r == 0) {
        r = find_all(salvage);
    }
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(salvage);
    return 0;
}

void riad_salvage_summarize(const struct riad_salvage *salvage, struct riad_salvage_summary *ret)
{
    uint64_t last = salvage->count > 0 ? salvage->items[salvage->count - 1].sequence.number : 0;

    *ret = (struct riad_salvage_summary){
        .found = salvage->count,
        .last = last,
        .missing = last > 0 ? last - salvage->after - salvage->count : 0,
    };
}

static int pass(struct riad_salvage *salvage, const struct item *item,
        riad_salvage_function function, void *context)
{
    struct riad_record_header header;
    struct riad_change_record change;
    const uint8_t *data;
    size_t size;
    int r = turn_to(salvage, item->segment);

    if (r == 0) {
        r = get_record(salvage, item->offset, &data, &header, &size);
    }
    if (r == 0) {
        r = riad_change_open(salvage->cache, data, size, salvage->plain, &change);
    }
    if (r < 0) {
        return r == -EBADMSG || r == -ENOENT ? 0 : r;
    }
    return function(context, item->sequence.number, change.content, change.size);
}

int riad_salvage_each(struct riad_salvage *salvage, riad_salvage_function function, void *context)
{
    int r = 0;

    for (size_t i = 0; i < salvage->count && r >= 0; i++) {
        r = pass(salvage, &salvage->items[i], function, context);
    }
    return r < 0 ? r : 0;
}
