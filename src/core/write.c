/* Writes: sealed outside the lock, then one change. */
#include <errno.h>

#include "write_priv.h"

enum { WRITE_MAX = 1 << 20 };

/* Lowers write->size to what fits under the limit; -EDQUOT if that is nothing. (mutation) */
static int fit(struct riad_workspace *workspace, const struct riad_inode *row,
        struct riad_data_write *write)
{
    uint32_t size;
    int r = riad_write_room(workspace, row, write->offset, write->size, &size);

    if (r < 0) {
        return r;
    }
    if (size == 0) {
        return -EDQUOT;
    }
    write->size = size;
    return 0;
}

/* After a refusal: -EAGAIN if a shorter write fits. (mutation) */
static int shorten(struct riad_workspace *workspace, const struct riad_inode *row,
        struct riad_data_write *write)
{
    uint32_t size = write->size;
    int r = riad_grants_may_grow(workspace) ? -EDQUOT : fit(workspace, row, write);

    if (r < 0) {
        return r;
    }
    return write->size < size ? -EAGAIN : -EDQUOT;
}

static int get_target(struct riad_workspace *workspace, const struct riad_data_write *write,
        struct riad_inode *ret)
{
    int r = riad_get_file(workspace, write->inode, ret);

    return r < 0 ? r : riad_flags_allow_write(ret, write->offset);
}

/* Before bulk goes to the store: is there a file, and room for it? */
static int check_room(struct riad_workspace *workspace, struct riad_data_write *write)
{
    struct riad_inode row;
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    workspace->exempt =
            true; /* what owners may use is seen when it is charged, and may grow then */
    r = riad_mutation_allow(workspace, write->caller);
    if (r == 0) {
        r = get_target(workspace, write, &row);
    }
    if (r == 0) {
        r = fit(workspace, &row, write);
    }
    riad_workspace_unlock(workspace);
    return r;
}

static int commit(struct riad_workspace *workspace, struct riad_data_write *write,
        const struct riad_payload *payload, struct riad_inode *row, struct riad_extent_edit *edit)
{
    uint64_t end = write->offset + write->size;
    int r = riad_kill_privileges(workspace, write->caller, row);

    if (r < 0) {
        return r;
    }
    riad_write_put(workspace, write, payload, edit);
    row->blocks = (uint64_t)((int64_t)row->blocks + riad_extent_edit_filled(edit));
    write->appended = write->offset == row->size;
    row->size = end > row->size ? end : row->size;
    riad_touch(workspace, row);
    riad_put_row(workspace, row);
    return riad_mutation_commit(workspace, riad_write_is_bulk(write) ? NULL : payload);
}

/* Blocks of the payload that are not charged anew. */
static uint64_t overwritten(const struct riad_data_write *write, int64_t filled)
{
    int64_t stored = (int64_t)((uint64_t)write->size + RIAD_BLOCK_SIZE - 1) / RIAD_BLOCK_SIZE;

    return stored > filled ? (uint64_t)(stored - filled) : 0;
}

/* -EAGAIN with a lower write->size if only that much fits, and with the same if an epoch ended
 * since the payload was sealed. (mutation) */
static int write_locked(struct riad_workspace *workspace, struct riad_data_write *write,
        const struct riad_payload *payload)
{
    struct riad_extent_edit edit;
    struct riad_inode row;
    uint64_t end = write->offset + write->size;
    int r = get_target(workspace, write, &row);

    if (r < 0) {
        return r;
    }
    if (riad_log_is_stale(workspace->log, payload)) {
        return -EAGAIN;
    }
    if (end > row.truncate_mark) {
        return RIAD_PENDING;
    }
    r = riad_scan_edit(workspace, &row, write->offset, end, &edit);
    if (r < 0) {
        return r;
    }
    r = riad_mutation_charge(workspace, &row, riad_extent_edit_filled(&edit), 0);
    if (r == -EDQUOT) {
        return shorten(workspace, &row, write);
    }
    if (r == 0) {
        r = riad_mutation_overwrite(workspace, overwritten(write, riad_extent_edit_filled(&edit)));
    }
    return r < 0 ? r : commit(workspace, write, payload, &row, &edit);
}

static int mutate(struct riad_workspace *workspace, struct riad_data_write *write,
        const struct riad_payload *payload)
{
    int r = riad_mutation_begin(workspace, write->caller);

    if (r < 0) {
        return r;
    }
    r = write_locked(workspace, write, payload);
    riad_mutation_end(workspace);
    return r;
}

static int write_small(struct riad_workspace *workspace, struct riad_data_write *write)
{
    _cleanup_(riad_payload_freep) struct riad_payload *payload = NULL;
    int r;

    write->place = (struct riad_place){ 0 };
    r = riad_write_seal(workspace, write, &payload);
    return r < 0 ? r : mutate(workspace, write, payload);
}

/* The data segment must not die between the payload's arrival and the change that names it. */
static int write_payload(struct riad_workspace *workspace, struct riad_data_write *write,
        const struct riad_payload *payload)
{
    unsigned ticket = riad_bulk_begin(workspace);
    int r = riad_log_write_bulk(workspace->log, payload, write->inode, &write->place);

    if (r == 0) {
        r = mutate(workspace, write, payload);
    }
    riad_bulk_end(workspace, ticket);
    return r;
}

static int write_bulk(struct riad_workspace *workspace, struct riad_data_write *write)
{
    _cleanup_(riad_payload_freep) struct riad_payload *payload = NULL;
    int r = check_room(workspace, write);

    if (r < 0) {
        return r;
    }
    if (!riad_write_is_bulk(write)) {
        return -EAGAIN;
    }
    r = riad_write_seal(workspace, write, &payload);
    return r < 0 ? r : write_payload(workspace, write, payload);
}

/* One attempt. -EAGAIN: again, with the lower size, behind a finished truncation, or sealed anew
 * under the next epoch. */
static int attempt(struct riad_workspace *workspace, struct riad_data_write *write)
{
    int r = riad_write_is_bulk(write) ? write_bulk(workspace, write)
                                      : write_small(workspace, write);

    if (r == RIAD_PENDING) {
        r = riad_truncate_finish(workspace, write->inode);
        return r < 0 ? r : -EAGAIN;
    }
    return r;
}

int riad_write(struct riad_workspace *workspace, const struct riad_caller *caller, uint64_t inode,
        uint64_t offset, const uint8_t *data, uint32_t size, uint32_t *ret_size)
{
    struct riad_data_write write = {
        .caller = caller, .inode = inode, .offset = offset, .data = data, .size = size
    };
    int r;

    if (offset >= RIAD_FILE_SIZE_MAX) {
        return -EFBIG;
    }
    if (write.size > WRITE_MAX) {
        write.size = WRITE_MAX;
    }
    if (write.size > RIAD_FILE_SIZE_MAX - offset) {
        write.size = (uint32_t)(RIAD_FILE_SIZE_MAX - offset);
    }
    do {
        r = write.size > 0 ? attempt(workspace, &write) : 0;
    } while (r == -EAGAIN || riad_orphan_awaited(workspace, &r));
    if (r < 0) {
        return r;
    }
    *ret_size = write.size;
    if (write.appended && !riad_write_is_bulk(&write)) {
        riad_gather(workspace, &write);
    }
    return 0;
}
