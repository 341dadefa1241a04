/* Where ids are in the catalog's lists: a hash table beside each, so that neither reading a catalog
 * of many thousands nor reporting on it looks through a list for each of its items. */
#include <stdlib.h>

#include "riad/error.h"

#include "catalog_priv.h"

enum { SIZE_MIN = 16 };

/* Ids are random. Somebody who chooses hers has one home, and cannot fill a table with them. */
static size_t first_slot(const struct riad_catalog_places *places, const struct riad_id *id)
{
    uint64_t halves[2];

    _Static_assert(sizeof halves == sizeof *id, "an id has two halves");
    memcpy(halves, id, sizeof halves);
    return (size_t)(((halves[0] ^ halves[1]) * 0x9E3779B97F4A7C15U) >> 32) & (places->size - 1);
}

static const struct riad_id *id_at(const void *items, size_t stride, size_t number)
{
    return (const void *)((const uint8_t *)items + number * stride);
}

/* There is a free slot: the table is at most half full. */
static void put(
        struct riad_catalog_places *places, const void *items, size_t stride, uint32_t number)
{
    size_t slot = first_slot(places, id_at(items, stride, number));

    while (places->slots[slot] != 0) {
        slot = (slot + 1) & (places->size - 1);
    }
    places->slots[slot] = number + 1;
}

static int grow(struct riad_catalog_places *places)
{
    size_t size = places->size > 0 ? 2 * places->size : SIZE_MIN;
    uint32_t *slots = calloc(size, sizeof *slots);

    if (!slots) {
        return -ENOMEM;
    }
    free(places->slots);
    *places = (struct riad_catalog_places){ slots, size };
    return 0;
}

int riad_catalog_places_add(
        struct riad_catalog_places *places, const void *items, size_t stride, uint32_t number)
{
    int r;

    if (2 * ((size_t)number + 1) <= places->size) {
        put(places, items, stride, number);
        return 0;
    }
    r = grow(places);
    for (uint32_t i = 0; r == 0 && i <= number; i++) {
        put(places, items, stride, i);
    }
    return r;
}

const void *riad_catalog_places_find(const struct riad_catalog_places *places, const void *items,
        size_t stride, const struct riad_id *id)
{
    if (places->size == 0) {
        return NULL;
    }
    for (size_t slot = first_slot(places, id); places->slots[slot] != 0;
            slot = (slot + 1) & (places->size - 1)) {
        const struct riad_id *found = id_at(items, stride, places->slots[slot] - 1);

        if (riad_id_equal(found, id)) {
            return found;
        }
    }
    return NULL;
}
