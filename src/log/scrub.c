/* Checksums of all records, without a key (riad/scrub.h). */
#include "riad/scrub.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/sysops.h"

#include "segment_priv.h"

/* BUFFER: the longest record; STEP: what their places are multiples of. */
enum { BUFFER = RIAD_RECORD_LENGTH_MAX + RIAD_RECORD_OVERHEAD, STEP = 8, TOLD = 16 << 20 };

struct reading {
    const struct riad_scrub *scrub;
    struct riad_scrub_result *result;
    uint8_t *buffer; /* BUFFER bytes */
    uint64_t begun;  /* nanoseconds */
    uint64_t told;
    int fd;
    uint64_t size;
};

static uint64_t now(void)
{
    struct timespec time = { 0 };

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Waits until so much may have been read. */
static void keep_rate(struct reading *reading)
{
    const struct riad_scrub *scrub = reading->scrub;
    uint64_t bytes = reading->result->bytes;

    if (scrub->progress && bytes - reading->told >= TOLD) {
        reading->told = bytes;
        scrub->progress(scrub->context, bytes);
    }
    if (scrub->rate > 0) {
        uint64_t due = reading->begun + (uint64_t)((double)bytes / (double)scrub->rate * 1e9);
        uint64_t early = due > now() ? due - now() : 0;
        const struct timespec left = { .tv_sec = (time_t)(early / 1000000000),
            .tv_nsec = (long)(early % 1000000000) };

        nanosleep(&left, NULL);
    }
}

/* Bytes there, at most BUFFER. */
static int read_at(struct reading *reading, uint64_t offset, size_t size, size_t *ret)
{
    return riad_pread_all(reading->fd, reading->buffer, size, offset, ret);
}

/* 1: a whole record is there, and *ret_size its size; 0: none. */
static int look(struct reading *reading, uint64_t offset, uint64_t *ret_size)
{
    struct riad_record_header header;
    size_t size, got = 0;
    int r = read_at(reading, offset, RIAD_RECORD_HEADER_SIZE, &got);

    if (r < 0 || got < RIAD_RECORD_HEADER_SIZE ||
            riad_record_header_decode(reading->buffer, &header) < 0) {
        return r < 0 ? r : 0;
    }
    size = header.length + (size_t)RIAD_RECORD_OVERHEAD;
    r = read_at(reading, offset, size, &got);
    if (r < 0 || got < size || riad_record_check(reading->buffer, size) < 0) {
        return r < 0 ? r : 0;
    }
    *ret_size = size;
    return 1;
}

/* Where from offset on the first bytes of a record may be; the file's end if nowhere. */
static int find_magic(struct reading *reading, uint64_t offset, uint64_t *ret)
{
    size_t got = 0;
    int r = 0;

    for (; offset < reading->size; offset += got / STEP * STEP) {
        r = read_at(reading, offset, BUFFER, &got);
        if (r < 0 || got < STEP) {
            break;
        }
        for (size_t i = 0; i + STEP <= got; i += STEP) {
            if (memcmp(reading->buffer + i, "RIAR", 4) == 0) {
                *ret = offset + i;
                return 0;
            }
        }
    }
    *ret = reading->size;
    return r;
}

/* Where the next whole record begins; the file's end if there is none. */
static int find_next(struct reading *reading, uint64_t offset, uint64_t *ret)
{
    uint64_t size;
    int r, found = 0;

    do {
        r = find_magic(reading, offset + STEP, &offset);
        if (r == 0 && offset < reading->size) {
            found = look(reading, offset, &size);
        }
    } while (r == 0 && found == 0 && offset < reading->size);
    *ret = offset;
    return r < 0 ? r : found < 0 ? found : 0;
}

/* What was set aside for a log, and is not written. */
static int is_empty(struct reading *reading, uint64_t offset)
{
    size_t got = 0;

    for (; offset < reading->size; offset += got) {
        int r = read_at(reading, offset, BUFFER, &got);

        if (r < 0 || got == 0) {
            return r < 0 ? r : 1;
        }
        for (size_t i = 0; i < got; i++) {
            if (reading->buffer[i] != 0) {
                return 0;
            }
        }
    }
    return 1;
}

static int pass_over(
        struct reading *reading, enum riad_segment_kind kind, const char *path, uint64_t *offset)
{
    const struct riad_scrub *scrub = reading->scrub;
    uint64_t next = reading->size;
    bool tail;
    int r = is_empty(reading, *offset);

    if (r == 0) {
        r = find_next(reading, *offset, &next);
        tail = kind != RIAD_SEGMENT_CHECKPOINT && next == reading->size;
        reading->result->tails += r == 0 && tail;
        reading->result->findings += r == 0 && !tail;
        if (r == 0) {
            scrub->find(scrub->context, path, *offset, next, tail);
        }
    }
    reading->result->bytes += next - *offset;
    *offset = next;
    return r < 0 ? r : 0;
}

static int read_records(struct reading *reading, enum riad_segment_kind kind, const char *path)
{
    uint64_t offset = 0, size = 0;
    int r = 0;

    while (offset < reading->size && r >= 0) {
        r = look(reading, offset, &size);
        if (r > 0) {
            reading->result->records++;
            reading->result->bytes += size;
            offset += size;
        } else if (r == 0) {
            r = pass_over(reading, kind, path, &offset);
        }
        keep_rate(reading);
    }
    return r < 0 ? r : 0;
}

static int read_file(struct reading *reading, enum riad_segment_kind kind, uint64_t segment)
{
    char path[32];
    struct stat st;
    int r;

    riad_segment_path(kind, segment, path);
    reading->fd = riad_segment_open_path(reading->scrub->workspace_fd, path);
    if (reading->fd < 0) {
        return reading->fd == -ENOENT ? 0 : reading->fd;
    }
    r = riad_sys->fstat(reading->fd, &st) < 0 ? -errno : 0;
    if (r == 0) {
        reading->size = (uint64_t)st.st_size;
        reading->result->files++;
        r = read_records(reading, kind, path);
    }
    riad_close_fd(&reading->fd);
    return r;
}

static int read_all(struct reading *reading, enum riad_segment_kind kind)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0;
    int r = riad_segment_list(reading->scrub->workspace_fd, kind, &ids, &count);

    for (size_t i = 0; i < count && r == 0; i++) {
        r = read_file(reading, kind, ids[i]);
    }
    return r;
}

int riad_scrub_workspace(const struct riad_scrub *scrub, struct riad_scrub_result *ret)
{
    _cleanup_free_ uint8_t *buffer = malloc(BUFFER);
    struct reading reading = {
        .scrub = scrub, .result = ret, .buffer = buffer, .begun = now(), .fd = -1
    };
    int r = buffer ? 0 : -ENOMEM;

    *ret = (struct riad_scrub_result){ 0 };
    for (enum riad_segment_kind kind = RIAD_SEGMENT_LOG; kind <= RIAD_SEGMENT_CHECKPOINT && r == 0;
            kind++) {
        r = read_all(&reading, kind);
    }
    return r;
}
