/* riad events: the trail of a local state, and whether its chain holds. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "riad/bytes.h"
#include "riad/cleanup.h"
#include "riad/events.h"

#include "site_client.h"

struct reading {
    int64_t since;
    const char *store; /* hexadecimal; NULL: all */
    const char *head;  /* that must be there; NULL */
    json_t *list;      /* NULL: a table is printed */
    const char *state_dir;
    json_t *mounts; /* where names are looked up; NULL: not yet asked for */
    bool head_found;
    uint64_t count, broken;
    uint64_t number; /* of the last event */
    char hash[65];
};

static bool is_wanted(const struct reading *reading, const json_t *object)
{
    int64_t when;

    if (reading->store && strcmp(json_text(object, "store"), reading->store) != 0) {
        return false;
    }
    return parse_utc(json_text(object, "time"), &when) < 0 || when >= reading->since;
}

/* The trail is a file: what is in it may have been put there by somebody else. */
static const char *clean(const char *text, size_t max, char ret[RIAD_EVENT_TEXT_MAX + 1])
{
    return *text ? riad_event_clean(text, max, ret) : "-";
}

static void print_heading(void)
{
    printf("%-19s  %-18s %-8s %-9s %6s  %s\n", "TIME", "EVENT", "STORE", "WORKSPACE", "UID",
            "WHAT");
}

/* Asked for once, and only where an event needs them; what cannot be asked is as not mounted. */
static json_t *largest(struct reading *reading, const json_t *object)
{
    struct riad_state state;

    if (!reading->mounts && strstr(json_text(object, "text"), "largest directories")) {
        if (riad_state_open(reading->state_dir, &state) == 0) {
            if (list_mounts(&state, &reading->mounts) < 0) {
                reading->mounts = NULL;
            }
            riad_state_close(&state);
        }
        reading->mounts = reading->mounts ? reading->mounts : json_array();
    }
    return name_largest(reading->mounts, object);
}

static void print_largest(struct reading *reading, const json_t *object)
{
    json_t *names = largest(reading, object), *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        printf("%s", i == 0 ? "    largest: " : ", ");
        print_path(json_string_value(name));
    }
    if (json_array_size(names) > 0) {
        putchar('\n');
    }
    json_decref(names);
}

static void print_event(struct reading *reading, const json_t *object)
{
    char event[RIAD_EVENT_TEXT_MAX + 1], store[RIAD_EVENT_TEXT_MAX + 1];
    char workspace[RIAD_EVENT_TEXT_MAX + 1], text[RIAD_EVENT_TEXT_MAX + 1];
    char when[32] = "?";
    int64_t seconds;

    if (parse_utc(json_text(object, "time"), &seconds) == 0) {
        show_local_time(seconds, when);
    }
    printf("%-19s  %-18s %-8s %-9s %6lld  %s\n", when, clean(json_text(object, "event"), 64, event),
            clean(json_text(object, "store"), 8, store),
            clean(json_text(object, "workspace"), 8, workspace),
            (long long)json_integer_value(json_object_get(object, "uid")),
            clean(json_text(object, "text"), RIAD_EVENT_TEXT_MAX, text));
    print_largest(reading, object);
}

/* Only events of limits have it. */
static int add_largest(struct reading *reading, json_t *object)
{
    json_t *names = largest(reading, object);

    if (json_array_size(names) == 0) {
        json_decref(names);
        return 0;
    }
    return json_object_set_new(object, "largest", names);
}

static int add_event(struct reading *reading, const struct riad_event_line *line)
{
    json_t *copy = json_copy((json_t *)line->object);

    if (!copy || json_object_set_new(copy, "hash", json_string(reading->hash)) < 0 ||
            json_object_set_new(copy, "follows", json_boolean(line->follows)) < 0 ||
            add_largest(reading, copy) < 0) {
        json_decref(copy);
        return -ENOMEM;
    }
    return json_array_append_new(reading->list, copy) < 0 ? -ENOMEM : 0;
}

static int take(void *context, const struct riad_event_line *line)
{
    struct reading *reading = context;

    riad_hex_encode(&line->hash, sizeof line->hash, reading->hash);
    reading->number = line->number;
    reading->count++;
    reading->broken += !line->follows;
    reading->head_found |= reading->head && strcmp(reading->head, reading->hash) == 0;
    if (!line->follows && !reading->list) {
        puts("--- the chain is broken here: lines were changed, taken out or put in ---");
    }
    if (!line->object || !is_wanted(reading, line->object)) {
        return 0;
    }
    if (reading->list) {
        return add_event(reading, line);
    }
    print_event(reading, line->object);
    return 0;
}

static int print_list(struct reading *reading)
{
    return print_json(json_pack("{s:O, s:b, s:{s:I, s:s}}", "events", reading->list, "intact",
            reading->broken == 0, "head", "number", (json_int_t)reading->number, "hash",
            reading->hash));
}

