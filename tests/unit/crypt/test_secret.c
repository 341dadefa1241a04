#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/secret.h"

#include "crypt/vectors.h"

/* AddressSanitizer turns mlock into nothing that succeeds. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool locks_are_real = false;
#else
static const bool locks_are_real = true;
#endif

/* Runs body in a child process and returns its wait status. A crash in it is silent and leaves no
 * core. */
static int in_child(void (*body)(struct riad_secret *), struct riad_secret *secret)
{
    const struct rlimit none = { 0, 0 };
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        setrlimit(RLIMIT_CORE, &none);
        body(secret);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void sizes_are_bounded_and_memory_is_zero(void **state)
{
    static const size_t sizes[] = { 1, 32, 64, 100, 4095, 4096, 4097, RIAD_SECRET_MAX };
    struct riad_secret *secret = NULL;

    (void)state;
    assert_int_equal(riad_secret_new(0, &secret), -EINVAL);
    assert_int_equal(riad_secret_new(RIAD_SECRET_MAX + 1, &secret), -EINVAL);
    assert_int_equal(riad_secret_new(SIZE_MAX, &secret), -EINVAL);
    assert_null(secret);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        _cleanup_secret_ struct riad_secret *fresh = NULL;

        assert_int_equal(riad_secret_new(sizes[i], &fresh), 0);
        assert_int_equal(riad_secret_size(fresh), sizes[i]);
        for (size_t j = 0; j < sizes[i]; j++) {
            assert_int_equal(riad_secret_peek(fresh)[j], 0);
        }
        memset(riad_secret_bytes(fresh), 0xff, sizes[i]);
    }
    riad_secret_free(NULL);
}

static void free_keeps_errno(void **state)
{
    _cleanup_secret_ struct riad_secret *secret = secret_from("x", 1);

    (void)state;
    errno = ENOTTY;
    riad_secret_free(riad_take_pointer(secret));
    assert_int_equal(errno, ENOTTY);
}

static void write_behind(struct riad_secret *secret)
{
    ((volatile uint8_t *)riad_secret_bytes(secret))[riad_secret_size(secret)] = 1;
}

static void write_inside(struct riad_secret *secret)
{
    ((volatile uint8_t *)riad_secret_bytes(secret))[riad_secret_size(secret) - 1] = 1;
}

static void one_byte_past_the_end_faults(void **state)
{
    _cleanup_secret_ struct riad_secret *secret = secret_from("0123456789", 10);
    int status;

    (void)state;
    status = in_child(write_inside, secret);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    status = in_child(write_behind, secret);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void expect_zeros(struct riad_secret *secret)
{
    for (size_t i = 0; i < riad_secret_size(secret); i++) {
        if (riad_secret_peek(secret)[i] != 0) {
            _exit(1);
        }
    }
}

static void a_forked_child_finds_zeros(void **state)
{
    _cleanup_secret_ struct riad_secret *secret = secret_from("0123456789", 10);

    (void)state;
    assert_int_equal(in_child(expect_zeros, secret), 0);
    assert_memory_equal(riad_secret_peek(secret), "0123456789", 10);
}

/* The kernel's flags of the mapping that holds address: "VmFlags: rd wr mr ...". */
static void read_flags(const void *address, char *ret, size_t size)
{
    _cleanup_fclose_ FILE *maps = fopen("/proc/self/smaps", "re");
    unsigned long low, high;
    bool inside = false;
    char line[512];

    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx ", &low, &high) == 2) {
            inside = (uintptr_t)address >= low && (uintptr_t)address < high;
        } else if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            snprintf(ret, size, "%s ", line);
            return;
        }
    }
    fail_msg("the mapping is missing");
}

static void pages_are_locked_and_left_out_of_dumps(void **state)
{
    _cleanup_secret_ struct riad_secret *secret = secret_from("0123456789", 10);
    char flags[600];

    (void)state;
    read_flags(riad_secret_peek(secret), flags, sizeof flags);
    assert_non_null(strstr(flags, " dd "));
    assert_non_null(strstr(flags, " wf "));
    if (locks_are_real && riad_secret_all_locked()) {
        assert_non_null(strstr(flags, " lo "));
    }
}

static void make_one_over_the_limit(struct riad_secret *unused)
{
    const struct rlimit none = { 0, 0 };
    struct riad_secret *secret;

    (void)unused;
    if (setrlimit(RLIMIT_MEMLOCK, &none) < 0 || (geteuid() == 0 && setuid(65534) < 0)) {
        _exit(1);
    }
    if (riad_secret_new_copy("abc", 3, &secret) < 0 || riad_secret_all_locked()) {
        _exit(2);
    }
    if (memcmp(riad_secret_peek(secret), "abc", 3) != 0) {
        _exit(3);
    }
}

static void over_the_lock_limit_it_works_and_tells(void **state)
{
    (void)state;
    if (!locks_are_real) {
        skip();
    }
    assert_int_equal(in_child(make_one_over_the_limit, NULL), 0);
}

static void truncating_wipes_the_tail(void **state)
{
    _cleanup_secret_ struct riad_secret *secret = secret_from("0123456789", 10);
    const uint8_t *bytes = riad_secret_peek(secret);

    (void)state;
    riad_secret_truncate(secret, 4);
    assert_int_equal(riad_secret_size(secret), 4);
    assert_memory_equal(bytes, "0123\0\0\0\0\0\0", 10);
    riad_secret_truncate(secret, 4);
    assert_int_equal(riad_secret_size(secret), 4);
}

