/* The batch transaction: begun at the first use, committed by the caller every few milliseconds, so
 * that neither changes nor reads pay for transactions and file locks. */
#include <errno.h>

#include "index_priv.h"

enum {
    BATCH_BYTES_MAX = 1 << 20, /* of recorded changes: then the next one commits first */
    WAL_PAGES_STEP = 16384,
};

static int restore(struct riad_index *index);

/* With too little memory, or a full disk, SQLite rolls back by itself, also when only reading. */
static bool is_lost(const struct riad_index *index)
{
    return index->open && sqlite3_get_autocommit(index->database);
}

int riad_index_ready(struct riad_index *index)
{
    int r = 0;

    if (!index->broken && (index->torn || is_lost(index))) {
        r = restore(index);
    }
    return index->broken ? -EIO : r;
}

int riad_index_begin(struct riad_index *index)
{
    int r = riad_index_ready(index);

    if (r < 0 || index->open) {
        return r;
    }
    r = riad_statement_run(riad_index_statement(index, RIAD_SQL_BEGIN));
    if (r < 0) {
        return r;
    }
    index->open = true;
    return 0;
}

int riad_index_fail(struct riad_index *index, int error)
{
    if (error != -EBADMSG) {
        index->torn = true;
    }
    return error;
}

int riad_index_flush(struct riad_index *index)
{
    int r = riad_cache_flush(index);

    if (r == 0) {
        r = riad_live_flush(index);
    }
    return r < 0 ? riad_index_fail(index, r) : 0;
}

/* Under load the background's PASSIVE checkpoints never quite reach the end of the WAL, which then
 * grows for ever: now and then the mutator does the rest itself, between two transactions. A
 * failure is seen by riad_index_wal_checkpoint. */
