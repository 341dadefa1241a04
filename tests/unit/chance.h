/* What tests do by chance, the same again for the same seed (splitmix64); and numbers that the
 * environment says. */
#ifndef RIAD_TESTS_CHANCE_H
#define RIAD_TESTS_CHANCE_H

#include <stdint.h>
#include <stdlib.h>

static inline uint64_t chance_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static inline uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);

    return text ? strtoull(text, NULL, 10) : otherwise;
}

#endif
