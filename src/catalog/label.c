#include "riad/bytes.h"
#include "riad/error.h"

#include "label_priv.h"
#include "roster_priv.h"

#define LABEL "riad/v1/label"
enum { VERSION = 1, STEP = 64, PLAIN_MAX = RIAD_SEALED_NAME_MAX - RIAD_SIV_SIZE };

int riad_label_seal(const struct riad_siv *key, const char *name, uint8_t *ret, size_t *ret_size)
{
    size_t length = strlen(name);
    struct riad_writer writer;
    uint8_t plain[PLAIN_MAX];
    int r;

    if (length == 0 || length > RIAD_LABEL_MAX) {
        return -EINVAL;
    }
    riad_writer_init_fixed(&writer, plain, sizeof plain);
    riad_put_u8(&writer, VERSION);
    riad_put_b16(&writer, name, length);
    riad_put_zeros(&writer, (STEP - writer.size % STEP) % STEP);
    r = writer.error;
    if (r == 0) {
        r = riad_siv_seal(key, LABEL, sizeof LABEL - 1, plain, writer.size, ret);
    }
    riad_wipe(plain, sizeof plain);
    if (r < 0) {
        return r;
    }
    *ret_size = RIAD_SIV_SIZE + writer.size;
    return 0;
}

/* F3: exactly what riad_label_seal makes of the name. */
static int decode(const uint8_t *plain, size_t size, char ret[RIAD_LABEL_MAX + 1])
{
    struct riad_reader reader;
    const uint8_t *name;
    size_t length;
    int r;

    riad_reader_init(&reader, plain, size);
    if (riad_get_u8(&reader) != VERSION) {
        return -EBADMSG;
    }
    name = riad_get_b16(&reader, RIAD_LABEL_MAX, &length);
    if (!name || length == 0 || reader.left >= STEP || memchr(name, 0, length)) {
        return -EBADMSG;
    }
    riad_get_zeros(&reader, reader.left);
    r = riad_reader_finish(&reader);
    if (r < 0) {
        return r;
    }
    memcpy(ret, name, length);
    ret[length] = '\0';
    return 0;
}

int riad_label_open(const struct riad_siv *key, const uint8_t *sealed, size_t size,
        char ret[RIAD_LABEL_MAX + 1])
{
    uint8_t plain[PLAIN_MAX];
    int r;

    if (size <= RIAD_SIV_SIZE || size > RIAD_SEALED_NAME_MAX) {
        return -EBADMSG;
    }
    r = riad_siv_open(key, LABEL, sizeof LABEL - 1, sealed, size, plain);
    if (r == 0) {
        r = decode(plain, size - RIAD_SIV_SIZE, ret);
    }
    riad_wipe(plain, sizeof plain);
    return r;
}
