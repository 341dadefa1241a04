/* One connection to the index's database, and what every use of SQLite shares: errors, statements,
 * column access. One thread per connection at a time. */
#ifndef RIAD_DATABASE_PRIV_H
#define RIAD_DATABASE_PRIV_H

#include <sqlite3.h>

#include "riad/cleanup.h"
#include "riad/row.h"

enum {
    RIAD_APPLICATION_ID = 0x72696164, /* "riad" */
    RIAD_SCHEMA_VERSION = 3,          /* another one is made anew from checkpoint and log */
};

/* The schema of the workspace's rows, one string. */
extern const char riad_schema_text[];

/* A result code as negative errno: -ENOSPC, -ENOMEM, -EUCLEAN (corrupt), -EBADMSG (a constraint),
 * -EIO. */
int riad_database_error(int code) RIAD_MUST_CHECK;
/* Opens an existing database with SQLite's open flags and sets its pragmas. cache_kib bounds its
 * page cache. */
int riad_database_open(const char *path, int flags, int cache_kib, sqlite3 **ret) RIAD_MUST_CHECK;
void riad_database_close(sqlite3 *database);
RIAD_DEFINE_CLEANUP(sqlite3, riad_database_close);
/* Runs text without parameters or results. */
int riad_database_run(sqlite3 *database, const char *text) RIAD_MUST_CHECK;
/* Prepares a statement that lives long. */
int riad_database_prepare(sqlite3 *database, const char *text, sqlite3_stmt **ret) RIAD_MUST_CHECK;
/* Whether tables and indexes are exactly those of riad_schema_text: -EUCLEAN if not. */
int riad_schema_check(sqlite3 *database) RIAD_MUST_CHECK;
/* 1: there is no table at all. */
int riad_schema_is_missing(sqlite3 *database) RIAD_MUST_CHECK;
int riad_schema_create(sqlite3 *database) RIAD_MUST_CHECK;
/* Walks to the last row of each b-tree: -EUCLEAN if pages on the way are not what they should be.
 */
int riad_schema_probe(sqlite3 *database) RIAD_MUST_CHECK;

/* 1: a row; 0: done; negative errno. The caller resets. */
int riad_statement_step(sqlite3_stmt *statement) RIAD_MUST_CHECK;
/* Steps a statement without results to its end and resets it. */
int riad_statement_run(sqlite3_stmt *statement) RIAD_MUST_CHECK;
void riad_statement_reset(sqlite3_stmt *statement);
void riad_statement_finalize(sqlite3_stmt *statement);
RIAD_DEFINE_CLEANUP(sqlite3_stmt, riad_statement_reset);
RIAD_DEFINE_CLEANUP(sqlite3_stmt, riad_statement_finalize);
#define _cleanup_reset_ _cleanup_(riad_statement_resetp)
#define _cleanup_finalize_ _cleanup_(riad_statement_finalizep)

/* Parameters from 1. Binding fails only for an index out of range: a mistake of the program, or for
 * a blob over SQLite's limit: then the step fails. Blobs are borrowed until the reset. */
void riad_bind_u64(sqlite3_stmt *statement, int parameter, uint64_t value);
void riad_bind_blob(sqlite3_stmt *statement, int parameter, const void *data, size_t size);
/* Columns from 0. False, and nothing else, if the column is not of that type or range. */
bool riad_column_u64(sqlite3_stmt *statement, int column, uint64_t *ret);
bool riad_column_u32(sqlite3_stmt *statement, int column, uint32_t *ret);
/* Borrowed until the next step or reset. An empty blob is refused. */
bool riad_column_blob(sqlite3_stmt *statement, int column, const uint8_t **ret, size_t *ret_size);

#endif
