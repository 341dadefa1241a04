#include <pthread.h>

#include "riad/stream.h"

#include "log/fixture.h"

static struct riad_stream *new_stream(const struct riad_keys *keys)
{
    struct riad_stream *stream = NULL;

    assert_int_equal(riad_stream_new(keys, &stream), 0);
    return stream;
}

static int open_data(const uint8_t *record, const struct riad_keys *keys,
        const struct riad_birth *birth, size_t n, uint8_t *ret)
{
    _cleanup_(riad_key_cache_freep) struct riad_key_cache *cache = NULL;
    struct riad_record_header header;
    int r;

    assert_int_equal(riad_key_cache_new(keys, &cache), 0);
    r = riad_record_header_decode(record, &header);
    if (r < 0) {
        return r;
    }
    return riad_record_open_data(cache, &header, record, birth, n, ret);
}

static void data_comes_back_only_under_its_own_identity(void **state)
{
    _cleanup_(riad_stream_unrefp) struct riad_stream *stream = new_stream(f.keys);
    const struct riad_birth birth = { 42, 1, 4096 };
    static const size_t sizes[] = { 1, 15, 16, 17, 1000, 4096, 40000, 65535, 65536 };
    static uint8_t data[65536], again[65536], record[65536 + 120];
    uint8_t tag[16];

    (void)state;
    fixture_fill(data, sizeof data, 1);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i], size = riad_data_record_size(n);
        struct riad_birth other = birth;

        assert_int_equal(riad_stream_seal_data(stream, &birth, data, n, record, tag), 0);
        assert_int_equal(riad_record_check(record, size), 0);
        assert_memory_equal(record + size - 24, tag, 16);
        assert_int_equal(open_data(record, f.keys, &birth, n, again), 0);
        assert_memory_equal(again, data, n);
        other.inode++;
        assert_int_equal(open_data(record, f.keys, &other, n, again), -EBADMSG);
        other = birth;
        other.generation++;
        assert_int_equal(open_data(record, f.keys, &other, n, again), -EBADMSG);
        other = birth;
        other.offset ^= 1;
        assert_int_equal(open_data(record, f.keys, &other, n, again), -EBADMSG);
        assert_int_equal(open_data(record, f.keys, &birth, n == 1 ? 2 : n - 1, again), -EBADMSG);
    }
    assert_int_equal(riad_stream_seal_data(stream, &birth, data, 0, record, tag), -EINVAL);
    assert_int_equal(riad_stream_seal_data(stream, &birth, data, 65537, record, tag), -EINVAL);
}

static void every_flip_and_every_other_key_is_refused(void **state)
{
    _cleanup_(riad_stream_unrefp) struct riad_stream *stream = new_stream(f.keys);
    _cleanup_(riad_keys_freep) struct riad_keys *same_id = fixture_keys(&f.workspace);
    const struct riad_birth birth = { 42, 1, 0 };
    uint8_t data[100] = "secret", record[32 + 112 + 88], again[100], tag[16];
    struct riad_id other_id = { { 1 } };
    _cleanup_(riad_keys_freep) struct riad_keys *other = fixture_keys(&other_id);

    (void)state;
    assert_int_equal(riad_stream_seal_data(stream, &birth, data, sizeof data, record, tag), 0);
    for (size_t i = 0; i < sizeof record - 8; i++) { /* the checksum itself proves nothing */
        record[i] ^= 0x10;
        assert_true(open_data(record, f.keys, &birth, sizeof data, again) < 0);
        record[i] ^= 0x10;
    }
    assert_int_equal(open_data(record, same_id, &birth, sizeof data, again), -EBADMSG);
    assert_int_equal(open_data(record, other, &birth, sizeof data, again), -EBADMSG);
    assert_int_equal(open_data(record, f.keys, &birth, sizeof data, again), 0);
}

