/* The socket on which workspaces are unlocked, and the keys that were given (K4). The root key
 * comes here and no further: the worker gets what is derived from it, and says whether it was the
 * right one. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"

#include "control_priv.h"
#include "monitor_priv.h"

enum { KEEP_MS = 300000, GRANTS_MAX = 8192, PENDING_MAX = 64 /* of one user */ };

static void grant_done(struct riad_given_key *grant)
{
    riad_secret_free(grant->bytes);
    free(grant->path);
    *grant = (struct riad_given_key){ 0 };
}

/* (locked) */
static void drop(struct riad_monitor *monitor, size_t index)
{
    grant_done(&monitor->grants[index]);
    monitor->grants[index] = monitor->grants[--monitor->grant_count];
}

/* (locked) Keys that never led to a mount were wrong, or the worker could not use them. */
static void drop_old(struct riad_monitor *monitor)
{
    int64_t now = riad_control_now();

    for (size_t i = monitor->grant_count; i-- > 0;) {
        if (!monitor->grants[i].path && now - monitor->grants[i].given > KEEP_MS) {
            drop(monitor, i);
        }
    }
}

/* (locked) NULL: there is none. */
static struct riad_given_key *find(struct riad_monitor *monitor, const struct riad_id *workspace,
        const struct riad_hash *identity)
{
    for (size_t i = 0; i < monitor->grant_count; i++) {
        struct riad_given_key *grant = &monitor->grants[i];

        if (riad_id_equal(&grant->workspace, workspace) &&
                riad_hash_equal(&grant->identity, identity)) {
            return grant;
        }
    }
    return NULL;
}

/* (locked) One user cannot take up everybody's room with keys that lead nowhere: her oldest goes.
 */
static void make_room(struct riad_monitor *monitor, uid_t uid)
{
    size_t count = 0, oldest = 0;

    for (size_t i = 0; i < monitor->grant_count; i++) {
        const struct riad_given_key *grant = &monitor->grants[i];

        if (grant->uid == uid && !grant->path) {
            oldest = count == 0 || grant->given < monitor->grants[oldest].given ? i : oldest;
            count++;
        }
    }
    if (count >= PENDING_MAX) {
        drop(monitor, oldest);
    }
}

/* (locked) Keeps a copy of the bytes. */
static int keep(struct riad_monitor *monitor, const struct riad_secret *bytes)
{
    const struct riad_key_grant *key = (const void *)riad_secret_peek(bytes);
    struct riad_given_key *grant = find(monitor, &key->workspace, &key->identity);
    struct riad_secret *copy;
    int r;

    if (grant) {
        grant->given = riad_control_now();
        return 0;
    }
    drop_old(monitor);
    make_room(monitor, key->uid);
    if (monitor->grant_count == GRANTS_MAX) {
        return -ENOSPC;
    }
    grant = reallocarray(monitor->grants, monitor->grant_count + 1, sizeof *grant);
    if (!grant) {
        return -ENOMEM;
    }
    monitor->grants = grant;
    r = riad_secret_new_copy(riad_secret_peek(bytes), riad_secret_size(bytes), &copy);
    if (r == 0) {
        grant[monitor->grant_count++] = (struct riad_given_key){ .bytes = copy,
            .uid = key->uid,
            .workspace = key->workspace,
            .identity = key->identity,
            .given = riad_control_now() };
    }
    return r;
}

/* One epoch's, from its root key. */
static int derive_one(const struct riad_id *workspace, uint32_t epoch, const uint8_t *root,
        struct riad_epoch_key *ret)
{
    _cleanup_secret_ struct riad_secret *copy = NULL;
    _cleanup_secret_ struct riad_secret *subkeys = NULL;
    int r = riad_secret_new_copy(root, RIAD_UNLOCK_ROOT_SIZE, &copy);

    if (r == 0) {
        r = riad_subkeys_derive(workspace, epoch, copy, &subkeys);
    }
    if (r < 0) {
        return r;
    }
    memcpy(ret->subkeys, riad_secret_peek(subkeys), sizeof ret->subkeys);
    return riad_keys_commitment(workspace, copy, &ret->commitment);
}

