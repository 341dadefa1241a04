/* P1 to P7 at every moment: what a few operations do to the disks of store and node is recorded,
 * and the disks are made again as they were after each call, as a kill leaves them and as power
 * cuts leave them, each disk for itself. What is opened then is what it was after one of the
 * operations: after a kill the last that was acknowledged, or the one that was begun; after a power
 * cut not one before the last that was synced. It is sound, and can be worked with.
 *
 * RIAD_TEST_CRASH_STATES (1200) says how many states are tried, by chance; 0: all of each sequence
 * of one and two operations, of which RIAD_TEST_CRASH_PART (such as 3/8) tries a part.
 * RIAD_TEST_CRASH_SEED says which, RIAD_TEST_CRASH_LAST (such as clean) what each sequence ends
 * with. */
#include <dirent.h>

#include "riad/diag.h"

#include "crash_acts.h"
#include "disk.h"
#include "picture.h"
#include "trace_sqlite.h"

#ifdef __SANITIZE_THREAD__
enum { STATES = 100 };
#elif defined(__SANITIZE_ADDRESS__)
enum { STATES = 400 };
#else
enum { STATES = 1200 };
#endif

enum { LONGEST = 12, PER_SEQUENCE = 12 };

/* Notes of a trace. */
enum { BEGUN, DONE, SYNCED, NOTE_KINDS };

static struct fixture fixture;
static uint64_t chance = 1, tried;

static uint64_t below(uint64_t bound)
{
    return chance_next(&chance) % bound;
}

/* What was done in a recorded run, and what it looked like after each. */
struct history {
    unsigned acts[LONGEST];
    unsigned count;
    char *pictures[LONGEST + 1];
};

static void note(unsigned act, unsigned kind)
{
    trace_note((int)(act * NOTE_KINDS + kind));
}

/* What is behind it is behind all that was before. */
static bool is_durable(unsigned act)
{
    return act == SYNC_ACT || act == CHECKPOINT_ACT || act == CLEAN_ACT;
}

/* From opening to closing. */
static void record(struct history *history)
{
    const char *paths[TRACE_DISKS] = { fixture.workspace_path, fixture.state_path };
    struct riad_workspace *workspace;

    trace_begin(TRACE_DISKS, paths);
    workspace = fixture_open(&fixture);
    history->pictures[0] = picture_of(workspace);
    for (unsigned i = 0; i < history->count; i++) {
        int r;

        note(i, BEGUN);
        r = acts[history->acts[i]].run(workspace);
        note(i, DONE);
        if (r == 0 && is_durable(history->acts[i])) {
            note(i, SYNCED);
        }
        history->pictures[i + 1] = picture_of(workspace);
    }
    fixture_close(workspace);
    if (history->count > 0) {
        note(history->count - 1, SYNCED);
    }
    trace_end();
}

static void make_history(struct history *history)
{
    struct riad_workspace *workspace;

    fixture_make(&fixture);
    workspace = fixture_open(&fixture);
    populate(workspace);
    fixture_close(workspace);
    record(history);
}

static void forget_history(struct history *history)
{
    for (unsigned i = 0; i <= history->count; i++) {
        free(history->pictures[i]);
    }
    trace_forget();
    fixture_remove(&fixture);
}

/* How far it must have come, and may have. */
static void bounds_of(
        const struct disk_state *state, bool power, unsigned *ret_first, unsigned *ret_last)
{
    *ret_first = *ret_last = 0;
    for (size_t i = trace.base; i < state->events; i++) {
        const struct trace_event *event = &trace.events[i];
        unsigned number = (unsigned)event->number / NOTE_KINDS + 1;
        unsigned kind = (unsigned)event->number % NOTE_KINDS;

        if (event->kind != TRACE_NOTE) {
            continue;
        }
        *ret_last = kind == BEGUN ? number : *ret_last;
        *ret_first = kind == (power ? SYNCED : DONE) ? number : *ret_first;
    }
}

/* Stores as fallocate finds them. */
static const struct {
    int error;
    const char *name;
} stores[] = {
    { 0, "room is reserved" },
    { EOPNOTSUPP, "no room can be reserved" },
    { EPERM, "nothing is spooled" },
};

static const char *spooled(void)
{
    unsigned i = 0;

    while (stores[i].error != trace_unreserved) {
        i++;
    }
    return stores[i].name;
}

