/* Marks of chains: the newest state that this node has seen (K6). They lie in the local state, not
 * in the store: `RIAM`, u32 1, next number, head, and a SHA-256 over these, against decay only. */
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "riad/bytes.h"
#include "riad/chain.h"
#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"
#include "riad/fdio.h"

#include "object_priv.h"

enum { VERSION = 1, CONTENT_SIZE = 48, MARK_SIZE = CONTENT_SIZE + 32 };

static const uint8_t magic[4] = { 'R', 'I', 'A', 'M' };

static int encode(const struct riad_chain_end *mark, uint8_t ret[MARK_SIZE])
{
    struct riad_writer writer;
    struct riad_hash sum;
    int r;

    riad_writer_init_fixed(&writer, ret, MARK_SIZE);
    riad_put_bytes(&writer, magic, sizeof magic);
    riad_put_u32(&writer, VERSION);
    riad_put_u64(&writer, mark->next_number);
    riad_put_hash(&writer, &mark->head);
    r = riad_sha256_labelled("riad/v1/catalog-mark", ret, CONTENT_SIZE, &sum);
    if (r < 0) {
        return r;
    }
    riad_put_hash(&writer, &sum);
    return writer.error;
}

static int decode(const uint8_t *data, size_t size, struct riad_chain_end *ret)
{
    struct riad_chain_end mark;
    struct riad_reader reader;
    uint8_t again[MARK_SIZE];
    int r;

    riad_reader_init(&reader, data, size);
    (void)riad_get_span(&reader, sizeof magic + 4);
    mark.next_number = riad_get_u64(&reader);
    riad_get_hash(&reader, &mark.head);
    r = encode(&mark, again);
    if (r < 0) {
        return r;
    }
    if (size != sizeof again || memcmp(data, again, sizeof again) != 0) {
        return -EBADMSG;
    }
    *ret = mark;
    return 0;
}

/* No mark yet, the first contact, is a mark on the empty chain. */
static int read_mark(int state_fd, const char *name, struct riad_chain_end *ret)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;
    int r;

    r = riad_object_read(state_fd, ".", name, MARK_SIZE, &data, &size);
    if (r == -ENOENT) {
        *ret = (struct riad_chain_end){ 0 };
        return 0;
    }
    if (r < 0) {
        return r;
    }
    return decode(data, size, ret);
}

static int write_mark(int state_fd, const char *name, const struct riad_chain_end *mark)
{
    uint8_t data[MARK_SIZE];
    int r;

    r = encode(mark, data);
    if (r < 0) {
        return r;
    }
    return riad_publish_file_at(state_fd, name, data, sizeof data, RIAD_PUBLISH_REPLACE);
}

/* A descriptor of its own, whose lock is that of nobody else: two processes take turns, or the
 * slower one, with the older chain, would put the mark back. */
static int lock(int state_fd)
{
    _cleanup_close_ int fd = riad_open_dir_at(state_fd, ".");

    if (fd < 0) {
        return fd;
    }
    if (TEMP_FAILURE_RETRY(flock(fd, LOCK_EX)) < 0) {
        return -errno;
    }
    return riad_take_fd(&fd);
}

int riad_chain_check_mark(const struct riad_chain_ends *ends, const char *name, int state_fd)
{
    const struct riad_chain_end now = riad_chain_last(ends);
    _cleanup_close_ int locked = lock(state_fd);
    struct riad_chain_end mark;
    int r;

    if (locked < 0) {
        return locked;
    }
    r = read_mark(state_fd, name, &mark);
    if (r < 0) {
        return r;
    }
    if (!riad_chain_passes(ends, &mark)) {
        return -ESTALE;
    }
    if (mark.next_number == now.next_number) {
        return 0;
    }
    return write_mark(state_fd, name, &now);
}
