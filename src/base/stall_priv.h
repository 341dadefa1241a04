/* Noting of calls, for the table of sysops.c. */
#ifndef RIAD_STALL_PRIV_H
#define RIAD_STALL_PRIV_H

#include "riad/types.h"

/* name is a constant. The place is for riad_stall_end; NULL: there is none left. */
struct riad_stall_place;
struct riad_stall_place *riad_stall_begin(const char *name, int fd);
void riad_stall_end(struct riad_stall_place *place); /* leaves errno as it is */

#endif