/* -1: it is for nothing that there is. */
static int purpose_of(const struct riad_unlock_request *message)
{
    static const char *const magics[] = { [RIAD_KEY_OPENS] = RIAD_UNLOCK_MAGIC,
        [RIAD_KEY_CHECKS] = RIAD_CHECK_MAGIC,
        [RIAD_KEY_REPAIRS] = RIAD_REPAIR_MAGIC };

    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
        if (memcmp(message->magic, magics[i], sizeof message->magic) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* What the worker is told, from what the user gave. */
static int derive(uid_t uid, const struct riad_unlock_request *message, const uint8_t *roots,
        struct riad_secret **ret)
{
    _cleanup_secret_ struct riad_secret *bytes = NULL;
    struct riad_key_grant *grant;
    int r = riad_secret_new(riad_key_grant_size(message->epoch), &bytes);

    if (r < 0) {
        return r;
    }
    grant = (void *)riad_secret_bytes(bytes);
    grant->uid = uid;
    grant->purpose = (uint32_t)purpose_of(message);
    grant->epoch = message->epoch;
    grant->workspace = message->workspace;
    for (uint32_t i = 0; r == 0 && i < message->epoch; i++) {
        r = derive_one(&message->workspace, i + 1, roots + (size_t)i * RIAD_UNLOCK_ROOT_SIZE,
                &grant->keys[i]);
    }
    if (r == 0) {
        r = riad_sha256_labelled("riad/v1/grant", grant->keys, message->epoch * sizeof *grant->keys,
                &grant->identity);
    }
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(bytes);
    return 0;
}

/* (not locked) The channel may be full until the worker has opened something, and for that it needs
 * the monitor: nobody waits for it with the lock. */
static int send_grant(struct riad_monitor *monitor, const struct riad_secret *bytes, int client)
{
    _cleanup_close_ int channel = -1;

    pthread_mutex_lock(&monitor->lock);
    channel = monitor->keys_fd < 0 ? -1 : fcntl(monitor->keys_fd, F_DUPFD_CLOEXEC, 0);
    pthread_mutex_unlock(&monitor->lock);
    return channel < 0 ? -EAGAIN
                       : riad_service_send(channel, riad_secret_peek(bytes),
                                 riad_secret_size(bytes), NULL, 0, client);
}

/* The worker answers the client by itself: the descriptor goes with the keys. They are kept for
 * what will be mounted. */
static int pass_on(struct riad_monitor *monitor, const struct riad_secret *bytes, int client)
{
    const struct riad_key_grant *grant = (const void *)riad_secret_peek(bytes);
    int r;

    if (grant->purpose != RIAD_KEY_OPENS) {
        return send_grant(monitor, bytes, client);
    }
    pthread_mutex_lock(&monitor->lock);
    r = keep(monitor, bytes);
    pthread_mutex_unlock(&monitor->lock);
    return r < 0 ? r : send_grant(monitor, bytes, client);
}

static void complain(int fd, const char *sentence)
{
    json_t *reply = riad_control_failure(RIAD_EXIT_FAILED, sentence);
    int r = reply ? riad_control_send(fd, riad_control_now() + RIAD_CONTROL_CLIENT_MS, reply) : 0;

    (void)r; /* it asked, and does not listen */
    json_decref(reply);
}

static bool is_sound(const struct riad_unlock_request *message)
{
    return purpose_of(message) >= 0 && message->version == RIAD_UNLOCK_VERSION &&
           message->epoch > 0 && message->epoch <= RIAD_EPOCHS_MAX;
}

/* -EBADMSG: it is no such message. Other errors: it does not come. */
static int receive(int fd, struct riad_unlock_request *ret, struct riad_secret **ret_roots)
{
    _cleanup_secret_ struct riad_secret *roots = NULL;
    int64_t deadline = riad_control_now() + RIAD_CONTROL_CLIENT_MS;
    int r = riad_control_receive_exactly(fd, deadline, ret, sizeof *ret);

    if (r == 0 && !is_sound(ret)) {
        r = -EBADMSG;
    }
    if (r == 0) {
        r = riad_secret_new((size_t)ret->epoch * RIAD_UNLOCK_ROOT_SIZE, &roots);
    }
    if (r == 0) {
        r = riad_control_receive_exactly(
                fd, deadline, riad_secret_bytes(roots), riad_secret_size(roots));
    }
    if (r < 0) {
        return r;
    }
    *ret_roots = riad_take_pointer(roots);
    return 0;
}

/* Serves one client; the descriptor stays its server's. */
static void unlock(void *context, uid_t uid, int fd)
{
    struct riad_monitor *monitor = context;
    _cleanup_secret_ struct riad_secret *roots = NULL;
    _cleanup_secret_ struct riad_secret *bytes = NULL;
    struct riad_unlock_request message;
    int r = receive(fd, &message, &roots);

    if (r == -EBADMSG) {
        complain(fd, "this is no request to unlock of version 1");
    }
    if (r < 0) {
        return; /* it did not say what it wants */
    }
    r = derive(uid, &message, riad_secret_peek(roots), &bytes);
    r = r < 0 ? r : pass_on(monitor, bytes, fd);
    if (r < 0) {
        complain(fd, r == -EAGAIN ? "riadd's worker is being started: try again"
                                  : "riadd cannot take the key");
    }
}

int riad_monitor_listen_keys(struct riad_monitor *monitor)
{
    _cleanup_free_ char *path = riad_config_socket(&monitor->config, "keys");
    int fd = path ? riad_control_listen(path, 0666) : -ENOMEM;

    return fd < 0 ? fd : riad_control_start_raw(fd, unlock, monitor, &monitor->unlocking);
}

/* (locked) A copy of the next key that is to be repeated; NULL: none is left. */
static struct riad_secret *next_repeated(struct riad_monitor *monitor)
{
    struct riad_secret *copy = NULL;

    for (size_t i = 0; i < monitor->grant_count && !copy; i++) {
        struct riad_given_key *grant = &monitor->grants[i];

        if (grant->repeat) {
            grant->repeat = false;
            if (riad_secret_new_copy(riad_secret_peek(grant->bytes), riad_secret_size(grant->bytes),
                        &copy) < 0) {
                copy = NULL; /* its user unlocks again */
            }
        }
    }
    return copy;
}

void riad_monitor_repeat_keys(struct riad_monitor *monitor)
{
    struct riad_secret *copy;
    int r = 0;

    pthread_mutex_lock(&monitor->lock);
    for (size_t i = 0; i < monitor->grant_count; i++) {
        struct riad_given_key *grant = &monitor->grants[i];

        grant->repeat = grant->path != NULL; /* the others are not known to be right */
        riad_free_pointer(&grant->path);
        grant->given = riad_control_now();
    }
    copy = next_repeated(monitor);
    pthread_mutex_unlock(&monitor->lock);
    while (copy && r == 0) {
        r = send_grant(monitor, copy, -1);
        riad_secret_free(copy);
        pthread_mutex_lock(&monitor->lock);
        copy = next_repeated(monitor);
        pthread_mutex_unlock(&monitor->lock);
    }
    riad_secret_free(copy);
}

int riad_monitor_mounted(
        struct riad_monitor *monitor, const struct riad_service_request *request, char *path)
{
    struct riad_given_key *grant;
    int r = -ENOENT;

    pthread_mutex_lock(&monitor->lock);
    grant = find(monitor, &request->workspace, &request->identity);
    if (grant && path) {
        free(grant->path);
        grant->path = riad_take_pointer(path);
        r = 0;
    }
    pthread_mutex_unlock(&monitor->lock);
    free(path);
    return r;
}

int riad_monitor_rotated(struct riad_monitor *monitor, const struct riad_service_request *request)
{
    struct riad_given_key *fresh;
    int r = -ENOENT;

    pthread_mutex_lock(&monitor->lock);
    fresh = find(monitor, &request->workspace, &request->identity);
    for (size_t i = 0; fresh && !fresh->path && i < monitor->grant_count; i++) {
        struct riad_given_key *grant = &monitor->grants[i];

        if (grant->path && riad_id_equal(&grant->workspace, &request->workspace)) {
            fresh->path = riad_take_pointer(grant->path);
            drop(monitor, i);
            r = 0;
            break;
        }
    }
    pthread_mutex_unlock(&monitor->lock);
    return r;
}

/* (locked) */
static struct riad_given_key *find_path(struct riad_monitor *monitor, const char *path)
{
    for (size_t i = 0; i < monitor->grant_count; i++) {
        if (monitor->grants[i].path && strcmp(monitor->grants[i].path, path) == 0) {
            return &monitor->grants[i];
        }
    }
    return NULL;
}

bool riad_monitor_is_mounted(struct riad_monitor *monitor, const char *path)
{
    bool found;

    pthread_mutex_lock(&monitor->lock);
    found = find_path(monitor, path) != NULL;
    pthread_mutex_unlock(&monitor->lock);
    return found;
}

int riad_monitor_forget(struct riad_monitor *monitor, const char *path)
{
    struct riad_given_key *grant;

    pthread_mutex_lock(&monitor->lock);
    grant = find_path(monitor, path);
    if (grant) {
        drop(monitor, (size_t)(grant - monitor->grants));
    }
    pthread_mutex_unlock(&monitor->lock);
    return grant ? 0 : -ENOENT;
}

void riad_monitor_detach_all(struct riad_monitor *monitor)
{
    int r;

    pthread_mutex_lock(&monitor->lock);
    for (size_t i = 0; i < monitor->grant_count; i++) {
        if (monitor->grants[i].path) {
            r = riad_monitor_unmount(monitor->grants[i].path, true);
            (void)r; /* what is not there need not go */
        }
    }
    pthread_mutex_unlock(&monitor->lock);
}

void riad_monitor_forget_all(struct riad_monitor *monitor)
{
    pthread_mutex_lock(&monitor->lock);
    while (monitor->grant_count > 0) {
        drop(monitor, monitor->grant_count - 1);
    }
    riad_free_pointer(&monitor->grants);
    pthread_mutex_unlock(&monitor->lock);
}
