#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "cli.h"

enum { SECRET_LINE_MAX = 1024 };

static int read_from_fd(int fd, const char *where, struct riad_secret **ret)
{
    int r = riad_secret_read_fd(fd, ret);

    if (r == -EINVAL) {
        return fail(RIAD_EXIT_USAGE,
                "%s is empty or longer than 1024 bytes: it should hold one secret", where);
    }
    return r < 0 ? fail(RIAD_EXIT_FAILED, "cannot read %s: %s", where, strerror(-r))
                 : RIAD_EXIT_DONE;
}

static int read_from_file(const char *path, struct riad_secret **ret)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;

    if (fd < 0) {
        return fail(RIAD_EXIT_FAILED, "cannot open %s: %s", path, strerror(errno));
    }
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 077) != 0) {
        fprintf(stderr, "riad: warning: %s can be read by others: chmod 600 it\n", path);
    }
    return read_from_fd(fd, path, ret);
}

/* Signals come while it waits here, and only here: none is overlooked between a look and a wait. */
static int wait_for_input(int fd, const sigset_t *signals)
{
    struct pollfd input = { .fd = fd, .events = POLLIN };

    return ppoll(&input, 1, NULL, signals) < 0 ? -errno : 0;
}

/* Reads one line without echo, byte by byte into locked memory: no stdio buffer sees it. signals:
 * the mask while it waits. -EINTR. */
static int read_line(int fd, const sigset_t *signals, struct riad_secret **ret)
{
    _cleanup_secret_ struct riad_secret *line = NULL;
    size_t size = 0;
    int r = riad_secret_new(SECRET_LINE_MAX, &line);

    if (r < 0) {
        return r;
    }
    for (;;) {
        uint8_t *byte = riad_secret_bytes(line) + size;
        ssize_t n;

        r = wait_for_input(fd, signals);
        if (r < 0) {
            return r;
        }
        n = read(fd, byte, 1);
        if (n < 0 || (n == 0 && size == 0)) {
            return n < 0 ? -errno : -ENODATA;
        }
        if (n == 0 || *byte == '\n') {
            break;
        }
        if (++size == SECRET_LINE_MAX) {
            return -EINVAL;
        }
    }
    if (size == 0) {
        return -EINVAL;
    }
    riad_secret_truncate(line, size);
    *ret = riad_take_pointer(line);
    return 0;
}

static const int fatal_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
enum { FATAL_SIGNALS = sizeof fatal_signals / sizeof fatal_signals[0] };

static volatile sig_atomic_t caught;

static void remember_signal(int number)
{
    caught = number;
}

static int ask_silently(int fd, const struct termios *normal, const char *text,
        const sigset_t *signals, struct riad_secret **ret)
{
    struct termios quiet = *normal;
    int r;

    quiet.c_lflag &= ~(tcflag_t)(ECHO);
    tcsetattr(fd, TCSAFLUSH, &quiet); /* before the prompt: what is typed after it counts */
    dprintf(fd, "%s: ", text);
    r = read_line(fd, signals, ret);
    tcsetattr(fd, TCSAFLUSH, normal);
    dprintf(fd, "\n");
    return r;
}

/* Reads a line with the echo off. A signal meanwhile must not leave the terminal silent: it
 * interrupts the reading, and takes its course when the echo is back. */
static int read_silently(int fd, const char *text, struct riad_secret **ret)
{
    struct sigaction interrupt = { .sa_handler = remember_signal }, before[FATAL_SIGNALS];
    struct termios normal;
    sigset_t held, mask;
    int r;

    if (tcgetattr(fd, &normal) < 0) {
        return -errno;
    }
    caught = 0;
    sigemptyset(&held);
    for (size_t i = 0; i < FATAL_SIGNALS; i++) {
        sigaddset(&held, fatal_signals[i]);
    }
    sigprocmask(SIG_BLOCK, &held, &mask);
    for (size_t i = 0; i < FATAL_SIGNALS; i++) {
        sigaction(fatal_signals[i], &interrupt, &before[i]);
    }
    r = ask_silently(fd, &normal, text, &mask, ret);
    for (size_t i = 0; i < FATAL_SIGNALS; i++) {
        sigaction(fatal_signals[i], &before[i], NULL);
    }
    if (caught) {
        raise(caught);
    }
    sigprocmask(SIG_SETMASK, &mask, NULL); /* now it takes its course */
    return r;
}

