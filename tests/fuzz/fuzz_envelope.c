/* Signed objects (FORMAT 3): only what was signed verifies, whatever was done to its bytes. */
#include <errno.h>

#include "riad/envelope.h"

#include "fuzz.h"

static struct fuzz_model model;
static struct riad_keypair keys;
static const struct riad_store_binding binding = { { { 1 } }, { { 2 } } };

static void make_model(void)
{
    struct riad_writer writer;

    FUZZ_ASSERT(riad_keypair_generate(&keys) == 0);
    riad_writer_init_fixed(&writer, model.data, sizeof model.data);
    FUZZ_ASSERT(
            riad_envelope_sign(RIAD_ENVELOPE_ROSTER, &binding, &keys, "a body", 6, &writer) == 0);
    model.size = writer.size;
}

static bool is_refusal(int r)
{
    return r == -EBADMSG || r == -EPROTONOSUPPORT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_fuzz_ struct fuzz_bytes bytes = { 0 };
    const uint8_t *body;
    size_t body_size;
    int r;

    if (model.size == 0) {
        make_model();
    }
    if (!fuzz_take(data, size, &model, &bytes)) {
        return 0;
    }
    r = riad_envelope_peek(
            RIAD_ENVELOPE_ROSTER, &binding, bytes.data, bytes.size, &body, &body_size);
    FUZZ_ASSERT(r == 0 || is_refusal(r));
    FUZZ_ASSERT(r < 0 || (body >= bytes.data && body + body_size <= bytes.data + bytes.size));
    r = riad_envelope_verify(RIAD_ENVELOPE_ROSTER, &binding, &keys.sign_key, bytes.data, bytes.size,
            &body, &body_size);
    FUZZ_ASSERT(fuzz_is_model(&bytes, &model) ? r == 0 : is_refusal(r));
    return 0;
}
