/* Recovery codes: 256 random bits and a checksum against typing errors, in RFC 4648 base32
 * (FORMAT 3.1). */
#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"
#include "riad/user.h"

#include "slot_priv.h"

enum {
    CHECKSUM_SIZE = 3,
    CODE_SIZE = RIAD_SLOT_SECRET_SIZE + CHECKSUM_SIZE,
    DIGITS = CODE_SIZE * 8 / 5, /* a whole number: no padding, one text for each code */
    GROUP = 7,
};
_Static_assert(CODE_SIZE * 8 == DIGITS * 5, "no bits are left over");
_Static_assert(DIGITS + DIGITS / GROUP == RIAD_RECOVERY_TEXT_SIZE, "dashes and the final zero");

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

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

static unsigned get_digit(const uint8_t code[CODE_SIZE], unsigned number)
{
    unsigned value = 0;

    for (unsigned bit = number * 5; bit < number * 5 + 5; bit++) {
        value = value << 1 | (code[bit / 8] >> (7 - bit % 8) & 1);
    }
    return value;
}

static void set_digit(uint8_t code[CODE_SIZE], unsigned number, unsigned value)
{
    for (unsigned i = 0; i < 5; i++) {
        unsigned bit = number * 5 + i;

        code[bit / 8] |= (uint8_t)((value >> (4 - i) & 1) << (7 - bit % 8));
    }
}

static void encode(const uint8_t code[CODE_SIZE], char ret[RIAD_RECOVERY_TEXT_SIZE])
{
    char *next = ret;

    for (unsigned i = 0; i < DIGITS; i++) {
        if (i > 0 && i % GROUP == 0) {
            *next++ = '-';
        }
        *next++ = alphabet[get_digit(code, i)];
    }
    *next = '\0';
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

/* 0..31, or -1 for what is no digit. */
static int digit_value(uint8_t character)
{
    if (character >= 'a' && character <= 'z') {
        return character - 'a';
    }
    if (character >= 'A' && character <= 'Z') {
        return character - 'A';
    }
    if (character >= '2' && character <= '7') {
        return character - '2' + 26;
    }
    return -1;
}

static bool is_ignored(uint8_t character)
{
    return character == ' ' || character == '-' || character == '\t' || character == '\r' ||
           character == '\n';
}

static int decode(const struct riad_secret *text, uint8_t ret[CODE_SIZE])
{
    const uint8_t *characters = riad_secret_peek(text);
    unsigned digits = 0;

    for (size_t i = 0; i < riad_secret_size(text); i++) {
        int value = digit_value(characters[i]);

        if (is_ignored(characters[i])) {
            continue;
        }
        if (value < 0 || digits == DIGITS) {
            return -EINVAL;
        }
        set_digit(ret, digits++, (unsigned)value);
    }
    return digits == DIGITS ? 0 : -EINVAL;
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
    r = decode(text, riad_secret_bytes(code));
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
