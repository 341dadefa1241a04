/* Becoming the owner: the node's own lock, the lease of the owner before, a term (O1, O2). */
#include <fcntl.h>
#include <sys/file.h>

#include "riad/bytes.h"
#include "riad/fdio.h"
#include "riad/replay.h"
#include "riad/sysops.h"

#include "lifecycle_priv.h"

enum { CLAIM_ATTEMPTS = 4 };

int riad_ownership_lock(const struct riad_workspace_config *config, struct riad_reason *reason)
{
    _cleanup_close_ int fd = -1;

    fd = riad_sys->openat(
            config->state_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return riad_reason_set(reason, -errno, "cannot open the lock %s/lock: %s",
                config->state_path, strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK) {
            return riad_reason_set(reason, -EBUSY,
                    "%s is in use by another process of this machine; unmount it there first",
                    config->name);
        }
        return riad_reason_set(
                reason, -errno, "cannot lock %s/lock: %s", config->state_path, strerror(errno));
    }
    return riad_take_fd(&fd);
}

static int refuse_owned(struct riad_opening *opening)
{
    const struct riad_history *history = &opening->history;
    char node[2 * sizeof(struct riad_id) + 1] = "";

    if (history->count > 0) {
        riad_hex_encode(&history->terms[history->count - 1].node, sizeof(struct riad_id), node);
    }
    return riad_reason_set(opening->reason, -EBUSY,
            "%s is in use on another machine (node %s); unmount it there first",
            opening->config->name, node);
}

/* Of an epoch that has ended it may be a former member's: it may make others wait, but not keep
 * them from it, and says nothing of the log. An owner that closes writes it under the epoch of
 * then. */
static int read_beat(struct riad_opening *opening, uint32_t term, struct riad_beat *ret)
{
    const struct riad_epoch_ends epochs = riad_workspace_epochs(opening->config);
    int r = riad_beat_read(opening->config->workspace_fd, opening->keys, term, ret);

    if (r == -ENOENT) {
        *ret = (struct riad_beat){ 0 };
        return 0;
    }
    if (r < 0) {
        return riad_reason_set(
                opening->reason, r, "cannot read the heartbeat of term %u: %s", term, strerror(-r));
    }
    if (ret->epoch < riad_epoch_open(&epochs)) {
        ret->closed = false;
        ret->last = 0;
    }
    return 0;
}

/* 1: the owner ended its term; 0: no sign of life; -EBUSY: it lives, or somebody else took over. */
static int look(struct riad_opening *opening, uint32_t term)
{
    const struct riad_workspace_config *config = opening->config;
    struct riad_beat beat;
    int r = read_beat(opening, term, &beat);

    if (r < 0) {
        return r;
    }
    if (beat.closed) {
        return 1;
    }
    if (beat.count != opening->seen.count) {
        return refuse_owned(opening);
    }
    r = riad_term_check(config->workspace_fd, &config->binding, config->signers,
            riad_keys_workspace(opening->keys), term);
    if (r == -ESTALE) {
        return refuse_owned(opening);
    }
    return r < 0 ? riad_reason_set(opening->reason, r, "cannot read the terms of %s: %s",
                           config->name, strerror(-r))
                 : 0;
}

static int tell(const struct riad_opening *opening, uint64_t done, uint64_t total)
{
    return riad_workspace_progress(opening->config,
            "seconds waited for another machine that did not unmount", done, total);
}

/* Judges the owner's heartbeat by this node's clock only (O2). */
static int watch(struct riad_opening *opening, uint32_t term)
{
    uint64_t lease =
            opening->config->lease_seconds ? opening->config->lease_seconds : RIAD_LEASE_SECONDS;
    uint64_t begun = riad_clock_boottime();
    uint64_t elapsed = 0;

    while (elapsed < lease * RIAD_SECOND_NS) {
        int r = tell(opening, elapsed / RIAD_SECOND_NS, lease);

        if (r < 0) {
            return r;
        }
        riad_sleep_ms(lease < 4 ? 100 : 500);
        elapsed = riad_clock_boottime() - begun;
        r = look(opening, term);
        if (r != 0) {
            return r < 0 ? r : 0;
        }
    }
    opening->took_over = true;
    return tell(opening, lease, lease);
}

/* Log files without a term would be taken for an empty workspace, and overwritten. */
static int check_nothing_there(struct riad_opening *opening)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0;
    int r = riad_segment_list(opening->config->workspace_fd, RIAD_SEGMENT_LOG, &ids, &count);

    if (r < 0) {
        return riad_reason_set(opening->reason, r, "cannot list the log of %s: %s",
                opening->config->name, strerror(-r));
    }
    if (count > 0) {
        return riad_reason_set(opening->reason, -EUCLEAN,
                "%s has a log but no valid term (folder term/); restore it from a backup",
                opening->config->name);
    }
    return 0;
}

/* A heartbeat is of a term that was claimed: if that is missing or damaged, what was done in it
 * would be left out, and the history before it taken for all there is. */
