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

/* On the heap, exactly as long as it says: a read behind the end is seen. */
struct fuzz_bytes {
    uint8_t *data;
    size_t size;
};

static inline void fuzz_done(struct fuzz_bytes *bytes)
{
    free(bytes->data);
}
#define _cleanup_fuzz_ __attribute__((cleanup(fuzz_done)))

static inline unsigned fuzz_u16(const uint8_t *data)
{
    return data[0] | (unsigned)data[1] << 8;
}

/* A few times the model's size, or any up to 32 KiB. */
static inline size_t fuzz_size(unsigned wanted, size_t size)
{
    if (wanted == 0xffff) {
        return size;
    }
    return wanted & 0x8000 ? wanted & 0x7fff : wanted % (8 * size);
}

static inline void fuzz_fill(
        struct fuzz_bytes *bytes, size_t size, const uint8_t *data, size_t data_size)
{
    bytes->size = size;
    bytes->data = malloc(size);
    FUZZ_ASSERT(bytes->data || size == 0);
    memset(bytes->data, 0, size);
    memcpy(bytes->data, data, data_size < size ? data_size : size);
}

/* The bytes to try. A first byte that is even: what follows it. Odd: the model, cut or lengthened
 * by zeros (u16, see above), then changed by edits (u16 offset, u8 value): so what lies behind
 * checksums, counts and signatures is reached in seconds. False: no input. */
static inline bool fuzz_take(
        const uint8_t *data, size_t size, const struct fuzz_model *model, struct fuzz_bytes *ret)
{
    if (size < 3) {
        return false;
    }
    if (data[0] % 2 == 0) {
        fuzz_fill(ret, size - 1, data + 1, size - 1);
        return true;
    }
    fuzz_fill(ret, fuzz_size(fuzz_u16(data + 1), model->size), model->data, model->size);
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

/* One run on what libFuzzer gives: from a model, made once, which `run` must take. */
static inline int fuzz_one(const uint8_t *data, size_t size, struct fuzz_model *model,
        void (*make_model)(void), int (*run)(const struct fuzz_bytes *bytes))
{
    _cleanup_fuzz_ struct fuzz_bytes bytes = { 0 };

    if (model->size == 0) {
        make_model();
    }
    if (fuzz_take(data, size, model, &bytes)) {
        int r = run(&bytes);

        FUZZ_ASSERT(r == 0 || !fuzz_is_model(&bytes, model));
    }
    return 0;
}

#endif
