#include <stdarg.h>

#include "riad/error.h"

#include "lineage_priv.h"

/* The walk from the youngest segment to `from`. */
struct walk {
    int workspace_fd;
    struct riad_key_cache *cache;
    const struct riad_history *history;
    const struct riad_epoch_ends *epochs;
    const struct riad_end *from;
    uint64_t *ids; /* of all files in log/, ascending */
    size_t id_count;
    struct riad_lineage *lineage;
    char *damage;
    bool bounded;          /* else: at the open end */
    struct riad_end bound; /* the last change that counts in the segment the walk is at */
};

__attribute__((format(printf, 2, 3))) static int damaged(struct walk *walk, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(walk->damage, RIAD_DAMAGE_SIZE, format, arguments);
    va_end(arguments);
    return -EUCLEAN;
}

/* A segment of an epoch that had ended when it was begun: a former member's, or the last one's
 * first write failed. No change in it can count. */
static bool comes_too_late(const struct walk *walk, const struct riad_segment_header *header)
{
    return !riad_epoch_allows(walk->epochs, header->epoch, header->previous.sequence.number + 1) ||
           !riad_epoch_allows_segment(walk->epochs, header->epoch, header->segment);
}

static int read_header(const struct walk *walk, uint64_t segment, struct riad_segment_header *ret)
{
    _cleanup_close_ int fd = riad_segment_open(walk->workspace_fd, RIAD_SEGMENT_LOG, segment);
    int r;

    if (fd < 0) {
        return fd;
    }
    r = riad_segment_header_get(fd, walk->cache, RIAD_SEGMENT_LOG, segment, ret, NULL);
    return r == 0 && comes_too_late(walk, ret) ? -EBADMSG : r;
}

/* A header that does not verify because it is of a later epoch than this reader has keys of: what
 * lies there must not be taken for torn off. */
static int check_key_held(struct walk *walk, uint64_t segment)
{
    _cleanup_close_ int fd = riad_segment_open(walk->workspace_fd, RIAD_SEGMENT_LOG, segment);
    uint32_t epoch;

    if (fd < 0 ||
            riad_segment_header_epoch(fd, riad_key_cache_workspace(walk->cache), &epoch) < 0 ||
            epoch <= riad_key_cache_epoch(walk->cache)) {
        return 0;
    }
    return damaged(walk, "log segment %016llx is sealed under epoch %u, whose keys are not here",
            (unsigned long long)segment, epoch);
}

/* Index of a term in the history; count if it is not in it. */
static size_t find_term(const struct riad_history *history, uint32_t number)
{
    size_t i = 0;

    while (i < history->count && history->terms[i].number != number) {
        i++;
    }
    return i;
}

static int push(struct walk *walk, uint64_t segment, uint64_t begin)
{
    struct riad_lineage *lineage = walk->lineage;

    if (lineage->count == lineage->capacity) {
        size_t capacity = lineage->capacity > 0 ? 2 * lineage->capacity : 16;
        struct riad_lineage_segment *grown =
                reallocarray(lineage->segments, capacity, sizeof *grown);

        if (!grown) {
            return -ENOMEM;
        }
        lineage->segments = grown;
        lineage->capacity = capacity;
    }
    lineage->segments[lineage->count++] =
            (struct riad_lineage_segment){ segment, begin, !walk->bounded, walk->bound };
    return 0;
}

/* Where a term begins is said by its own signed file and must be said by all terms after the one
 * whose records end there. index: the term that was walked through. */
static int cross_terms(struct walk *walk, size_t index)
{
    const struct riad_term *terms = walk->history->terms;
    uint32_t older = riad_segment_term(walk->bound.segment);

    for (size_t i = index + 1; i-- > 0 && terms[i].number > older;) {
        if (!riad_end_equal(&terms[i].end, &walk->bound)) {
            return damaged(walk,
                    "term %u does not begin where the log says that the one before ended",
                    terms[i].number);
        }
    }
    if (walk->bound.segment != 0 && find_term(walk->history, older) == walk->history->count) {
        return damaged(walk, "the history continues in term %u, which is not part of it", older);
    }
    return 0;
}

/* The last term's youngest segment with a header that verifies: those above it were torn when they
 * were created, or damaged since, which only reading tells. */
static int find_youngest(struct walk *walk, uint64_t *ret)
{
    uint32_t term = walk->history->terms[walk->history->count - 1].number;
    struct riad_segment_header header;
    size_t i = walk->id_count;
    int r;

    while (i > 0 && riad_segment_term(walk->ids[i - 1]) > term) {
        i--;
    }
    for (; i > 0 && riad_segment_term(walk->ids[i - 1]) == term; i--) {
        r = read_header(walk, walk->ids[i - 1], &header);
        if (r == 0) {
            *ret = walk->ids[i - 1];
            return 0;
        }
        if (r == -EBADMSG) {
            r = check_key_held(walk, walk->ids[i - 1]);
        }
        if (r < 0 && r != -ENOENT) {
            return r;
        }
        walk->lineage->suspects[walk->lineage->suspect_count++] = walk->ids[i - 1];
    }
    *ret = 0;
    return 0;
}

/* At the segment that `from` lies in. Nothing is pushed if nothing follows `from` there. */
static int arrive(struct walk *walk, uint64_t segment)
{
    if (walk->bounded && riad_end_equal(&walk->bound, walk->from)) {
        return 0;
    }
    if (walk->bounded && walk->bound.offset <= walk->from->offset) {
        return damaged(walk,
                "the history leaves segment %016llx at offset %llu, before the position to start "
                "from",
                (unsigned long long)segment, (unsigned long long)walk->bound.offset);
    }
    return push(walk, segment, walk->from->offset);
}

