/* Which segments records of an ended epoch may lie in (K2): an extent names a record by its tag and
 * place, and GCM lets who has a key make another record with the same tag. Here the record of who
 * has left is made first, and its tag is what a run names. */
#include "epochs.h"
#include "stream_priv.h"

enum { UNIT = 4096, SIZE = 3 * UNIT };

static const struct riad_birth birth = { 5, 1, 0 };
static uint8_t content[SIZE], again[SIZE];

static int setup(void **state)
{
    int r = epochs_setup(state);

    fixture_fill(content, SIZE, 3);
    fixture_open(0);
    fixture_append(3);
    return r;
}

static void ends_bound_segments(void **state)
{
    const struct riad_epoch_end both[] = { { .epoch = 3, .segment = 30 },
        { .epoch = 1, .segment = 10 } };
    const struct riad_epoch_ends some = { both, 2 }, none = { NULL, 0 };

    (void)state;
    assert_true(riad_epoch_allows_segment(&some, 1, 10));
    assert_false(riad_epoch_allows_segment(&some, 1, 11));
    assert_true(riad_epoch_allows_segment(&some, 2, 30));
    assert_false(riad_epoch_allows_segment(&some, 2, 31));
    assert_true(riad_epoch_allows_segment(&some, 3, 30));
    assert_false(riad_epoch_allows_segment(&some, 3, 31));
    assert_true(riad_epoch_allows_segment(&some, 4, UINT64_MAX));
    assert_true(riad_epoch_allows_segment(&none, 1, UINT64_MAX));
}

/* Records of other content, by who has left. */
static struct riad_payload *forge(struct riad_payload *as)
{
    static uint8_t other[SIZE];
    struct riad_payload *forged = fixture_seal(true, &birth, UNIT, other, SIZE);
    struct riad_stream *stream = NULL;

    assert_int_equal(forged->size, as->size);
    assert_int_equal(riad_stream_new(former, &stream), 0);
    for (uint32_t i = 0; i < forged->count; i++) {
        const struct riad_birth own = { birth.inode, birth.generation, i * UNIT };

        assert_int_equal(riad_stream_seal_data(stream, &own, other, UNIT,
                                 forged->bytes + i * (size_t)(UNIT + RIAD_DATA_OVERHEAD),
                                 forged->tags + i * RIAD_TAG_SIZE),
                0);
    }
    riad_stream_unref(stream);
    return forged;
}

/* Bulk or small, with a change that follows it. */
static struct riad_payload *write_payload(bool bulk, struct riad_place *ret)
{
    struct riad_payload *payload = fixture_seal(bulk, &birth, UNIT, content, SIZE);

    if (bulk) {
        assert_int_equal(riad_log_write_bulk(f.log, payload, 5, ret), 0);
    } else {
        assert_int_equal(riad_log_place(f.log, payload->size, ret), 0);
    }
    assert_int_equal(fixture_try_append(bulk ? NULL : payload, "written"), 0);
    return payload;
}

static void overwrite(bool bulk, const struct riad_place *place, const struct riad_payload *forged)
{
    _cleanup_close_ int fd = fixture_open_file(
            bulk ? RIAD_SEGMENT_DATA : RIAD_SEGMENT_LOG, place->segment, O_WRONLY);

    assert_int_equal(riad_pwrite_all(fd, forged->bytes, forged->size, place->position), 0);
}

static int read_as(const struct riad_epoch_ends *epochs, const struct riad_payload *payload,
        const struct riad_place *place)
{
    _cleanup_(riad_segments_freep) struct riad_segments *segments = NULL;
    const struct riad_run run = fixture_run(payload, &birth, place);

    assert_int_equal(riad_segments_new(f.directory.fd, f.keys, epochs, &segments), 0);
    return riad_segments_read(segments, &run, 0, SIZE, again);
}

static void check_places(bool bulk)
{
    static const struct riad_epoch_ends untold;
    struct riad_place old, new;
    _cleanup_(riad_payload_freep) struct riad_payload *before = write_payload(bulk, &old);

    turn(2);
    _cleanup_(riad_payload_freep) struct riad_payload *after = write_payload(bulk, &new);
    _cleanup_(riad_payload_freep) struct riad_payload *forged = forge(after);

    assert_true(old.segment <= ends[0].segment && new.segment > ends[0].segment);
    assert_int_equal(read_as(&f.epochs, before, &old), 0);
    assert_memory_equal(again, content, SIZE);
    assert_int_equal(read_as(&f.epochs, after, &new), 0);
    assert_memory_equal(again, content, SIZE);
    overwrite(bulk, &new, forged);
    assert_int_equal(read_as(&f.epochs, forged, &new), -EBADMSG);
    assert_int_equal(read_as(&untold, forged, &new), 0);
    overwrite(bulk, &old, forged);
    assert_int_equal(read_as(&f.epochs, forged, &old), 0);
    assert_memory_not_equal(again, content, SIZE);
}

