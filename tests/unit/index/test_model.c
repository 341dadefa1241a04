/* Random changes against a plain model in memory: rows, usage, next inode, extents and live bytes
 * are the same after each, whatever is committed, refused or reopened in between. */
#include "index/fixture.h"

enum {
    INODES = 40,
    NAMES = 12,
    NAME_SIZE = 100,
    BLOCKS = 64, /* of a file, in units */
    SEGMENTS = 6,
    STEPS = 6000,
    NO_COOKIE = 1 << 30, /* never given out */
};

struct entry {
    uint64_t cookie; /* 0: no such name */
    uint64_t inode;
};

struct file {
    bool exists;
    struct riad_inode row;
    struct entry names[NAMES];          /* entries below this inode */
    struct riad_extent extents[BLOCKS]; /* by offset in units; length 0: none begins there */
};

struct model {
    struct file files[INODES];
    struct riad_usage usage;
    uint64_t next_inode;
    uint64_t next_cookie;
    uint64_t seed;
};

static uint64_t draw(struct model *model, uint64_t below)
{
    model->seed ^= model->seed << 13;
    model->seed ^= model->seed >> 7;
    model->seed ^= model->seed << 17;
    return model->seed % below;
}

/* A live inode's number, or 0 if that many draws find none. */
static uint64_t draw_live(struct model *model)
{
    for (int i = 0; i < 50; i++) {
        uint64_t inode = 1 + draw(model, INODES - 1);

        if (model->files[inode].exists) {
            return inode;
        }
    }
    return 0;
}

/* Inodes spread so that some share a slot of the cache. */
static uint64_t number_of(uint64_t i)
{
    return i < INODES / 2 ? i : i - INODES / 2 + 4096;
}

static void put_inode(struct model *model, struct riad_change *change)
{
    uint64_t i = 1 + draw(model, INODES - 1);
    struct file *file = &model->files[i];
    struct riad_inode row = make_inode(number_of(i), S_IFREG | 0644);

    row.blocks = draw(model, 100);
    row.nlink = (uint32_t)draw(model, 3);
    row.truncate_mark = draw(model, 3) == 0 ? draw(model, 1000) : RIAD_NO_TRUNCATE_MARK;
    row.parent = 1 + draw(model, 5);
    if (row.inode == RIAD_ROOT_INODE) {
        row = make_inode(1, S_IFDIR | 0755);
        row.blocks = draw(model, 7);
        row.next_cookie = model->next_cookie;
    }
    model->usage.inodes += file->exists ? 0 : 1;
    model->usage.blocks += row.blocks - (file->exists ? file->row.blocks : 0);
    file->exists = true;
    file->row = row;
    if (row.inode >= model->next_inode) {
        model->next_inode = row.inode + 1;
    }
    riad_change_put_inode(change, &row);
}

static void remove_inode(struct model *model, struct riad_change *change)
{
    uint64_t i = draw_live(model);
    struct file *file = &model->files[i];

    if (i == 0) {
        return;
    }
    model->usage.inodes--;
    model->usage.blocks -= file->row.blocks;
    file->exists = false;
    memset(file->extents, 0, sizeof file->extents);
    riad_change_remove_inode(change, number_of(i));
}

static void name_of(uint64_t i, char ret[NAME_SIZE])
{
    snprintf(ret, NAME_SIZE, "%0*d", (int)(1 + i * 7), (int)i); /* some too long for the cache */
}

static void put_dentry(struct model *model, struct riad_change *change)
{
    uint64_t parent = draw(model, INODES - 1) + 1;
    uint64_t i = draw(model, NAMES);
    struct entry *entry = &model->files[parent].names[i];
    struct riad_dentry row;
    char name[NAME_SIZE];

    name_of(i, name);
    if (entry->cookie == 0) {
        entry->cookie = model->next_cookie++;
    }
    entry->inode = number_of(1 + draw(model, INODES - 1));
    row = make_dentry(number_of(parent), entry->cookie, entry->inode, DT_REG, name);
    riad_change_put_dentry(change, &row);
}

static void remove_dentry(struct model *model, struct riad_change *change)
{
    uint64_t parent = draw(model, INODES - 1) + 1;
    struct entry *entry = &model->files[parent].names[draw(model, NAMES)];

    if (entry->cookie != 0) {
        riad_change_remove_dentry(change, number_of(parent), entry->cookie);
        entry->cookie = 0;
    }
}

/* Clears what the new one would overlap, then puts it: as core does, but cruder. */
static void put_extent(struct model *model, struct riad_change *change)
{
    uint64_t i = draw(model, INODES - 1) + 1;
    struct file *file = &model->files[i];
    uint64_t from = draw(model, BLOCKS - 8);
    uint64_t units = 1 + draw(model, 8);
    struct riad_extent row = make_extent(number_of(i), from * UNIT, (uint32_t)units * UNIT,
            100 + draw(model, SEGMENTS), draw(model, 1000));

    for (uint64_t at = 0; at < from + units; at++) {
        uint64_t end = at + file->extents[at].length / UNIT;

        if (file->extents[at].length > 0 && end > from) {
            riad_change_clear_extents(change, number_of(i), at * UNIT, at * UNIT + 1);
            file->extents[at].length = 0;
        }
    }
    if (draw(model, 4) == 0) {
        row = make_unwritten(number_of(i), from * UNIT, units * UNIT);
    }
    file->extents[from] = row;
    riad_change_put_extent(change, &row);
}

