#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/fdio.h"

#include "privilege_priv.h"

enum { STATUS_MAX = 1 << 16 };
#define FIRST_USER_NAMESPACE 0xEFFFFFFDu /* the kernel's PROC_USER_INIT_INO */

/* /proc's page on the thread; heap, NULL if there is none. */
static char *read_status(pid_t pid)
{
    uint8_t *status = NULL;
    char path[32];
    size_t size;
    int r;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    r = pid > 0 ? riad_read_file_at(AT_FDCWD, path, STATUS_MAX, &status, &size) : -ESRCH;
    return r < 0 ? NULL : (char *)status;
}

/* What follows a field's name, NULL if it is not there. */
static const char *find_field(const char *status, const char *field)
{
    const char *found = status ? strstr(status, field) : NULL;

    return found ? found + strlen(field) : NULL;
}

static bool has_capability(const char *status, unsigned capability)
{
    const char *set = find_field(status, "\nCapEff:\t");

    return set && strtoull(set, NULL, 16) >> capability & 1;
}

static bool has_group(const char *status, uint32_t group)
{
    const char *list = find_field(status, "\nGroups:\t");
    char *end;

    while (list && *list != '\n') {
        unsigned long number = strtoul(list, &end, 10);

        if (end == list) {
            return false;
        }
        if (number == group) {
            return true;
        }
        list = end + strspn(end, " ");
    }
    return false;
}

/* Where riad may not look (its caller is somebody else's), only the first namespace's root is
 * believed to be in it. */
static bool is_in_first_namespace(pid_t pid, uid_t uid)
{
    char path[32];
    struct stat st;

    snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
    if (stat(path, &st) < 0) {
        return uid == 0;
    }
    return st.st_ino == FIRST_USER_NAMESPACE;
}

bool riad_privilege_is_admin(pid_t pid, uid_t uid)
{
    _cleanup_free_ char *status = read_status(pid);

    return has_capability(status, CAP_SYS_ADMIN) && is_in_first_namespace(pid, uid);
}

bool riad_privilege_is_member(int32_t pid, uint32_t group)
{
    _cleanup_free_ char *status = read_status(pid);

    return has_group(status, group) || has_capability(status, CAP_FSETID);
}
