/* Which changes a replay calls settled, and where it ends when one that is not has lost its payload
 * (P3). */
#include "log/fixture.h"
#include "replay_priv.h"

/* Applies all, but for one change that is refused unless it is settled. */
struct picky {
    uint64_t refused;
    struct remembered *read;
};

static int apply_picky(void *context, const uint8_t *content, size_t size,
        const struct riad_end *end, uint64_t start, bool settled)
{
    struct picky *picky = context;

    if (end->sequence.number == picky->refused && !settled) {
        return RIAD_REPLAY_STOP;
    }
    return fixture_remember(picky->read, content, size, end, start, settled);
}

/* Replays; number: of the change that lost its payload, 0 = none. */
static int replay(uint64_t number, uint64_t queue_size, uint64_t durable)
{
    struct picky picky = { number, &f.read };
    struct riad_replay replay = { .workspace_fd = f.directory.fd,
        .keys = f.keys,
        .history = &f.history,
        .apply = apply_picky,
        .context = &picky,
        .durable = durable,
        .queue_size = queue_size };

    f.read.count = 0;
    return riad_replay_run(&replay, &f.result);
}

static void assert_settled_up_to(uint64_t number)
{
    fixture_assert_prefix();
    for (size_t i = 0; i < f.read.count; i++) {
        assert_int_equal(f.read.settled[i], i < number);
    }
}

/* Nine changes, of which the last four do not know more than five to be durable. */
static void write_five_and_four(uint64_t log_size)
{
    fixture_open(log_size);
    fixture_append(5);
    assert_int_equal(riad_log_sync(f.log), 0);
    fixture_append(4);
}

static void later_changes_settle_earlier_ones(void **state)
{
    (void)state;
    write_five_and_four(0);
    assert_int_equal(replay(0, 0, 0), 0);
    assert_int_equal(f.read.count, 9);
    assert_settled_up_to(5);
    assert_int_equal(f.result.dropped, 0);
}

static void marks_closed_terms_and_later_terms_settle(void **state)
{
    (void)state;
    write_five_and_four(0);
    assert_int_equal(fixture_replay(&f.written.ends[6]), 0);
    assert_settled_up_to(7);
    assert_int_equal(replay(0, 0, 8), 0);
    assert_settled_up_to(8);
    assert_int_equal(fixture_replay(fixture_last()), 0);
    assert_settled_up_to(9);
    fixture_open_term(fixture_last(), 0, 0);
    assert_int_equal(replay(0, 0, 0), 0);
    assert_settled_up_to(9);
    fixture_append(2);
    assert_int_equal(replay(0, 0, 0), 0);
    assert_int_equal(f.read.count, 11);
    assert_settled_up_to(9);
}

/* The sixth is gone; the seventh says still that the fifth was durable. */
static void changes_behind_a_tear_settle_too(void **state)
{
    uint8_t zeros[100] = { 0 };
    _cleanup_close_ int fd = -1;

    (void)state;
    write_five_and_four(0);
    fd = fixture_open_file(RIAD_SEGMENT_LOG, f.written.ends[5].segment, O_WRONLY);
    assert_int_equal(riad_pwrite_all(fd, zeros, sizeof zeros, f.written.starts[5]), 0);
    assert_int_equal(replay(0, 0, 0), 0);
    assert_int_equal(f.read.count, 5);
    assert_settled_up_to(5);
    assert_int_equal(f.result.dropped, 9);
    assert_int_equal(replay(3, 0, 0), 0);
    assert_int_equal(f.read.count, 5);
}

static void the_history_ends_before_an_unsettled_change_without_payload(void **state)
{
    static const uint64_t sizes[] = { 0, RIAD_CHANGE_LENGTH_MAX + 1200 };

    for (size_t i = 0; i < 2; i++) { /* in one segment, and in many */
        if (i > 0) {
            fixture_teardown(state);
            fixture_setup(state);
        }
        write_five_and_four(sizes[i]);
        for (uint64_t number = 1; number <= 9; number++) {
            uint64_t kept = number <= 5 ? 9 : number - 1;

            assert_int_equal(replay(number, 0, 0), 0);
            assert_int_equal(f.read.count, kept);
            assert_settled_up_to(5);
            assert_true(riad_end_equal(&f.result.end, &f.written.ends[kept - 1]));
            assert_int_equal(f.result.start, f.written.starts[kept - 1]);
            assert_int_equal(f.result.dropped, number <= 5 ? 0 : 9);
            assert_int_equal(f.result.damage[0], '\0');
        }
    }
}

/* Nothing to go back to: the position that was begun from stays. */
static void the_very_first_change_may_be_the_one(void **state)
{
    (void)state;
    fixture_open(0);
    fixture_append(3);
    assert_int_equal(replay(1, 0, 0), 0);
    assert_int_equal(f.read.count, 0);
    assert_int_equal(f.result.end.sequence.number, 0);
    assert_int_equal(f.result.start, 0);
    assert_int_equal(f.result.dropped, 3);
}

/* Judged before it is known what the rest of the log says: if that proves too late that the change
 * was durable, nothing is cut off. */
static void a_full_queue_does_not_guess(void **state)
{
    const uint64_t entry = sizeof(struct riad_replay_pending) + strlen("change 0 of term 1");

    (void)state;
    write_five_and_four(0);
    assert_int_equal(replay(0, 1, 0), 0);
    assert_int_equal(f.read.count, 9);
    fixture_assert_prefix();
    assert_false(f.read.settled[0]);
    for (uint64_t number = 1; number <= 9; number++) {
        assert_int_equal(replay(number, 1, 0), number <= 5 ? -EUCLEAN : 0);
        assert_int_equal(f.read.count, number - 1);
        assert_int_equal(f.result.dropped, number <= 5 ? 0 : 9);
        assert_int_equal(f.result.damage[0] != '\0', number <= 5);
        fixture_assert_prefix();
    }
    assert_int_equal(replay(3, 1, 3), 0); /* known from the beginning */
    assert_int_equal(f.read.count, 9);
    assert_int_equal(replay(3, 2 * entry, 0), -EUCLEAN);
    assert_int_equal(replay(3, 3 * entry, 0), 0); /* kept until the sixth tells */
    assert_int_equal(f.read.count, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
                later_changes_settle_earlier_ones, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                marks_closed_terms_and_later_terms_settle, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                changes_behind_a_tear_settle_too, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(the_history_ends_before_an_unsettled_change_without_payload,
                fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                the_very_first_change_may_be_the_one, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                a_full_queue_does_not_guess, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