static void clear_extents(struct model *model, struct riad_change *change)
{
    uint64_t i = draw(model, INODES - 1) + 1;
    uint64_t from = draw(model, BLOCKS);
    uint64_t to = from + draw(model, BLOCKS - from);

    riad_change_clear_extents(change, number_of(i), from * UNIT, to * UNIT);
    for (uint64_t at = from; at < to; at++) {
        model->files[i].extents[at].length = 0;
    }
}

typedef void (*actor)(struct model *model, struct riad_change *change);

static const actor actors[] = { put_inode, put_inode, remove_inode, put_dentry, put_dentry,
    remove_dentry, put_extent, put_extent, clear_extents };

static void assert_file(struct fixture *f, uint64_t inode, const struct file *file)
{
    struct riad_inode row;

    if (file->exists) {
        assert_inode_is(f, &file->row);
    } else {
        assert_int_equal(riad_index_get_inode(f->index, inode, &row), -ENOENT);
    }
}

static void assert_names(struct fixture *f, uint64_t inode, const struct file *file)
{
    for (uint64_t i = 0; i < NAMES; i++) {
        struct riad_dentry row;
        char name[NAME_SIZE];
        int r;

        name_of(i, name);
        r = riad_index_lookup(f->index, inode, name, strlen(name), &row);
        assert_int_equal(r, file->names[i].cookie != 0 ? 0 : -ENOENT);
        if (r == 0) {
            assert_int_equal(row.cookie, file->names[i].cookie);
            assert_int_equal(row.inode, file->names[i].inode);
        }
    }
}

static void assert_extents(
        struct fixture *f, uint64_t inode, const struct file *file, uint64_t live[SEGMENTS])
{
    struct extent_list *list = calloc(1, sizeof *list);
    size_t seen = 0;

    assert_non_null(list);
    assert_int_equal(riad_index_extents(f->index, inode, 0, UINT64_MAX, gather_extent, list), 0);
    for (size_t at = 0; at < BLOCKS; at++) {
        const struct riad_extent *row = &file->extents[at];

        if (row->length == 0) {
            continue;
        }
        assert_true(seen < list->count);
        assert_extent_equal(&list->rows[seen++], row);
        if (row->kind == RIAD_EXTENT_DATA) {
            live[row->segment - 100] += row->length;
        }
    }
    assert_int_equal(seen, list->count);
    free(list);
}

static void assert_same(struct fixture *f, const struct model *model)
{
    uint64_t live[SEGMENTS] = { 0 };

    assert_usage(f, model->usage.inodes, model->usage.blocks);
    assert_int_equal(riad_index_next_inode(f->index), model->next_inode);
    for (uint64_t i = 1; i < INODES; i++) {
        assert_file(f, number_of(i), &model->files[i]);
        assert_names(f, number_of(i), &model->files[i]);
        assert_extents(f, number_of(i), &model->files[i], live);
    }
    for (uint64_t i = 0; i < SEGMENTS; i++) {
        uint64_t bytes = 0;
        int r = riad_index_segment_live(f->index, 100 + i, &bytes);

        assert_true(r == 0 || r == -ENOENT);
        assert_int_equal(bytes, live[i]);
    }
}

/* One range, checked against the model extent by extent. */
static void assert_range(struct fixture *f, struct model *model)
{
    struct extent_list *list = calloc(1, sizeof *list);
    uint64_t i = draw(model, INODES - 1) + 1;
    uint64_t from = draw(model, BLOCKS * UNIT);
    uint64_t to = from + 1 + draw(model, 20 * UNIT);
    size_t seen = 0;

    assert_non_null(list);
    assert_int_equal(riad_index_extents(f->index, number_of(i), from, to, gather_extent, list), 0);
    for (size_t at = 0; at < BLOCKS; at++) {
        const struct riad_extent *row = &model->files[i].extents[at];

        if (row->length > 0 && row->offset < to && row->offset + row->length > from) {
            assert_true(seen < list->count);
            assert_int_equal(list->rows[seen++].offset, row->offset);
        }
    }
    assert_int_equal(seen, list->count);
    free(list);
}

/* A change that ends badly: what it begins with must not stay. The model is put back. */
static void refuse(struct fixture *f, struct model *model)
{
    static struct model kept;

    kept = *model;
    fixture_begin(f);
    for (int i = 0; i < 4; i++) {
        actors[draw(model, sizeof actors / sizeof actors[0])](model, &f->change);
    }
    riad_change_remove_dentry(&f->change, 1, NO_COOKIE);
    assert_int_equal(fixture_try(f), -EBADMSG);
    kept.seed = model->seed;
    *model = kept;
}

static void step(struct fixture *f, struct model *model)
{
    fixture_begin(f);
    for (uint64_t i = 0; i <= draw(model, 5); i++) {
        actors[draw(model, sizeof actors / sizeof actors[0])](model, &f->change);
    }
    fixture_apply(f);
    assert_range(f, model);
    if (draw(model, 20) == 0) {
        fixture_commit(f);
    }
    if (draw(model, 15) == 0) {
        refuse(f, model);
    }
    if (draw(model, 300) == 0) {
        fixture_close(f);
        fixture_open(f);
    }
    if (draw(model, 100) == 0) {
        assert_same(f, model);
    }
}

static void random_changes(void **state)
{
    static struct model model;
    struct fixture *f = *state;

    model = (struct model){ .seed = 0x5eed, .next_inode = 1, .next_cookie = 3 };
    for (int i = 0; i < STEPS; i++) {
        step(f, &model);
    }
    assert_same(f, &model);
    fixture_close(f);
    fixture_open(f);
    assert_same(f, &model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_changes, fixture_set_up, fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
