#include <dirent.h>
#include <sys/stat.h>

#include "row_priv.h"

enum { UNIT_SHIFT_MIN = 12, UNIT_SHIFT_MAX = 16, NANOSECONDS = 1000000000 };

bool riad_number_is_valid(uint64_t number)
{
    return number >= 1 && number <= RIAD_NUMBER_MAX;
}

bool riad_text_is_valid(const void *text, size_t size, size_t max)
{
    return size >= 1 && size <= max && memchr(text, 0, size) == NULL;
}

static bool is_known_type(uint8_t type)
{
    switch (type) {
    case DT_FIFO:
    case DT_CHR:
    case DT_DIR:
    case DT_BLK:
    case DT_REG:
    case DT_LNK:
    case DT_SOCK:
        return true;
    default:
        return false;
    }
}

static bool is_time(struct timespec time)
{
    return time.tv_nsec >= 0 && time.tv_nsec < NANOSECONDS;
}

static bool has_valid_times(const struct riad_inode *row)
{
    return is_time(row->atime) && is_time(row->mtime) && is_time(row->ctime) && is_time(row->btime);
}

static bool has_valid_mode(const struct riad_inode *row)
{
    bool directory = S_ISDIR(row->mode);

    if (row->mode > (S_IFMT | 07777) || !is_known_type((uint8_t)IFTODT(row->mode))) {
        return false;
    }
    if (row->inode == RIAD_ROOT_INODE && (!directory || row->parent != RIAD_ROOT_INODE)) {
        return false;
    }
    if (!directory) {
        return row->next_cookie == 0;
    }
    return row->next_cookie >= RIAD_FIRST_COOKIE && row->next_cookie <= RIAD_NUMBER_MAX;
}

bool riad_inode_is_valid(const struct riad_inode *row)
{
    bool mark =
            row->truncate_mark <= RIAD_FILE_SIZE_MAX || row->truncate_mark == RIAD_NO_TRUNCATE_MARK;

    return riad_number_is_valid(row->inode) && row->generation == RIAD_GENERATION &&
           (row->flags & ~(uint32_t)RIAD_INODE_FLAGS_KNOWN) == 0 &&
           row->size <= RIAD_FILE_SIZE_MAX && row->blocks <= RIAD_BLOCKS_MAX &&
           row->parent <= RIAD_NUMBER_MAX && mark && has_valid_mode(row) && has_valid_times(row);
}

static bool is_valid_hole(const struct riad_extent *row)
{
    return row->unit_shift == 0 && row->skip == 0 && row->segment == 0 && row->position == 0 &&
           row->run_length == 0 && row->born.inode == 0 && row->born.generation == 0 &&
           row->born.offset == 0 && row->tag_count == 0;
}

static bool is_valid_run(const struct riad_extent *row, bool unplaced)
{
    uint64_t unit = (uint64_t)1 << (row->unit_shift & 63);

    if (row->unit_shift < UNIT_SHIFT_MIN || row->unit_shift > UNIT_SHIFT_MAX) {
        return false;
    }
    if (row->tag_count < 1 || row->tag_count > RIAD_RUN_RECORDS_MAX ||
            row->tag_count != (row->run_length + unit - 1) / unit) {
        return false;
    }
    if (row->skip >= unit || row->length > row->run_length ||
            row->skip > row->run_length - row->length) {
        return false;
    }
    return (unplaced || row->segment != 0) && row->position <= RIAD_NUMBER_MAX &&
           riad_number_is_valid(row->born.inode) && row->born.generation >= 1 &&
           row->born.offset <= RIAD_FILE_SIZE_MAX;
}

bool riad_extent_is_valid(const struct riad_extent *row, bool unplaced)
{
    if (!riad_number_is_valid(row->inode) || row->length < 1 || row->offset > RIAD_FILE_SIZE_MAX ||
            row->length > RIAD_FILE_SIZE_MAX - row->offset) {
        return false;
    }
    if (row->kind == RIAD_EXTENT_DATA) {
        return is_valid_run(row, unplaced);
    }
    return row->kind == RIAD_EXTENT_UNWRITTEN && is_valid_hole(row);
}

bool riad_dentry_is_valid(const struct riad_dentry *row)
{
    size_t size = row->name_size;

    if (!riad_text_is_valid(row->name, size, RIAD_NAME_MAX) || memchr(row->name, '/', size)) {
        return false;
    }
    if (row->name[0] == '.' && (size == 1 || (size == 2 && row->name[1] == '.'))) {
        return false;
    }
    return riad_number_is_valid(row->parent) && riad_number_is_valid(row->inode) &&
           row->cookie >= RIAD_FIRST_COOKIE && row->cookie <= RIAD_NUMBER_MAX &&
           is_known_type(row->type);
}

bool riad_clock_is_valid(const struct riad_clock *clock)
{
    bool known = clock->subject == RIAD_SUBJECT_USER || clock->subject == RIAD_SUBJECT_GROUP ||
                 (clock->subject == RIAD_SUBJECT_WORKSPACE && clock->id == 0);

    return known &&
           (clock->resource == RIAD_RESOURCE_BLOCKS || clock->resource == RIAD_RESOURCE_INODES) &&
           clock->since <= RIAD_NUMBER_MAX;
}
