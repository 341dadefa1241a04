/* Published vectors are hexadecimal text. For tests only. */
#ifndef RIAD_TESTS_CRYPT_VECTORS_H
#define RIAD_TESTS_CRYPT_VECTORS_H

#include <string.h>

#include "riad/bytes.h"
#include "riad/secret.h"

#include "unit.h"

/* Decodes all of text into ret and returns the number of bytes. */
static inline size_t from_hex(const char *text, void *ret)
{
    size_t size = strlen(text) / 2;

    assert_int_equal(riad_hex_decode(text, ret, size), 0);
    return size;
}

static inline void assert_hex(const void *data, const char *text)
{
    uint8_t expected[1024];

    assert_true(strlen(text) / 2 <= sizeof expected);
    assert_memory_equal(data, expected, from_hex(text, expected));
}

static inline struct riad_secret *secret_from(const void *data, size_t size)
{
    struct riad_secret *secret;

    assert_int_equal(riad_secret_new_copy(data, size, &secret), 0);
    return secret;
}

static inline struct riad_secret *secret_from_hex(const char *text)
{
    uint8_t data[1024];

    assert_true(strlen(text) / 2 <= sizeof data);
    return secret_from(data, from_hex(text, data));
}

/* size bytes: first, first + 1, ... */
static inline void count_up(void *ret, size_t size, unsigned first)
{
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)ret)[i] = (uint8_t)(first + i);
    }
}

static inline struct riad_secret *secret_counting(size_t size, unsigned first)
{
    uint8_t data[4096];

    count_up(data, size, first);
    return secret_from(data, size);
}

#endif
