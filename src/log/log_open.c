/* Opening and freeing a log, and what it tells about itself. */
#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/sysops.h"

#include "log_priv.h"

enum {
    LOG_SEGMENT_SIZE = 64 << 20,
    DATA_SEGMENT_SIZE = 128 << 20,
    HEADER_RESERVE = RIAD_SEGMENT_HEADER_SIZE,
    HEADER_LIMIT = 1 << 10,
    CHANGE_RESERVE = 16 << 10,
    CHANGE_LIMIT = RIAD_RECORD_OVERHEAD + RIAD_CHANGE_LENGTH_MAX,
};

/* A new directory's name must last as long as what is written into it. */
static int open_directory(int workspace_fd, const char *name)
{
    int r;

    if (riad_sys->mkdirat(workspace_fd, name, 0700) == 0) {
        r = riad_fsync_dir(workspace_fd);
        if (r < 0) {
            return r;
        }
    }
    return riad_open_dir_at(workspace_fd, name);
}

static int open_directories(struct riad_log *log)
{
    static const char *const names[2] = { "log", "data" };

    for (int i = 0; i < 2; i++) {
        log->directories[i] = open_directory(log->config.workspace_fd, names[i]);
        if (log->directories[i] < 0) {
            return log->directories[i];
        }
    }
    return 0;
}

/* Ordinals are never used twice, even if a term should be opened twice. */
static int find_ordinal(struct riad_log *log)
{
    uint64_t highest = 0;

    for (enum riad_segment_kind kind = RIAD_SEGMENT_LOG; kind <= RIAD_SEGMENT_CHECKPOINT; kind++) {
        _cleanup_free_ uint64_t *ids = NULL;
        size_t count;
        int r;

        r = riad_segment_list(log->config.workspace_fd, kind, &ids, &count);
        if (r < 0) {
            return r;
        }
        for (size_t i = 0; i < count; i++) {
            uint64_t ordinal = ids[i] & UINT32_MAX;

            if (riad_segment_term(ids[i]) == log->config.term && ordinal > highest) {
                highest = ordinal;
            }
        }
    }
    atomic_store(&log->ordinal, highest);
    return 0;
}

/* What the history needs, what follows it goes on saying. */
static int find_features(struct riad_log *log)
{
    const struct riad_log_config *config = &log->config;
    struct riad_segment_header header;
    int r;

    if (config->end.segment == 0) {
        return 0;
    }
    r = riad_segment_header_read(
            config->workspace_fd, config->keys, RIAD_SEGMENT_LOG, config->end.segment, &header);
    if (config->salvaging && (r == -ENOENT || r == -EBADMSG)) {
        atomic_init(&log->features, RIAD_FEATURES_KNOWN);
        return 0;
    }
    if (r < 0) {
        return r;
    }
    atomic_init(&log->features, header.features);
    return header.read_only_bits ? -EPROTONOSUPPORT : 0;
}

static struct riad_log *allocate(const struct riad_log_config *config)
{
    struct riad_log *log = calloc(1, sizeof *log);

    if (!log) {
        return NULL;
    }
    log->config = *config;
    if (log->config.log_segment_size == 0) {
        log->config.log_segment_size = LOG_SEGMENT_SIZE;
    }
    if (log->config.data_segment_size == 0) {
        log->config.data_segment_size = DATA_SEGMENT_SIZE;
    }
    log->directories[0] = log->directories[1] = -1;
    log->end = log->synced_end = config->end;
    log->start = log->synced_start = config->start;
    log->epoch = riad_keys_epoch(config->keys);
    atomic_init(&log->durable, config->end.sequence.number);
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->changed, NULL);
    riad_writer_init_growing(&log->header, HEADER_RESERVE, HEADER_LIMIT);
    riad_writer_init_growing(&log->change, CHANGE_RESERVE, CHANGE_LIMIT);
    return log;
}

RIAD_DEFINE_CLEANUP(struct riad_log, riad_log_free);

/* A local disk without room for it makes appends slower, and nothing else. */
static void open_spool(struct riad_log *log)
{
    if (!log->config.spool || riad_spool_open(log->config.spool, &log->spool) < 0) {
        log->spool = NULL;
    }
    log->config.spool = NULL;
}

int riad_log_open(const struct riad_log_config *config, struct riad_log **ret)
{
    _cleanup_(riad_log_freep) struct riad_log *log = allocate(config);
    struct riad_place place;
    int r;

    if (!log) {
        return -ENOMEM;
    }
    open_spool(log);
    r = open_directories(log);
    if (r == 0) {
        r = find_features(log);
    }
    if (r == 0) {
        r = find_ordinal(log);
    }
    if (r == 0) {
        r = riad_log_settle(log);
    }
    if (r == 0) {
        r = riad_stream_new(config->keys, &log->bulk_stream);
    }
    if (r == 0) {
        r = riad_log_place(log, 0, &place); /* so that there is a stream to seal with */
    }
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(log);
    return 0;
}

void riad_log_free(struct riad_log *log)
{
    struct riad_log_file *file = log->files;

    while (file) {
        struct riad_log_file *next = file->next;

        file->whole |= file == log->shipping && riad_log_unshipped(log) == 0;
        riad_log_file_close(log, file);
        file = next;
    }
    for (int i = 0; i < 2; i++) {
        if (log->directories[i] >= 0) {
            (void)riad_sys->close(log->directories[i]);
        }
    }
    riad_spool_free(log->spool);
    riad_stream_unref(log->stream);
    riad_stream_unref(log->bulk_stream);
    riad_writer_done(&log->header);
    riad_writer_done(&log->change);
    pthread_cond_destroy(&log->changed);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

void riad_log_synced(struct riad_log *log, struct riad_end *ret_end, uint64_t *ret_start)
{
    pthread_mutex_lock(&log->lock);
    *ret_end = log->synced_end;
    *ret_start = log->synced_start;
    pthread_mutex_unlock(&log->lock);
}

uint64_t riad_log_unsynced(struct riad_log *log)
{
    uint64_t unsynced;

    pthread_mutex_lock(&log->lock);
    unsynced = log->unsynced;
    pthread_mutex_unlock(&log->lock);
    return unsynced;
}

bool riad_log_is_open_segment(struct riad_log *log, uint64_t segment)
{
    const struct riad_log_file *file;

    pthread_mutex_lock(&log->lock);
    file = log->files;
    while (file && file->segment != segment) {
        file = file->next;
    }
    pthread_mutex_unlock(&log->lock);
    return file != NULL;
}

void riad_log_count(struct riad_log *log, struct riad_log_counters *ret)
{
    pthread_mutex_lock(&log->lock);
    *ret = log->counters;
    pthread_mutex_unlock(&log->lock);
}
