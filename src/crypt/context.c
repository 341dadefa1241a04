#include <pthread.h>
#include <stdlib.h>

#include "riad/cleanup.h"
#include "riad/error.h"

#include "algorithms_priv.h"
#include "context_priv.h"

struct contexts {
    EVP_CIPHER_CTX *by_use[RIAD_CONTEXT_USES];
    EVP_MD_CTX *digest;
};

/* The key only brings the destructor; reading goes through the thread's own pointer, which is
 * faster. */
static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static pthread_key_t destructor_key;
static int prepare_error; /* written under `prepared`, constant afterwards */
static _Thread_local struct contexts *mine;

static void free_contexts(void *data)
{
    struct contexts *contexts = data;

    for (size_t i = 0; i < RIAD_CONTEXT_USES; i++) {
        EVP_CIPHER_CTX_free(contexts->by_use[i]); /* wipes the key schedule */
    }
    EVP_MD_CTX_free(contexts->digest);
    free(contexts);
    mine = NULL;
}

static void prepare(void)
{
    prepare_error = -pthread_key_create(&destructor_key, free_contexts);
}

static int start_thread(void)
{
    _cleanup_free_ struct contexts *contexts = NULL;
    int r;

    r = pthread_once(&prepared, prepare);
    if (r != 0 || prepare_error != 0) {
        return r != 0 ? -r : prepare_error;
    }
    contexts = calloc(1, sizeof *contexts);
    if (!contexts) {
        return -ENOMEM;
    }
    r = pthread_setspecific(destructor_key, contexts);
    if (r != 0) {
        return -r;
    }
    mine = riad_take_pointer(contexts);
    return 0;
}

static bool set_cipher(enum riad_context_use use, EVP_CIPHER_CTX *context)
{
    const struct riad_algorithms *algorithms = riad_algorithms();

    if (!algorithms) {
        return false;
    }
    switch (use) {
    case RIAD_CONTEXT_GCM_SEAL:
        return EVP_EncryptInit_ex2(context, algorithms->gcm, NULL, NULL, NULL) == 1;
    case RIAD_CONTEXT_GCM_OPEN:
        return EVP_DecryptInit_ex2(context, algorithms->gcm, NULL, NULL, NULL) == 1;
    default:
        return true;
    }
}

static int start_use(enum riad_context_use use)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

    if (!context || !set_cipher(use, context)) {
        EVP_CIPHER_CTX_free(context);
        return riad_openssl_error();
    }
    mine->by_use[use] = context;
    return 0;
}

int riad_thread_context(enum riad_context_use use, EVP_CIPHER_CTX **ret)
{
    int r = 0;

    if (!mine) {
        r = start_thread();
    }
    if (r == 0 && !mine->by_use[use]) {
        r = start_use(use);
    }
    if (r < 0) {
        return r;
    }
    *ret = mine->by_use[use];
    return 0;
}

int riad_thread_digest(EVP_MD_CTX **ret)
{
    int r = 0;

    if (!mine) {
        r = start_thread();
    }
    if (r < 0) {
        return r;
    }
    if (!mine->digest) {
        mine->digest = EVP_MD_CTX_new();
    }
    if (!mine->digest) {
        return riad_openssl_error();
    }
    *ret = mine->digest;
    return 0;
}
