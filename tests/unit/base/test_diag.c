#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/diag.h"

#include "unit.h"

static int pipe_fds[2];

static int setup(void **state)
{
    (void)state;
    if (pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC) < 0) {
        return -1;
    }
    riad_diag_set_fd(pipe_fds[1]);
    riad_diag_set_level(RIAD_INFO);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    riad_diag_set_fd(-1);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return 0;
}

/* What came out since the last call; empty if nothing. */
static size_t take_output(int fd, char *ret, size_t capacity)
{
    ssize_t n = read(fd, ret, capacity - 1);

    ret[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static bool matches(const char *text, const char *pattern)
{
    regex_t regex;
    int r;

    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    r = regexec(&regex, text, 0, NULL, 0);
    regfree(&regex);
    return r == 0;
}

#define STAMP "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "

static void lines_carry_time_and_level(void **state)
{
    char text[2000];

    (void)state;
    riad_diag(RIAD_WARNING, "store %s is %d%% full", "S", 97);
    take_output(pipe_fds[0], text, sizeof text);
    assert_true(matches(text, STAMP "warning: store S is 97% full\n$"));
    riad_diag(RIAD_ERROR, "no");
    take_output(pipe_fds[0], text, sizeof text);
    assert_true(matches(text, STAMP "error: no\n$"));
}

static void lines_above_the_level_are_dropped(void **state)
{
    char text[2000];

    (void)state;
    riad_diag(RIAD_DEBUG, "a plaintext name");
    assert_int_equal(take_output(pipe_fds[0], text, sizeof text), 0);
    riad_diag(RIAD_INFO, "shown");
    assert_int_not_equal(take_output(pipe_fds[0], text, sizeof text), 0);
    riad_diag_set_level(RIAD_ERROR);
    riad_diag(RIAD_WARNING, "dropped");
    assert_int_equal(take_output(pipe_fds[0], text, sizeof text), 0);
    riad_diag_set_level(RIAD_DEBUG);
    riad_diag(RIAD_DEBUG, "a plaintext name");
    take_output(pipe_fds[0], text, sizeof text);
    assert_true(matches(text, "debug: a plaintext name\n$"));
}

static void control_bytes_are_escaped(void **state)
{
    char text[2000];

    (void)state;
    riad_diag(RIAD_ERROR, "a\nb\x1b[31mc\x7f\r\xc2\x9b"
                          "d\xc3\xa9\xc2\xa0%%");
    take_output(pipe_fds[0], text, sizeof text);
    assert_non_null(
            strstr(text, "error: a\\x0ab\\x1b[31mc\\x7f\\x0d\\xc2\\x9bd\xc3\xa9\xc2\xa0%\n"));
}

static void lines_are_one_kibibyte_at_most(void **state)
{
    char text[4000];
    char message[3001];

    (void)state;
    for (int step = 900; step < 1100; step++) {
        memset(message, step % 2 ? '\n' : 'x', sizeof message);
        message[step] = '\0';
        riad_diag(RIAD_ERROR, "%s", message);
        assert_true(take_output(pipe_fds[0], text, sizeof text) <= 1024);
        assert_true(matches(text, "[^.]\n$") || matches(text, "[^.]\\.\\.\\.\n$"));
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    }
    assert_true(matches(text, "\\.\\.\\.\n$"));
}

static void errno_is_kept_and_shown(void **state)
{
    char text[2000];

    (void)state;
    errno = ENOSPC;
    riad_diag(RIAD_ERROR, "write: %m");
    assert_int_equal(errno, ENOSPC);
    take_output(pipe_fds[0], text, sizeof text);
    assert_non_null(strstr(text, strerror(ENOSPC)));
    riad_diag_set_fd(999999);
    errno = ERANGE;
    riad_diag(RIAD_ERROR, "nobody reads this");
    assert_int_equal(errno, ERANGE);
}

static void a_terminal_gets_the_bare_message(void **state)
{
    _cleanup_close_ int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    _cleanup_close_ int end = -1;
    char text[2000];

    (void)state;
    if (terminal < 0 || grantpt(terminal) < 0 || unlockpt(terminal) < 0) {
        skip();
    }
    end = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    assert_true(end >= 0);
    riad_diag_set_fd(end);
    riad_diag(RIAD_ERROR, "bare");
    take_output(terminal, text, sizeof text);
    assert_string_equal(text, "bare\r\n");
}

static void *say_often(void *argument)
{
    for (int i = 0; i < 100; i++) {
        riad_diag(RIAD_ERROR, "thread %s says something", (const char *)argument);
    }
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    static char text[100000];
    static const char *const names[] = { "aaaa", "bbbb", "cccc", "dddd" };
    pthread_t threads[4];
    unsigned lines = 0;

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, say_often, (void *)names[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    take_output(pipe_fds[0], text, sizeof text);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        assert_true(matches(line, STAMP "error: thread (a{4}|b{4}|c{4}|d{4}) says something$"));
        lines++;
    }
    assert_int_equal(lines, 400);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_carry_time_and_level),
        TEST(lines_above_the_level_are_dropped),
        TEST(control_bytes_are_escaped),
        TEST(lines_are_one_kibibyte_at_most),
        TEST(errno_is_kept_and_shown),
        TEST(a_terminal_gets_the_bare_message),
        TEST(lines_of_threads_do_not_mix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