static int judge(const struct reading *reading)
{
    if (reading->broken > 0) {
        return fail(RIAD_EXIT_DAMAGED,
                "the trail was tampered with or is damaged: its chain is broken in %llu places",
                (unsigned long long)reading->broken);
    }
    if (reading->head && !reading->head_found) {
        return fail(RIAD_EXIT_DAMAGED,
                "the trail has no event %s: it was cut, or begun anew, since that was its head",
                reading->head);
    }
    return RIAD_EXIT_DONE;
}

/* On a node of a site root means riadd's trail, which belongs to whom the worker becomes. */
static int open_trail(const struct options *options, struct riad_state *ret)
{
    struct riad_account account;
    struct riad_reason reason;
    struct riad_config config;
    int r = 0;

    if (options->state_dir || geteuid() != 0 ||
            riad_config_load(config_path(options), &config, &reason) < 0) {
        return riad_state_open(options->state_dir, ret);
    }
    if (config.user) {
        r = riad_account_find(config.user, &account);
        r = r < 0 ? r : riad_account_become(&account);
    }
    r = r < 0 ? r : riad_state_open(config.state, ret);
    riad_config_done(&config);
    return r;
}

static int show(const struct options *options, struct reading *reading)
{
    struct riad_state state;
    int code = RIAD_EXIT_DONE, r = open_trail(options, &state);

    if (r < 0) {
        return fail(riad_exit_of(r), "cannot use the state directory: %s (see --state-dir)",
                strerror(-r));
    }
    if (!reading->list) {
        print_heading();
    }
    r = riad_events_read(&state, take, reading);
    if (r < 0) {
        code = fail(RIAD_EXIT_FAILED, "cannot read the trail in %s: %s", state.path, strerror(-r));
    } else if (reading->list) {
        code = print_list(reading);
    } else if (reading->count > 0) {
        printf("Head: event %llu, %s\n", (unsigned long long)reading->number, reading->hash);
    }
    riad_state_close(&state);
    return code == RIAD_EXIT_DONE ? judge(reading) : code;
}

/* A user's own, as riadd tells them: the trail itself is its worker's. */
static int show_site(const struct options *options, struct reading *reading)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    json_t *reply, *object;
    size_t i;
    int code = open_site(options, &client);

    code = code == RIAD_EXIT_DONE ? ask_site(&client, "events", NULL, &reply) : code;
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    if (!reading->list) {
        print_heading();
    }
    json_array_foreach(json_object_get(reply, "events"), i, object)
    {
        if (is_wanted(reading, object) && reading->list) {
            add_largest(reading, object);
            json_array_append(reading->list, object);
        } else if (is_wanted(reading, object)) {
            print_event(reading, object);
        }
    }
    reading->broken = !json_is_true(json_object_get(reply, "intact"));
    json_decref(reply);
    if (reading->list) {
        print_json(
                json_pack("{s:O, s:b}", "events", reading->list, "intact", reading->broken == 0));
    }
    return judge(reading);
}

static int find_store(const char *path, char ret[33])
{
    struct riad_store store;
    int r = riad_store_open(path, &store);

    if (r < 0) {
        return fail(riad_exit_of(r == -ENOENT || r == -ENOTDIR ? -EMEDIUMTYPE : r),
                "cannot open the store %s: %s", path, strerror(-r));
    }
    riad_hex_encode(&store.binding.store, sizeof store.binding.store, ret);
    riad_store_close(&store);
    return RIAD_EXIT_DONE;
}

int command_events(int argc, char **argv)
{
    struct reading reading = { .since = INT64_MIN };
    struct options options;
    char store[33];
    bool at_site;
    int code = RIAD_EXIT_DONE, r = parse_options(argc, argv, "jsAHc", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    if (optind + 1 < argc) {
        return usage_error("name one store, or none for all");
    }
    if (options.since && parse_when(options.since, time(NULL), false, &reading.since) < 0) {
        return usage_error(
                "`%s` is no time: write 90d, 12h, 30m, 2026-11-27 or \"2026-11-27 09:30\"",
                options.since);
    }
    at_site = optind == argc && !options.state_dir && geteuid() != 0 && has_site(&options);
    if (at_site && options.head) {
        return usage_error("--head is for who reads the whole trail: root");
    }
    if (optind < argc) {
        code = find_store(argv[optind], store);
        reading.store = store;
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    reading.head = options.head;
    reading.state_dir = options.state_dir;
    reading.list = options.json ? json_array() : NULL;
    code = at_site ? show_site(&options, &reading) : show(&options, &reading);
    json_decref(reading.list);
    json_decref(reading.mounts);
    return code;
}
