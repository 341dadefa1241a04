/* Layer catalog. A store: the directory that holds users, the catalog and the workspaces (FORMAT
 * 2). Small signed files only; the logs are core's.
 *
 * Nothing here is thread-safe or called on a file system's path. Files are read bounded, refused
 * when not exactly right. */
#ifndef RIAD_STORE_H
#define RIAD_STORE_H

#include "riad/envelope.h"
#include "riad/keys.h"

struct riad_store {
    int fd;
    struct riad_store_binding binding;
    bool read_only; /* unknown ro_compat bits */
    bool site;      /* of many people and nodes (riad/site.h), says riad.json */
};

/* Makes STORE (created if missing, must be empty; mode 0700): riad.json, user, catalog, ws.
 * -ENOTEMPTY; -EEXIST another process made it just now. */
int riad_store_create(const char *path, struct riad_store *ret) RIAD_MUST_CHECK;
/* The same, of a site. */
int riad_store_create_site(const char *path, struct riad_store *ret) RIAD_MUST_CHECK;
/* -EMEDIUMTYPE not a riad store (also when path is missing: then errno is ENOENT), -EPROTONOSUPPORT
 * newer format, -EBADMSG riad.json is damaged. */
int riad_store_open(const char *path, struct riad_store *ret) RIAD_MUST_CHECK;
void riad_store_close(struct riad_store *store);
/* Opens STORE/ws/<id>; fd or negative errno. */
int riad_store_open_workspace(
        const struct riad_store *store, const struct riad_id *workspace) RIAD_MUST_CHECK;
/* Ids of the directories under ws/ and of the files under user/; ascending, heap (NULL if none).
 * -EFBIG above 2^20. */
int riad_store_list_workspaces(
        const struct riad_store *store, struct riad_id **ret, size_t *ret_count) RIAD_MUST_CHECK;
int riad_store_list_users(
        const struct riad_store *store, struct riad_id **ret, size_t *ret_count) RIAD_MUST_CHECK;

#endif
