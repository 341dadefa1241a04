/* What each owner and group uses, kept as changes are applied, and the clocks of soft limits. All
 * of them are in memory, and SQLite gets those that have changed when the batch commits. */
#include <errno.h>
#include <stdlib.h>

#include "index_priv.h"

enum { FIRST_SLOTS = 64 };

void riad_owners_done(struct riad_owners *owners)
{
    free(owners->items);
    free(owners->slots);
    *owners = (struct riad_owners){ 0 };
}

static size_t hash(enum riad_subject subject, uint32_t id)
{
    return (size_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 32) + subject;
}

/* The slot that has the owner, or where it belongs. */
static uint32_t *find_slot(struct riad_owners *owners, enum riad_subject subject, uint32_t id)
{
    size_t at = hash(subject, id) & (owners->slot_count - 1);

    for (;; at = (at + 1) & (owners->slot_count - 1)) {
        uint32_t *slot = &owners->slots[at];
        const struct riad_owner *item = *slot ? &owners->items[*slot - 1].owner : NULL;

        if (!item || (item->subject == subject && item->id == id)) {
            return slot;
        }
    }
}

/* Room for one more: slots are at most half full. */
static int make_room(struct riad_owners *owners)
{
    size_t count = owners->slot_count > 0 ? 2 * owners->slot_count : FIRST_SLOTS;
    struct riad_kept_owner *items;
    uint32_t *slots;

    if (2 * (owners->count + 1) <= owners->slot_count) {
        return 0;
    }
    items = reallocarray(owners->items, count / 2, sizeof *items);
    if (!items) {
        return -ENOMEM;
    }
    owners->items = items;
    slots = calloc(count, sizeof *slots);
    if (!slots) {
        return -ENOMEM;
    }
    free(owners->slots);
    owners->slots = slots;
    owners->slot_count = count;
    for (size_t i = 0; i < owners->count; i++) {
        const struct riad_owner *owner = &items[i].owner;

        *find_slot(owners, owner->subject, owner->id) = (uint32_t)i + 1;
    }
    return 0;
}

/* The owner's item, made if there is none. */
static int get(struct riad_owners *owners, enum riad_subject subject, uint32_t id,
        struct riad_kept_owner **ret)
{
    uint32_t *slot;
    int r = make_room(owners);

    if (r < 0) {
        return r;
    }
    slot = find_slot(owners, subject, id);
    if (*slot == 0) {
        owners->items[owners->count] =
                (struct riad_kept_owner){ .owner = { .subject = subject, .id = id } };
        *slot = (uint32_t)++owners->count;
    }
    *ret = &owners->items[*slot - 1];
    return 0;
}

static bool get_columns(sqlite3_stmt *statement, struct riad_owner *ret)
{
    uint32_t subject;
    bool got = riad_column_u32(statement, 0, &subject) && riad_column_u32(statement, 1, &ret->id) &&
               riad_column_u64(statement, 2, &ret->usage.blocks) &&
               riad_column_u64(statement, 3, &ret->usage.inodes) &&
               riad_column_u64(statement, 4, &ret->over_since[0]) &&
               riad_column_u64(statement, 5, &ret->over_since[1]);

    ret->subject = subject;
    return got && subject >= RIAD_SUBJECT_WORKSPACE && subject <= RIAD_SUBJECT_GROUP;
}

static int read_all(struct riad_index *index)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_OWNER_LIST);
    int r;

    while ((r = riad_statement_step(statement)) == 1) {
        struct riad_kept_owner *item;
        struct riad_owner owner;

        if (!get_columns(statement, &owner)) {
            return -EUCLEAN;
        }
        r = get(&index->owners, owner.subject, owner.id, &item);
        if (r < 0) {
            return r;
        }
        item->owner = owner;
    }
    return r;
}

/* At the first use, and after a rollback. */
static int load(struct riad_index *index)
{
    int r;

    if (index->owners.loaded) {
        return 0;
    }
    riad_owners_done(&index->owners);
    r = riad_index_begin(index);
    if (r == 0) {
        r = read_all(index);
    }
    index->owners.loaded = r == 0;
    return r;
}

