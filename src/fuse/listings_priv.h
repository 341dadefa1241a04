/* The kernel's copies of listings, where they need help.
 *
 * After a complete listing the kernel keeps the entries, page by page, and serves them to others
 * until the directory changes. Two of its ways are mended by telling it to drop the copy:
 *
 * - A reader whose place was removed meanwhile looks for it in a newer copy, in vain, and is then
 *   served by us; but where the copy fills its last page to the last byte, the kernel takes that
 *   for the end, and the reader misses the rest (Linux 6.1 to 6.18 at least). So the layout of a
 *   copy in the making is followed, and one that ends so loses its pages before the reply that
 *   completes it: whoever lists next finds none, and asks us.
 * - A directory that was moved to another parent goes on listing the former one as "..". A thread
 *   of its own tells the kernel, beside the rename. */
#ifndef RIAD_LISTINGS_PRIV_H
#define RIAD_LISTINGS_PRIV_H

#include "riad/types.h"

struct riad_listings;

/* How far a copy reaches into its last page. */
struct riad_listing_end {
    bool known;
    uint32_t used;
};

/* device: /dev/fuse, borrowed. -ENOMEM. */
int riad_listings_new(int device, struct riad_listings **ret) RIAD_MUST_CHECK;
/* Ends the thread; before the device is closed. NULL is allowed. */
void riad_listings_free(struct riad_listings *listings);

/* The end after the entry with that cookie; 0: before the first. Not known if that was long ago, or
 * if the place was not the end of a reply. */
struct riad_listing_end riad_listings_find(
        struct riad_listings *listings, uint64_t directory, uint64_t cookie);
/* Notes it, for the request that will follow. */
void riad_listings_note(struct riad_listings *listings, uint64_t directory, uint64_t cookie,
        struct riad_listing_end end);
/* One entry more. */
void riad_listing_add(struct riad_listing_end *end, size_t name_size);
/* Whether a copy that ends there must not stay. */
bool riad_listing_misleads(struct riad_listing_end end);

/* Has the kernel drop its copy now. Never waits for a reply of ours: pages of listings are locked
 * while the kernel copies entries, and no longer. */
void riad_listings_drop_now(struct riad_listings *listings, uint64_t directory);
/* The same, soon, in another thread. Nothing happens if thousands are to be dropped already. */
void riad_listings_drop(struct riad_listings *listings, uint64_t directory);

#endif
