/* The pass over everything that belongs to an inode: several statements ordered by inode number,
 * stepped side by side. */
#include <errno.h>
#include <inttypes.h>

#include "check_priv.h"
#include "row_priv.h"
#include "sealing_priv.h"
#include "stored_priv.h"

enum source { EXTENTS, XATTRS, SYMLINKS, LINKS, ENTRIES, SOURCE_COUNT };

struct cursor {
    sqlite3_stmt *statement;
    uint64_t inode; /* of its row */
    bool more;      /* it has one */
};

struct pass {
    struct riad_check *check;
    struct cursor cursors[SOURCE_COUNT];
    struct riad_usage sum;
};

static const char inodes_text[] = "SELECT " RIAD_INODE_COLUMNS " FROM inode ORDER BY inode";

static const struct {
    const char *text;
    const char *name;
} sources[SOURCE_COUNT] = {
    [EXTENTS] = { "SELECT " RIAD_EXTENT_COLUMNS " FROM extent WHERE inode NOT IN "
                  "(SELECT inode FROM garbage) ORDER BY inode, offset",
            "extent" },
    [XATTRS] = { "SELECT inode, name, value FROM xattr ORDER BY inode", "xattr" },
    [SYMLINKS] = { "SELECT inode, target FROM symlink ORDER BY inode", "symlink target" },
    [LINKS] = { "SELECT inode, count(*), min(type), max(type), min(parent) FROM dentry "
                "GROUP BY inode ORDER BY inode",
            "directory entry" },
    [ENTRIES] = { "SELECT parent, count(*), sum(type = 4), min(cookie), max(cookie) FROM dentry "
                  "GROUP BY parent ORDER BY parent",
            "list of entries" },
};

/* Moves to the next row whose inode is a number. */
static int advance(struct pass *pass, enum source source)
{
    struct cursor *cursor = &pass->cursors[source];
    int r;

    while ((r = riad_statement_step(cursor->statement)) == 1) {
        if (riad_column_u64(cursor->statement, 0, &cursor->inode) &&
                riad_number_is_valid(cursor->inode)) {
            break;
        }
        riad_check_find(pass->check, "A row (%s) belongs to no number.", sources[source].name);
    }
    cursor->more = r == 1;
    return r < 0 ? r : 0;
}

