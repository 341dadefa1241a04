/* A site's daemon, as commands ask it. */
#ifndef RIAD_SITE_CLIENT_H
#define RIAD_SITE_CLIENT_H

#include "riad/monitor.h"

#include "cli.h"

enum { SITE_TIMEOUT_MS = 600 * 1000 };

struct site_client {
    struct riad_config config;
    char *control, *keys; /* paths of riadd's sockets */
};

/* This machine is one of a site's, or is said to be: what names no store means the site. */
bool has_site(const struct options *options);
/* Reads the configuration; reported. Exit code. */
int open_site(const struct options *options, struct site_client *ret);
void close_site(struct site_client *client);
#define _cleanup_site_client_ __attribute__((cleanup(close_site)))
/* How commands for a site begin: options, so many arguments, open_site. Exit code; -1: help. */
int begin_site(int argc, char **argv, const char *letters, int least, int most, const char *wanted,
        struct options *ret_options, struct site_client *ret);
/* Sends the operation; arguments: taken over, or NULL. Reports what went wrong. Exit code; *ret is
 * a new reference. */
int ask_site(
        const struct site_client *client, const char *operation, json_t *arguments, json_t **ret);
/* The same, but what riadd says is the caller's to look at: *ret may say that it went wrong. */
int call_site(
        const struct site_client *client, const char *operation, json_t *arguments, json_t **ret);
/* The exit code of a reply; what is no success is reported, after `what`. */
int report_reply(json_t *reply, const char *what);
/* Gives the reply out if it says that it went well; else that is reported, and it is freed. */
int take_reply(json_t *reply, json_t **ret);
/* Gives the root keys of a workspace, of all epochs, to riadd, which opens and mounts it, or, where
 * it is open, goes on with the present epoch's. Exit code; reported. */
int give_keys(const struct site_client *client, const struct riad_id *workspace,
        const struct riad_secret *roots, json_t **ret);
/* The same, but what riadd says is the caller's to look at. */
int offer_keys(const struct site_client *client, const struct riad_id *workspace,
        const struct riad_secret *roots, json_t **ret);

/* Gives them for a check, or a check and a repair, of a workspace that is not open; hears each line
 * of it (riad/monitor.h). Exit code; reported but for damage that was heard of. */
int give_keys_to_check(const struct site_client *client, bool repair,
        const struct riad_id *workspace, const struct riad_secret *roots,
        void (*hear)(void *context, const json_t *line), void *context);

/* Bytes of a fixed size; -EBADMSG. */
int get_fixed_hex(const json_t *object, const char *name, void *ret, size_t size) RIAD_MUST_CHECK;
int get_binding(const json_t *reply, struct riad_store_binding *ret) RIAD_MUST_CHECK;

/* A user of the site, opened with her secret: by `riad unlock` and the commands that change it. */
struct site_user {
    json_t *own;             /* riadd's answer: her files and workspaces */
    struct riad_store store; /* its binding only: nothing of the store is touched here */
    struct riad_user user;
    struct riad_keypair keys;
};
/* Asks for her files, reads the secret, opens and verifies. Exit code; reported. */
int open_site_user(
        const struct options *options, const struct site_client *client, struct site_user *ret);
void close_site_user(struct site_user *user);
#define _cleanup_site_user_ __attribute__((cleanup(close_site_user)))
/* One of her workspaces, with its key. */
struct site_workspace {
    struct riad_id id;
    uint8_t *data; /* the roster's bytes */
    size_t size;
    struct riad_public_key owner; /* whose signature its first entry has */
    struct riad_roster roster;
    struct riad_secret *roots; /* of all epochs */
    struct riad_secret *root;  /* of the present one */
};
/* Of an item of user->own: verified, and opened with her keys. Exit code; reported. *ret is for
 * site_workspace_done in any case. */
int open_site_item(const struct site_user *user, const json_t *item, struct site_workspace *ret);
/* The project of that name. As above. */
int open_site_workspace(const struct site_user *user, const char *name, struct site_workspace *ret);
void site_workspace_done(struct site_workspace *workspace);
/* Makes a project that is reserved for her (an item of user->own), and opens it. Exit code;
 * reported; *ret as of give_key. */
int make_project(const struct site_client *client, const struct site_user *user, const json_t *item,
        json_t **ret);
/* riad workspace create, extend and delete without a store. Exit code; reported. */
int create_site_project(const struct options *options, const char *name);
int extend_site_workspace(const struct options *options, const char *name);
int delete_site_workspace(const struct options *options, const char *name);
/* riad passwd and riad recovery without a store. Exit code; reported. */
int change_site_secret(const struct options *options, bool recovery);

#endif
