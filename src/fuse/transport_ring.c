/* Requests that come by the ring. */
#include <linux/fuse.h>
#include <unistd.h>

#include "riad/diag.h"
#include "riad/error.h"
#include "riad/patience.h"

#include "settle_priv.h"
#include "transport_state_priv.h"
#include "uring_abi_priv.h"

/* Something must be replied, or the entry would be lost to its queue. */
static void process_entry(struct riad_transport *transport, struct riad_ring_entry *entry,
        uint8_t *message, size_t size)
{
    struct fuse_out_header failure = {
        .len = sizeof failure, .error = -EIO, .unique = riad_worker.request.unique
    };
    const struct iovec piece = { &failure, sizeof failure };

    riad_worker.entry = entry;
    riad_transport_process(transport, message, size);
    if (!riad_worker.replied && !riad_worker.put_off && !riad_worker.held) {
        (void)riad_ring_reply(entry, &piece, 1);
    }
}

/* In a thread of the pool. */
static void serve_patiently(void *context, void *item)
{
    struct riad_transport *transport = context;
    struct riad_ring_entry *entry = item;
    uint8_t *message;
    size_t size;
    bool held = false;

    riad_worker.transport = transport;
    if (riad_ring_message(entry, &message, &size) >= 0 && riad_worker_note(message, size)) {
        process_entry(transport, entry, message, size);
        held = riad_worker.held;
    }
    riad_worker_done();
    if (!held) {
        riad_ring_return(entry);
    }
}

/* What would wait is put off (see write_reply), and begun anew in the pool. */
static bool serve_impatiently(struct riad_transport *transport, struct riad_ring_entry *entry,
        uint8_t *message, size_t size)
{
    uint32_t opcode = riad_worker.request.opcode;

    if (riad_worker_is_slow(opcode, message, size) ||
            riad_settle_waits(transport->session, opcode)) {
        return false;
    }
    riad_set_patient(false);
    process_entry(transport, entry, message, size);
    riad_set_patient(true);
    return !riad_worker.put_off;
}

/* What a read would have waited for comes while this thread goes on; then the read is made again,
 * without waking another thread. */
static bool await(struct riad_ring_entry *entry)
{
    struct riad_wait wait;

    if (riad_worker.request.opcode != FUSE_READ || !riad_wait_take(&wait)) {
        return false;
    }
    if (!riad_ring_fetch(entry, &wait)) {
        (void)close(wait.fd);
        return false;
    }
    return true;
}

/* A request that is made again was counted. */
static void note(struct riad_transport *transport, const struct riad_ring_entry *entry,
        const uint8_t *message, size_t size)
{
    if (riad_ring_is_again(entry)) {
        (void)riad_worker_note(message, size);
    } else {
        riad_transport_note(transport, message, size);
    }
}

/* False: somebody else does it, or this thread does later. */
static bool hand_on(struct riad_transport *transport, struct riad_ring_entry *entry,
        uint8_t *message, size_t size)
{
    if (await(entry) || riad_pool_put(transport->pool, entry) >= 0) {
        return false;
    }
    riad_worker.put_off = false;
    process_entry(transport, entry, message, size);
    return true;
}

/* In a thread of the ring. */
static bool serve_entry(void *context, struct riad_ring_entry *entry)
{
    struct riad_transport *transport = context;
    uint8_t *message;
    size_t size;
    bool done = true;

    riad_worker.transport = transport;
    if (riad_ring_message(entry, &message, &size) >= 0) {
        note(transport, entry, message, size);
        done = serve_impatiently(transport, entry, message, size) ||
               hand_on(transport, entry, message, size);
        done = done && !riad_worker.held;
    }
    riad_worker_done();
    return done;
}

static int make_pool(struct riad_transport *transport)
{
    struct riad_pool_config pool = {
        .threads = transport->wanted,
        .capacity = riad_ring_entries(transport->ring),
        .work = serve_patiently,
        .context = transport,
    };

    return riad_pool_new(&pool, &transport->pool);
}

static int make_ring(struct riad_transport *transport)
{
    struct riad_ring_mount_config mount = {
        .device = fuse_session_fd(transport->fuse),
        .serve = serve_entry,
        .context = transport,
    };
    struct riad_ring *ring = NULL;
    int r = riad_reactor_ring(transport->reactor, transport->wanted, &ring);

    if (r >= 0) {
        r = riad_ring_attach(ring, &mount, &transport->ring);
    }
    if (r < 0) {
        return r;
    }
    r = make_pool(transport);
    if (r < 0) {
        riad_ring_detach(transport->ring);
        transport->ring = NULL;
    }
    return r;
}

bool riad_transport_prepare_ring(struct riad_transport *transport)
{
    int r;

    if (transport->ring || transport->without_ring ||
            !(atomic_load(&transport->offered) & RIAD_FUSE_OVER_IO_URING)) {
        return transport->ring != NULL;
    }
    r = make_ring(transport);
    if (r < 0) {
        riad_diag(RIAD_WARNING, "The kernel offers FUSE over io_uring, which fails here: %s",
                strerror(-r));
    }
    return r == 0;
}

void riad_transport_register_ring(struct riad_transport *transport)
{
    int r = riad_ring_register(transport->ring);

    atomic_store(&transport->by_ring, r == 0);
    if (r < 0) {
        riad_diag(RIAD_WARNING, "The kernel refuses FUSE over io_uring: %s", strerror(-r));
    }
}

ssize_t riad_transport_reply_entry(
        struct riad_transport *transport, const struct iovec *pieces, int count)
{
    const struct fuse_out_header *header = pieces[0].iov_base;
    size_t size = header->len;

    if (header->error == RIAD_WOULD_WAIT && !riad_is_patient()) {
        riad_worker.put_off = true;
        return (ssize_t)size;
    }
    if (header->error != 0) {
        riad_counters_error(&transport->counters);
    }
    riad_worker.replied = true;
    return riad_ring_reply(riad_worker.entry, pieces, count);
}
