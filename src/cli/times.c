/* Points in time as people write them, and as they read them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

/* Local time; with a Z at its end, UTC. */
static int parse_date(const char *text, int64_t *ret)
{
    static const char *const forms[] = { "%Y-%m-%d", "%Y-%m-%d%n%H:%M", "%Y-%m-%d%n%H:%M:%S",
        "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S" };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm parts = { .tm_isdst = -1 };
        const char *end = strptime(text, forms[i], &parts);

        if (end && (!*end || strcmp(end, "Z") == 0)) {
            *ret = *end ? timegm(&parts) : mktime(&parts);
            return 0;
        }
    }
    return -EINVAL;
}

int parse_when(const char *text, int64_t now, bool ahead, int64_t *ret)
{
    int64_t age;

    if (riad_parse_seconds(text, &age) < 0) {
        return parse_date(text, ret);
    }
    *ret = ahead ? now + age : now - age;
    return 0;
}

int parse_utc(const char *text, int64_t *ret)
{
    struct tm parts = { 0 };
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);

    if (!end || (*end != '.' && *end != 'Z')) {
        return -EINVAL;
    }
    *ret = timegm(&parts);
    return 0;
}

const char *show_local_time(int64_t seconds, char ret[32])
{
    time_t when = (time_t)seconds;
    struct tm parts;

    if (!localtime_r(&when, &parts) || strftime(ret, 32, "%Y-%m-%d %H:%M:%S", &parts) == 0) {
        snprintf(ret, 32, "%lld", (long long)seconds);
    }
    return ret;
}
