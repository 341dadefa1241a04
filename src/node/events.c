/* Appending to the trail: under a lock of the file, durably. */
#include "riad/events.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "riad/bytes.h"
#include "riad/cleanup.h"
#include "riad/diag.h"
#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/sysops.h"

#include "events_priv.h"

/* Where the next line goes, and what it follows. */
struct tail {
    uint64_t end;
    bool unended;    /* what is there has no newline, and is not a line cut short */
    uint64_t number; /* of the last event; 0: none */
    struct riad_hash hash;
};

static int open_locked(const struct riad_state *state, uint64_t *ret_size)
{
    _cleanup_close_ int fd = riad_events_open(state, O_RDWR | O_CREAT);
    struct stat st;

    if (fd < 0) {
        return fd;
    }
    if (TEMP_FAILURE_RETRY(flock(fd, LOCK_EX)) < 0 || fstat(fd, &st) < 0) {
        return -errno;
    }
    *ret_size = (uint64_t)st.st_size;
    return riad_take_fd(&fd);
}

/* A line that cannot be read is not followed: the next one begins a trail, and the gap shows. */
static int follow(const char *line, size_t size, struct tail *tail)
{
    struct riad_hash previous;
    json_t *object = riad_event_parse(line, size, &tail->number, &previous);

    if (!object) {
        tail->number = 0;
        return 0;
    }
    json_decref(object);
    return riad_event_hash(line, size, &tail->hash);
}

/* What stands behind the last newline is of a writer that died, and goes, if it is no longer than a
 * line can be. */
static int find_tail(int fd, uint64_t size, struct tail *ret)
{
    char text[2 * RIAD_EVENT_LINE_MAX];
    uint64_t from = size > sizeof text ? size - sizeof text : 0;
    struct tail tail = { .end = size };
    const char *newline, *before;
    size_t n, rest;
    int r = riad_pread_all(fd, text, (size_t)(size - from), from, &n);

    if (r < 0) {
        return r;
    }
    newline = memrchr(text, '\n', n);
    rest = newline ? (size_t)(text + n - newline) - 1 : n;
    tail.unended = rest >= RIAD_EVENT_LINE_MAX;
    tail.end = tail.unended ? size : size - rest;
    if (newline && !tail.unended) {
        before = memrchr(text, '\n', (size_t)(newline - text));
        before = before ? before + 1 : text;
        r = follow(before, (size_t)(newline - before), &tail);
    }
    if (r < 0) {
        return r;
    }
    *ret = tail;
    return 0;
}

static int set_id(json_t *object, const char *key, const struct riad_id *id)
{
    char hex[2 * sizeof *id + 1];

    if (!id) {
        return 0;
    }
    riad_hex_encode(id, sizeof *id, hex);
    return json_object_set_new(object, key, json_string(hex));
}

