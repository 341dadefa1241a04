/* Limits of users and groups: what a workspace's grants let in, and asking for more. */
#include "riad/grants.h"

#include <stdlib.h>

#include "riad/patience.h"

#include "lifecycle_priv.h"
#include "rows_priv.h"

/* What the thread's operation was last refused for. It is asked for when the operation has ended,
 * and before a shorter write is made of a longer one. */
struct wish {
    const struct riad_workspace *workspace; /* NULL: nothing was refused by a grant */
    enum riad_subject subject;
    uint32_t id;
    struct riad_usage needed;
    /* It was asked for in this operation, and there is no more: of a user, of a group. */
    struct {
        bool is;
        uint32_t id;
    } denied[2];
};

static _Thread_local struct wish wish;

static struct riad_grant *find(
        struct riad_workspace *workspace, enum riad_subject subject, uint32_t id)
{
    size_t low = 0;
    size_t high = workspace->grant_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct riad_grant *grant = &workspace->grants[middle];

        if (grant->subject == subject && grant->id == id) {
            return grant;
        }
        if (grant->subject < subject || (grant->subject == subject && grant->id < id)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static bool exceeds(uint64_t used, int64_t delta, uint64_t most)
{
    return delta > 0 && most != RIAD_NO_LIMIT && (used > most || (uint64_t)delta > most - used);
}

static bool is_past(uint64_t until)
{
    return until > 0 && (uint64_t)riad_clock_now().tv_sec >= until;
}

static bool lets(const struct riad_grant *grant, const struct riad_usage *used, int64_t blocks,
        int64_t inodes)
{
    return !exceeds(used->blocks, blocks, grant->most.blocks) &&
           !exceeds(used->inodes, inodes, grant->most.inodes) &&
           !(blocks > 0 && is_past(grant->blocks_until)) &&
           !(inodes > 0 && is_past(grant->inodes_until));
}

static uint64_t plus(uint64_t used, int64_t delta)
{
    return delta > 0 ? used + (uint64_t)delta : used;
}

static bool is_denied(enum riad_subject subject, uint32_t id)
{
    const bool group = subject == RIAD_SUBJECT_GROUP;

    return wish.denied[group].is && wish.denied[group].id == id;
}

static void set_denied(bool denied)
{
    const bool group = wish.subject == RIAD_SUBJECT_GROUP;

    wish.denied[group].is = denied;
    wish.denied[group].id = wish.id;
}

static void forget_denied(void)
{
    memset(wish.denied, 0, sizeof wish.denied);
}

/* Where user and group are refused, that one is wished for that may have more. */
static int charge(struct riad_workspace *workspace, enum riad_subject subject, uint32_t id,
        int64_t blocks, int64_t inodes)
{
    const struct riad_grant *grant = find(workspace, subject, id);
    struct riad_owner owner;
    int r;

    if (!grant) {
        return 0;
    }
    r = riad_index_owner(workspace->index, subject, id, &owner);
    if (r < 0) {
        return r;
    }
    if (lets(grant, &owner.usage, blocks, inodes)) {
        return 0;
    }
    if (!wish.workspace || is_denied(wish.subject, wish.id)) {
        wish.workspace = workspace;
        wish.subject = subject;
        wish.id = id;
        wish.needed = (struct riad_usage){ plus(owner.usage.blocks, blocks),
            plus(owner.usage.inodes, inodes) };
    }
    return -EDQUOT;
}

static int charge_both(struct riad_workspace *workspace, const struct riad_inode *row,
        int64_t blocks, int64_t inodes)
{
    int r = charge(workspace, RIAD_SUBJECT_USER, row->uid, blocks, inodes), group;

    if (r < 0 && r != -EDQUOT) {
        return r;
    }
    group = charge(workspace, RIAD_SUBJECT_GROUP, row->gid, blocks, inodes);
    return group < 0 ? group : r;
}

int riad_grants_charge(struct riad_workspace *workspace, const struct riad_inode *row,
        int64_t blocks, int64_t inodes)
{
    int r;

    wish.workspace = NULL;
    if (workspace->grant_count == 0 || (blocks <= 0 && inodes <= 0)) {
        return 0;
    }
    if (workspace->exempt) {
        workspace->exempt_grew = true;
        return 0;
    }
    r = charge_both(workspace, row, blocks, inodes);
    if (r == 0) {
        forget_denied(); /* the shorter write that was made of it */
    }
    return r;
}

int riad_grants_move(struct riad_workspace *workspace, const struct riad_inode *before,
        const struct riad_inode *after)
{
    int r = 0;

    wish.workspace = NULL;
    if (workspace->grant_count == 0) {
        return 0;
    }
    if (workspace->exempt) {
        workspace->exempt_grew |= after->uid != before->uid || after->gid != before->gid;
        return 0;
    }
    if (after->uid != before->uid) {
        r = charge(workspace, RIAD_SUBJECT_USER, after->uid, (int64_t)after->blocks, 1);
    }
    if (r == 0 && after->gid != before->gid) {
        r = charge(workspace, RIAD_SUBJECT_GROUP, after->gid, (int64_t)after->blocks, 1);
    }
    return r;
}

static uint64_t room_of(struct riad_workspace *workspace, enum riad_subject subject, uint32_t id)
{
    const struct riad_grant *grant = find(workspace, subject, id);
    struct riad_owner owner;

    if (!grant || grant->most.blocks == RIAD_NO_LIMIT ||
            riad_index_owner(workspace->index, subject, id, &owner) < 0) {
        return UINT64_MAX;
    }
    if (is_past(grant->blocks_until)) {
        return 0;
    }
    return grant->most.blocks > owner.usage.blocks ? grant->most.blocks - owner.usage.blocks : 0;
}

uint64_t riad_grants_room(struct riad_workspace *workspace, const struct riad_inode *row)
{
    uint64_t user, group;

    if (workspace->exempt || workspace->grant_count == 0) {
        return UINT64_MAX;
    }
    user = room_of(workspace, RIAD_SUBJECT_USER, row->uid);
    group = room_of(workspace, RIAD_SUBJECT_GROUP, row->gid);
    return user < group ? user : group;
}

bool riad_grants_may_grow(const struct riad_workspace *workspace)
{
    return workspace->raise_grant && wish.workspace == workspace &&
           !is_denied(wish.subject, wish.id);
}

/* Each operation ends with a call that returns false, which forgets its wish. After a refusal that
 * nobody has the last word on, the operation is tried once more as it was: now
 * a write takes what fits. */
bool riad_grants_awaited(struct riad_workspace *workspace, int *result)
{
    if (*result != -EDQUOT || !riad_grants_may_grow(workspace)) {
        forget_denied();
        return false;
    }
    if (!riad_is_patient()) {
        *result = RIAD_WOULD_WAIT;
        return false;
    }
    set_denied(workspace->raise_grant(
                       workspace->raise_context, wish.subject, wish.id, &wish.needed) < 0);
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct riad_grant *left = a, *right = b;

    if (left->subject != right->subject) {
        return left->subject < right->subject ? -1 : 1;
    }
    return (left->id > right->id) - (left->id < right->id);
}

int riad_workspace_set_grants(
        struct riad_workspace *workspace, const struct riad_grant *grants, size_t count)
{
    struct riad_grant *copy = calloc(count + 1, sizeof *copy);
    struct riad_grant *old;

    if (!copy) {
        return -ENOMEM;
    }
    if (count > 0) {
        memcpy(copy, grants, count * sizeof *copy);
        qsort(copy, count, sizeof *copy, compare);
    }
    pthread_mutex_lock(&workspace->mutation);
    old = workspace->grants;
    workspace->grants = copy;
    workspace->grant_count = count;
    pthread_mutex_unlock(&workspace->mutation);
    free(old);
    return 0;
}

int riad_workspace_owner_usage(struct riad_workspace *workspace, enum riad_subject subject,
        uint32_t id, struct riad_usage *ret)
{
    struct riad_owner owner;
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    r = riad_index_owner(workspace->index, subject, id, &owner);
    riad_background_changed(workspace); /* asking may have begun a batch */
    riad_workspace_unlock(workspace);
    if (r == 0) {
        *ret = owner.usage;
    }
    return r;
}

bool riad_workspace_exempt_grew(struct riad_workspace *workspace)
{
    bool grew;

    pthread_mutex_lock(&workspace->mutation);
    grew = workspace->exempt_grew;
    workspace->exempt_grew = false;
    pthread_mutex_unlock(&workspace->mutation);
    return grew;
}

static uint64_t lowered(uint64_t most, uint64_t used, uint64_t spare)
{
    uint64_t kept = used > UINT64_MAX - spare ? UINT64_MAX : used + spare;

    return most == RIAD_NO_LIMIT || most < kept ? most : kept;
}

int riad_workspace_lower_grant(struct riad_workspace *workspace, enum riad_subject subject,
        uint32_t id, const struct riad_usage *spare, struct riad_usage *ret)
{
    struct riad_grant *grant;
    struct riad_owner owner;
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    grant = find(workspace, subject, id);
    r = grant ? riad_index_owner(workspace->index, subject, id, &owner) : -ENOENT;
    if (r == 0) {
        grant->most.blocks = lowered(grant->most.blocks, owner.usage.blocks, spare->blocks);
        grant->most.inodes = lowered(grant->most.inodes, owner.usage.inodes, spare->inodes);
        *ret = grant->most;
    }
    riad_background_changed(workspace);
    riad_workspace_unlock(workspace);
    return r;
}

/* A copy, so that function may take its time. */
struct owner_list {
    struct riad_owner *items;
    size_t count, capacity;
};

static int add_owner(void *context, const struct riad_owner *owner)
{
    struct owner_list *list = context;

    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? 2 * list->capacity : 64;
        struct riad_owner *grown = reallocarray(list->items, capacity, sizeof *grown);

        if (!grown) {
            return -ENOMEM;
        }
        list->items = grown;
        list->capacity = capacity;
    }
    list->items[list->count++] = *owner;
    return 0;
}

int riad_workspace_owners(struct riad_workspace *workspace, enum riad_subject subject,
        riad_index_owner_function function, void *context)
{
    struct owner_list list = { 0 };
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    r = riad_index_owners(workspace->index, subject, add_owner, &list);
    riad_background_changed(workspace);
    riad_workspace_unlock(workspace);
    for (size_t i = 0; i < list.count && r == 0; i++) {
        r = function(context, &list.items[i]);
    }
    free(list.items);
    return r < 0 ? r : 0;
}
