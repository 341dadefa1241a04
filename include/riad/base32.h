/* Layer base. RFC 4648 base32, upper case without padding: for what people copy by hand. Sizes are
 * multiples of 5 bytes, so that one text stands for each value. */
#ifndef RIAD_BASE32_H
#define RIAD_BASE32_H

#include "riad/types.h"

/* Characters for size bytes, and a zero. */
#define RIAD_BASE32_SIZE(size) ((size) / 5 * 8 + 1)

/* ret has RIAD_BASE32_SIZE(size). */
void riad_base32_encode(const void *data, size_t size, char *ret);
/* Exactly size bytes from text_size characters. Case, white space and dashes are passed over.
 * -EINVAL, also for a size that is no multiple of 5; then ret holds anything. */
int riad_base32_decode(const void *text, size_t text_size, void *ret, size_t size) RIAD_MUST_CHECK;

#endif
