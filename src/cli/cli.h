/* The riad command: a table of noun-verb commands, one file each, and what they share. */
#ifndef RIAD_CLI_H
#define RIAD_CLI_H

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>

#include "riad/error.h"
#include "riad/events.h"
#include "riad/host.h"
#include "riad/node.h"
#include "riad/sandbox.h"
#include "riad/units.h"

struct command {
    const char *name;      /* "quota set" */
    const char *arguments; /* as shown in the usage line */
    const char *summary;   /* one line */
    const char *help;      /* options and what a user must know */
    int (*run)(int argc, char **argv);
};

int command_init(int argc, char **argv);
int command_mount(int argc, char **argv);
int command_unmount(int argc, char **argv);
int command_lock(int argc, char **argv);
int command_status(int argc, char **argv);
int command_sync(int argc, char **argv);
int command_gc(int argc, char **argv);
int command_du(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_passwd(int argc, char **argv);
int command_recovery(int argc, char **argv);
int command_workspace_create(int argc, char **argv);
int command_workspace_list(int argc, char **argv);
int command_workspace_delete(int argc, char **argv);
int command_workspace_extend(int argc, char **argv);
int command_quota_set(int argc, char **argv);
int command_quota_check(int argc, char **argv);
int command_quota_show(int argc, char **argv);
int command_quota_report(int argc, char **argv);
int command_fsck(int argc, char **argv);
int command_scrub(int argc, char **argv);
int command_events(int argc, char **argv);
int command_site_init(int argc, char **argv);
int command_site_show(int argc, char **argv);
int command_site_recovery(int argc, char **argv);
int command_unlock(int argc, char **argv);
int command_user_enroll(int argc, char **argv);
int command_user_list(int argc, char **argv);
int command_user_show(int argc, char **argv);
int command_user_disable(int argc, char **argv);
int command_user_enable(int argc, char **argv);
int command_workspace_rekey(int argc, char **argv);
int command_member_list(int argc, char **argv);
int command_member_add(int argc, char **argv);
int command_member_role(int argc, char **argv);
int command_member_remove(int argc, char **argv);
int command_node_join(int argc, char **argv);
int command_node_list(int argc, char **argv);
int command_node_add(int argc, char **argv);
int command_node_remove(int argc, char **argv);

extern const struct command commands[];

/* --- options that many commands share; parsed by one function --- */
struct options {
    const char *passphrase_file, *recovery_file, *key_file, *new_passphrase_file, *new_key_file,
            *workspace, *state_dir, *confirm, *since, *head, *expires, *grace, *lock_idle, *config,
            *name, *user, *manager, *role, *from_file, *sort, *max_depth, *rate;
    const char *bytes, *inodes, *bytes_soft, *inodes_soft; /* -B, -I, -b, -i */
    int passphrase_fd;
    bool json, foreground, all, lazy, force, recovery, quiet, no_wait, repair;
    bool as_default, over, csv, human, workspaces, exact, users, groups;
    char mount_options[4096]; /* of every -o, joined by commas; "" */
};
/* letters: which options the command takes, of "pPrknKwsobBiIjfalFRqWXCAHEGLcNUMODTudvZzyYegx" (see
 * options.c); others are refused with the usage line. Leaves optind at the first argument. 0 or
 * RIAD_EXIT_USAGE (already reported), or -1: help was asked for and printed. */
int parse_options(int argc, char **argv, const char *letters, struct options *ret);
/* Reports a wrong use: one sentence and the usage line of the command. Returns RIAD_EXIT_USAGE. */
int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "riad: sentence" on stderr; returns code. */
int fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- sizes and counts --- */
/* Changes what -b, -B, -i and -I name in *ret; reports what is no size or count. Exit code. */
int parse_limits(const struct options *options, struct riad_catalog_limit *ret);
/* "1.5 GiB", "12 k"; "none" for 0 if zero_is_none. ret has 32 bytes. */
const char *show_bytes(uint64_t bytes, bool zero_is_none, char ret[32]);
const char *show_count(uint64_t count, bool zero_is_none, char ret[32]);

/* --- times, in seconds since 1970 --- */
/* An age, ahead of now or before it, or a date with or without a time: local, or UTC with a Z at
 * its end. -EINVAL. */
int parse_when(const char *text, int64_t now, bool ahead, int64_t *ret) RIAD_MUST_CHECK;
/* 2026-11-27T09:30:00.123Z, as events have it. -EINVAL. */
int parse_utc(const char *text, int64_t *ret) RIAD_MUST_CHECK;
const char *show_local_time(int64_t seconds, char ret[32]);

/* What --expires and --grace say; *ret is what holds without them. Reports what is no time. Exit
 * code. */
int parse_expiry(const struct options *options, struct riad_catalog_expiry *ret);
/* By --confirm, or asked twice on the terminal. Exit code. */
int confirm_deletion(const struct options *options, const char *name);
/* Tells what holds now. Exit code. */
int report_expiry(const struct options *options, const char *name, const struct riad_id *id,
        const struct riad_catalog_expiry *expiry);

/* --- secrets --- */
/* The secret to unlock with: --passphrase-file, --passphrase-fd, --recovery-file, --key-file,
 * RIAD_PASSPHRASE_FILE, or a prompt on the terminal. Exit code. */
int read_secret(const struct options *options, const char *store, enum riad_slot_kind *ret_kind,
        struct riad_secret **ret);
/* A new passphrase: file, or asked twice. */
int read_new_secret(const char *file, const char *what, struct riad_secret **ret);
/* Prints the recovery code and what it is for. */
void show_recovery(const char text[RIAD_RECOVERY_TEXT_SIZE], const char *store);

/* --- stores and mounts --- */
/* Opens state and store, reads the secret, unlocks; all reported. Exit code. */
struct session {
    struct riad_state state;
    struct riad_unlocked unlocked;
    char *store; /* absolute */
};
int open_session(const struct options *options, const char *store, struct session *ret);
void close_session(struct session *session);
/* The catalog's entry of the named workspace, borrowed; reported if there is none. Exit code. */
int find_workspace(
        struct session *session, const char *name, const struct riad_catalog_workspace **ret);
/* How commands on a store begin: options (letters as for parse_options), exactly `count` arguments,
 * of which the first is the store (else a usage error that says `wanted`), then open_session. Exit
 * code, or -1: help was shown. */
int begin_session(int argc, char **argv, const char *letters, int count, const char *wanted,
        struct options *ret_options, struct session *ret_session);
#define _cleanup_session_ __attribute__((cleanup(close_session)))
/* An event of the session's store, and of one of its workspaces unless that is NULL, for the trail
 * (riad/events.h). */
#define record(session, workspace, kind, ...)                                             \
    riad_events_record(&(session)->state, kind, &(session)->unlocked.store.binding.store, \
            workspace, __VA_ARGS__)
/* After the session added to the catalog: marks it (riad_mark_catalog). What was added stands,
 * also where that fails, which is told. */
void mark_catalog(struct session *session);
/* Lexically absolute path whose parent is resolved, so that a dead mount is never touched; heap,
 * NULL on error (errno). */
char *absolute_path(const char *path);
/* The path of the only argument that is left, or of the current directory; more than one is a usage
 * error. Exit code; reported. *ret: heap. */
int named_directory(int argc, char **argv, char **ret);
/* Every mount of every running process: a JSON array of mount objects of the control protocol, each
 * with "pid". */
int list_mounts(const struct riad_state *state, json_t **ret);
/* Whether each process answered when the last list was made; one that does not is reported. */
bool mounts_are_known(void);
/* The same for commands: opens the state, too, for riad_state_close; reports what fails. Exit code.
 */
int open_mounts(const struct options *options, struct riad_state *ret_state, json_t **ret);
/* The mount at or above path; borrowed from mounts; NULL. */
const json_t *find_mount(const json_t *mounts, const char *path);
/* Reports that; hint: what to do. Exit code. */
int not_mounted(const char *path, const char *hint);
/* open_mounts and find_mount; reported with the hint if there is none, and nothing is open then. */
int open_mount(const struct options *options, const char *path, const char *hint,
        struct riad_state *ret_state, json_t **ret_mounts, const json_t **ret);
/* Is there a mount point at path (mountinfo)? *ret_riad: of type fuse.riad. */
bool is_mount_point(const char *path, bool *ret_riad);
/* Unmounts a mount of list_mounts, and returns when all is durable; reports who uses it if it is in
 * use. lazy: detach it all the same; force: take it away from them. Exit code. */
int unmount_one(const struct riad_state *state, const json_t *mount, bool lazy, bool force);
/* Sends an operation to the process that hosts a mount of list_mounts; reports what it says. Exit
 * code. */
int ask_mount(const struct riad_state *state, const json_t *mount, const char *operation, bool lazy,
        bool force);
/* The same with arguments, which it takes over; *ret: the reply, a new reference. */
int call_mount(const struct riad_state *state, const json_t *mount, const char *operation,
        json_t *arguments, json_t **ret);
/* What one mount, whose `key` is value, says of `member`: a new reference; NULL if it is not there.
 * Exit code; reported. */
int mount_figures(const struct options *options, const char *key, const char *value,
        const char *member, json_t **ret);
/* Has the mount on a directory verify its contents, waits and reports. Exit code; reported. */
int scrub_mounted(const struct options *options, const char *path, uint64_t rate);
/* Waits, with progress on a terminal, until the cleaner of the mount whose `key` has this value has
 * done what it was asked for, or `rekey`: sealed all anew that is under keys of before. *ret: its
 * figures as of then, a new reference; NULL: it is not mounted, or no more. What is done goes on if
 * the caller ends. Exit code; reported. */
int follow_cleaning(const struct options *options, const char *key, const char *value, bool rekey,
        json_t **ret);
/* Who uses the mount on a directory, as far as /proc shows it to the caller: a JSON array of
 * objects with "pid", "command", "how" (open, working directory, ...) and "path", at most 20. Asks
 * nothing of the mount. New reference; NULL if memory is short. */
json_t *list_holders(const char *directory);
/* Tells running mounts of the store that its catalog changed. */
void notify_reload(const struct riad_state *state, const char *store);
/* --- sites and nodes --- */
/* --config, RIAD_CONFIG, or the default. Borrowed. */
const char *config_path(const struct options *options);
/* What makes this machine a node. */
struct identity {
    char *path;                  /* of the configuration, absolute */
    char *key_path;              /* of the node's key, beside it */
    const char *user;            /* who is to run the worker; NULL: root */
    struct riad_account account; /* of user */
    struct riad_site_node node;
};
/* The node's key is made, or that of an earlier try is used again; the configuration is not written
 * yet, and must not be there. name: NULL: none yet. Exit code. */
int make_identity(const struct options *options, const char *name, struct identity *ret);
void identity_done(struct identity *identity);
#define _cleanup_identity_ __attribute__((cleanup(identity_done)))
/* Exit code; reported. */
int write_config(
        const struct identity *identity, const char *store, const struct riad_public_key *root);
/* Where a site has a worker's user: the local state, and a store that was just made, become his.
 * Exit code; reported. */
int give_state(const struct identity *identity);
int give_store(const struct identity *identity, const char *store);
/* riad_node_open; reported. *ret can be closed in any case. */
int open_node(const char *path, struct riad_node *ret);
/* How commands of a node begin: options, exactly `count` arguments (else a usage error that says
 * `wanted`), the site root's recovery code (ret_code: NULL: not needed), asked for or read, then
 * open_node. Exit code, or -1: help was shown. */
int begin_node(int argc, char **argv, const char *letters, int count, const char *wanted,
        struct options *ret_options, struct riad_secret **ret_code, struct riad_node *ret);
#define _cleanup_node_ __attribute__((cleanup(riad_node_close)))
/* Opens the site root with its recovery code. Exit code; reported. */
int open_site_root(const struct riad_node *node, const struct riad_secret *code,
        struct riad_user *ret, struct riad_keypair *ret_keys);
/* An event of the site's store for the trail. */
#define record_node(node, kind, ...) \
    riad_events_record(&(node)->state, kind, &(node)->store.binding.store, NULL, __VA_ARGS__)

/* The string of a key; "" if there is none. Borrowed. */
const char *json_text(const json_t *object, const char *key);
/* The same of an integer; 0 if it is not there, no integer, or below 0. */
uint64_t json_number(const json_t *object, const char *key);
/* Prints and frees. */
int print_json(json_t *object);
/* A path as a string of JSON, which is UTF-8, as names need not be: then `?` stands for each byte
 * that is not ASCII. New reference. */
json_t *json_path(const char *path);
/* To stdout, `?` for control characters: names of others do not speak to the terminal. */
void print_path(const char *path);
/* The same for any text; lines: line ends are kept. */
void print_calmly(FILE *file, const char *text, bool lines);
/* The directories that an event of a limit names by inode, those of them that are found in a mount
 * of its workspace by who may list it: a JSON array of paths below the mount, largest first if
 * nothing was changed since; empty for all other events. mounts: of list_mounts. New reference. */
json_t *name_largest(const json_t *mounts, const json_t *event);

#endif
