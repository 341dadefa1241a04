/* What the fuzzers share. A fuzzer is a libFuzzer target: LLVMFuzzerTestOneInput is called with
 * bytes, and whatever must hold is asserted; sanitizers see the rest. For tests only. */
#ifndef RIAD_TESTS_FUZZ_H
#define RIAD_TESTS_FUZZ_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FUZZ_SIZE_MAX = 1 << 16 };

/* A property that holds whatever the input is. abort() is what libFuzzer keeps the input for. */
#define FUZZ_ASSERT(condition)                                                             \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

/* A valid object of the kind that is fuzzed, made once. */
struct fuzz_model {
    uint8_t data[4096];
    size_t size;
};

struct fuzz_bytes {
    uint8_t data[FUZZ_SIZE_MAX];
    size_t size;
};

static inline unsigned fuzz_u16(const uint8_t *data)
{
    return data[0] | (unsigned)data[1] << 8;
}

/* The bytes to try. A first byte that is even: what follows it. Odd: the model, cut or lengthened
 * by zeros to a size (u16; 0xffff leaves it), then changed by edits (u16 offset, u8 value): so what
 * lies behind checksums, counts and signatures is reached in seconds. False: no input. */
static inline bool fuzz_take(
        const uint8_t *data, size_t size, const struct fuzz_model *model, struct fuzz_bytes *ret)
{
    if (size == 0 || size > FUZZ_SIZE_MAX) {
        return false;
    }
    if (data[0] % 2 == 0) {
        ret->size = size - 1;
        memcpy(ret->data, data + 1, ret->size);
        return true;
    }
    if (size < 3) {
        return false;
    }
    ret->size = model->size;
    memcpy(ret->data, model->data, model->size);
    if (fuzz_u16(data + 1) != 0xffff) {
        ret->size = fuzz_u16(data + 1) % (2 * model->size);
        if (ret->size > model->size) {
            memset(ret->data + model->size, 0, ret->size - model->size);
        }
    }
    for (size_t i = 3; i + 3 <= size && ret->size > 0; i += 3) {
        ret->data[fuzz_u16(data + i) % ret->size] = data[i + 2];
    }
    return true;
}

static inline bool fuzz_is_model(const struct fuzz_bytes *bytes, const struct fuzz_model *model)
{
    return bytes->size == model->size && memcmp(bytes->data, model->data, model->size) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
