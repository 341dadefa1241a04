/* Several reads at once. A file that was written in small appends lies in a row of records, with
 * changes between: where the store is far away, what counts is how often it is asked. */
#include "riad/error.h"
#include "riad/patience.h"

#include "segments_priv.h"

enum {
    GAP_MAX = 16 << 10, /* bytes between two that are read in vain */
    STRETCH_MAX = 1 << 20,
};

/* Requests of one segment that are read by one pread. */
struct stretch {
    uint64_t segment, position;
    size_t size;
};

static int make(const struct riad_part *part, struct riad_request *ret)
{
    return riad_request_make(&part->run, part->from, part->size, part->ret, ret);
}

/* Whether the request follows what the stretch has, which it then does, too. */
static bool join(struct stretch *stretch, const struct riad_request *request)
{
    uint64_t end = stretch->position + stretch->size;
    uint64_t position = riad_request_position(request);
    size_t size = riad_request_sealed_size(request);

    if (request->run->segment != stretch->segment || position < end || position - end > GAP_MAX ||
            position + size - stretch->position > STRETCH_MAX) {
        return false;
    }
    stretch->size = (size_t)(position + size - stretch->position);
    return true;
}

/* How many of the parts, from the first on, make a stretch. */
static size_t find_stretch(const struct riad_part *parts, size_t count, struct stretch *ret)
{
    struct riad_request request;
    size_t joined = 1;

    if (make(&parts[0], &request) < 0) {
        return 1;
    }
    *ret = (struct stretch){ request.run->segment, riad_request_position(&request),
        riad_request_sealed_size(&request) };
    while (joined < count && make(&parts[joined], &request) == 0 && join(ret, &request)) {
        joined++;
    }
    return joined;
}

static int read_stretch(struct riad_segments *segments, const struct stretch *stretch,
        const struct riad_part *parts, size_t count)
{
    uint8_t *data;
    int r = riad_segments_scratch(stretch->size + RIAD_UNIT_MAX, &data);

    if (r == 0) {
        r = riad_segments_fetch(segments, stretch->segment, stretch->position, stretch->size, data);
    }
    for (size_t i = 0; i < count && r == 0; i++) {
        struct riad_request request;

        r = make(&parts[i], &request);
        if (r == 0) {
            r = riad_request_open(segments, &request,
                    data + (riad_request_position(&request) - stretch->position),
                    data + stretch->size);
        }
    }
    return r;
}

static int read_each(struct riad_segments *segments, const struct riad_part *parts, size_t count,
        size_t *ret_failed)
{
    for (size_t i = 0; i < count; i++) {
        const struct riad_part *part = &parts[i];
        int r = riad_segments_read(segments, &part->run, part->from, part->size, part->ret);

        if (r < 0) {
            *ret_failed = i;
            return r;
        }
    }
    return 0;
}

/* What the last appends made may be missing in the store yet. Whatever is wrong then, reading one
 * by one finds it, and where. */
static int read_joined(struct riad_segments *segments, const struct stretch *stretch,
        const struct riad_part *parts, size_t count, size_t *ret_failed)
{
    int r = read_stretch(segments, stretch, parts, count);

    if (r == -EBADMSG && riad_segments_mend(segments, stretch->segment) == 0) {
        r = read_stretch(segments, stretch, parts, count);
    }
    return r < 0 && r != RIAD_WOULD_WAIT ? read_each(segments, parts, count, ret_failed) : r;
}

int riad_segments_read_parts(struct riad_segments *segments, const struct riad_part *parts,
        size_t count, size_t *ret_failed)
{
    size_t done = 0;
    int r = 0;

    while (done < count && r == 0) {
        struct stretch stretch;
        size_t joined = find_stretch(parts + done, count - done, &stretch), failed = 0;

        r = joined > 1 ? read_joined(segments, &stretch, parts + done, joined, &failed)
                       : read_each(segments, parts + done, 1, &failed);
        if (r < 0) {
            *ret_failed = done + failed;
        }
        done += joined;
    }
    return r;
}