static const char *describe(const struct history *history, const struct disk_state *state)
{
    static const char *const losses[DISK_LOSSES] = { "kept", "lost", "zeroed", "mixed", "torn" };
    static char text[512];
    int size = 0;

    for (unsigned i = 0; i < history->count; i++) {
        size += snprintf(
                text + size, sizeof text - (size_t)size, "%s, ", acts[history->acts[i]].name);
    }
    snprintf(text + size, sizeof text - (size_t)size,
            "after event %zu of %zu, the store %s, the node %s, seed %llu, %s", state->events,
            trace.count, losses[state->losses[0]], losses[state->losses[1]],
            (unsigned long long)state->seed, spooled());
    return text;
}

static void compare(const struct history *history, const struct disk_state *state, bool power,
        struct riad_workspace *workspace)
{
    char *picture = picture_of(workspace);
    unsigned first, last;
    bool found = false;

    bounds_of(state, power, &first, &last);
    for (unsigned i = first; i <= last; i++) {
        found |= strcmp(picture, history->pictures[i]) == 0;
    }
    if (!found) {
        fail_msg("%s\nthere is\n%swhere it was first\n%sand last\n%s", describe(history, state),
                picture, history->pictures[first], history->pictures[last]);
    }
    free(picture);
}

/* The store alone has all of it. */
static void compare_without_node(struct fixture *again, struct riad_workspace *workspace)
{
    char *before, *after;

    assert_int_equal(write_to(workspace, "b", 50, 100), 0);
    assert_int_equal(riad_workspace_sync(workspace), 0);
    before = picture_of(workspace);
    assert_int_equal(riad_workspace_close(workspace), 0);
    fixture_forget(again);
    workspace = fixture_open(again);
    after = picture_of(workspace);
    assert_string_equal(before, after);
    free(before);
    free(after);
    assert_int_equal(riad_workspace_close(workspace), 0);
}

static bool is_power_cut(const struct disk_state *state)
{
    return state->losses[0] != DISK_KEEPS || state->losses[1] != DISK_KEEPS;
}

