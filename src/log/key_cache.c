/* Keys of streams, set-associative: the set is told by the stream's id, which is random; within a
 * set the least recently used entry goes. Ids that a forger chose can only crowd out entries. */
#include <pthread.h>

#include "riad/error.h"

#include "record_priv.h"

enum { WAYS = 4, SETS = 256, KEYS_PER_SECRET = 4096 / RIAD_AEAD_KEY_SIZE };
enum { SECRETS = WAYS * SETS / KEYS_PER_SECRET };

struct entry {
    struct riad_id stream;
    uint32_t epoch;
    enum riad_purpose purpose;
    uint64_t used; /* 0: empty */
};

struct riad_key_cache {
    const struct riad_keys *keys; /* immutable */
    pthread_mutex_t lock;
    struct entry entries[SETS * WAYS]; /* lock */
    struct riad_secret
            *secrets[SECRETS]; /* bytes: lock. Entry i's key is in secret i / KEYS_PER_SECRET */
    uint64_t clock;            /* lock */
    struct riad_hits hits;     /* lock */
};

void riad_key_cache_free(struct riad_key_cache *cache)
{
    for (int i = 0; i < SECRETS; i++) {
        riad_secret_free(cache->secrets[i]);
    }
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

int riad_key_cache_new(const struct riad_keys *keys, struct riad_key_cache **ret)
{
    _cleanup_(riad_key_cache_freep) struct riad_key_cache *cache = calloc(1, sizeof *cache);
    int r;

    if (!cache) {
        return -ENOMEM;
    }
    cache->keys = keys;
    pthread_mutex_init(&cache->lock, NULL);
    for (int i = 0; i < SECRETS; i++) {
        r = riad_secret_new(KEYS_PER_SECRET * RIAD_AEAD_KEY_SIZE, &cache->secrets[i]);
        if (r < 0) {
            return r;
        }
    }
    *ret = riad_take_pointer(cache);
    return 0;
}

const struct riad_id *riad_key_cache_workspace(const struct riad_key_cache *cache)
{
    return riad_keys_workspace(cache->keys);
}

uint32_t riad_key_cache_epoch(const struct riad_key_cache *cache)
{
    return riad_keys_epoch(cache->keys);
}

static uint8_t *key_of(const struct riad_key_cache *cache, size_t index)
{
    return riad_secret_bytes(cache->secrets[index / KEYS_PER_SECRET]) +
           index % KEYS_PER_SECRET * RIAD_AEAD_KEY_SIZE;
}

/* The entry that holds the wanted key, else the one of its set to be replaced. */
static size_t find_entry(
        const struct riad_key_cache *cache, const struct entry *wanted, bool *ret_hit)
{
    size_t first = (size_t)wanted->stream.bytes[0] * WAYS;
    size_t oldest = first;

    for (size_t i = first; i < first + WAYS; i++) {
        const struct entry *entry = &cache->entries[i];

        if (entry->used > 0 && entry->epoch == wanted->epoch && entry->purpose == wanted->purpose &&
                riad_id_equal(&entry->stream, &wanted->stream)) {
            *ret_hit = true;
            return i;
        }
        if (entry->used < cache->entries[oldest].used) {
            oldest = i;
        }
    }
    *ret_hit = false;
    return oldest;
}

static bool look_up(struct riad_key_cache *cache, const struct entry *wanted, uint8_t *ret)
{
    bool hit;
    size_t index;

    pthread_mutex_lock(&cache->lock);
    index = find_entry(cache, wanted, &hit);
    if (hit) {
        memcpy(ret, key_of(cache, index), RIAD_AEAD_KEY_SIZE);
        cache->entries[index].used = ++cache->clock;
    }
    cache->hits.hits += hit;
    cache->hits.misses += !hit;
    pthread_mutex_unlock(&cache->lock);
    return hit;
}

static void remember(struct riad_key_cache *cache, const struct entry *wanted, const uint8_t *key)
{
    bool hit;
    size_t index;

    pthread_mutex_lock(&cache->lock);
    index = find_entry(cache, wanted, &hit);
    if (!hit) {
        memcpy(key_of(cache, index), key, RIAD_AEAD_KEY_SIZE);
        cache->entries[index] = *wanted;
    }
    cache->entries[index].used = ++cache->clock;
    pthread_mutex_unlock(&cache->lock);
}

void riad_key_cache_count(struct riad_key_cache *cache, struct riad_hits *ret)
{
    pthread_mutex_lock(&cache->lock);
    *ret = cache->hits;
    pthread_mutex_unlock(&cache->lock);
}

int riad_key_cache_get(struct riad_key_cache *cache, enum riad_purpose purpose,
        const struct riad_id *stream, uint32_t epoch, uint8_t ret[RIAD_AEAD_KEY_SIZE])
{
    const struct entry wanted = { *stream, epoch, purpose, 0 };
    int r;

    if (look_up(cache, &wanted, ret)) {
        return 0;
    }
    r = riad_keys_stream(cache->keys, purpose, stream, epoch, ret);
    if (r < 0) {
        return r == -ENOKEY ? -EBADMSG : r;
    }
    remember(cache, &wanted, ret);
    return 0;
}
