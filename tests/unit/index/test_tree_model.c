/* Random changes of a tree against a plain recount of its rows, however much is folded, committed,
 * refused, reopened or rebuilt in between. */
#include "index/tree.h"

enum { INODES = 80, STEPS = 20000, NO_COOKIE = 1 << 30 };

struct model {
    struct riad_inode rows[INODES]; /* by number; inode 0: none */
    uint64_t fresh;                 /* the next number that was never used */
    uint64_t seed;
};

static uint64_t draw(struct model *model, uint64_t below)
{
    model->seed ^= model->seed << 13;
    model->seed ^= model->seed >> 7;
    model->seed ^= model->seed << 17;
    return model->seed % below;
}

static bool is_directory(const struct riad_inode *row)
{
    return row->inode != 0 && S_ISDIR(row->mode) && row->nlink > 0;
}

static struct riad_inode *find(struct model *model, uint64_t inode)
{
    for (size_t i = 0; i < INODES; i++) {
        if (model->rows[i].inode == inode) {
            return &model->rows[i];
        }
    }
    return NULL;
}

/* Any row, or any directory; the root if that many draws find none. */
static struct riad_inode *pick(struct model *model, bool directory)
{
    for (int i = 0; i < 200; i++) {
        struct riad_inode *row = &model->rows[draw(model, INODES)];

        if (row->inode != 0 && (!directory || is_directory(row))) {
            return row;
        }
    }
    return &model->rows[0];
}

static uint64_t home_of(struct model *model, const struct riad_inode *row)
{
    const struct riad_inode *parent;

    if (is_directory(row)) {
        return row->inode;
    }
    parent = row->parent ? find(model, row->parent) : NULL;
    return parent && is_directory(parent) ? parent->inode : RIAD_ROOT_INODE;
}

static bool is_below(struct model *model, uint64_t inode, uint64_t directory)
{
    while (inode != directory && inode != RIAD_ROOT_INODE) {
        inode = find(model, inode)->parent;
    }
    return inode == directory;
}

static struct riad_tree_usage recount(struct model *model, uint64_t directory)
{
    struct riad_tree_usage usage = { 0 };

    for (size_t i = 0; i < INODES; i++) {
        const struct riad_inode *row = &model->rows[i];

        if (row->inode == 0 || row->nlink == 0 ||
                !is_below(model, home_of(model, row), directory)) {
            continue;
        }
        usage.blocks += row->blocks;
        usage.inodes++;
        usage.directories += S_ISDIR(row->mode);
    }
    return usage;
}

/* Spread so that some share a slot of the cache. */
static uint64_t give_number(struct model *model)
{
    model->fresh += draw(model, 6) == 0 ? 1024 : 1 + draw(model, 3);
    return model->fresh;
}

static void put(struct model *model, struct riad_change *change, struct riad_inode *row)
{
    (void)model;
    riad_change_put_inode(change, row);
}

static void create(struct model *model, struct riad_change *change)
{
    bool directory = draw(model, 3) == 0;

    for (size_t i = 1; i < INODES; i++) {
        struct riad_inode *row = &model->rows[i];

        if (row->inode == 0) {
            uint64_t parent = pick(model, true)->inode;

            *row = make_below(parent, give_number(model), directory ? S_IFDIR : S_IFREG);
            row->blocks += draw(model, 5);
            row->nlink = directory ? 2 : (uint32_t)draw(model, 3);
            row->parent = row->nlink == 0 && draw(model, 2) ? 0 : parent;
            put(model, change, row);
            return;
        }
    }
}

static void resize(struct model *model, struct riad_change *change)
{
    struct riad_inode *row = pick(model, false);

    row->blocks = draw(model, 100000);
    put(model, change, row);
}

/* Names come and go, also first and last ones; the home stays. */
static void relink(struct model *model, struct riad_change *change)
{
    struct riad_inode *row = pick(model, false);

    if (!S_ISDIR(row->mode)) {
        row->nlink = (uint32_t)draw(model, 3);
        row->parent = row->parent == 0 && row->nlink > 0 ? pick(model, true)->inode : row->parent;
    }
    put(model, change, row);
}

static void move(struct model *model, struct riad_change *change)
{
    struct riad_inode *row = pick(model, draw(model, 2));
    uint64_t parent = pick(model, true)->inode;

    if (row->inode == RIAD_ROOT_INODE || row->nlink == 0 ||
            (is_directory(row) && is_below(model, parent, row->inode))) {
        return;
    }
    row->parent = parent;
    put(model, change, row);
}

static bool is_movable(struct model *model, const struct riad_inode *row)
{
    const struct riad_inode *parent = row->parent ? find(model, row->parent) : NULL;

    return row->inode != RIAD_ROOT_INODE && row->nlink > 0 && parent && is_directory(parent);
}

