/* What a mount has counted since it was opened, for its status. */
#include "host_priv.h"

static json_t *pack_hits(const struct riad_hits *hits)
{
    return json_pack(
            "{s:I, s:I}", "hits", (json_int_t)hits->hits, "misses", (json_int_t)hits->misses);
}

static json_t *pack_caches(const struct riad_workspace_status *status)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "inodes", pack_hits(&status->index.inodes),
            "names", pack_hits(&status->index.names), "extents", pack_hits(&status->index.extents),
            "files", pack_hits(&status->segments.files), "keys", pack_hits(&status->segments.keys));
}

static json_t *pack_log(const struct riad_workspace_status *status)
{
    const struct riad_log_counters *log = &status->log;

    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "changes", (json_int_t)log->appends, "records",
            (json_int_t)log->records, "bytes", (json_int_t)(log->append_bytes + log->bulk_bytes),
            "writes", (json_int_t)(log->ships + log->bulk_writes), "syncs", (json_int_t)log->syncs);
}

/* All kinds, and what they add up to. */
static json_t *pack_store_calls(const struct riad_workspace_status *status)
{
    json_t *object = json_object();
    uint64_t total = 0;

    for (enum riad_store_call kind = 0; object && kind < RIAD_CALL_KINDS; kind++) {
        json_object_set_new(object, riad_store_call_name(kind),
                json_integer((json_int_t)status->store_calls[kind]));
        total += status->store_calls[kind];
    }
    if (object) {
        json_object_set_new(object, "total", json_integer((json_int_t)total));
    }
    return object;
}

json_t *riad_host_pack_counters(
        const struct riad_session *session, const struct riad_workspace_status *status)
{
    struct riad_session_counters requests;
    uint64_t total = 0;

    riad_session_count(session, &requests);
    for (unsigned i = 0; i < RIAD_OPCODES_MAX; i++) {
        total += requests.requests[i];
    }
    return json_pack("{s:I, s:I, s:o, s:I, s:o, s:o}", "requests", (json_int_t)total,
            "request_errors", (json_int_t)requests.errors, "log", pack_log(status), "index_commits",
            (json_int_t)status->index.commits, "caches", pack_caches(status), "store_calls",
            pack_store_calls(status));
}
