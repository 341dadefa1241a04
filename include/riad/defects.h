/* Layer index. Rows that do not fit together, because changes between those that were applied are
 * lost: told one by one, so that who repairs can make changes that mend them (fsck --repair). */
#ifndef RIAD_DEFECTS_H
#define RIAD_DEFECTS_H

#include "riad/index.h"

enum riad_defect_kind {
    /* A dentry that cannot stay: its inode is missing or of another type, it lies in no directory,
     * or it is one name too many of a directory. */
    RIAD_DEFECT_ENTRY = 1,
    /* An inode with links, but without any name. */
    RIAD_DEFECT_UNNAMED,
    /* A dentry of a directory that cannot be reached from the root; only the first is told, as the
     * others may be below it. Asked when there are no defects of the kinds above. */
    RIAD_DEFECT_UNREACHED,
    /* Extents, xattrs or a target of an inode that is missing. */
    RIAD_DEFECT_STRAY,
    /* An inode's row says otherwise than what is there beside it. */
    RIAD_DEFECT_ROW,
};

struct riad_defect {
    enum riad_defect_kind kind;
    struct riad_dentry dentry; /* of ENTRY and UNREACHED */
    bool inode_missing;        /* ENTRY: there is no inode of its number and type */
    struct riad_inode inode;   /* UNNAMED: its row; ROW: the row as it should be; STRAY: its number
                                  alone */
    uint64_t blocks_kept;      /* ROW: what the row says it is charged */
    bool target_missing;       /* ROW: of a symlink */
};

/* A negative result stops. It may change the index the snapshot was taken of, which the snapshot
 * does not see. */
typedef int (*riad_defect_function)(void *context, const struct riad_defect *defect);
/* Those of one kind. -EUCLEAN: a row is damaged in itself. */
int riad_snapshot_defects(struct riad_snapshot *snapshot, enum riad_defect_kind kind,
        riad_defect_function function, void *context) RIAD_MUST_CHECK;

#endif
