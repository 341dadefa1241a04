#include "riad/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
    if (end == text || errno != 0 || !(value >= 0) || strpbrk(text, "xX") ||
            strpbrk(text, "-nNpP+") == text) {
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

int riad_parse_bytes(const char *text, uint64_t *ret)
{
    return parse_scaled(text, 1024, ret);
}

int riad_parse_count(const char *text, uint64_t *ret)
{
    return strchr(text, 'i') ? -EINVAL : parse_scaled(text, 1000, ret);
}

int riad_parse_seconds(const char *text, int64_t *ret)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
    char *end;
    long long count;

    errno = 0;
    count = strtoll(text, &end, 10);
    if (end == text || errno != 0 || count < 0 || count > 100000000 || !*end || end[1]) {
        return -EINVAL;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (units[i].letter == *end) {
            *ret = count * units[i].seconds;
            return 0;
        }
    }
    return -EINVAL;
}
