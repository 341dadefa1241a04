#include "riad/text.h"

#include <stdio.h>
#include <string.h>

enum { ESCAPED = 4 }; /* "\xNN" */

static size_t length_of(uint8_t first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first < 0xe0) {
        return 2;
    }
    if (first >= 0xe0 && first < 0xf0) {
        return 3;
    }
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

static uint32_t decode(const uint8_t *bytes, size_t length)
{
    uint32_t code = length == 1 ? bytes[0] : bytes[0] & (0x7fU >> length);

    for (size_t i = 1; i < length; i++) {
        code = code << 6 | (bytes[i] & 0x3f);
    }
    return code;
}

/* Bytes of the character that begins here, if it can be shown; 0 if not. RFC 3629. */
static size_t shown(const uint8_t *bytes, size_t size)
{
    static const uint32_t least[] = { 0, 0x20, 0xa0, 0x800, 0x10000 };
    size_t length = length_of(bytes[0]);
    uint32_t code;

    if (length == 0 || length > size) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    code = decode(bytes, length);
    return code < least[length] || code == 0x7f || code == '\\' || code > 0x10ffff ||
                           (code >= 0xd800 && code < 0xe000)
                   ? 0
                   : length;
}

void riad_text_append(char *ret, size_t room, const char *bytes, size_t size)
{
    size_t used = strlen(ret);

    for (size_t i = 0; i < size;) {
        size_t length = shown((const uint8_t *)bytes + i, size - i);
        size_t wanted = length > 0 ? length : ESCAPED;

        if (used + wanted >= room) {
            return;
        }
        if (length > 0) {
            memcpy(ret + used, bytes + i, length);
            ret[used + length] = '\0';
        } else {
            snprintf(ret + used, ESCAPED + 1, "\\x%02x", (uint8_t)bytes[i]);
        }
        used += wanted;
        i += length > 0 ? length : 1;
    }
}

size_t riad_text_control(const char *text)
{
    uint8_t first = (uint8_t)text[0];

    if (first == 0xc2) {
        return ((uint8_t)text[1] & 0xe0) == 0x80 ? 2 : 0;
    }
    return (first > 0 && first < ' ') || first == 0x7f;
}