/* Pushes one segment and moves the bound to its predecessor's end. */
static int step_back(struct walk *walk, uint64_t segment)
{
    struct riad_segment_header header;
    int r;

    r = read_header(walk, segment, &header);
    if (r == -ENOENT || r == -EBADMSG) {
        int found = damaged(walk, "log segment %016llx is %s", (unsigned long long)segment,
                r == -ENOENT ? "missing" : "damaged in its header");

        return r == -ENOENT ? r : found;
    }
    if (r < 0) {
        return r;
    }
    if (header.previous.segment >= segment) {
        return damaged(walk, "log segment %016llx names a predecessor that is younger",
                (unsigned long long)segment);
    }
    r = push(walk, segment, header.size);
    if (r < 0) {
        return r;
    }
    walk->bound = header.previous;
    walk->bounded = true;
    if (riad_segment_term(header.previous.segment) == riad_segment_term(segment)) {
        return 0;
    }
    return cross_terms(walk, find_term(walk->history, riad_segment_term(segment)));
}

static int walk_back(struct walk *walk, uint64_t segment)
{
    int r = 0;

    while (r == 0 && segment > walk->from->segment) {
        r = step_back(walk, segment);
        segment = walk->bound.segment;
    }
    if (r < 0) {
        return r;
    }
    if (segment < walk->from->segment) {
        return damaged(walk,
                "the position to start from, in segment %016llx, is not part of the history",
                (unsigned long long)walk->from->segment);
    }
    return segment > 0 ? arrive(walk, segment) : 0;
}

/* A file between two segments of the history was abandoned before anything in it was acknowledged:
 * then it names the same predecessor as the one that took its place (L1). */
static int check_abandoned(struct walk *walk, uint64_t id, const struct riad_lineage_segment *older)
{
    struct riad_segment_header header;
    int r;

    r = read_header(walk, id, &header);
    if (r == -ENOENT || r == -EBADMSG) {
        return 0;
    }
    if (r == 0 && !riad_end_equal(&header.previous, &older->limit)) {
        return damaged(walk, "log segment %016llx is authentic but no part of the history",
                (unsigned long long)id);
    }
    return r;
}

static int check_others(struct walk *walk)
{
    const struct riad_lineage *lineage = walk->lineage;
    size_t next = 0; /* the first segment of the history at or above the file */

    for (size_t i = 0; i < walk->id_count; i++) {
        uint64_t id = walk->ids[i];
        int r;

        while (next < lineage->count && lineage->segments[next].segment < id) {
            next++;
        }
        if (next == 0 || next == lineage->count || lineage->segments[next].segment == id ||
                riad_segment_term(id) != riad_segment_term(lineage->segments[next].segment)) {
            continue;
        }
        r = check_abandoned(walk, id, &lineage->segments[next - 1]);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static void reverse(struct riad_lineage *lineage)
{
    for (size_t i = 0, k = lineage->count; i + 1 < k; i++) {
        struct riad_lineage_segment swapped = lineage->segments[i];

        k--;
        lineage->segments[i] = lineage->segments[k];
        lineage->segments[k] = swapped;
    }
}

static int build(struct walk *walk)
{
    const struct riad_history *history = walk->history;
    uint64_t youngest;
    int r;

    r = find_youngest(walk, &youngest);
    if (r < 0) {
        return r;
    }
    if (youngest == 0) {
        walk->bounded = true;
        walk->bound = history->terms[history->count - 1].end;
        youngest = walk->bound.segment;
        r = cross_terms(walk, history->count - 1);
        if (r < 0) {
            return r;
        }
    }
    r = walk_back(walk, youngest);
    if (r < 0) {
        return r;
    }
    reverse(walk->lineage);
    return check_others(walk);
}

void riad_lineage_done(struct riad_lineage *lineage)
{
    free(lineage->segments);
    free(lineage->suspects);
    *lineage = (struct riad_lineage){ 0 };
}

int riad_lineage_build(int workspace_fd, struct riad_key_cache *cache,
        const struct riad_history *history, const struct riad_epoch_ends *epochs,
        const struct riad_end *from, struct riad_lineage *ret, char ret_damage[RIAD_DAMAGE_SIZE])
{
    _cleanup_free_ uint64_t *ids = NULL;
    struct riad_lineage lineage = { 0 };
    struct walk walk = { .workspace_fd = workspace_fd,
        .cache = cache,
        .history = history,
        .epochs = epochs,
        .from = from,
        .lineage = &lineage,
        .damage = ret_damage };
    int r;

    r = riad_segment_list(workspace_fd, RIAD_SEGMENT_LOG, &ids, &walk.id_count);
    if (r < 0) {
        return r;
    }
    walk.ids = ids;
    lineage.suspects = calloc(walk.id_count + 1, sizeof *lineage.suspects);
    if (!lineage.suspects) {
        return -ENOMEM;
    }
    if (history->count > 0) {
        r = build(&walk);
    } else if (from->segment != 0) {
        r = damaged(&walk, "no term of the workspace verifies, but it has a history");
    }
    if (r < 0) {
        riad_lineage_done(&lineage);
        return r;
    }
    *ret = lineage;
    return 0;
}
