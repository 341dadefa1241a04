/* The memory of usage: one file, read and published whole. */
#include "riad/usage.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "riad/bytes.h"
#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/fdio.h"

#define USAGE_FILE "usage"
#define MAGIC "RIADUSE1"

enum { ENTRY_SIZE = 72, HEADER_SIZE = sizeof MAGIC - 1 + 4 };
enum { FILE_MAX = HEADER_SIZE + ENTRY_SIZE * RIAD_USAGE_ENTRIES_MAX };

static int compare_ids(const struct riad_usage_entry *a, const struct riad_usage_entry *b)
{
    int r = memcmp(&a->store, &b->store, sizeof a->store);

    return r != 0 ? r : memcmp(&a->workspace, &b->workspace, sizeof a->workspace);
}

static int compare(const void *a, const void *b)
{
    return compare_ids(a, b);
}

static void get_entry(struct riad_reader *reader, struct riad_usage_entry *ret)
{
    riad_get_id(reader, &ret->store);
    riad_get_id(reader, &ret->workspace);
    ret->bytes = riad_get_u64(reader);
    ret->inodes = riad_get_u64(reader);
    ret->bytes_over_since = riad_get_u64(reader);
    ret->inodes_over_since = riad_get_u64(reader);
    ret->when = riad_get_u64(reader);
    if ((ret->bytes | ret->inodes | ret->bytes_over_since | ret->inodes_over_since | ret->when) >
            INT64_MAX) {
        riad_reader_refuse(reader);
    }
}

/* Ids ascend: each is there once. */
static int parse(const uint8_t *data, size_t size, struct riad_usage_list *ret)
{
    _cleanup_free_ struct riad_usage_entry *entries = NULL;
    struct riad_reader reader;
    char magic[sizeof MAGIC - 1];
    size_t count;
    int r;

    riad_reader_init(&reader, data, size);
    riad_get_bytes(&reader, magic, sizeof magic);
    count = riad_get_u32(&reader);
    if (reader.error < 0 || memcmp(magic, MAGIC, sizeof magic) != 0 ||
            count > RIAD_USAGE_ENTRIES_MAX || size != HEADER_SIZE + count * ENTRY_SIZE) {
        return -EBADMSG;
    }
    entries = calloc(count + 1, sizeof *entries);
    if (!entries) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        get_entry(&reader, &entries[i]);
        if (i > 0 && compare_ids(&entries[i - 1], &entries[i]) >= 0) {
            return -EBADMSG;
        }
    }
    r = riad_reader_finish(&reader);
    if (r < 0) {
        return r;
    }
    *ret = (struct riad_usage_list){ riad_take_pointer(entries), count };
    return 0;
}

int riad_usage_read(const struct riad_state *state, struct riad_usage_list *ret)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;
    int r = riad_read_file_at(state->fd, USAGE_FILE, FILE_MAX, &data, &size);

    if (r == -ENOENT) {
        *ret = (struct riad_usage_list){ 0 };
        return 0;
    }
    if (r == -EFBIG || r == -EMEDIUMTYPE || r == -ELOOP) {
        return -EBADMSG;
    }
    return r < 0 ? r : parse(data, size, ret);
}

void riad_usage_done(struct riad_usage_list *list)
{
    free(list->entries);
    *list = (struct riad_usage_list){ 0 };
}

const struct riad_usage_entry *riad_usage_find(const struct riad_usage_list *list,
        const struct riad_id *store, const struct riad_id *workspace)
{
    const struct riad_usage_entry wanted = { .store = *store, .workspace = *workspace };

    return list->count > 0 ? bsearch(&wanted, list->entries, list->count, sizeof wanted, compare)
                           : NULL;
}

static void put_entry(const struct riad_usage_entry *entry, struct riad_writer *writer)
{
    riad_put_id(writer, &entry->store);
    riad_put_id(writer, &entry->workspace);
    riad_put_u64(writer, entry->bytes);
    riad_put_u64(writer, entry->inodes);
    riad_put_u64(writer, entry->bytes_over_since);
    riad_put_u64(writer, entry->inodes_over_since);
    riad_put_u64(writer, entry->when);
}

static int publish(const struct riad_state *state, const struct riad_usage_list *list)
{
    _cleanup_(riad_writer_done) struct riad_writer file = { 0 };

    riad_writer_init_growing(&file, HEADER_SIZE + list->count * ENTRY_SIZE, FILE_MAX);
    riad_put_bytes(&file, MAGIC, sizeof MAGIC - 1);
    riad_put_u32(&file, (uint32_t)list->count);
    for (size_t i = 0; i < list->count; i++) {
        put_entry(&list->entries[i], &file);
    }
    return file.error < 0 ? file.error
                          : riad_publish_file_at(state->fd, USAGE_FILE, file.data, file.size,
                                    RIAD_PUBLISH_REPLACE);
}

/* Of one workspace the newest comes last. */
static int compare_ages(const void *a, const void *b)
{
    const struct riad_usage_entry *left = a, *right = b;
    int r = compare_ids(left, right);

    return r != 0 ? r : (left->when > right->when) - (left->when < right->when);
}

static int compare_newest_first(const void *a, const void *b)
{
    const struct riad_usage_entry *left = a, *right = b;

    return (left->when < right->when) - (left->when > right->when);
}

void riad_usage_tidy(struct riad_usage_list *list)
{
    struct riad_usage_entry *entries = list->entries;
    size_t kept = 0;

    qsort(entries, list->count, sizeof *entries, compare_ages);
    for (size_t i = 0; i < list->count; i++) {
        if (i + 1 == list->count || compare_ids(&entries[i], &entries[i + 1]) != 0) {
            entries[kept++] = entries[i];
        }
    }
    list->count = kept;
    if (kept > RIAD_USAGE_ENTRIES_MAX) {
        qsort(entries, kept, sizeof *entries, compare_newest_first);
        list->count = RIAD_USAGE_ENTRIES_MAX;
        qsort(entries, list->count, sizeof *entries, compare);
    }
}

static int merge(struct riad_usage_list *list, const struct riad_usage_entry *more, size_t count)
{
    struct riad_usage_entry *entries =
            reallocarray(list->entries, list->count + count + 1, sizeof *entries);

    if (!entries) {
        return -ENOMEM;
    }
    if (count > 0) {
        memcpy(entries + list->count, more, count * sizeof *more);
    }
    *list = (struct riad_usage_list){ entries, list->count + count };
    riad_usage_tidy(list);
    return 0;
}

/* The lock is of the directory: the file is another one each time. */
static int lock_state(const struct riad_state *state)
{
    _cleanup_close_ int fd = openat(state->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || TEMP_FAILURE_RETRY(flock(fd, LOCK_EX)) < 0) {
        return -errno;
    }
    return riad_take_fd(&fd);
}

int riad_usage_remember(
        const struct riad_state *state, const struct riad_usage_entry *entries, size_t count)
{
    _cleanup_(riad_usage_done) struct riad_usage_list list = { 0 };
    _cleanup_close_ int lock = lock_state(state);
    int r = lock < 0 ? lock : riad_usage_read(state, &list);

    if (r == -EBADMSG) {
        r = 0; /* begun anew */
    }
    r = r < 0 ? r : merge(&list, entries, count);
    return r < 0 ? r : publish(state, &list);
}
