/* Writing a checkpoint: a temporary file that is published only when it has been read back and
 * verified (L6). */
#include <fcntl.h>
#include <unistd.h>
#include <zstd.h>

#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/sysops.h"

#include "checkpoint_priv.h"
#include "stream_priv.h"

enum {
    LEVEL = 3,
    NAME_SIZE = 32,
    /* The buffer that a frame is sealed into: the largest one under Padme, and its record's
       overhead. */
    SEALED_LIMIT = RIAD_RECORD_OVERHEAD + RIAD_FRAME_RAW_MAX + RIAD_FRAME_RAW_MAX / 16,
};

struct riad_checkpoint_writer {
    const struct riad_keys *keys;
    uint64_t segment;
    struct riad_stream *stream;
    int directory;             /* ckpt/ */
    int fd;                    /* -1: no file */
    char temporary[NAME_SIZE]; /* its name, empty if there is none */
    uint64_t size;             /* bytes written */
    uint32_t frames;
    struct riad_checkpoint_sum sum;
    ZSTD_CCtx *compressor;
    struct riad_writer raw; /* operations of the frame being filled */
    struct riad_writer sealed;
    uint8_t *packed;
    size_t packed_size;
    int error; /* of an earlier call: a writer that failed stays failed */
};

void riad_checkpoint_writer_free(struct riad_checkpoint_writer *writer)
{
    riad_close_fd(&writer->fd);
    if (writer->temporary[0] != '\0') {
        (void)riad_sys->unlinkat(writer->directory, writer->temporary, 0);
    }
    riad_close_fd(&writer->directory);
    riad_stream_unref(writer->stream);
    ZSTD_freeCCtx(writer->compressor);
    riad_writer_done(&writer->raw);
    riad_writer_done(&writer->sealed);
    free(writer->packed);
    free(writer);
}

static int write_sealed(struct riad_checkpoint_writer *writer)
{
    int r;

    r = riad_pwrite_all(writer->fd, writer->sealed.data, writer->sealed.size, writer->size);
    writer->size += writer->sealed.size;
    riad_writer_reset(&writer->sealed);
    return r;
}

/* Compressed if that is smaller. *ret borrows. */
static enum riad_frame_codec pack(struct riad_checkpoint_writer *writer, const void *raw,
        size_t size, struct riad_buffer *ret)
{
    size_t packed = ZSTD_compressCCtx(
            writer->compressor, writer->packed, writer->packed_size, raw, size, LEVEL);

    if (ZSTD_isError(packed) || packed >= size) {
        *ret = (struct riad_buffer){ (void *)raw, size };
        return RIAD_FRAME_PLAIN;
    }
    *ret = (struct riad_buffer){ writer->packed, packed };
    return RIAD_FRAME_ZSTD;
}

static int write_frame(
        struct riad_checkpoint_writer *writer, const void *raw, size_t size, bool last)
{
    uint8_t prefix[RIAD_FRAME_PREFIX_SIZE];
    struct riad_buffer pieces[2] = { { prefix, sizeof prefix } };
    enum riad_frame_codec codec = pack(writer, raw, size, &pieces[1]);
    struct riad_writer out;
    int r;

    riad_writer_init_fixed(&out, prefix, sizeof prefix);
    riad_put_u32(&out, writer->frames);
    riad_put_u8(&out, last);
    riad_put_u8(&out, (uint8_t)codec);
    riad_put_u32(&out, (uint32_t)size);
    riad_put_u32(&out, (uint32_t)pieces[1].size);
    r = riad_stream_seal_body(
            writer->stream, RIAD_PURPOSE_CHECKPOINT, RIAD_RECORD_FRAME, pieces, 2, &writer->sealed);
    if (r < 0) {
        return r;
    }
    writer->frames++;
    return write_sealed(writer);
}

/* A frame that counts in the final one's hash. */
static int write_counted(struct riad_checkpoint_writer *writer, const void *raw, size_t size)
{
    int r;

    r = riad_checkpoint_sum_add(&writer->sum, raw, size);
    if (r < 0) {
        return r;
    }
    return write_frame(writer, raw, size, false);
}

static int flush(struct riad_checkpoint_writer *writer)
{
    int r;

    if (writer->raw.size == 0) {
        return 0;
    }
    r = write_counted(writer, writer->raw.data, writer->raw.size);
    riad_writer_reset(&writer->raw);
    return r;
}

static int allocate(struct riad_checkpoint_writer *writer)
{
    writer->directory = writer->fd = -1;
    writer->packed_size = ZSTD_compressBound(RIAD_FRAME_RAW_MAX);
    writer->packed = malloc(writer->packed_size);
    writer->compressor = ZSTD_createCCtx();
    riad_writer_init_growing(&writer->raw, RIAD_FRAME_RAW_MAX, RIAD_FRAME_RAW_MAX);
    riad_writer_init_growing(&writer->sealed, 4096, SEALED_LIMIT);
    return writer->packed && writer->compressor ? 0 : -ENOMEM;
}

