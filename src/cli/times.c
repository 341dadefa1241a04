/* Points in time as people write them, and as they read them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

int parse_age(const char *text, int64_t *ret)
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

    if (parse_age(text, &age) < 0) {
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
