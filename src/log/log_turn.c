/* The end of an epoch (K2): what is appended from then on is sealed under the next one's keys. */
#include "riad/error.h"

#include "log_priv.h"
#include "stream_priv.h"

/* Files that other threads are making just now are thrown away when they are whole (log_bulk.c),
 * and payloads that were sealed before are refused, whether they lie somewhere already or not. The
 * last segment id that was given away by now parts what is of the one epoch from what is of the
 * next. */
static uint64_t turn_bulk(struct riad_log *log, struct riad_stream *fresh)
{
    struct riad_log_file *closing;
    struct riad_stream *old;
    uint64_t last;

    pthread_mutex_lock(&log->lock);
    old = log->bulk_stream;
    log->bulk_stream = fresh;
    log->epoch = riad_stream_epoch(fresh);
    last = log->turned = riad_log_last_segment_id(log);
    closing = riad_log_end_bulk(log);
    pthread_mutex_unlock(&log->lock);
    riad_stream_unref(old);
    riad_log_files_close(log, closing);
    return last;
}

int riad_log_turn(struct riad_log *log, uint64_t *ret_segment)
{
    struct riad_stream *fresh = NULL;
    uint64_t last = 0;
    int r;

    r = riad_log_writable(log);
    if (r == 0) {
        r = riad_stream_new(log->config.keys, &fresh);
    }
    if (r == 0) {
        last = turn_bulk(log, fresh);
        r = riad_log_roll(log);
    }
    if (r < 0) {
        riad_log_stop(log); /* else something could still be sealed under the epoch before */
        return r;
    }
    *ret_segment = last;
    return 0;
}
