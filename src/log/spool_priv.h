/* The spool's file: a page with the header, then a ring of bytes. The segment's byte at offset o
 * lies at o modulo the ring's size. */
#ifndef RIAD_SPOOL_PRIV_H
#define RIAD_SPOOL_PRIV_H

#include <stdatomic.h>

#include "riad/spool.h"

#define RIAD_SPOOL_MAGIC "RIADSPL1"

enum { RIAD_SPOOL_HEADER_SIZE = 4096, RIAD_SPOOL_FILE_SIZE = 4096 + RIAD_SPOOL_SIZE };

/* Each field is stored whole, in the order that leaves nothing pending while two do not fit each
 * other: whoever is killed between two stores leaves a header that is right. */
struct riad_spool_header {
    char magic[8];
    struct riad_id workspace;
    struct riad_id boot;
    _Atomic uint64_t segment;
    _Atomic uint64_t shipped; /* the store has the segment up to here */
    _Atomic uint64_t end;     /* and the ring from there up to here */
};

/* Whether it was left by a process of the same boot, for the same workspace, and is consistent. */
bool riad_spool_header_fits(
        const struct riad_spool_header *header, const struct riad_spool_home *home);
/* Writes the ring's bytes [from, to) of the segment to fd; done is raised as they get there. */
int riad_spool_write_out(const uint8_t *ring, uint64_t from, uint64_t to, int fd,
        _Atomic uint64_t *done) RIAD_MUST_CHECK;

#endif
