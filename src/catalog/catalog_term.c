/* Ends of epochs and bounds of terms: up to where a history is what it says, as a site's nodes sign
 * it (FORMAT 3.5, kinds 7 and 8). */
#include "riad/cleanup.h"
#include "riad/error.h"

#include "catalog_priv.h"

/* So many bounds in a batch: what signs it takes 128 KiB at most. */
enum { BOUND_SIZE = 58 /* with what is around the body */, BATCH_BOUNDS = 1024 };
_Static_assert(BATCH_BOUNDS <= (int)RIAD_CATALOG_ENTRIES_MAX, "one batch takes them");
_Static_assert(BATCH_BOUNDS *BOUND_SIZE < 100 << 10, "and is signed at once");
enum { BODY_MAX = 128 };

void riad_catalog_put_epoch_end_entry(const struct riad_id *workspace,
        const struct riad_catalog_epoch_end *end, struct riad_writer *writer)
{
    struct riad_writer body;
    uint8_t bytes[BODY_MAX];

    riad_writer_init_fixed(&body, bytes, sizeof bytes);
    riad_put_id(&body, workspace);
    riad_put_u32(&body, end->epoch);
    riad_put_u32(&body, end->term);
    riad_put_u64(&body, end->number);
    riad_put_u64(&body, end->segment);
    riad_put_hash(&body, &end->chain);
    riad_catalog_put_entry(RIAD_CATALOG_ENTRY_EPOCH_END, &body, writer);
}

void riad_catalog_put_term_bound_entry(const struct riad_id *workspace,
        const struct riad_catalog_term_bound *bound, struct riad_writer *writer)
{
    struct riad_writer body;
    uint8_t bytes[BODY_MAX];

    riad_writer_init_fixed(&body, bytes, sizeof bytes);
    riad_put_bytes(&body, bound->key.bytes, sizeof bound->key.bytes);
    riad_put_id(&body, workspace);
    riad_put_u32(&body, bound->last);
    riad_catalog_put_entry(RIAD_CATALOG_ENTRY_TERM_BOUND, &body, writer);
}

static struct riad_catalog_workspace *find(struct riad_catalog *catalog, const struct riad_id *id)
{
    return (struct riad_catalog_workspace *)riad_catalog_find(catalog, id);
}

static bool is_epoch(uint32_t epoch)
{
    return epoch >= 1 && epoch <= RIAD_ROSTER_EPOCHS_MAX;
}

int riad_catalog_check_epoch_end(
        const struct riad_catalog_workspace *workspace, const struct riad_catalog_epoch_end *end)
{
    size_t count = workspace->epoch_end_count;

    return count > 0 && end->epoch <= workspace->epoch_ends[count - 1].epoch ? -ESTALE : 0;
}

static int add_epoch_end(
        struct riad_catalog_workspace *workspace, const struct riad_catalog_epoch_end *end)
{
    struct riad_catalog_epoch_end *ends =
            reallocarray(workspace->epoch_ends, workspace->epoch_end_count + 1, sizeof *ends);

    if (!ends) {
        return -ENOMEM;
    }
    workspace->epoch_ends = ends;
    ends[workspace->epoch_end_count++] = *end;
    return 0;
}

int riad_catalog_apply_epoch_end(struct riad_catalog *catalog, struct riad_reader *body)
{
    struct riad_catalog_workspace *workspace;
    struct riad_catalog_epoch_end end;
    struct riad_id id;
    int r;

    riad_get_id(body, &id);
    end.epoch = riad_get_u32(body);
    end.term = riad_get_u32(body);
    end.number = riad_get_u64(body);
    end.segment = riad_get_u64(body);
    riad_get_hash(body, &end.chain);
    r = riad_reader_finish(body);
    if (r < 0) {
        return r;
    }
    workspace = find(catalog, &id);
    if (!workspace || workspace->deleted || !is_epoch(end.epoch) ||
            riad_catalog_check_epoch_end(workspace, &end) < 0) {
        return -EBADMSG;
    }
    return add_epoch_end(workspace, &end);
}

const struct riad_catalog_term_bound *riad_catalog_find_bound(
        const struct riad_catalog_workspace *workspace, const struct riad_public_key *node)
{
    for (size_t i = 0; i < workspace->term_bound_count; i++) {
        if (memcmp(&workspace->term_bounds[i].key, node, sizeof *node) == 0) {
            return &workspace->term_bounds[i];
        }
    }
    return NULL;
}

static int add_term_bound(
        struct riad_catalog_workspace *workspace, const struct riad_catalog_term_bound *bound)
{
    struct riad_catalog_term_bound *bounds =
            reallocarray(workspace->term_bounds, workspace->term_bound_count + 1, sizeof *bounds);

    if (!bounds) {
        return -ENOMEM;
    }
    workspace->term_bounds = bounds;
    bounds[workspace->term_bound_count++] = *bound;
    return 0;
}

