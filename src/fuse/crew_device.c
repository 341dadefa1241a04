/* The devices of a crew: which are read, and how much of each is under way. */
#include <stdlib.h>
#include <sys/epoll.h>

#include "riad/error.h"

#include "crew_state_priv.h"

static int set_events(struct riad_crew_device *device, int operation, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.u64 = device->key };

    return epoll_ctl(device->crew->set, operation, device->config.fd, &event) < 0 ? -errno : 0;
}

/* (lock) Its events are not looked at any more, whatever epoll says. */
static void dismiss(struct riad_crew_device *device)
{
    struct riad_crew *crew = device->crew;
    int r;

    if (device->gone) {
        return;
    }
    device->gone = true;
    crew->devices[(uint32_t)device->key] = NULL;
    crew->most -= device->config.most;
    r = set_events(device, EPOLL_CTL_DEL, 0);
    (void)r; /* it was in the set */
}

struct riad_crew_device *riad_crew_take(struct riad_crew *crew, uint64_t key)
{
    struct riad_crew_device *device;
    int r = 0;

    pthread_mutex_lock(&crew->lock);
    device = (uint32_t)key < RIAD_CREW_DEVICES ? crew->devices[(uint32_t)key] : NULL;
    if (device && (device->key != key || device->resting)) {
        device = NULL;
    }
    if (device && ++device->under_way == device->config.most) {
        device->resting = true;
        r = set_events(device, EPOLL_CTL_MOD, EPOLLET); /* else an error would come on and on */
    }
    pthread_mutex_unlock(&crew->lock);
    (void)r; /* then its events are passed over here */
    return device;
}

/* (lock) */
static void resume(struct riad_crew_device *device)
{
    int r = 0;

    if (device->resting && !device->gone) {
        r = set_events(device, EPOLL_CTL_MOD, EPOLLIN);
    }
    device->resting = false;
    (void)r; /* it is in the set, so this needs nothing that could be short */
}

/* (lock, which is let go for the call) Before the last request is given back: remove waits. */
static void tell_end(struct riad_crew_device *device)
{
    void (*ended)(void *context) = device->config.ended;

    if (ended) {
        device->config.ended = NULL;
        pthread_mutex_unlock(&device->crew->lock);
        ended(device->config.context);
        pthread_mutex_lock(&device->crew->lock);
    }
}

void riad_crew_give_back(struct riad_crew_device *device, int result)
{
    struct riad_crew *crew = device->crew;

    pthread_mutex_lock(&crew->lock);
    if (result != 0) {
        dismiss(device);
    }
    if (device->gone && device->under_way == 1) {
        tell_end(device);
    }
    device->under_way--;
    resume(device);
    if (device->gone) {
        pthread_cond_broadcast(&crew->changed);
    }
    pthread_mutex_unlock(&crew->lock);
}

/* (lock) */
static int find_slot(struct riad_crew *crew, uint64_t *ret_key)
{
    for (uint32_t slot = 1; slot < RIAD_CREW_DEVICES; slot++) {
        if (!crew->devices[slot]) {
            *ret_key = (uint64_t)++crew->generation << 32 | slot;
            return 0;
        }
    }
    return -ENOSPC;
}

/* (lock) */
static int admit(struct riad_crew *crew, struct riad_crew_device *device)
{
    int r = find_slot(crew, &device->key);

    if (r >= 0) {
        r = riad_crew_begin(crew);
    }
    if (r >= 0) {
        r = set_events(device, EPOLL_CTL_ADD, EPOLLIN);
    }
    if (r >= 0) {
        crew->devices[(uint32_t)device->key] = device;
        crew->most += device->config.most;
    }
    return r;
}

int riad_crew_add(struct riad_crew *crew, const struct riad_crew_device_config *config,
        struct riad_crew_device **ret)
{
    struct riad_crew_device *device = calloc(1, sizeof *device);
    int r;

    if (!device) {
        return -ENOMEM;
    }
    device->crew = crew;
    device->config = *config;
    pthread_mutex_lock(&crew->lock);
    r = admit(crew, device);
    pthread_mutex_unlock(&crew->lock);
    if (r < 0) {
        free(device);
        return r;
    }
    *ret = device;
    return 0;
}

void riad_crew_remove(struct riad_crew_device *device)
{
    struct riad_crew *crew = device ? device->crew : NULL;

    if (!device) {
        return;
    }
    pthread_mutex_lock(&crew->lock);
    device->config.ended = NULL;
    dismiss(device);
    while (device->under_way > 0) {
        pthread_cond_wait(&crew->changed, &crew->lock);
    }
    pthread_mutex_unlock(&crew->lock);
    free(device);
}
