/* riad quota set: limits of workspaces, one or thousands, and what new ones get. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "quota.h"

/* --- in a person's own store --- */

static int refuse_above(const struct limit_changes *changes, const struct limit_change *change)
{
    char place[512];

    return fail(RIAD_EXIT_USAGE,
            "%s`%s`: the soft limit would be above the hard one: give both, or others",
            limit_place(changes, change, place), change->name);
}

/* What is to be set, all of it checked. *ret: as many as there are changes. */
static int check(struct session *session, const struct limit_changes *changes,
        struct riad_catalog_limit_setting *ret)
{
    _cleanup_free_ struct named_workspace *named = NULL;
    size_t count;
    char place[512];

    if (list_named(session, &named, &count) < 0) {
        return fail(RIAD_EXIT_FAILED, "no memory");
    }
    for (size_t i = 0; i < changes->count; i++) {
        const struct limit_change *change = &changes->items[i];
        const struct named_workspace *found = find_named(named, count, change->name);
        const struct riad_catalog_workspace *entry;

        if (!found && change->line == 0) {
            return find_workspace(session, change->name, &entry); /* says why not */
        }
        if (!found) {
            return fail(RIAD_EXIT_FAILED, "%sno workspace `%s` in %s",
                    limit_place(changes, change, place), change->name, session->store);
        }
        ret[i] = (struct riad_catalog_limit_setting){ found->entry->id, found->entry->limit };
        apply_limit_change(change, &ret[i].limit);
        if (!riad_catalog_is_limit(&ret[i].limit)) {
            return refuse_above(changes, change);
        }
    }
    return RIAD_EXIT_DONE;
}

static void record_limits(
        struct session *session, const struct riad_catalog_limit_setting *settings, size_t count)
{
    _cleanup_free_ struct riad_event *events = calloc(count + 1, sizeof *events);
    _cleanup_free_ char(*texts)[256] = calloc(count + 1, sizeof *texts);

    if (!events || !texts) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        events[i] = (struct riad_event){ "limit-set", &session->unlocked.store.binding.store,
            &settings[i].workspace, describe_limit(&settings[i].limit, texts[i]) };
    }
    riad_events_record_all(&session->state, events, count);
}

static int set_all(struct session *session, const struct limit_changes *changes)
{
    _cleanup_free_ struct riad_catalog_limit_setting *settings =
            calloc(changes->count + 1, sizeof *settings);
    struct riad_unlocked *unlocked = &session->unlocked;
    int code = settings ? check(session, changes, settings) : RIAD_EXIT_FAILED, r;

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    r = riad_catalog_set_limits(
            &unlocked->store, &unlocked->keypair, &unlocked->catalog, settings, changes->count);
    if (r < 0) {
        return fail(
                riad_exit_of(r), "cannot write the limits: %s: the old ones hold", strerror(-r));
    }
    mark_catalog(session);
    record_limits(session, settings, changes->count);
    notify_reload(&session->state, session->store);
    return RIAD_EXIT_DONE;
}

static int set_default(struct session *session, const struct limit_change *change)
{
    struct riad_unlocked *unlocked = &session->unlocked;
    struct riad_catalog_limit limit = unlocked->catalog.default_limit;
    char text[256];
    int r;

    apply_limit_change(change, &limit);
    r = riad_catalog_set_default_limit(
            &unlocked->store, &unlocked->keypair, &unlocked->catalog, &limit);
    if (r == -EINVAL) {
        return usage_error("the soft limit of new workspaces would be above the hard one");
    }
    if (r < 0) {
        return fail(riad_exit_of(r), "cannot write the limit: %s: the old one holds", strerror(-r));
    }
    mark_catalog(session);
    record(session, NULL, "limit-set", "of new workspaces: %s", describe_limit(&limit, text));
    return RIAD_EXIT_DONE;
}

/* --- whose limits --- */

/* At a site what stands first is the name of a workspace, unless it is a store. */
static bool is_store(const struct options *options, const char *argument)
{
    _cleanup_free_ char *file = NULL;

    if (!has_site(options) || strchr(argument, '/')) {
        return true;
    }
    return asprintf(&file, "%s/riad.json", argument) >= 0 && access(file, F_OK) == 0;
}

