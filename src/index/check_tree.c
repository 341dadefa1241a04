/* The sums of directories, each against what has its home there and what was handed up to it. Where
 * all of these agree, so do the sums over whole trees, as what is pending is told by each row. */
#include <errno.h>

#include "check_priv.h"
#include "tree_priv.h"

/* Directories are 16384 of 61440. Sums of sound rows are far below 2^48 = 281474976710656: the
 * masks only keep damaged ones from overflowing. */
static const struct {
    const char *text;
    const char *finding;
} queries[] = {
    { "SELECT inode FROM tree WHERE blocks NOT BETWEEN 0 AND 281474976710655 OR "
      "inodes NOT BETWEEN 0 AND 281474976710655 OR "
      "directories NOT BETWEEN 0 AND 281474976710655 OR "
      "pending IS NOT (inode <> 1 AND (blocks IS NOT given_blocks OR "
      "inodes IS NOT given_inodes OR directories IS NOT given_directories))",
            "Directory %lld: the row of its sums is damaged." },
    { "SELECT t.inode FROM tree AS t LEFT JOIN inode AS i ON i.inode = t.inode AND i.nlink > 0 "
      "AND (i.mode & 61440) = 16384 WHERE t.parent IS NOT CASE WHEN t.inode = 1 THEN 0 "
      "WHEN i.inode IS NULL OR i.parent IN (0, i.inode) THEN 1 ELSE i.parent END",
            "Directory %lld: its sums go to another parent." },
    { "SELECT home FROM ("
      "SELECT CASE WHEN (mode & 61440) = 16384 THEN inode WHEN parent IN (0, inode) THEN 1 "
      "ELSE parent END AS home, blocks & 281474976710655 AS b, 1 AS i, "
      "(mode & 61440) = 16384 AS d FROM inode WHERE nlink > 0 "
      "UNION ALL SELECT parent, given_blocks & 281474976710655, "
      "given_inodes & 281474976710655, given_directories & 281474976710655 "
      "FROM tree WHERE inode <> 1 "
      "UNION ALL SELECT inode, -(blocks & 281474976710655), "
      "-(inodes & 281474976710655), -(directories & 281474976710655) FROM tree) "
      "GROUP BY home HAVING sum(b) <> 0 OR sum(i) <> 0 OR sum(d) <> 0",
            "Directory %lld: its sums are not what lies below it." },
};

int riad_check_tree(struct riad_check *check)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof queries / sizeof queries[0]; i++) {
        r = riad_check_query(check, queries[i].text, queries[i].finding);
    }
    return r;
}

int riad_snapshot_check_tree(struct riad_snapshot *snapshot, riad_index_report_function report,
        void *context, uint64_t *ret_findings)
{
    struct riad_check check = { .snapshot = snapshot, .report = report, .context = context };
    int r = riad_check_tree(&check);

    if (r < 0) {
        return r;
    }
    *ret_findings = check.findings;
    return 0;
}
