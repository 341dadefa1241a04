/* A heap of items by a key: the smallest is found at once, any is removed in log n steps. */
#ifndef RIAD_HEAP_PRIV_H
#define RIAD_HEAP_PRIV_H

#include "riad/types.h"

struct riad_heap_item {
    uint64_t key; /* not changed while the item is in a heap */
    size_t place; /* the heap's */
};

/* All zero: empty. No locks of its own. */
struct riad_heap {
    struct riad_heap_item **items; /* borrowed */
    size_t count, room;
};

/* Room for so many items in all. -ENOMEM. */
int riad_heap_reserve(struct riad_heap *heap, size_t count) RIAD_MUST_CHECK;
void riad_heap_done(struct riad_heap *heap);
/* Room was reserved. */
void riad_heap_add(struct riad_heap *heap, struct riad_heap_item *item);
/* The item is in it. */
void riad_heap_remove(struct riad_heap *heap, struct riad_heap_item *item);
/* NULL: empty. */
struct riad_heap_item *riad_heap_first(const struct riad_heap *heap);

#endif