static int find(struct riad_index *index, enum riad_subject subject, uint32_t id,
        struct riad_kept_owner **ret)
{
    int r = load(index);

    return r < 0 ? r : get(&index->owners, subject, id, ret);
}

static void touch(struct riad_index *index, struct riad_kept_owner *item)
{
    index->owners.dirty |= !item->dirty;
    item->dirty = true;
}

int riad_owners_add(struct riad_index *index, enum riad_subject subject, uint32_t id,
        int64_t inodes, int64_t blocks)
{
    struct riad_kept_owner *item;
    struct riad_usage usage;
    int r = find(index, subject, id, &item);

    if (r < 0) {
        return r;
    }
    if (__builtin_add_overflow(item->owner.usage.inodes, inodes, &usage.inodes) ||
            __builtin_add_overflow(item->owner.usage.blocks, blocks, &usage.blocks)) {
        return -EBADMSG;
    }
    item->owner.usage = usage;
    touch(index, item);
    return 0;
}

static int add_inode(struct riad_index *index, const struct riad_inode *row, int sign)
{
    int64_t blocks = sign * (int64_t)row->blocks;
    int r = riad_owners_add(index, RIAD_SUBJECT_USER, row->uid, sign, blocks);

    return r < 0 ? r : riad_owners_add(index, RIAD_SUBJECT_GROUP, row->gid, sign, blocks);
}

int riad_owners_change(
        struct riad_index *index, const struct riad_inode *before, const struct riad_inode *after)
{
    int r = 0;

    if (before && after && before->blocks == after->blocks && before->uid == after->uid &&
            before->gid == after->gid) {
        return 0;
    }
    if (before) {
        r = add_inode(index, before, -1);
    }
    return r == 0 && after ? add_inode(index, after, 1) : r;
}

int riad_owners_set_clock(struct riad_index *index, const struct riad_clock *clock)
{
    struct riad_kept_owner *item;
    int r = find(index, clock->subject, clock->id, &item);

    if (r < 0) {
        return r;
    }
    item->owner.over_since[clock->resource - RIAD_RESOURCE_BLOCKS] = clock->since;
    touch(index, item);
    return 0;
}

/* An owner of nothing has no row. */
static int write_owner(struct riad_index *index, const struct riad_owner *owner)
{
    bool nothing = owner->usage.blocks == 0 && owner->usage.inodes == 0 &&
                   owner->over_since[0] == 0 && owner->over_since[1] == 0;
    sqlite3_stmt *statement =
            riad_index_statement(index, nothing ? RIAD_SQL_OWNER_REMOVE : RIAD_SQL_OWNER_PUT);

    riad_bind_u64(statement, 1, owner->subject);
    riad_bind_u64(statement, 2, owner->id);
    if (!nothing) {
        riad_bind_u64(statement, 3, owner->usage.blocks);
        riad_bind_u64(statement, 4, owner->usage.inodes);
        riad_bind_u64(statement, 5, owner->over_since[0]);
        riad_bind_u64(statement, 6, owner->over_since[1]);
    }
    return riad_statement_run(statement);
}

int riad_owners_flush(struct riad_index *index)
{
    struct riad_owners *owners = &index->owners;

    for (size_t i = 0; i < owners->count && owners->dirty; i++) {
        int r = owners->items[i].dirty ? write_owner(index, &owners->items[i].owner) : 0;

        if (r < 0) {
            return r;
        }
        owners->items[i].dirty = false;
    }
    owners->dirty = false;
    return 0;
}

int riad_index_owner(
        struct riad_index *index, enum riad_subject subject, uint32_t id, struct riad_owner *ret)
{
    struct riad_kept_owner *item;
    int r = find(index, subject, id, &item);

    if (r == 0) {
        *ret = item->owner;
    }
    return r;
}

int riad_index_owners(struct riad_index *index, enum riad_subject subject,
        riad_index_owner_function function, void *context)
{
    int r = load(index);

    for (size_t i = 0; i < index->owners.count && r == 0; i++) {
        const struct riad_owner *owner = &index->owners.items[i].owner;

        if (owner->subject == subject && owner->usage.inodes > 0) {
            r = function(context, owner);
        }
    }
    return r < 0 ? r : 0;
}
