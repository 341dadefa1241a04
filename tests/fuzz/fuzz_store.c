/* riad.json (FORMAT 2), the first file of a store that is read, before there is any key. */
#include "riad/store.h"

#include "place.h"

static struct fuzz_model model;
static char path[PATH_MAX];

static void make_model(void)
{
    struct riad_store store;

    place_make();
    snprintf(path, sizeof path, "%s/store", place.path);
    FUZZ_ASSERT(riad_store_create(path, &store) == 0);
    riad_store_close(&store);
    place_get("store/riad.json", &model);
}

static int run(const struct fuzz_bytes *bytes)
{
    static const struct riad_id none;
    struct riad_store store;
    int r;

    place_put("store/riad.json", bytes->data, bytes->size);
    r = riad_store_open(path, &store);
    FUZZ_ASSERT(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT || r == -EMEDIUMTYPE);
    if (r == 0) {
        FUZZ_ASSERT(store.fd >= 0 && !riad_id_equal(&store.binding.store, &none));
        riad_store_close(&store);
    }
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_one(data, size, &model, make_model, run);
}
