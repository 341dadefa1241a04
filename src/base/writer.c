/* The writing half of riad/bytes.h. */
#include <errno.h>
#include <stdlib.h>

#include "riad/bytes.h"

enum { SMALLEST_BUFFER = 64, NANOSECONDS = 1000000000 };

void riad_writer_init_fixed(struct riad_writer *writer, void *data, size_t capacity)
{
    *writer = (struct riad_writer){ .data = data, .capacity = capacity, .limit = capacity };
}

/* Until the first write, data is NULL and capacity is what that write allocates. */
void riad_writer_init_growing(struct riad_writer *writer, size_t reserve, size_t limit)
{
    *writer = (struct riad_writer){
        .capacity = reserve < limit ? reserve : limit,
        .limit = limit,
        .owned = true,
    };
}

void riad_writer_done(struct riad_writer *writer)
{
    if (writer->owned) {
        free(writer->data);
    }
    *writer = (struct riad_writer){ 0 };
}

void riad_writer_reset(struct riad_writer *writer)
{
    writer->size = 0;
    writer->error = 0;
}

static size_t grown_capacity(const struct riad_writer *writer, size_t needed)
{
    size_t capacity = writer->capacity;

    if (writer->data) {
        capacity = capacity > writer->limit / 2 ? writer->limit : 2 * capacity;
    }
    if (capacity < needed) {
        capacity = needed;
    }
    if (capacity < SMALLEST_BUFFER) {
        capacity = SMALLEST_BUFFER;
    }
    return capacity < writer->limit ? capacity : writer->limit;
}

static int grow(struct riad_writer *writer, size_t needed)
{
    size_t capacity = grown_capacity(writer, needed);
    uint8_t *data = realloc(writer->data, capacity);

    if (!data) {
        return -ENOMEM;
    }
    writer->data = data;
    writer->capacity = capacity;
    return 0;
}

/* Room for size more bytes, already counted as written; NULL when there is none or an error sticks.
 * size > 0. */
static uint8_t *append(struct riad_writer *writer, size_t size)
{
    uint8_t *room;

    if (writer->error) {
        return NULL;
    }
    if (size > writer->limit - writer->size) {
        writer->error = -ENOBUFS;
        return NULL;
    }
    if (!writer->data || size > writer->capacity - writer->size) {
        writer->error = grow(writer, writer->size + size);
    }
    if (writer->error) {
        return NULL;
    }
    room = writer->data + writer->size;
    writer->size += size;
    return room;
}

static void put_integer(struct riad_writer *writer, uint64_t value, size_t size)
{
    uint8_t *room = append(writer, size);

    for (size_t i = 0; room && i < size; i++) {
        room[i] = (uint8_t)(value >> 8 * i);
    }
}

void riad_put_u8(struct riad_writer *writer, uint8_t value)
{
    put_integer(writer, value, 1);
}

void riad_put_u16(struct riad_writer *writer, uint16_t value)
{
    put_integer(writer, value, 2);
}

void riad_put_u32(struct riad_writer *writer, uint32_t value)
{
    put_integer(writer, value, 4);
}

void riad_put_u64(struct riad_writer *writer, uint64_t value)
{
    put_integer(writer, value, 8);
}

void riad_put_bytes(struct riad_writer *writer, const void *data, size_t size)
{
    uint8_t *room = size > 0 ? append(writer, size) : NULL;

    if (room) {
        memcpy(room, data, size);
    }
}

static void refuse(struct riad_writer *writer, int error)
{
    if (!writer->error) {
        writer->error = error;
    }
}

void riad_put_b16(struct riad_writer *writer, const void *data, size_t size)
{
    if (size > UINT16_MAX) {
        refuse(writer, -ENOBUFS);
        return;
    }
    riad_put_u16(writer, (uint16_t)size);
    riad_put_bytes(writer, data, size);
}

void riad_put_b32(struct riad_writer *writer, const void *data, size_t size)
{
    if (size > UINT32_MAX) {
        refuse(writer, -ENOBUFS);
        return;
    }
    riad_put_u32(writer, (uint32_t)size);
    riad_put_bytes(writer, data, size);
}

/* Never writes what riad_get_time would refuse (F3). */
void riad_put_time(struct riad_writer *writer, struct timespec value)
{
    if (value.tv_nsec < 0 || value.tv_nsec >= NANOSECONDS) {
        refuse(writer, -EINVAL);
        return;
    }
    riad_put_u64(writer, (uint64_t)value.tv_sec);
    riad_put_u32(writer, (uint32_t)value.tv_nsec);
}

void riad_put_id(struct riad_writer *writer, const struct riad_id *id)
{
    riad_put_bytes(writer, id->bytes, sizeof id->bytes);
}

void riad_put_hash(struct riad_writer *writer, const struct riad_hash *hash)
{
    riad_put_bytes(writer, hash->bytes, sizeof hash->bytes);
}

void riad_put_end(struct riad_writer *writer, const struct riad_end *end)
{
    riad_put_u64(writer, end->segment);
    riad_put_u64(writer, end->offset);
    riad_put_u32(writer, end->sequence.term);
    riad_put_u64(writer, end->sequence.number);
    riad_put_hash(writer, &end->chain);
}

void riad_put_zeros(struct riad_writer *writer, size_t count)
{
    uint8_t *room = count > 0 ? append(writer, count) : NULL;

    if (room) {
        memset(room, 0, count);
    }
}

void riad_put_extension(struct riad_writer *writer, uint16_t tag, const void *value, size_t size)
{
    const size_t around = sizeof(uint16_t) + sizeof(uint32_t);

    if (size > UINT32_MAX - around) {
        refuse(writer, -ENOBUFS);
        return;
    }
    riad_put_u32(writer, (uint32_t)(around + size));
    riad_put_u16(writer, tag);
    riad_put_b32(writer, value, size);
}
