/* The file of the trail, and the form of its lines. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/bytes.h"
#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"

#include "events_priv.h"

int riad_event_hash(const char *line, size_t size, struct riad_hash *ret)
{
    return riad_sha256_labelled("riad/v1/event", line, size, ret);
}

int riad_events_open(const struct riad_state *state, int flags)
{
    _cleanup_close_ int fd = TEMP_FAILURE_RETRY(
            openat(state->fd, RIAD_EVENTS_FILE, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        return -errno;
    }
    return S_ISREG(st.st_mode) ? riad_take_fd(&fd) : -EMEDIUMTYPE;
}

char *riad_event_clean(const char *text, size_t max, char *ret)
{
    size_t size = 0;

    for (; text[size] && size < max; size++) {
        ret[size] = (char)(text[size] >= ' ' && text[size] <= '~' ? text[size] : '?');
    }
    ret[size] = '\0';
    return ret;
}

static bool is_text(const json_t *object, const char *key, size_t max)
{
    const json_t *value = json_object_get(object, key);

    return json_is_string(value) && json_string_length(value) <= max;
}

static bool get_number(const json_t *object, uint64_t *ret)
{
    const json_t *value = json_object_get(object, "number");

    if (!json_is_integer(value) || json_integer_value(value) < 1) {
        return false;
    }
    *ret = (uint64_t)json_integer_value(value);
    return true;
}

static bool get_previous(const json_t *object, struct riad_hash *ret)
{
    const json_t *value = json_object_get(object, "previous");

    return json_is_string(value) && json_string_length(value) == 2 * sizeof *ret &&
           riad_hex_decode(json_string_value(value), ret, sizeof *ret) == 0;
}

json_t *riad_event_parse(
        const char *line, size_t size, uint64_t *ret_number, struct riad_hash *ret_previous)
{
    json_t *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);

    if (json_is_object(object) && is_text(object, "time", 32) && is_text(object, "event", 64) &&
            is_text(object, "text", RIAD_EVENT_TEXT_MAX) && get_number(object, ret_number) &&
            get_previous(object, ret_previous)) {
        return object;
    }
    json_decref(object);
    return NULL;
}
