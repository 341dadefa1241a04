#include <stdlib.h>

#include "riad/error.h"

#include "references_priv.h"

/* Open addressing with linear probing; a slot with inode 0 is free. Removal shifts the entries
 * behind it back, so there are no tombstones. */
enum { SLOTS_MIN = 64 };

struct slot {
    uint64_t inode;
    uint64_t count;
};

struct riad_references {
    struct slot *slots;
    size_t capacity; /* a power of two */
    size_t used;     /* at most three quarters of it */
};

static size_t home_of(const struct riad_references *references, uint64_t inode)
{
    uint64_t mixed = inode * UINT64_C(0x9e3779b97f4a7c15);

    return (size_t)(mixed >> 32) & (references->capacity - 1);
}

/* The inode's slot, or the free one where it would go. */
static size_t find(const struct riad_references *references, uint64_t inode)
{
    size_t at = home_of(references, inode);

    while (references->slots[at].inode != 0 && references->slots[at].inode != inode) {
        at = (at + 1) & (references->capacity - 1);
    }
    return at;
}

static int resize(struct riad_references *references, size_t capacity)
{
    struct riad_references next = { .capacity = capacity, .used = references->used };

    next.slots = calloc(capacity, sizeof *next.slots);
    if (!next.slots) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < references->capacity; i++) {
        if (references->slots[i].inode != 0) {
            next.slots[find(&next, references->slots[i].inode)] = references->slots[i];
        }
    }
    free(references->slots);
    *references = next;
    return 0;
}

int riad_references_new(struct riad_references **ret)
{
    struct riad_references *references = calloc(1, sizeof *references);

    if (!references) {
        return -ENOMEM;
    }
    references->capacity = SLOTS_MIN;
    references->slots = calloc(SLOTS_MIN, sizeof *references->slots);
    if (!references->slots) {
        free(references);
        return -ENOMEM;
    }
    *ret = references;
    return 0;
}

void riad_references_free(struct riad_references *references)
{
    if (references) {
        free(references->slots);
        free(references);
    }
}

int riad_references_add(struct riad_references *references, uint64_t inode, uint64_t count)
{
    size_t at = find(references, inode);

    if (inode == 0 || count == 0) {
        return inode == 0 ? -EINVAL : 0;
    }
    if (references->slots[at].inode == 0) {
        if ((references->used + 1) * 4 > references->capacity * 3) {
            int r = resize(references, references->capacity * 2);

            if (r < 0) {
                return r;
            }
            at = find(references, inode);
        }
        references->slots[at].inode = inode;
        references->used++;
    }
    references->slots[at].count += count;
    return 0;
}

/* Closes the gap at `at`: an entry behind it moves back unless its home lies after the gap. */
static void remove_slot(struct riad_references *references, size_t at)
{
    size_t mask = references->capacity - 1;

    for (size_t next = (at + 1) & mask; references->slots[next].inode != 0;
            next = (next + 1) & mask) {
        size_t home = home_of(references, references->slots[next].inode);

        if (((next - home) & mask) >= ((next - at) & mask)) {
            references->slots[at] = references->slots[next];
            at = next;
        }
    }
    references->slots[at] = (struct slot){ 0 };
    references->used--;
}

uint64_t riad_references_drop(struct riad_references *references, uint64_t inode, uint64_t count)
{
    size_t at = find(references, inode);
    struct slot *slot = &references->slots[at];

    if (inode == 0 || slot->inode == 0) {
        return 0;
    }
    if (slot->count > count) {
        slot->count -= count;
        return slot->count;
    }
    remove_slot(references, at);
    if (references->capacity > SLOTS_MIN && references->used * 8 < references->capacity) {
        /* Without memory it stays large, which is harmless. */
        int r = resize(references, references->capacity / 2);

        (void)r;
    }
    return 0;
}

uint64_t riad_references_get(const struct riad_references *references, uint64_t inode)
{
    return inode == 0 ? 0 : references->slots[find(references, inode)].count;
}

void riad_references_list(const struct riad_references *references, uint64_t *ret)
{
    for (size_t i = 0; i < references->capacity; i++) {
        if (references->slots[i].inode != 0) {
            *ret++ = references->slots[i].inode;
        }
    }
}

uint64_t riad_references_inodes(const struct riad_references *references)
{
    return references->used;
}