/* A left-over of the same name is ours and dead: segment ids are used once. */
static int open_file(struct riad_checkpoint_writer *writer, int workspace_fd)
{
    int r;

    r = riad_mkdir_at(workspace_fd, "ckpt");
    if (r < 0) {
        return r;
    }
    writer->directory = riad_open_dir_at(workspace_fd, "ckpt");
    if (writer->directory < 0) {
        return writer->directory;
    }
    snprintf(writer->temporary, sizeof writer->temporary, ".tmp-%016llx",
            (unsigned long long)writer->segment);
    (void)riad_sys->unlinkat(writer->directory, writer->temporary, 0);
    writer->fd = TEMP_FAILURE_RETRY(riad_sys->openat(writer->directory, writer->temporary,
            O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (writer->fd < 0) {
        r = -errno;
        writer->temporary[0] = '\0';
        return r;
    }
    return 0;
}

static int write_head(
        struct riad_checkpoint_writer *writer, const struct riad_checkpoint_manifest *given)
{
    struct riad_checkpoint_manifest manifest = *given;
    struct riad_segment_header header = {
        .kind = RIAD_SEGMENT_CHECKPOINT, .segment = writer->segment, .features = given->features
    };
    uint8_t bytes[256];
    struct riad_writer out;
    int r;

    clock_gettime(CLOCK_REALTIME, &header.created);
    r = riad_segment_header_seal(writer->stream, &header, &writer->sealed);
    if (r == 0) {
        r = write_sealed(writer);
    }
    if (r < 0) {
        return r;
    }
    riad_writer_init_fixed(&out, bytes, sizeof bytes);
    manifest.epoch = riad_stream_epoch(writer->stream); /* it may have turned since */
    riad_manifest_encode(&manifest, &out);
    return out.error ? out.error : write_counted(writer, bytes, out.size);
}

int riad_checkpoint_create(int workspace_fd, const struct riad_keys *keys, uint64_t segment,
        const struct riad_checkpoint_manifest *manifest, struct riad_checkpoint_writer **ret)
{
    _cleanup_(riad_checkpoint_writer_freep) struct riad_checkpoint_writer *writer =
            calloc(1, sizeof *writer);
    int r;

    if (!writer) {
        return -ENOMEM;
    }
    writer->keys = keys;
    writer->segment = segment;
    r = allocate(writer);
    if (r == 0) {
        r = riad_stream_new(keys, &writer->stream);
    }
    if (r == 0) {
        r = open_file(writer, workspace_fd);
    }
    if (r == 0) {
        r = write_head(writer, manifest);
    }
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(writer);
    return 0;
}

int riad_checkpoint_add(struct riad_checkpoint_writer *writer, const void *operation, size_t size)
{
    if (writer->error < 0) {
        return writer->error;
    }
    if (size > RIAD_FRAME_RAW_MAX || riad_operation_size(operation, size) != size) {
        return -EINVAL;
    }
    if (writer->raw.size + size > RIAD_FRAME_RAW_MAX) {
        writer->error = flush(writer);
    }
    if (writer->error == 0) {
        riad_put_bytes(&writer->raw, operation, size);
        writer->error = writer->raw.error;
    }
    writer->sum.rows++;
    return writer->error;
}

static int write_final(struct riad_checkpoint_writer *writer)
{
    uint8_t bytes[8 + sizeof(struct riad_hash)];
    struct riad_writer out;
    int r;

    r = flush(writer);
    if (r < 0) {
        return r;
    }
    riad_writer_init_fixed(&out, bytes, sizeof bytes);
    riad_put_u64(&out, writer->sum.rows);
    riad_put_hash(&out, &writer->sum.hash);
    return write_frame(writer, bytes, out.size, true);
}

/* Through a fresh descriptor, and from the disk where the kernel can be asked to forget its copy.
 */
static int read_back(struct riad_checkpoint_writer *writer)
{
    struct riad_checkpoint_manifest manifest;
    _cleanup_close_ int fd = -1;

    (void)riad_sys->fadvise(writer->fd, 0, 0, POSIX_FADV_DONTNEED);
    fd = riad_segment_open_path(writer->directory, writer->temporary);
    if (fd < 0) {
        return fd;
    }
    return riad_checkpoint_read_fd(fd, writer->keys, writer->segment, true, &manifest, NULL, NULL);
}

/* link refuses a name that is taken: a segment id is used once. */
static int publish(struct riad_checkpoint_writer *writer)
{
    char name[NAME_SIZE];

    snprintf(name, sizeof name, "%016llx", (unsigned long long)writer->segment);
    if (riad_sys->linkat(writer->directory, writer->temporary, writer->directory, name, 0) < 0) {
        return -errno;
    }
    (void)riad_sys->unlinkat(writer->directory, writer->temporary, 0);
    writer->temporary[0] = '\0';
    return riad_fsync_dir(writer->directory);
}

int riad_checkpoint_finish(struct riad_checkpoint_writer *writer, uint64_t *ret_bytes)
{
    int r;

    if (writer->error < 0) {
        return writer->error;
    }
    writer->error = -EINVAL; /* once only */
    r = write_final(writer);
    if (r < 0) {
        return r;
    }
    if (TEMP_FAILURE_RETRY(riad_sys->fdatasync(writer->fd)) < 0) {
        return -errno;
    }
    r = read_back(writer);
    if (r < 0) {
        return r;
    }
    r = publish(writer);
    if (r < 0) {
        return r;
    }
    *ret_bytes = writer->size;
    return 0;
}
