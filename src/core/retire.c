/* What nobody needs any more leaves the store: dead data segments, old checkpoints, leftovers. */
#include <fcntl.h>
#include <stdio.h>

#include "riad/fdio.h"
#include "riad/folder.h"
#include "riad/sysops.h"

#include "lifecycle_priv.h"

static int make_grave(struct riad_workspace *workspace, char ret[static 32])
{
    int r;

    snprintf(ret, 32, "dead/%08x", workspace->term);
    r = riad_mkdir_at(workspace->workspace_fd, "dead");
    return r < 0 ? r : riad_mkdir_at(workspace->workspace_fd, ret);
}

static int lay_in_grave(struct riad_workspace *workspace, enum riad_segment_kind kind,
        uint64_t segment, char ret_path[static 64])
{
    char from[32], grave[32];
    int fd = workspace->workspace_fd;
    int r = make_grave(workspace, grave);

    if (r < 0) {
        return r;
    }
    riad_segment_path(kind, segment, from);
    snprintf(ret_path, 64, "%s/%016llx", grave, (unsigned long long)segment);
    if (riad_sys->renameat(fd, from, fd, ret_path) < 0) {
        return -errno;
    }
    riad_segments_forget(workspace->segments, segment);
    return 0;
}

int riad_retire_file(
        struct riad_workspace *workspace, enum riad_segment_kind kind, uint64_t segment)
{
    char path[64];
    int r = lay_in_grave(workspace, kind, segment, path);

    if (r < 0) {
        return r == -ENOENT ? 0 : r;
    }
    /* A file that stays is unlinked when the workspace is next opened. */
    return riad_sys->unlinkat(workspace->workspace_fd, path, 0) < 0 ? -errno : 0;
}

/* Dead according to the index, and closed: nothing more is written to it. One that is still open is
 * closed now, and dead for a later round. */
static int find_dead(struct riad_workspace *workspace, uint64_t *ret, size_t max, size_t *ret_count)
{
    size_t count = 0;
    size_t closed = 0;
    int r;

    pthread_mutex_lock(&workspace->mutation);
    r = riad_index_dead_segments(workspace->index, ret, max, &count);
    riad_background_changed(workspace); /* asking may have begun a batch */
    pthread_mutex_unlock(&workspace->mutation);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < count; i++) {
        if (riad_log_is_open_segment(workspace->log, ret[i])) {
            riad_log_end_segment(workspace->log, ret[i]);
        } else {
            ret[closed++] = ret[i];
        }
    }
    *ret_count = closed;
    return 0;
}

static bool was_dead(const struct riad_upkeep *upkeep, uint64_t segment)
{
    for (size_t i = 0; i < upkeep->dead_count; i++) {
        if (upkeep->dead_segments[i] == segment) {
            return true;
        }
    }
    return false;
}

int riad_retire_segment(
        struct riad_workspace *workspace, enum riad_segment_kind kind, uint64_t segment)
{
    int r = riad_retire_file(workspace, kind, segment);

    if (r < 0) {
        return r;
    }
    pthread_mutex_lock(&workspace->mutation);
    r = riad_index_drop_segment(workspace->index, segment);
    riad_background_changed(workspace);
    pthread_mutex_unlock(&workspace->mutation);
    return r == -ENOENT ? 0 : r;
}

/* A change of nothing says that all before it is durable. Without it a reader that has no mark
 * would look for the payloads of the last changes, and take one that was unlinked since for torn
 * off, with everything behind it (P3). */
int riad_retire_vouch(struct riad_workspace *workspace)
{
    int r = riad_workspace_sync(workspace);

    if (r >= 0) {
        r = riad_mutation_begin(workspace, NULL);
    }
    if (r < 0) {
        return r;
    }
    r = riad_mutation_commit(workspace, NULL);
    workspace->cleaning.own_changes++;
    riad_mutation_end(workspace);
    return r < 0 ? r : riad_workspace_sync(workspace);
}

static bool is_any_due(const struct riad_upkeep *upkeep, const uint64_t *segments, size_t count)
{
    size_t i = 0;

    while (i < count && !was_dead(upkeep, segments[i])) {
        i++;
    }
    return i < count;
}

/* Those that were dead before the epoch was turned, and still are now that every writer of that
 * time has ended. The changes that freed them are synced first, and the term looked up behind that
 * (riad_workspace_sync). */
