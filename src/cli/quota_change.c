/* What becomes of limits, as options say it, and as riadd is told. */
#include <stdio.h>
#include <string.h>

#include "quota.h"

int parse_limits(const struct options *options, struct riad_catalog_limit *ret)
{
    const struct {
        const char *text;
        enum limit_field field;
    } texts[] = { { options->bytes_soft, LIMIT_BYTES_SOFT }, { options->bytes, LIMIT_BYTES_HARD },
        { options->inodes_soft, LIMIT_INODES_SOFT }, { options->inodes, LIMIT_INODES_HARD } };
    struct limit_change change = { 0 };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        enum limit_field field = texts[i].field;

        if (!texts[i].text) {
            continue;
        }
        if (parse_limit_field(field, texts[i].text, &change.values[field]) < 0) {
            return usage_error(field <= LIMIT_BYTES_HARD
                                       ? "`%s` is no size: write 500M, 10G or none"
                                       : "`%s` is no count: write 500k, 1M or none",
                    texts[i].text);
        }
        change.said |= 1U << field;
    }
    apply_limit_change(&change, ret);
    return RIAD_EXIT_DONE;
}

int parse_limit_field(enum limit_field field, const char *text, uint64_t *ret)
{
    return field <= LIMIT_BYTES_HARD ? riad_parse_bytes(text, ret) : riad_parse_count(text, ret);
}

static int parse_grace(const char *text, size_t size, uint64_t *ret)
{
    char copy[32];
    int64_t seconds;

    snprintf(copy, sizeof copy, "%.*s", (int)size, text);
    if (size >= sizeof copy || riad_parse_seconds(copy, &seconds) < 0 || seconds < 1 ||
            seconds > UINT32_MAX) {
        return usage_error("`%.*s` is no grace: write 7d, 12h or 30m, for bytes and inodes, or "
                           "7d,3d",
                (int)size, text);
    }
    *ret = (uint64_t)seconds;
    return RIAD_EXIT_DONE;
}

/* "7d" for both, "7d,3d" for bytes and inodes. */
static int parse_graces(const char *text, struct limit_change *change)
{
    const char *comma = strchr(text, ',');
    const char *second = comma ? comma + 1 : text;
    int code = parse_grace(text, comma ? (size_t)(comma - text) : strlen(text),
            &change->values[LIMIT_BYTES_GRACE]);

    if (code == RIAD_EXIT_DONE) {
        code = parse_grace(second, strlen(second), &change->values[LIMIT_INODES_GRACE]);
    }
    change->said |= 1U << LIMIT_BYTES_GRACE | 1U << LIMIT_INODES_GRACE;
    return code;
}

int parse_limit_change(const struct options *options, struct limit_change *ret)
{
    struct riad_catalog_limit limit = { 0 };
    struct limit_change change = { .said = (options->bytes_soft ? 1U << LIMIT_BYTES_SOFT : 0) |
                                           (options->bytes ? 1U << LIMIT_BYTES_HARD : 0) |
                                           (options->inodes_soft ? 1U << LIMIT_INODES_SOFT : 0) |
                                           (options->inodes ? 1U << LIMIT_INODES_HARD : 0) };
    int code = parse_limits(options, &limit);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    change.values[LIMIT_BYTES_SOFT] = limit.bytes_soft;
    change.values[LIMIT_BYTES_HARD] = limit.bytes_hard;
    change.values[LIMIT_INODES_SOFT] = limit.inodes_soft;
    change.values[LIMIT_INODES_HARD] = limit.inodes_hard;
    if (options->grace) {
        code = parse_graces(options->grace, &change);
    }
    if (code == RIAD_EXIT_DONE && !riad_catalog_is_limit(&limit)) {
        code = usage_error("a soft limit is not above the hard one");
    }
    *ret = change;
    return code;
}

void apply_limit_change(const struct limit_change *change, struct riad_catalog_limit *limit)
{
    uint64_t *const counts[] = { [LIMIT_BYTES_SOFT] = &limit->bytes_soft,
        [LIMIT_BYTES_HARD] = &limit->bytes_hard,
        [LIMIT_INODES_SOFT] = &limit->inodes_soft,
        [LIMIT_INODES_HARD] = &limit->inodes_hard };

    for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (change->said & 1U << i) {
            *counts[i] = change->values[i];
        }
    }
    if (change->said & 1U << LIMIT_BYTES_GRACE) {
        limit->grace_bytes = (uint32_t)change->values[LIMIT_BYTES_GRACE];
    }
    if (change->said & 1U << LIMIT_INODES_GRACE) {
        limit->grace_inodes = (uint32_t)change->values[LIMIT_INODES_GRACE];
    }
}

json_t *pack_limit_change(const struct limit_change *change)
{
    static const struct {
        bool soft;
        const char *key;
    } places[] = { [LIMIT_BYTES_SOFT] = { true, "bytes_limit" },
        [LIMIT_BYTES_HARD] = { false, "bytes_limit" },
        [LIMIT_INODES_SOFT] = { true, "inodes_limit" },
        [LIMIT_INODES_HARD] = { false, "inodes_limit" },
        [LIMIT_BYTES_GRACE] = { true, "bytes_grace_seconds" },
        [LIMIT_INODES_GRACE] = { true, "inodes_grace_seconds" } };
    json_t *object = json_object(), *soft = json_object();

    for (unsigned i = 0; i < LIMIT_FIELDS; i++) {
        if (change->said & 1U << i) {
            json_object_set_new(places[i].soft ? soft : object, places[i].key,
                    json_integer((json_int_t)change->values[i]));
        }
    }
    json_object_set_new(object, "soft", soft);
    if (change->name) {
        json_object_set_new(object, "workspace", json_string(change->name));
    }
    return object;
}

const char *describe_limit(const struct riad_catalog_limit *limit, char ret[256])
{
    char bytes[32], inodes[32];
    int used =
            snprintf(ret, 256, "bytes: %s, inodes: %s", show_bytes(limit->bytes_hard, true, bytes),
                    show_count(limit->inodes_hard, true, inodes));

    if (limit->bytes_soft > 0 || limit->inodes_soft > 0) {
        snprintf(ret + used, 256 - (size_t)used, ", soft: %s, %s, grace: %u s, %u s (0: 7 days)",
                show_bytes(limit->bytes_soft, true, bytes),
                show_count(limit->inodes_soft, true, inodes), limit->grace_bytes,
                limit->grace_inodes);
    }
    return ret;
}
