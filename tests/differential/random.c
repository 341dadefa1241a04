#include "engine.h"

uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t draw_below(uint64_t *state, uint64_t count)
{
    return draw(state) % count;
}

bool draw_percent(uint64_t *state, unsigned percent)
{
    return draw_below(state, 100) < percent;
}
