#include <sys/stat.h>

#include "riad/checkpoint.h"

#include "log/fixture.h"

enum { ROWS = 9000, SEGMENT = 5 };

static const struct riad_checkpoint_manifest manifest = {
    .end = { 1, 2, { 3, 4 }, { { 5 } } },
    .epoch = 1,
    .roster_head = { { 6 } },
    .time = { 7, 8 },
    .next_inode = 9,
    .inodes = 10,
    .blocks = 11,
};

/* An operation whose body is told by its number. */
static size_t make_operation(uint32_t number, uint8_t *ret)
{
    struct riad_writer writer;
    uint8_t body[400];
    size_t size = number % 371 + 4;

    fixture_fill(body, sizeof body / 2, number); /* half of it compresses */
    memset(body + sizeof body / 2, 0, sizeof body / 2);
    riad_writer_init_fixed(&writer, ret, 500);
    riad_put_u8(&writer, 1);
    riad_put_u8(&writer, 0);
    riad_put_b32(&writer, body, size);
    return writer.size;
}

struct reading {
    uint32_t rows;
    bool wrong;
};

static int take(void *context, const uint8_t *operations, size_t size)
{
    struct reading *reading = context;
    uint8_t expected[500];

    while (size > 0) {
        size_t n = make_operation(reading->rows, expected);

        if (n > size || memcmp(operations, expected, n) != 0) {
            reading->wrong = true;
            return 0;
        }
        operations += n;
        size -= n;
        reading->rows++;
    }
    return 0;
}

static int write_checkpoint(uint32_t rows)
{
    _cleanup_(riad_checkpoint_writer_freep) struct riad_checkpoint_writer *writer = NULL;
    uint64_t bytes = 0;
    int r;

    r = riad_checkpoint_create(f.directory.fd, f.keys, SEGMENT, &manifest, &writer);
    for (uint32_t i = 0; i < rows && r == 0; i++) {
        uint8_t operation[500];

        r = riad_checkpoint_add(writer, operation, make_operation(i, operation));
    }
    if (r == 0) {
        r = riad_checkpoint_finish(writer, &bytes);
    }
    if (r == 0) {
        struct stat st;

        assert_int_equal(fstatat(f.directory.fd, "ckpt/0000000000000005", &st, 0), 0);
        assert_int_equal((uint64_t)st.st_size, bytes);
    }
    return r;
}

static int read_checkpoint(uint64_t segment, struct reading *ret)
{
    struct riad_checkpoint_manifest read;

    *ret = (struct reading){ 0 };
    return riad_checkpoint_read(f.directory.fd, f.keys, segment, &read, take, ret);
}

static void rows_come_back(void **state)
{
    struct riad_checkpoint_manifest read;
    struct reading reading;
    struct stat st;

    (void)state;
    assert_int_equal(write_checkpoint(ROWS), 0);
    assert_int_equal(read_checkpoint(SEGMENT, &reading), 0);
    assert_int_equal(reading.rows, ROWS);
    assert_false(reading.wrong);
    assert_int_equal(riad_checkpoint_read(f.directory.fd, f.keys, SEGMENT, &read, NULL, NULL), 0);
    assert_true(riad_end_equal(&read.end, &manifest.end));
    assert_int_equal(read.epoch, 1);
    assert_true(riad_hash_equal(&read.roster_head, &manifest.roster_head));
    assert_int_equal(read.time.tv_sec, 7);
    assert_int_equal(read.time.tv_nsec, 8);
    assert_int_equal(read.next_inode, 9);
    assert_int_equal(read.inodes, 10);
    assert_int_equal(read.blocks, 11);
    assert_int_equal(fstatat(f.directory.fd, "ckpt/.tmp-0000000000000005", &st, 0), -1);
    assert_int_equal(write_checkpoint(1), -EEXIST); /* a segment id is used once */
    assert_int_equal(read_checkpoint(SEGMENT, &reading), 0);
    assert_int_equal(reading.rows, ROWS);
    assert_int_equal(read_checkpoint(SEGMENT + 1, &reading), -ENOENT);
}

