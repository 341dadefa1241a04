#include <stdlib.h>

#include "riad/error.h"

#include "heap_priv.h"

enum { ROOM_MIN = 16 };

int riad_heap_reserve(struct riad_heap *heap, size_t count)
{
    size_t room = heap->room < ROOM_MIN ? ROOM_MIN : heap->room;
    struct riad_heap_item **items;

    while (room < count) {
        room *= 2;
    }
    if (room == heap->room) {
        return 0;
    }
    items = reallocarray(heap->items, room, sizeof(struct riad_heap_item *));
    if (!items) {
        return -ENOMEM;
    }
    heap->items = items;
    heap->room = room;
    return 0;
}

void riad_heap_done(struct riad_heap *heap)
{
    free(heap->items);
    *heap = (struct riad_heap){ 0 };
}

static void put(struct riad_heap *heap, size_t place, struct riad_heap_item *item)
{
    heap->items[place] = item;
    item->place = place;
}

static void rise(struct riad_heap *heap, size_t place, struct riad_heap_item *item)
{
    while (place > 0 && heap->items[(place - 1) / 2]->key > item->key) {
        put(heap, place, heap->items[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(heap, place, item);
}

static void sink(struct riad_heap *heap, size_t place, struct riad_heap_item *item)
{
    for (size_t child = place * 2 + 1; child < heap->count; child = place * 2 + 1) {
        if (child + 1 < heap->count && heap->items[child + 1]->key < heap->items[child]->key) {
            child++;
        }
        if (heap->items[child]->key >= item->key) {
            break;
        }
        put(heap, place, heap->items[child]);
        place = child;
    }
    put(heap, place, item);
}

void riad_heap_add(struct riad_heap *heap, struct riad_heap_item *item)
{
    rise(heap, heap->count++, item);
}

/* The last item takes the place, and finds its own from there. */
void riad_heap_remove(struct riad_heap *heap, struct riad_heap_item *item)
{
    struct riad_heap_item *last = heap->items[--heap->count];

    if (last == item) {
        return;
    }
    if (last->key < item->key) {
        rise(heap, item->place, last);
    } else {
        sink(heap, item->place, last);
    }
}

struct riad_heap_item *riad_heap_first(const struct riad_heap *heap)
{
    return heap->count > 0 ? heap->items[0] : NULL;
}
