#include "riad/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "riad/cleanup.h"
#include "riad/secret.h"
#include "riad/sysops.h"

#include "index_priv.h"

enum {
    CACHE_KIB = 32768,
    CHECKPOINT_CACHE_KIB = 512,
    WAL_PAGES_MAX = 65536, /* 256 MiB: then commit does not wait for the background any longer */
    CHECKPOINT_PASSES = 4,
    BATCH_RESERVE = 1 << 16,
    BATCH_LIMIT = 4 << 20,
};

RIAD_DEFINE_CLEANUP(struct riad_index, riad_index_close);

static const char file_name[] = "index.db";

/* SQLite makes -wal and -shm with the mode of the database: 0600. The descriptor is closed before
 * SQLite opens the file, as closing any other drops its locks. */
static int make_file(const char *path)
{
    _cleanup_close_ int fd = -1;
    struct stat st;

    fd = riad_sys->openat(AT_FDCWD, path,
            O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
    if (fd < 0) {
        return errno == ELOOP || errno == EISDIR || errno == ENXIO ? -EUCLEAN : -errno;
    }
    if (riad_sys->fstat(fd, &st) < 0) {
        return -errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return -EUCLEAN;
    }
    return 0;
}

static int create(struct riad_index *index)
{
    int r = riad_database_run(index->database, "BEGIN IMMEDIATE");

    if (r < 0) {
        return r;
    }
    r = riad_schema_create(index->database);
    if (r < 0) {
        return r;
    }
    r = riad_meta_create(index->database, index->keys);
    if (r < 0) {
        return r;
    }
    return riad_database_run(index->database, "COMMIT");
}

static int check(struct riad_index *index)
{
    int r = riad_schema_check(index->database);

    if (r < 0) {
        return r;
    }
    r = riad_meta_read(index->database, index->keys, &index->committed);
    if (r < 0) {
        return r;
    }
    index->current = index->committed;
    return riad_schema_probe(index->database);
}

static int note_wal(void *context, sqlite3 *database, const char *name, int pages)
{
    struct riad_index *index = context;

    (void)database;
    (void)name;
    index->wal_pages = (uint64_t)pages;
    if (index->wal_pages < WAL_PAGES_MAX) {
        index->wal_limit = WAL_PAGES_MAX; /* it was begun anew */
    }
    return SQLITE_OK;
}

/* A power cut may leave a database whose first commit is lost: it is as good as an empty file. */
static int create_if_missing(struct riad_index *index)
{
    int r = riad_schema_is_missing(index->database);

    return r == 1 ? create(index) : r;
}

static int open_connections(struct riad_index *index)
{
    int r = riad_database_open(
            index->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, CACHE_KIB, &index->database);

    if (r < 0) {
        return r;
    }
    r = riad_database_run(index->database,
            "PRAGMA page_size = 4096; PRAGMA temp_store = MEMORY; PRAGMA journal_mode = WAL");
    if (r == 0) {
        r = create_if_missing(index);
    }
    if (r == 0) {
        r = check(index);
    }
    if (r < 0) {
        return r;
    }
    sqlite3_wal_hook(index->database, note_wal, index);
    return riad_database_open(index->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX,
            CHECKPOINT_CACHE_KIB, &index->checkpointer);
}

int riad_index_open(const char *state_path, const struct riad_keys *keys, struct riad_index **ret)
{
    _cleanup_(riad_index_closep) struct riad_index *index = calloc(1, sizeof *index);
    int r;

    if (!index || asprintf(&index->path, "%s/%s", state_path, file_name) < 0) {
        return -ENOMEM;
    }
    index->keys = keys;
    index->wal_limit = WAL_PAGES_MAX;
    riad_writer_init_growing(&index->batch, BATCH_RESERVE, BATCH_LIMIT);
    r = make_file(index->path);
    if (r < 0) {
        return r;
    }
    r = open_connections(index);
    if (r < 0) {
        return r;
    }
    r = riad_statements_prepare(index->database, index->statements);
    if (r == 0) {
        r = riad_young_start(index);
    }
    if (r == 0) {
        r = riad_tree_start(index);
    }
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(index);
    return 0;
}

/* What a failed commit leaves out is in the log. */
void riad_index_close(struct riad_index *index)
{
    if (!index) {
        return;
    }
    if (index->open) {
        int r = riad_index_commit(index);
        (void)r;
    }
    riad_statements_finalize(index->statements);
    riad_database_close(index->checkpointer);
    riad_database_close(index->database);
    riad_fold_done(&index->tree);
    riad_writer_done(&index->batch);
    riad_owners_done(&index->owners);
    riad_wipe(index->names, sizeof index->names);
    free(index->path);
    free(index);
}

/* The database goes first: without it a WAL means nothing, but the other way round does not hold.
 */
int riad_index_discard(const char *state_path)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/%s%s", state_path, file_name, suffixes[i]) < 0) {
            path = NULL;
            return -ENOMEM;
        }
        if (riad_sys->unlinkat(AT_FDCWD, path, 0) < 0 && errno != ENOENT) {
            return -errno;
        }
    }
    return 0;
}

uint32_t riad_index_pending(const struct riad_index *index)
{
    return index->pending;
}

void riad_index_end(const struct riad_index *index, struct riad_end *ret_end, uint64_t *ret_start)
{
    *ret_end = index->current.end;
    *ret_start = index->current.start;
}

void riad_index_usage(const struct riad_index *index, struct riad_usage *ret)
{
    *ret = index->current.usage;
}

void riad_index_count(const struct riad_index *index, struct riad_index_counters *ret)
{
    *ret = index->counters;
}

uint64_t riad_index_next_inode(const struct riad_index *index)
{
    return index->current.next_inode;
}

/* Passes get shorter: what was committed during one is left to the next. */
int riad_index_wal_checkpoint(struct riad_index *index)
{
    for (int i = 0; i < CHECKPOINT_PASSES; i++) {
        int pages = 0;
        int moved = 0;
        int code = sqlite3_wal_checkpoint_v2(
                index->checkpointer, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved);

        if (code == SQLITE_BUSY || (code == SQLITE_OK && pages == moved)) {
            return 0;
        }
        if (code != SQLITE_OK) {
            return riad_database_error(code);
        }
    }
    return 0;
}
