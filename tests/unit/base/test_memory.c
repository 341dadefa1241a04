#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "riad/memory.h"

#include "unit.h"

enum { PIECES = 1024, PIECE_SIZE = 64 << 10 };

static size_t resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long size = 0, pages = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &size, &pages), 2);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* 64 MiB are free then, below something that stays: malloc by itself keeps them. */
static void *leave_a_hole(void)
{
    void **pieces = calloc(PIECES, sizeof *pieces);
    void *last;

    assert_non_null(pieces);
    for (unsigned i = 0; i < PIECES; i++) {
        pieces[i] = malloc(PIECE_SIZE);
        assert_non_null(pieces[i]);
        memset(pieces[i], 1, PIECE_SIZE);
    }
    last = malloc(PIECE_SIZE);
    for (unsigned i = 0; i < PIECES; i++) {
        free(pieces[i]);
    }
    free(pieces);
    return last;
}

static void what_is_free_goes_back(void **state)
{
    uint64_t looked_at = 0;
    void *last;
    size_t before;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* they have another heap */
#endif
    (void)state;
    riad_memory_prepare();
    last = leave_a_hole();
    before = resident();
    assert_int_equal(riad_memory_trim(&looked_at), 30000);
    assert_true(looked_at > 0);
    assert_true(resident() + (48 << 20) < before);
    free(last);
}

static void it_is_done_now_and_then(void **state)
{
    uint64_t looked_at = 0;
    void *last;
    size_t before;
    int wait;

    (void)state;
    riad_memory_trim(&looked_at);
    last = leave_a_hole();
    before = resident();
    wait = riad_memory_trim(&looked_at);
    assert_in_range(wait, 1, 30000);
    assert_true(resident() + (8 << 20) > before);
    free(last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_free_goes_back),
        cmocka_unit_test(it_is_done_now_and_then),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
