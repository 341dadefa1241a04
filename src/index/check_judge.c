/* Whether an inode's row agrees with what the rows beside it say. */
#include <inttypes.h>
#include <sys/stat.h>

#include "check_priv.h"

uint64_t riad_check_charge(const struct riad_inode *row, const struct riad_facts *facts)
{
    uint64_t own = S_ISDIR(row->mode) || S_ISLNK(row->mode) ? 1 : 0;

    return own + facts->blocks + riad_xattr_blocks(row->xattr_bytes);
}

static void find_miscount(struct riad_check *check, const struct riad_inode *row, uint64_t charged)
{
    const struct riad_miscount miscount = {
        .id = row->inode, .kept = { row->blocks, 1 }, .counted = { charged, 1 }
    };
    int r = 0;

    if (check->miscount) {
        r = check->miscount(check->context, &miscount);
        check->error = check->error < 0 ? check->error : r;
        return;
    }
    riad_check_find(check,
            "Inode %" PRIu64 " is charged %" PRIu64 " blocks instead of %" PRIu64 ".", row->inode,
            row->blocks, charged);
}

static void judge_charge(
        struct riad_check *check, const struct riad_inode *row, const struct riad_facts *facts)
{
    uint64_t charged = riad_check_charge(row, facts);

    if (row->blocks != charged) {
        find_miscount(check, row, charged);
    }
    if (row->xattr_bytes != facts->xattr_bytes) {
        riad_check_find(check, "Inode %" PRIu64 " says %u bytes of xattrs and has %" PRIu64 ".",
                row->inode, row->xattr_bytes, facts->xattr_bytes);
    }
    if (facts->extents > 0 && !S_ISREG(row->mode)) {
        riad_check_find(check, "Inode %" PRIu64 " has extents and is no file.", row->inode);
    }
    if (facts->target != S_ISLNK(row->mode)) {
        riad_check_find(
                check, "Inode %" PRIu64 ": a target without a symlink, or none.", row->inode);
    }
}

static void judge_links(
        struct riad_check *check, const struct riad_inode *row, const struct riad_facts *facts)
{
    uint8_t type = (uint8_t)IFTODT(row->mode);
    uint64_t links = row->nlink;
    uint64_t nlink = facts->links;

    if (S_ISDIR(row->mode)) {
        links = row->nlink > 0 && row->inode != RIAD_ROOT_INODE ? 1 : 0;
        nlink = row->nlink > 0 ? 2 + facts->subdirectories : 0;
    }
    if (facts->links != links || row->nlink != nlink) {
        riad_check_find(check,
                "Inode %" PRIu64 " has %u links by itself, %" PRIu64 " entries name it.",
                row->inode, row->nlink, facts->links);
    }
    if (facts->links > 0 && (facts->least_type != type || facts->greatest_type != type)) {
        riad_check_find(check, "Inode %" PRIu64 ": an entry gives another type.", row->inode);
    }
    if (S_ISDIR(row->mode) && facts->links == 1 && facts->parent != row->parent) {
        riad_check_find(check, "Directory %" PRIu64 " names another parent.", row->inode);
    }
}

static void judge_directory(
        struct riad_check *check, const struct riad_inode *row, const struct riad_facts *facts)
{
    if (facts->entries == 0) {
        return;
    }
    if (!S_ISDIR(row->mode) || row->nlink == 0) {
        riad_check_find(check, "Inode %" PRIu64 " has entries and is no directory, or is removed.",
                row->inode);
        return;
    }
    if (facts->least_cookie < RIAD_FIRST_COOKIE || facts->greatest_cookie >= row->next_cookie) {
        riad_check_find(check, "Directory %" PRIu64 ": cookies are out of range.", row->inode);
    }
}

void riad_check_judge(
        struct riad_check *check, const struct riad_inode *row, const struct riad_facts *facts)
{
    if (check->defect) {
        riad_check_defect(check, row, facts);
        return;
    }
    judge_charge(check, row, facts);
    judge_links(check, row, facts);
    judge_directory(check, row, facts);
}
