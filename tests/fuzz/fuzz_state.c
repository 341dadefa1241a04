/* Files of a workspace in the local state: the synced mark, the mark of a chain, and the spool that
 * a process left behind. A disk may have lost any of it. */
#include <xxhash.h>

#include "riad/chain.h"
#include "riad/mark.h"

#include "place.h"
#include "segment_priv.h"
#include "spool_priv.h"

enum { MARK, CHAIN_MARK, SPOOL, WAYS };
enum { SLOT_STEP = 512, SLOT_SUMMED = 84, LOG_SIZE = 300 };

static struct fuzz_model models[WAYS];
static const struct riad_mark mark = { { 1, 2, { 3, 4 }, { { 5 } } }, 6 };
static struct riad_chain_end chain_items[] = { { 5, { { 6 } } }, { 9, { { 7 } } } };
static const struct riad_chain_ends chain_ends = { chain_items, 2 };
static struct riad_spool_home home;
static const uint64_t segment = (uint64_t)1 << 32 | 1;
static uint8_t log_bytes[LOG_SIZE];
static char log_path[32];

static void make_mark(void)
{
    int fd = riad_mark_open(place.fd);

    FUZZ_ASSERT(fd >= 0);
    FUZZ_ASSERT(riad_mark_write(fd, &mark) == 0 && riad_mark_write(fd, &mark) == 0);
    close(fd);
    place_get("mark", &models[MARK]);
}

static void make_spool(void)
{
    struct riad_spool_header *header = (struct riad_spool_header *)models[SPOOL].data;
    struct riad_spool *spool;
    _cleanup_close_ int fd = -1;

    home = (struct riad_spool_home){ place.fd, place_workspace, { { 8 } } };
    FUZZ_ASSERT(riad_spool_open(&home, &spool) == 0);
    riad_spool_begin(spool, segment);
    riad_spool_put(spool, &(struct iovec){ log_bytes, sizeof log_bytes }, 1);
    riad_spool_free(spool);
    fd = openat(place.fd, "spool", O_RDONLY | O_CLOEXEC);
    FUZZ_ASSERT(fd >= 0 && pread(fd, header, sizeof *header, 0) == sizeof *header);
    models[SPOOL].size = sizeof *header;
    FUZZ_ASSERT(header->end == LOG_SIZE && header->shipped == 0);
}

static void make_models(void)
{
    place_make();
    memset(log_bytes, 0x33, sizeof log_bytes);
    make_mark();
    FUZZ_ASSERT(riad_chain_check_mark(&chain_ends, "chain-mark", place.fd) == 0);
    place_get("chain-mark", &models[CHAIN_MARK]);
    FUZZ_ASSERT(mkdirat(place.fd, "log", 0700) == 0);
    riad_segment_path(RIAD_SEGMENT_LOG, segment, log_path);
    make_spool();
}

/* The checksums of both slots. */
static void mend_mark(struct fuzz_bytes *bytes)
{
    for (size_t at = 0; at + SLOT_SUMMED + 8 <= bytes->size; at += SLOT_STEP) {
        struct riad_writer out;

        riad_writer_init_fixed(&out, bytes->data + at + SLOT_SUMMED, 8);
        riad_put_u64(&out, XXH64(bytes->data + at, SLOT_SUMMED, 0));
    }
}

static int read_mark(struct fuzz_bytes *bytes, bool mended)
{
    struct riad_mark found;
    int r;

    if (mended) {
        mend_mark(bytes);
    }
    place_put("mark", bytes->data, bytes->size);
    r = riad_mark_read(place.fd, &found);
    FUZZ_ASSERT(r == 0 || r == -ENOENT);
    FUZZ_ASSERT(r < 0 || mended || riad_end_equal(&found.end, &mark.end));
    return r;
}

static int read_chain_mark(const struct fuzz_bytes *bytes)
{
    int r;

    place_put("chain-mark", bytes->data, bytes->size);
    r = riad_chain_check_mark(&chain_ends, "chain-mark", place.fd);
    FUZZ_ASSERT(r == 0 || r == -EBADMSG || r == -ESTALE);
    return r;
}

/* What the segment's file has is never changed, and never bridged. */
static void check_log(void)
{
    _cleanup_close_ int fd = openat(place.fd, log_path, O_RDONLY | O_CLOEXEC);
    uint8_t found[LOG_SIZE];

    FUZZ_ASSERT(fd >= 0 && pread(fd, found, LOG_SIZE, 0) >= LOG_SIZE / 2);
    FUZZ_ASSERT(memcmp(found, log_bytes, LOG_SIZE / 2) == 0);
    FUZZ_ASSERT(lseek(fd, 0, SEEK_END) <= LOG_SIZE / 2 + (off_t)RIAD_SPOOL_SIZE);
}

static void put_spool(const struct fuzz_bytes *bytes)
{
    _cleanup_close_ int fd = openat(place.fd, "spool", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    size_t size = bytes->size < RIAD_SPOOL_HEADER_SIZE ? bytes->size : RIAD_SPOOL_HEADER_SIZE;
    uint8_t page[RIAD_SPOOL_HEADER_SIZE] = { 0 };

    memcpy(page, bytes->data, size);
    FUZZ_ASSERT(fd >= 0 && ftruncate(fd, RIAD_SPOOL_FILE_SIZE) == 0);
    FUZZ_ASSERT(riad_pwrite_all(fd, page, sizeof page, 0) == 0);
    FUZZ_ASSERT(riad_pwrite_all(fd, log_bytes, LOG_SIZE, RIAD_SPOOL_HEADER_SIZE) == 0);
}

static int deliver(const struct fuzz_bytes *bytes)
{
    struct riad_delivery delivery = { 0 };
    int r;

    put_spool(bytes);
    place_put(log_path, log_bytes, LOG_SIZE / 2);
    r = riad_spool_deliver(&home, place.fd, 1, &delivery);
    FUZZ_ASSERT(r <= 0 && delivery.bytes <= RIAD_SPOOL_SIZE);
    check_log();
    if (delivery.aside) {
        char name[32];

        snprintf(name, sizeof name, "spool.%016llx", (unsigned long long)delivery.segment);
        FUZZ_ASSERT(unlinkat(place.fd, name, 0) == 0);
    }
    return r < 0 ? r : delivery.bytes == LOG_SIZE && !delivery.aside ? 0 : -ENOENT;
}

/* The first byte's other bits: which file, and whether checksums are mended. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_fuzz_ struct fuzz_bytes bytes = { 0 };
    size_t way = size > 0 ? data[0] / 4 % WAYS : 0;
    bool same;
    int r;

    if (models[0].size == 0) {
        make_models();
    }
    if (!fuzz_take(data, size, &models[way], &bytes)) {
        return 0;
    }
    same = fuzz_is_model(&bytes, &models[way]);
    r = way == MARK         ? read_mark(&bytes, data[0] & 2)
        : way == CHAIN_MARK ? read_chain_mark(&bytes)
                            : deliver(&bytes);
    FUZZ_ASSERT(r == 0 || !same);
    return 0;
}
