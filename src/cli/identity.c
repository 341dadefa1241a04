/* What makes a machine a node of a site: its configuration and its key; and opening them. */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "cli.h"

const char *config_path(const struct options *options)
{
    const char *given = options->config ? options->config : getenv("RIAD_CONFIG");

    return given ? given : RIAD_CONFIG_DEFAULT;
}

void identity_done(struct identity *identity)
{
    free(identity->path);
    free(identity->key_path);
}

static int make_config_directory(const char *path)
{
    _cleanup_free_ char *directory = riad_config_beside(path, "");

    if (!directory) {
        return -ENOMEM;
    }
    if (directory[0] == '\0') { /* a plain name: here */
        return 0;
    }
    return mkdir(directory, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int check_new(const struct identity *identity)
{
    if (access(identity->path, F_OK) == 0) {
        return fail(RIAD_EXIT_FAILED,
                "%s is there already: this machine is a node of a site (`riad site show`); "
                "--config names another file",
                identity->path);
    }
    return RIAD_EXIT_DONE;
}

static int check_asked(const struct options *options, const char *name, struct identity *ret)
{
    if (name && !riad_site_is_node_name(name)) {
        return usage_error(
                "`%s` is no node's name: letters, digits, dots, dashes, underscores; at most %d",
                name, RIAD_NODE_NAME_MAX);
    }
    ret->user = options->user;
    if (ret->user && (geteuid() != 0 || riad_account_find(ret->user, &ret->account) < 0)) {
        return fail(RIAD_EXIT_FAILED,
                "--user %s: only root can give store and state to another account, and it must be "
                "there (adduser --system %s)",
                ret->user, ret->user);
    }
    return RIAD_EXIT_DONE;
}

static int choose_paths(const struct options *options, struct identity *ret)
{
    int r = make_config_directory(config_path(options));

    if (r < 0) {
        return fail(RIAD_EXIT_FAILED,
                "cannot make the directory of %s: %s (--config names another place)",
                config_path(options), strerror(-r));
    }
    ret->path = absolute_path(config_path(options));
    ret->key_path = ret->path ? riad_config_beside(ret->path, "node.key") : NULL;
    if (!ret->key_path) {
        return fail(RIAD_EXIT_FAILED, "cannot use %s: %s", config_path(options), strerror(errno));
    }
    return check_new(ret);
}

/* A key that is there is one that joined before, and was not added yet: it is used again. */
static int make_key(struct identity *ret)
{
    int r = riad_node_key_create(ret->key_path, &ret->node);

    if (r == -EEXIST) {
        r = riad_node_key_load(ret->key_path, &ret->node, NULL);
    }
    return r < 0 ? fail(RIAD_EXIT_FAILED,
                           "cannot write the node's key %s: %s (--config names another place for "
                           "both)",
                           ret->key_path, strerror(-r))
                 : RIAD_EXIT_DONE;
}

int make_identity(const struct options *options, const char *name, struct identity *ret)
{
    int code = check_asked(options, name, ret);

    if (code == RIAD_EXIT_DONE) {
        code = choose_paths(options, ret);
    }
    if (code == RIAD_EXIT_DONE) {
        code = make_key(ret);
    }
    if (code == RIAD_EXIT_DONE && name) {
        snprintf(ret->node.name, sizeof ret->node.name, "%s", name);
    }
    return code;
}

int write_config(
        const struct identity *identity, const char *store, const struct riad_public_key *root)
{
    int r = riad_config_write(identity->path, store, root, identity->user);

    if (r == -EINVAL) {
        return fail(RIAD_EXIT_FAILED,
                "the path %s cannot stand in a configuration file: no quotes, #, ; or tabs, at "
                "most 180 characters",
                store);
    }
    return r < 0 ? fail(RIAD_EXIT_FAILED, "cannot write %s: %s", identity->path, strerror(-r))
                 : RIAD_EXIT_DONE;
}

/* Its owner is the worker's user, who could not make it. */
static int give(int directory, const char *name, const struct riad_account *account)
{
    return fchownat(directory, name, account->uid, account->gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno
                                                                                          : 0;
}

int give_state(const struct identity *identity)
{
    static const char path[] = "/var/lib/riad"; /* where riad_state_open looks, without more */
    int r;

    if (!identity->user || getenv("RIAD_STATE_DIR")) {
        return RIAD_EXIT_DONE;
    }
    r = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno
                                                 : give(AT_FDCWD, path, &identity->account);
    return r < 0 ? fail(RIAD_EXIT_FAILED, "cannot make %s for %s: %s", path, identity->user,
                           strerror(-r))
                 : RIAD_EXIT_DONE;
}

/* nftw has no context. */
static struct riad_account receiver;

static int give_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    return give(AT_FDCWD, path, &receiver) < 0 ? -1 : 0;
}

int give_store(const struct identity *identity, const char *store)
{
    if (!identity->user) {
        return RIAD_EXIT_DONE;
    }
    receiver = identity->account;
    return nftw(store, give_one, 16, FTW_PHYS) < 0
                   ? fail(RIAD_EXIT_FAILED, "cannot give %s to %s: %s", store, identity->user,
                             strerror(errno))
                   : RIAD_EXIT_DONE;
}

int open_node(const char *path, struct riad_node *ret)
{
    struct riad_reason reason;
    int code = riad_node_open(path, NULL, ret, &reason);

    if (code != RIAD_EXIT_DONE) {
        ret->state.fd = ret->store.fd = -1;
        return fail(code, "%s", reason.text);
    }
    return RIAD_EXIT_DONE;
}

/* Before this process becomes another user, who may not read it. */
static int read_code(const struct options *options, struct riad_secret **ret)
{
    struct options as_code = *options;
    enum riad_slot_kind kind;

    as_code.recovery = true;
    return read_secret(&as_code, "the site root", &kind, ret);
}

int begin_node(int argc, char **argv, const char *letters, int count, const char *wanted,
        struct options *ret_options, struct riad_secret **ret_code, struct riad_node *ret)
{
    int r = parse_options(argc, argv, letters, ret_options), code;

    ret->state.fd = ret->store.fd = -1;
    if (r != 0) {
        return r;
    }
    if (optind + count != argc) {
        return count == 0 ? usage_error("it takes no argument") : usage_error("%s", wanted);
    }
    code = ret_code ? read_code(ret_options, ret_code) : RIAD_EXIT_DONE;
    return code == RIAD_EXIT_DONE ? open_node(config_path(ret_options), ret) : code;
}

int open_site_root(const struct riad_node *node, const struct riad_secret *code,
        struct riad_user *ret, struct riad_keypair *ret_keys)
{
    int r = riad_user_load(&node->store, &node->site.root_user, ret);

    if (r < 0) {
        return fail(riad_exit_of(r),
                "the site root's file in %s cannot be read (%s): restore user/ from a backup",
                node->config.store, strerror(-r));
    }
    r = riad_user_unlock(&node->store, ret, RIAD_SLOT_RECOVERY, code, ret_keys);
    if (r == 0 && memcmp(&ret_keys->sign_key, &node->site.root, sizeof node->site.root) != 0) {
        r = -EBADMSG; /* somebody else's file in its place */
    }
    if (r == -ENOKEY) {
        riad_events_record(&node->state, "unlock-failed", &node->store.binding.store, NULL,
                "wrong recovery code of the site root");
        return fail(riad_exit_of(r), "wrong recovery code of the site root");
    }
    return r < 0 ? fail(riad_exit_of(r),
                           "the site root's file in %s was tampered with or is damaged (%s)",
                           node->config.store, strerror(-r))
                 : RIAD_EXIT_DONE;
}
