/* Paths, as they are named and as they are shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/text.h"

#include "cli.h"

int named_directory(int argc, char **argv, char **ret)
{
    const char *named = optind < argc ? argv[optind] : ".";
    char *path;

    if (optind + 1 < argc) {
        return usage_error("name one directory, or none for the current one");
    }
    path = absolute_path(named);
    if (!path) {
        return fail(RIAD_EXIT_NOT_MOUNTED, "%s: %s", named, strerror(errno));
    }
    *ret = path;
    return RIAD_EXIT_DONE;
}

json_t *json_path(const char *path)
{
    json_t *text = json_string(path);
    _cleanup_free_ char *copy = text ? NULL : strdup(path);

    for (char *at = copy; at && *at; at++) {
        *at = *at & 0x80 ? '?' : *at;
    }
    return text ? text : json_string(copy ? copy : "");
}

void print_calmly(FILE *file, const char *text, bool lines)
{
    while (*text) {
        size_t control = lines && *text == '\n' ? 0 : riad_text_control(text);

        fputc(control ? '?' : *text, file);
        text += control ? control : 1;
    }
}

void print_path(const char *path)
{
    print_calmly(stdout, path, false);
}
