/* What the log layer's sources share about records: opening bytes that came from the store, which
 * are hostile until their tag is checked. */
#ifndef RIAD_RECORD_PRIV_H
#define RIAD_RECORD_PRIV_H

#include "riad/bytes.h"
#include "riad/record.h"

enum {
    RIAD_CHANGE_LENGTH_MAX = (4 + RIAD_CHANGE_BODY_MAX + 63) / 64 * 64,
    RIAD_SEGMENT_LENGTH_MAX = 4096,
    RIAD_COUNTER_BITS = 32, /* K5: 2^32 records a stream */
};

/* Ciphertext length of a length-prefixed body of size bytes under a padding. */
size_t riad_body_length(enum riad_record_padding padding, size_t size);
/* The keyless checksum, as it is stored. */
void riad_record_checksum(const uint8_t *record, size_t size, uint8_t ret[8]);

/* Chain hash of a change whose body is these pieces (L2); at most 6. */
int riad_chain_hash(const struct riad_id *workspace, const struct riad_buffer *body, size_t count,
        struct riad_hash *ret) RIAD_MUST_CHECK;

/* Keys of streams met while reading: a bounded cache, thread-safe by a lock of its own that is not
 * held while deriving. */
struct riad_key_cache;
int riad_key_cache_new(const struct riad_keys *keys, struct riad_key_cache **ret) RIAD_MUST_CHECK;
void riad_key_cache_free(struct riad_key_cache *cache);
RIAD_DEFINE_CLEANUP(struct riad_key_cache, riad_key_cache_free);
const struct riad_id *riad_key_cache_workspace(const struct riad_key_cache *cache);
/* The highest epoch whose keys can be asked for. */
uint32_t riad_key_cache_epoch(const struct riad_key_cache *cache);
/* The caller wipes ret. -EBADMSG for an epoch that is not held: such bytes cannot be authentic
 * here. */
int riad_key_cache_get(struct riad_key_cache *cache, enum riad_purpose purpose,
        const struct riad_id *stream, uint32_t epoch,
        uint8_t ret[RIAD_AEAD_KEY_SIZE]) RIAD_MUST_CHECK;

/* Since it was made. */
void riad_key_cache_count(struct riad_key_cache *cache, struct riad_hits *ret);

/* Opens a whole record of a length-prefixed body. plain has room for header->length bytes; the body
 * borrows from it. -EBADMSG: another workspace, not authentic, or not the canonical length and
 * padding. */
int riad_record_open_body(struct riad_key_cache *cache, enum riad_purpose purpose,
        const struct riad_record_header *header, const uint8_t *record, uint8_t *plain,
        const uint8_t **ret_body, size_t *ret_size) RIAD_MUST_CHECK;
/* Opens a whole data record that must hold exactly n bytes of this birth. ret gets n bytes, garbage
 * on failure. -EBADMSG. */
int riad_record_open_data(struct riad_key_cache *cache, const struct riad_record_header *header,
        const uint8_t *record, const struct riad_birth *birth, size_t n,
        uint8_t *ret) RIAD_MUST_CHECK;
/* Opens a data record of whatever birth, for scrubbing. scratch has room for header->length bytes.
 */
int riad_record_verify_data(struct riad_key_cache *cache, const struct riad_record_header *header,
        const uint8_t *record, uint8_t *scratch) RIAD_MUST_CHECK;

#endif
