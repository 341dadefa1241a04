/* Who keeps a mount busy, by what /proc shows: open files, working directories, roots, mappings. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "cli.h"

enum { HOLDERS_MAX = 20 };

struct search {
    unsigned major, minor; /* of the mount's device */
    json_t *found;
};

/* Without a request to the mount, which may hang. */
static bool is_on_mount(const struct search *search, int directory, const char *name)
{
    struct statx stx;

    return statx(directory, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &stx) == 0 &&
           stx.stx_dev_major == search->major && stx.stx_dev_minor == search->minor;
}

/* What a terminal would take for a command, or JSON for no text, is shown as "?". */
static void make_printable(char *text)
{
    for (; *text; text++) {
        *text = isprint((unsigned char)*text) ? *text : '?';
    }
}

static void read_command(int process, char *ret, size_t size)
{
    _cleanup_close_ int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, ret, size - 1);

    ret[n > 0 ? n : 0] = 0;
    ret[strcspn(ret, "\n")] = 0;
    make_printable(ret);
}

static void add(struct search *search, int process, int pid, const char *how, const char *path)
{
    char command[64], text[4096];

    if (json_array_size(search->found) >= HOLDERS_MAX) {
        return;
    }
    read_command(process, command, sizeof command);
    snprintf(text, sizeof text, "%s", path);
    make_printable(text);
    json_array_append_new(search->found, json_pack("{s:i, s:s, s:s, s:s}", "pid", pid, "command",
                                                 command, "how", how, "path", text));
}

/* A link of /proc/PID that leads to the mount; true if it does. */
static bool look_at_link(
        struct search *search, int process, int pid, const char *name, const char *how)
{
    char path[4096];
    ssize_t n;

    if (!is_on_mount(search, process, name)) {
        return false;
    }
    n = readlinkat(process, name, path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    add(search, process, pid, how, path);
    return true;
}

static bool look_at_files(struct search *search, int process, int pid)
{
    int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *files = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    bool found = false;

    if (!files) {
        riad_close_fd(&fd);
        return false;
    }
    while ((entry = readdir(files))) {
        char name[32];

        if (entry->d_name[0] == '.' || strlen(entry->d_name) > 16) {
            continue;
        }
        snprintf(name, sizeof name, "fd/%.16s", entry->d_name);
        found = look_at_link(search, process, pid, name, "open") || found;
    }
    return found;
}

/* The first mapping: "begin-end mode offset major:minor inode path". */
static void look_at_maps(struct search *search, int process, int pid)
{
    int fd = openat(process, "maps", O_RDONLY | O_CLOEXEC);
    _cleanup_fclose_ FILE *maps = fd < 0 ? NULL : fdopen(fd, "r");
    _cleanup_free_ char *line = NULL;
    size_t size = 0;
    unsigned major, minor;
    int at;

    if (!maps) {
        riad_close_fd(&fd);
        return;
    }
    while (getline(&line, &size, maps) >= 0) {
        at = 0;
        if (sscanf(line, "%*s %*s %*s %x:%x %*s %n", &major, &minor, &at) == 2 && at > 0 &&
                major == search->major && minor == search->minor) {
            line[strcspn(line, "\n")] = 0;
            add(search, process, pid, "mapped", line + at);
            return;
        }
    }
}

static void look_at_process(struct search *search, int proc, const char *name)
{
    _cleanup_close_ int process = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int pid = atoi(name);
    bool open = process >= 0 && look_at_files(search, process, pid);

    if (process >= 0) {
        look_at_link(search, process, pid, "cwd", "working directory");
        look_at_link(search, process, pid, "root", "root directory");
        if (!open) {
            look_at_maps(search, process, pid);
        }
    }
}

json_t *list_holders(const char *directory)
{
    _cleanup_closedir_ DIR *processes = opendir("/proc");
    struct search search = { .found = json_array() };
    const struct dirent *entry;
    struct statx stx;

    /* Where it is not mounted any more, the device is that of what lies below. */
    if (!processes || !search.found ||
            statx(AT_FDCWD, directory, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &stx) < 0 ||
            !(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT)) {
        return search.found;
    }
    search.major = stx.stx_dev_major;
    search.minor = stx.stx_dev_minor;
    while ((entry = readdir(processes))) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            look_at_process(&search, dirfd(processes), entry->d_name);
        }
    }
    return search.found;
}
