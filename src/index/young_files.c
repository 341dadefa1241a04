/* The extents of files made a moment ago, all of them, in memory: small files are written in a few
 * appends, each of which looks for the extents before it and often replaces the last. SQLite gets
 * what is left of them when the batch commits. A file leaves when it has too many, or another one
 * needs its place; the tables have them then. */
#include <errno.h>
#include <stddef.h>

#include "index_priv.h"
#include "stored_priv.h"

static struct riad_young_file *slot_of(struct riad_index *index, uint64_t inode)
{
    return &index->young[inode % RIAD_YOUNG_FILES];
}

struct riad_young_file *riad_young_find(struct riad_index *index, uint64_t inode)
{
    struct riad_young_file *file = slot_of(index, inode);

    if (file->inode != inode) {
        index->counters.extents.misses++;
        return NULL;
    }
    index->counters.extents.hits++;
    return file;
}

static int clean(struct riad_index *index, struct riad_young_file *file)
{
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_EXTENT_PUT);

    for (unsigned i = 0; i < file->count; i++) {
        struct riad_extent_room room;
        int r;

        if ((file->dirty & 1U << i) == 0) {
            continue;
        }
        riad_extent_bind(statement, &file->extents[i], &room);
        r = riad_statement_run(statement);
        if (r < 0) {
            return riad_index_fail(index, r);
        }
        file->stored = true;
    }
    file->dirty = 0;
    return 0;
}

int riad_young_start(struct riad_index *index)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_EXTENT_STRAY);
    int r;

    riad_bind_u64(statement, 1, index->current.next_inode);
    r = riad_statement_step(statement);
    index->strays = r == 1;
    return r < 0 ? r : 0;
}

int riad_young_begin(struct riad_index *index, uint64_t inode)
{
    struct riad_young_file *file = slot_of(index, inode);
    int r;

    if (index->strays) {
        return 0; /* it may have extents */
    }
    r = file->inode != 0 ? clean(index, file) : 0;
    if (r < 0) {
        return r;
    }
    file->inode = inode;
    file->count = 0;
    file->stored = false;
    return 0;
}

/* The first extent at or behind the offset. */
static unsigned lower_bound(const struct riad_young_file *file, uint64_t offset)
{
    unsigned i = file->count;

    while (i > 0 && file->extents[i - 1].offset >= offset) {
        i--;
    }
    return i;
}

/* Keeps the low `at` bits, and moves the others up by one. */
static unsigned open_bit(unsigned bits, unsigned at)
{
    unsigned low = (1U << at) - 1;

    return (bits & low) | (bits & ~low) << 1;
}

/* The tags behind the last are never read. */
static void copy_extent(struct riad_extent *to, const struct riad_extent *from)
{
    memcpy(to, from, offsetof(struct riad_extent, tags) + (size_t)from->tag_count * RIAD_TAG_SIZE);
}

static bool overlaps(const struct riad_young_file *file, unsigned at, bool replaces,
        const struct riad_extent *row)
{
    unsigned next = at + (replaces ? 1 : 0);

    return (at > 0 && file->extents[at - 1].offset + file->extents[at - 1].length > row->offset) ||
           (next < file->count && file->extents[next].offset < row->offset + row->length);
}

/* Lets SQLite have the file's extents from now on. */
static int give_up(struct riad_index *index, struct riad_young_file *file)
{
    int r = clean(index, file);

    if (r == 0) {
        file->inode = 0;
    }
    return r;
}

int riad_young_put(struct riad_index *index, struct riad_young_file *file,
        const struct riad_extent *row, struct riad_span *ret_old)
{
    unsigned at = lower_bound(file, row->offset);
    bool replaces = at < file->count && file->extents[at].offset == row->offset;
    struct riad_extent *place = &file->extents[at];

    if (overlaps(file, at, replaces, row)) {
        return -EBADMSG;
    }
    if (replaces) {
        *ret_old = (struct riad_span){ place->offset, place->length, place->segment };
    } else if (file->count == RIAD_YOUNG_EXTENTS) {
        int r = give_up(index, file);

        return r < 0 ? r : 1;
    } else {
        memmove(place + 1, place, (file->count - at) * sizeof *place);
        file->dirty = open_bit(file->dirty, at);
        file->count++;
    }
    copy_extent(place, row);
    file->dirty |= 1U << at;
    return 0;
}

void riad_young_take(struct riad_young_file *file, uint64_t from, uint64_t to,
        struct riad_span ret[RIAD_YOUNG_EXTENTS], unsigned *ret_count)
{
    unsigned first = lower_bound(file, from);
    unsigned end = lower_bound(file, to);
    unsigned low = (1U << first) - 1;

    end = end < first ? first : end;
    for (unsigned i = first; i < end; i++) {
        const struct riad_extent *row = &file->extents[i];

        ret[i - first] = (struct riad_span){ row->offset, row->length, row->segment };
    }
    memmove(&file->extents[first], &file->extents[end],
            (file->count - end) * sizeof file->extents[0]);
    file->dirty = (file->dirty & low) | ((file->dirty >> (end - first)) & ~low);
    file->count -= end - first;
    *ret_count = end - first;
}

int riad_young_list(const struct riad_young_file *file, uint64_t from, uint64_t to,
        riad_index_extent_function function, void *context)
{
    for (unsigned i = 0; i < file->count && file->extents[i].offset < to; i++) {
        const struct riad_extent *row = &file->extents[i];
        int r = row->offset + row->length > from ? function(context, row) : 0;

        if (r != 0) {
            return r < 0 ? r : 0;
        }
    }
    return 0;
}

uint64_t riad_young_count(const struct riad_young_file *file, uint64_t from, uint64_t to)
{
    unsigned first = lower_bound(file, from);
    unsigned end = lower_bound(file, to);

    return end > first ? end - first : 0;
}

void riad_young_forget(struct riad_index *index, uint64_t inode)
{
    struct riad_young_file *file = riad_young_find(index, inode);

    if (file) {
        file->inode = 0;
        file->count = 0;
        file->dirty = 0;
    }
}

int riad_young_flush(struct riad_index *index)
{
    for (unsigned i = 0; i < RIAD_YOUNG_FILES; i++) {
        struct riad_young_file *file = &index->young[i];
        int r = file->inode != 0 ? clean(index, file) : 0;

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

void riad_young_clear(struct riad_index *index)
{
    for (unsigned i = 0; i < RIAD_YOUNG_FILES; i++) {
        index->young[i].inode = 0;
        index->young[i].count = 0;
        index->young[i].dirty = 0;
    }
}