static void bulk_of_an_ended_epoch_is_refused_in_later_segments(void **state)
{
    (void)state;
    check_places(true);
}

static void so_is_what_lies_in_the_log(void **state)
{
    (void)state;
    check_places(false);
}

/* Who reads already hears of an end. */
static void an_end_is_known_at_once(void **state)
{
    static const struct riad_epoch_ends untold;
    _cleanup_(riad_segments_freep) struct riad_segments *segments = NULL;
    struct riad_place place;

    (void)state;
    turn(2);
    _cleanup_(riad_payload_freep) struct riad_payload *after = write_payload(true, &place);
    _cleanup_(riad_payload_freep) struct riad_payload *forged = forge(after);
    const struct riad_run run = fixture_run(forged, &birth, &place);

    overwrite(true, &place, forged);
    assert_int_equal(riad_segments_new(f.directory.fd, f.keys, &untold, &segments), 0);
    assert_int_equal(riad_segments_read(segments, &run, 0, SIZE, again), 0);
    for (int i = 0; i < RIAD_EPOCHS_MAX; i++) {
        assert_int_equal(riad_segments_end_epoch(segments, &ends[0]), 0);
        assert_int_equal(riad_segments_read(segments, &run, 0, SIZE, again), -EBADMSG);
        assert_int_equal(riad_segments_read(segments, &run, UNIT, 1, again), -EBADMSG);
    }
    assert_int_equal(riad_segments_end_epoch(segments, &ends[0]), -ENOSPC);
}

/* fsck opens all that lies in the log. */
static void a_replay_that_checks_data_finds_it(void **state)
{
    struct riad_place place;

    (void)state;
    turn(2);
    _cleanup_(riad_payload_freep) struct riad_payload *after = write_payload(false, &place);
    _cleanup_(riad_payload_freep) struct riad_payload *forged = forge(after);

    assert_int_equal(riad_log_sync(f.log), 0);
    fixture_append(1);
    fixture_close_log();
    fixture_assert_replays(5);
    overwrite(false, &place, forged);
    assert_int_equal(fixture_replay(NULL), -EUCLEAN);
    assert_int_equal(f.read.count, 3);
    f.epochs.count = 0;
    fixture_assert_replays(5);
}

/* A segment that who has left begins far back in the history, younger than all: its number would
 * do, its id does not. */
static void a_segment_of_an_ended_epoch_cannot_take_the_place_of_its_later_changes(void **state)
{
    const struct riad_log_config config = {
        .workspace_fd = f.directory.fd, .keys = former, .term = 1, .end = f.written.ends[0]
    };
    struct riad_log *log = NULL;
    struct riad_end end;
    uint64_t start;

    (void)state;
    turn(2);
    fixture_append(2);
    fixture_close_log();
    assert_int_equal(riad_log_open(&config, &log), 0);
    assert_int_equal(riad_log_append(log, NULL, "forged", 6, &end, &start), 0);
    riad_log_free(log);
    assert_true(end.segment > fixture_last()->segment);
    fixture_assert_replays(5);
    assert_int_equal(riad_replay_find(f.directory.fd, f.keys, &f.history, &f.epochs, fixture_last(),
                             f.written.starts[4]),
            0);
    ends[0].segment = UINT64_MAX;
    assert_int_equal(fixture_replay(NULL), -EUCLEAN);
}

/* Ids grow with each segment, of whatever kind, within a term and across them. */
static void what_comes_later_has_a_greater_id(void **state)
{
    uint64_t last = fixture_last()->segment;

    (void)state;
    for (uint32_t round = 0; round < 4; round++) {
        struct riad_place place;
        uint64_t checkpoint;

        if (round % 2 == 0) {
            const struct riad_end end = *fixture_last();

            fixture_open_term(&end, 0, 0);
        } else {
            turn(round / 2 + 2);
            assert_true(ends[round / 2].segment >= last);
            last = ends[round / 2].segment;
        }
        riad_payload_free(write_payload(true, &place));
        assert_true(place.segment > last);
        assert_true(fixture_last()->segment > last);
        checkpoint = riad_log_new_segment_id(f.log);
        assert_true(checkpoint > place.segment && checkpoint > fixture_last()->segment);
        last = checkpoint;
    }
    fixture_assert_replays(7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_bound_segments),
        cmocka_unit_test_setup_teardown(
                bulk_of_an_ended_epoch_is_refused_in_later_segments, setup, epochs_teardown),
        cmocka_unit_test_setup_teardown(so_is_what_lies_in_the_log, setup, epochs_teardown),
        cmocka_unit_test_setup_teardown(an_end_is_known_at_once, setup, epochs_teardown),
        cmocka_unit_test_setup_teardown(a_replay_that_checks_data_finds_it, setup, epochs_teardown),
        cmocka_unit_test_setup_teardown(
                a_segment_of_an_ended_epoch_cannot_take_the_place_of_its_later_changes, setup,
                epochs_teardown),
        cmocka_unit_test_setup_teardown(what_comes_later_has_a_greater_id, setup, epochs_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
