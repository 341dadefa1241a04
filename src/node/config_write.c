/* The configuration as it is first written. */
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/config.h"
#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/key_text.h"

static const char template[] =
        "# This node of a site: read by riadd and by riad's commands for admins. `riad site init`\n"
        "# or `riad node join` wrote it. Lines that begin with # or ; are comments.\n"
        "\n"
        "[site]\n"
        "# The store that the site's nodes share.\n"
        "store = %s\n"
        "# The public key of the site root, which signs the list of nodes. It decides whom this\n"
        "# node believes: it must come from the site's admin, never from the store.\n"
        "root = %s\n"
        "\n"
        "[node]\n"
        "# This node's own key; a relative name is beside this file.\n"
        "#key = " RIAD_NODE_KEY_DEFAULT "\n"
        "# Local state, on a local disk; it may be lost at any time.\n"
        "#state = /var/lib/riad\n"
        "# Where riadd's sockets are.\n"
        "#run = /run/riad\n"
        "# Whom riadd's worker becomes, which serves all requests and reads the store. Store and\n"
        "# local state belong to that user. None: it stays root.\n"
        "%suser = %s\n"
        "\n"
        "[mount]\n"
        "# Where homes are mounted; %%n is the user's name.\n"
        "#home = /riad/home/%%n\n"
        "# Where projects are mounted; %%n is the project's name.\n"
        "#project = /riad/project/%%n\n"
        "# Locks what nobody used for so long: 30m, 8h; 0s: never.\n"
        "#lock-idle = 0s\n"
        "# Locks what has nobody left who is logged in; who is, the file utmp says.\n"
        "#lock-logout = no\n"
        "#utmp = /run/utmp\n"
        "\n"
        "[policy]\n"
        "# Whether users may enrol themselves, and the limits of the home that they get.\n"
        "#enroll = yes\n"
        "#home-bytes = none\n"
        "#home-inodes = none\n"
        "# A group of accounts that may do what root may: make projects and set limits, without\n"
        "# anyone's key. None: root alone.\n"
        "#admins = riad-admins\n"
        "# Who makes projects: admins, or users too, with these limits.\n"
        "#projects = admins\n"
        "#project-bytes = none\n"
        "#project-inodes = none\n"
        "\n"
        "[events]\n"
        "# A program that is told of each limit that is passed, to mail it, say. It is started as\n"
        "# the user above, with three arguments: `limit`, the workspace's name, and a sentence.\n"
        "#limit-command = /usr/local/sbin/mail-limit\n";

/* What inih would take for something else in a value. */
static bool can_be_told(const char *store)
{
    size_t size = strlen(store);

    return store[0] == '/' && size < INI_MAX_LINE - 16 && !strpbrk(store, "\r\n\t;#\"") &&
           store[size - 1] != ' ';
}

int riad_config_write(
        const char *path, const char *store, const struct riad_public_key *root, const char *user)
{
    _cleanup_free_ char *directory = riad_config_beside(path, ".");
    _cleanup_free_ char *text = NULL;
    const char *slash = strrchr(path, '/');
    _cleanup_close_ int fd = -1;
    char key[RIAD_KEY_TEXT_SIZE];
    int r;

    if (!can_be_told(store)) {
        return -EINVAL;
    }
    r = riad_key_text(root, key);
    if (r < 0) {
        return r;
    }
    if (!directory ||
            asprintf(&text, template, store, key, user ? "" : "#", user ? user : "riad") < 0) {
        text = NULL;
        return -ENOMEM;
    }
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    r = riad_publish_file_at(fd, slash ? slash + 1 : path, text, strlen(text), RIAD_PUBLISH_NEW);
    return r == 0 && fchmodat(fd, slash ? slash + 1 : path, 0644, 0) < 0 ? -errno : r;
}
