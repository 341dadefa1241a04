#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"

#include "events_priv.h"

/* The chain as it was read so far. */
struct chain {
    uint64_t number;
    struct riad_hash hash; /* zeros before the first */
};

static int open_file(const struct riad_state *state, FILE **ret)
{
    _cleanup_close_ int fd = riad_events_open(state, O_RDONLY);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

    if (!file) {
        return fd < 0 ? fd : -errno;
    }
    riad_take_fd(&fd);
    *ret = file;
    return 0;
}

/* A line too long to be an event is read to its end in pieces, of which none is one. */
static int pass_line(
        char *line, size_t size, struct chain *chain, riad_events_function function, void *context)
{
    struct riad_event_line event = { .number = 0 };
    struct riad_hash previous = { { 0 } };
    json_t *object;
    int r = riad_event_hash(line, size, &event.hash);

    if (r < 0) {
        return r;
    }
    object = riad_event_parse(line, size, &event.number, &previous);
    event.object = object;
    event.follows =
            object && event.number == chain->number + 1 && riad_hash_equal(&previous, &chain->hash);
    r = function(context, &event);
    json_decref(object);
    *chain = (struct chain){ event.number, event.hash };
    return r;
}

int riad_events_read(const struct riad_state *state, riad_events_function function, void *context)
{
    _cleanup_fclose_ FILE *file = NULL;
    char line[RIAD_EVENT_LINE_MAX + 1];
    struct chain chain = { 0 };
    int r = open_file(state, &file);

    if (r < 0) {
        return r == -ENOENT ? 0 : r;
    }
    while (r == 0 && fgets(line, sizeof line, file)) {
        size_t size = strlen(line);
        bool ended = size > 0 && line[size - 1] == '\n';

        if (!ended && feof(file)) {
            break;
        }
        r = pass_line(line, ended ? size - 1 : size, &chain, function, context);
    }
    return r == 0 && ferror(file) ? -EIO : r;
}