static int check_successor(struct riad_opening *opening, uint32_t term)
{
    const struct riad_workspace_config *config = opening->config;
    const struct riad_epoch_ends epochs = riad_workspace_epochs(config);
    struct riad_beat beat;
    int r = read_beat(opening, term, &beat);

    if (r < 0 || beat.count == 0 || beat.epoch < riad_epoch_open(&epochs)) {
        return r;
    }
    r = riad_term_is_whole(config->workspace_fd, &config->binding, config->signers,
            riad_keys_workspace(opening->keys), term);
    if (r < 0) {
        return riad_reason_set(opening->reason, r, "cannot read term %u of %s: %s", term,
                config->name, strerror(-r));
    }
    return r > 0 ? 0
                 : riad_reason_set(opening->reason, -EUCLEAN,
                           "term %u of %s is damaged or missing (term/%08x), but its heartbeat is "
                           "there: restore it from a backup, or delete term/%08x.beat to go on "
                           "with what was there before it",
                           term, config->name, term, term);
}

static int check_successors(struct riad_opening *opening, uint32_t last)
{
    uint32_t highest = opening->history.taken < UINT32_MAX ? opening->history.taken + 1 : 0;
    int r = 0;

    for (uint32_t term = last + 1; term <= highest && r == 0; term++) {
        r = check_successor(opening, term);
    }
    return r;
}

int riad_ownership_wait(struct riad_opening *opening)
{
    const struct riad_workspace_config *config = opening->config;
    const struct riad_term *last;
    int r = riad_history_load(config->workspace_fd, &config->binding, config->signers,
            riad_keys_workspace(opening->keys), &opening->history);

    if (r < 0) {
        return riad_reason_set(opening->reason, r, "the terms of %s cannot be verified: %s",
                config->name, strerror(-r));
    }
    if (opening->history.count == 0) {
        return check_nothing_there(opening);
    }
    last = &opening->history.terms[opening->history.count - 1];
    r = check_successors(opening, last->number);
    if (r < 0) {
        return r;
    }
    r = read_beat(opening, last->number, &opening->seen);
    if (r < 0) {
        return r;
    }
    opening->closed_number = opening->seen.last;
    if (opening->seen.closed || riad_id_equal(&last->node, &config->node)) {
        return 0; /* of our own node: the lock of the state directory is ours, its process is gone
                   */
    }
    return watch(opening, last->number);
}

/* Opening the log makes durable what the process of an older term left in this node's page cache:
 * before a term binds it, as a term may not name what a power failure could take. */
static int open_log(struct riad_opening *opening)
{
    const struct riad_spool_home home = riad_recover_spool_home(opening);
    struct riad_log_config log = {
        .workspace_fd = opening->config->workspace_fd,
        .keys = opening->keys,
        .term = opening->history.taken + 1,
        .spool = &home,
        .data_segment_size = riad_store_segment_size(opening->config->workspace_fd),
    };
    int r;

    if (opening->log) {
        riad_log_free(opening->log);
        opening->log = NULL;
    }
    riad_index_end(opening->index, &log.end, &log.start);
    r = riad_log_open(&log, &opening->log);
    return r < 0 ? riad_reason_set(opening->reason, r, "the log of %s cannot be continued: %s",
                           opening->config->name, strerror(-r))
                 : 0;
}

int riad_ownership_publish(struct riad_opening *opening)
{
    const struct riad_workspace_config *config = opening->config;
    struct riad_history *history = &opening->history;
    struct riad_term term = {
        .workspace = *riad_keys_workspace(opening->keys),
        .number = history->taken + 1,
        .previous = history->count ? history->terms[history->count - 1].number : 0,
        .node = config->node,
        .boot = config->boot,
        .roster_head = config->roster_head,
        .epoch = riad_keys_epoch(opening->keys),
        .time = riad_clock_now(),
    };
    uint64_t start;
    int r;

    riad_index_end(opening->index, &term.end, &start);
    r = riad_term_claim(config->workspace_fd, &config->binding, config->term_signer, &term);
    if (r == -EEXIST) {
        return refuse_owned(opening);
    }
    if (r < 0) {
        return riad_reason_set(
                opening->reason, r, "cannot write a term of %s: %s", config->name, strerror(-r));
    }
    history->taken++;
    return 0;
}

static int publish(struct riad_opening *opening)
{
    int r = open_log(opening);

    return r < 0 ? r : riad_ownership_publish(opening);
}

/* What the owner before made durable until it could see our claim counts: if the log went on while
 * we read it, claim once more behind that; the term in between is not linked, so void. 1: it went
 * on. */
static int look_again(struct riad_opening *opening)
{
    struct riad_end before, after;
    uint64_t start;
    int r;

    if (!opening->took_over) {
        return 0;
    }
    riad_index_end(opening->index, &before, &start);
    r = riad_recover_follow(opening);
    if (r < 0) {
        return r;
    }
    riad_index_end(opening->index, &after, &start);
    return after.sequence.number != before.sequence.number;
}

int riad_ownership_claim(struct riad_opening *opening)
{
    for (int i = 0; i < CLAIM_ATTEMPTS; i++) {
        int r = 0;

        if (opening->took_over && i == 0) {
            r = look(opening, opening->history.terms[opening->history.count - 1].number);
        }
        if (r >= 0) {
            r = publish(opening);
        }
        if (r >= 0) {
            r = look_again(opening);
        }
        if (r < 0) {
            return r;
        }
        if (r == 0) {
            opening->term = opening->history.taken;
            return 0;
        }
    }
    return refuse_owned(opening);
}