static void every_flip_and_every_cut_is_refused(void **state)
{
    _cleanup_free_ uint8_t *data = NULL;
    struct reading reading;
    size_t size;

    (void)state;
    assert_int_equal(write_checkpoint(3), 0);
    data = fixture_load(RIAD_SEGMENT_CHECKPOINT, SEGMENT, &size);
    for (size_t i = 0; i < size; i++) {
        data[i] ^= (uint8_t)(1 << i % 8);
        fixture_store(RIAD_SEGMENT_CHECKPOINT, SEGMENT, data, size);
        assert_int_equal(read_checkpoint(SEGMENT, &reading), -EBADMSG);
        assert_false(reading.wrong);
        data[i] ^= (uint8_t)(1 << i % 8);
        fixture_store(RIAD_SEGMENT_CHECKPOINT, SEGMENT, data, i);
        assert_int_equal(read_checkpoint(SEGMENT, &reading), -EBADMSG);
        assert_false(reading.wrong);
    }
    fixture_store(RIAD_SEGMENT_CHECKPOINT, SEGMENT, data, size);
    assert_int_equal(read_checkpoint(SEGMENT, &reading), 0);
    fixture_store(RIAD_SEGMENT_CHECKPOINT, SEGMENT + 1, data, size); /* under another name */
    assert_int_equal(read_checkpoint(SEGMENT + 1, &reading), -EBADMSG);
}

static size_t record_size(const uint8_t *record)
{
    struct riad_record_header header;

    assert_int_equal(riad_record_header_decode(record, &header), 0);
    return RIAD_RECORD_OVERHEAD + header.length;
}

/* Frames dropped, doubled, swapped or of another checkpoint are refused, authentic as they are. */
static void frames_stay_where_they_are(void **state)
{
    _cleanup_free_ uint8_t *data = NULL, *copy = NULL, *other = NULL;
    size_t size, other_size, offsets[64], count = 0;
    struct reading reading;

    (void)state;
    assert_int_equal(write_checkpoint(ROWS), 0);
    other = fixture_load(RIAD_SEGMENT_CHECKPOINT, SEGMENT, &other_size);
    fixture_unlink(RIAD_SEGMENT_CHECKPOINT, SEGMENT);
    assert_int_equal(write_checkpoint(ROWS), 0);
    data = fixture_load(RIAD_SEGMENT_CHECKPOINT, SEGMENT, &size);
    copy = malloc(2 * size);
    assert_non_null(copy);
    assert_int_equal(size, other_size);
    for (size_t offset = 0; offset < size; offset += record_size(data + offset)) {
        offsets[count++] = offset;
    }
    offsets[count] = size;
    assert_true(count > 4); /* header, manifest, two frames, final */
    for (size_t i = 0; i < count; i++) {
        size_t n = offsets[i + 1] - offsets[i];

        memcpy(copy, data, offsets[i]); /* dropped */
        memcpy(copy + offsets[i], data + offsets[i + 1], size - offsets[i + 1]);
        fixture_store(RIAD_SEGMENT_CHECKPOINT, SEGMENT, copy, size - n);
        assert_int_equal(read_checkpoint(SEGMENT, &reading), -EBADMSG);
        memcpy(copy, data, offsets[i + 1]); /* doubled */
        memcpy(copy + offsets[i + 1], data + offsets[i], size - offsets[i]);
        fixture_store(RIAD_SEGMENT_CHECKPOINT, SEGMENT, copy, size + n);
        assert_int_equal(read_checkpoint(SEGMENT, &reading), -EBADMSG);
        memcpy(copy, data, size); /* of another */
        memcpy(copy + offsets[i], other + offsets[i], n);
        fixture_store(RIAD_SEGMENT_CHECKPOINT, SEGMENT, copy, size);
        assert_int_equal(read_checkpoint(SEGMENT, &reading), -EBADMSG);
    }
}

static void only_whole_operations_are_taken(void **state)
{
    _cleanup_(riad_checkpoint_writer_freep) struct riad_checkpoint_writer *writer = NULL;
    uint8_t operation[500];
    size_t size = make_operation(30, operation);
    uint64_t bytes;

    (void)state;
    assert_int_equal(
            riad_checkpoint_create(f.directory.fd, f.keys, SEGMENT, &manifest, &writer), 0);
    assert_int_equal(riad_checkpoint_add(writer, operation, size - 1), -EINVAL);
    assert_int_equal(riad_checkpoint_add(writer, operation, size + 1), -EINVAL);
    assert_int_equal(riad_checkpoint_add(writer, operation, 5), -EINVAL);
    assert_int_equal(riad_checkpoint_finish(writer, &bytes), 0);
    assert_int_equal(riad_checkpoint_finish(writer, &bytes), -EINVAL);
}

