#include <stdio.h>
#include <stdlib.h>

#include "riad/cleanup.h"
#include "riad/error.h"

#include "fuse_priv.h"
#include "options_priv.h"
#include "reason_priv.h"

enum { NO_FIELD = -1 };

/* The closed list. What every mount has anyway (nosuid ...) may be named and changes nothing. */
static const struct {
    const char *name;
    int field; /* offset of a bool in struct riad_options */
    bool value;
} known[] = {
    { "ro", offsetof(struct riad_options, read_only), true },
    { "rw", offsetof(struct riad_options, read_only), false },
    { "noexec", offsetof(struct riad_options, no_exec), true },
    { "exec", offsetof(struct riad_options, no_exec), false },
    { "noatime", offsetof(struct riad_options, no_atime), true },
    { "atime", offsetof(struct riad_options, no_atime), false },
    { "sync", offsetof(struct riad_options, synchronous), true },
    { "async", offsetof(struct riad_options, synchronous), false },
    { "dirsync", offsetof(struct riad_options, directory_synchronous), true },
    { "allow_other", offsetof(struct riad_options, allow_other), true },
    { "noxattr", offsetof(struct riad_options, no_xattr), true },
    { "xattr", offsetof(struct riad_options, no_xattr), false },
    { "nouring", offsetof(struct riad_options, no_uring), true },
    { "uring", offsetof(struct riad_options, no_uring), false },
    { "defaults", NO_FIELD, false },
    { "default_permissions", NO_FIELD, false },
    { "nosuid", NO_FIELD, false },
    { "nodev", NO_FIELD, false },
};

static int parse_threads(
        const char *value, struct riad_options *options, struct riad_reason *ret_reason)
{
    size_t digits = strspn(value, "0123456789");
    unsigned long number = strtoul(value, NULL, 10); /* ULONG_MAX if it is too large */

    if (digits == 0 || value[digits] != '\0' || number < 1 || number > RIAD_THREADS_MAX) {
        return riad_reason_set(ret_reason, -EINVAL,
                "The mount option max_threads takes a number from 1 to %d.", RIAD_THREADS_MAX);
    }
    options->threads = (unsigned)number;
    return 0;
}

static int refuse(const char *option, struct riad_reason *ret_reason)
{
    if (strcmp(option, "suid") == 0 || strcmp(option, "dev") == 0) {
        return riad_reason_set(ret_reason, -EINVAL,
                "The mount option %s is refused: workspaces are always nosuid and nodev.", option);
    }
    return riad_reason_set(ret_reason, -EINVAL,
            "The mount option \"%.64s\" is not known. Known are ro, rw, noexec, exec, noatime, "
            "atime, sync, async, dirsync, allow_other, noxattr, nouring, max_threads=N.",
            option);
}

static int parse_one(
        const char *option, struct riad_options *options, struct riad_reason *ret_reason)
{
    static const char threads[] = "max_threads=";

    if (strncmp(option, threads, sizeof threads - 1) == 0) {
        return parse_threads(option + sizeof threads - 1, options, ret_reason);
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(option, known[i].name) != 0) {
            continue;
        }
        if (known[i].field != NO_FIELD) {
            *(bool *)((char *)options + known[i].field) = known[i].value;
        }
        return 0;
    }
    return refuse(option, ret_reason);
}

int riad_options_parse(
        const char *text, struct riad_options *options, struct riad_reason *ret_reason)
{
    struct riad_options parsed = *options;
    _cleanup_free_ char *copy = strdup(text ? text : "");
    char *rest = copy;
    char *option;
    int r;

    if (!copy) {
        return riad_reason_set(ret_reason, -ENOMEM, "Out of memory.");
    }
    while ((option = strsep(&rest, ","))) {
        if (option[0] == '\0') {
            continue;
        }
        r = parse_one(option, &parsed, ret_reason);
        if (r < 0) {
            return r;
        }
    }
    *options = parsed;
    return 0;
}

/* libfuse and fusermount3 split at commas that no backslash precedes. */
static int put_source(FILE *out, const char *source)
{
    if (source[0] == '\0') {
        return -EINVAL;
    }
    fputs("fsname=", out);
    for (const char *c = source; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            return -EINVAL;
        }
        if (*c == ',' || *c == '\\') {
            fputc('\\', out);
        }
        fputc(*c, out);
    }
    return 0;
}

static void put_flags(FILE *out, const struct riad_options *options)
{
    fprintf(out, ",subtype=riad,default_permissions,nosuid,nodev,max_read=%d", RIAD_MESSAGE_MAX);
    fputs(options->read_only ? ",ro" : "", out);
    fputs(options->no_exec ? ",noexec" : "", out);
    fputs(options->no_atime ? ",noatime" : "", out);
    fputs(options->synchronous ? ",sync" : "", out);
    fputs(options->directory_synchronous ? ",dirsync" : "", out);
    fputs(options->allow_other ? ",allow_other" : "", out);
}

int riad_options_format(const struct riad_options *options, const char *source, char **ret)
{
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    bool failed;
    int r;

    if (!out) {
        return -ENOMEM;
    }
    r = put_source(out, source);
    put_flags(out, options);
    failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        return -ENOMEM;
    }
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(text);
    return 0;
}
