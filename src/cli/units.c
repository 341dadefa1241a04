#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char letters[] = "KMGTPE";

static int parse_scaled(const char *text, double step, uint64_t *ret)
{
    char *end;
    double value;
    const char *letter;

    if (strcmp(text, "none") == 0) {
        *ret = 0;
        return 0;
    }
    errno = 0;
    value = strtod(text, &end);
    if (end == text || errno != 0 || !(value >= 0) || strpbrk(text, "-xXnNpP+") == text) {
        return -EINVAL;
    }
    if (*end) {
        letter = strchr(letters, *end & ~0x20);
        if (!letter || (end[1] && strcmp(end + 1, "iB") != 0 && strcmp(end + 1, "i") != 0)) {
            return -EINVAL;
        }
        for (const char *scale = letters; scale <= letter; scale++) {
            value *= step;
        }
    }
    if (value >= 9.2e18) {
        return -EINVAL;
    }
    *ret = (uint64_t)value;
    return 0;
}

int parse_bytes(const char *text, uint64_t *ret)
{
    return parse_scaled(text, 1024, ret);
}

int parse_count(const char *text, uint64_t *ret)
{
    return strchr(text, 'i') ? -EINVAL : parse_scaled(text, 1000, ret);
}

static const char *show_scaled(uint64_t value, double step, const char *suffix, char ret[32])
{
    double scaled = (double)value;
    int power = -1;

    while (scaled >= step && power < 5) {
        scaled /= step;
        power++;
    }
    if (power < 0) {
        snprintf(ret, 32, "%llu%s", (unsigned long long)value, suffix[0] ? " B" : "");
    } else {
        snprintf(ret, 32, "%.*f %c%s",
                scaled < 10    ? 2
                : scaled < 100 ? 1
                               : 0,
                scaled, letters[power], suffix);
    }
    return ret;
}

const char *show_bytes(uint64_t bytes, bool zero_is_none, char ret[32])
{
    if (bytes == 0 && zero_is_none) {
        return strcpy(ret, "none");
    }
    return show_scaled(bytes, 1024, "iB", ret);
}

const char *show_count(uint64_t count, bool zero_is_none, char ret[32])
{
    if (count == 0 && zero_is_none) {
        return strcpy(ret, "none");
    }
    if (count < 100000) {
        snprintf(ret, 32, "%llu", (unsigned long long)count);
        return ret;
    }
    return show_scaled(count, 1000, "", ret);
}
