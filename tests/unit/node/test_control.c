#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/control.h"
#include "riad/error.h"

#include "control_priv.h"
#include "temporary.h"
#include "unit.h"

static json_t *echo(void *context, uid_t uid, const char *operation, const json_t *request)
{
    int *calls = context;

    assert_int_equal(uid, geteuid());
    ++*calls;
    return json_pack("{s:b, s:s, s:O?}", "ok", 1, "op", operation, "value",
            json_object_get(request, "value"));
}

struct fixture {
    struct temporary temporary;
    struct riad_state state;
    struct riad_control *control;
    int calls;
};

static int setup(void **context)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    assert_int_equal(temporary_make(&fixture->temporary), 0);
    assert_int_equal(riad_state_open(fixture->temporary.path, &fixture->state), 0);
    assert_int_equal(
            riad_control_start(&fixture->state, echo, &fixture->calls, &fixture->control), 0);
    *context = fixture;
    return 0;
}

static int teardown(void **context)
{
    struct fixture *fixture = *context;

    riad_control_stop(fixture->control);
    riad_state_close(&fixture->state);
    temporary_remove(&fixture->temporary);
    free(fixture);
    return 0;
}

static int raw_connection(const struct fixture *fixture)
{
    int run = openat(fixture->state.fd, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address;

    assert_int_equal(riad_control_address(run, getpid(), &address), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(run);
    return fd;
}

static void assert_answers(const struct fixture *fixture)
{
    json_t *reply, *arguments = json_pack("{s:i}", "value", 42);

    assert_int_equal(
            riad_control_call(&fixture->state, getpid(), "echo", arguments, 5000, &reply), 0);
    assert_int_equal(json_integer_value(json_object_get(reply, "value")), 42);
    assert_string_equal(json_string_value(json_object_get(reply, "op")), "echo");
    json_decref(reply);
    json_decref(arguments);
}

static void test_call(void **context)
{
    assert_answers(*context);
}

static void test_silent_client_stalls_nobody(void **context)
{
    struct fixture *fixture = *context;
    int silent[4];

    for (size_t i = 0; i < 4; i++) {
        silent[i] = raw_connection(fixture);
    }
    assert_answers(fixture);
    for (size_t i = 0; i < 4; i++) {
        close(silent[i]);
    }
}

/* Who comes when all places are taken is told so, whether it has sent its request by then or not;
 * and is served when one of the others has left. */
static void test_too_many_are_turned_away(void **context)
{
    struct fixture *fixture = *context;
    int silent[RIAD_CONTROL_CLIENTS_MAX];
    int64_t begun = riad_control_now();
    json_t *reply = NULL;

    for (size_t i = 0; i < RIAD_CONTROL_CLIENTS_MAX; i++) {
        silent[i] = raw_connection(fixture);
    }
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(
                riad_control_call(&fixture->state, getpid(), "echo", NULL, 5000, &reply), 0);
        assert_true(json_is_false(json_object_get(reply, "ok")));
        assert_non_null(strstr(json_string_value(json_object_get(reply, "error")), "too many"));
        json_decref(reply);
    }
    assert_int_equal(fixture->calls, 0);
    assert_true(riad_control_now() - begun < RIAD_CONTROL_CLIENT_MS);
    for (size_t i = 0; i < RIAD_CONTROL_CLIENTS_MAX; i++) {
        close(silent[i]);
    }
    while (fixture->calls == 0 && riad_control_now() - begun < 10000) {
        assert_int_equal(
                riad_control_call(&fixture->state, getpid(), "echo", NULL, 5000, &reply), 0);
        json_decref(reply);
    }
    assert_true(fixture->calls > 0);
}

/* P9: nothing that comes over the socket reaches the handler unless it is one bounded JSON object
 * with a version. */
static void test_hostile_requests(void **context)
{
    struct fixture *fixture = *context;
    static const char *const lines[] = { "\n", "[]\n", "{\n", "{\"version\":1}\n",
        "{\"op\":\"x\"}\n", "{\"version\":2,\"op\":\"x\"}\n", "{\"version\":1,\"op\":7}\n",
        "\xff\xfe\n", "{\"version\":1,\"version\":1,\"op\":\"x\"}\n" };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        int fd = raw_connection(fixture);
        char reply[256];

        assert_int_equal(send(fd, lines[i], strlen(lines[i]), MSG_NOSIGNAL), strlen(lines[i]));
        while (recv(fd, reply, sizeof reply, 0) > 0) {
        }
        close(fd);
    }
    assert_int_equal(fixture->calls, 0);
    assert_answers(fixture);
}

static void test_overlong_request_is_dropped(void **context)
{
    struct fixture *fixture = *context;
    _cleanup_free_ char *flood = malloc(RIAD_CONTROL_LINE_MAX + 1);
    int fd = raw_connection(fixture);
    char byte;

    memset(flood, ' ', RIAD_CONTROL_LINE_MAX + 1);
    for (size_t sent = 0; sent <= RIAD_CONTROL_LINE_MAX;) {
        ssize_t n = send(fd, flood + sent, RIAD_CONTROL_LINE_MAX + 1 - sent, MSG_NOSIGNAL);

        if (n <= 0) {
            break;
        }
        sent += (size_t)n;
    }
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
    assert_int_equal(fixture->calls, 0);
}

static void test_list_removes_stale_sockets(void **context)
{
    struct fixture *fixture = *context;
    _cleanup_free_ int *pids = NULL;
    int run = openat(fixture->state.fd, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address;
    size_t count;

    /* The socket of a process that was killed: bound, nobody listens. */
    assert_int_equal(riad_control_address(run, 999999, &address), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    assert_int_equal(riad_control_list(&fixture->state, &pids, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(pids[0], getpid());
    assert_int_equal(faccessat(run, "999999.sock", F_OK, 0), -1);
    close(run);
}

static void test_no_process(void **context)
{
    struct fixture *fixture = *context;
    json_t *reply;

    assert_int_equal(
            riad_control_call(&fixture->state, 999998, "echo", NULL, 1000, &reply), -ECONNREFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_call, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silent_client_stalls_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_are_turned_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overlong_request_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list_removes_stale_sockets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_process, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