static void equality_looks_at_size_and_every_byte(void **state)
{
    _cleanup_secret_ struct riad_secret *a = secret_from("0123456789", 10);
    _cleanup_secret_ struct riad_secret *b = secret_from("0123456789", 10);
    _cleanup_secret_ struct riad_secret *shorter = secret_from("012345678", 9);

    (void)state;
    assert_true(riad_secret_equal(a, b));
    assert_false(riad_secret_equal(a, shorter));
    for (size_t i = 0; i < 10; i++) {
        riad_secret_bytes(b)[i] ^= 0x80;
        assert_false(riad_secret_equal(a, b));
        assert_false(riad_equal_constant_time(riad_secret_peek(a), riad_secret_peek(b), 10));
        riad_secret_bytes(b)[i] ^= 0x80;
    }
    riad_wipe(riad_secret_bytes(b), 10);
    assert_memory_equal(riad_secret_peek(b), "\0\0\0\0\0\0\0\0\0\0", 10);
}

static void random_secrets_differ(void **state)
{
    _cleanup_secret_ struct riad_secret *a = NULL;
    _cleanup_secret_ struct riad_secret *b = NULL;

    (void)state;
    assert_int_equal(riad_secret_new_random(32, &a), 0);
    assert_int_equal(riad_secret_new_random(32, &b), 0);
    assert_false(riad_secret_equal(a, b));
}

static void harden(struct riad_secret *unused)
{
    struct rlimit core;

    (void)unused;
    if (riad_secret_harden_process() < 0 || prctl(PR_GET_DUMPABLE) != 0 ||
            getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur != 0 || core.rlim_max != 0) {
        _exit(1);
    }
}

static void hardening_forbids_dumps(void **state)
{
    (void)state;
    assert_int_equal(in_child(harden, NULL), 0);
}

/* What riad_secret_read_fd makes of the text, arriving in pieces of the given size. */
static int read_text(const char *text, size_t size, size_t step, struct riad_secret **ret)
{
    int ends[2];
    int r;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (size_t i = 0; i < size; i += step) {
            size_t n = size - i < step ? size - i : step;

            if (write(ends[1], text + i, n) != (ssize_t)n) {
                _exit(1);
            }
        }
        _exit(0);
    }
    close(ends[1]);
    r = riad_secret_read_fd(ends[0], ret);
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    return r;
}

static void assert_reads(const char *text, size_t size, size_t step, size_t expected)
{
    _cleanup_secret_ struct riad_secret *secret = NULL;

    assert_int_equal(read_text(text, size, step, &secret), 0);
    assert_int_equal(riad_secret_size(secret), expected);
    assert_memory_equal(riad_secret_peek(secret), text, expected);
}

static void a_passphrase_loses_one_newline(void **state)
{
    char longest[1026];

    (void)state;
    memset(longest, 'p', sizeof longest);
    assert_reads("open sesame", 11, 100, 11);
    assert_reads("open sesame\n", 12, 1, 11);
    assert_reads("two\n\n", 5, 100, 4);
    assert_reads("a\nb\0c\n", 6, 2, 5);
    assert_reads(longest, 1024, 100, 1024);
    longest[1024] = '\n';
    assert_reads(longest, 1025, 7, 1024);
}

static void empty_and_endless_passphrases_are_refused(void **state)
{
    struct riad_secret *secret = NULL;
    char longest[1026];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    memset(longest, 'p', sizeof longest);
    assert_int_equal(read_text("", 0, 1, &secret), -EINVAL);
    assert_int_equal(read_text("\n", 1, 1, &secret), -EINVAL);
    assert_int_equal(read_text(longest, 1025, 1025, &secret), -EINVAL);
    assert_int_equal(read_text(longest, 1026, 1026, &secret), -EINVAL);
    assert_int_equal(riad_secret_read_fd(-1, &secret), -EBADF);
    assert_null(secret);
}

static void a_terminal_gives_one_line(void **state)
{
    _cleanup_secret_ struct riad_secret *secret = NULL;
    _cleanup_close_ int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    _cleanup_close_ int terminal = -1;

    (void)state;
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) {
        skip();
    }
    terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0) {
        skip();
    }
    assert_int_equal(write(master, "first\nsecond\n", 13), 13);
    assert_int_equal(riad_secret_read_fd(terminal, &secret), 0);
    assert_int_equal(riad_secret_size(secret), 5);
    assert_memory_equal(riad_secret_peek(secret), "first", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_bounded_and_memory_is_zero),
        cmocka_unit_test(free_keeps_errno),
        cmocka_unit_test(one_byte_past_the_end_faults),
        cmocka_unit_test(a_forked_child_finds_zeros),
        cmocka_unit_test(pages_are_locked_and_left_out_of_dumps),
        cmocka_unit_test(over_the_lock_limit_it_works_and_tells),
        cmocka_unit_test(truncating_wipes_the_tail),
        cmocka_unit_test(equality_looks_at_size_and_every_byte),
        cmocka_unit_test(random_secrets_differ),
        cmocka_unit_test(hardening_forbids_dumps),
        cmocka_unit_test(a_passphrase_loses_one_newline),
        cmocka_unit_test(empty_and_endless_passphrases_are_refused),
        cmocka_unit_test(a_terminal_gives_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
