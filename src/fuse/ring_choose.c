/* Which place is better on this machine: measured by two threads that only ask and answer, each
 * after as much work as tar and riad have between two messages. */
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "riad/error.h"
#include "riad/thread.h"

#include "ring_place_priv.h"

enum { ROUNDS = 2, MESSAGES = 200, MESSAGES_MIN = 20, WORK_NS = 8000, LINGER_NS = 50000 };
/* On a busy machine a SCHED_IDLE thread may wait for long: so long a trial takes at most. */
enum { TRIAL_NS = 20 * 1000 * 1000, LOOK_NS = 2 * 1000 * 1000 };
/* Both have their caches, across; beside they take each other's: so much more a message. */
enum { CACHES_NS = 4000 };

struct trial {
    _Atomic uint32_t asked, answered; /* counts of messages; futexes */
    _Atomic bool ended;
    bool across;
    int client, server; /* processors */
    uint64_t until_ns;
    uint64_t message_ns; /* what one takes; 0: it failed */
};

static void work(void)
{
    uint64_t until = riad_now_ns() + WORK_NS;

    while (riad_now_ns() < until) {
    }
}

/* False: the trial is over. */
static bool await(struct trial *trial, _Atomic uint32_t *count, uint32_t before)
{
    static const struct timespec look = { .tv_nsec = LOOK_NS };

    while (atomic_load(count) == before) {
        if (atomic_load(&trial->ended) || riad_now_ns() > trial->until_ns) {
            return false;
        }
        syscall(SYS_futex, count, FUTEX_WAIT_PRIVATE, before, &look, NULL, 0);
    }
    return true;
}

static void tell(_Atomic uint32_t *count)
{
    atomic_fetch_add(count, 1);
    syscall(SYS_futex, count, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void linger(const _Atomic uint32_t *count, uint32_t before)
{
    uint64_t until = riad_now_ns() + LINGER_NS;

    while (atomic_load(count) == before && riad_now_ns() < until) {
    }
}

static void run_on(int processor)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)processor, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

static void *serve(void *argument)
{
    const struct sched_param none = { 0 };
    struct trial *trial = argument;

    run_on(trial->across ? trial->server : trial->client);
    if (!trial->across) {
        (void)sched_setscheduler(0, SCHED_IDLE, &none);
    }
    for (uint32_t i = 0; i < MESSAGES; i++) {
        if (trial->across) {
            linger(&trial->asked, i);
        }
        if (!await(trial, &trial->asked, i)) {
            break;
        }
        work();
        tell(&trial->answered);
    }
    return NULL;
}

static void *ask(void *argument)
{
    struct trial *trial = argument;
    uint64_t begun;
    uint32_t done;
    pthread_t server;

    run_on(trial->client);
    if (riad_thread_start("riad-trial", serve, trial, &server) < 0) {
        return NULL;
    }
    begun = riad_now_ns();
    for (done = 0; done < MESSAGES; done++) {
        tell(&trial->asked);
        if (!await(trial, &trial->answered, done)) {
            break;
        }
        work();
    }
    trial->message_ns = done < MESSAGES_MIN ? 0 : (riad_now_ns() - begun) / done;
    atomic_store(&trial->ended, true);
    pthread_join(server, NULL);
    return NULL;
}

/* ns that a message takes; 0: it could not be tried. */
static uint64_t try_place(bool across, int client, int server)
{
    struct trial trial = {
        .across = across, .client = client, .server = server, .until_ns = riad_now_ns() + TRIAL_NS
    };
    pthread_t thread;

    if (riad_thread_start("riad-trial", ask, &trial, &thread) < 0) {
        return 0;
    }
    pthread_join(thread, NULL);
    return trial.message_ns;
}

/* The first two processors of the process. False: there is one. */
static bool find_processors(int *ret_client, int *ret_server)
{
    int found[2] = { 0 }, count = 0;
    cpu_set_t all;

    if (sched_getaffinity(getpid(), sizeof all, &all) < 0) {
        return false;
    }
    for (int i = 0; i < CPU_SETSIZE && count < 2; i++) {
        if (CPU_ISSET((size_t)i, &all)) {
            found[count++] = i;
        }
    }
    *ret_client = found[0];
    *ret_server = found[1];
    return count == 2;
}

/* The least of both is nearest to the truth: others disturb a trial, they do not help it. */
static void try_both(int client, int server, uint64_t ret_ns[2])
{
    ret_ns[0] = ret_ns[1] = UINT64_MAX;
    for (int i = 0; i < 2 * ROUNDS; i++) {
        uint64_t ns = try_place(i % 2 == 1, client, server);

        if (ns > 0 && ns < ret_ns[i % 2]) {
            ret_ns[i % 2] = ns;
        }
    }
}

enum riad_place riad_ring_choose(bool may_idle)
{
    enum riad_place here = may_idle ? RIAD_PLACE_BESIDE : RIAD_PLACE_ORDINARY;
    uint64_t ns[2];
    int client, server;

    if (!find_processors(&client, &server)) {
        return here;
    }
    try_both(client, server, ns);
    return ns[1] <= ns[0] + CACHES_NS && ns[1] != UINT64_MAX ? RIAD_PLACE_ACROSS : here;
}
