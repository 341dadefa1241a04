/* Where epochs ended, and what that says of a record's epoch (K2). */
#include "riad/segments.h"

bool riad_epoch_allows(const struct riad_epoch_ends *ends, uint32_t epoch, uint64_t number)
{
    for (size_t i = 0; i < ends->count; i++) {
        if (epoch <= ends->ends[i].epoch && number > ends->ends[i].end.sequence.number) {
            return false;
        }
    }
    return true;
}

bool riad_epoch_allows_segment(const struct riad_epoch_ends *ends, uint32_t epoch, uint64_t segment)
{
    for (size_t i = 0; i < ends->count; i++) {
        if (epoch <= ends->ends[i].epoch && segment > ends->ends[i].segment) {
            return false;
        }
    }
    return true;
}

uint32_t riad_epoch_open(const struct riad_epoch_ends *ends)
{
    uint32_t open = 1;

    for (size_t i = 0; i < ends->count; i++) {
        if (ends->ends[i].epoch >= open && ends->ends[i].epoch < UINT32_MAX) {
            open = ends->ends[i].epoch + 1;
        }
    }
    return open;
}

uint64_t riad_epoch_reach(const struct riad_epoch_ends *ends)
{
    uint64_t reach = 0;

    for (size_t i = 0; i < ends->count; i++) {
        uint64_t number = ends->ends[i].end.sequence.number;

        reach = number > reach ? number : reach;
    }
    return reach;
}
