#include "riad/members.h"

#include <stdlib.h>

#include "riad/cleanup.h"
#include "riad/error.h"

#include "rows_priv.h"

static int by_uid(const void *a, const void *b)
{
    const struct riad_member_standing *left = a, *right = b;

    return (left->uid > right->uid) - (left->uid < right->uid);
}

static bool is_valid(const struct riad_member_standing *member)
{
    return member->uid != UINT32_MAX &&
           (member->standing == RIAD_STANDING_READER || member->standing == RIAD_STANDING_WRITER);
}

/* Of a sorted list. */
static int check(const struct riad_member_standing *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_valid(&list[i]) || (i > 0 && list[i].uid == list[i - 1].uid)) {
            return -EINVAL;
        }
    }
    return 0;
}

static int copy(
        const struct riad_member_standing *members, size_t count, struct riad_member_standing **ret)
{
    _cleanup_free_ struct riad_member_standing *list = calloc(count + 1, sizeof *list);
    int r;

    if (!list) {
        return -ENOMEM;
    }
    if (count > 0) {
        memcpy(list, members, count * sizeof *list);
        qsort(list, count, sizeof *list, by_uid);
    }
    r = check(list, count);
    if (r == 0) {
        *ret = riad_take_pointer(list);
    }
    return r;
}

static enum riad_standing standing_in(
        const struct riad_member_standing *list, size_t count, uint32_t uid)
{
    const struct riad_member_standing wanted = { .uid = uid }, *found;

    found = bsearch(&wanted, list, count, sizeof wanted, by_uid);
    return found ? found->standing : RIAD_STANDING_NONE;
}

/* (members' lock) root passes by every list. */
static bool gives_less(
        const struct riad_members *members, const struct riad_member_standing *list, size_t count)
{
    for (size_t i = 0; i < members->count; i++) {
        const struct riad_member_standing *before = &members->list[i];

        if (before->uid != 0 && standing_in(list, count, before->uid) < before->standing) {
            return true;
        }
    }
    return false;
}

/* With the mutation lock nobody is between being let in and committing. */
static struct riad_member_standing *replace(struct riad_workspace *workspace,
        struct riad_member_standing *list, size_t count, bool *ret_less)
{
    struct riad_members *members = &workspace->members;
    struct riad_member_standing *before;

    pthread_mutex_lock(&workspace->mutation);
    pthread_rwlock_wrlock(&members->lock);
    *ret_less = gives_less(members, list, count);
    before = members->list;
    members->list = list;
    members->count = count;
    atomic_store(&members->guarded, true);
    pthread_rwlock_unlock(&members->lock);
    pthread_mutex_unlock(&workspace->mutation);
    return before;
}

int riad_members_set(struct riad_workspace *workspace, const struct riad_member_standing *members,
        size_t count, bool *ret_less)
{
    struct riad_member_standing *list;
    bool less;
    int r = count > RIAD_MEMBERS_MAX ? -E2BIG : copy(members, count, &list);

    if (r < 0) {
        return r;
    }
    free(replace(workspace, list, count, &less));
    if (ret_less) {
        *ret_less = less;
    }
    return 0;
}

bool riad_members_guarded(struct riad_workspace *workspace)
{
    return atomic_load_explicit(&workspace->members.guarded, memory_order_acquire);
}

enum riad_standing riad_members_standing(struct riad_workspace *workspace, uint32_t uid)
{
    struct riad_members *members = &workspace->members;
    enum riad_standing standing;

    if (uid == 0 || !riad_members_guarded(workspace)) {
        return RIAD_STANDING_WRITER;
    }
    pthread_rwlock_rdlock(&members->lock);
    standing = standing_in(members->list, members->count, uid);
    pthread_rwlock_unlock(&members->lock);
    return standing;
}

size_t riad_members_copy(
        struct riad_workspace *workspace, struct riad_member_standing ret[RIAD_MEMBERS_MAX])
{
    struct riad_members *members = &workspace->members;
    size_t count;

    pthread_rwlock_rdlock(&members->lock);
    count = members->count;
    if (count > 0) {
        memcpy(ret, members->list, count * sizeof *ret);
    }
    pthread_rwlock_unlock(&members->lock);
    return count;
}

int riad_members_allow_rights(struct riad_workspace *workspace, uint64_t inode)
{
    return inode == RIAD_ROOT_INODE && riad_members_guarded(workspace) ? -EPERM : 0;
}

int riad_members_init(struct riad_members *members)
{
    pthread_rwlockattr_t attributes;
    int r = -pthread_mutex_init(&members->applying, NULL);

    if (r == 0) {
        r = -pthread_rwlockattr_init(&attributes);
    }
    if (r < 0) {
        return r;
    }
    /* Whoever asks holds it for nanoseconds, but always somebody does. */
    (void)pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    r = -pthread_rwlock_init(&members->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    return r;
}

void riad_members_done(struct riad_members *members)
{
    free(members->list);
}