/* Whatever call fails, either there is no checkpoint and no left-over, or a whole one. */
/* Seals a frame again, as who has epoch 1's keys alone can: a stream's id is no secret. */
static void reseal(uint8_t *record, const struct riad_record_header *header)
{
    uint8_t key[RIAD_AEAD_KEY_SIZE];
    struct riad_buffer plain = { malloc(header->length), header->length };
    struct riad_record_header other = *header;
    uint8_t *cipher = record + RIAD_RECORD_HEADER_SIZE, *tag = cipher + header->length;

    assert_non_null(plain.data);
    assert_int_equal(riad_keys_stream(f.keys, RIAD_PURPOSE_CHECKPOINT, &header->stream, 2, key), 0);
    assert_int_equal(riad_aead_open(key, header->counter, record, RIAD_RECORD_HEADER_SIZE, cipher,
                             tag, &plain, 1),
            0);
    other.epoch = 1;
    riad_record_header_encode(&other, record);
    assert_int_equal(riad_keys_stream(f.keys, RIAD_PURPOSE_CHECKPOINT, &header->stream, 1, key), 0);
    assert_int_equal(riad_aead_seal(key, header->counter, record, RIAD_RECORD_HEADER_SIZE, &plain,
                             1, cipher, tag),
            0);
    riad_record_checksum(record, RIAD_RECORD_OVERHEAD - 8 + header->length, tag + RIAD_TAG_SIZE);
    free(plain.data);
}

static void frames_of_another_epoch_are_refused(void **state)
{
    _cleanup_free_ uint8_t *data = NULL;
    struct riad_checkpoint_manifest read;
    struct riad_record_header header;
    struct reading reading;
    size_t size, at = 0;

    (void)state;
    fixture_add_epoch(2);
    assert_int_equal(write_checkpoint(ROWS), 0);
    assert_int_equal(riad_checkpoint_read(f.directory.fd, f.keys, SEGMENT, &read, NULL, NULL), 0);
    assert_int_equal(read.epoch, 2); /* as it is, whatever was given */
    data = fixture_load(RIAD_SEGMENT_CHECKPOINT, SEGMENT, &size);
    while (at < size) {
        assert_int_equal(riad_record_header_decode(data + at, &header), 0);
        if (header.type == RIAD_RECORD_FRAME) {
            reseal(data + at, &header);
        }
        at += RIAD_RECORD_OVERHEAD + header.length;
    }
    fixture_store(RIAD_SEGMENT_CHECKPOINT, SEGMENT, data, size);
    assert_int_equal(read_checkpoint(SEGMENT, &reading), -EBADMSG);
    assert_int_equal(reading.rows, 0);
}

static void failures_publish_nothing(void **state)
{
    unsigned failed = 0;

    (void)state;
    for (unsigned i = 1;; i++) {
        struct reading reading;
        struct stat st;
        int r;

        faults_fail(FAULT_ANY, i, EIO);
        r = write_checkpoint(3);
        if (faults_count(FAULT_ANY) < i) {
            break;
        }
        faults_fail(FAULT_NONE, 0, 0);
        if (fixture_count_segments(RIAD_SEGMENT_CHECKPOINT) > 0) {
            assert_int_equal(read_checkpoint(SEGMENT, &reading), 0);
            fixture_unlink(RIAD_SEGMENT_CHECKPOINT, SEGMENT);
        } else {
            assert_true(r < 0);
            failed++;
        }
        assert_true(fstatat(f.directory.fd, "ckpt/.tmp-0000000000000005", &st, 0) < 0 || r == 0);
        (void)unlinkat(f.directory.fd, "ckpt/.tmp-0000000000000005", 0);
    }
    assert_true(failed > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_come_back, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                every_flip_and_every_cut_is_refused, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                frames_stay_where_they_are, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                only_whole_operations_are_taken, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                frames_of_another_epoch_are_refused, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(failures_publish_nothing, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
