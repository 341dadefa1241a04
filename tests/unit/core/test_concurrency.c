/* Many threads in one workspace: each byte read is one that some writer wrote, names and usage stay
 * consistent. */
#include <errno.h>
#include <linux/falloc.h>

#include "operations.h"

enum { THREADS = 4, ROUNDS = 60, PIECE = 100000, PIECES = 8 };

struct worker {
    struct riad_workspace *workspace;
    uint64_t shared; /* a file that all write */
    int number;
    bool failed;
};

static bool check(struct worker *worker, bool good)
{
    worker->failed |= !good;
    return good;
}

/* Pieces of the shared file hold one value each: writers write whole ones, so a reader that sees
 * two values in what was one write's record has seen a mixture (P3). */
static void read_piece(struct worker *worker, uint64_t piece, uint8_t *data)
{
    uint32_t size = 0;
    int r = riad_read(worker->workspace, worker->shared, piece * PIECE, PIECE, data, &size);

    if (!check(worker, r == 0)) {
        return;
    }
    for (uint32_t i = 1; i < size; i++) {
        if (!check(worker, data[i] == data[0] && data[i] <= THREADS)) {
            return;
        }
    }
}

static void write_piece(struct worker *worker, uint64_t piece, uint8_t *data)
{
    uint32_t size = 0;
    int r;

    memset(data, worker->number + 1, PIECE);
    r = riad_write(worker->workspace, &alice, worker->shared, piece * PIECE, data, PIECE, &size);
    check(worker, r == 0 && size == PIECE);
}

/* Made, written, moved, cut, removed: nothing of it is left. */
static void churn(struct worker *worker, int round, const uint8_t *data)
{
    struct riad_inode row, values = { .size = 5 };
    char name[32], new_name[32];
    uint32_t size;

    snprintf(name, sizeof name, "t%d-%d", worker->number, round);
    snprintf(new_name, sizeof new_name, "moved%d", worker->number);
    check(worker, riad_mknod(worker->workspace, &alice, 1, name, S_IFREG | 0600, 0, &row) == 0);
    check(worker, riad_write(worker->workspace, &alice, row.inode, 0, data, 20000, &size) == 0);
    check(worker, riad_rename(worker->workspace, &alice, 1, name, 1, new_name, 0) == 0);
    check(worker, riad_setattr(worker->workspace, &alice, row.inode, RIAD_SET_SIZE, &values,
                          &values) == 0);
    check(worker, riad_unlink(worker->workspace, &alice, 1, new_name) == 0);
    riad_forget(worker->workspace, row.inode, 1);
    check(worker, riad_getattr(worker->workspace, row.inode, &row) == -ENOENT);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    uint8_t *data = malloc(PIECE);
    unsigned seed = (unsigned)worker->number;
    int r = 0;

    for (int i = 0; i < ROUNDS; i++) {
        write_piece(worker, (uint64_t)rand_r(&seed) % PIECES, data);
        read_piece(worker, (uint64_t)rand_r(&seed) % PIECES, data);
        churn(worker, i, data);
        if (i % 20 == worker->number) {
            r = riad_fsync(worker->workspace, worker->shared);
        }
        check(worker, r == 0);
    }
    free(data);
    return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
    struct bench *bench = *state;
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    uint64_t file = make_file(bench->workspace, 1, "shared");

    write_fill(bench->workspace, file, 0, 0, PIECE * PIECES);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ .workspace = bench->workspace, .shared = file, .number = i };
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_false(workers[i].failed);
    }
    assert_int_equal(usage_of(bench->workspace).inodes, 2);
    assert_int_equal(usage_of(bench->workspace).blocks, 1 + (PIECE * PIECES + 4095) / 4096);
    assert_int_equal(attributes(bench->workspace, file).blocks,
            tally_of(bench->workspace, file).blocks.blocks);
}

/* Writers against a limit that all of them want: together they get it to the block, no more. */
static void *fill(void *argument)
{
    struct worker *worker = argument;
    uint8_t *data = calloc(1, PIECE);
    uint64_t offset = 0;
    uint32_t size = 0;
    int r = 0;

    while (r == 0) {
        r = riad_write(worker->workspace, &alice, worker->shared, offset, data,
                worker->number % 2 ? PIECE : 5000, &size);
        offset += size;
    }
    check(worker, r == -EDQUOT);
    free(data);
    return NULL;
}

static void a_limit_holds_against_all_threads(void **state)
{
    struct bench *bench = *state;
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    char name[] = "a";

    bench_limit(bench, 777, 0);
    for (int i = 0; i < THREADS; i++, name[0]++) {
        workers[i] = (struct worker){
            .workspace = bench->workspace,
            .shared = make_file(bench->workspace, 1, name),
            .number = i,
        };
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, fill, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_false(workers[i].failed);
    }
    assert_int_equal(usage_of(bench->workspace).blocks, 777);
}

/* One appends, so that what it wrote is gathered; the other overwrites what is being gathered. */
struct tail {
    struct riad_workspace *workspace;
    uint64_t file;
    _Atomic uint64_t end; /* appended for sure */
    uint8_t *bytes;       /* what the second one has written, else 0 */
    bool failed;
};

enum { TAIL_BYTES = 8 << 20, TAIL_PIECE = 4096, TAIL_REACH = 128 << 10 };

static void *overwrite(void *argument)
{
    struct tail *tail = argument;
    unsigned seed = 3;
    uint64_t end;

    while ((end = atomic_load(&tail->end)) < TAIL_BYTES) {
        uint64_t reach = end < TAIL_REACH ? end : TAIL_REACH;
        uint64_t at = end - 1 - (uint64_t)rand_r(&seed) % reach;
        uint32_t size;

        tail->bytes[at] = (uint8_t)(1 + rand_r(&seed) % 255);
        tail->failed |= riad_write(tail->workspace, &alice, tail->file, at, &tail->bytes[at], 1,
                                &size) != 0;
    }
    return NULL;
}

static void gathering_loses_no_write(void **state)
{
    struct bench *bench = *state;
    struct tail tail = { .workspace = bench->workspace };
    uint8_t *read = calloc(1, 1 << 20);
    pthread_t thread;

    tail.file = make_file(bench->workspace, 1, "f");
    tail.bytes = calloc(1, TAIL_BYTES);
    write_fill(bench->workspace, tail.file, 0, 0, TAIL_PIECE);
    atomic_store(&tail.end, TAIL_PIECE);
    assert_int_equal(pthread_create(&thread, NULL, overwrite, &tail), 0);
    for (uint64_t end = TAIL_PIECE; end < TAIL_BYTES; end += TAIL_PIECE) {
        write_fill(bench->workspace, tail.file, end, 0, TAIL_PIECE);
        atomic_store(&tail.end, end + TAIL_PIECE);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(tail.failed);
    for (uint64_t at = 0; at < TAIL_BYTES; at += 1 << 20) {
        uint32_t size;

        assert_int_equal(riad_read(bench->workspace, tail.file, at, 1 << 20, read, &size), 0);
        assert_memory_equal(read, tail.bytes + at, 1 << 20);
    }
    free(tail.bytes);
    free(read);
}

#define BENCH(function) cmocka_unit_test_setup_teardown(function, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(threads_do_not_disturb_each_other),
        BENCH(gathering_loses_no_write),
        BENCH(a_limit_holds_against_all_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