/* Those named by -w and as arguments, each once; the home, in a person's store, if none is. */
static int name_changes(const struct options *options, int count, char **names,
        const struct limit_change *change, const char *otherwise, struct limit_changes *ret)
{
    ret->items = calloc((size_t)count + 1, sizeof *ret->items);
    if (!ret->items) {
        return fail(RIAD_EXIT_FAILED, "no memory");
    }
    for (int i = -1; i < count; i++) {
        const char *name = i >= 0 ? names[i] : options->workspace;

        if (i < 0 && !name) {
            name = count == 0 ? otherwise : NULL;
        }
        for (size_t j = 0; name && j < ret->count; j++) {
            if (strcmp(ret->items[j].name, name) == 0) {
                return usage_error("`%s` is named twice", name);
            }
        }
        if (name) {
            ret->items[ret->count] = *change;
            ret->items[ret->count++].name = name;
        }
    }
    return RIAD_EXIT_DONE;
}

/* What was asked for. */
struct wish {
    struct options options;
    struct limit_change change;
    struct limit_changes changes; /* unless it is the default */
    const char *store;            /* NULL: the site */
};

static void wish_done(struct wish *wish)
{
    limit_changes_done(&wish->changes);
}

static int check_options(const struct options *options, int names)
{
    bool sized = options->bytes || options->inodes || options->bytes_soft || options->inodes_soft;
    bool named = names > 0 || options->workspace;

    if ((options->users || options->groups) &&
            (options->workspace || options->as_default || (options->users && options->groups))) {
        return usage_error("--user or --group, and whose: names of accounts or groups, or numbers");
    }
    if (options->from_file && (sized || named || options->as_default)) {
        return usage_error("--from-file says whose limits they are, and which");
    }
    if (options->as_default && named) {
        return usage_error("--default is for new workspaces: those that are named keep theirs");
    }
    return sized || options->grace || options->from_file
                   ? RIAD_EXIT_DONE
                   : usage_error(
                             "say which: -b SIZE, -B SIZE, -i COUNT, -I COUNT, --grace TIME, or "
                             "--from-file");
}

static int parse_wish(int argc, char **argv, struct wish *wish)
{
    const struct options *options = &wish->options;
    bool subjects = options->users || options->groups;
    bool store = !subjects && optind < argc && is_store(options, argv[optind]);
    char **names = argv + optind + store;
    int count = argc - optind - store;
    int code = check_options(options, count);

    wish->store = store ? argv[optind] : NULL;
    if (code == RIAD_EXIT_DONE && !store && !has_site(options)) {
        code = usage_error(subjects ? "limits of users and groups are a site's" : "name the store");
    }
    if (code == RIAD_EXIT_DONE) {
        code = parse_limit_change(options, &wish->change);
    }
    if (code != RIAD_EXIT_DONE || options->as_default) {
        return code;
    }
    if (options->from_file) {
        return read_limit_file(options->from_file, &wish->change, &wish->changes);
    }
    if (!store && count == 0 && !options->workspace) {
        return usage_error("name the store; or, at a site, whose home, or which project");
    }
    return name_changes(
            options, count, names, &wish->change, store ? "home" : NULL, &wish->changes);
}

static int grant_in_store(struct wish *wish)
{
    _cleanup_session_ struct session session = { 0 };
    int code = open_session(&wish->options, wish->store, &session);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    return wish->options.as_default ? set_default(&session, &wish->change)
                                    : set_all(&session, &wish->changes);
}

int command_quota_set(int argc, char **argv)
{
    _cleanup_(wish_done) struct wish wish = { 0 };
    int code, r = parse_options(argc, argv, "pPrkwsbBiIGuDRceg", &wish.options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    code = parse_wish(argc, argv, &wish);
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    if (wish.options.users || wish.options.groups) {
        code = set_subject_limits(&wish.options, &wish.changes);
    } else if (wish.store) {
        code = grant_in_store(&wish);
    } else {
        code = wish.options.as_default ? set_site_default(&wish.options, &wish.change)
                                       : set_site_limits(&wish.options, &wish.changes);
    }
    if (code == RIAD_EXIT_DONE && wish.options.from_file) {
        printf("Set the limits of %zu %s.\n", wish.changes.count,
                wish.options.users    ? "users"
                : wish.options.groups ? "groups"
                                      : "workspaces");
    }
    return code;
}
