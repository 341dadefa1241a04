/* Layer catalog, private. Sealed names of workspaces (FORMAT 4.2). */
#ifndef RIAD_LABEL_PRIV_H
#define RIAD_LABEL_PRIV_H

#include "riad/siv.h"

enum { RIAD_LABEL_MAX = 255 };

/* ret has room for RIAD_SEALED_NAME_MAX bytes. -EINVAL: not 1..255 bytes. */
int riad_label_seal(const struct riad_siv *key, const char *name, uint8_t *ret,
        size_t *ret_size) RIAD_MUST_CHECK;
/* -EBADMSG. */
int riad_label_open(const struct riad_siv *key, const uint8_t *sealed, size_t size,
        char ret[RIAD_LABEL_MAX + 1]) RIAD_MUST_CHECK;

#endif
