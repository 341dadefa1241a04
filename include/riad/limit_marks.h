/* Layer core. What is told of a limit, of whomever it is: that its soft one is passed, that 80 or
 * 95 % of the hard one are used, that something was refused. Each once, until usage has been well
 * below. No locks: the caller has that of what it hands in. */
#ifndef RIAD_LIMIT_MARKS_H
#define RIAD_LIMIT_MARKS_H

#include <stdbool.h>
#include <stdint.h>

/* Bits of what was told. */
enum riad_limit_mark { RIAD_MARK_SOFT = 1, RIAD_MARK_80 = 2, RIAD_MARK_95 = 4, RIAD_MARK_HARD = 8 };

/* One resource, in any unit; limits: 0 is none. */
struct riad_limit_measure {
    uint64_t used, soft, hard;
    uint64_t most; /* what holds now: the hard one, or the soft one if its grace is over */
    bool refused;  /* something was, since this was looked at last */
};

/* what: such as "80 % of the hard limit are used". */
typedef void (*riad_limit_tell_function)(
        void *context, enum riad_limit_mark mark, const char *what);

/* Calls tell for each mark that is passed now and is not in *told, which is brought up to date.
 * tell NULL: nothing is told of what is so already. */
void riad_limit_marks_look(const struct riad_limit_measure *measure, unsigned *told,
        riad_limit_tell_function tell, void *context);

/* "; from 2026-01-31T12:00:00Z on it holds", of a soft limit that was passed at `since` (seconds
 * since 1970); 0: an empty text. */
void riad_limit_show_grace(uint64_t since, uint32_t grace, char ret[static 64]);

/* "1.5 MiB" of bytes, or a plain count. */
void riad_limit_show(bool is_bytes, uint64_t count, char ret[static 32]);

#endif
