/* What the quota commands share. */
#ifndef RIAD_CLI_QUOTA_H
#define RIAD_CLI_QUOTA_H

#include "site_client.h"

enum limit_field {
    LIMIT_BYTES_SOFT,
    LIMIT_BYTES_HARD,
    LIMIT_INODES_SOFT,
    LIMIT_INODES_HARD,
    LIMIT_BYTES_GRACE,
    LIMIT_INODES_GRACE,
    LIMIT_FIELDS
};

/* What becomes of a limit: what is not said stays. */
struct limit_change {
    const char *name; /* of the workspace; borrowed */
    unsigned line;    /* of the file that says it; 0: the command line does */
    unsigned said;    /* 1 << enum limit_field */
    uint64_t values[LIMIT_FIELDS];
};

/* quota_change.c. What -b, -B, -i, -I and --grace say. Exit code; reported. */
int parse_limit_change(const struct options *options, struct limit_change *ret);
/* A size or a count, of -b, -B, -i or -I. -EINVAL. */
int parse_limit_field(enum limit_field field, const char *text, uint64_t *ret) RIAD_MUST_CHECK;
void apply_limit_change(const struct limit_change *change, struct riad_catalog_limit *limit);
/* As an argument of riadd's set-limits; without a name the default's. New reference. */
json_t *pack_limit_change(const struct limit_change *change);
/* A limit in words, for the trail. */
const char *describe_limit(const struct riad_catalog_limit *limit, char ret[256]);

struct limit_changes {
    struct limit_change *items;
    size_t count;
    char *text; /* the file's, where names are of one */
    const char *path;
};
/* quota_file.c. One change a line: NAME soft hard isoft ihard, `-` for what stays; -: standard
 * input. common: what is said for all. Reports the first line that is wrong, by its number. Exit
 * code; *ret is for limit_changes_done in any case. */
int read_limit_file(const char *path, const struct limit_change *common, struct limit_changes *ret);
void limit_changes_done(struct limit_changes *changes);
#define _cleanup_limit_changes_ __attribute__((cleanup(limit_changes_done)))
/* Whose line it is, before a sentence: "limits: line 7: "; "" if it is none's. */
const char *limit_place(
        const struct limit_changes *changes, const struct limit_change *change, char ret[512]);

/* quota_names.c. All workspaces of a store by their names, which are inside its keys. */
struct named_workspace {
    char name[256]; /* "": it cannot be read */
    const struct riad_catalog_workspace *entry;
};
/* By name; *ret is heap. -ENOMEM. */
int list_named(const struct session *session, struct named_workspace **ret,
        size_t *ret_count) RIAD_MUST_CHECK;
/* NULL: none has it. */
const struct named_workspace *find_named(
        const struct named_workspace *items, size_t count, const char *name);

/* quota_site.c. At a site: all of them, or what new workspaces get. Exit code; reported. */
int set_site_limits(const struct options *options, const struct limit_changes *changes);
int set_site_default(const struct options *options, const struct limit_change *change);

/* quota_subject.c. Limits of users or groups (options) at a site: names are accounts' or groups',
 * or numbers. Exit code; reported. */
int set_subject_limits(const struct options *options, const struct limit_changes *changes);

/* --- reports --- */

/* Bytes or inodes of a workspace. */
struct quota_resource {
    uint64_t used, soft, hard, over_since;
    uint32_t grace; /* seconds; 0: 7 days */
};

struct quota_row {
    json_t *item; /* as riadd's `quota` has it; borrowed from the rows' list */
    const char *name;
    bool known; /* used is */
    struct quota_resource bytes, inodes;
    double share; /* used of the limit that is nearest, the soft one where there is one; -1: none */
};

struct quota_rows {
    json_t *list;
    struct quota_row *rows;
    size_t count;
    char *store;       /* NULL: several */
    uint64_t grace[2]; /* of new workspaces: bytes, inodes; seconds */
    int64_t now;       /* seconds since 1970 */
};
void quota_rows_done(struct quota_rows *rows);
#define _cleanup_quota_rows_ __attribute__((cleanup(quota_rows_done)))

/* quota_gather.c. Each: exit code; reported. mine: only one's own, also for admins. */
int gather_site(const struct options *options, bool mine, struct quota_rows *ret);
/* quota_subject.c. Users or groups (options): of admins all, else oneself. */
int gather_subjects(const struct options *options, struct quota_rows *ret);
/* All of a store, or the one that is named: what is mounted as it is now, else as it was when it
 * was open here last. Asks for the secret. */
int gather_store(
        const struct options *options, const char *store, const char *only, struct quota_rows *ret);
/* A list of mounts; one of them. */
int gather_mounts(const json_t *mounts, struct quota_rows *ret);
int gather_mount(const json_t *mounts, const json_t *mount, struct quota_rows *ret);

/* quota_rows.c. */
enum quota_order { QUOTA_BY_NAME, QUOTA_BY_USED, QUOTA_BY_SHARE };
/* Takes the list over, and makes rows of it. Exit code; reported. */
int make_rows(json_t *list, struct quota_rows *ret);
void sort_rows(struct quota_rows *rows, enum quota_order order);
/* Used is more than a limit allows. */
bool is_over(const struct quota_resource *resource);
/* Seconds that a passed soft limit may stay passed; 0: none; -1: it is not passed. */
int64_t grace_left(const struct quota_resource *resource, int64_t now);
/* The row as JSON: the item and what follows from it. New reference. */
json_t *pack_row(const struct quota_row *row, int64_t now);

#endif