static void bodies_are_bounded_and_canonical(void **state)
{
    _cleanup_(riad_stream_unrefp) struct riad_stream *stream = new_stream(f.keys);
    _cleanup_(riad_key_cache_freep) struct riad_key_cache *cache = NULL;
    _cleanup_(riad_writer_done) struct riad_writer out = { 0 };
    struct riad_buffer pieces[] = { { (void *)"abc", 3 }, { (void *)"defgh", 5 } };
    struct riad_record_header header;
    const uint8_t *body;
    uint8_t plain[64];
    size_t size;

    (void)state;
    assert_int_equal(riad_key_cache_new(f.keys, &cache), 0);
    riad_writer_init_growing(&out, 0, 4 << 20);
    assert_int_equal(
            riad_stream_seal_body(stream, RIAD_PURPOSE_CHANGE, RIAD_RECORD_CHANGE, pieces, 2, &out),
            0);
    assert_int_equal(out.size, 64 + 88);
    assert_int_equal(riad_record_header_decode(out.data, &header), 0);
    assert_int_equal(riad_record_open_body(
                             cache, RIAD_PURPOSE_CHANGE, &header, out.data, plain, &body, &size),
            0);
    assert_int_equal(size, 8);
    assert_memory_equal(body, "abcdefgh", 8);
    /* purposes are apart (F1) */
    assert_int_equal(
            riad_record_open_body(cache, RIAD_PURPOSE_DATA, &header, out.data, plain, &body, &size),
            -EBADMSG);
    pieces[0].size = RIAD_RECORD_LENGTH_MAX;
    assert_int_equal(
            riad_stream_seal_body(stream, RIAD_PURPOSE_CHANGE, RIAD_RECORD_CHANGE, pieces, 1, &out),
            -E2BIG);
    assert_int_equal(out.size, 64 + 88);
}

enum { THREADS = 4, EACH = 500 };
static struct riad_stream *shared;
static bool seen[THREADS * EACH];

static void *seal_many(void *ret)
{
    uint64_t *counters = ret;

    for (int i = 0; i < EACH; i++) {
        const struct riad_birth birth = { 1, 1, 0 };
        uint8_t record[32 + 16 + 88], tag[16];
        struct riad_record_header header;

        if (riad_stream_seal_data(shared, &birth, "x", 1, record, tag) < 0 ||
                riad_record_header_decode(record, &header) < 0) {
            counters[i] = UINT64_MAX;
        } else {
            counters[i] = header.counter;
        }
    }
    return NULL;
}

static void counters_are_never_taken_twice(void **state)
{
    static uint64_t counters[THREADS][EACH];
    pthread_t threads[THREADS];

    (void)state;
    shared = new_stream(f.keys);
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, seal_many, counters[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < THREADS * EACH; i++) {
        uint64_t counter = counters[i / EACH][i % EACH];

        assert_true(counter < THREADS * EACH);
        assert_false(seen[counter]);
        seen[counter] = true;
    }
    riad_stream_unref(shared);
}

static void streams_never_share_an_id(void **state)
{
    struct riad_id ids[64];
    const struct riad_birth birth = { 1, 1, 0 };

    (void)state;
    for (int i = 0; i < 64; i++) {
        _cleanup_(riad_stream_unrefp) struct riad_stream *stream = new_stream(f.keys);
        uint8_t record[32 + 16 + 88], tag[16];
        struct riad_record_header header;

        assert_int_equal(riad_stream_seal_data(stream, &birth, "x", 1, record, tag), 0);
        assert_int_equal(riad_record_header_decode(record, &header), 0);
        ids[i] = header.stream;
        for (int k = 0; k < i; k++) {
            assert_false(riad_id_equal(&ids[i], &ids[k]));
        }
    }
}

static void key_cache_gives_right_keys_when_crowded(void **state)
{
    _cleanup_(riad_key_cache_freep) struct riad_key_cache *cache = NULL;
    uint8_t key[32], expected[32];

    (void)state;
    assert_int_equal(riad_key_cache_new(f.keys, &cache), 0);
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 3000; i++) {
            const uint8_t bytes[16] = { (uint8_t)(i % 7), (uint8_t)i, (uint8_t)(i >> 8) };
            struct riad_id id;
            enum riad_purpose purpose = i % 3;

            memcpy(id.bytes, bytes, sizeof bytes);
            assert_int_equal(riad_keys_stream(f.keys, purpose, &id, 1, expected), 0);
            assert_int_equal(riad_key_cache_get(cache, purpose, &id, 1, key), 0);
            assert_memory_equal(key, expected, sizeof key);
            assert_int_equal(riad_key_cache_get(cache, purpose, &id, 1, key), 0);
            assert_memory_equal(key, expected, sizeof key);
        }
    }
    assert_int_equal(riad_key_cache_get(cache, RIAD_PURPOSE_DATA, &f.workspace, 99, key), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
                data_comes_back_only_under_its_own_identity, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                every_flip_and_every_other_key_is_refused, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                bodies_are_bounded_and_canonical, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                counters_are_never_taken_twice, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(streams_never_share_an_id, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                key_cache_gives_right_keys_when_crowded, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
