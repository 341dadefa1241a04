/* For the tests of the cleaner (L7): files of all kinds with a model of what is in them, and its
 * work done by the thread that tests. */
#ifndef RIAD_TESTS_CORE_CLEANER_H
#define RIAD_TESTS_CORE_CLEANER_H

#include "cleaner_priv.h"
#include "epoch.h"
#include "faults.h"

enum { PLANTS = 24, PLANT_MAX = 1200000 };

/* What a file holds. */
struct plant {
    uint8_t *data;
    uint32_t size;
};

static struct plant garden[PLANTS];

static inline void name_plant(unsigned i, char ret[16])
{
    snprintf(ret, 16, "plant-%u", i);
}

static inline uint64_t find_plant(struct riad_workspace *workspace, unsigned i)
{
    char name[16];

    name_plant(i, name);
    return inode_of(workspace, RIAD_ROOT_INODE, name);
}

/* Bytes that tell their place, so that no two records are alike. */
static inline void grow(
        struct riad_workspace *workspace, unsigned i, uint32_t offset, uint32_t size, unsigned seed)
{
    struct plant *plant = &garden[i];

    assert_true(offset + size <= PLANT_MAX);
    for (uint32_t k = 0; k < size; k++) {
        plant->data[offset + k] = (uint8_t)(seed * 131 + i * 31 + (offset + k) * 7 + (k >> 8));
    }
    plant->size = offset + size > plant->size ? offset + size : plant->size;
    write_all(workspace, find_plant(workspace, i), offset, plant->data + offset, size);
}

static inline void cut(struct riad_workspace *workspace, unsigned i, uint32_t size)
{
    memset(garden[i].data + size, 0, PLANT_MAX - size);
    garden[i].size = size;
    assert_int_equal(set_size(workspace, find_plant(workspace, i), size), 0);
}

static inline void sow(struct riad_workspace *workspace, unsigned i)
{
    char name[16];

    name_plant(i, name);
    make_file(workspace, RIAD_ROOT_INODE, name);
    free(garden[i].data);
    garden[i] = (struct plant){ .data = calloc(1, PLANT_MAX) };
}

/* Shares the records of another file. */
static inline void graft(struct riad_workspace *workspace, unsigned from, unsigned to)
{
    uint64_t done = 0;

    memcpy(garden[to].data, garden[from].data, garden[from].size);
    garden[to].size = garden[from].size > garden[to].size ? garden[from].size : garden[to].size;
    assert_int_equal(riad_copy_range(workspace, &alice, find_plant(workspace, from), 0,
                             find_plant(workspace, to), 0, garden[from].size, &done),
            0);
    assert_int_equal(done, garden[from].size);
}

/* Small ones in the log, bulk in data segments of both units, holes, pieces, clones. */
static inline void plant_garden(struct riad_workspace *workspace)
{
    for (unsigned i = 0; i < PLANTS; i++) {
        sow(workspace, i);
    }
    for (unsigned i = 0; i < 12; i++) {
        grow(workspace, i, 0, 1 + i * 5000, 1);
    }
    for (unsigned i = 12; i < 16; i++) {
        grow(workspace, i, 0, 70000 * (i - 10), 2);
    }
    grow(workspace, 16, 0, 1100000, 3);     /* units of 64 KiB */
    grow(workspace, 17, 300000, 200000, 4); /* behind a hole */
    grow(workspace, 18, 0, 400000, 5);
    grow(workspace, 18, 100000, 3000, 6);   /* a small piece in the middle */
    grow(workspace, 18, 200000, 100000, 7); /* and a large one */
    grow(workspace, 19, 0, 300000, 8);
    cut(workspace, 19, 123457);
    graft(workspace, 16, 20);
    graft(workspace, 18, 21);
    graft(workspace, 3, 22);
    grow(workspace, 20, 500000, 2000, 9); /* the clone goes its own way */
    cut(workspace, 21, 150000);
    for (unsigned k = 0; k < 20; k++) {
        grow(workspace, 23, k * 3000, 3000, 10 + k);
    }
}

