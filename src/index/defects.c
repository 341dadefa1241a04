#include "riad/defects.h"

#include <errno.h>
#include <sys/stat.h>

#include "check_priv.h"
#include "stored_priv.h"

/* Modes: 16384 of 61440 is a directory, and the type of a dentry is the mode's upper bits. Of
 * several names of a directory that one is left which its row's parent holds, the latest there. */
static const char entry_text[] =
        "SELECT " RIAD_DENTRY_COLUMNS ", NOT EXISTS (SELECT 1 FROM inode AS i WHERE "
        "i.inode = dentry.inode AND ((i.mode >> 12) & 15) = dentry.type) AS missing FROM dentry "
        "WHERE missing OR NOT EXISTS (SELECT 1 FROM inode AS p WHERE p.inode = dentry.parent AND "
        "(p.mode & 61440) = 16384 AND p.nlink > 0) OR (type = 4 AND (inode = 1 OR (inode IN "
        "(SELECT inode FROM dentry WHERE type = 4 GROUP BY inode HAVING count(*) > 1) AND (parent "
        "IS NOT (SELECT i.parent FROM inode AS i WHERE i.inode = dentry.inode) OR cookie < (SELECT "
        "max(o.cookie) FROM dentry AS o WHERE o.parent = dentry.parent AND o.inode = "
        "dentry.inode))))) ORDER BY parent, cookie";

static const char unnamed_text[] =
        "SELECT " RIAD_INODE_COLUMNS " FROM inode WHERE nlink > 0 AND inode <> 1 AND "
        "inode NOT IN (SELECT inode FROM dentry) ORDER BY inode";

static const char unreached_text[] =
        "WITH RECURSIVE reached(inode) AS (SELECT 1 UNION SELECT dentry.inode FROM reached "
        "JOIN dentry ON dentry.parent = reached.inode WHERE dentry.type = 4) "
        "SELECT " RIAD_DENTRY_COLUMNS ", 0 FROM dentry WHERE type = 4 AND "
        "inode NOT IN (SELECT inode FROM reached) ORDER BY inode LIMIT 1";

static const char stray_text[] =
        "SELECT inode FROM extent WHERE inode NOT IN (SELECT inode FROM garbage) UNION "
        "SELECT inode FROM xattr UNION SELECT inode FROM symlink EXCEPT SELECT inode FROM inode";

static int read_dentry(
        struct riad_snapshot *snapshot, sqlite3_stmt *statement, struct riad_defect *ret)
{
    ret->inode_missing = sqlite3_column_int(statement, RIAD_DENTRY_COLUMN_COUNT) != 0;
    return riad_dentry_open(statement, 0, snapshot->keys, &ret->dentry);
}

static int read_inode(
        struct riad_snapshot *snapshot, sqlite3_stmt *statement, struct riad_defect *ret)
{
    (void)snapshot;
    return riad_inode_column(statement, 0, &ret->inode);
}

static int read_number(
        struct riad_snapshot *snapshot, sqlite3_stmt *statement, struct riad_defect *ret)
{
    (void)snapshot;
    return riad_column_u64(statement, 0, &ret->inode.inode) ? 0 : -EUCLEAN;
}

static const struct {
    const char *text;
    int (*read)(struct riad_snapshot *snapshot, sqlite3_stmt *statement, struct riad_defect *ret);
} queries[] = {
    [RIAD_DEFECT_ENTRY] = { entry_text, read_dentry },
    [RIAD_DEFECT_UNNAMED] = { unnamed_text, read_inode },
    [RIAD_DEFECT_UNREACHED] = { unreached_text, read_dentry },
    [RIAD_DEFECT_STRAY] = { stray_text, read_number },
};

static int pass_rows(struct riad_snapshot *snapshot, enum riad_defect_kind kind,
        riad_defect_function function, void *context)
{
    _cleanup_finalize_ sqlite3_stmt *statement = NULL;
    int r = riad_database_prepare(snapshot->database, queries[kind].text, &statement);

    if (r < 0) {
        return r;
    }
    while ((r = riad_statement_step(statement)) == 1) {
        struct riad_defect defect = { .kind = kind };

        r = queries[kind].read(snapshot, statement, &defect);
        if (r == 0) {
            r = function(context, &defect);
        }
        if (r < 0) {
            return r;
        }
    }
    return r;
}

/* What the row should say, as far as the rows beside it tell. */
static void set_right(
        const struct riad_inode *row, const struct riad_facts *facts, struct riad_inode *ret)
{
    *ret = *row;
    ret->nlink = (uint32_t)facts->links;
    ret->xattr_bytes = (uint32_t)facts->xattr_bytes;
    if (S_ISDIR(row->mode)) {
        bool linked = facts->links > 0 || row->inode == RIAD_ROOT_INODE;

        ret->nlink = linked ? 2 + (uint32_t)facts->subdirectories : 0;
        ret->parent = facts->links > 0 ? facts->parent : row->parent;
        if (facts->entries > 0 && facts->greatest_cookie >= row->next_cookie) {
            ret->next_cookie = facts->greatest_cookie + 1;
        }
    }
    ret->blocks = riad_check_charge(ret, facts);
}

void riad_check_defect(
        struct riad_check *check, const struct riad_inode *row, const struct riad_facts *facts)
{
    struct riad_defect defect = {
        .kind = RIAD_DEFECT_ROW,
        .blocks_kept = row->blocks,
        .target_missing = S_ISLNK(row->mode) && !facts->target,
    };
    const struct riad_inode *right = &defect.inode;
    int r;

    set_right(row, facts, &defect.inode);
    if (right->nlink == row->nlink && right->xattr_bytes == row->xattr_bytes &&
            right->parent == row->parent && right->next_cookie == row->next_cookie &&
            right->blocks == row->blocks && !defect.target_missing) {
        return;
    }
    r = check->defect(check->context, &defect);
    check->error = check->error < 0 ? check->error : r;
}

static void ignore(void *context, const char *finding)
{
    (void)context;
    (void)finding;
}

static int check_inodes(
        struct riad_snapshot *snapshot, riad_defect_function function, void *context)
{
    struct riad_check check = {
        .snapshot = snapshot, .report = ignore, .defect = function, .context = context
    };
    int r = riad_check_inodes(&check);

    return r < 0 ? r : check.error;
}

int riad_snapshot_defects(struct riad_snapshot *snapshot, enum riad_defect_kind kind,
        riad_defect_function function, void *context)
{
    return kind == RIAD_DEFECT_ROW ? check_inodes(snapshot, function, context)
                                   : pass_rows(snapshot, kind, function, context);
}
