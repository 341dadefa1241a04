/* The algorithms of cipher suite 1, fetched from OpenSSL once: an implicit fetch at each call takes
 * shared locks. */
#ifndef RIAD_ALGORITHMS_PRIV_H
#define RIAD_ALGORITHMS_PRIV_H

#include <openssl/evp.h>

#include "riad/types.h"

struct riad_algorithms {
    EVP_CIPHER *gcm;
    EVP_CIPHER *siv;
    EVP_MD *sha256;
    EVP_MAC_CTX *hmac; /* has its digest but no key; only ever duplicated */
};

/* Immutable once made, never freed. NULL if this OpenSSL lacks one of them. Thread-safe. */
const struct riad_algorithms *riad_algorithms(void);
/* Empties this thread's OpenSSL error queue and says what failed: -ENOMEM or -EIO. */
int riad_openssl_error(void);

#endif
