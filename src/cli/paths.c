/* Names of files, as they are shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"

#include "cli.h"

json_t *json_path(const char *path)
{
    json_t *text = json_string(path);
    _cleanup_free_ char *copy = text ? NULL : strdup(path);

    for (char *at = copy; at && *at; at++) {
        *at = *at & 0x80 ? '?' : *at;
    }
    return text ? text : json_string(copy ? copy : "");
}

void print_path(const char *path)
{
    for (; *path; path++) {
        unsigned char byte = (unsigned char)*path;

        putchar(byte < ' ' || byte == 0x7f ? '?' : byte);
    }
}