static void bound_wal(struct riad_index *index)
{
    if (index->wal_pages < index->wal_limit) {
        return;
    }
    sqlite3_wal_checkpoint_v2(index->database, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    index->wal_limit = index->wal_pages + WAL_PAGES_STEP;
}

static void note_commit(struct riad_index *index)
{
    index->counters.commits += index->changed;
    index->open = false;
    index->changed = false;
    index->unrecorded = false;
    index->unrepeatable = false;
    index->pending = 0;
    index->committed = index->current;
    riad_tree_keep(index);
    riad_writer_reset(&index->batch);
}

int riad_index_commit(struct riad_index *index)
{
    int r = riad_index_ready(index);

    if (r < 0 || !index->open) {
        return r;
    }
    if (index->changed) {
        r = riad_index_flush(index);
        if (r == 0) {
            r = riad_young_flush(index);
        }
        if (r == 0) {
            r = riad_owners_flush(index);
        }
        if (r == 0) {
            r = riad_tree_flush(index);
        }
        if (r < 0) {
            return r;
        }
        r = riad_meta_write(index);
        if (r < 0) {
            return riad_index_fail(index, r);
        }
    }
    r = riad_statement_run(riad_index_statement(index, RIAD_SQL_COMMIT));
    if (r < 0) {
        /* Still in the transaction: the caller may try again. */
        return sqlite3_get_autocommit(index->database) ? riad_index_fail(index, r) : r;
    }
    note_commit(index);
    bound_wal(index);
    return 0;
}

void riad_index_rollback(struct riad_index *index)
{
    if (index->open && !is_lost(index) &&
            riad_statement_run(riad_index_statement(index, RIAD_SQL_ROLLBACK)) < 0) {
        index->broken = true;
    }
    riad_cache_clear(index);
    riad_young_clear(index);
    riad_owners_done(&index->owners);
    riad_tree_clear(index);
    memset(index->deltas, 0, sizeof index->deltas);
    index->current = index->committed;
    index->open = false;
    index->changed = false;
    index->pending = 0;
}

static int record(struct riad_index *index, const struct riad_reader *operations,
        const struct riad_end *end, uint64_t start)
{
    struct riad_writer *batch = &index->batch;
    size_t size = batch->size;

    riad_put_end(batch, end);
    riad_put_u64(batch, start);
    riad_put_b32(batch, operations->data, operations->left);
    if (batch->error) {
        int r = batch->error == -ENOBUFS ? -EBADMSG : batch->error;

        batch->error = 0;
        batch->size = size;
        return r;
    }
    return 0;
}

static int move_end(struct riad_index *index, const struct riad_end *end, uint64_t start)
{
    int r = 0;

    if (end->segment != index->current.end.segment) {
        r = riad_live_mark_log(index, end->segment);
    }
    index->current.end = *end;
    index->current.start = start;
    index->changed = true;
    return r;
}

static int apply_change(struct riad_index *index, const struct riad_reader *operations,
        const struct riad_end *end, uint64_t start)
{
    int r = riad_apply_operations(index, *operations, false);

    if (r == 0) {
        r = move_end(index, end, start);
    }
    if (r == 0) {
        index->pending++;
    }
    return r;
}

/* Applies the recorded changes again, after a rollback. -EBADMSG: they do not fit any more. */
static int repeat_batch(struct riad_index *index)
{
    struct riad_reader batch;
    int r = riad_index_begin(index);

    riad_reader_init(&batch, index->batch.data, index->batch.size);
    while (r == 0 && batch.left > 0) {
        struct riad_reader operations;
        struct riad_end end;
        const uint8_t *bytes;
        uint64_t start;
        size_t size;

        riad_get_end(&batch, &end);
        start = riad_get_u64(&batch);
        bytes = riad_get_b32(&batch, SIZE_MAX, &size);
        riad_reader_init(&operations, bytes, size);
        r = apply_change(index, &operations, &end, start);
    }
    return r;
}

/* From the last commit on. What lacks memory or room now is done by whoever looks next: till then
 * the index stays torn. */
static int restore(struct riad_index *index)
{
    int r;

    index->torn = false;
    index->broken |= index->unrepeatable;
    riad_index_rollback(index);
    if (index->broken) {
        return -EIO;
    }
    r = repeat_batch(index);
    index->broken |= r == -EBADMSG;
    index->torn |= r < 0 && !index->broken;
    return index->broken || (r == 0 && index->torn) ? -EIO : r;
}

/* The last change is refused: makes it as if it had never been tried. */
static int undo(struct riad_index *index)
{
    int r = restore(index);

    return r < 0 ? -EIO : -EBADMSG;
}

/* Room for the change in the record of the batch. */
static int make_room(struct riad_index *index)
{
    int r = riad_index_begin(index);

    if (r < 0 || (!index->unrecorded && index->batch.size <= BATCH_BYTES_MAX)) {
        return r;
    }
    r = riad_index_commit(index);
    return r < 0 ? r : riad_index_begin(index);
}

int riad_index_apply(struct riad_index *index, const struct riad_reader *operations,
        const struct riad_end *end, uint64_t start)
{
    size_t size;
    int r = make_room(index);

    if (r < 0) {
        return r;
    }
    size = index->batch.size;
    r = record(index, operations, end, start);
    if (r < 0) {
        return r;
    }
    r = apply_change(index, operations, end, start);
    if (r == -EBADMSG) {
        index->batch.size = size;
        return undo(index);
    }
    if (r < 0) {
        riad_index_fail(index, r);
        r = riad_index_begin(index); /* the log has it: now it goes, or never */
    }
    return r;
}

int riad_index_load(struct riad_index *index, const uint8_t *operations, size_t size)
{
    struct riad_reader reader;
    int r = riad_index_begin(index);

    if (r < 0) {
        return r;
    }
    riad_reader_init(&reader, operations, size);
    index->changed = true;
    index->unrecorded = true;
    index->unrepeatable = true;
    r = riad_apply_operations(index, reader, true);
    if (r < 0) {
        index->broken = true; /* half of it is applied: fit only to be discarded */
    }
    return r;
}

int riad_index_set_end(struct riad_index *index, const struct riad_end *end, uint64_t start)
{
    int r = riad_index_begin(index);

    if (r < 0) {
        return r;
    }
    index->unrecorded = true;
    index->unrepeatable = true;
    r = move_end(index, end, start);
    return r < 0 ? riad_index_fail(index, r) : 0;
}
