/* Files that a log is writing, and those it takes over. */
#include <fcntl.h>
#include <unistd.h>

#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/sysops.h"

#include "log_priv.h"

static int directory_index(enum riad_segment_kind kind)
{
    return kind == RIAD_SEGMENT_LOG ? 0 : 1;
}

static void name_of(uint64_t segment, char ret[17])
{
    snprintf(ret, 17, "%016llx", (unsigned long long)segment);
}

int riad_log_file_create(struct riad_log *log, enum riad_segment_kind kind, uint64_t segment,
        struct riad_log_file **ret)
{
    _cleanup_free_ struct riad_log_file *file = calloc(1, sizeof *file);
    int directory = directory_index(kind);
    char name[17];

    if (!file) {
        return -ENOMEM;
    }
    name_of(segment, name);
    file->segment = segment;
    file->kind = kind;
    file->fd = TEMP_FAILURE_RETRY(riad_sys->openat(log->directories[directory], name,
            O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file->fd < 0) {
        return -errno;
    }
    pthread_mutex_lock(&log->lock);
    file->next = log->files;
    log->files = file;
    log->new_names[directory] = true;
    log->counters.segments++;
    pthread_mutex_unlock(&log->lock);
    *ret = riad_take_pointer(file);
    return 0;
}

void riad_log_file_wrote(struct riad_log *log, struct riad_log_file *file, uint64_t size)
{
    file->dirty += size;
    log->unsynced += size;
}

struct riad_log_file *riad_log_file_collect(struct riad_log *log, struct riad_log_file *file)
{
    struct riad_log_file **link = &log->files;

    if (!file->retired || file->pins > 0 || (file->used && file->dirty > 0)) {
        return NULL;
    }
    while (*link != file) {
        link = &(*link)->next;
    }
    *link = file->next;
    log->unsynced -= file->dirty;
    return file;
}

void riad_log_file_close(struct riad_log *log, struct riad_log_file *file)
{
    char name[17];

    if (!file) {
        return;
    }
    if (!file->used) {
        /* If this fails an abandoned file stays: replay passes over it. */
        name_of(file->segment, name);
        (void)riad_sys->unlinkat(log->directories[directory_index(file->kind)], name, 0);
    }
    if (file->used && file->whole && atomic_load(&file->reserved) > file->size) {
        (void)riad_sys->ftruncate(file->fd, (off_t)file->size); /* gives back what was reserved */
    }
    (void)riad_sys->close(file->fd); /* all was synced, or is abandoned */
    free(file);
}

void riad_log_files_close(struct riad_log *log, struct riad_log_file *files)
{
    while (files) {
        struct riad_log_file *next = files->next;

        riad_log_file_close(log, files);
        files = next;
    }
}

static int settle_file(struct riad_log *log, enum riad_segment_kind kind, uint64_t segment)
{
    int fd = riad_segment_open(log->config.workspace_fd, kind, segment);
    int r = 0;

    if (fd < 0) {
        return fd == -ENOENT || fd == -EBADMSG ? 0 : fd; /* unlinked meanwhile, or not a segment */
    }
    if (TEMP_FAILURE_RETRY(riad_sys->fdatasync(fd)) < 0) {
        r = -errno;
    }
    (void)riad_sys->close(fd);
    return r;
}

/* Older terms than the one that wrote last were settled when that one began. */
static int settle_kind(struct riad_log *log, enum riad_segment_kind kind)
{
    uint32_t term = riad_segment_term(log->config.end.segment);
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count;
    int r;

    r = riad_segment_list(log->config.workspace_fd, kind, &ids, &count);
    for (size_t i = 0; i < count && r == 0; i++) {
        if (riad_segment_term(ids[i]) == term) {
            r = settle_file(log, kind, ids[i]);
        }
    }
    return r;
}

int riad_log_settle(struct riad_log *log)
{
    int r;

    if (log->config.end.segment == 0) {
        return 0;
    }
    r = settle_kind(log, RIAD_SEGMENT_DATA);
    if (r == 0) {
        r = settle_kind(log, RIAD_SEGMENT_LOG);
    }
    for (int i = 0; i < 2 && r == 0; i++) {
        r = riad_fsync_dir(log->directories[i]);
    }
    return r;
}
