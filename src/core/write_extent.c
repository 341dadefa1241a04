/* From data to an extent: sealing, and the row that names the records. */
#include "write_priv.h"

enum {
    SMALL_UNIT_SHIFT = 14, /* bulk of files that may well be read in small pieces */
    LARGE_UNIT_SHIFT = 16, /* bulk of big sequential files */
    LARGE_FROM = 1 << 20,  /* from this offset on, and in writes of half as much */
};

static uint8_t unit_shift(const struct riad_data_write *write)
{
    bool large = !riad_write_is_bulk(write) || write->size >= LARGE_FROM / 2 ||
                 write->offset >= LARGE_FROM;

    return large ? LARGE_UNIT_SHIFT : SMALL_UNIT_SHIFT;
}

static struct riad_birth birth_of(const struct riad_data_write *write)
{
    return (struct riad_birth){
        .inode = write->inode,
        .generation = RIAD_FIRST_GENERATION,
        .offset = write->offset,
    };
}

int riad_write_seal(struct riad_workspace *workspace, const struct riad_data_write *write,
        struct riad_payload **ret)
{
    struct riad_birth birth = birth_of(write);

    return riad_log_seal(workspace->log, riad_write_is_bulk(write), &birth, 1U << unit_shift(write),
            write->data, write->size, ret);
}

static void fill_extent(struct riad_workspace *workspace, const struct riad_data_write *write,
        const struct riad_payload *payload, struct riad_extent *ret)
{
    ret->inode = write->inode;
    ret->offset = write->offset;
    ret->length = write->size;
    ret->kind = RIAD_EXTENT_DATA;
    ret->unit_shift = unit_shift(write);
    ret->skip = 0;
    ret->segment = write->place.segment;
    ret->position = write->place.position;
    ret->run_length = write->size;
    ret->born = birth_of(write);
    ret->birth = riad_log_next_number(workspace->log);
    ret->tag_count = (uint16_t)payload->count;
    memcpy(ret->tags, payload->tags, (size_t)payload->count * RIAD_TAG_SIZE);
}

void riad_write_put(struct riad_workspace *workspace, const struct riad_data_write *write,
        const struct riad_payload *payload, struct riad_extent_edit *edit)
{
    struct riad_extent extent;

    riad_extent_edit_clear(edit, write->inode, &workspace->change);
    fill_extent(workspace, write, payload, &extent);
    if (riad_write_is_bulk(write) && edit->has_previous &&
            riad_extent_grow(&edit->previous, &extent)) {
        riad_change_put_extent(&workspace->change, &edit->previous);
        return;
    }
    riad_change_put_extent(&workspace->change, &extent);
}
