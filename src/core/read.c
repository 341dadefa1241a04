/* Reads: extents are copied under the lock, records read and opened without it. */
#include <errno.h>
#include <stdlib.h>

#include "riad/patience.h"

#include "rows_priv.h"

enum { WINDOW_EXTENTS = 64 };

/* The extents behind [from, to) of a file, in order. */
struct read_window {
    uint64_t inode;
    uint64_t from, to;           /* to shrinks to the file's end, and to what the extents reach */
    struct riad_extent *extents; /* room for WINDOW_EXTENTS */
    size_t count;
};

static int collect(void *context, const struct riad_extent *extent)
{
    struct read_window *window = context;

    if (extent->kind != RIAD_EXTENT_DATA) {
        return 0;
    }
    if (window->count == WINDOW_EXTENTS) {
        window->to = extent->offset;
        return 1;
    }
    window->extents[window->count++] = *extent;
    return 0;
}

/* Bytes at or past a truncate mark are gone: they read as zeros up to the file's end. */
static int collect_locked(struct riad_workspace *workspace, struct read_window *window)
{
    struct riad_inode row;
    uint64_t end;
    int r = riad_get_file(workspace, window->inode, &row);

    if (r < 0) {
        return r;
    }
    window->to = row.size < window->to ? row.size : window->to;
    end = row.truncate_mark < window->to ? row.truncate_mark : window->to;
    if (window->from >= end) {
        return 0;
    }
    return riad_index_extents(workspace->index, window->inode, window->from, end, collect, window);
}

static int fill_window(struct riad_workspace *workspace, struct read_window *window)
{
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    window->count = 0;
    r = collect_locked(workspace, window);
    riad_workspace_unlock(workspace);
    return r < 0 ? r : 0;
}

/* The parts of the extents in the window, which begins at ret; holes are zeros. */
static void fill_parts(
        const struct read_window *window, uint8_t *ret, struct riad_part parts[WINDOW_EXTENTS])
{
    uint64_t done = window->from;

    for (size_t i = 0; i < window->count; i++) {
        const struct riad_extent *extent = &window->extents[i];
        uint64_t from = extent->offset > window->from ? extent->offset : window->from;
        uint64_t end = riad_extent_end(extent);
        uint64_t to = end < window->to ? end : window->to;

        memset(ret + (done - window->from), 0, from - done);
        parts[i] = (struct riad_part){ .run = riad_extent_run(extent),
            .from = extent->skip + (uint32_t)(from - extent->offset),
            .size = (uint32_t)(to - from),
            .ret = ret + (from - window->from) };
        done = to;
    }
    if (done < window->to) {
        memset(ret + (done - window->from), 0, window->to - done);
    }
}

/* Fills ret with the window's bytes. *ret_damaged is the extent that cannot be read. */
static int read_window(struct riad_workspace *workspace, const struct read_window *window,
        uint8_t *ret, const struct riad_extent **ret_damaged)
{
    struct riad_part parts[WINDOW_EXTENTS];
    size_t failed = 0;
    int r;

    fill_parts(window, ret, parts);
    r = riad_segments_read_parts(workspace->segments, parts, window->count, &failed);
    if (r < 0) {
        *ret_damaged = &window->extents[failed];
    }
    return r;
}

static int report_damage(
        struct riad_workspace *workspace, const struct riad_extent *extent, int error)
{
    char place[48];
    int r;

    riad_segment_show(workspace->workspace_fd, extent->segment, place);
    r = riad_workspace_lock(workspace);
    if (r < 0) {
        return r;
    }
    riad_workspace_event(workspace, "inode %llu at %llu cannot be read: %s at %llu: %s",
            (unsigned long long)extent->inode, (unsigned long long)extent->offset, place,
            (unsigned long long)extent->position,
            error == -EBADMSG ? "damaged or forged" : strerror(-error));
    riad_workspace_unlock(workspace);
    return error == -ENOMEM ? -ENOMEM : -EIO;
}

/* The second try has fresh extents: between copying and reading a cleaner may have moved them (L7),
 * or an unlink freed their segment. */
static int serve(struct riad_workspace *workspace, struct read_window *window, uint8_t *ret)
{
    const struct riad_extent *damaged = NULL;
    uint64_t to = window->to;
    int r = 0;

    for (int tries = 0; tries < 2; tries++) {
        window->to = to;
        r = fill_window(workspace, window);
        if (r < 0 || window->from >= window->to) {
            return r;
        }
        r = read_window(workspace, window, ret, &damaged);
        if (r == 0 || r == RIAD_WOULD_WAIT) {
            return r;
        }
    }
    return report_damage(workspace, damaged, r);
}

int riad_read(struct riad_workspace *workspace, uint64_t inode, uint64_t offset, uint32_t size,
        uint8_t *ret, uint32_t *ret_size)
{
    _cleanup_free_ struct riad_extent *extents = malloc(WINDOW_EXTENTS * sizeof *extents);
    struct read_window window = { .inode = inode, .from = offset, .extents = extents };
    uint64_t end = offset > UINT64_MAX - size ? UINT64_MAX : offset + size;
    int r;

    if (!extents) {
        return -ENOMEM;
    }
    do {
        window.to = end;
        r = serve(workspace, &window, ret + (window.from - offset));
        if (r < 0) {
            return r;
        }
        if (window.to <= window.from) {
            break;
        }
        window.from = window.to;
    } while (window.from < end);
    *ret_size = (uint32_t)(window.from - offset);
    return 0;
}
