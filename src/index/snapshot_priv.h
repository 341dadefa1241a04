#ifndef RIAD_SNAPSHOT_PRIV_H
#define RIAD_SNAPSHOT_PRIV_H

#include "riad/index.h"
#include "riad/keys.h"

#include "database_priv.h"

/* One thread at a time. */
struct riad_snapshot {
    sqlite3 *database;            /* inside a read transaction, from take to free */
    const struct riad_keys *keys; /* borrowed */
    struct riad_snapshot_header header;
};

#endif
