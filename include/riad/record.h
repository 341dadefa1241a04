/* Layer log. Records: the sealed units of segments (FORMAT 5). Headers, padding, sealing and
 * opening of one record.
 *
 * Pure but for the cipher; thread-safe: nothing is shared. */
#ifndef RIAD_RECORD_H
#define RIAD_RECORD_H

#include "riad/keys.h"

enum {
    RIAD_RECORD_HEADER_SIZE = 64,
    RIAD_RECORD_OVERHEAD = 88, /* header, tag, checksum */
    RIAD_RECORD_LENGTH_MAX = 2 << 20,
    RIAD_DATA_IDENTITY_SIZE = 32,
    RIAD_DATA_OVERHEAD = RIAD_RECORD_OVERHEAD + RIAD_DATA_IDENTITY_SIZE,
    RIAD_UNIT_MAX = 1 << 16,
    RIAD_RUN_RECORDS_MAX = 64,
    RIAD_CHANGE_BODY_MAX = 256 << 10,
    RIAD_CHANGE_PREFIX_SIZE =
            52, /* sequence, previous, durable: what the log itself writes of a change's body */
};

enum riad_record_type {
    RIAD_RECORD_CHANGE = 1,
    RIAD_RECORD_DATA,
    RIAD_RECORD_FRAME,
    RIAD_RECORD_SEGMENT
};
enum riad_record_padding { RIAD_PAD_64 = 1, RIAD_PAD_PADME = 2 };

struct riad_record_header {
    enum riad_record_type type;
    enum riad_record_padding padding;
    uint32_t epoch;
    struct riad_id workspace;
    struct riad_id stream;
    uint64_t counter;
    uint32_t length; /* of the ciphertext */
};

void riad_record_header_encode(
        const struct riad_record_header *header, uint8_t ret[RIAD_RECORD_HEADER_SIZE]);
/* -EBADMSG for anything that FORMAT 5 does not allow, -EPROTONOSUPPORT for a newer format or suite.
 */
int riad_record_header_decode(const uint8_t data[RIAD_RECORD_HEADER_SIZE],
        struct riad_record_header *ret) RIAD_MUST_CHECK;

/* Padme, then to a multiple of 16 (FORMAT 5). */
size_t riad_pad_padme(size_t size);
/* Bytes that a data record of n payload bytes takes in a file. */
size_t riad_data_record_size(size_t n);

/* Birth identity of a data record (F4). */
struct riad_birth {
    uint64_t inode;
    uint32_t generation;
    uint64_t offset;
};

/* Keyless check: the checksum of a whole record (header .. checksum). -EBADMSG. */
int riad_record_check(const uint8_t *record, size_t size) RIAD_MUST_CHECK;

#endif
