/* What is found behind the damage, applied as far as it fits. */
#include "riad/salvage.h"

#include "extent_map_priv.h"
#include "repair_priv.h"

static int see_extent(void *context, const struct riad_extent *extent)
{
    riad_extent_edit_see(context, extent);
    return 0;
}

/* What was there is older: a change that took it away is missing. */
static int replace_extent(struct riad_repair *repair, const struct riad_extent *extent)
{
    uint64_t end = riad_extent_end(extent);
    struct riad_extent_edit edit;
    int r;

    riad_extent_edit_begin(&edit, extent->offset, end);
    r = riad_index_extents(
            repair->work.index, extent->inode, extent->offset, end, see_extent, &edit);
    if (r < 0) {
        return r;
    }
    riad_repair_change(repair);
    riad_extent_edit_clear(&edit, extent->inode, &repair->change);
    riad_change_put_extent(&repair->change, extent);
    return riad_repair_emit(repair);
}

static int replace_dentry(struct riad_repair *repair, const struct riad_dentry *dentry)
{
    struct riad_dentry there;
    int r = riad_index_lookup(
            repair->work.index, dentry->parent, dentry->name, dentry->name_size, &there);

    if (r < 0) {
        return r == -ENOENT ? 0 : r;
    }
    riad_repair_change(repair);
    riad_change_remove_dentry(&repair->change, there.parent, there.cookie);
    riad_change_put_dentry(&repair->change, dentry);
    return riad_repair_emit(repair);
}

/* Names and targets in operations are not terminated. */
static void put_attribute(struct riad_change *change, const struct riad_operation *operation)
{
    char text[RIAD_SYMLINK_MAX + 1];
    bool symlink = operation->kind == RIAD_OP_SYMLINK_PUT;
    const uint8_t *bytes = symlink ? operation->value : operation->name;
    size_t size = symlink ? operation->value_size : operation->name_size;

    if (size > RIAD_SYMLINK_MAX) {
        change->operations.error = -EINVAL;
        return;
    }
    memcpy(text, bytes, size);
    text[size] = '\0';
    if (symlink) {
        riad_change_put_symlink(change, operation->number, text);
    } else if (operation->kind == RIAD_OP_XATTR_PUT) {
        riad_change_put_xattr(
                change, operation->number, text, operation->value, operation->value_size);
    } else {
        riad_change_remove_xattr(change, operation->number, text);
    }
}

static void put_operation(struct riad_change *change, const struct riad_operation *operation)
{
    switch (operation->kind) {
    case RIAD_OP_INODE_PUT:
        riad_change_put_inode(change, &operation->inode);
        break;
    case RIAD_OP_INODE_REMOVE:
        riad_change_remove_inode(change, operation->number);
        break;
    case RIAD_OP_DENTRY_PUT:
        riad_change_put_dentry(change, &operation->dentry);
        break;
    case RIAD_OP_DENTRY_REMOVE:
        riad_change_remove_dentry(change, operation->dentry.parent, operation->dentry.cookie);
        break;
    case RIAD_OP_EXTENT_PUT:
        riad_change_put_extent(change, &operation->extent);
        break;
    case RIAD_OP_EXTENT_CLEAR:
        riad_change_clear_extents(change, operation->number, operation->from, operation->to);
        break;
    case RIAD_OP_CLOCK_PUT:
        riad_change_put_clock(change, &operation->clock);
        break;
    case RIAD_OP_WORKSPACE_PUT:
        change->operations.error = -EINVAL; /* only in checkpoints */
        break;
    default:
        put_attribute(change, operation);
    }
}

static int take_operation(struct riad_repair *repair, const struct riad_operation *operation)
{
    int r;

    riad_repair_change(repair);
    put_operation(&repair->change, operation);
    r = riad_repair_emit(repair);
    if (r == 0 && operation->kind == RIAD_OP_EXTENT_PUT) {
        r = replace_extent(repair, &operation->extent);
    }
    if (r == 0 && operation->kind == RIAD_OP_DENTRY_PUT) {
        r = replace_dentry(repair, &operation->dentry);
    }
    repair->result.refused += r == 0;
    return r < 0 ? r : 0;
}

static int take_operations(struct riad_repair *repair, const uint8_t *content, size_t size)
{
    struct riad_operation operation;
    struct riad_reader operations;
    struct timespec time;
    uint64_t request;
    uint32_t count;
    int r = riad_change_parse(content, size, &time, &request, &count, &operations);

    while (r == 0 && (r = riad_operation_next(&operations, &operation)) == 1) {
        r = take_operation(repair, &operation);
    }
    return r == -EBADMSG ? 0 : r;
}

static int take_change(void *context, uint64_t number, const uint8_t *content, size_t size)
{
    struct riad_repair *repair = context;
    int r = riad_repair_repeat(repair, content, size);

    if (r == 0) {
        r = take_operations(repair, content, size);
    }
    if (r < 0) {
        return r;
    }
    return ++repair->result.salvaged % RIAD_BATCH_MAX == 0
                   ? riad_workspace_progress(repair->fsck.config, "changes salvaged", number, 0)
                   : 0;
}

static void tell(struct riad_repair *repair, const struct riad_salvage_summary *summary)
{
    uint64_t after = repair->after;

    repair->result.missing = summary->missing;
    if (summary->missing > 0) {
        riad_fsck_find(&repair->fsck,
                "%llu changes between %llu and %llu are lost: what they did is not known; %llu "
                "later ones are kept",
                (unsigned long long)summary->missing, (unsigned long long)after + 1,
                (unsigned long long)summary->last, (unsigned long long)summary->found);
    } else if (repair->fsck.mark.end.sequence.number > after && summary->found == 0) {
        riad_fsck_find(&repair->fsck,
                "changes %llu to %llu, which this machine had synced, are not in the store",
                (unsigned long long)after + 1,
                (unsigned long long)repair->fsck.mark.end.sequence.number);
    }
}

int riad_repair_salvage(struct riad_repair *repair)
{
    const struct riad_workspace_config *config = repair->fsck.config;
    const struct riad_epoch_ends epochs = riad_workspace_epochs(config);
    _cleanup_(riad_salvage_freep) struct riad_salvage *salvage = NULL;
    struct riad_salvage_summary summary;
    int r;

    if (repair->whole) {
        return 0;
    }
    r = riad_salvage_find(config->workspace_fd, repair->fsck.keys, &repair->fsck.history, &epochs,
            repair->after, &salvage);
    if (r < 0) {
        return r;
    }
    riad_salvage_summarize(salvage, &summary);
    tell(repair, &summary);
    return riad_salvage_each(salvage, take_change, repair);
}
