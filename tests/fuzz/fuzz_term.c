/* Terms and heartbeats (O1, O2, FORMAT 3.4): files as they are found, and bodies that are signed,
 * or authentic, as another node of the site may have made them. */
#include "riad/digest.h"
#include "riad/signers.h"
#include "riad/term.h"

#include "place.h"

enum { BODY_OFFSET = 72, BEAT_SIGNED = 32, BEAT_SIZE = 64 };
enum { WHOLE_TERM, SIGNED_TERM, BEAT, WAYS };

static struct fuzz_model models[WAYS];
static struct riad_keypair signer;
static struct riad_signers *signers;
static const struct riad_store_binding binding = { { { 1 } }, { { 2 } } };

static void forget(void)
{
    riad_signers_free(signers);
}

static void claim(uint32_t number)
{
    const struct riad_term term = { .workspace = place_workspace,
        .number = number,
        .previous = number - 1,
        .end = { .sequence = { number - 1, 5 } },
        .epoch = 1,
        .time = { 3, 4 } };

    FUZZ_ASSERT(riad_term_claim(place.fd, &binding, &signer, &term) == 0);
}

static void make_models(void)
{
    const struct riad_beat beat = { .count = 3, .closed = true, .last = 9 };
    struct fuzz_model *body = &models[SIGNED_TERM];
    struct riad_signer owner;
    const uint8_t *data;

    place_make();
    FUZZ_ASSERT(mkdirat(place.fd, "term", 0700) == 0);
    FUZZ_ASSERT(riad_keypair_generate(&signer) == 0);
    owner = riad_signer_always(&signer.sign_key);
    FUZZ_ASSERT(riad_signers_new(&owner, 1, &signers) == 0);
    atexit(forget);
    claim(1);
    claim(2);
    place_get("term/00000002", &models[WHOLE_TERM]);
    FUZZ_ASSERT(riad_envelope_peek(RIAD_ENVELOPE_TERM, &binding, models[WHOLE_TERM].data,
                        models[WHOLE_TERM].size, &data, &body->size) == 0);
    memcpy(body->data, data, body->size);
    FUZZ_ASSERT(riad_beat_write(place.fd, place_keys, 1, &beat) == 0);
    place_get("term/00000001.beat", &models[BEAT]);
}

static void put_signed(const struct fuzz_bytes *bytes)
{
    struct riad_writer out;

    riad_writer_init_growing(&out, bytes->size + 512, RIAD_ENVELOPE_MAX);
    FUZZ_ASSERT(riad_envelope_sign(RIAD_ENVELOPE_TERM, &binding, &signer, bytes->data, bytes->size,
                        &out) == 0);
    place_put("term/00000002", out.data, out.size);
    riad_writer_done(&out);
}

/* The terms that are found follow each other; the first is there, whatever the second is. */
static int read_terms(void)
{
    struct riad_history history;
    int r = riad_history_load(place.fd, &binding, signers, &place_workspace, &history);
    int checked = riad_term_check(place.fd, &binding, signers, &place_workspace, 1);

    FUZZ_ASSERT(r == 0 || r == -EUCLEAN || r == -EPROTONOSUPPORT);
    FUZZ_ASSERT(r < 0 ? checked == r : checked == (history.count == 2 ? -ESTALE : 0));
    if (r == 0) {
        FUZZ_ASSERT(history.count == 1 || history.count == 2);
        FUZZ_ASSERT(history.terms[0].number == 1 && history.taken == 2);
        r = history.count == 2 ? 0 : -ENOENT;
        riad_history_done(&history);
    }
    return r;
}

/* As who has the key: what is said is authentic. */
static void authenticate(struct fuzz_bytes *bytes)
{
    const struct riad_piece pieces[] = { { place_workspace.bytes, sizeof place_workspace },
        { bytes->data, BEAT_SIGNED } };
    struct riad_hash mac;

    FUZZ_ASSERT(riad_hmac(riad_keys_beat(place_keys), pieces, 2, &mac) == 0);
    memcpy(bytes->data + BEAT_SIGNED, mac.bytes, sizeof mac);
}

static int read_beat(const struct fuzz_bytes *bytes)
{
    struct riad_beat beat;
    int r;

    place_put("term/00000001.beat", bytes->data, bytes->size);
    r = riad_beat_read(place.fd, place_keys, 1, &beat);
    FUZZ_ASSERT(r == 0 || r == -ENOENT);
    FUZZ_ASSERT(r < 0 || (bytes->size == BEAT_SIZE && (beat.closed || beat.last == 0)));
    return r;
}

static int run(size_t way, struct fuzz_bytes *bytes, bool mended)
{
    if (way == BEAT) {
        if (mended && bytes->size == BEAT_SIZE) {
            authenticate(bytes);
        }
        return read_beat(bytes);
    }
    if (way == SIGNED_TERM) {
        put_signed(bytes);
    } else {
        place_put("term/00000002", bytes->data, bytes->size);
    }
    return read_terms();
}

/* The first byte's other bits: what the input is, and whether a heartbeat is made authentic. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_fuzz_ struct fuzz_bytes bytes = { 0 };
    size_t way = size > 0 ? data[0] / 4 % WAYS : 0;
    bool same;
    int r;

    if (models[0].size == 0) {
        make_models();
    }
    if (fuzz_take(data, size, &models[way], &bytes)) {
        same = fuzz_is_model(&bytes, &models[way]);
        r = run(way, &bytes, data[0] & 2);
        FUZZ_ASSERT(r == 0 || !same);
    }
    return 0;
}
