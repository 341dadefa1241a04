#include "riad/bytes.h"

#include <errno.h>

static const char digits[] = "0123456789abcdef";

void riad_hex_encode(const void *data, size_t size, char *ret)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * size] = '\0';
}

/* -1 for anything but one of the sixteen, the terminating zero included. */
static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    return -1;
}

int riad_hex_decode(const char *text, void *ret, size_t size)
{
    uint8_t *bytes = ret;

    for (size_t i = 0; i < 2 * size; i++) {
        if (digit_value(text[i]) < 0) {
            return -EINVAL;
        }
    }
    if (text[2 * size] != '\0') {
        return -EINVAL;
    }
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(digit_value(text[2 * i]) << 4 | digit_value(text[2 * i + 1]));
    }
    return 0;
}
