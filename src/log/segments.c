/* Verified positioned reads: one pread for the records a read touches, each opened straight into
 * the caller's memory where it is wanted whole. */
#include <fcntl.h>
#include <pthread.h>

#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/patience.h"
#include "riad/sysops.h"

#include "segments_priv.h"

/* A thread's buffer for sealed records, and room for one opened record behind them. */
struct scratch {
    uint8_t *data;
    size_t capacity;
};

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static int scratch_error;

static void scratch_free(void *pointer)
{
    struct scratch *scratch = pointer;

    free(scratch->data);
    free(scratch);
}

static void scratch_setup(void)
{
    scratch_error = -pthread_key_create(&scratch_key, scratch_free);
}

static int scratch_of_thread(struct scratch **ret)
{
    struct scratch *scratch;
    int r;

    pthread_once(&scratch_once, scratch_setup);
    if (scratch_error < 0) {
        return scratch_error;
    }
    scratch = pthread_getspecific(scratch_key);
    if (!scratch) {
        scratch = calloc(1, sizeof *scratch);
        if (!scratch) {
            return -ENOMEM;
        }
        r = -pthread_setspecific(scratch_key, scratch);
        if (r < 0) {
            free(scratch);
            return r;
        }
    }
    *ret = scratch;
    return 0;
}

int riad_segments_scratch(size_t size, uint8_t **ret)
{
    struct scratch *scratch;
    int r;

    r = scratch_of_thread(&scratch);
    if (r < 0) {
        return r;
    }
    if (scratch->capacity < size) {
        uint8_t *data = malloc(size);

        if (!data) {
            return -ENOMEM;
        }
        free(scratch->data);
        scratch->data = data;
        scratch->capacity = size;
    }
    *ret = scratch->data;
    return 0;
}

int riad_segments_end_epoch(struct riad_segments *segments, const struct riad_epoch_end *end)
{
    size_t count = atomic_load(&segments->end_count);

    if (count == RIAD_EPOCHS_MAX) {
        return -ENOSPC;
    }
    segments->ends[count] = *end;
    atomic_store(&segments->end_count, count + 1);
    return 0;
}

/* Whether a record may be of the epoch that it says (K2). */
static bool is_in_time(struct riad_segments *segments, uint64_t segment, uint32_t epoch)
{
    const struct riad_epoch_ends ends = { segments->ends, atomic_load(&segments->end_count) };

    return riad_epoch_allows_segment(&ends, epoch, segment);
}

int riad_segments_new(int workspace_fd, const struct riad_keys *keys,
        const struct riad_epoch_ends *epochs, struct riad_segments **ret)
{
    _cleanup_(riad_segments_freep) struct riad_segments *segments = calloc(1, sizeof *segments);
    int r = 0;

    if (!segments) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < epochs->count && r == 0; i++) {
        r = riad_segments_end_epoch(segments, &epochs->ends[i]);
    }
    if (r < 0) {
        return r;
    }
    r = riad_fd_cache_new(workspace_fd, &segments->files);
    if (r < 0) {
        return r;
    }
    r = riad_key_cache_new(keys, &segments->keys);
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(segments);
    return 0;
}

void riad_segments_free(struct riad_segments *segments)
{
    riad_fd_cache_freep(&segments->files);
    riad_key_cache_freep(&segments->keys);
    free(segments);
}

/* Data bytes of record i: all but the last hold a unit. */
static uint32_t record_length(const struct riad_run *run, uint32_t i)
{
    return i + 1 < run->count ? run->unit : run->length - i * run->unit;
}

static uint64_t record_offset(const struct riad_run *run, uint32_t i)
{
    return (uint64_t)i * (run->unit + RIAD_DATA_OVERHEAD);
}

uint64_t riad_request_position(const struct riad_request *request)
{
    return request->run->position + record_offset(request->run, request->first);
}

size_t riad_request_sealed_size(const struct riad_request *request)
{
    const struct riad_run *run = request->run;

    return record_offset(run, request->last) - record_offset(run, request->first) +
           riad_data_record_size(record_length(run, request->last));
}

static bool run_is_sane(const struct riad_run *run)
{
    return run->unit >= 4096 && run->unit <= RIAD_UNIT_MAX && (run->unit & (run->unit - 1)) == 0 &&
           run->count > 0 && run->count <= RIAD_RUN_RECORDS_MAX && run->length > 0 &&
           (run->length - 1) / run->unit + 1 == run->count && run->position <= INT64_MAX / 2;
}

