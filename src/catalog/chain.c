#include "riad/chain.h"

#include <inttypes.h>
#include <stdio.h>

#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"

#include "object_priv.h"

enum { NAME_SIZE = 17 };

struct riad_chain_end riad_chain_last(const struct riad_chain_ends *ends)
{
    return ends->count > 0 ? ends->items[ends->count - 1] : (struct riad_chain_end){ 0 };
}

int riad_chain_add(struct riad_chain_ends *ends, const struct riad_chain_end *end)
{
    struct riad_chain_end *items = reallocarray(ends->items, ends->count + 1, sizeof *items);

    if (!items) {
        return -ENOMEM;
    }
    ends->items = items;
    items[ends->count++] = *end;
    return 0;
}

bool riad_chain_passes(const struct riad_chain_ends *ends, const struct riad_chain_end *end)
{
    const struct riad_chain_end empty = { 0 };

    if (end->next_number == 0) {
        return riad_hash_equal(&end->head, &empty.head);
    }
    for (size_t i = 0; i < ends->count; i++) {
        if (ends->items[i].next_number == end->next_number) {
            return riad_hash_equal(&ends->items[i].head, &end->head);
        }
    }
    return false;
}

static void object_name(uint64_t first_number, char ret[NAME_SIZE])
{
    snprintf(ret, NAME_SIZE, "%016" PRIx64, first_number);
}

/* Reads the object at this number. -ENOENT: there is none. */
static int read_object(
        const struct riad_chain *chain, uint64_t number, riad_chain_apply apply, void *context)
{
    _cleanup_free_ uint8_t *data = NULL;
    char name[NAME_SIZE];
    struct riad_hash hash;
    const uint8_t *body;
    size_t size, body_size;
    int r;

    object_name(number, name);
    r = riad_object_read(chain->store->fd, chain->directory, name, RIAD_ENVELOPE_MAX, &data, &size);
    if (r < 0) {
        return r;
    }
    r = riad_envelope_verify_by(chain->type, &chain->store->binding, chain->signers,
            chain->signer_count, number, data, size, &body, &body_size);
    if (r < 0) {
        return r;
    }
    r = riad_sha256_labelled(chain->label, data, size, &hash);
    if (r < 0) {
        return r;
    }
    r = apply(context, body, body_size, &hash);
    return r == -ENOENT ? -EBADMSG : r; /* it is there */
}

static int read_objects(const struct riad_chain *chain, const struct riad_chain_ends *ends,
        riad_chain_apply apply, void *context)
{
    int r;

    do {
        r = read_object(chain, riad_chain_last(ends).next_number, apply, context);
    } while (r == 0);
    return r == -ENOENT ? 0 : r;
}

static bool parse_name(const char *name, uint64_t *ret)
{
    uint8_t bytes[8];
    uint64_t number = 0;

    if (riad_hex_decode(name, bytes, sizeof bytes) < 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        number = number << 8 | bytes[i];
    }
    *ret = number;
    return true;
}

/* 1 if a file is named by this number or a later one, 0 if none is, or negative errno. */
static int has_object_from(const struct riad_chain *chain, uint64_t number)
{
    _cleanup_closedir_ DIR *listing = NULL;
    const char *name;
    uint64_t found;
    int r;

    r = riad_listing_open(chain->store->fd, chain->directory, &listing);
    while (r >= 0 && (r = riad_listing_next(listing, &name)) > 0) {
        if (parse_name(name, &found) && found >= number) {
            return 1;
        }
    }
    return r;
}

/* An object appears only after those before it: if the one that follows cannot be opened though a
 * later one was listed, it is missing. */
int riad_chain_catch_up(const struct riad_chain *chain, const struct riad_chain_ends *ends,
        riad_chain_apply apply, void *context)
{
    bool listed = false;
    size_t before;
    int r;

    for (;;) {
        before = ends->count;
        r = read_objects(chain, ends, apply, context);
        if (r < 0) {
            return r;
        }
        if (listed && ends->count == before) {
            return -EUCLEAN;
        }
        r = has_object_from(chain, riad_chain_last(ends).next_number);
        if (r <= 0) {
            return r;
        }
        listed = true;
    }
}

int riad_chain_publish(const struct riad_chain *chain, const struct riad_keypair *keys,
        uint64_t first_number, const void *body, size_t size)
{
    _cleanup_(riad_writer_done) struct riad_writer file = { 0 };
    char name[NAME_SIZE];
    int r;

    riad_writer_init_growing(&file, 1024, RIAD_ENVELOPE_MAX);
    r = riad_envelope_sign(chain->type, &chain->store->binding, keys, body, size, &file);
    if (r < 0) {
        return r;
    }
    object_name(first_number, name);
    return riad_object_publish(
            chain->store->fd, chain->directory, name, file.data, file.size, RIAD_PUBLISH_NEW);
}