static int prompt(const char *text, struct riad_secret **ret)
{
    _cleanup_close_ int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    int r;

    if (fd < 0) {
        return fail(RIAD_EXIT_USAGE,
                "no terminal to ask for the %s on: use --passphrase-file F or --passphrase-fd N",
                text);
    }
    r = read_silently(fd, text, ret);
    if (r == -EINVAL) {
        return fail(RIAD_EXIT_USAGE, "an empty or overlong %s is no secret", text);
    }
    return r < 0 ? fail(RIAD_EXIT_FAILED, "cannot read the %s: %s", text, strerror(-r))
                 : RIAD_EXIT_DONE;
}

/* Turns the text of a recovery code into the 32 bytes it stands for. */
static int decode_recovery(struct riad_secret **secret)
{
    struct riad_secret *code;
    int r = riad_recovery_parse(*secret, &code);

    if (r < 0) {
        riad_secret_free(*secret);
        *secret = NULL;
        return fail(RIAD_EXIT_WRONG_SECRET,
                "this is no recovery code: it has 56 letters and digits 2 "
                "to 7, in groups of 7; look for a typing error");
    }
    riad_secret_free(*secret);
    *secret = code;
    return RIAD_EXIT_DONE;
}

static int read_passphrase(
        const struct options *options, const char *store, struct riad_secret **ret)
{
    const char *file =
            options->passphrase_file ? options->passphrase_file : getenv("RIAD_PASSPHRASE_FILE");
    char text[512];

    if (options->passphrase_fd >= 0) {
        return read_from_fd(options->passphrase_fd, "the passphrase descriptor", ret);
    }
    if (file) {
        return read_from_file(file, ret);
    }
    snprintf(text, sizeof text, "Passphrase for %s", store);
    return prompt(text, ret);
}

static int read_key_file(const char *path, struct riad_secret **ret)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t bytes[33];
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    int r = n == 32 ? riad_secret_new_copy(bytes, 32, ret) : -EINVAL;

    riad_wipe(bytes, sizeof bytes);
    return r < 0 ? fail(RIAD_EXIT_USAGE, "%s is no key file: it must hold exactly 32 bytes", path)
                 : RIAD_EXIT_DONE;
}

int read_secret(const struct options *options, const char *store, enum riad_slot_kind *ret_kind,
        struct riad_secret **ret)
{
    char text[512];
    int code;

    if (options->key_file) {
        *ret_kind = RIAD_SLOT_KEY_FILE;
        return read_key_file(options->key_file, ret);
    }
    if (!options->recovery && !options->recovery_file) {
        *ret_kind = RIAD_SLOT_PASSPHRASE;
        return read_passphrase(options, store, ret);
    }
    *ret_kind = RIAD_SLOT_RECOVERY;
    snprintf(text, sizeof text, "Recovery code for %s", store);
    code = options->recovery_file ? read_from_file(options->recovery_file, ret) : prompt(text, ret);
    return code == RIAD_EXIT_DONE ? decode_recovery(ret) : code;
}

int read_new_secret(const char *file, const char *what, struct riad_secret **ret)
{
    _cleanup_secret_ struct riad_secret *first = NULL;
    _cleanup_secret_ struct riad_secret *second = NULL;
    char text[256];
    int code;

    if (file) {
        return read_from_file(file, ret);
    }
    code = prompt(what, &first);
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    snprintf(text, sizeof text, "%s, again", what);
    code = prompt(text, &second);
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    if (!riad_secret_equal(first, second)) {
        return fail(RIAD_EXIT_USAGE, "the two differ: nothing was changed");
    }
    *ret = riad_take_pointer(first);
    return RIAD_EXIT_DONE;
}

void show_recovery(const char text[RIAD_RECOVERY_TEXT_SIZE], const char *store)
{
    printf("\nRecovery code of %s:\n\n    %s\n\n"
           "It is shown this once. Write it down and keep it apart from this machine: it opens the "
           "store when\n"
           "the passphrase is lost. Nobody can open the store without one of the two.\n",
            store, text);
}
