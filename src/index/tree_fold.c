/* Folding: what is pending is handed up, each directory once a round and after all that is below
 * it. Rows may change between two steps, whoever their parents are by then: a step looks at the
 * rows as they are, so the order that was planned can only be less good. */
#include <errno.h>
#include <stdlib.h>

#include "index_priv.h"

static size_t hash_of(const struct riad_fold *fold, uint64_t inode)
{
    return (size_t)(inode * 0x9e3779b97f4a7c15 >> 32) & (2 * fold->room - 1);
}

/* False if it was there. There is room. */
static bool visit(struct riad_fold *fold, uint64_t inode)
{
    size_t at = hash_of(fold, inode);

    while (fold->visited[at] != 0 && fold->visited[at] != inode) {
        at = (at + 1) & (2 * fold->room - 1);
    }
    if (fold->visited[at] == inode) {
        return false;
    }
    fold->visited[at] = inode;
    return true;
}

static void give_back(struct riad_fold *fold)
{
    free(fold->nodes);
    free(fold->visited);
    fold->nodes = fold->visited = NULL;
    fold->room = 0;
}

static void forget_paths(struct riad_fold *fold)
{
    if (fold->room > RIAD_FOLD_NODES_KEPT) {
        give_back(fold);
    } else if (fold->room > 0) {
        memset(fold->visited, 0, 2 * fold->room * sizeof *fold->visited);
    }
    fold->count = fold->path = 0;
    fold->at = 0;
}

void riad_fold_reset(struct riad_tree *tree)
{
    tree->fold.phase = RIAD_FOLD_IDLE;
    tree->fold.start_count = 0;
    forget_paths(&tree->fold);
}

void riad_fold_done(struct riad_tree *tree)
{
    give_back(&tree->fold);
}

/* False: there can be no more, for now. */
static bool make_room(struct riad_fold *fold)
{
    size_t room = fold->room > 0 ? 2 * fold->room : RIAD_FOLD_NODES_MIN;
    uint64_t *nodes;
    uint64_t *visited;

    if (fold->count < fold->room) {
        return true;
    }
    if (room > RIAD_FOLD_NODES_MAX) {
        return false;
    }
    nodes = realloc(fold->nodes, room * sizeof *nodes);
    fold->nodes = nodes ? nodes : fold->nodes;
    visited = nodes ? calloc(2 * room, sizeof *visited) : NULL;
    if (!visited) {
        return false;
    }
    free(fold->visited);
    fold->visited = visited;
    fold->room = room;
    for (size_t i = 0; i < fold->count; i++) {
        (void)visit(fold, fold->nodes[i]);
    }
    return true;
}

/* What changed since the last flush. */
static void begin_round(struct riad_tree *tree)
{
    struct riad_fold *fold = &tree->fold;

    for (size_t i = 0; i < tree->listed_count; i++) {
        const struct riad_tree_slot *slot = &tree->slots[tree->listed[i]];

        if (slot->full && slot->dirty && slot->row.pending) {
            fold->starts[fold->start_count++] = slot->row.inode;
        }
    }
    fold->below = fold->start_count < tree->pending ? INT64_MAX : 0;
    fold->phase = RIAD_FOLD_WALK;
}

/* Those that SQLite has, the latest directories first: they are mostly the deepest. */
static int fetch_starts(struct riad_index *index)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_TREE_PENDING);
    struct riad_fold *fold = &index->tree.fold;
    int r;

    riad_bind_u64(statement, 1, fold->below);
    riad_bind_u64(statement, 2, RIAD_FOLD_FETCH);
    fold->below = 0;
    while ((r = riad_statement_step(statement)) == 1) {
        if (!riad_column_u64(statement, 0, &fold->starts[fold->start_count])) {
            return -EUCLEAN;
        }
        fold->below = fold->starts[fold->start_count++];
    }
    return r;
}

static void end_path(struct riad_fold *fold)
{
    for (size_t i = fold->path, k = fold->count; i + 1 < k; i++) {
        uint64_t node = fold->nodes[--k];

        fold->nodes[k] = fold->nodes[i];
        fold->nodes[i] = node;
    }
    fold->path = fold->count;
    fold->at = 0;
}

/* The next node of the path, unless it ends here. */
static int walk(struct riad_index *index)
{
    struct riad_fold *fold = &index->tree.fold;
    struct riad_tree_row *row;
    int r = fold->at == RIAD_ROOT_INODE ? -ENOENT : riad_tree_find(index, fold->at, &row);

    if (r < 0 && r != -ENOENT) {
        return r;
    }
    if (r == -ENOENT || (fold->count == fold->path && !row->pending)) {
        end_path(fold);
    } else if (!make_room(fold)) {
        fold->starts[fold->start_count++] = fold->at; /* goes on when these are handed up */
        end_path(fold);
        fold->phase = RIAD_FOLD_GIVE;
    } else if (!visit(fold, fold->at)) {
        end_path(fold);
    } else {
        fold->nodes[fold->count++] = fold->at;
        fold->at = row->parent;
    }
    return 0;
}

static int plan(struct riad_index *index)
{
    struct riad_fold *fold = &index->tree.fold;

    if (fold->at != 0) {
        return walk(index);
    }
    if (fold->start_count > 0) {
        fold->at = fold->starts[--fold->start_count];
        return 0;
    }
    if (fold->below != 0) {
        return fetch_starts(index);
    }
    fold->phase = RIAD_FOLD_GIVE;
    return 0;
}

static int give(struct riad_index *index)
{
    struct riad_fold *fold = &index->tree.fold;
    struct riad_tree_usage delta;
    struct riad_tree_row *row;
    uint64_t parent;
    int r = riad_tree_find(index, fold->nodes[--fold->count], &row);

    if (r < 0) {
        return r == -ENOENT ? 0 : r;
    }
    if (!row->pending) {
        return 0;
    }
    parent = row->parent;
    delta = riad_tree_usage_less(&row->total, &row->given);
    row->given = row->total;
    r = riad_tree_put(index, row);
    return r < 0 ? r : riad_tree_add(index, parent, &delta);
}

static void end_giving(struct riad_tree *tree)
{
    struct riad_fold *fold = &tree->fold;

    forget_paths(fold);
    if (fold->start_count > 0 || fold->below != 0) {
        fold->phase = RIAD_FOLD_WALK;
        return;
    }
    fold->phase = RIAD_FOLD_IDLE;
    tree->folds++;
}

static int step(struct riad_index *index)
{
    struct riad_tree *tree = &index->tree;

    switch (tree->fold.phase) {
    case RIAD_FOLD_IDLE:
        begin_round(tree);
        return 0;
    case RIAD_FOLD_WALK:
        return plan(index);
    default:
        if (tree->fold.count > 0) {
            return give(index);
        }
        end_giving(tree);
        return 0;
    }
}

int riad_index_fold(struct riad_index *index, uint32_t max, bool *ret_more)
{
    struct riad_tree *tree = &index->tree;
    int r = tree->pending > 0 ? riad_index_begin(index) : 0;

    for (uint32_t i = 0; r == 0 && i < max && tree->pending > 0; i++) {
        index->changed = true;
        r = step(index);
    }
    if (r < 0) {
        return riad_index_fail(index, r);
    }
    if (tree->pending == 0 && tree->fold.phase != RIAD_FOLD_IDLE) {
        riad_fold_reset(tree);
        tree->folds++;
    }
    *ret_more = tree->pending > 0;
    return 0;
}

uint64_t riad_index_folds(const struct riad_index *index)
{
    return index->tree.folds;
}

uint64_t riad_index_unfolded(const struct riad_index *index)
{
    return index->tree.pending;
}
