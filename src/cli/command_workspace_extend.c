/* riad workspace extend: when a workspace ends. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "site_client.h"

enum { GRACE_SECONDS = 14 * 86400 }; /* unless it is said */

static int parse_grace(const char *text, uint32_t *ret)
{
    int64_t seconds;

    if (riad_parse_seconds(text, &seconds) < 0 || seconds > UINT32_MAX) {
        return usage_error("`%s` is no length of time: write 14d, 12h or 0s", text);
    }
    *ret = (uint32_t)seconds;
    return RIAD_EXIT_DONE;
}

int parse_expiry(const struct options *options, struct riad_catalog_expiry *ret)
{
    struct riad_catalog_expiry expiry = *ret;
    int64_t now = time(NULL), when = 0;

    if (options->grace && parse_grace(options->grace, &expiry.grace) != RIAD_EXIT_DONE) {
        return RIAD_EXIT_USAGE;
    }
    if (!options->expires) {
        *ret = expiry;
        return options->grace && expiry.expires == 0
                       ? usage_error("--grace begins when it expires: --expires says when")
                       : RIAD_EXIT_DONE;
    }
    if (strcmp(options->expires, "never") != 0) {
        if (parse_when(options->expires, now, true, &when) < 0) {
            return usage_error(
                    "`%s` is no time: write 90d, 2027-06-30, \"2027-06-30 12:00\" or never",
                    options->expires);
        }
        if (when <= now) {
            return usage_error("%s has passed already", options->expires);
        }
    }
    expiry.grace = options->grace || expiry.expires > 0 ? expiry.grace : GRACE_SECONDS;
    expiry.expires = (uint64_t)when;
    *ret = expiry;
    return RIAD_EXIT_DONE;
}

int report_expiry(const struct options *options, const char *name, const struct riad_id *id,
        const struct riad_catalog_expiry *expiry)
{
    char hex[33], when[32], end[32];

    riad_hex_encode(id, sizeof *id, hex);
    if (options->json) {
        return print_json(json_pack("{s:s, s:s, s:I, s:I}", "workspace", name, "id", hex, "expires",
                (json_int_t)expiry->expires, "grace_seconds", (json_int_t)expiry->grace));
    }
    if (expiry->expires == 0) {
        printf("The workspace `%s` does not expire.\n", name);
        return RIAD_EXIT_DONE;
    }
    printf("The workspace `%s` can be read only from %s on, and is locked, and kept, from %s on.\n",
            name, show_local_time((int64_t)expiry->expires, when),
            show_local_time((int64_t)(expiry->expires + expiry->grace), end));
    return RIAD_EXIT_DONE;
}

static int extend(struct session *session, const struct options *options, const char *name)
{
    struct riad_unlocked *unlocked = &session->unlocked;
    const struct riad_catalog_workspace *entry;
    struct riad_catalog_expiry expiry;
    struct riad_id id;
    int code = find_workspace(session, name, &entry), r;

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    id = entry->id;
    expiry = entry->expiry;
    code = parse_expiry(options, &expiry);
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    r = riad_catalog_set_expiry(
            &unlocked->store, &unlocked->keypair, &unlocked->catalog, &id, &expiry);
    if (r < 0) {
        return fail(
                riad_exit_of(r), "cannot write the expiry: %s: the old one holds", strerror(-r));
    }
    mark_catalog(session);
    record(session, &id, "expiry-set", "expires %lld, grace %u s", (long long)expiry.expires,
            expiry.grace);
    notify_reload(&session->state, session->store);
    return report_expiry(options, name, &id, &expiry);
}

int command_workspace_extend(int argc, char **argv)
{
    _cleanup_session_ struct session session = { 0 };
    struct options options;
    int code, r = parse_options(argc, argv, "pPrksjREGc", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    if (!options.expires && !options.grace) {
        return usage_error("say --expires WHEN, --grace TIME or both");
    }
    if (optind + 1 == argc && has_site(&options)) {
        return extend_site_workspace(&options, argv[optind]);
    }
    if (optind + 2 != argc) {
        return usage_error("name the store and the workspace");
    }
    code = open_session(&options, argv[optind], &session);
    return code == RIAD_EXIT_DONE ? extend(&session, &options, argv[optind + 1]) : code;
}
