#include "riad/signers.h"

#include <pthread.h>
#include <stdlib.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/thread.h"

#define REFRESH_NS 2000000000ull

struct riad_signers {
    pthread_mutex_t lock;
    struct riad_signer *items; /* lock */
    size_t count;              /* lock */
    uint64_t refreshed;        /* lock: when it was last tried; 0: never */
    void (*refresh)(void *context, struct riad_signers *signers);
    void *context;
};

static int copy_items(const struct riad_signer *items, size_t count, struct riad_signer **ret)
{
    struct riad_signer *copy = reallocarray(NULL, count + 1, sizeof *copy);

    if (!copy) {
        return -ENOMEM;
    }
    if (count > 0) {
        memcpy(copy, items, count * sizeof *copy); /* items may be NULL without any */
    }
    *ret = copy;
    return 0;
}

int riad_signers_new(const struct riad_signer *items, size_t count, struct riad_signers **ret)
{
    struct riad_signers *signers = calloc(1, sizeof *signers);
    int r = signers ? copy_items(items, count, &signers->items) : -ENOMEM;

    if (r < 0) {
        free(signers);
        return r;
    }
    signers->count = count;
    pthread_mutex_init(&signers->lock, NULL);
    *ret = signers;
    return 0;
}

void riad_signers_free(struct riad_signers *signers)
{
    if (!signers) {
        return;
    }
    pthread_mutex_destroy(&signers->lock);
    free(signers->items);
    free(signers);
}

int riad_signers_replace(
        struct riad_signers *signers, const struct riad_signer *items, size_t count)
{
    struct riad_signer *copy, *old;
    int r = copy_items(items, count, &copy);

    if (r < 0) {
        return r;
    }
    pthread_mutex_lock(&signers->lock);
    old = signers->items;
    signers->items = copy;
    signers->count = count;
    pthread_mutex_unlock(&signers->lock);
    free(old);
    return 0;
}

void riad_signers_on_unknown(struct riad_signers *signers,
        void (*refresh)(void *context, struct riad_signers *signers), void *context)
{
    signers->refresh = refresh;
    signers->context = context;
}

/* Under the lock, which is held for a signature's check: some 100 us, and rare. */
static int verify(struct riad_signers *signers, enum riad_envelope_type type,
        const struct riad_store_binding *binding, uint64_t number, const void *data, size_t size,
        const uint8_t **ret_body, size_t *ret_size)
{
    int r;

    pthread_mutex_lock(&signers->lock);
    r = riad_envelope_verify_by(
            type, binding, signers->items, signers->count, number, data, size, ret_body, ret_size);
    pthread_mutex_unlock(&signers->lock);
    return r;
}

static bool may_refresh(struct riad_signers *signers)
{
    uint64_t now = riad_now_ns();
    bool may;

    if (!signers->refresh) {
        return false;
    }
    pthread_mutex_lock(&signers->lock);
    may = signers->refreshed == 0 || now - signers->refreshed >= REFRESH_NS;
    signers->refreshed = may ? now : signers->refreshed;
    pthread_mutex_unlock(&signers->lock);
    return may;
}

int riad_signers_verify(struct riad_signers *signers, enum riad_envelope_type type,
        const struct riad_store_binding *binding, uint64_t number, const void *data, size_t size,
        const uint8_t **ret_body, size_t *ret_size)
{
    int r = verify(signers, type, binding, number, data, size, ret_body, ret_size);

    if (r != -EBADMSG || !may_refresh(signers)) {
        return r;
    }
    signers->refresh(signers->context, signers);
    return verify(signers, type, binding, number, data, size, ret_body, ret_size);
}
