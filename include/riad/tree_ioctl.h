/* Layer fuse. How programs ask for what a directory of a mount holds in all (riad/tree.h): by
 * ioctl(2) on the open directory. `riad du` does; others may, the numbers and structs stay.
 *
 * Who may ask: who could open the directory for reading, that is, list it. So it is the kernel that
 * decides, by the modes, ACLs and groups that it applies to everything else, for whoever can see
 * the mount at all, wherever that is seen. A message to the control socket would have to say which
 * directory is meant, and riad to judge by itself whether its sender may list it and reach it:
 * groups, ACLs and every directory above; and it serves the mount's owner alone. The sums tell of
 * what lies in closed directories below, too: their size, and nothing else.
 *
 * The sums are exact if nobody writes below the directory; else they hold at least all that was
 * changed before the call began. A directory that is right above much that was just changed makes
 * the call take longer: some microseconds for each directory below in which anything was changed in
 * the last moments.
 *
 * Errors: ENOTTY or ENOSYS no mount of riad's, or an older riad; ENOENT the directory was removed;
 * ENOTDIR; EACCES, EIO, ESTALE as of any operation. */
#ifndef RIAD_TREE_IOCTL_H
#define RIAD_TREE_IOCTL_H

#include <stdint.h>
#include <sys/ioctl.h>

enum { RIAD_TREE_NAME_SIZE = 256 };

struct riad_tree_sums {
    uint64_t inode;       /* of the directory */
    uint64_t blocks;      /* of 4096 bytes, charged: itself and all below */
    uint64_t inodes;      /* itself and all below */
    uint64_t directories; /* of them */
};

struct riad_tree_entry {
    uint64_t cookie; /* in: 0, or that of the entry before; out: of this one */
    struct riad_tree_sums sums;
    char name[RIAD_TREE_NAME_SIZE]; /* zero-terminated */
};

/* The sums of the directory. */
#define RIAD_IOC_TREE_USAGE _IOR(0xe9, 1, struct riad_tree_sums)
/* The next directory that lies in it, and the sums of that one; sums.inode 0: there is no more.
 * Entries that are no directories are not looked at, however many they are. */
#define RIAD_IOC_TREE_NEXT _IOWR(0xe9, 2, struct riad_tree_entry)

#endif
