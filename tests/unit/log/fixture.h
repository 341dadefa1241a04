/* A workspace in a temporary directory with real keys, a log on it, and a replay that remembers
 * what it was given. Terms are held in memory, unless a test wants them in files. For the log
 * layer's tests only. */
#ifndef RIAD_TESTS_LOG_FIXTURE_H
#define RIAD_TESTS_LOG_FIXTURE_H

#include "riad/digest.h"
#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/log.h"
#include "riad/replay.h"

#include "faults.h"
#include "segment_priv.h"
#include "temporary.h"
#include "unit.h"

enum { FIXTURE_TERMS = 8, FIXTURE_CHANGES = 4096, FIXTURE_CONTENT = 64 };

struct remembered {
    char contents[FIXTURE_CHANGES][FIXTURE_CONTENT];
    struct riad_end ends[FIXTURE_CHANGES];
    uint64_t starts[FIXTURE_CHANGES];
    bool settled[FIXTURE_CHANGES]; /* read only */
    size_t count;
};

struct fixture {
    struct temporary directory;
    struct riad_id workspace;
    struct riad_keys *keys;
    struct riad_term terms[FIXTURE_TERMS];
    struct riad_history history;
    struct riad_log *log; /* of the last term */
    struct remembered written;
    struct remembered read;
    struct riad_replay_result result;
    struct riad_epoch_ends epochs; /* that replays are told */
};

static struct fixture f;

static inline struct riad_keys *fixture_keys(const struct riad_id *workspace)
{
    _cleanup_secret_ struct riad_secret *root = NULL;
    struct riad_keys *keys = NULL;

    assert_int_equal(riad_secret_new_random(32, &root), 0);
    assert_int_equal(riad_keys_new(workspace, 1, root, &keys), 0);
    return keys;
}

static inline int fixture_setup(void **state)
{
    (void)state;
    memset(&f, 0, sizeof f);
    faults_install();
    f.history.terms = f.terms;
    assert_int_equal(riad_random_id(&f.workspace), 0);
    f.keys = fixture_keys(&f.workspace);
    return temporary_make(&f.directory);
}

static inline void fixture_close_log(void)
{
    if (f.log) {
        riad_log_free(f.log);
        f.log = NULL;
    }
}

static inline int fixture_teardown(void **state)
{
    (void)state;
    fixture_close_log();
    riad_keys_free(f.keys);
    faults_remove();
    return temporary_remove(&f.directory);
}

/* The next term begins at `end`; a log of it is opened. Sizes: 0 = the default. */
static inline void fixture_open_term(
        const struct riad_end *end, uint64_t log_size, uint64_t data_size)
{
    uint32_t number = (uint32_t)f.history.count + 1;
    const struct riad_log_config config = { .workspace_fd = f.directory.fd,
        .keys = f.keys,
        .term = number,
        .end = *end,
        .log_segment_size = log_size,
        .data_segment_size = data_size };

    fixture_close_log();
    f.terms[f.history.count++] =
            (struct riad_term){ .number = number, .previous = number - 1, .end = *end, .epoch = 1 };
    assert_int_equal(riad_log_open(&config, &f.log), 0);
}

static inline void fixture_open(uint64_t log_size)
{
    const struct riad_end empty = { 0 };

    fixture_open_term(&empty, log_size, 0);
}

static inline int fixture_try_append(const struct riad_payload *payload, const char *content)
{
    struct remembered *written = &f.written;
    size_t i = written->count;
    int r;

    r = riad_log_append(
            f.log, payload, content, strlen(content), &written->ends[i], &written->starts[i]);
    if (r == 0) {
        snprintf(written->contents[i], FIXTURE_CONTENT, "%s", content);
        written->count++;
    }
    return r;
}

static inline void fixture_append(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char content[FIXTURE_CONTENT];

        snprintf(content, sizeof content, "change %zu of term %zu", f.written.count,
                f.history.count);
        assert_int_equal(fixture_try_append(NULL, content), 0);
    }
}

static inline const struct riad_end *fixture_last(void)
{
    return &f.written.ends[f.written.count - 1];
}

static inline int fixture_remember(void *context, const uint8_t *content, size_t size,
        const struct riad_end *end, uint64_t start, bool settled)
{
    struct remembered *read = context;

    assert_true(size < FIXTURE_CONTENT);
    memcpy(read->contents[read->count], content, size);
    read->contents[read->count][size] = '\0';
    read->ends[read->count] = *end;
    read->starts[read->count] = start;
    read->settled[read->count] = settled;
    read->count++;
    return 0;
}

