/* AES-256-SIV over OpenSSL 3.0, whose context has two traps (both covered by the tests): it is good
 * for one message only, and starting it again without the key leaves it spent while the calls still
 * succeed in part; and setting the key costs 2.7 us. So the key is set once, in two contexts that
 * nothing changes afterwards, and each message works on a copy. */
#include "riad/siv.h"

#include <openssl/evp.h>

#include "riad/error.h"

#include "algorithms_priv.h"
#include "context_priv.h"

enum { PLAIN_MAX = 1 << 20 };

/* Immutable from its making on, so that threads need no lock. */
struct riad_siv {
    EVP_CIPHER_CTX *seal;
    EVP_CIPHER_CTX *open;
};

static bool set_keys(struct riad_siv *siv, const struct riad_secret *key)
{
    const struct riad_algorithms *algorithms = riad_algorithms();

    siv->seal = EVP_CIPHER_CTX_new();
    siv->open = EVP_CIPHER_CTX_new();
    return algorithms && siv->seal && siv->open &&
           EVP_EncryptInit_ex2(siv->seal, algorithms->siv, riad_secret_peek(key), NULL, NULL) ==
                   1 &&
           EVP_DecryptInit_ex2(siv->open, algorithms->siv, riad_secret_peek(key), NULL, NULL) == 1;
}

int riad_siv_new(const struct riad_secret *key, struct riad_siv **ret)
{
    _cleanup_(riad_siv_freep) struct riad_siv *siv = NULL;

    if (riad_secret_size(key) != RIAD_SIV_KEY_SIZE) {
        return -EINVAL;
    }
    siv = calloc(1, sizeof *siv);
    if (!siv) {
        return -ENOMEM;
    }
    if (!set_keys(siv, key)) {
        return riad_openssl_error();
    }
    *ret = riad_take_pointer(siv);
    return 0;
}

void riad_siv_free(struct riad_siv *siv)
{
    if (!siv) {
        return;
    }
    EVP_CIPHER_CTX_free(siv->seal); /* wipes the key schedule */
    EVP_CIPHER_CTX_free(siv->open);
    free(siv);
}

/* K4: the copy of the key goes with the message. */
static void empty_context(EVP_CIPHER_CTX **context)
{
    if (*context) {
        (void)EVP_CIPHER_CTX_reset(*context);
    }
}

static bool add_message(EVP_CIPHER_CTX *context, const void *aad, size_t aad_size, const void *in,
        size_t size, uint8_t *ret)
{
    int n;

    return EVP_CipherUpdate(context, NULL, &n, aad, (int)aad_size) == 1 &&
           EVP_CipherUpdate(context, ret, &n, in, (int)size) == 1 && n == (int)size;
}

/* Empty items are refused: OpenSSL 3.0 seals an empty text to an all-zero SIV, and ignores an empty
 * associated item. */
static bool sizes_fit(size_t aad_size, size_t size)
{
    return aad_size > 0 && aad_size <= PLAIN_MAX && size > 0 && size <= PLAIN_MAX;
}

int riad_siv_seal(const struct riad_siv *siv, const void *aad, size_t aad_size, const void *plain,
        size_t size, uint8_t *ret)
{
    _cleanup_(empty_context) EVP_CIPHER_CTX *context = NULL;
    int r, n;

    if (!sizes_fit(aad_size, size)) {
        return -EINVAL;
    }
    r = riad_thread_context(RIAD_CONTEXT_SIV, &context);
    if (r < 0) {
        return r;
    }
    if (EVP_CIPHER_CTX_copy(context, siv->seal) != 1 ||
            !add_message(context, aad, aad_size, plain, size, ret + RIAD_SIV_SIZE) ||
            EVP_CipherFinal_ex(context, ret + RIAD_SIV_SIZE + size, &n) != 1 || n != 0 ||
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, RIAD_SIV_SIZE, ret) != 1) {
        return riad_openssl_error();
    }
    return 0;
}

int riad_siv_open(const struct riad_siv *siv, const void *aad, size_t aad_size,
        const uint8_t *sealed, size_t sealed_size, uint8_t *ret)
{
    _cleanup_(empty_context) EVP_CIPHER_CTX *context = NULL;
    uint8_t expected[RIAD_SIV_SIZE];
    size_t size = sealed_size - RIAD_SIV_SIZE;
    int r, n;

    if (sealed_size <= RIAD_SIV_SIZE || size > PLAIN_MAX) {
        return -EBADMSG;
    }
    if (!sizes_fit(aad_size, size)) {
        return -EINVAL;
    }
    r = riad_thread_context(RIAD_CONTEXT_SIV, &context);
    if (r < 0) {
        return r;
    }
    memcpy(expected, sealed, sizeof expected);
    if (EVP_CIPHER_CTX_copy(context, siv->open) != 1 ||
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, RIAD_SIV_SIZE, expected) != 1) {
        return riad_openssl_error();
    }
    /* The update itself compares; a text that is not authentic never leaves OpenSSL. */
    if (!add_message(context, aad, aad_size, sealed + RIAD_SIV_SIZE, size, ret) ||
            EVP_CipherFinal_ex(context, ret + size, &n) != 1 || n != 0) {
        (void)riad_openssl_error();
        riad_wipe(ret, size);
        return -EBADMSG;
    }
    return 0;
}
