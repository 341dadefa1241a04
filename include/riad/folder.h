/* Layer base. The names in a directory, through riad_sys: so that each call is counted, noted and
 * can fail in a test, which those of readdir(3) cannot. */
#ifndef RIAD_FOLDER_H
#define RIAD_FOLDER_H

#include "riad/cleanup.h"
#include "riad/types.h"

struct riad_folder;

/* O_NOFOLLOW. -ENOENT, -ENOTDIR ... */
int riad_folder_open(int parent_fd, const char *path, struct riad_folder **ret) RIAD_MUST_CHECK;
/* 1: *ret_name, borrowed until the next call; 0: there are no more. "." and ".." are left out. */
int riad_folder_next(struct riad_folder *folder, const char **ret_name) RIAD_MUST_CHECK;
/* Borrowed. */
int riad_folder_fd(const struct riad_folder *folder);
void riad_folder_free(struct riad_folder *folder);

RIAD_DEFINE_CLEANUP(struct riad_folder, riad_folder_free);

#endif
