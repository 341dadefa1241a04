/* Verifying what files hold, with the key, beside whoever uses them (riad_workspace_scrub). */
#include <stdlib.h>
#include <unistd.h>

#include "lifecycle_priv.h"
#include "verify_priv.h"

enum {
    READ_BYTES = 1 << 20,   /* in one go, */
    STEP_BYTES = 64 << 10,  /* and where that fails */
    ROUND_BYTES = 32 << 20, /* of one round of the upkeep thread, which has other things to do */
    WORTH_BYTES = 2 << 20,  /* for less no round is made before the next that is due */
};

void riad_workspace_scrub(struct riad_workspace *workspace, uint64_t rate)
{
    const struct riad_scrubbing fresh = {
        .running = true, .rate = rate, .began = (uint64_t)riad_clock_now().tv_sec
    };
    struct riad_usage usage;

    pthread_mutex_lock(&workspace->mutation);
    riad_index_usage(workspace->index, &usage);
    workspace->scrubbing = fresh;
    workspace->scrubbing.total = usage.blocks * RIAD_BLOCK_SIZE;
    workspace->scrub_begun = riad_clock_boottime();
    pthread_mutex_unlock(&workspace->mutation);
    riad_background_upkeep(workspace);
}

static void note_damaged(struct riad_verifying *verifying)
{
    struct riad_scrubbing *now = &verifying->now;

    if (now->file_damaged) {
        return;
    }
    now->file_damaged = true;
    if (now->damaged < RIAD_SCRUB_TOLD) {
        now->inodes[now->damaged] = now->inode;
    }
    now->damaged++;
}

/* 1: the file ends before its offset, or is gone. */
static int read_some(struct riad_verifying *verifying, uint32_t size, uint32_t *ret_size)
{
    struct riad_scrubbing *now = &verifying->now;
    int r = riad_read(
            verifying->workspace, now->inode, now->offset, size, verifying->buffer, ret_size);

    if (r == -ENOENT || r == -EISDIR || r == -EINVAL || (r == 0 && *ret_size == 0)) {
        return 1;
    }
    return r;
}

/* What cannot be read in one go is read in steps, so that damage does not hide more damage. */
static int verify_piece(struct riad_verifying *verifying)
{
    struct riad_scrubbing *now = &verifying->now;
    uint32_t size = 0;
    int r = read_some(verifying, now->careful > now->offset ? STEP_BYTES : READ_BYTES, &size);

    if (r == -EIO && now->careful <= now->offset) {
        now->careful = now->offset + READ_BYTES;
        return 0;
    }
    if (r == -EIO) {
        note_damaged(verifying);
        size = STEP_BYTES;
        r = 0;
    }
    if (r == 0) {
        now->offset += size;
        now->bytes += size;
        verifying->allowed -= size < verifying->allowed ? size : verifying->allowed;
    }
    return r;
}

static int skip_hole(struct riad_verifying *verifying)
{
    struct riad_scrubbing *now = &verifying->now;
    uint64_t offset = now->offset;
    int r = riad_seek(verifying->workspace, now->inode, now->offset, SEEK_DATA, &offset);

    if (r == -ENXIO || r == -ENOENT || r == -EISDIR || r == -EINVAL) {
        return 1;
    }
    if (r == 0) {
        now->offset = offset;
    }
    return r;
}

/* The next inode; 1: that was the last. */
static int next_file(struct riad_verifying *verifying)
{
    struct riad_workspace *workspace = verifying->workspace;
    struct riad_scrubbing *now = &verifying->now;
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    r = riad_index_next_file(workspace->index, now->inode, &now->inode);
    riad_background_changed(workspace); /* asking may have begun a batch */
    riad_workspace_unlock(workspace);
    now->offset = now->careful = 0;
    now->file_damaged = false;
    now->files += r == 0;
    return r == -ENOENT ? 1 : r;
}

/* 1: all files are verified. */
static int verify(struct riad_verifying *verifying)
{
    struct riad_scrubbing *now = &verifying->now;
    int r = now->files_done;

    while (r == 0 && verifying->allowed > 0) {
        if (riad_background_stopping(verifying->workspace)) {
            return -ECANCELED;
        }
        r = now->inode == 0 ? 1 : skip_hole(verifying);
        if (r == 0) {
            r = verify_piece(verifying);
        }
        if (r > 0) {
            r = next_file(verifying);
        }
    }
    now->files_done = r > 0;
    return r;
}

static uint64_t allowance(const struct riad_scrubbing *now, uint64_t begun)
{
    uint64_t milliseconds = (riad_clock_boottime() - begun) / 1000000;
    uint64_t read = now->bytes + now->history_bytes;
    uint64_t due, limit = ROUND_BYTES;

    if (now->rate > 0) {
        due = now->rate / 1000 * milliseconds;
        due = due > read ? due - read : 0;
        limit = due < limit ? due : limit;
    }
    return limit;
}

static void tell_end(struct riad_workspace *workspace, const struct riad_scrubbing *now)
{
    if (now->damaged > 0) {
        riad_workspace_event_unlocked(workspace,
                "scrub: %llu files cannot be read whole; the first is inode %llu",
                (unsigned long long)now->damaged, (unsigned long long)now->inodes[0]);
    }
}

/* Unless it was begun anew meanwhile. */
static bool publish(struct riad_verifying *verifying, uint64_t begun, bool ended)
{
    struct riad_workspace *workspace = verifying->workspace;
    bool current;

    verifying->now.running = !ended;
    verifying->now.ended = ended ? (uint64_t)riad_clock_now().tv_sec : 0;
    pthread_mutex_lock(&workspace->mutation);
    current = workspace->scrub_begun == begun;
    if (current) {
        workspace->scrubbing = verifying->now;
    }
    pthread_mutex_unlock(&workspace->mutation);
    return current;
}

void riad_verify_round(struct riad_workspace *workspace)
{
    _cleanup_free_ uint8_t *buffer = NULL;
    struct riad_verifying verifying = { .workspace = workspace };
    uint64_t begun;
    int r;

    pthread_mutex_lock(&workspace->mutation);
    verifying.now = workspace->scrubbing;
    begun = workspace->scrub_begun;
    pthread_mutex_unlock(&workspace->mutation);
    verifying.allowed = verifying.now.running ? allowance(&verifying.now, begun) : 0;
    if (verifying.allowed == 0) {
        return;
    }
    verifying.buffer = buffer = malloc(READ_BYTES);
    if (!buffer) {
        return; /* the next round tries again */
    }
    r = verify(&verifying);
    if (r > 0) {
        r = riad_verify_history(&verifying, begun);
        r = r < 0 ? r : !r;
    }
    if (publish(&verifying, begun, r > 0) && r > 0) {
        tell_end(workspace, &verifying.now);
    }
    if (r == 0 && allowance(&verifying.now, begun) >= WORTH_BYTES) {
        riad_background_upkeep(workspace);
    }
}

void riad_verify_stop(struct riad_workspace *workspace)
{
    pthread_mutex_lock(&workspace->mutation);
    workspace->scrubbing.running = false;
    pthread_mutex_unlock(&workspace->mutation);
}
