#ifndef RIAD_TERM_PRIV_H
#define RIAD_TERM_PRIV_H

#include "riad/term.h"

enum { RIAD_TERM_NAME_SIZE = 9 }; /* 8 digits and a zero */

void riad_term_name(uint32_t number, char ret[RIAD_TERM_NAME_SIZE]);
/* Reads and verifies term/<number> below an open term directory. -EBADMSG: void, whatever is wrong
 * with it. -ENOENT, -EPROTONOSUPPORT, other errno of the store. */
int riad_term_read(int directory, const struct riad_store_binding *binding,
        struct riad_signers *signers, const struct riad_id *workspace, uint32_t number,
        struct riad_term *ret) RIAD_MUST_CHECK;

#endif