int riad_catalog_apply_term_bound(struct riad_catalog *catalog, struct riad_reader *body)
{
    struct riad_catalog_workspace *workspace;
    struct riad_catalog_term_bound bound;
    struct riad_id id;
    int r;

    riad_get_bytes(body, bound.key.bytes, sizeof bound.key.bytes);
    riad_get_id(body, &id);
    bound.last = riad_get_u32(body);
    r = riad_reader_finish(body);
    if (r < 0) {
        return r;
    }
    workspace = find(catalog, &id);
    if (!workspace || riad_catalog_find_bound(workspace, &bound.key) ||
            workspace->term_bound_count == RIAD_CATALOG_BOUNDS_MAX) {
        return -EBADMSG;
    }
    return add_term_bound(workspace, &bound);
}

int riad_catalog_check_bounds(
        const struct riad_catalog *catalog, const struct riad_catalog_addition *addition)
{
    for (size_t i = 0; i < addition->bound_count; i++) {
        const struct riad_catalog_workspace *workspace =
                riad_catalog_find(catalog, &addition->bounds[i].workspace);

        if (!workspace) {
            return -ENOENT;
        }
        if (workspace->term_bound_count == RIAD_CATALOG_BOUNDS_MAX &&
                !riad_catalog_find_bound(workspace, addition->node)) {
            return -ENOSPC;
        }
    }
    return 0;
}

/* Of a workspace that was checked. */
static bool is_bound(const struct riad_catalog *catalog,
        const struct riad_catalog_addition *addition, size_t number)
{
    return riad_catalog_find_bound(
            riad_catalog_find(catalog, &addition->bounds[number].workspace), addition->node);
}

uint32_t riad_catalog_count_bounds(
        const struct riad_catalog *catalog, const struct riad_catalog_addition *addition)
{
    uint32_t count = 0;

    for (size_t i = 0; i < addition->bound_count; i++) {
        count += !is_bound(catalog, addition, i);
    }
    return count;
}

void riad_catalog_put_bounds(const struct riad_catalog *catalog,
        const struct riad_catalog_addition *addition, struct riad_writer *writer)
{
    for (size_t i = 0; i < addition->bound_count; i++) {
        const struct riad_catalog_bound *bound = &addition->bounds[i];
        const struct riad_catalog_term_bound entry = { *addition->node, bound->last };

        if (!is_bound(catalog, addition, i)) {
            riad_catalog_put_term_bound_entry(&bound->workspace, &entry, writer);
        }
    }
}

int riad_catalog_end_epoch(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_id *workspace,
        const struct riad_catalog_epoch_end *end)
{
    struct riad_catalog_epoch_end only = *end;
    const struct riad_catalog_workspace entry = {
        .id = *workspace, .epoch_ends = &only, .epoch_end_count = 1
    };
    const struct riad_catalog_addition addition = { .workspace = &entry,
        .kind = RIAD_CATALOG_ADD_EPOCH_END };

    return is_epoch(end->epoch) ? riad_catalog_add(store, keys, catalog, &addition) : -EINVAL;
}

static int compare_bounds(const void *a, const void *b)
{
    const struct riad_catalog_bound *left = a, *right = b;

    return memcmp(left->workspace.bytes, right->workspace.bytes, sizeof left->workspace.bytes);
}

/* In the order of their workspaces, each once, else -EINVAL; *ret is on the heap. */
static int sort_bounds(
        const struct riad_catalog_bound *bounds, size_t count, struct riad_catalog_bound **ret)
{
    _cleanup_free_ struct riad_catalog_bound *sorted = calloc(count + 1, sizeof *sorted);

    if (!sorted) {
        return -ENOMEM;
    }
    if (count > 0) {
        memcpy(sorted, bounds, count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, compare_bounds);
    }
    for (size_t i = 1; i < count; i++) {
        if (compare_bounds(&sorted[i - 1], &sorted[i]) == 0) {
            return -EINVAL;
        }
    }
    *ret = riad_take_pointer(sorted);
    return 0;
}

int riad_catalog_bound_terms(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_public_key *node,
        const struct riad_catalog_bound *bounds, size_t count)
{
    _cleanup_free_ struct riad_catalog_bound *sorted = NULL;
    int r = sort_bounds(bounds, count, &sorted);

    for (size_t i = 0; r == 0 && i < count; i += BATCH_BOUNDS) {
        const struct riad_catalog_addition addition = { .kind = RIAD_CATALOG_ADD_TERM_BOUNDS,
            .node = node,
            .bounds = sorted + i,
            .bound_count = count - i < BATCH_BOUNDS ? count - i : BATCH_BOUNDS };

        r = riad_catalog_add(store, keys, catalog, &addition);
    }
    return r;
}
