/* Rows from the store (FORMAT 6, 7): what a checkpoint holds, loaded into an empty index, and what
 * a change holds, applied to one. Both are decoded by the same functions and refused if they
 * contradict the rows that are there; what was taken can be read and checked. */
#include "riad/index.h"

#include "place.h"

enum { EVERY = 64 }; /* inputs to one index of those that are loaded without an error */

static struct fuzz_model model;
static struct riad_index *index_open;
static unsigned loaded;
static uint64_t number;

static void put_rows(struct riad_change *change)
{
    const struct riad_inode root = { .inode = 1,
        .generation = 1,
        .mode = 0040755,
        .nlink = 2,
        .next_cookie = 5,
        .parent = 1,
        .truncate_mark = RIAD_NO_TRUNCATE_MARK,
        .blocks = 1 };
    const struct riad_inode file = { .inode = 2,
        .generation = 1,
        .mode = 0100644,
        .nlink = 1,
        .parent = 1,
        .size = 4096,
        .blocks = 2,
        .truncate_mark = RIAD_NO_TRUNCATE_MARK,
        .xattr_bytes = 14 };
    const struct riad_dentry name = {
        .parent = 1, .cookie = 3, .inode = 2, .type = 8, .name_size = 1, .name = "a"
    };
    const struct riad_extent extent = { .inode = 2,
        .length = 4096,
        .kind = RIAD_EXTENT_DATA,
        .unit_shift = 12,
        .segment = (uint64_t)1 << 32 | 1,
        .position = 216,
        .run_length = 4096,
        .born = { 2, 1, 0 },
        .birth = 1,
        .tag_count = 1 };

    riad_change_put_inode(change, &root);
    riad_change_put_inode(change, &file);
    riad_change_put_dentry(change, &name);
    riad_change_put_xattr(change, 2, "user.name", "value", 5);
    riad_change_put_extent(change, &extent);
}

static void make_model(void)
{
    struct riad_change change = { 0 };

    riad_change_begin(&change, (struct timespec){ 1, 2 }, 0);
    put_rows(&change);
    FUZZ_ASSERT(change.operations.error == 0);
    model.size = change.operations.size;
    memcpy(model.data, change.operations.data, model.size);
    riad_change_done(&change);
}

static void begin(void)
{
    if (index_open) {
        riad_index_close(index_open);
    }
    FUZZ_ASSERT(riad_index_discard(place.path) == 0);
    FUZZ_ASSERT(riad_index_open(place.path, place_keys, &index_open) == 0);
    loaded = 0;
}

static void end(void)
{
    riad_index_close(index_open);
}

static int see_entry(
        void *context, const struct riad_dentry *dentry, const struct riad_inode *inode)
{
    (void)inode;
    FUZZ_ASSERT(dentry->name_size > 0 && dentry->name_size <= RIAD_NAME_MAX);
    FUZZ_ASSERT(dentry->cookie > *(uint64_t *)context);
    *(uint64_t *)context = dentry->cookie;
    return 0;
}

static int see_extent(void *context, const struct riad_extent *extent)
{
    FUZZ_ASSERT(extent->offset >= *(uint64_t *)context); /* they do not overlap */
    *(uint64_t *)context = extent->offset + extent->length;
    return 0;
}

static void count_finding(void *context, const char *finding)
{
    (void)context;
    FUZZ_ASSERT(finding[0]);
}

static void look(void)
{
    uint64_t last = 0, reached = 0, findings;
    _cleanup_(riad_snapshot_freep) struct riad_snapshot *snapshot = NULL;
    struct riad_inode inode;

    FUZZ_ASSERT(riad_index_list(index_open, 1, 0, see_entry, &last) == 0);
    FUZZ_ASSERT(riad_index_extents(index_open, 2, 0, UINT64_MAX, see_extent, &reached) == 0);
    (void)!riad_index_get_inode(index_open, 2, &inode);
    FUZZ_ASSERT(riad_snapshot_take(index_open, &snapshot) == 0);
    FUZZ_ASSERT(riad_snapshot_check(snapshot, count_finding, NULL, &findings) == 0);
}

/* As a checkpoint: after an error the index is given up. */
static int load(const struct fuzz_bytes *bytes)
{
    int r;

    begin();
    r = riad_index_load(index_open, bytes->data, bytes->size);
    FUZZ_ASSERT(r == 0 || r == -EBADMSG);
    if (r == 0) {
        look();
    }
    begin();
    return r;
}

/* As a change: all or nothing. */
static void apply(const struct fuzz_bytes *bytes)
{
    struct riad_end end = { .segment = 1, .sequence = { 1, ++number } };
    struct riad_reader operations;
    struct riad_usage before, after;
    int r;

    riad_reader_init(&operations, bytes->data, bytes->size);
    riad_index_usage(index_open, &before);
    r = riad_index_apply(index_open, &operations, &end, 0);
    riad_index_usage(index_open, &after);
    FUZZ_ASSERT(r == 0 || r == -EBADMSG);
    FUZZ_ASSERT(r == 0 || (before.blocks == after.blocks && before.inodes == after.inodes));
    if (r == 0 && ++loaded == EVERY) {
        look();
        begin();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_fuzz_ struct fuzz_bytes bytes = { 0 };

    if (model.size == 0) {
        place_make();
        make_model();
        begin();
        atexit(end);
    }
    if (!fuzz_take(data, size, &model, &bytes)) {
        return 0;
    }
    if (data[0] & 2) {
        int r = load(&bytes);

        FUZZ_ASSERT(r == 0 || !fuzz_is_model(&bytes, &model));
    } else {
        apply(&bytes);
    }
    return 0;
}
