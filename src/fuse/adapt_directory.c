#include <dirent.h>
#include <stdlib.h>

#include "riad/cleanup.h"

#include "adapt_priv.h"
#include "listings_priv.h"
#include "reply_priv.h"

/* Bounds the time under the mutation lock; the kernel asks again. */
enum { LISTING_MAX = 64 * 1024, COOKIE_DOT = 1, COOKIE_DOT_DOT = 2 };

struct listing {
    fuse_req_t request;
    bool plus;
    char *buffer;
    size_t size;
    size_t used;
    uint64_t *delivered; /* inodes in the buffer that readdirplus owes a reference */
    size_t delivered_count;
    uint64_t last;               /* cookie of the last entry in the buffer */
    struct riad_listing_end end; /* of the kernel's copy, with what is in the buffer */
};

/* A direntry is 24 bytes at least, so that this many pointers always suffice. */
enum { ENTRY_SIZE_MIN = 24 };

/* ENOSYS ends OPENDIR and RELEASEDIR: the kernel opens by itself and caches listings. In a session
 * for members they do not come here (raw_open.c). */
void riad_adapt_opendir(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    (void)inode;
    (void)file;
    riad_reply_error(request, -ENOSYS);
}

/* False if the entry does not fit. An entry of readdirplus whose ino is 0 carries no attributes. */
static bool put(struct listing *listing, const char *name, const struct fuse_entry_param *entry,
        uint64_t cookie)
{
    char *place = listing->buffer + listing->used;
    size_t room = listing->size - listing->used;
    size_t n = listing->plus ? fuse_add_direntry_plus(
                                       listing->request, place, room, name, entry, (off_t)cookie)
                             : fuse_add_direntry(listing->request, place, room, name, &entry->attr,
                                       (off_t)cookie);

    if (n > room) {
        return false;
    }
    listing->used += n;
    listing->last = cookie;
    riad_listing_add(&listing->end, strlen(name));
    return true;
}

static bool put_dot(struct listing *listing, const char *name, uint64_t inode, uint64_t cookie)
{
    struct fuse_entry_param entry = { .attr = { .st_ino = inode, .st_mode = S_IFDIR } };

    return put(listing, name, &entry, cookie);
}

/* "." and "..", which core does not know. False if the buffer is full already. */
static int put_dots(struct listing *listing, fuse_ino_t inode, uint64_t after, bool *ret_full)
{
    struct riad_inode row;
    bool fits = true;
    int r;

    if (after >= COOKIE_DOT_DOT) {
        return 0;
    }
    r = riad_getattr(riad_adapt_workspace(listing->request), inode, &row);
    if (r < 0) {
        return r;
    }
    if (after < COOKIE_DOT) {
        fits = put_dot(listing, ".", inode, COOKIE_DOT);
    }
    *ret_full = !fits || !put_dot(listing, "..", row.parent, COOKIE_DOT_DOT);
    return 0;
}

static int put_entry(
        void *context, const struct riad_dentry *dentry, const struct riad_inode *inode)
{
    struct listing *listing = context;
    struct fuse_entry_param entry;

    riad_reply_entry_param(inode, &entry);
    if (!put(listing, dentry->name, &entry, dentry->cookie)) {
        return 1;
    }
    if (listing->plus) {
        listing->delivered[listing->delivered_count++] = dentry->inode;
    }
    return 0;
}

static int allocate(struct listing *listing, size_t size)
{
    listing->size = size < LISTING_MAX ? size : LISTING_MAX;
    listing->buffer = malloc(listing->size + 1);
    listing->delivered =
            listing->plus ? malloc((listing->size / ENTRY_SIZE_MIN + 1) * sizeof(uint64_t)) : NULL;
    return listing->buffer && (!listing->plus || listing->delivered) ? 0 : -ENOMEM;
}

static int fill(struct listing *listing, fuse_ino_t inode, size_t size, uint64_t after)
{
    bool full = false;
    int r = allocate(listing, size);

    if (r == 0) {
        r = put_dots(listing, inode, after, &full);
    }
    if (r < 0 || full) {
        return r;
    }
    after = after > COOKIE_DOT_DOT ? after : COOKIE_DOT_DOT;
    return riad_readdir(riad_adapt_workspace(listing->request), inode, after, put_entry, listing);
}

static struct riad_listings *listings_of(fuse_req_t request)
{
    const struct riad_session *session = fuse_req_userdata(request);

    return session->listings;
}

/* Before the reply, which the next request may follow at once. True if the reply says that there is
 * nothing more, and completes a copy that must not stay. */
static bool note_end(const struct listing *listing, fuse_ino_t inode)
{
    if (listing->used > 0) {
        riad_listings_note(listings_of(listing->request), inode, listing->last, listing->end);
        return false;
    }
    return riad_listing_misleads(listing->end);
}

/* The references are taken after the listing (its callback must not call core) and before the
 * reply, as a FORGET may follow it at once. */
static void send_listing(const struct listing *listing)
{
    struct riad_workspace *workspace = riad_adapt_workspace(listing->request);
    int r;

    for (size_t i = 0; i < listing->delivered_count; i++) {
        riad_reference(workspace, listing->delivered[i]);
    }
    r = fuse_reply_buf(listing->request, listing->buffer, listing->used);
    for (size_t i = 0; r < 0 && i < listing->delivered_count; i++) {
        riad_forget(workspace, listing->delivered[i], 1);
    }
}

static void list(fuse_req_t request, fuse_ino_t inode, size_t size, off_t after, bool plus)
{
    struct riad_listings *listings = listings_of(request);
    struct listing listing = { .request = request,
        .plus = plus,
        .end = riad_listings_find(listings, inode, (uint64_t)after) };
    _cleanup_free_ char *buffer = NULL;
    _cleanup_free_ uint64_t *delivered = NULL;
    int r = fill(&listing, inode, size, (uint64_t)after);

    buffer = listing.buffer;
    delivered = listing.delivered;
    if (r < 0) {
        riad_reply_error(request, r);
        return;
    }
    if (note_end(&listing, inode)) {
        riad_listings_drop_now(listings, inode);
    }
    send_listing(&listing);
}

void riad_adapt_readdir(
        fuse_req_t request, fuse_ino_t inode, size_t size, off_t after, struct fuse_file_info *file)
{
    (void)file;
    list(request, inode, size, after, false);
}

void riad_adapt_readdirplus(
        fuse_req_t request, fuse_ino_t inode, size_t size, off_t after, struct fuse_file_info *file)
{
    (void)file;
    list(request, inode, size, after, true);
}
