/* Workspaces whose people have all logged out are locked, if the configuration says so: unmounted,
 * and their keys wiped. Who has a session is what utmp(5) says. One that nobody with a session ever
 * used (a job's, a cron's) is left alone; so is one that is in use, until it is not. */
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utmpx.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/events.h"

#include "control_priv.h"
#include "site_host_priv.h"

enum { LOOK_MS = 5000, RECORDS_MAX = 65536, ACCOUNT_MAX = 16 << 10 };

struct sessions {
    uid_t *uids;
    size_t count;
};

static void sessions_done(struct sessions *sessions)
{
    free(sessions->uids);
}

static bool has_session(const struct sessions *sessions, uid_t uid)
{
    for (size_t i = 0; i < sessions->count; i++) {
        if (sessions->uids[i] == uid) {
            return true;
        }
    }
    return false;
}

/* The name in a record need not end. */
static int add_session(struct sessions *sessions, const struct utmpx *record)
{
    char name[sizeof record->ut_user + 1] = "";
    _cleanup_free_ char *buffer = malloc(ACCOUNT_MAX);
    struct passwd entry, *found = NULL;
    uid_t *grown;

    memcpy(name, record->ut_user, sizeof record->ut_user);
    if (!buffer) {
        return -ENOMEM;
    }
    if (getpwnam_r(name, &entry, buffer, ACCOUNT_MAX, &found) != 0 || !found ||
            has_session(sessions, found->pw_uid)) {
        return 0;
    }
    grown = reallocarray(sessions->uids, sessions->count + 1, sizeof *grown);
    if (!grown) {
        return -ENOMEM;
    }
    sessions->uids = grown;
    grown[sessions->count++] = found->pw_uid;
    return 0;
}

/* -ENOENT and others: nobody can say who has a session. */
static int read_sessions(const char *path, struct sessions *ret)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct utmpx record;
    int r = fd < 0 ? -errno : 0;

    for (size_t i = 0; r == 0 && i < RECORDS_MAX; i++) {
        ssize_t n = read(fd, &record, sizeof record);

        if (n != sizeof record) {
            return n < 0 ? -errno : 0;
        }
        if (record.ut_type == USER_PROCESS) {
            r = add_session(ret, &record);
        }
    }
    return r;
}

/* (held) Somebody whose workspace it is is here. root, who passes everywhere, is not meant. */
static bool has_person(const struct riad_mount *mount, const struct sessions *sessions)
{
    if (!mount->shared) {
        return has_session(sessions, mount->owner);
    }
    for (size_t i = 0; i < sessions->count; i++) {
        if (sessions->uids[i] != 0 &&
                riad_members_standing(mount->workspace, sessions->uids[i]) != RIAD_STANDING_NONE) {
            return true;
        }
    }
    return false;
}

/* (held) */
static void look(struct riad_host *host, struct riad_mount *mount, const struct sessions *sessions)
{
    if (mount->locking) {
        return;
    }
    if (has_person(mount, sessions)) {
        mount->session_seen = true;
        return;
    }
    if (!mount->session_seen || riad_session_unmount(mount->session, false) < 0) {
        return; /* in use all the same */
    }
    mount->locking = true;
    riad_events_record(&host->state, "locked", &host->unlocked.store.binding.store, &mount->id,
            "the last session of its people ended");
}

int riad_site_lock_sessions(struct riad_site_host *site)
{
    _cleanup_(sessions_done) struct sessions sessions = { 0 };
    struct riad_host *host = &site->host;
    bool wanted;

    pthread_mutex_lock(&site->lock);
    wanted = site->node.config.lock_logout;
    pthread_mutex_unlock(&site->lock);
    if (!wanted) {
        return -1;
    }
    if (riad_control_now() < site->sessions_due) {
        return (int)(site->sessions_due - riad_control_now());
    }
    site->sessions_due = riad_control_now() + LOOK_MS;
    if (read_sessions(site->node.config.utmp, &sessions) < 0) {
        return LOOK_MS;
    }
    for (size_t i = 0; i < host->mount_count; i++) {
        struct riad_mount *mount = &host->mounts[i];

        if (riad_host_hold(host, mount)) {
            look(host, mount, &sessions);
            riad_host_unhold(host, mount);
        }
    }
    return LOOK_MS;
}
