#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/diag.h"
#include "riad/error.h"

#include "host_priv.h"

static int add(struct riad_host *host, const char *workspace, char *directory)
{
    struct riad_host_mount *wanted = &host->wanted[host->wanted_count];
    char *name = strdup(workspace);

    if (!name || !directory) {
        free(name);
        free(directory);
        return -ENOMEM;
    }
    *wanted = (struct riad_host_mount){ .workspace = name, .directory = directory };
    host->wanted_count++;
    return 0;
}

static int plan_named(struct riad_host *host)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < host->config->mount_count; i++) {
        r = add(host, host->config->mounts[i].workspace, strdup(host->config->mounts[i].directory));
    }
    return r;
}

/* rmdir succeeds on an empty directory only: so a directory that holds something is never covered
 * by a mount. */
static int make_empty_directory(const char *path)
{
    if (rmdir(path) < 0 && errno != ENOENT) {
        return -errno;
    }
    return mkdir(path, 0700) < 0 ? -errno : 0;
}

static int plan_one(struct riad_host *host, const char *name, struct riad_reason *reason)
{
    char *directory = NULL;
    int r;

    /* A name is the owner's choice, but it must stay below the directory. */
    if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        riad_diag(RIAD_WARNING, "a workspace whose name is no directory name was not mounted");
        return RIAD_EXIT_DONE;
    }
    if (asprintf(&directory, "%s/%s", host->config->all_below, name) < 0) {
        return RIAD_EXIT_FAILED;
    }
    r = make_empty_directory(directory);
    if (r < 0) {
        snprintf(reason->text, sizeof reason->text, "cannot make the mount point %s: %s", directory,
                strerror(-r));
        free(directory);
        return r == -ENOTEMPTY ? RIAD_EXIT_NOT_EMPTY
               : r == -EBUSY   ? RIAD_EXIT_ALREADY_MOUNTED
                               : RIAD_EXIT_FAILED;
    }
    return add(host, name, directory) < 0 ? RIAD_EXIT_FAILED : RIAD_EXIT_DONE;
}

static int plan_all(struct riad_host *host, struct riad_reason *reason)
{
    const struct riad_catalog *catalog = &host->unlocked.catalog;
    int code = RIAD_EXIT_DONE;

    for (size_t i = 0; code == RIAD_EXIT_DONE && i < catalog->workspace_count; i++) {
        char name[256];
        int r = catalog->workspaces[i].deleted
                        ? -ENOENT
                        : riad_unlocked_name(&host->unlocked, &catalog->workspaces[i].id, name);

        if (r == 0 &&
                riad_host_expiry_state(&catalog->workspaces[i].expiry) == RIAD_EXPIRY_LOCKED) {
            riad_diag(RIAD_WARNING,
                    "workspace `%s` has expired and is locked; it was not mounted: `riad workspace "
                    "extend` opens it again",
                    name);
        } else if (r == 0) {
            code = plan_one(host, name, reason);
        } else if (!catalog->workspaces[i].deleted) {
            riad_diag(RIAD_WARNING,
                    "a workspace's keys are damaged; it was not mounted: run riad fsck");
        }
    }
    return code;
}

int riad_host_plan(struct riad_host *host, struct riad_reason *ret_reason)
{
    size_t most = host->config->all_below ? host->unlocked.catalog.workspace_count
                                          : host->config->mount_count;

    host->wanted = calloc(most + 1, sizeof *host->wanted);
    host->mounts = calloc(most + 1, sizeof *host->mounts);
    if (!host->wanted || !host->mounts) {
        return RIAD_EXIT_FAILED;
    }
    if (host->config->all_below) {
        return plan_all(host, ret_reason);
    }
    return plan_named(host) < 0 ? RIAD_EXIT_FAILED : RIAD_EXIT_DONE;
}

void riad_host_plan_done(struct riad_host *host)
{
    for (size_t i = 0; i < host->wanted_count; i++) {
        free((char *)host->wanted[i].workspace);
        free((char *)host->wanted[i].directory);
        free(host->mounts[i].source);
    }
    free(host->wanted);
    free(host->mounts);
    host->wanted = NULL;
    host->mounts = NULL;
}