/* A replay of everything; mark may be NULL. The result is in f.result and f.read. */
static inline int fixture_replay(const struct riad_end *mark)
{
    struct riad_replay replay = { .workspace_fd = f.directory.fd,
        .keys = f.keys,
        .history = &f.history,
        .apply = fixture_remember,
        .context = &f.read,
        .epochs = f.epochs,
        .check_data = true };

    if (mark) {
        replay.mark = *mark;
    }
    f.read.count = 0;
    return riad_replay_run(&replay, &f.result);
}

/* Whatever replay gave is the beginning of what was written, place and all. */
static inline void fixture_assert_prefix(void)
{
    assert_true(f.read.count <= f.written.count);
    assert_int_equal(f.result.changes, f.read.count);
    for (size_t i = 0; i < f.read.count; i++) {
        assert_string_equal(f.read.contents[i], f.written.contents[i]);
        assert_true(riad_end_equal(&f.read.ends[i], &f.written.ends[i]));
        assert_int_equal(f.read.starts[i], f.written.starts[i]);
    }
}

static inline void fixture_assert_replays(size_t count)
{
    int r = fixture_replay(NULL);

    if (r != 0) {
        print_message("%s\n", f.result.damage);
    }
    assert_int_equal(r, 0);
    assert_int_equal(f.read.count, count);
    fixture_assert_prefix();
}

static inline int fixture_open_file(enum riad_segment_kind kind, uint64_t segment, int flags)
{
    char path[32];
    int fd;

    riad_segment_path(kind, segment, path);
    fd = openat(f.directory.fd, path, flags | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static inline uint8_t *fixture_load(enum riad_segment_kind kind, uint64_t segment, size_t *ret_size)
{
    _cleanup_close_ int fd = fixture_open_file(kind, segment, O_RDONLY);
    uint8_t *data = malloc(4 << 20);

    assert_non_null(data);
    assert_int_equal(riad_pread_all(fd, data, 4 << 20, 0, ret_size), 0);
    return data;
}

/* The next epoch, of a root of its own. */
static inline void fixture_add_epoch(uint32_t epoch)
{
    _cleanup_secret_ struct riad_secret *root = NULL, *subkeys = NULL;

    assert_int_equal(riad_secret_new_random(32, &root), 0);
    assert_int_equal(riad_subkeys_derive(&f.workspace, epoch, root, &subkeys), 0);
    assert_int_equal(riad_keys_add(f.keys, epoch, subkeys), 0);
}

/* Replaces the whole file. */
static inline void fixture_store(
        enum riad_segment_kind kind, uint64_t segment, const uint8_t *data, size_t size)
{
    _cleanup_close_ int fd = fixture_open_file(kind, segment, O_WRONLY | O_CREAT | O_TRUNC);

    assert_int_equal(riad_pwrite_all(fd, data, size, 0), 0);
}

static inline void fixture_unlink(enum riad_segment_kind kind, uint64_t segment)
{
    char path[32];

    riad_segment_path(kind, segment, path);
    assert_int_equal(unlinkat(f.directory.fd, path, 0), 0);
}

static inline size_t fixture_count_segments(enum riad_segment_kind kind)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0;

    assert_int_equal(riad_segment_list(f.directory.fd, kind, &ids, &count), 0);
    return count;
}

/* Bytes that a read can be compared with. */
static inline void fixture_fill(uint8_t *data, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1103515245 + 12345;
        data[i] = (uint8_t)(seed >> 16);
    }
}

static inline struct riad_payload *fixture_seal(
        bool bulk, const struct riad_birth *birth, uint32_t unit, const void *data, uint32_t size)
{
    struct riad_payload *payload = NULL;

    assert_int_equal(riad_log_seal(f.log, bulk, birth, unit, data, size, &payload), 0);
    return payload;
}

static inline struct riad_run fixture_run(const struct riad_payload *payload,
        const struct riad_birth *birth, const struct riad_place *place)
{
    return (struct riad_run){ .segment = place->segment,
        .position = place->position,
        .unit = payload->unit,
        .length = payload->length,
        .birth = *birth,
        .tags = payload->tags,
        .count = payload->count };
}

/* A small log of everything: three segments in two terms, payloads among the changes. */
static inline void fixture_write_history(void)
{
    const struct riad_birth birth = { 5, 1, 0 };

    fixture_open(RIAD_CHANGE_LENGTH_MAX + 1200);
    for (int i = 0; i < 6; i++) {
        _cleanup_(riad_payload_freep) struct riad_payload *payload =
                fixture_seal(false, &birth, 4096, "payload", 7);

        assert_int_equal(fixture_try_append(payload, "with a payload"), 0);
        if (i == 3) {
            fixture_open_term(fixture_last(), 0, 0);
        }
        fixture_append(1);
    }
    fixture_close_log();
}

#endif