static inline void assert_plant(struct riad_workspace *workspace, unsigned i)
{
    static uint8_t data[PLANT_MAX];
    uint64_t inode = find_plant(workspace, i);
    uint32_t done = 0;

    assert_int_equal(attributes(workspace, inode).size, garden[i].size);
    assert_int_equal(riad_read(workspace, inode, 0, PLANT_MAX, data, &done), 0);
    assert_int_equal(done, garden[i].size);
    assert_memory_equal(data, garden[i].data, garden[i].size);
}

static inline void assert_garden(struct riad_workspace *workspace)
{
    for (unsigned i = 0; i < PLANTS; i++) {
        assert_plant(workspace, i);
    }
}

static inline void burn_garden(void)
{
    for (unsigned i = 0; i < PLANTS; i++) {
        free(garden[i].data);
        garden[i] = (struct plant){ 0 };
    }
}

/* All that is live in a segment. 1: something is stuck. */
static inline int move_segment(struct riad_workspace *workspace, uint64_t segment)
{
    struct riad_moved moved = { .next = 1 };
    bool stuck = false;
    int r = 0;

    while (r == 0 && moved.next != 0) {
        r = riad_cleaner_move(workspace, segment, moved.next, &moved);
        stuck |= moved.stuck;
    }
    return r < 0 ? r : stuck;
}

/* All segments that there are now, those that are open too. */
static inline int move_all(struct riad_workspace *workspace)
{
    int r = 0;

    for (enum riad_segment_kind kind = RIAD_SEGMENT_LOG; kind <= RIAD_SEGMENT_DATA; kind++) {
        _cleanup_free_ uint64_t *ids = NULL;
        size_t count = 0;
        int listed = riad_segment_list(workspace->workspace_fd, kind, &ids, &count);

        r = listed < 0 ? listed : r;
        for (size_t i = 0; i < count && r >= 0; i++) {
            int moved = move_segment(workspace, ids[i]);

            r = moved != 0 ? moved : r;
        }
    }
    return r;
}

/* Sealed bytes that extents of the segments refer to. */
static inline uint64_t live_in(struct riad_workspace *workspace, const uint64_t *ids, size_t count)
{
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t live = 0;

        assert_int_equal(riad_cleaner_count(workspace, ids[i], &live), 0);
        total += live;
    }
    return total;
}

/* The oldest epoch that a file of the store is sealed under, by the headers of all its records; and
 * how many files there are. */
static inline uint32_t oldest_epoch(unsigned *ret_files)
{
    uint32_t oldest = UINT32_MAX;

    *ret_files = 0;
    for (enum riad_segment_kind kind = RIAD_SEGMENT_LOG; kind <= RIAD_SEGMENT_CHECKPOINT; kind++) {
        _cleanup_free_ uint64_t *ids = NULL;
        size_t count = 0;

        assert_int_equal(riad_segment_list(fixture.workspace_fd, kind, &ids, &count), 0);
        for (size_t i = 0; i < count; i++) {
            struct riad_record_header header;
            char path[32];
            int fd;

            riad_segment_path(kind, ids[i], path);
            fd = openat(fixture.workspace_fd, path, O_RDONLY);
            for (off_t at = 0; read_header(fd, at, &header) == 0;
                    at += RIAD_RECORD_OVERHEAD + header.length) {
                oldest = header.epoch < oldest ? header.epoch : oldest;
            }
            close(fd);
            ++*ret_files;
        }
    }
    return oldest;
}

static inline int setup_garden(void **state)
{
    faults_install();
    return setup_epochs(state);
}

static inline int teardown_garden(void **state)
{
    faults_remove();
    burn_garden();
    return teardown_epochs(state);
}

#define GARDEN(function) cmocka_unit_test_setup_teardown(function, setup_garden, teardown_garden)

#endif
