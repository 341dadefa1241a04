/* E1: each event follows the one before, and what was changed shows. */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/bytes.h"
#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/events.h"
#include "riad/fdio.h"

#include "faults.h"
#include "temporary.h"
#include "unit.h"

enum { EVENTS = 5, TRAIL_MAX = 1 << 16 };

static struct temporary temporary;
static struct riad_state state;

static const struct riad_id store = { { 1 } };
static const struct riad_id workspace = { { 2 } };

static int setup(void **context)
{
    (void)context;
    faults_install();
    return temporary_make(&temporary) < 0 || riad_state_open(temporary.path, &state) < 0;
}

static int teardown(void **context)
{
    (void)context;
    faults_remove();
    riad_state_close(&state);
    return temporary_remove(&temporary);
}

static void append(const char *kind, const char *text)
{
    const struct riad_event event = { kind, &store, &workspace, text };

    assert_int_equal(riad_events_append(&state, &event), 0);
}

/* What a reading finds. */
struct found {
    unsigned count, broken;
    uint64_t last;
    struct riad_hash head;
    char texts[64][RIAD_EVENT_TEXT_MAX + 1];
};

static int note(void *context, const struct riad_event_line *line)
{
    struct found *found = context;

    if (found->count < 64) {
        snprintf(found->texts[found->count], sizeof found->texts[0], "%s",
                line->object ? json_string_value(json_object_get(line->object, "text")) : "");
    }
    found->count++;
    found->broken += !line->follows;
    found->last = line->number;
    found->head = line->hash;
    return 0;
}

static struct found read_all(void)
{
    struct found found = { 0 };

    assert_int_equal(riad_events_read(&state, note, &found), 0);
    return found;
}

static size_t load(uint8_t ret[TRAIL_MAX])
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;

    assert_int_equal(riad_read_file_at(state.fd, "events", TRAIL_MAX, &data, &size), 0);
    memcpy(ret, data, size);
    return size;
}

static void save(const void *data, size_t size)
{
    assert_int_equal(riad_publish_file_at(state.fd, "events", data, size, RIAD_PUBLISH_REPLACE), 0);
}

static void append_some(void)
{
    for (int i = 0; i < EVENTS; i++) {
        char text[16];

        snprintf(text, sizeof text, "event %d", i);
        append("tried", text);
    }
}

static int check_first(void *context, const struct riad_event_line *line)
{
    const json_t *object = line->object;

    assert_string_equal(json_string_value(json_object_get(object, "event")), "tried");
    assert_string_equal(json_string_value(json_object_get(object, "store")),
            "01000000000000000000000000000000");
    assert_string_equal(json_string_value(json_object_get(object, "workspace")),
            "02000000000000000000000000000000");
    assert_int_equal(json_integer_value(json_object_get(object, "uid")), getuid());
    assert_int_equal(json_integer_value(json_object_get(object, "pid")), getpid());
    *(int *)context += 1;
    return 7;
}

static void events_come_back_in_order(void **context)
{
    struct found found = read_all();
    int seen = 0;

    (void)context;
    assert_int_equal(found.count, 0);
    append_some();
    found = read_all();
    assert_int_equal(found.count, EVENTS);
    assert_int_equal(found.broken, 0);
    assert_int_equal(found.last, EVENTS);
    assert_string_equal(found.texts[EVENTS - 1], "event 4");
    assert_int_equal(riad_events_read(&state, check_first, &seen), 7);
    assert_int_equal(seen, 1);
}

static void every_changed_byte_shows(void **context)
{
    uint8_t whole[TRAIL_MAX], changed[TRAIL_MAX];
    struct found before, found;
    size_t size, last;

    (void)context;
    append_some();
    before = read_all();
    size = load(whole);
    last = (size_t)((uint8_t *)memrchr(whole, '\n', size - 1) - whole) + 1;
    for (size_t i = 0; i < size; i++) {
        memcpy(changed, whole, size);
        changed[i] ^= 1;
        save(changed, size);
        found = read_all();
        if (i < last && found.broken == 0) {
            fail_msg("byte %zu of %zu", i, size);
        }
        /* Of the last event the head tells. */
        assert_false(found.broken == 0 && riad_hash_equal(&found.head, &before.head));
    }
}

static void lines_taken_out_or_moved_show(void **context)
{
    uint8_t whole[TRAIL_MAX], changed[TRAIL_MAX];
    size_t size, begin, end;

    (void)context;
    append_some();
    size = load(whole);
    begin = (size_t)((uint8_t *)memchr(whole, '\n', size) - whole) + 1;
    end = (size_t)((uint8_t *)memchr(whole + begin, '\n', size - begin) - whole) + 1;
    memcpy(changed, whole, begin); /* without the second */
    memcpy(changed + begin, whole + end, size - end);
    save(changed, size - (end - begin));
    assert_int_equal(read_all().broken, 1);
    memcpy(changed, whole, end); /* the second twice */
    memcpy(changed + end, whole + begin, size - begin);
    save(changed, size + (end - begin));
    assert_int_equal(read_all().broken, 1);
    memcpy(changed, whole + begin, end - begin); /* the first two in the wrong order */
    memcpy(changed + (end - begin), whole, begin);
    memcpy(changed + end, whole + end, size - end);
    save(changed, size);
    assert_true(read_all().broken >= 2);
    save(whole + begin, size - begin); /* without its beginning */
    assert_int_equal(read_all().broken, 1);
}