/* Two that lie nowhere in each other, in one change. */
static void exchange(struct model *model, struct riad_change *change)
{
    struct riad_inode *a = pick(model, draw(model, 2));
    struct riad_inode *b = pick(model, draw(model, 2));
    uint64_t parent = a->parent;

    if (!is_movable(model, a) || !is_movable(model, b) ||
            (is_directory(a) && is_below(model, home_of(model, b), a->inode)) ||
            (is_directory(b) && is_below(model, home_of(model, a), b->inode))) {
        return;
    }
    a->parent = b->parent;
    b->parent = parent;
    put(model, change, a);
    put(model, change, b);
}

static bool has_directories(struct model *model, uint64_t inode)
{
    for (size_t i = 1; i < INODES; i++) {
        if (is_directory(&model->rows[i]) && model->rows[i].parent == inode) {
            return true;
        }
    }
    return false;
}

/* Files whose home it is may have names elsewhere, and stay. */
static void take_away(struct model *model, struct riad_change *change)
{
    struct riad_inode *row = pick(model, draw(model, 3) == 0);

    if (row->inode == RIAD_ROOT_INODE ||
            (is_directory(row) && has_directories(model, row->inode))) {
        return;
    }
    if (draw(model, 3) == 0) {
        row->nlink = 0; /* still open */
        put(model, change, row);
    } else {
        riad_change_remove_inode(change, row->inode);
        row->inode = 0;
    }
}

typedef void (*actor)(struct model *model, struct riad_change *change);

static const actor actors[] = { create, create, create, resize, resize, relink, move, move, move,
    exchange, take_away, take_away };

static void act(struct fixture *f, struct model *model)
{
    fixture_begin(f);
    for (uint64_t i = 0; i <= draw(model, 4); i++) {
        actors[draw(model, sizeof actors / sizeof actors[0])](model, &f->change);
    }
}

/* The model is put back. */
static void refuse(struct fixture *f, struct model *model)
{
    static struct model kept;

    kept = *model;
    act(f, model);
    riad_change_remove_dentry(&f->change, 1, NO_COOKIE);
    assert_int_equal(fixture_try(f), -EBADMSG);
    kept.seed = model->seed;
    *model = kept;
}

static void assert_same(struct fixture *f, struct model *model)
{
    struct riad_usage all;
    struct riad_tree_usage nameless = { 0 };
    struct riad_tree_usage root = recount(model, RIAD_ROOT_INODE);

    fold_all(f);
    for (size_t i = 0; i < INODES; i++) {
        const struct riad_inode *row = &model->rows[i];

        if (is_directory(row)) {
            struct riad_tree_usage usage = recount(model, row->inode);

            assert_tree(f, row->inode, usage.blocks, usage.inodes, usage.directories);
        } else if (row->inode != 0 && row->nlink == 0) {
            nameless.blocks += row->blocks;
            nameless.inodes++;
        }
    }
    riad_index_usage(f->index, &all);
    assert_int_equal(root.blocks + nameless.blocks, all.blocks);
    assert_int_equal(root.inodes + nameless.inodes, all.inodes);
}

/* What happens between two changes. */
static void disturb(struct fixture *f, struct model *model)
{
    bool more;

    if (draw(model, 4) == 0) {
        assert_int_equal(riad_index_fold(f->index, (uint32_t)draw(model, 12), &more), 0);
    }
    if (draw(model, 20) == 0) {
        fixture_commit(f);
    }
    if (draw(model, 12) == 0) {
        refuse(f, model);
    }
    if (draw(model, 200) == 0) {
        fixture_close(f);
        fixture_open(f);
    }
    if (draw(model, 400) == 0) {
        assert_int_equal(check_sums(f), 0);
    }
    if (draw(model, 800) == 0) {
        rebuild(f);
    }
}

/* Compares after every one of so many changes, by chance. */
static void run(struct fixture *f, uint64_t seed, uint64_t compare)
{
    static struct model model;

    model = (struct model){ .seed = seed, .fresh = 1 };
    model.rows[0] = make_inode(RIAD_ROOT_INODE, S_IFDIR | 0755);
    fixture_plant_root(f);
    for (int i = 0; i < STEPS; i++) {
        act(f, &model);
        fixture_apply(f);
        disturb(f, &model);
        if (draw(&model, compare) == 0) {
            assert_same(f, &model);
        }
    }
    assert_same(f, &model);
    assert_int_equal(check_sums(f), 0);
}

static void sums_are_right_after_every_change(void **state)
{
    run(*state, 0x5eed, 1);
}

static void sums_are_right_when_much_is_folded_at_once(void **state)
{
    run(*state, 0x7ee5, 40);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sums_are_right_after_every_change),
        TEST(sums_are_right_when_much_is_folded_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
