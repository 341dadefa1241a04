/* A log segment whose last bytes lie in the spool: room for them is reserved on the store before
 * they are acknowledged (L5), so that shipping does not meet a full one. Where the store cannot
 * reserve (NFS, CephFS), what it has no room for stays in the spool, and is tried again. */
#include <fcntl.h>
#include <unistd.h>

#include "riad/error.h"
#include "riad/sysops.h"

#include "log_priv.h"

enum {
    RESERVE_STEP = 1 << 20,  /* at least, while the store has as much */
    RESERVE_ROUND = 1 << 16, /* else what is needed, in such pieces */
    RESERVE_AHEAD = 8 << 20, /* at most, by who ships: no appender waits for it then */
};

enum {
    ZEROS_BYTES = 256 << 10, /* so much is written behind the end in one go, */
    ZEROS_LEFT = 32 << 10,   /* when less is left of it, */
    ZEROS_ROUND = 64 << 10,  /* in rounds that sync less than this, and follow each other */
    ZEROS_PAUSE_MS = 250,    /* as closely as this */
};

static uint64_t round_up(uint64_t size, uint64_t step)
{
    return (size + step - 1) / step * step;
}

/* The file's size stays: a reader does not meet bytes that are not there. */
static int allocate(struct riad_log_file *file, uint64_t from, uint64_t to)
{
    if (TEMP_FAILURE_RETRY(riad_sys->fallocate(
                file->fd, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from))) < 0) {
        return -errno;
    }
    atomic_store(&file->reserved, to);
    return 0;
}

static bool is_full(int error)
{
    return error == -ENOSPC || error == -EDQUOT;
}

static int reserve(struct riad_log_file *file, uint64_t wanted)
{
    uint64_t reserved = atomic_load(&file->reserved);
    uint64_t missing = wanted > reserved ? wanted - reserved : 0;
    int r;

    if (missing == 0) {
        return 0;
    }
    r = allocate(file, reserved, reserved + round_up(missing, RESERVE_STEP));
    if (is_full(r)) {
        r = allocate(file, reserved, reserved + round_up(missing, RESERVE_ROUND));
    }
    return r;
}

static bool cannot_reserve(int error)
{
    return error == -EOPNOTSUPP || error == -ENOSYS;
}

int riad_log_spool_begin(struct riad_log *log, struct riad_log_file *file)
{
    int r;

    if (!log->spool) {
        return 0;
    }
    r = reserve(file, 1);
    if (cannot_reserve(r)) {
        atomic_store(&file->reserved, UINT64_MAX);
    } else if (r < 0) {
        return is_full(r) || r == -EIO ? r : 0;
    }
    riad_spool_begin(log->spool, file->segment);
    file->spooled = true;
    pthread_mutex_lock(&log->lock);
    log->shipping = file;
    pthread_mutex_unlock(&log->lock);
    return 0;
}

int riad_log_spool_append(struct riad_log *log, struct iovec *pieces, int count, size_t size)
{
    int r = reserve(log->current, log->current->size + size);

    if (r == 0 && !riad_spool_has_room(log->spool, size)) {
        r = riad_log_ship(log);
    }
    if (r == 0) {
        riad_spool_put(log->spool, pieces, count);
    }
    return r;
}

/* The segment that is spooled, pinned; NULL: none. *ret_end is what was appended to it. */
static struct riad_log_file *pin_shipping(struct riad_log *log, uint64_t *ret_end)
{
    struct riad_log_file *file;

    pthread_mutex_lock(&log->lock);
    file = log->shipping;
    if (file) {
        file->pins++;
        *ret_end = file->size;
    }
    pthread_mutex_unlock(&log->lock);
    return file;
}

static void unpin(struct riad_log *log, struct riad_log_file *file)
{
    pthread_mutex_lock(&log->lock);
    file->pins--;
    log->counters.ships++;
    file = riad_log_file_collect(log, file);
    pthread_mutex_unlock(&log->lock);
    riad_log_file_close(log, file);
}

int riad_log_ship(struct riad_log *log)
{
    uint64_t end = 0;
    struct riad_log_file *file;
    int r;

    if (riad_log_unshipped(log) == 0) {
        return 0;
    }
    file = pin_shipping(log, &end);
    if (!file) {
        return 0; /* whoever retired it has shipped all */
    }
    r = riad_spool_ship(log->spool, file->segment, file->fd);
    if (r == 0 && atomic_load(&file->reserved) < end + RESERVE_STEP) {
        /* A full store is the appender's to find. */
        (void)reserve(file, end + (end < RESERVE_AHEAD ? end : RESERVE_AHEAD));
    }
    unpin(log, file);
    if (r < 0 && !is_full(r)) {
        atomic_store(&log->failed, true);
        return -EIO;
    }
    return r;
}

/* To sync a file that grows, ext4 and XFS commit their journal. One whose size and blocks stay as
 * they are is written over, and costs half. A reader takes the zeros for the log's end; they are
 * cut off with the room that was reserved. */
void riad_log_write_zeros(struct riad_log *log, struct riad_log_file *file, uint64_t now)
{
    bool often = now - log->synced_at < (uint64_t)ZEROS_PAUSE_MS * 1000000;
    uint64_t reserved = atomic_load(&file->reserved);
    uint64_t shipped;

    log->synced_at = now;
    if (!often || !file->spooled || reserved == UINT64_MAX || file->syncing > ZEROS_ROUND) {
        return;
    }
    shipped = riad_spool_shipped(log->spool, file->segment);
    if (shipped == 0 || file->zeros >= shipped + ZEROS_LEFT) {
        return;
    }
    if (reserved > shipped + ZEROS_BYTES) {
        reserved = shipped + ZEROS_BYTES;
    }
    if (riad_spool_write_zeros(log->spool, file->segment, file->fd, file->zeros, reserved) == 0) {
        file->zeros = reserved;
    }
}

uint64_t riad_log_unshipped(const struct riad_log *log)
{
    return log->spool ? riad_spool_pending(log->spool) : 0;
}
