/* Layer catalog, private. Small files of the store and the directories that hold them. A directory
 * is named by its parent's descriptor and a plain name; symlinks are never followed. */
#ifndef RIAD_OBJECT_PRIV_H
#define RIAD_OBJECT_PRIV_H

#include <dirent.h>

#include "riad/fdio.h"

enum { RIAD_ID_NAME_SIZE = 33 };

/* The file name of an id (FORMAT 1). */
void riad_id_name(const struct riad_id *id, char ret[RIAD_ID_NAME_SIZE]);

/* Reads parent/directory/name whole into the heap. -ENOENT, -EBADMSG (larger than max, or no
 * regular file). */
int riad_object_read(int parent, const char *directory, const char *name, size_t max,
        uint8_t **ret_data, size_t *ret_size) RIAD_MUST_CHECK;
int riad_object_publish(int parent, const char *directory, const char *name, const void *data,
        size_t size, enum riad_publish how) RIAD_MUST_CHECK;

/* Opens parent/directory for listing. */
int riad_listing_open(int parent, const char *directory, DIR **ret) RIAD_MUST_CHECK;
/* 1 and the next name (borrowed until the next call), 0 at the end, or negative errno. Names that
 * begin with a dot are left out (FORMAT 2). */
int riad_listing_next(DIR *listing, const char **ret_name) RIAD_MUST_CHECK;

#endif