static int open_record(struct riad_segments *segments, const struct riad_request *request,
        uint32_t i, const uint8_t *record, uint8_t *plain)
{
    const struct riad_run *run = request->run;
    const struct riad_birth birth = { run->birth.inode, run->birth.generation,
        run->birth.offset + (uint64_t)i * run->unit };
    uint32_t length = record_length(run, i);
    uint32_t start = i * run->unit;
    uint32_t from = request->from > start ? request->from - start : 0;
    uint32_t to = request->to < start + length ? request->to - start : length;
    bool whole = from == 0 && to == length;
    uint8_t *target = request->ret + (start + from - request->from);
    struct riad_record_header header;

    if (riad_record_header_decode(record, &header) < 0 || header.type != RIAD_RECORD_DATA ||
            riad_data_record_size(length) != RIAD_RECORD_OVERHEAD + (size_t)header.length ||
            memcmp(record + RIAD_RECORD_HEADER_SIZE + header.length,
                    run->tags + (size_t)i * RIAD_TAG_SIZE, RIAD_TAG_SIZE) != 0 ||
            !is_in_time(segments, run->segment, header.epoch)) {
        return -EBADMSG;
    }
    if (whole) {
        return riad_record_open_data(segments->keys, &header, record, &birth, length, target);
    }
    int r = riad_record_open_data(segments->keys, &header, record, &birth, length, plain);
    if (r == 0) {
        memcpy(target, plain + from, to - from);
    }
    return r;
}

static int read_patiently(int fd, void *data, size_t size, uint64_t offset, size_t *ret_size)
{
    return riad_is_patient() ? riad_pread_all(fd, data, size, offset, ret_size)
                             : riad_pread_cached(fd, data, size, offset, ret_size);
}

int riad_segments_fetch(struct riad_segments *segments, uint64_t segment, uint64_t position,
        size_t size, uint8_t *ret)
{
    struct riad_fd_use use;
    size_t got = 0;
    int r;

    r = riad_fd_cache_acquire(segments->files, segment, &use);
    if (r == 0) {
        r = read_patiently(use.fd, ret, size, position, &got);
        riad_fd_cache_release(segments->files, &use);
    }
    if (r == -ENOENT || (r == 0 && got < size)) {
        return -EBADMSG; /* missing bytes are damage like wrong ones (P5) */
    }
    return r;
}

int riad_request_open(struct riad_segments *segments, const struct riad_request *request,
        const uint8_t *sealed, uint8_t *plain)
{
    uint64_t start = record_offset(request->run, request->first);
    int r = 0;

    for (uint32_t i = request->first; i <= request->last && r == 0; i++) {
        r = open_record(
                segments, request, i, sealed + (record_offset(request->run, i) - start), plain);
    }
    return r;
}

static int read_once(struct riad_segments *segments, const struct riad_request *request)
{
    size_t size = riad_request_sealed_size(request);
    uint8_t *data;
    int r;

    r = riad_segments_scratch(size + RIAD_UNIT_MAX, &data);
    if (r == 0) {
        r = riad_segments_fetch(
                segments, request->run->segment, riad_request_position(request), size, data);
    }
    return r < 0 ? r : riad_request_open(segments, request, data, data + size);
}

int riad_segments_mend(struct riad_segments *segments, uint64_t segment)
{
    riad_fd_cache_forget(segments->files, segment);
    if (!riad_is_patient()) {
        return RIAD_WOULD_WAIT;
    }
    return segments->missing ? segments->missing(segments->missing_context) : 0;
}

int riad_request_make(const struct riad_run *run, uint32_t from, uint32_t size, uint8_t *target,
        struct riad_request *ret)
{
    if (!run_is_sane(run) || size == 0 || from >= run->length || size > run->length - from) {
        return -EINVAL;
    }
    *ret = (struct riad_request){ .run = run,
        .from = from,
        .to = from + size,
        .first = from / run->unit,
        .last = (from + size - 1) / run->unit,
        .ret = target };
    return 0;
}

int riad_segments_read(struct riad_segments *segments, const struct riad_run *run, uint32_t from,
        uint32_t size, uint8_t *ret)
{
    struct riad_request request;
    int r = riad_request_make(run, from, size, ret, &request);

    if (r < 0) {
        return r;
    }
    r = read_once(segments, &request);
    if (r == -EBADMSG || r == -ESTALE || r == -EIO) {
        r = riad_segments_mend(segments, run->segment);
        r = r < 0 ? r : read_once(segments, &request);
    }
    return r == -ESTALE ? -EIO : r; /* ESTALE means something else above (O2) */
}

void riad_segments_on_missing(
        struct riad_segments *segments, riad_segments_missing function, void *context)
{
    segments->missing = function;
    segments->missing_context = context;
}

void riad_segments_prefetch(struct riad_segments *segments, const struct riad_run *run)
{
    struct riad_fd_use use;

    if (!run_is_sane(run) || riad_fd_cache_acquire(segments->files, run->segment, &use) < 0) {
        return;
    }
    (void)riad_sys->fadvise(use.fd, (off_t)run->position, (off_t)record_offset(run, run->count),
            POSIX_FADV_WILLNEED);
    riad_fd_cache_release(segments->files, &use);
}

void riad_segments_count(struct riad_segments *segments, struct riad_segments_counters *ret)
{
    riad_fd_cache_count(segments->files, &ret->files);
    riad_key_cache_count(segments->keys, &ret->keys);
}

void riad_segments_forget(struct riad_segments *segments, uint64_t segment)
{
    riad_fd_cache_forget(segments->files, segment);
}
