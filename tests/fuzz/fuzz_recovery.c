/* Recovery codes, as a person types them. */
#include <errno.h>

#include "riad/cleanup.h"
#include "riad/user.h"

#include "fuzz.h"

static struct fuzz_model model;
static struct riad_secret *made;

static void make_model(void)
{
    char text[RIAD_RECOVERY_TEXT_SIZE];

    FUZZ_ASSERT(riad_recovery_new(&made, text) == 0);
    model.size = strlen(text);
    memcpy(model.data, text, model.size);
}

static void parse(const struct fuzz_bytes *bytes)
{
    _cleanup_secret_ struct riad_secret *text = NULL;
    _cleanup_secret_ struct riad_secret *code = NULL;
    int r;

    if (bytes->size == 0 || riad_secret_new_copy(bytes->data, bytes->size, &text) < 0) {
        return;
    }
    r = riad_recovery_parse(text, &code);
    FUZZ_ASSERT(r == 0 || r == -EINVAL);
    FUZZ_ASSERT((r == 0) == (code != NULL));
    FUZZ_ASSERT(r < 0 || riad_secret_size(code) == 32);
    if (fuzz_is_model(bytes, &model)) {
        FUZZ_ASSERT(r == 0 && memcmp(riad_secret_peek(code), riad_secret_peek(made), 32) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_fuzz_ struct fuzz_bytes bytes = { 0 };

    if (model.size == 0) {
        make_model();
    }
    if (fuzz_take(data, size, &model, &bytes)) {
        parse(&bytes);
    }
    return 0;
}
