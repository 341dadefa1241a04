/* HKDF (RFC 5869) from HMAC, and scrypt (RFC 7914). */
#include <openssl/evp.h>

#include "riad/digest.h"
#include "riad/error.h"

#include "algorithms_priv.h"
#include "digest_priv.h"

enum {
    INFO_PIECES_MAX = 8,
    EXPAND_MAX = 255 * RIAD_PRK_SIZE,
    SCRYPT_R = 8,
    SCRYPT_P_MAX = 4,
    SCRYPT_SLACK = 1 << 20, /* what OpenSSL counts besides the big array */
};

struct block {
    uint8_t bytes[RIAD_PRK_SIZE];
};

static void wipe_block(struct block *block)
{
    riad_wipe(block->bytes, sizeof block->bytes);
}

int riad_hkdf_extract(const void *salt, size_t salt_size, const struct riad_piece *pieces,
        size_t count, uint8_t ret[RIAD_PRK_SIZE])
{
    return riad_hmac_raw((struct riad_key_span){ salt, salt_size }, pieces, count, ret);
}

static int check_info(const struct riad_piece *info, size_t count)
{
    size_t sum = 0;

    if (count > INFO_PIECES_MAX) {
        return -EINVAL;
    }
    for (size_t i = 0; i < count; i++) {
        if (info[i].size > RIAD_HKDF_INFO_MAX) {
            return -EINVAL;
        }
        sum += info[i].size;
    }
    return sum <= RIAD_HKDF_INFO_MAX ? 0 : -EINVAL;
}

int riad_hkdf_expand(const uint8_t prk[RIAD_PRK_SIZE], const struct riad_piece *info, size_t count,
        uint8_t *ret, size_t size)
{
    const struct riad_key_span key = { prk, RIAD_PRK_SIZE };
    struct riad_piece pieces[INFO_PIECES_MAX + 2]; /* T(n-1), info, n */
    _cleanup_(wipe_block) struct block block = { { 0 } };
    _cleanup_(wipe_block) struct block before = { { 0 } };
    uint8_t number = 0;
    int r;

    r = check_info(info, count);
    if (r < 0 || size > EXPAND_MAX) {
        return -EINVAL;
    }
    for (size_t i = 0; i < count; i++) {
        pieces[i + 1] = info[i];
    }
    pieces[count + 1] = RIAD_PIECE_OF(number);
    for (size_t done = 0; done < size; done += sizeof block.bytes) {
        size_t wanted = size - done < sizeof block.bytes ? size - done : sizeof block.bytes;

        pieces[0] = (struct riad_piece){ before.bytes, number > 0 ? sizeof before.bytes : 0 };
        number++;
        r = riad_hmac_raw(key, pieces, count + 2, block.bytes);
        if (r < 0) {
            riad_wipe(ret, done);
            return r;
        }
        memcpy(ret + done, block.bytes, wanted);
        before = block;
    }
    return 0;
}

int riad_hkdf_raw(const struct riad_secret *ikm, struct riad_key_span salt,
        const struct riad_piece *info, size_t count, uint8_t *ret, size_t size)
{
    const struct riad_piece input = { riad_secret_peek(ikm), riad_secret_size(ikm) };
    _cleanup_(wipe_block) struct block prk;
    int r;

    r = riad_hkdf_extract(salt.data, salt.size, &input, 1, prk.bytes);
    if (r < 0) {
        return r;
    }
    return riad_hkdf_expand(prk.bytes, info, count, ret, size);
}

int riad_hkdf(const struct riad_secret *ikm, const void *salt, size_t salt_size,
        const struct riad_piece *info, size_t count, size_t size, struct riad_secret **ret)
{
    _cleanup_secret_ struct riad_secret *result = NULL;
    int r;

    r = riad_secret_new(size, &result);
    if (r < 0) {
        return r;
    }
    r = riad_hkdf_raw(ikm, (struct riad_key_span){ salt, salt_size }, info, count,
            riad_secret_bytes(result), size);
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(result);
    return 0;
}

int riad_scrypt(const struct riad_secret *passphrase, const void *salt, size_t salt_size,
        unsigned log_n, uint32_t r, uint32_t p, size_t size, struct riad_secret **ret)
{
    _cleanup_secret_ struct riad_secret *result = NULL;
    uint64_t n;
    int error;

    /* K1: the store must neither weaken the guess nor exhaust the memory. */
    if (log_n < RIAD_SCRYPT_LOG_N_MIN || log_n > RIAD_SCRYPT_LOG_N_MAX || r != SCRYPT_R || p < 1 ||
            p > SCRYPT_P_MAX) {
        return -ERANGE;
    }
    error = riad_secret_new(size, &result);
    if (error < 0) {
        return error;
    }
    n = UINT64_C(1) << log_n;
    if (EVP_PBE_scrypt((const char *)riad_secret_peek(passphrase), riad_secret_size(passphrase),
                salt, salt_size, n, r, p, 128 * r * (n + p) + SCRYPT_SLACK,
                riad_secret_bytes(result), size) != 1) {
        return riad_openssl_error();
    }
    *ret = riad_take_pointer(result);
    return 0;
}
