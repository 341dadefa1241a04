#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char letters[] = "KMGTPE";

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
