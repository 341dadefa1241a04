#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <pthread.h>

#include "riad/error.h"

#include "algorithms_priv.h"

static pthread_once_t fetched = PTHREAD_ONCE_INIT;
static struct riad_algorithms all;
static bool complete; /* written under `fetched`, constant afterwards */

/* Before anything else of OpenSSL: it would free what its threads share when the process ends,
 * while one that nobody joins may still be letting go of its own. */
__attribute__((constructor)) static void leave_it_to_the_kernel(void)
{
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

static EVP_MAC_CTX *fetch_hmac(void)
{
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_END,
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = mac ? EVP_MAC_CTX_new(mac) : NULL;

    EVP_MAC_free(mac); /* the context holds a reference of its own */
    if (context && EVP_MAC_CTX_set_params(context, parameters) == 1) {
        return context;
    }
    EVP_MAC_CTX_free(context);
    return NULL;
}

static void fetch(void)
{
    all.gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    all.siv = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
    all.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    all.hmac = fetch_hmac();
    complete = all.gcm && all.siv && all.sha256 && all.hmac;
}

const struct riad_algorithms *riad_algorithms(void)
{
    if (pthread_once(&fetched, fetch) != 0 || !complete) {
        return NULL;
    }
    return &all;
}

int riad_openssl_error(void)
{
    bool memory = ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE;

    ERR_clear_error();
    return memory ? -ENOMEM : -EIO;
}
