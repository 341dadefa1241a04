#include "riad/base32.h"

#include <errno.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static unsigned get_digit(const uint8_t *bytes, size_t number)
{
    unsigned value = 0;

    for (size_t bit = number * 5; bit < number * 5 + 5; bit++) {
        value = value << 1 | (bytes[bit / 8] >> (7 - bit % 8) & 1);
    }
    return value;
}

static void set_digit(uint8_t *bytes, size_t number, unsigned value)
{
    for (unsigned i = 0; i < 5; i++) {
        size_t bit = number * 5 + i;

        bytes[bit / 8] |= (uint8_t)((value >> (4 - i) & 1) << (7 - bit % 8));
    }
}

void riad_base32_encode(const void *data, size_t size, char *ret)
{
    size_t digits = RIAD_BASE32_SIZE(size) - 1;

    for (size_t i = 0; i < digits; i++) {
        ret[i] = alphabet[get_digit(data, i)];
    }
    ret[digits] = '\0';
}

/* 0..31, or -1 for what is no digit. */
static int digit_value(uint8_t character)
{
    if (character >= 'a' && character <= 'z') {
        return character - 'a';
    }
    if (character >= 'A' && character <= 'Z') {
        return character - 'A';
    }
    if (character >= '2' && character <= '7') {
        return character - '2' + 26;
    }
    return -1;
}

static bool is_ignored(uint8_t character)
{
    return character == ' ' || character == '-' || character == '\t' || character == '\r' ||
           character == '\n';
}

int riad_base32_decode(const void *text, size_t text_size, void *ret, size_t size)
{
    const uint8_t *characters = text;
    size_t digits = 0, wanted = RIAD_BASE32_SIZE(size) - 1;

    if (size % 5 != 0) {
        return -EINVAL;
    }
    memset(ret, 0, size);
    for (size_t i = 0; i < text_size; i++) {
        int value = digit_value(characters[i]);

        if (is_ignored(characters[i])) {
            continue;
        }
        if (value < 0 || digits == wanted) {
            return -EINVAL;
        }
        set_digit(ret, digits++, (unsigned)value);
    }
    return digits == wanted ? 0 : -EINVAL;
}
