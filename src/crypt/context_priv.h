/* One context per thread and use, made at the thread's first call and freed when the thread
 * ends. */
#ifndef RIAD_CONTEXT_PRIV_H
#define RIAD_CONTEXT_PRIV_H

#include <openssl/evp.h>

#include "riad/types.h"

enum riad_context_use {
    RIAD_CONTEXT_GCM_SEAL, /* already set to AES-256-GCM; give it key and nonce */
    RIAD_CONTEXT_GCM_OPEN,
    RIAD_CONTEXT_SIV, /* empty; its user empties it again */
    RIAD_CONTEXT_USES,
};

/* Borrowed: this thread's, until its next call with the same use. -ENOMEM, -EIO. */
int riad_thread_context(enum riad_context_use use, EVP_CIPHER_CTX **ret) RIAD_MUST_CHECK;
/* The same for a digest; its user begins and ends it. -ENOMEM, -EIO. */
int riad_thread_digest(EVP_MD_CTX **ret) RIAD_MUST_CHECK;

#endif
