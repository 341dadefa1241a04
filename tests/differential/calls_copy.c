/* Data moved between two descriptors by the kernel. O_DIRECT wants alignment there too: skipped. */
#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls.h"

/* A fifo would hold pages of the file itself, and so what is written there later. */
static bool cannot_be_told(const struct side *side, int64_t from, int64_t to)
{
    struct stat st;

    return is_direct(side->slot[from]) || is_direct(side->slot[to]) ||
           (fstat(side->slot[to], &st) == 0 && S_ISFIFO(st.st_mode));
}

/* Pages of a file on their way to a later place in it change while they are copied: what arrives
 * depends, it seems, on how large the folios are and which way the processor's memcpy goes, on ext4
 * as on FUSE. */
static bool overlap(int from, int to, off_t from_offset, int64_t count)
{
    struct stat source, target;
    off_t to_offset = lseek(to, 0, SEEK_CUR);

    if (fstat(from, &source) < 0 || fstat(to, &target) < 0 || !S_ISREG(source.st_mode) ||
            source.st_ino != target.st_ino || source.st_dev != target.st_dev) {
        return false;
    }
    if (fcntl(to, F_GETFL) & O_APPEND) {
        to_offset = target.st_size;
    }
    return from_offset - to_offset < count && to_offset - from_offset < count;
}

static int64_t told(int from, int to, int64_t r, struct outcome *ret)
{
    int error = errno;

    ret->value[0] = position(from);
    ret->value[1] = position(to);
    errno = error;
    return r;
}

int64_t call_copy_range(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int from = side->slot[argument[0]], to = side->slot[argument[2]];
    off64_t from_offset = argument[1], to_offset = argument[3];
    int64_t r;

    if (cannot_be_told(side, argument[0], argument[2])) {
        return SKIPPED;
    }
    r = copy_file_range(from, &from_offset, to, &to_offset, (size_t)argument[4], 0);
    ret->value[2] = from_offset;
    ret->value[3] = to_offset;
    return told(from, to, r, ret);
}

int64_t call_sendfile(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int to = side->slot[argument[0]], from = side->slot[argument[1]];
    off_t offset = argument[2];
    int64_t r;

    if (cannot_be_told(side, argument[1], argument[0]) ||
            overlap(from, to, argument[4] ? offset : lseek(from, 0, SEEK_CUR), argument[3])) {
        return SKIPPED;
    }
    r = sendfile(to, from, argument[4] ? &offset : NULL, (size_t)argument[3]);
    ret->value[2] = offset;
    return told(from, to, r, ret);
}

/* Through a pipe; what arrived is what counts. */
int64_t call_splice(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int from = side->slot[argument[0]], to = side->slot[argument[1]];
    int pipes[2];
    int64_t got, put = -1;

    if (cannot_be_told(side, argument[0], argument[1]) ||
            overlap(from, to, lseek(from, 0, SEEK_CUR), argument[2])) {
        return SKIPPED;
    }
    if (pipe2(pipes, O_NONBLOCK) < 0) {
        return -1;
    }
    got = splice(from, NULL, pipes[1], NULL, (size_t)argument[2], SPLICE_F_NONBLOCK);
    ret->value[2] = got;
    if (got >= 0) {
        put = splice(pipes[0], NULL, to, NULL, (size_t)got, SPLICE_F_NONBLOCK);
    }
    ret->value[3] = errno;
    close(pipes[0]);
    close(pipes[1]);
    errno = (int)ret->value[3];
    ret->value[3] = 0;
    return told(from, to, put, ret);
}
