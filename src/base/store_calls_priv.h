/* Counting, for the table of sysops.c. */
#ifndef RIAD_STORE_CALLS_PRIV_H
#define RIAD_STORE_CALLS_PRIV_H

#include "riad/store_calls.h"

/* One call on the descriptor, which need not be a counted one. */
void riad_store_calls_add(enum riad_store_call kind, int fd);
/* The descriptor was opened in a directory. */
void riad_store_calls_opened(int directory_fd, int fd);
/* It is about to be closed: before, as its number may be another's right after. */
void riad_store_calls_closing(int fd);

#endif
