/* Making the log durable. Syncs run in rounds, one at a time: a file's write error is reported once
 * per descriptor, so two threads must never sync the same one. A round serves all who asked before
 * it began. */
#include <unistd.h>

#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/sysops.h"
#include "riad/thread.h"

#include "log_priv.h"

/* What a round makes durable, noted when it began. */
struct round {
    struct riad_log_file *data; /* linked by next_sync */
    struct riad_log_file
            *logs; /* oldest first: a segment must not outlive its predecessor's tail (L1) */
    bool everything;
    bool names[2];
    bool full; /* the store has no room for what is in the spool: nothing is lost, nothing failed */
    struct riad_end end;
    uint64_t start;
};

/* (lock) The list of all files has the newest first: taking from its front turns the order around.
 */
static void pin_dirty(struct riad_log *log, struct round *round)
{
    for (struct riad_log_file *file = log->files; file; file = file->next) {
        struct riad_log_file **list = file->kind == RIAD_SEGMENT_DATA ? &round->data : &round->logs;

        if (file->dirty == 0 || (file->kind != RIAD_SEGMENT_DATA && !round->everything)) {
            continue;
        }
        file->pins++;
        file->syncing = file->dirty;
        file->next_sync = *list;
        *list = file;
    }
}

/* (lock) */
static void begin_round(struct riad_log *log, struct round *round)
{
    log->syncing = true;
    pin_dirty(log, round);
    if (!round->everything) {
        return;
    }
    log->rounds_begun++;
    round->end = log->end;
    round->start = log->start;
    for (int i = 0; i < 2; i++) {
        round->names[i] = log->new_names[i];
        log->new_names[i] = false;
    }
}

static int sync_files(const struct riad_log_file *file)
{
    for (; file; file = file->next_sync) {
        if (TEMP_FAILURE_RETRY(riad_sys->fdatasync(file->fd)) < 0) {
            return -errno;
        }
    }
    return 0;
}

/* The last of the round's log segments is the one that is appended to. */
static void write_zeros(struct riad_log *log, const struct round *round)
{
    struct riad_log_file *last = round->logs;

    while (last && last->next_sync) {
        last = last->next_sync;
    }
    if (last && last->spooled) {
        riad_log_write_zeros(log, last, riad_now_ns());
    }
}

static int sync_round(struct riad_log *log, struct round *round)
{
    int r;

    r = sync_files(round->data);
    if (r == 0 && round->everything) {
        r = riad_log_ship(log);
        round->full = r < 0 && riad_log_writable(log) == 0;
    }
    if (r == 0) {
        write_zeros(log, round);
        r = sync_files(round->logs);
    }
    for (int i = 0; i < 2 && r == 0; i++) {
        if (round->names[i]) {
            r = riad_fsync_dir(log->directories[i]);
        }
    }
    return r;
}

/* (lock) Lets go of the round's files; *closing collects those nobody needs, linked by next. */
static void unpin(struct riad_log *log, struct riad_log_file *file, bool synced,
        struct riad_log_file **closing)
{
    while (file) {
        struct riad_log_file *next = file->next_sync;

        file->pins--;
        if (synced) {
            file->synced = true;
            file->dirty -= file->syncing;
            log->unsynced -= file->syncing;
        }
        file = riad_log_file_collect(log, file);
        if (file) {
            file->next = *closing;
            *closing = file;
        }
        file = next;
    }
}

/* (lock) */
static void end_round(struct riad_log *log, const struct round *round, bool synced,
        struct riad_log_file **closing)
{
    unpin(log, round->data, synced, closing);
    unpin(log, round->logs, synced, closing);
    if (round->full) {
        log->new_names[0] |= round->names[0];
        log->new_names[1] |= round->names[1];
    } else if (!synced) {
        atomic_store(&log->failed, true);
    } else if (round->everything) {
        log->rounds_done = log->rounds_begun;
        log->synced_end = round->end;
        atomic_store(&log->durable, round->end.sequence.number);
        log->synced_start = round->start;
    }
    log->counters.syncs++;
    log->syncing = false;
    pthread_cond_broadcast(&log->changed);
}

/* (lock) Released while the disk works. -ENOSPC, -EDQUOT: the store is full. */
static int run_round(struct riad_log *log, bool everything)
{
    struct round round = { .everything = everything };
    struct riad_log_file *closing = NULL;
    int r;

    begin_round(log, &round);
    pthread_mutex_unlock(&log->lock);
    r = sync_round(log, &round);
    pthread_mutex_lock(&log->lock);
    end_round(log, &round, r == 0, &closing);
    pthread_mutex_unlock(&log->lock);
    riad_log_files_close(log, closing);
    pthread_mutex_lock(&log->lock);
    return round.full ? r : 0;
}

/* (lock) */
static bool is_clean(const struct riad_log *log)
{
    return !log->syncing && log->unsynced == 0 && !log->new_names[0] && !log->new_names[1];
}

int riad_log_sync(struct riad_log *log)
{
    uint64_t wanted;
    int r = 0;

    pthread_mutex_lock(&log->lock);
    wanted = log->rounds_begun + 1;
    while (r == 0 && !atomic_load(&log->failed) && log->rounds_done < wanted && !is_clean(log)) {
        if (log->syncing) {
            pthread_cond_wait(&log->changed, &log->lock);
        } else {
            r = run_round(log, true);
        }
    }
    r = atomic_load(&log->failed) ? -EIO : r;
    pthread_mutex_unlock(&log->lock);
    return r;
}

/* (lock) */
static bool has_dirty_data(const struct riad_log *log)
{
    for (const struct riad_log_file *file = log->files; file; file = file->next) {
        if (file->kind == RIAD_SEGMENT_DATA && file->dirty > 0) {
            return true;
        }
    }
    return false;
}

int riad_log_sync_data(struct riad_log *log)
{
    int r;

    pthread_mutex_lock(&log->lock);
    while (log->syncing) {
        pthread_cond_wait(&log->changed, &log->lock);
    }
    if (!atomic_load(&log->failed) && has_dirty_data(log)) {
        (void)run_round(log, false);
    }
    r = atomic_load(&log->failed) ? -EIO : 0;
    pthread_mutex_unlock(&log->lock);
    return r;
}
