#include "riad/session.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/diag.h"
#include "riad/error.h"
#include "riad/members.h"

#include "counters_priv.h"
#include "listings_priv.h"
#include "options_priv.h"
#include "reason_priv.h"
#include "session_priv.h"
#include "stale_priv.h"
#include "syncs_priv.h"

static int check_config(const struct riad_session_config *config, struct riad_options *ret_options,
        struct riad_reason *ret_reason)
{
    struct riad_options options = {
        .read_only = config->read_only,
        .allow_other = config->allow_other,
        .threads = config->threads,
    };
    int r = riad_options_parse(config->options, &options, ret_reason);

    if (r < 0) {
        return r;
    }
    options.read_only = options.read_only || config->read_only;
    if (options.threads > RIAD_THREADS_MAX) {
        return riad_reason_set(
                ret_reason, -EINVAL, "At most %d threads can serve a mount.", RIAD_THREADS_MAX);
    }
    if (options.no_xattr && riad_members_guarded(config->workspace)) {
        return riad_reason_set(ret_reason, -EINVAL,
                "A workspace of several members cannot be mounted with noxattr: their rights are "
                "access lists.");
    }
    *ret_options = options;
    return 0;
}

/* All that can be known before trying, as libfuse and fusermount3 say too little. */
static int check_surroundings(
        const char *mountpoint, const struct riad_options *options, struct riad_reason *ret_reason)
{
    int r = riad_reason_check_mountpoint(mountpoint, ret_reason);

    if (r == 0) {
        r = riad_reason_check_device("/dev/fuse", ret_reason);
    }
    if (r == 0 && geteuid() != 0) {
        r = riad_reason_check_helper("/usr/bin/fusermount3", ret_reason);
    }
    if (r == 0 && geteuid() != 0 && options->allow_other) {
        r = riad_reason_check_allow_other("/etc/fuse.conf", ret_reason);
    }
    return r;
}

static int make_fuse_session(struct riad_session *session, const struct riad_options *options,
        const char *source, struct riad_reason *ret_reason)
{
    _cleanup_free_ char *text = NULL;
    struct fuse_args arguments = FUSE_ARGS_INIT(0, NULL);
    int r = riad_options_format(options, source, &text);

    if (r < 0) {
        return riad_reason_set(ret_reason, r, "The mount's source \"%.64s\" cannot be used: %s.",
                source, strerror(-r));
    }
    if (fuse_opt_add_arg(&arguments, "riad") == 0 && fuse_opt_add_arg(&arguments, "-o") == 0 &&
            fuse_opt_add_arg(&arguments, text) == 0) {
        session->fuse = fuse_session_new(&arguments, &riad_ops, sizeof riad_ops, session);
    }
    fuse_opt_free_args(&arguments);
    if (!session->fuse) {
        return riad_reason_set(ret_reason, -ENOMEM, "libfuse refused the mount: %s.",
                riad_reason_libfuse()[0] ? riad_reason_libfuse() : "out of memory");
    }
    return 0;
}

static int mount_by_itself(struct riad_session *session, struct riad_reason *ret_reason)
{
    if (fuse_session_mount(session->fuse, session->mountpoint) < 0) {
        return riad_reason_set(ret_reason, -EACCES, "Mounting at %.128s failed: %s.",
                session->mountpoint,
                riad_reason_libfuse()[0]
                        ? riad_reason_libfuse()
                        : "fusermount3 refused (see its message; the directory must be writable "
                          "for you, and fusermount3 setuid root)");
    }
    return 0;
}

/* libfuse takes a mounted connection by this name, and closes it in the end. */
static int mount_by_service(
        struct riad_session *session, const char *source, struct riad_reason *ret_reason)
{
    int fd = session->service->mount(session->service->context, session->mountpoint, source);
    char name[32];

    if (fd < 0) {
        return riad_reason_set(ret_reason, fd, "Mounting at %.128s failed: %s.",
                session->mountpoint, strerror(-fd));
    }
    snprintf(name, sizeof name, "/dev/fd/%d", fd);
    if (fuse_session_mount(session->fuse, name) < 0) {
        close(fd);
        return riad_reason_set(ret_reason, -EIO, "libfuse refused the mounted connection.");
    }
    return 0;
}

