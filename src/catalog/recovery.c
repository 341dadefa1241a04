/* Recovery codes: 256 random bits and a checksum against typing errors, in RFC 4648 base32
 * (FORMAT 3.1). */
#include "riad/base32.h"
#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"
#include "riad/user.h"

#include "slot_priv.h"

enum {
    CHECKSUM_SIZE = 3,
    CODE_SIZE = RIAD_SLOT_SECRET_SIZE + CHECKSUM_SIZE,
    DIGITS = RIAD_BASE32_SIZE(CODE_SIZE) - 1,
    GROUP = 7,
};
_Static_assert(CODE_SIZE % 5 == 0, "one text for each code");
_Static_assert(DIGITS + DIGITS / GROUP == RIAD_RECOVERY_TEXT_SIZE, "dashes and the final zero");

static int checksum(const uint8_t *bits, uint8_t ret[CHECKSUM_SIZE])
{
    const struct riad_piece pieces[] = { RIAD_PIECE_LABEL("riad/v1/recovery"),
        { bits, RIAD_SLOT_SECRET_SIZE } };
    struct riad_hash hash;
    int r;

    r = riad_sha256(pieces, 2, &hash);
    if (r < 0) {
        return r;
    }
    memcpy(ret, hash.bytes, CHECKSUM_SIZE);
    return 0;
}

static void encode(const uint8_t code[CODE_SIZE], char ret[RIAD_RECOVERY_TEXT_SIZE])
{
    char digits[DIGITS + 1];
    char *next = ret;

    riad_base32_encode(code, CODE_SIZE, digits);
    for (unsigned i = 0; i < DIGITS; i++) {
        if (i > 0 && i % GROUP == 0) {
            *next++ = '-';
        }
        *next++ = digits[i];
    }
    *next = '\0';
    riad_wipe(digits, sizeof digits);
}

int riad_recovery_new(struct riad_secret **ret, char ret_text[RIAD_RECOVERY_TEXT_SIZE])
{
    _cleanup_secret_ struct riad_secret *code = NULL;
    int r;

    r = riad_secret_new_random(CODE_SIZE, &code);
    if (r < 0) {
        return r;
    }
    r = checksum(riad_secret_peek(code), riad_secret_bytes(code) + RIAD_SLOT_SECRET_SIZE);
    if (r < 0) {
        return r;
    }
    encode(riad_secret_peek(code), ret_text);
    riad_secret_truncate(code, RIAD_SLOT_SECRET_SIZE);
    *ret = riad_take_pointer(code);
    return 0;
}

int riad_recovery_parse(const struct riad_secret *text, struct riad_secret **ret)
{
    _cleanup_secret_ struct riad_secret *code = NULL;
    uint8_t sum[CHECKSUM_SIZE];
    int r;

    r = riad_secret_new(CODE_SIZE, &code);
    if (r < 0) {
        return r;
    }
    r = riad_base32_decode(
            riad_secret_peek(text), riad_secret_size(text), riad_secret_bytes(code), CODE_SIZE);
    if (r < 0) {
        return r;
    }
    r = checksum(riad_secret_peek(code), sum);
    if (r < 0) {
        return r;
    }
    if (!riad_equal_constant_time(
                sum, riad_secret_peek(code) + RIAD_SLOT_SECRET_SIZE, CHECKSUM_SIZE)) {
        return -EINVAL;
    }
    riad_secret_truncate(code, RIAD_SLOT_SECRET_SIZE);
    *ret = riad_take_pointer(code);
    return 0;
}