static json_t *pack(const struct riad_event *event, const struct tail *tail)
{
    char when[32], text[RIAD_EVENT_TEXT_MAX + 1], previous[2 * sizeof tail->hash + 1];
    json_t *object;

    (void)riad_show_now(when);
    riad_event_clean(event->text, RIAD_EVENT_TEXT_MAX, text);
    riad_hex_encode(&tail->hash, sizeof tail->hash, previous);
    object = json_pack("{s:I, s:s, s:s, s:i, s:i, s:s, s:s}", "number",
            (json_int_t)(tail->number + 1), "time", when, "event", event->kind, "uid",
            (int)getuid(), "pid", (int)getpid(), "text", text, "previous", previous);
    if (object && (set_id(object, "store", event->store) < 0 ||
                          set_id(object, "workspace", event->workspace) < 0)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* The event's line behind those before, which *tail follows then; beside it the object and its hash
 * for the system's log. */
static int put_line(
        const struct riad_event *event, struct tail *tail, struct riad_writer *text, json_t *told)
{
    json_t *object = pack(event, tail);
    char line[RIAD_EVENT_LINE_MAX], head[2 * sizeof tail->hash + 1];
    size_t n = object ? json_dumpb(object, line, sizeof line, JSON_COMPACT) : 0;
    int r = n == 0 || n >= sizeof line ? -ENOMEM : riad_event_hash(line, n, &tail->hash);

    if (r < 0) {
        json_decref(object);
        return r;
    }
    riad_put_bytes(text, line, n);
    riad_put_bytes(text, "\n", 1);
    tail->number++;
    riad_hex_encode(&tail->hash, sizeof tail->hash, head);
    r = json_array_append_new(told, json_pack("{s:o, s:s}", "event", object, "head", head));
    return r < 0 ? -ENOMEM : text->error;
}

/* One write of whole lines; cut off again if they are not whole. */
static int write_text(int fd, uint64_t size, uint64_t end, const struct riad_writer *text)
{
    int r;

    if (end < size && riad_sys->ftruncate(fd, (off_t)end) < 0) {
        return -errno;
    }
    r = riad_pwrite_all(fd, text->data, text->size, end);
    if (r == 0 && riad_sys->fdatasync(fd) < 0) {
        r = -errno;
    }
    if (r < 0) {
        (void)riad_sys->ftruncate(fd, (off_t)end);
    }
    return r;
}

/* With the head, which a log on another machine keeps: cutting the trail shows there. A log that
 * does not take it is no error, as with syslog(3) ever. */
static void tell_system(const json_t *told)
{
    static const char *const keys[] = { "store", "workspace" };
    const json_t *object = json_object_get(told, "event");
    char ids[128] = "";
    size_t used = 0;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *id = json_string_value(json_object_get(object, keys[i]));

        used += id ? (size_t)snprintf(ids + used, sizeof ids - used, " %s=%s", keys[i], id) : 0;
    }
    syslog(LOG_AUTH | LOG_NOTICE, "riad event %lld %s: %s uid=%d%s head=%s",
            json_integer_value(json_object_get(object, "number")),
            json_string_value(json_object_get(object, "event")),
            json_string_value(json_object_get(object, "text")), (int)getuid(), ids,
            json_string_value(json_object_get(told, "head")));
}

static int append(
        const struct riad_state *state, const struct riad_event *events, size_t count, json_t *told)
{
    _cleanup_(riad_writer_done) struct riad_writer text = { 0 };
    uint64_t size = 0;
    struct tail tail;
    _cleanup_close_ int fd = open_locked(state, &size);
    int r = fd < 0 ? fd : find_tail(fd, size, &tail);

    if (r < 0) {
        return r;
    }
    riad_writer_init_growing(&text, RIAD_EVENT_LINE_MAX, count * RIAD_EVENT_LINE_MAX + 1);
    if (tail.unended) {
        riad_put_bytes(&text, "\n", 1);
    }
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = put_line(&events[i], &tail, &text, told);
    }
    return r < 0 ? r : write_text(fd, size, tail.end, &text);
}

/* The system's log may be slow: it is told when the trail is free for others. */
int riad_events_append_all(
        const struct riad_state *state, const struct riad_event *events, size_t count)
{
    json_t *told = json_array();
    int r = append(state, events, count, told);

    for (size_t i = 0; r == 0 && i < count; i++) {
        tell_system(json_array_get(told, i));
    }
    json_decref(told);
    return r;
}

int riad_events_append(const struct riad_state *state, const struct riad_event *event)
{
    return riad_events_append_all(state, event, 1);
}

void riad_events_record_all(
        const struct riad_state *state, const struct riad_event *events, size_t count)
{
    int r = count > 0 ? riad_events_append_all(state, events, count) : 0;

    if (r < 0) {
        riad_diag(RIAD_WARNING,
                "%zu event(s) `%s` cannot be recorded in %s/" RIAD_EVENTS_FILE ": %s", count,
                events[0].kind, state->path, strerror(-r));
    }
}

void riad_events_record(const struct riad_state *state, const char *kind,
        const struct riad_id *store, const struct riad_id *workspace, const char *format, ...)
{
    char text[RIAD_EVENT_TEXT_MAX + 1];
    const struct riad_event event = { kind, store, workspace, text };
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    riad_events_record_all(state, &event, 1);
}
