/* Keys as they come from the monitor: each opens a workspace, by a thread of its own. */
#include <stdlib.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/thread.h"

#include "control_priv.h"
#include "site_host_priv.h"

struct arrival {
    struct riad_site_host *site;
    struct riad_secret *grant;
    int client;                          /* who waits for the answer; -1: nobody */
    struct riad_site_checking *checking; /* of a check: its place */
};

/* Takes it over; NULL: no memory. */
static void send_answer(int client, json_t *answer)
{
    int r = answer ? riad_control_send(client, riad_control_now() + RIAD_CONTROL_CLIENT_MS, answer)
                   : 0;

    (void)r; /* who does not wait for the answer finds it mounted */
    json_decref(answer);
}

static void reply(int client, int code, const char *directory, const char *sentence)
{
    send_answer(client, code == RIAD_EXIT_DONE
                                ? json_pack("{s:b, s:s}", "ok", 1, "directory", directory)
                                : riad_control_failure(code, sentence));
}

static void leave(struct riad_site_host *site)
{
    pthread_mutex_lock(&site->openings_lock);
    site->openings--;
    pthread_cond_broadcast(&site->openings_changed);
    pthread_mutex_unlock(&site->openings_lock);
}

static void *open_main(void *argument)
{
    struct arrival arrival = *(struct arrival *)argument;
    _cleanup_free_ char *directory = NULL;
    struct riad_reason reason = { "" };
    int code;

    free(argument);
    code = riad_site_open(
            arrival.site, (const void *)riad_secret_peek(arrival.grant), &directory, &reason);
    riad_secret_free(arrival.grant);
    if (arrival.client >= 0) {
        reply(arrival.client, code, directory, reason.text);
        close(arrival.client);
    }
    leave(arrival.site);
    return NULL;
}

/* A place for a check of hers, who has none yet. -EBUSY: she has; -EAGAIN: all are taken. */
static int enter_check(struct riad_site_host *site, uint32_t uid, struct riad_site_checking **ret)
{
    struct riad_site_checking *place = NULL;
    bool another = false;

    pthread_mutex_lock(&site->openings_lock);
    for (size_t i = 0; i < RIAD_SITE_CHECKS_MAX; i++) {
        struct riad_site_checking *one = &site->checks[i];

        another = another || (one->running && one->uid == uid);
        place = one->running ? place : one;
    }
    if (place && !another) {
        *place = (struct riad_site_checking){ .running = true, .uid = uid };
        *ret = place;
    }
    pthread_mutex_unlock(&site->openings_lock);
    return another ? -EBUSY : place ? 0 : -EAGAIN;
}

static void leave_check(struct riad_site_host *site, struct riad_site_checking *place)
{
    pthread_mutex_lock(&site->openings_lock);
    place->running = false;
    pthread_cond_broadcast(&site->openings_changed);
    pthread_mutex_unlock(&site->openings_lock);
}

/* Who has the answer can ask for her next check at once: it is given when the place is free; until
 * then the thread counts as one that opens something. */
static void *check_main(void *argument)
{
    struct arrival arrival = *(struct arrival *)argument;
    json_t *answer;

    free(argument);
    answer = riad_site_check(
            arrival.site, (const void *)riad_secret_peek(arrival.grant), arrival.client);
    riad_secret_free(arrival.grant);
    pthread_mutex_lock(&arrival.site->openings_lock);
    arrival.site->openings++;
    pthread_mutex_unlock(&arrival.site->openings_lock);
    leave_check(arrival.site, arrival.checking);
    send_answer(arrival.client, answer);
    close(arrival.client);
    leave(arrival.site);
    return NULL;
}

/* At most so many at once: each takes memory and the store's time, and the others wait in the
 * socket. */
static void begin_opening(struct riad_site_host *site, struct arrival *arrival)
{
    pthread_mutex_lock(&site->openings_lock);
    while (site->openings >= RIAD_SITE_OPENINGS_MAX) {
        pthread_cond_wait(&site->openings_changed, &site->openings_lock);
    }
    site->openings++;
    pthread_mutex_unlock(&site->openings_lock);
    if (riad_thread_start("riad-open", open_main, arrival, NULL) < 0) {
        open_main(arrival);
    }
}

static void arrival_free(struct arrival *arrival)
{
    riad_secret_free(arrival->grant);
    if (arrival->client >= 0) {
        close(arrival->client);
    }
    free(arrival);
}

static void refuse_check(struct arrival *arrival, int error)
{
    reply(arrival->client, RIAD_EXIT_FAILED, NULL,
            error == -EBUSY ? "another check of yours runs on this machine: wait for its end"
            : error == -EAGAIN
                    ? "as many checks run on this machine as can at once: try again later"
                    : "riadd cannot begin a check");
    arrival_free(arrival);
}

/* These take long: nobody waits for one to end. */
static void begin_check(struct riad_site_host *site, struct arrival *arrival)
{
    const struct riad_key_grant *grant = (const void *)riad_secret_peek(arrival->grant);
    int r = enter_check(site, grant->uid, &arrival->checking);

    if (r == 0) {
        r = riad_thread_start("riad-check", check_main, arrival, NULL);
        if (r < 0) {
            leave_check(site, arrival->checking);
        }
    }
    if (r < 0) {
        refuse_check(arrival, r);
    }
}

static void begin(struct riad_site_host *site, struct arrival *arrival)
{
    const struct riad_key_grant *grant = (const void *)riad_secret_peek(arrival->grant);

    if (grant->purpose == RIAD_KEY_OPENS) {
        begin_opening(site, arrival);
    } else if (arrival->client >= 0) {
        begin_check(site, arrival);
    } else {
        arrival_free(arrival);
    }
}

static bool is_whole(const struct riad_key_grant *grant, size_t size)
{
    return size >= sizeof *grant && grant->epoch > 0 && grant->epoch <= RIAD_EPOCHS_MAX &&
           size == riad_key_grant_size(grant->epoch);
}

/* 0: one was taken. */
static int take_grant(struct riad_site_host *site)
{
    struct arrival *arrival = calloc(1, sizeof *arrival);
    int r = arrival ? riad_secret_new(riad_key_grant_size(RIAD_EPOCHS_MAX), &arrival->grant)
                    : -ENOMEM;
    ssize_t n = 0;

    if (r == 0) {
        arrival->site = site;
        n = riad_service_receive(site->keys_fd, riad_secret_bytes(arrival->grant),
                riad_key_grant_size(RIAD_EPOCHS_MAX), &arrival->client);
    }
    if (n > 0 && is_whole((const void *)riad_secret_peek(arrival->grant), (size_t)n)) {
        begin(site, arrival);
        return 0;
    }
    if (arrival) {
        riad_secret_free(arrival->grant);
        free(arrival);
    }
    return r < 0 ? r : -EPIPE;
}

void *riad_site_take_keys(void *argument)
{
    struct riad_site_host *site = argument;

    while (take_grant(site) == 0) {
    }
    return NULL;
}
