/* Layer base. Sizes, counts and spans of time as people write them, on the command line and in the
 * configuration. */
#ifndef RIAD_UNITS_H
#define RIAD_UNITS_H

#include "riad/types.h"

/* 10G = 10 GiB, 1.5T; "none" or 0: no limit. -EINVAL. */
int riad_parse_bytes(const char *text, uint64_t *ret) RIAD_MUST_CHECK;
/* 1M = 1,000,000; the same. */
int riad_parse_count(const char *text, uint64_t *ret) RIAD_MUST_CHECK;
/* 90d, 12h, 30m, 45s, 2w. -EINVAL. */
int riad_parse_seconds(const char *text, int64_t *ret) RIAD_MUST_CHECK;

#endif
