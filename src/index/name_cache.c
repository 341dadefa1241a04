/* Names that were sealed lately: a create seals its name for the kernel's lookup, for its own, and
 * for the row. Sealing is deterministic, so entries never go stale. */
#include <errno.h>

#include "index_priv.h"

static struct riad_cached_name *slot_of(
        struct riad_index *index, uint64_t parent, const char *name, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325 ^ parent; /* FNV-1a: spreads, no more */

    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (uint8_t)name[i]) * 0x100000001b3;
    }
    return &index->names[(hash ^ hash >> 32) % RIAD_CACHED_NAMES];
}

static int seal(struct riad_index *index, uint64_t parent, const char *name, size_t size,
        uint8_t *ret, size_t *ret_size)
{
    struct riad_sealing sealing;

    riad_sealing_dentry(&sealing, index->keys, parent);
    return riad_seal_text(&sealing, name, size, ret, ret_size);
}

int riad_index_seal_name(struct riad_index *index, uint64_t parent, const char *name, size_t size,
        uint8_t ret[RIAD_SEALED_NAME_MAX], size_t *ret_size)
{
    struct riad_cached_name *slot;
    int r;

    if (size > RIAD_CACHED_NAME_MAX) {
        index->counters.names.misses++;
        return seal(index, parent, name, size, ret, ret_size);
    }
    slot = slot_of(index, parent, name, size);
    if (slot->parent == parent && slot->size == size && memcmp(slot->name, name, size) == 0) {
        index->counters.names.hits++;
    } else {
        index->counters.names.misses++;
        slot->parent = 0; /* no inode's number, should sealing fail */
        r = seal(index, parent, name, size, slot->sealed, &slot->sealed_size);
        if (r < 0) {
            return r;
        }
        slot->parent = parent;
        slot->size = size;
        memcpy(slot->name, name, size);
    }
    memcpy(ret, slot->sealed, slot->sealed_size);
    *ret_size = slot->sealed_size;
    return 0;
}
