/* Requests counted by opcode, without locks. */
#ifndef RIAD_COUNTERS_PRIV_H
#define RIAD_COUNTERS_PRIV_H

#include <stdatomic.h>

#include "riad/session.h"

struct riad_counters {
    _Atomic uint64_t requests[RIAD_OPCODES_MAX];
    _Atomic uint64_t errors;
};

void riad_counters_request(struct riad_counters *counters, uint32_t opcode);
void riad_counters_error(struct riad_counters *counters);
/* riad_session_uses. */
uint64_t riad_counters_uses(const struct riad_session_counters *counters);
void riad_counters_read(const struct riad_counters *counters, struct riad_session_counters *ret);

#endif