/* Its place in the chain is right, and its number is not. */
static void a_wrong_number_shows(void **context)
{
    uint8_t line[TRAIL_MAX];
    char *number;
    size_t size;

    (void)context;
    append("tried", "once");
    size = load(line);
    line[size] = 0;
    number = strstr((char *)line, "\"number\":1");
    assert_non_null(number);
    number[9] = '2';
    save(line, size);
    assert_int_equal(read_all().broken, 1);
}

static void a_line_cut_short_goes_and_nothing_else(void **context)
{
    uint8_t whole[TRAIL_MAX];
    size_t size;
    struct found found;

    (void)context;
    append_some();
    size = load(whole);
    for (size_t cut = 1; cut < 200; cut += 13) {
        save(whole, size - cut);
        assert_int_equal(read_all().count, EVENTS - 1);
        append("tried", "again");
        found = read_all();
        assert_int_equal(found.count, EVENTS);
        assert_int_equal(found.broken, 0);
        assert_string_equal(found.texts[EVENTS - 2], "event 3");
        assert_string_equal(found.texts[EVENTS - 1], "again");
    }
}

static void what_is_no_line_stays_and_shows(void **context)
{
    static uint8_t strange[3 * 4096];
    uint8_t whole[TRAIL_MAX];
    size_t size;
    struct found found;

    (void)context;
    append_some();
    size = load(whole);
    memset(strange, 'x', sizeof strange);
    memcpy(whole + size, strange, sizeof strange);
    save(whole, size + sizeof strange);
    append("tried", "afterwards");
    assert_true(load(whole) > size + sizeof strange);
    found = read_all();
    assert_true(found.broken > 0);
    assert_string_equal(found.texts[found.count - 1], "afterwards");
    append("tried", "and on");
    assert_int_equal(read_all().broken, found.broken);
}

static void a_text_cannot_move_a_terminal(void **context)
{
    char longer[2 * RIAD_EVENT_TEXT_MAX];
    struct found found;

    (void)context;
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    append("tried", "\x1b[31m red \xc3\xa4 \n\"quoted\"");
    append("tried", longer);
    found = read_all();
    assert_string_equal(found.texts[0], "?[31m red ?? ?\"quoted\"");
    assert_int_equal(strlen(found.texts[1]), RIAD_EVENT_TEXT_MAX);
    assert_int_equal(found.broken, 0);
}

/* A line that could not be written whole is not there. */
static void a_failure_leaves_the_trail_as_it_was(void **context)
{
    static const enum fault_call calls[] = { FAULT_PWRITE, FAULT_FDATASYNC, FAULT_PREAD };
    const struct riad_event event = { "tried", &store, NULL, "in vain" };
    struct riad_hash head;

    (void)context;
    append_some();
    head = read_all().head;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct found found;

        faults_fail(calls[i], 1, ENOSPC);
        assert_int_equal(riad_events_append(&state, &event), -ENOSPC);
        faults_fail(FAULT_NONE, 0, 0);
        found = read_all();
        assert_int_equal(found.count, EVENTS);
        assert_true(riad_hash_equal(&found.head, &head));
    }
    append("tried", "later");
    assert_int_equal(read_all().broken, 0);
}

static void only_a_file_is_a_trail(void **context)
{
    const struct riad_event event = { "tried", NULL, NULL, "" };
    struct found found = { 0 };

    (void)context;
    assert_int_equal(mkfifoat(state.fd, "events", 0600), 0);
    assert_int_equal(riad_events_append(&state, &event), -EMEDIUMTYPE);
    assert_int_equal(unlinkat(state.fd, "events", 0), 0);
    assert_int_equal(symlinkat("/dev/null", state.fd, "events"), 0);
    assert_int_equal(riad_events_append(&state, &event), -ELOOP);
    assert_int_equal(riad_events_read(&state, note, &found), -ELOOP);
}

static void *append_many(void *argument)
{
    (void)argument;
    for (int i = 0; i < 25; i++) {
        const struct riad_event event = { "tried", &store, NULL, "at once" };

        if (riad_events_append(&state, &event) < 0) {
            return &state;
        }
    }
    return NULL;
}

static void many_at_once_make_one_chain(void **context)
{
    pthread_t threads[4];
    struct found found;

    (void)context;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, append_many, NULL), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *failed;

        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    found = read_all();
    assert_int_equal(found.count, 100);
    assert_int_equal(found.broken, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_come_back_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(every_changed_byte_shows, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_taken_out_or_moved_show, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wrong_number_shows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_cut_short_goes_and_nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_line_stays_and_shows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_text_cannot_move_a_terminal, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failure_leaves_the_trail_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(only_a_file_is_a_trail, setup, teardown),
        cmocka_unit_test_setup_teardown(many_at_once_make_one_chain, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
