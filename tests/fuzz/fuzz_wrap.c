/* Wrap files (FORMAT 3.3): only what was sealed opens, and to the same key. */
#include "riad/cleanup.h"

#include "fuzz.h"
#include "roster_priv.h"

static struct fuzz_model model;
static struct riad_keypair keys;
static struct riad_secret *root;
static const struct riad_wrap_scope scope = { { { 1 } }, { { 2 } }, 1 };

static void make_model(void)
{
    FUZZ_ASSERT(riad_keypair_generate(&keys) == 0);
    FUZZ_ASSERT(riad_secret_new_random(RIAD_ROOT_SIZE, &root) == 0);
    FUZZ_ASSERT(riad_wrap_seal(&scope, &keys.wrap_key, root, model.data) == 0);
    model.size = RIAD_WRAP_SIZE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_fuzz_ struct fuzz_bytes bytes = { 0 };
    _cleanup_secret_ struct riad_secret *opened = NULL;
    int r;

    if (model.size == 0) {
        make_model();
    }
    if (!fuzz_take(data, size, &model, &bytes)) {
        return 0;
    }
    r = riad_wrap_open(&scope, &keys, bytes.data, bytes.size, &opened);
    if (fuzz_is_model(&bytes, &model)) {
        FUZZ_ASSERT(r == 0);
        FUZZ_ASSERT(memcmp(riad_secret_peek(opened), riad_secret_peek(root), RIAD_ROOT_SIZE) == 0);
    } else {
        FUZZ_ASSERT(r == -EBADMSG || r == -EPROTONOSUPPORT);
        FUZZ_ASSERT(!opened);
    }
    return 0;
}
