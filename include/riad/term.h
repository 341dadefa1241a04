/* Layer log. Terms: who owns a workspace, and which records belong to its history (O1, O2,
 * FORMAT 3.4). */
#ifndef RIAD_TERM_H
#define RIAD_TERM_H

#include "riad/envelope.h"
#include "riad/keys.h"
#include "riad/signers.h"

struct riad_term {
    struct riad_id workspace;
    uint32_t number;
    uint32_t previous;
    struct riad_id node;
    struct riad_id boot;
    struct riad_end end; /* where the history before this term ends */
    struct riad_hash roster_head;
    uint32_t epoch;
    struct timespec time;
};

/* The valid terms of a workspace, oldest first, linked by `previous`. */
struct riad_history {
    struct riad_term *terms;
    size_t count;
    uint32_t taken; /* the next claim goes just above: the last term's number, or that of the void
                       files that follow it without a gap. So an owner always finds its successor
                       by looking whether the number above its own is taken (O2), whatever junk
                       with higher numbers a hostile store holds */
};

/* Reads and verifies term/. An empty history is no error. Envelopes that do not verify are void and
 * skipped, unless the chain of `previous` needs them: -EUCLEAN. */
int riad_history_load(int workspace_fd, const struct riad_store_binding *binding,
        struct riad_signers *signers, const struct riad_id *workspace,
        struct riad_history *ret) RIAD_MUST_CHECK;
void riad_history_done(struct riad_history *history);
/* Where records of the term stop counting: the end bound by the term after it; false if it is the
 * last (open-ended). */
bool riad_history_bound(const struct riad_history *history, uint32_t term, struct riad_end *ret);
/* Publishes a term with link: -EEXIST if somebody was faster. Synced before it returns. */
int riad_term_claim(int workspace_fd, const struct riad_store_binding *binding,
        const struct riad_keypair *signer, const struct riad_term *term) RIAD_MUST_CHECK;
/* 0 if no higher valid term than `term` exists, -ESTALE if one does (O2). One stat in the usual
 * case. */
int riad_term_check(int workspace_fd, const struct riad_store_binding *binding,
        struct riad_signers *signers, const struct riad_id *workspace,
        uint32_t term) RIAD_MUST_CHECK;

/* 1 if the number's file is there and a node signed it, though it may be one whose later terms do
 * not count any more; 0 if it is missing or damaged. */
int riad_term_is_whole(int workspace_fd, const struct riad_store_binding *binding,
        struct riad_signers *signers, const struct riad_id *workspace,
        uint32_t number) RIAD_MUST_CHECK;

struct riad_beat {
    uint64_t count;
    bool closed;
    uint64_t last;  /* closed: number of the last change, which was durable then; else 0 */
    uint32_t epoch; /* whose key it is authentic by; not for writing, which takes the current one */
};
/* -ENOENT: none or not authentic under any epoch held. */
int riad_beat_read(int workspace_fd, const struct riad_keys *keys, uint32_t term,
        struct riad_beat *ret) RIAD_MUST_CHECK;
int riad_beat_write(int workspace_fd, const struct riad_keys *keys, uint32_t term,
        const struct riad_beat *beat) RIAD_MUST_CHECK;

#endif