static int mount_session(struct riad_session *session, const struct riad_session_config *config,
        const struct riad_options *options, struct riad_reason *ret_reason)
{
    int r = config->service ? mount_by_service(session, config->source, ret_reason)
                            : mount_by_itself(session, ret_reason);

    if (r < 0) {
        return r;
    }
    session->mount_id = riad_unmount_mount_id(session->mountpoint);
    r = riad_transport_new(
            session, options->threads, options->no_uring, config->reactor, &session->transport);
    if (r == 0) {
        r = riad_listings_new(fuse_session_fd(session->fuse), &session->listings);
    }
    if (r == 0) {
        r = riad_stale_new(fuse_session_fd(session->fuse), &session->stale);
    }
    if (r == 0) {
        r = riad_syncs_new(session->workspace, &session->syncs);
    }
    if (r < 0) {
        return riad_reason_set(
                ret_reason, r, "The mount's threads cannot be prepared: %s.", strerror(-r));
    }
    return 0;
}

int riad_session_mount(const struct riad_session_config *config, struct riad_session **ret,
        struct riad_reason *ret_reason)
{
    struct riad_session *session;
    struct riad_options options;
    int r;

    riad_reason_watch_libfuse();
    r = check_config(config, &options, ret_reason);
    if (r == 0 && !config->service) {
        r = check_surroundings(config->mountpoint, &options, ret_reason);
    }
    if (r < 0) {
        return r;
    }
    session = calloc(1, sizeof *session);
    if (session) {
        session->workspace = config->workspace;
        session->service = config->service;
        session->mountpoint = strdup(config->mountpoint);
        session->no_xattr = options.no_xattr;
        session->guarded = riad_members_guarded(config->workspace);
        session->synchronous = options.synchronous;
        session->directory_synchronous = options.directory_synchronous;
    }
    if (!session || !session->mountpoint) {
        free(session);
        return riad_reason_set(ret_reason, -ENOMEM, "Out of memory.");
    }
    r = make_fuse_session(session, &options, config->source, ret_reason);
    if (r == 0) {
        r = mount_session(session, config, &options, ret_reason);
    }
    if (r < 0) {
        riad_session_free(session);
        return r;
    }
    *ret = session;
    return 0;
}

/* Until the kernel has asked for the root's attributes, it takes root for the owner, and refuses
 * the owner's chmod of the mount point. */
static void learn_root(const char *mountpoint)
{
    struct stat st;
    int r = stat(mountpoint, &st);

    (void)r; /* without an answer all is as it was */
}

int riad_session_start(struct riad_session *session)
{
    int r;

    session->started = true;
    r = riad_transport_start(session->transport);
    if (r == 0) {
        learn_root(session->mountpoint);
        riad_readahead_raise(session->mountpoint);
    }
    return r;
}

int riad_session_ended_fd(const struct riad_session *session)
{
    return riad_transport_ended_fd(session->transport);
}

int riad_session_unmount(struct riad_session *session, bool lazy)
{
    return riad_unmount(session, lazy);
}

/* A mount whose connection was aborted would stay behind, dead. libfuse's own unmount then closes
 * the device and forgets the path. */
void riad_session_free(struct riad_session *session)
{
    if (!session) {
        return;
    }
    if (session->transport && riad_unmount(session, true) < 0) {
        riad_diag(RIAD_WARNING, "The mount at %s stays behind: unmount it by hand.",
                session->mountpoint);
    }
    if (session->started) {
        riad_transport_join(session->transport);
    }
    riad_listings_free(session->listings);
    riad_stale_free(session->stale);
    riad_syncs_free(session->syncs);
    if (session->fuse) {
        fuse_session_unmount(session->fuse);
        fuse_session_destroy(session->fuse);
    }
    riad_transport_free(session->transport);
    free(session->mountpoint);
    free(session);
}

/* Names first: what is looked up from then on brings its attributes along. */
void riad_session_forget(struct riad_session *session, bool pages)
{
    _cleanup_free_ uint64_t *inodes = NULL;
    int device = fuse_session_fd(session->fuse);
    size_t count = 0;
    int r = riad_workspace_known(session->workspace, &inodes, &count);

    riad_stale_names(device);
    for (size_t i = 0; i < count; i++) {
        riad_stale_tell(device, inodes[i], pages ? 0 : RIAD_STALE_ATTRIBUTES, 0);
    }
    if (r < 0) {
        riad_diag(RIAD_WARNING, "The kernel keeps what it knows of the files at %s: %s",
                session->mountpoint, strerror(-r));
    }
}

void riad_session_count(const struct riad_session *session, struct riad_session_counters *ret)
{
    riad_transport_count(session->transport, ret);
}

uint64_t riad_session_uses(const struct riad_session *session)
{
    struct riad_session_counters counters;

    riad_session_count(session, &counters);
    return riad_counters_uses(&counters);
}

const char *riad_session_transport(const struct riad_session *session)
{
    return riad_transport_name(session->transport);
}
