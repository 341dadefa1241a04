/* Workspaces that end: to be read only once they expired, unmounted when the grace is over, and
 * kept. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "riad/diag.h"
#include "riad/error.h"
#include "riad/events.h"

#include "host_priv.h"

enum { CHECK_MS = 10000 }; /* at most between two looks: clocks are set */

enum riad_expiry_state riad_host_expiry_state(const struct riad_catalog_expiry *expiry)
{
    return riad_catalog_expiry_state(expiry, (uint64_t)time(NULL));
}

int riad_host_admit(const char *name, const struct riad_catalog_workspace *entry,
        struct riad_mount *mount, struct riad_reason *reason)
{
    pthread_mutex_lock(&mount->host->lock);
    mount->expiry = entry->expiry;
    pthread_mutex_unlock(&mount->host->lock);
    if (riad_host_expiry_state(&entry->expiry) != RIAD_EXPIRY_LOCKED) {
        return RIAD_EXIT_DONE;
    }
    snprintf(reason->text, sizeof reason->text,
            "workspace `%s` has expired and is locked; everything in it is kept: `riad workspace "
            "extend` opens it again",
            name);
    return RIAD_EXIT_LOCKED;
}

/* Takes the new state in; true: it is another one than before. */
static bool turn(struct riad_host *host, struct riad_mount *mount, enum riad_expiry_state *ret)
{
    bool turned;

    pthread_mutex_lock(&host->lock);
    *ret = riad_host_expiry_state(&mount->expiry);
    turned = *ret != mount->expiry_state;
    mount->expiry_state = *ret;
    pthread_mutex_unlock(&host->lock);
    return turned;
}

enum riad_expiry_state riad_host_apply_expiry(struct riad_host *host, struct riad_mount *mount)
{
    static const char *const texts[] = { [RIAD_EXPIRY_LIVE] = "extended: it can be changed again",
        [RIAD_EXPIRY_GRACE] = "expired: it can be read only",
        [RIAD_EXPIRY_LOCKED] = "the grace is over: it is locked, and kept" };
    enum riad_expiry_state state;

    if (turn(host, mount, &state)) {
        riad_workspace_protect(mount->workspace, state != RIAD_EXPIRY_LIVE);
        riad_diag(RIAD_WARNING, "%s: %s", mount->source, texts[state]);
        riad_events_record(&host->state, "expiry", &host->unlocked.store.binding.store, &mount->id,
                "%s", texts[state]);
    }
    return state;
}

void riad_host_expire(struct riad_host *host)
{
    for (size_t i = 0; i < host->mount_count; i++) {
        struct riad_mount *mount = &host->mounts[i];

        if (riad_host_is_running(host, mount) && !mount->locking &&
                riad_host_apply_expiry(host, mount) == RIAD_EXPIRY_LOCKED) {
            mount->locking = true;
            riad_host_detach(mount);
        }
    }
}

int riad_host_expiry_wait(struct riad_host *host)
{
    int wait = -1;

    pthread_mutex_lock(&host->lock);
    for (size_t i = 0; i < host->mount_count; i++) {
        const struct riad_catalog_expiry *expiry = &host->mounts[i].expiry;
        uint64_t now = (uint64_t)time(NULL), next = expiry->expires;

        next += now >= expiry->expires ? expiry->grace : 0;
        if (expiry->expires == 0 || host->mounts[i].locking ||
                host->mounts[i].phase != RIAD_MOUNT_RUNNING) {
            continue;
        }
        next = next > now ? (next - now) * 1000 : 0;
        next = next < CHECK_MS ? next : CHECK_MS;
        wait = wait < 0 || (int)next < wait ? (int)next : wait;
    }
    pthread_mutex_unlock(&host->lock);
    return wait;
}
