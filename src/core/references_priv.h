/* How many references the kernel holds to each inode: a hash table of counts. Guarded by the
 * mutation lock. */
#ifndef RIAD_REFERENCES_PRIV_H
#define RIAD_REFERENCES_PRIV_H

#include "riad/types.h"

struct riad_references;

int riad_references_new(struct riad_references **ret) RIAD_MUST_CHECK;
void riad_references_free(struct riad_references *references);
/* -ENOMEM. */
int riad_references_add(
        struct riad_references *references, uint64_t inode, uint64_t count) RIAD_MUST_CHECK;
/* Returns what is left; never below 0. */
uint64_t riad_references_drop(struct riad_references *references, uint64_t inode, uint64_t count);
uint64_t riad_references_get(const struct riad_references *references, uint64_t inode);
/* Inodes with a count above 0. */
uint64_t riad_references_inodes(const struct riad_references *references);
/* Those, in any order; ret has room for all. */
void riad_references_list(const struct riad_references *references, uint64_t *ret);

#endif
