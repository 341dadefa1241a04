#include "riad/diag.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_SIZE = 1024, ESCAPE_SIZE = 4 };

static const char cut[] = "...\n";

static _Atomic int highest_level = RIAD_WARNING;
static _Atomic int output = -1; /* -1: stderr */

struct line {
    char text[LINE_MAX_SIZE];
    size_t size;
};

void riad_diag_set_level(enum riad_level level)
{
    atomic_store(&highest_level, (int)level);
}

void riad_diag_set_fd(int fd)
{
    atomic_store(&output, fd);
}

size_t riad_show_now(char ret[32])
{
    struct timespec now;
    struct tm parts;
    size_t size;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size = strftime(ret, 32, "%Y-%m-%dT%H:%M:%S", &parts);
    return size + (size_t)snprintf(ret + size, 32 - size, ".%03dZ", (int)(now.tv_nsec / 1000000));
}

static void put_prefix(struct line *line, enum riad_level level)
{
    static const char *const names[] = { "error", "warning", "info", "debug" };

    line->size = riad_show_now(line->text);
    line->size += (size_t)snprintf(
            line->text + line->size, sizeof line->text - line->size, " %s: ", names[level]);
}

/* C0, DEL, and C1 as UTF-8 writes it (0xc2 0x80..0x9f): what a terminal obeys. text ends with a
 * zero. */
static bool is_control(const char *text, size_t i)
{
    uint8_t byte = (uint8_t)text[i];
    uint8_t before = i > 0 ? (uint8_t)text[i - 1] : 0;
    uint8_t after = (uint8_t)text[i + 1];

    return byte < 0x20 || byte == 0x7f || (byte == 0xc2 && (after & 0xe0) == 0x80) ||
           (before == 0xc2 && (byte & 0xe0) == 0x80);
}

/* Appends the text, controls as \xNN, and a newline; text that would not leave room for `cut` is
 * cut. */
static void put_escaped(struct line *line, const char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++) {
        bool control = is_control(text, i);
        size_t size = control ? ESCAPE_SIZE : 1;

        if (line->size + size + sizeof cut > sizeof line->text) {
            memcpy(line->text + line->size, cut, sizeof cut - 1);
            line->size += sizeof cut - 1;
            return;
        }
        if (control) {
            snprintf(line->text + line->size, ESCAPE_SIZE + 1, "\\x%02x", (uint8_t)text[i]);
        } else {
            line->text[line->size] = text[i];
        }
        line->size += size;
    }
    line->text[line->size++] = '\n';
}

/* One write, so that lines of several threads do not mix. If it fails there is nobody left to tell.
 */
static void emit(enum riad_level level, const char *message)
{
    int set = atomic_load(&output);
    int fd = set >= 0 ? set : STDERR_FILENO;
    struct line line = { .size = 0 };
    ssize_t n;

    if (!isatty(fd)) {
        put_prefix(&line, level);
    }
    put_escaped(&line, message);
    n = TEMP_FAILURE_RETRY(write(fd, line.text, line.size));
    (void)n;
}

void riad_diag(enum riad_level level, const char *format, ...)
{
    int saved = errno;
    char message[LINE_MAX_SIZE];
    va_list arguments;
    int n;

    if ((int)level > atomic_load(&highest_level)) {
        return;
    }
    va_start(arguments, format);
    n = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    emit(level, n < 0 ? "(a message that cannot be formatted)" : message);
    errno = saved;
}
