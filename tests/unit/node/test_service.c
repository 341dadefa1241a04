/* What the monitor does for a worker that asks for more than it may: the worker is broken into. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "monitor_priv.h"
#include "unit.h"

static struct riad_monitor monitor;
static struct riad_service *service;
static pthread_t thread;
static int raw; /* the worker's end, too */
static unsigned readiness;

static void ready(void *context)
{
    (void)context;
    readiness++;
}

static int setup(void **state)
{
    int ends[2];

    (void)state;
    monitor = (struct riad_monitor){ .keys_fd = -1, .ready = ready };
    readiness = 0;
    assert_int_equal(riad_keypair_generate(&monitor.keys), 0);
    monitor.self.sign_key = monitor.keys.sign_key;
    monitor.config.home = strdup("/nowhere/at/all/%n");
    pthread_mutex_init(&monitor.lock, NULL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    monitor.service_fd = ends[0];
    raw = ends[1];
    assert_int_equal(riad_service_new(ends[1], &service), 0);
    assert_int_equal(pthread_create(&thread, NULL, riad_monitor_serve, &monitor), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    riad_service_free(service);
    pthread_join(thread, NULL);
    close(monitor.service_fd);
    riad_keypair_done(&monitor.keys);
    free(monitor.config.home);
    pthread_mutex_destroy(&monitor.lock);
    return 0;
}

static int ask(enum riad_service_operation operation, const void *payload, size_t size,
        struct riad_service_reply *reply)
{
    const struct riad_service_request request = { .operation = operation, .size = (uint32_t)size };

    return riad_service_call(service, &request, payload, reply, NULL);
}

static void who_it_is_and_that_it_serves(void **state)
{
    struct riad_service_reply reply;

    (void)state;
    assert_int_equal(ask(RIAD_SERVICE_SELF, NULL, 0, &reply), 0);
    assert_memory_equal(&reply.self.sign_key, &monitor.keys.sign_key, sizeof monitor.keys.sign_key);
    assert_int_equal(ask(RIAD_SERVICE_READY, NULL, 0, &reply), 0);
    assert_int_equal(ask(RIAD_SERVICE_READY, NULL, 0, &reply), 0);
    assert_int_equal(readiness, 1);
}

/* F8: the node's key signs terms and batches of the catalog, and nothing that looks otherwise. */
static void only_terms_and_batches_are_signed(void **state)
{
    static const char term[] = "riad/v1/term\0RIAT and so on",
                      batch[] = "riad/v1/catalog\0RIAC ...";
    static const struct {
        const char *text;
        size_t size;
    } others[] = { { "riad/v1/site\0RIAS ...", 21 }, { "riad/v1/user\0RIAU ...", 21 },
        { "riad/v1/roster\0RIAO ...", 23 }, { "riad/v1/term\0RIAC ...", 21 },
        { "riad/v1/term", 12 }, { "x", 1 } };
    struct riad_service_reply reply;

    (void)state;
    assert_int_equal(ask(RIAD_SERVICE_SIGN, term, sizeof term, &reply), 0);
    assert_int_equal(riad_verify(&monitor.keys.sign_key, term, sizeof term, reply.signature), 0);
    assert_int_equal(ask(RIAD_SERVICE_SIGN, batch, sizeof batch, &reply), 0);
    assert_int_equal(riad_verify(&monitor.keys.sign_key, batch, sizeof batch, reply.signature), 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(ask(RIAD_SERVICE_SIGN, others[i].text, others[i].size, &reply), -EPERM);
    }
}

/* Only where it mounted itself, for a key that somebody gave, at a place that the configuration
 * names. */
static void nothing_else_is_mounted_or_unmounted(void **state)
{
    struct riad_service_request request = { .operation = RIAD_SERVICE_UNMOUNT, .path = "/proc" };
    struct riad_service_reply reply;

    (void)state;
    assert_int_equal(riad_service_call(service, &request, NULL, &reply, NULL), -ENOENT);
    request.operation = RIAD_SERVICE_ABORT;
    assert_int_equal(riad_service_call(service, &request, NULL, &reply, NULL), -ENOENT);
    request.operation = RIAD_SERVICE_MOUNT;
    request.kind = RIAD_KIND_HOME;
    snprintf(request.name, sizeof request.name, "../../etc");
    assert_int_equal(riad_service_call(service, &request, NULL, &reply, NULL), -EINVAL);
    request.kind = 7;
    snprintf(request.name, sizeof request.name, "ann");
    assert_int_equal(riad_service_call(service, &request, NULL, &reply, NULL), -EINVAL);
}

static void what_is_no_request_is_refused(void **state)
{
    struct riad_service_request request = { .operation = RIAD_SERVICE_SELF, .size = 5 };
    struct riad_service_reply reply;
    int fd = -1;

    (void)state;
    assert_int_equal(riad_service_send(raw, "x", 1, NULL, 0, -1), 0);
    assert_int_equal(riad_service_receive(raw, &reply, sizeof reply, &fd), sizeof reply);
    assert_int_equal(reply.result, -EINVAL);
    assert_int_equal(riad_service_call(service, &request, NULL, &reply, NULL), -EINVAL);
    request.size = 0;
    memset(request.name, 'x', sizeof request.name); /* without an end */
    assert_int_equal(riad_service_call(service, &request, NULL, &reply, NULL), -EINVAL);
    assert_int_equal(ask((enum riad_service_operation)99, NULL, 0, &reply), -EINVAL);
    assert_int_equal(ask(RIAD_SERVICE_SELF, NULL, 0, &reply), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_it_is_and_that_it_serves),
        TEST(only_terms_and_batches_are_signed),
        TEST(nothing_else_is_mounted_or_unmounted),
        TEST(what_is_no_request_is_refused),
    };

    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
