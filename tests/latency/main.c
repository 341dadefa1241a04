#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "shim.h"

/* As many calls are under way at a time, as with the slots of an NFS session. */
#define THREADS 64

static void shim_init(void *data, struct fuse_conn_info *connection)
{
    (void)data;
    connection->want |= connection->capable & FUSE_CAP_WRITEBACK_CACHE;
    connection->max_background = connection->congestion_threshold = THREADS;
}

static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int serve(struct fuse_session *session, const char *mount_point)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    fuse_loop_cfg_set_max_threads(config, THREADS);
    fuse_loop_cfg_set_idle_threads(config, THREADS);
    int r = fuse_set_signal_handlers(session) < 0 || fuse_session_mount(session, mount_point) < 0
                    ? -1
                    : 0;
    if (r == 0) {
        printf("mounted\n");
        fflush(stdout);
        r = fuse_session_loop_mt(session, config);
        fuse_session_unmount(session);
    }
    fuse_remove_signal_handlers(session);
    fuse_loop_cfg_destroy(config);
    return r;
}

static int usage(void)
{
    fprintf(stderr, "Usage: latency-shim MILLISECONDS SOURCE MOUNT-POINT\n"
                    "Shows the directory, with so much time more for each call, until it is "
                    "unmounted or ended by a signal.\n"
                    "MOUNT-POINT/" CALLS_NAME " says how many calls there were.\n");
    return 2;
}

int main(int argc, char **argv)
{
    char *end = NULL, *mount_arguments[] = { argv[0], "-o",
        "allow_other,default_permissions,fsname=latency,subtype=latency", NULL };
    double milliseconds = argc == 4 ? strtod(argv[1], &end) : -1;
    struct fuse_args args = FUSE_ARGS_INIT(3, mount_arguments);
    struct fuse_lowlevel_ops ops = { .init = shim_init };
    if (!end || *end != '\0' || milliseconds < 0 || milliseconds > 10000) {
        return usage();
    }
    if (inodes_open(argv[2]) < 0) {
        perror(argv[2]);
        return 1;
    }
    umask(0);
    allow_descriptors();
    call_set_latency(milliseconds);
    names_add(&ops);
    attributes_add(&ops);
    files_add(&ops);
    listing_add(&ops);
    struct fuse_session *session = fuse_session_new(&args, &ops, sizeof ops, NULL);
    int r = session ? serve(session, argv[3]) : -1;
    if (session) {
        fuse_session_destroy(session);
    }
    fuse_opt_free_args(&args);
    return r == 0 ? 0 : 1;
}
