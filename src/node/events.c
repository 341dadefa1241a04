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

/* One write of the whole line; cut off again if it is not whole. */
static int write_line(
        int fd, uint64_t size, const struct tail *tail, json_t *object, struct riad_hash *ret_head)
{
    char line[RIAD_EVENT_LINE_MAX + 1] = "\n";
    size_t begin = tail->unended ? 1 : 0;
    size_t n = object ? json_dumpb(object, line + begin, RIAD_EVENT_LINE_MAX, JSON_COMPACT) : 0;
    int r = 0;

    if (n == 0 || n >= RIAD_EVENT_LINE_MAX) {
        return -ENOMEM;
    }
    n += begin;
    line[n++] = '\n';
    if (tail->end < size && riad_sys->ftruncate(fd, (off_t)tail->end) < 0) {
        return -errno;
    }
    r = riad_pwrite_all(fd, line, n, tail->end);
    if (r == 0 && riad_sys->fdatasync(fd) < 0) {
        r = -errno;
    }
    if (r < 0) {
        (void)riad_sys->ftruncate(fd, (off_t)tail->end);
    }
    return r < 0 ? r : riad_event_hash(line + begin, n - begin - 1, ret_head);
}

/* With the head, which a log on another machine keeps: cutting the trail shows there. A log that
 * does not take it is no error, as with syslog(3) ever. */
static void tell_system(const json_t *object, const struct riad_hash *head)
{
    static const char *const keys[] = { "store", "workspace" };
    char hex[2 * sizeof *head + 1], ids[128] = "";
    size_t used = 0;

    riad_hex_encode(head, sizeof *head, hex);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *id = json_string_value(json_object_get(object, keys[i]));

        used += id ? (size_t)snprintf(ids + used, sizeof ids - used, " %s=%s", keys[i], id) : 0;
    }
    syslog(LOG_AUTH | LOG_NOTICE, "riad event %lld %s: %s uid=%d%s head=%s",
            json_integer_value(json_object_get(object, "number")),
            json_string_value(json_object_get(object, "event")),
            json_string_value(json_object_get(object, "text")), (int)getuid(), ids, hex);
}

/* The object that was written, a new reference, and its hash. */
static int append(const struct riad_state *state, const struct riad_event *event,
        json_t **ret_object, struct riad_hash *ret_head)
{
    uint64_t size = 0;
    struct tail tail;
    json_t *object;
    _cleanup_close_ int fd = open_locked(state, &size);
    int r;

    if (fd < 0) {
        return fd;
    }
    r = find_tail(fd, size, &tail);
    if (r < 0) {
        return r;
    }
    object = pack(event, &tail);
    r = write_line(fd, size, &tail, object, ret_head);
    if (r < 0) {
        json_decref(object);
        return r;
    }
    *ret_object = object;
    return 0;
}

/* The system's log may be slow: it is told when the trail is free for others. */
int riad_events_append(const struct riad_state *state, const struct riad_event *event)
{
    struct riad_hash head;
    json_t *object;
    int r = append(state, event, &object, &head);

    if (r < 0) {
        return r;
    }
    tell_system(object, &head);
    json_decref(object);
    return 0;
}

void riad_events_record(const struct riad_state *state, const char *kind,
        const struct riad_id *store, const struct riad_id *workspace, const char *format, ...)
{
    char text[RIAD_EVENT_TEXT_MAX + 1];
    const struct riad_event event = { kind, store, workspace, text };
    va_list arguments;
    int r;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    r = riad_events_append(state, &event);
    if (r < 0) {
        riad_diag(RIAD_WARNING, "the event `%s` cannot be recorded in %s/" RIAD_EVENTS_FILE ": %s",
                kind, state->path, strerror(-r));
    }
}