static int bury_all(struct riad_workspace *workspace)
{
    uint64_t now[64];
    size_t count = 0;
    int r = find_dead(workspace, now, sizeof now / sizeof now[0], &count);

    if (r < 0 || !is_any_due(&workspace->upkeep, now, count)) {
        return r;
    }
    r = riad_retire_vouch(workspace);
    for (size_t i = 0; i < count && r >= 0; i++) {
        if (was_dead(&workspace->upkeep, now[i])) {
            r = riad_retire_segment(workspace, RIAD_SEGMENT_DATA, now[i]);
        }
    }
    riad_store_measure(workspace); /* whoever waits for the room may have it at once */
    return r;
}

void riad_retire_round(struct riad_workspace *workspace)
{
    struct riad_upkeep *upkeep = &workspace->upkeep;
    unsigned before = atomic_load(&workspace->bulk_epoch) - 1;
    int r = 0;

    if (atomic_load(&workspace->bulk_writers[before & 1]) > 0) {
        return; /* somebody of the epoch before is still at it */
    }
    if (upkeep->dead_count > 0) {
        r = bury_all(workspace);
    }
    upkeep->dead_count = 0;
    if (r >= 0) {
        r = find_dead(workspace, upkeep->dead_segments, 64, &upkeep->dead_count);
    }
    if (r < 0 && r != -ESTALE) {
        riad_workspace_event_unlocked(
                workspace, "space of deleted files is not given back yet: %s", strerror(-r));
    }
    if (upkeep->dead_count > 0) {
        atomic_fetch_add(&workspace->bulk_epoch, 1);
    }
}

/* Unlinks the files of a folder whose names begin with prefix; folders are left. */
static void clear_folder(int parent_fd, const char *path, const char *prefix)
{
    _cleanup_(riad_folder_freep) struct riad_folder *folder = NULL;
    const char *name = NULL;

    if (riad_folder_open(parent_fd, path, &folder) < 0) {
        return;
    }
    while (riad_folder_next(folder, &name) > 0) {
        if (strncmp(name, prefix, strlen(prefix)) == 0) {
            riad_sys->unlinkat(riad_folder_fd(folder), name, 0);
        }
    }
}

static void clear_grave(int dead_fd, const char *name, uint32_t term)
{
    unsigned grave;
    char trailing;

    if (strlen(name) != 8 || sscanf(name, "%8x%c", &grave, &trailing) != 1 || grave >= term) {
        return;
    }
    clear_folder(dead_fd, name, "");
    riad_sys->unlinkat(dead_fd, name, AT_REMOVEDIR);
}

static void clear_graves(struct riad_workspace *workspace)
{
    _cleanup_(riad_folder_freep) struct riad_folder *folder = NULL;
    const char *name = NULL;

    if (riad_folder_open(workspace->workspace_fd, "dead", &folder) < 0) {
        return;
    }
    while (riad_folder_next(folder, &name) > 0) {
        clear_grave(riad_folder_fd(folder), name, workspace->term);
    }
}

/* 1: no extent ever referred to the segment since the index was made: an older term wrote it, and
 * died before the change; or it died before the checkpoint that the index was made from. */
static int is_unknown(struct riad_workspace *workspace, uint64_t segment)
{
    uint64_t live = 0;
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    r = riad_index_segment_live(workspace->index, segment, &live);
    riad_background_changed(workspace);
    riad_workspace_unlock(workspace);
    return r == -ENOENT ? 1 : r;
}

/* What is moved away here is unlinked only when the workspace is next opened. */
static int retire_unknown(struct riad_workspace *workspace)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0;
    char path[64];
    int r = riad_workspace_sync(workspace);

    if (r >= 0) {
        r = riad_segment_list(workspace->workspace_fd, RIAD_SEGMENT_DATA, &ids, &count);
    }
    for (size_t i = 0; i < count && r >= 0; i++) {
        if (riad_segment_term(ids[i]) >= workspace->term) {
            continue;
        }
        r = is_unknown(workspace, ids[i]);
        if (r > 0) {
            r = lay_in_grave(workspace, RIAD_SEGMENT_DATA, ids[i], path);
        }
    }
    return r;
}

/* Nothing here is worth failing for: what cannot be removed is tried again at the next opening. */
void riad_retire_leftovers(struct riad_workspace *workspace)
{
    int r;

    pthread_mutex_lock(&workspace->checkpointing); /* ours, if one is being written, stays */
    clear_folder(workspace->workspace_fd, "ckpt", ".tmp-");
    pthread_mutex_unlock(&workspace->checkpointing);
    clear_graves(workspace);
    r = retire_unknown(workspace);
    if (r < 0 && r != -ESTALE) {
        riad_workspace_event_unlocked(
                workspace, "unused segments cannot be removed: %s", strerror(-r));
    }
}