/* Where the disks are made again. */
static void begin_state(const struct disk_state *state, struct fixture *again)
{
    const char *paths[TRACE_DISKS] = { again->workspace_path, again->state_path };

    *again = fixture;
    snprintf(again->workspace_path, PATH_MAX, "%s/crashed-ws", fixture.directory.path);
    snprintf(again->state_path, PATH_MAX, "%s/crashed-state", fixture.directory.path);
    disk_make(state, paths);
    again->workspace_fd = open(again->workspace_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    again->state_fd = open(again->state_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(again->workspace_fd >= 0 && again->state_fd >= 0);
    if (is_power_cut(state)) {
        again->boot.bytes[0] ^= 1;
    }
}

static void end_state(struct fixture *again)
{
    close(again->workspace_fd);
    close(again->state_fd);
    assert_int_equal(temporary_remove_tree(again->workspace_path), 0);
    assert_int_equal(temporary_remove_tree(again->state_path), 0);
}

/* As fixture_assert_sound, and says where. */
static void assert_sound(
        const struct history *history, const struct disk_state *state, struct fixture *again)
{
    struct riad_workspace_config config;
    struct riad_fsck_result result;
    int r;

    fixture_configure(again, &config);
    r = riad_fsck_run(&config, fixture_collect, NULL, &result, &again->reason);
    if (r < 0 || result.findings > 0) {
        fail_msg("%s: fsck: %s: %llu findings", describe(history, state),
                r < 0 ? again->reason.text : "done", (unsigned long long)result.findings);
    }
}

static void try_state(const struct history *history, const struct disk_state *state)
{
    struct fixture again;
    struct riad_workspace *workspace = NULL;
    int r;

    begin_state(state, &again);
    r = fixture_try_open(&again, &workspace);
    if (r < 0) {
        fail_msg("%s: cannot be opened: %s: %s", describe(history, state), strerror(-r),
                again.reason.text);
    }
    compare(history, state, is_power_cut(state), workspace);
    if (tried++ % 4 == 0 && look_up(workspace, RIAD_ROOT_INODE, "b") == 0) {
        compare_without_node(&again, workspace);
    } else {
        assert_int_equal(riad_workspace_close(workspace), 0);
    }
    assert_sound(history, state, &again);
    end_state(&again);
}

static struct disk_state choose_state(void)
{
    bool power = below(4) > 0;

    return (struct disk_state){ .events = trace.base + below(trace.count - trace.base + 1),
        .losses = { power ? (enum disk_loss)below(DISK_LOSSES) : DISK_KEEPS,
                power ? (enum disk_loss)below(DISK_LOSSES) : DISK_KEEPS },
        .seed = below(UINT64_MAX) };
}

/* The last write to the store, at each sector. */
static void try_all_cuts(const struct history *history, size_t events)
{
    uint64_t sectors = disk_torn_sectors(events, 0);

    for (uint64_t cut = 0; cut < sectors; cut += cut < 32 ? 1 : 16) {
        const struct disk_state state = { .events = events,
            .losses = { DISK_TEARS, (enum disk_loss)below(DISK_LOSSES) },
            .cut = cut + 1 };

        try_state(history, &state);
    }
}

/* Every loss of either disk. */
static void try_all_losses(const struct history *history, size_t events)
{
    for (unsigned loss = 0; loss < DISK_LOSSES * DISK_LOSSES; loss++) {
        const struct disk_state state = { .events = events,
            .losses = { loss / DISK_LOSSES, loss % DISK_LOSSES },
            .seed = below(UINT64_MAX) };

        try_state(history, &state);
    }
}

/* Every moment. */
static void try_all(const struct history *history)
{
    for (size_t i = trace.base; i <= trace.count; i++) {
        try_all_losses(history, i);
        if (i > trace.base && trace.events[i - 1].kind == TRACE_WRITE) {
            try_all_cuts(history, i);
        }
    }
}

static void try_history(struct history *history, uint64_t states)
{
    make_history(history);
    for (uint64_t i = 0; i < states; i++) {
        const struct disk_state state = choose_state();

        try_state(history, &state);
    }
    if (states == 0) {
        try_all(history);
    }
    forget_history(history);
}

static void every_sequence_of_two(void)
{
    const char *text = getenv("RIAD_TEST_CRASH_PART");
    unsigned part = 0, parts = 1;

    if (text) {
        assert_int_equal(sscanf(text, "%u/%u", &part, &parts), 2);
    }
    for (unsigned i = part; i < SINGLE_ACTS * (SINGLE_ACTS + 1); i += parts) {
        struct history history = { .acts = { i / (SINGLE_ACTS + 1), i % (SINGLE_ACTS + 1) },
            .count = i % (SINGLE_ACTS + 1) == SINGLE_ACTS ? 1 : 2 };

        trace_unreserved = stores[i / (SINGLE_ACTS + 1) % 3].error;
        try_history(&history, 0);
    }
}

/* ACTS: none is given. */
static unsigned given_last(void)
{
    const char *text = getenv("RIAD_TEST_CRASH_LAST");
    unsigned i = 0;

    while (i < ACTS && (!text || strcmp(text, acts[i].name) != 0)) {
        i++;
    }
    assert_true(!text || i < ACTS);
    return i;
}

static void what_is_there_after_a_crash_was_there_before(void **state)
{
    uint64_t states = number_from("RIAD_TEST_CRASH_STATES", STATES);
    unsigned last = given_last();

    (void)state;
    chance = number_from("RIAD_TEST_CRASH_SEED", 1);
    if (states == 0) {
        every_sequence_of_two();
    }
    while (tried < states) {
        struct history history = { .count = 1 + (unsigned)below(below(3) > 0 ? 2 : LONGEST) };

        for (unsigned i = 0; i < history.count; i++) {
            history.acts[i] = (unsigned)below(ACTS);
        }
        if (last < ACTS) {
            history.acts[history.count - 1] = last;
        }
        trace_unreserved = stores[below(3)].error;
        try_history(&history, PER_SEQUENCE);
    }
    print_message("%llu states\n", (unsigned long long)tried);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_there_after_a_crash_was_there_before),
    };

    for (size_t i = 0; i < sizeof act_bytes; i++) {
        act_bytes[i] = (uint8_t)(i * 7);
    }
    riad_diag_set_level(RIAD_ERROR); /* that a crash is recovered from is no news here */
    trace_sqlite_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
