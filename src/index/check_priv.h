#ifndef RIAD_CHECK_PRIV_H
#define RIAD_CHECK_PRIV_H

#include "riad/defects.h"

#include "snapshot_priv.h"

/* A check under way. */
struct riad_check {
    struct riad_snapshot *snapshot;
    riad_index_report_function report;
    void *context;
    uint64_t findings;
    riad_miscount_function miscount; /* hears of inodes' charges instead of report; NULL */
    riad_defect_function defect;     /* hears of inodes' rows instead of report; NULL */
    int error;                       /* the first that one of these gave */
};

void riad_check_find(struct riad_check *check, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
/* A query whose rows are numbers of what is wrong, each told with the finding, a format for it. */
int riad_check_query(
        struct riad_check *check, const char *query, const char *finding) RIAD_MUST_CHECK;
/* check_tree.c. The sums of directories (riad/tree.h) against a recount. */
int riad_check_tree(struct riad_check *check) RIAD_MUST_CHECK;
/* Every inode against its extents, xattrs, target and dentries, in one pass over all of them by
 * inode number; and the sums. */
int riad_check_inodes(struct riad_check *check) RIAD_MUST_CHECK;

/* What the rows beside the inode's say about it. */
struct riad_facts {
    uint64_t extents;
    uint64_t blocks;     /* touched by extents before the truncate mark */
    uint64_t end;        /* of the last extent */
    uint64_t next_block; /* behind the last one counted */
    uint64_t xattr_bytes;
    bool target;
    uint64_t links, parent;
    uint8_t least_type, greatest_type;
    uint64_t entries, subdirectories, least_cookie, greatest_cookie;
};

/* The blocks that the inode should be charged. */
uint64_t riad_check_charge(const struct riad_inode *row, const struct riad_facts *facts);
/* check_acl.c. One xattr of the inode, if it is an access control list. */
void riad_check_acl(struct riad_check *check, const struct riad_inode *row, const char *name,
        const uint8_t *value, size_t size);

/* check_judge.c. */
void riad_check_judge(
        struct riad_check *check, const struct riad_inode *row, const struct riad_facts *facts);
/* defects.c. The same for check->defect. */
void riad_check_defect(
        struct riad_check *check, const struct riad_inode *row, const struct riad_facts *facts);

#endif
