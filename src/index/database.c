#include <errno.h>
#include <stdio.h>

#include "database_priv.h"

enum { BUSY_TIMEOUT_MS = 10000 };

int riad_database_error(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_SCHEMA:
        return -EUCLEAN;
    case SQLITE_CONSTRAINT:
        return -EBADMSG;
    default:
        return -EIO;
    }
}

int riad_database_run(sqlite3 *database, const char *text)
{
    int code = sqlite3_exec(database, text, NULL, NULL, NULL);

    return code == SQLITE_OK ? 0 : riad_database_error(code);
}

/* Of every connection. The page size counts only in the one that makes the database. */
static int set_pragmas(sqlite3 *database, int cache_kib)
{
    char text[128];

    snprintf(text, sizeof text, "PRAGMA cache_size = -%d", cache_kib);
    if (sqlite3_busy_timeout(database, BUSY_TIMEOUT_MS) != SQLITE_OK ||
            sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK) {
        return -EIO;
    }
    int r = riad_database_run(database,
            "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
            "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;"
            "PRAGMA foreign_keys = OFF; PRAGMA locking_mode = NORMAL");
    if (r < 0) {
        return r;
    }
    return riad_database_run(database, text);
}

int riad_database_open(const char *path, int flags, int cache_kib, sqlite3 **ret)
{
    _cleanup_(riad_database_closep) sqlite3 *database = NULL;
    int code = sqlite3_open_v2(path, &database, flags, NULL);

    if (code != SQLITE_OK) {
        return riad_database_error(code);
    }
    int r = set_pragmas(database, cache_kib);
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(database);
    return 0;
}

/* All statements are finalized by then. */
void riad_database_close(sqlite3 *database)
{
    sqlite3_close(database);
}

int riad_database_prepare(sqlite3 *database, const char *text, sqlite3_stmt **ret)
{
    int code = sqlite3_prepare_v3(database, text, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);

    return code == SQLITE_OK ? 0 : riad_database_error(code);
}

int riad_statement_step(sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);

    if (code == SQLITE_ROW) {
        return 1;
    }
    return code == SQLITE_DONE ? 0 : riad_database_error(code);
}

int riad_statement_run(sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);

    sqlite3_reset(statement);
    return code == SQLITE_DONE ? 0 : riad_database_error(code);
}

void riad_statement_reset(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
}

void riad_statement_finalize(sqlite3_stmt *statement)
{
    sqlite3_finalize(statement);
}

void riad_bind_u64(sqlite3_stmt *statement, int parameter, uint64_t value)
{
    sqlite3_bind_int64(statement, parameter, (sqlite3_int64)value);
}

void riad_bind_blob(sqlite3_stmt *statement, int parameter, const void *data, size_t size)
{
    sqlite3_bind_blob64(statement, parameter, data, size, SQLITE_STATIC);
}

bool riad_column_u64(sqlite3_stmt *statement, int column, uint64_t *ret)
{
    if (sqlite3_column_type(statement, column) != SQLITE_INTEGER) {
        return false;
    }
    *ret = (uint64_t)sqlite3_column_int64(statement, column);
    return true;
}

bool riad_column_u32(sqlite3_stmt *statement, int column, uint32_t *ret)
{
    uint64_t value;

    if (!riad_column_u64(statement, column, &value) || value > UINT32_MAX) {
        return false;
    }
    *ret = (uint32_t)value;
    return true;
}

bool riad_column_blob(sqlite3_stmt *statement, int column, const uint8_t **ret, size_t *ret_size)
{
    const uint8_t *data;

    if (sqlite3_column_type(statement, column) != SQLITE_BLOB) {
        return false;
    }
    data = sqlite3_column_blob(statement, column);
    if (!data) {
        return false;
    }
    *ret = data;
    *ret_size = (size_t)sqlite3_column_bytes(statement, column);
    return true;
}
