/* What `riad bench` does, step by step. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "bench.h"

/* Bytes that do not compress, the same in each run. */
static void fill(uint8_t *bytes, size_t size, uint64_t seed)
{
    uint64_t word = seed * 0x9e3779b97f4a7c15 + 1;

    for (size_t i = 0; i < size; i++) {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        bytes[i] = (uint8_t)(word >> 32);
    }
}

static uint8_t piece[BENCH_PIECE_SIZE];

static void name_file(unsigned number, char ret[32])
{
    snprintf(ret, 32, "d%02u/f%04u", number % BENCH_FOLDERS, number);
}

static int make_folders(struct bench_place *place)
{
    for (unsigned i = 0; i < BENCH_FOLDERS; i++) {
        char name[32];

        snprintf(name, sizeof name, "d%02u", i);
        if (mkdirat(place->fd, name, 0700) < 0) {
            return -errno;
        }
    }
    fill(piece, sizeof piece, 1);
    return 0;
}

/* 0, or what a write says that wrote less. */
static int whole(ssize_t done, size_t size)
{
    return done < 0 ? -errno : (size_t)done < size ? -EIO : 0;
}

static int create(struct bench_place *place, unsigned number)
{
    char name[32];
    int fd, r;

    name_file(number, name);
    fd = openat(place->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    place->files = number + 1;
    r = whole(write(fd, piece + number % 256 * BENCH_FILE_SIZE, BENCH_FILE_SIZE), BENCH_FILE_SIZE);
    if (close(fd) < 0 && r == 0) {
        r = -errno;
    }
    return r;
}

static int look(struct bench_place *place, unsigned number)
{
    struct stat st;
    char name[32];

    name_file(number, name);
    if (number >= place->files) {
        return 1;
    }
    return fstatat(place->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int read_small(struct bench_place *place, unsigned number)
{
    _cleanup_close_ int fd = -1;
    uint8_t bytes[BENCH_FILE_SIZE];
    char name[32];

    name_file(number, name);
    if (number >= place->files) {
        return 1;
    }
    fd = openat(place->fd, name, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : whole(read(fd, bytes, sizeof bytes), sizeof bytes);
}

static int remove_small(struct bench_place *place, unsigned number)
{
    char name[32];

    name_file(number, name);
    if (number >= place->files) {
        return 1;
    }
    return unlinkat(place->fd, name, 0) < 0 ? -errno : 0;
}

static int open_large(struct bench_place *place)
{
    place->large = openat(place->fd, "large", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return place->large < 0 ? -errno : 0;
}

static int write_large(struct bench_place *place, unsigned number)
{
    int r = whole(pwrite(place->large, piece, sizeof piece, (off_t)number * BENCH_PIECE_SIZE),
            sizeof piece);

    place->pieces += r == 0;
    return r;
}

static int settle(struct bench_place *place)
{
    return fsync(place->large) < 0 ? -errno : 0;
}

/* The mount's own pages of the file are dropped, which anybody may ask for; those below the store
 * stay. */
static int drop_large(struct bench_place *place)
{
    int r = settle(place);

    return r < 0 ? r : -posix_fadvise(place->large, 0, 0, POSIX_FADV_DONTNEED);
}

static int read_large(struct bench_place *place, unsigned number)
{
    if (number >= place->pieces) {
        return 1;
    }
    return whole(pread(place->large, piece, sizeof piece, (off_t)number * BENCH_PIECE_SIZE),
            sizeof piece);
}

static int drop_for_random(struct bench_place *place)
{
    int r = drop_large(place);

    return r < 0 ? r : -posix_fadvise(place->large, 0, 0, POSIX_FADV_RANDOM);
}

/* The number-th of a row of blocks that has no order. */
static off_t random_offset(const struct bench_place *place, unsigned number)
{
    uint64_t blocks = (uint64_t)place->pieces * (BENCH_PIECE_SIZE / BENCH_FILE_SIZE);

    return (off_t)(number * (uint64_t)2654435761U % blocks * BENCH_FILE_SIZE);
}

static int read_random(struct bench_place *place, unsigned number)
{
    uint8_t bytes[BENCH_FILE_SIZE];

    if (place->pieces == 0) {
        return 1;
    }
    return whole(
            pread(place->large, bytes, sizeof bytes, random_offset(place, number)), sizeof bytes);
}

static int write_random(struct bench_place *place, unsigned number)
{
    if (place->pieces == 0) {
        return 1;
    }
    return whole(pwrite(place->large, piece, BENCH_FILE_SIZE, random_offset(place, number)),
            BENCH_FILE_SIZE);
}

static int append_and_sync(struct bench_place *place, unsigned number)
{
    off_t end = (off_t)place->pieces * BENCH_PIECE_SIZE + (off_t)number * BENCH_FILE_SIZE;
    int r = whole(pwrite(place->large, piece, BENCH_FILE_SIZE, end), BENCH_FILE_SIZE);

    return r < 0 ? r : settle(place);
}

const struct bench_step bench_steps[BENCH_STEPS] = {
    { "create", "create files of 4 KiB", BENCH_FILES, BENCH_FILE_SIZE, make_folders, create, NULL,
            false },
    { "stat", "stat them", BENCH_FILES, 0, NULL, look, NULL, false },
    { "read_small", "open, read, close them", BENCH_FILES, BENCH_FILE_SIZE, NULL, read_small, NULL,
            false },
    { "remove", "remove them", BENCH_FILES, 0, NULL, remove_small, NULL, true },
    { "write", "write in pieces of 1 MiB", BENCH_PIECES, BENCH_PIECE_SIZE, open_large, write_large,
            settle, false },
    { "read", "read in pieces of 1 MiB", BENCH_PIECES, BENCH_PIECE_SIZE, drop_large, read_large,
            NULL, false },
    { "random_read", "read 4 KiB anywhere", BENCH_RANDOM, BENCH_FILE_SIZE, drop_for_random,
            read_random, NULL, false },
    { "random_write", "write 4 KiB anywhere", BENCH_RANDOM, BENCH_FILE_SIZE, NULL, write_random,
            settle, false },
    { "fsync", "append 4 KiB and fsync", BENCH_SYNCS, BENCH_FILE_SIZE, settle, append_and_sync,
            NULL, false },
};

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static void judge(double *samples, struct bench_result *ret)
{
    size_t count = ret->operations;

    qsort(samples, count, sizeof *samples, compare);
    ret->median = count > 0 ? samples[count / 2] : 0;
    ret->slowest99 = count > 0 ? samples[count - 1 - count / 100] : 0;
}

int bench_run(const struct bench_step *step, struct bench_place *place, struct bench_result *ret)
{
    static double samples[BENCH_SAMPLES];
    double begun = now(), last = begun;
    int r = 0;

    for (unsigned i = 0; i < step->most && r == 0; i++) {
        double after;

        r = bench_is_interrupted() ? -EINTR : step->operate(place, i);
        after = now();
        if (r == 0) {
            samples[ret->operations++] = after - last;
        }
        last = after;
        if (!step->whole && after - begun > BENCH_STEP_SECONDS) {
            break;
        }
    }
    if (r >= 0 && step->end) {
        r = step->end(place);
        last = now();
    }
    ret->seconds = last - begun;
    ret->bytes = ret->operations * step->size;
    judge(samples, ret);
    return r < 0 ? r : 0;
}