/* Reports the rows of inodes below `inode`, which are not there. */
static int skip_strays(struct pass *pass, enum source source, uint64_t inode)
{
    struct cursor *cursor = &pass->cursors[source];

    while (cursor->more && cursor->inode < inode) {
        int r;

        riad_check_find(pass->check, "Inode %" PRIu64 " is missing, but has a row (%s).",
                cursor->inode, sources[source].name);
        r = advance(pass, source);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static void count_blocks(
        struct riad_facts *facts, const struct riad_extent *extent, uint64_t truncate_mark)
{
    uint64_t end = extent->offset + extent->length;
    uint64_t first = extent->offset / RIAD_BLOCK_SIZE;
    uint64_t behind;

    if (end > truncate_mark) {
        end = truncate_mark; /* L8: what lies past the mark is gone already */
    }
    if (end <= extent->offset) {
        return;
    }
    behind = (end - 1) / RIAD_BLOCK_SIZE + 1;
    if (first < facts->next_block) {
        first = facts->next_block;
    }
    if (behind > first) {
        facts->blocks += behind - first;
        facts->next_block = behind;
    }
}

static int take_extent(struct pass *pass, sqlite3_stmt *statement, const struct riad_inode *row,
        struct riad_facts *facts)
{
    struct riad_extent extent;
    int r = riad_extent_column(statement, &extent);

    if (r < 0) {
        return r;
    }
    if (extent.offset < facts->end) {
        riad_check_find(pass->check, "Inode %" PRIu64 ": extents overlap at offset %" PRIu64 ".",
                row->inode, extent.offset);
    }
    facts->extents++;
    facts->end = extent.offset + extent.length;
    count_blocks(facts, &extent, row->truncate_mark);
    return 0;
}

static int take_xattr(struct pass *pass, sqlite3_stmt *statement, const struct riad_inode *row,
        struct riad_facts *facts)
{
    _cleanup_free_ uint8_t *value = NULL;
    char name[RIAD_NAME_MAX + 1];
    size_t name_size;
    size_t size;
    int r = riad_xattr_open(
            statement, pass->check->snapshot->keys, name, &name_size, &value, &size);

    if (r == 0) {
        facts->xattr_bytes += name_size + size;
        riad_check_acl(pass->check, row, name, value, size);
    }
    return r;
}

static int take_symlink(struct pass *pass, sqlite3_stmt *statement, const struct riad_inode *row,
        struct riad_facts *facts)
{
    char target[RIAD_SYMLINK_MAX + 1];
    struct riad_sealing sealing;
    const uint8_t *sealed;
    size_t size;

    if (!riad_column_blob(statement, 1, &sealed, &size)) {
        return -EUCLEAN;
    }
    facts->target = true;
    riad_sealing_symlink(&sealing, pass->check->snapshot->keys, row->inode);
    return riad_open_text(&sealing, sealed, size, RIAD_SYMLINK_MAX, target, &size);
}

static int take_links(struct pass *pass, sqlite3_stmt *statement, const struct riad_inode *row,
        struct riad_facts *facts)
{
    (void)pass;
    (void)row;
    facts->links = (uint64_t)sqlite3_column_int64(statement, 1);
    facts->least_type = (uint8_t)sqlite3_column_int(statement, 2);
    facts->greatest_type = (uint8_t)sqlite3_column_int(statement, 3);
    facts->parent = (uint64_t)sqlite3_column_int64(statement, 4);
    return 0;
}

static int take_entries(struct pass *pass, sqlite3_stmt *statement, const struct riad_inode *row,
        struct riad_facts *facts)
{
    (void)pass;
    (void)row;
    facts->entries = (uint64_t)sqlite3_column_int64(statement, 1);
    facts->subdirectories = (uint64_t)sqlite3_column_int64(statement, 2);
    facts->least_cookie = (uint64_t)sqlite3_column_int64(statement, 3);
    facts->greatest_cookie = (uint64_t)sqlite3_column_int64(statement, 4);
    return 0;
}

typedef int (*taker)(struct pass *pass, sqlite3_stmt *statement, const struct riad_inode *row,
        struct riad_facts *facts);

static const taker takers[SOURCE_COUNT] = {
    [EXTENTS] = take_extent,
    [XATTRS] = take_xattr,
    [SYMLINKS] = take_symlink,
    [LINKS] = take_links,
    [ENTRIES] = take_entries,
};

/* Takes in all rows of one source for the inode. */
static int gather(struct pass *pass, enum source source, const struct riad_inode *row,
        struct riad_facts *facts)
{
    struct cursor *cursor = &pass->cursors[source];
    int r = skip_strays(pass, source, row->inode);

    while (r == 0 && cursor->more && cursor->inode == row->inode) {
        r = takers[source](pass, cursor->statement, row, facts);
        if (r == -EUCLEAN) {
            riad_check_find(pass->check, "Inode %" PRIu64 ": a row (%s) is damaged.", row->inode,
                    sources[source].name);
        } else if (r < 0) {
            return r;
        }
        r = advance(pass, source);
    }
    return r;
}

static int check_inode(struct pass *pass, const struct riad_inode *row)
{
    struct riad_facts facts = { 0 };

    for (int source = 0; source < SOURCE_COUNT; source++) {
        int r = gather(pass, (enum source)source, row, &facts);

        if (r < 0) {
            return r;
        }
    }
    pass->sum.inodes++;
    pass->sum.blocks += row->blocks;
    if (row->inode >= pass->check->snapshot->header.next_inode) {
        riad_check_find(pass->check, "Inode %" PRIu64 " is not below the next inode.", row->inode);
    }
    riad_check_judge(pass->check, row, &facts);
    return 0;
}

/* Rows of an inode that cannot be read are left out: they are no strays. */
static int skip_inode(struct pass *pass, uint64_t inode)
{
    riad_check_find(pass->check, "The row of inode %" PRIu64 " is damaged.", inode);
    for (int source = 0; source < SOURCE_COUNT; source++) {
        int r = skip_strays(pass, (enum source)source, inode);

        while (r == 0 && pass->cursors[source].more && pass->cursors[source].inode == inode) {
            r = advance(pass, (enum source)source);
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int walk_inodes(struct pass *pass)
{
    _cleanup_finalize_ sqlite3_stmt *statement = NULL;
    sqlite3 *database = pass->check->snapshot->database;
    int r = riad_database_prepare(database, inodes_text, &statement);

    if (r < 0) {
        return r;
    }
    while ((r = riad_statement_step(statement)) == 1) {
        struct riad_inode row;

        r = riad_inode_column(statement, 0, &row);
        if (r == -EUCLEAN) {
            r = skip_inode(pass, (uint64_t)sqlite3_column_int64(statement, 0));
        } else if (r == 0) {
            r = check_inode(pass, &row);
        }
        if (r < 0) {
            return r;
        }
    }
    return r;
}

static int begin_sources(struct pass *pass)
{
    for (int source = 0; source < SOURCE_COUNT; source++) {
        int r = riad_database_prepare(pass->check->snapshot->database, sources[source].text,
                &pass->cursors[source].statement);

        if (r < 0) {
            return r;
        }
        r = advance(pass, (enum source)source);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static void end_sources(struct pass *pass)
{
    for (int source = 0; source < SOURCE_COUNT; source++) {
        riad_statement_finalize(pass->cursors[source].statement);
    }
}

static void judge_sums(struct pass *pass)
{
    const struct riad_usage *usage = &pass->check->snapshot->header.usage;

    if (usage->inodes != pass->sum.inodes || usage->blocks != pass->sum.blocks) {
        riad_check_find(pass->check,
                "Usage says %" PRIu64 " inodes and %" PRIu64 " blocks; the rows add up to %" PRIu64
                " and %" PRIu64 ".",
                usage->inodes, usage->blocks, pass->sum.inodes, pass->sum.blocks);
    }
}

int riad_check_inodes(struct riad_check *check)
{
    _cleanup_(end_sources) struct pass pass = { .check = check };
    int r = begin_sources(&pass);

    if (r == 0) {
        r = walk_inodes(&pass);
    }
    for (int source = 0; r == 0 && source < SOURCE_COUNT; source++) {
        r = skip_strays(&pass, (enum source)source, UINT64_MAX);
    }
    if (r < 0) {
        return r;
    }
    judge_sums(&pass);
    return 0;
}
