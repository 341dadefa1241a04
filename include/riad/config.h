/* Layer node. The configuration of a node of a site: where the store is, and whom to believe (K3).
 * An ini file, read by inih; its home is here. */
#ifndef RIAD_CONFIG_H
#define RIAD_CONFIG_H

#include "riad/roster.h"
#include "riad/units.h"
#include "riad/workspace.h"

#define RIAD_CONFIG_DEFAULT "/etc/riad/riadd.conf"
#define RIAD_NODE_KEY_DEFAULT "node.key" /* beside it */

struct riad_config {
    char *path;                       /* of the file, as given */
    char *store;                      /* absolute */
    struct riad_public_key root;      /* of the site: the trust anchor */
    char *node_key;                   /* file of this node's key, absolute */
    char *state;                      /* local state; NULL: the default */
    char *run;                        /* directory of riadd's sockets */
    char *user;                       /* whom riadd's worker becomes; NULL: it stays who it is */
    char *home;                       /* where homes are mounted, with %n for the user's name */
    char *project;                    /* where projects are, with %n for the project's */
    uint64_t home_bytes, home_inodes; /* limits of new homes; 0: none */
    uint64_t project_bytes, project_inodes; /* of projects that users make */
    uint64_t lock_idle_seconds;             /* 0: never */
    bool lock_logout;                       /* what has nobody left who is logged in is locked */
    char *utmp;                             /* the file that says who is */
    bool no_enrol;                          /* users cannot enrol themselves */
    bool users_make_projects;               /* not only admins */
    char *limit_command; /* a program that is told of each limit that is passed; NULL: none */
    char *admins;        /* the group of accounts that are admins; NULL: root alone */
};

/* -ENOENT; -EPERM others than root and ourselves may write it: it says whom to believe; -EINVAL an
 * unknown section or name, one that is there twice or missing, or a value that is none; errno of
 * reading. ret_reason: with the line. */
int riad_config_load(
        const char *path, struct riad_config *ret, struct riad_reason *ret_reason) RIAD_MUST_CHECK;
/* The same of a file's text; path: for messages and relative names. */
int riad_config_parse(const char *path, const char *text, struct riad_config *ret,
        struct riad_reason *ret_reason) RIAD_MUST_CHECK;
void riad_config_done(struct riad_config *config);
/* Where a home (name: its user's) or a project is mounted; heap, NULL if memory is short. */
char *riad_config_place(
        const struct riad_config *config, enum riad_workspace_kind kind, const char *name);
/* The path of riadd's socket: "control" for everybody, "keys" for the keys of workspaces. */
char *riad_config_socket(const struct riad_config *config, const char *name);
/* Writes a new file, with comments, mode 0644; its directory is made when missing (mode 0755).
 * store: absolute. user: NULL: none. -EEXIST; -EINVAL a store that the file cannot name; errno. */
int riad_config_write(const char *path, const char *store, const struct riad_public_key *root,
        const char *user) RIAD_MUST_CHECK;
/* The path of a file named `name` beside the configuration; heap, NULL if memory is short. */
char *riad_config_beside(const char *path, const char *name);

#endif
