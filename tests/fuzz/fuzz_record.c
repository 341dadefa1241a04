/* Record headers and checksums (FORMAT 5): what a scan of a hostile segment meets first. */
#include <errno.h>

#include "riad/record.h"

#include "fuzz.h"

static struct fuzz_model model;

static void make_model(void)
{
    const struct riad_record_header header = {
        .type = RIAD_RECORD_DATA, .padding = RIAD_PAD_PADME, .epoch = 1, .counter = 7, .length = 48
    };

    riad_record_header_encode(&header, model.data);
    model.size = RIAD_RECORD_HEADER_SIZE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_fuzz_ struct fuzz_bytes bytes = { 0 };
    uint8_t encoded[RIAD_RECORD_HEADER_SIZE];
    struct riad_record_header header;
    int r;

    if (model.size == 0) {
        make_model();
    }
    if (!fuzz_take(data, size, &model, &bytes)) {
        return 0;
    }
    r = riad_record_check(bytes.data, bytes.size);
    FUZZ_ASSERT(r == 0 || r == -EBADMSG);
    if (bytes.size < RIAD_RECORD_HEADER_SIZE) {
        return 0;
    }
    r = riad_record_header_decode(bytes.data, &header);
    FUZZ_ASSERT(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
    FUZZ_ASSERT(r == 0 || memcmp(bytes.data, model.data, model.size) != 0);
    if (r == 0) {
        FUZZ_ASSERT(header.length <= RIAD_RECORD_LENGTH_MAX);
        riad_record_header_encode(&header, encoded);
        FUZZ_ASSERT(memcmp(encoded, bytes.data, sizeof encoded) == 0); /* F3 */
    }
    return 0;
}
