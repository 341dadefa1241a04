/* A record with a tag of one's choice: GCM's tag is an affine function of each bit of the
 * ciphertext for who has the key, so one free block is enough to reach any. */
#ifndef RIAD_TESTS_CORE_FORGE_H
#define RIAD_TESTS_CORE_FORGE_H

#include "epoch.h"

/* Of the log layer's own header, which is not for this one. */
void riad_record_checksum(const uint8_t *record, size_t size, uint8_t ret[8]);

enum { TAG_BITS = 8 * RIAD_TAG_SIZE, FORGED_VALUE = 'x' };

/* One column: what flipping a bit of the free block does to the tag, and which bits are flipped. */
struct flip {
    uint8_t effect[RIAD_TAG_SIZE];
    uint8_t bits[RIAD_TAG_SIZE];
};

static inline bool bit_of(const uint8_t *bytes, int bit)
{
    return bytes[bit / 8] >> (bit % 8) & 1;
}

static inline void add_to(uint8_t *sum, const uint8_t *bytes)
{
    for (int i = 0; i < RIAD_TAG_SIZE; i++) {
        sum[i] ^= bytes[i];
    }
}

/* Brings the columns into echelon form; *ret_bits is what changes the tag by `wanted`. */
static inline void solve(struct flip flips[TAG_BITS], uint8_t *wanted, uint8_t *ret_bits)
{
    int used = 0;

    for (int bit = 0; bit < TAG_BITS; bit++) {
        int pivot = used;

        while (pivot < TAG_BITS && !bit_of(flips[pivot].effect, bit)) {
            pivot++;
        }
        assert_true(pivot < TAG_BITS); /* multiplying in GHASH's field is one to one */
        struct flip taken = flips[pivot];

        flips[pivot] = flips[used];
        flips[used++] = taken;
        for (int i = used; i < TAG_BITS; i++) {
            if (bit_of(flips[i].effect, bit)) {
                add_to(flips[i].effect, taken.effect);
                add_to(flips[i].bits, taken.bits);
            }
        }
        if (bit_of(wanted, bit)) {
            add_to(wanted, taken.effect);
            add_to(ret_bits, taken.bits);
        }
    }
}

/* What is sealed by hand: the record's bytes, and the plaintext it is to have. */
struct forgery {
    struct riad_record_header header;
    uint8_t aad[RIAD_RECORD_HEADER_SIZE];
    uint8_t key[RIAD_AEAD_KEY_SIZE];
    uint8_t *plain;
    uint8_t *cipher;
};

static inline void seal_by_hand(const struct forgery *forgery, uint8_t tag[RIAD_TAG_SIZE])
{
    const struct riad_buffer piece = { forgery->plain, forgery->header.length };

    assert_int_equal(riad_aead_seal(forgery->key, forgery->header.counter, forgery->aad,
                             sizeof forgery->aad, &piece, 1, forgery->cipher, tag),
            0);
}

/* Changes 16 bytes of the plaintext at `block` so that the tag is the wanted one. */
static inline void reach(struct forgery *forgery, size_t block, const uint8_t tag[RIAD_TAG_SIZE])
{
    struct flip flips[TAG_BITS] = { 0 };
    uint8_t base[RIAD_TAG_SIZE], wanted[RIAD_TAG_SIZE], bits[RIAD_TAG_SIZE] = { 0 };

    seal_by_hand(forgery, base);
    for (int i = 0; i < TAG_BITS; i++) {
        uint8_t *byte = &forgery->plain[block + (size_t)i / 8];

        flips[i].bits[i / 8] = (uint8_t)(1U << i % 8);
        *byte ^= flips[i].bits[i / 8];
        seal_by_hand(forgery, flips[i].effect);
        add_to(flips[i].effect, base);
        *byte ^= flips[i].bits[i / 8];
    }
    memcpy(wanted, tag, sizeof wanted);
    add_to(wanted, base);
    solve(flips, wanted, bits);
    add_to(forgery->plain + block, bits);
    seal_by_hand(forgery, base);
    assert_memory_equal(base, tag, sizeof base);
}

/* FORMAT 5.2: the identity that the extent's first record must have, then data. */
static inline void fill_plain(const struct riad_extent *extent, uint32_t n, uint8_t *ret)
{
    struct riad_writer writer;

    riad_writer_init_fixed(&writer, ret, RIAD_DATA_IDENTITY_SIZE);
    riad_put_u64(&writer, extent->born.inode);
    riad_put_u32(&writer, extent->born.generation);
    riad_put_u32(&writer, n);
    riad_put_u64(&writer, extent->born.offset);
    riad_put_u64(&writer, 0);
    memset(ret + RIAD_DATA_IDENTITY_SIZE, FORGED_VALUE, n);
}

/* In the place of the extent's first record comes one under the key of an epoch that a former
 * member has, with the identity and the tag that the extent names, and data of hers but for the
 * first 16 bytes. */
static inline void forge_record(const struct riad_extent *extent, uint32_t epoch)
{
    _cleanup_(riad_keys_freep) struct riad_keys *former = fixture_keys_of(&fixture, epoch, epoch);
    uint32_t unit = 1U << extent->unit_shift;
    uint32_t n = extent->run_length < unit ? extent->run_length : unit;
    struct forgery forgery = { .header = { .type = RIAD_RECORD_DATA,
                                       .padding = RIAD_PAD_PADME,
                                       .epoch = epoch,
                                       .workspace = fixture.workspace } };
    size_t size = riad_data_record_size(n);
    _cleanup_free_ uint8_t *record = calloc(1, size);
    _cleanup_free_ uint8_t *plain = calloc(1, size);
    _cleanup_close_ int fd = open_segment(extent->segment);

    forgery.header.length = (uint32_t)(size - RIAD_RECORD_OVERHEAD);
    riad_record_header_encode(&forgery.header, forgery.aad);
    assert_int_equal(
            riad_keys_stream(former, RIAD_PURPOSE_DATA, &forgery.header.stream, epoch, forgery.key),
            0);
    memcpy(record, forgery.aad, sizeof forgery.aad);
    forgery.plain = plain;
    forgery.cipher = record + RIAD_RECORD_HEADER_SIZE;
    fill_plain(extent, n, plain);
    reach(&forgery, RIAD_DATA_IDENTITY_SIZE, extent->tags);
    memcpy(forgery.cipher + forgery.header.length, extent->tags, RIAD_TAG_SIZE);
    riad_record_checksum(record, size - 8, record + size - 8);
    assert_int_equal(pwrite(fd, record, size, (off_t)extent->position), size);
}

#endif
