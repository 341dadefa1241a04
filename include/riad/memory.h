/* Layer base. The heap of a process that serves for months: what was needed once under load does
 * not stay for ever. malloc keeps an arena for each thread that ever contended, and what is free in
 * it; of a mount under load most of its heap was that. */
#ifndef RIAD_MEMORY_H
#define RIAD_MEMORY_H

#include <stdint.h>

/* To be called once, before the first thread: at most as many arenas as processors, eight at most;
 * buffers of up to 4 MiB come from the heap. */
void riad_memory_prepare(void);

/* Gives free pages of the heap back to the kernel if there are many, and half a minute is over
 * since *looked_at (ms of CLOCK_MONOTONIC; 0: never; kept here). Returns the milliseconds until it
 * is to be called again. Takes a millisecond or so, for which others may wait in malloc. */
int riad_memory_trim(uint64_t *looked_at);

#endif
