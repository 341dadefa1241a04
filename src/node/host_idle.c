/* Workspaces that nobody uses are locked after a while, if that was asked for: unmounted, and their
 * keys wiped. Nothing is open then: an open file, a working directory or a mapping keeps the kernel
 * from unmounting, and another try follows. */
#include <time.h>

#include "riad/events.h"

#include "host_priv.h"

enum {
    RETRY_MS = 10000
}; /* also between two looks at most: a client's request sets the clock back */

/* Goes on while the machine is suspended. */
static uint64_t now_seconds(void)
{
    struct timespec now = { 0 };

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec;
}

/* Seconds without a request, by what this saw. */
static uint64_t idle_seconds(struct riad_mount *mount)
{
    uint64_t now = now_seconds(), uses = riad_session_uses(mount->session);

    if (uses != mount->idle_uses || mount->idle_since == 0) {
        mount->idle_uses = uses;
        mount->idle_since = now;
    }
    return now - mount->idle_since;
}

static void lock_idle(struct riad_host *host, struct riad_mount *mount, uint64_t seconds)
{
    if (riad_session_unmount(mount->session, false) < 0) {
        return; /* in use all the same */
    }
    mount->locking = true;
    riad_events_record(&host->state, "locked", &host->unlocked.store.binding.store, &mount->id,
            "nobody used it for %llu s", (unsigned long long)seconds);
}

int riad_host_lock_idle(struct riad_host *host)
{
    uint64_t limit = host->lock_idle_seconds;
    int wait = -1;

    for (size_t i = 0; limit > 0 && i < host->mount_count; i++) {
        struct riad_mount *mount = &host->mounts[i];
        uint64_t idle, left;

        if (!riad_host_is_running(host, mount) || mount->locking) {
            continue;
        }
        idle = idle_seconds(mount);
        if (idle >= limit) {
            lock_idle(host, mount, idle);
        }
        left = idle < limit && (limit - idle) * 1000 < RETRY_MS ? (limit - idle) * 1000 : RETRY_MS;
        wait = wait < 0 || (int)left < wait ? (int)left : wait;
    }
    return wait;
}
