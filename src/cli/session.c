#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "cli.h"

enum { STATUS_MS = 5000, BUSY_TRIES = 200, BUSY_WAIT_US = 50000 };

char *absolute_path(const char *path)
{
    _cleanup_free_ char *copy = strdup(path);
    _cleanup_free_ char *parent = NULL;
    char *slash, *result = NULL;

    if (!copy || !*path) {
        return NULL;
    }
    while (strlen(copy) > 1 && copy[strlen(copy) - 1] == '/') {
        copy[strlen(copy) - 1] = 0;
    }
    slash = strrchr(copy, '/');
    if (strcmp(copy, "/") == 0 || strcmp(slash ? slash + 1 : copy, ".") == 0 ||
            strcmp(slash ? slash + 1 : copy, "..") == 0) {
        return realpath(copy, NULL);
    }
    if (slash) {
        *slash = 0;
    }
    parent = realpath(slash ? (slash == copy ? "/" : copy) : ".", NULL);
    if (!parent) {
        return NULL;
    }
    if (asprintf(&result, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent,
                slash ? slash + 1 : copy) < 0) {
        return NULL;
    }
    return result;
}

int open_session(const struct options *options, const char *store, struct session *ret)
{
    _cleanup_secret_ struct riad_secret *secret = NULL;
    struct riad_reason reason = { "" };
    enum riad_slot_kind kind;
    struct session session = { .state = { .fd = -1 } };
    int code, r;

    r = riad_state_open(options->state_dir, &session.state);
    if (r < 0) {
        return fail(riad_exit_of(r), "cannot use the state directory: %s (see --state-dir)",
                strerror(-r));
    }
    session.store = realpath(store, NULL);
    if (!session.store) {
        code = fail(RIAD_EXIT_NOT_A_STORE, "no store at %s: %s", store, strerror(errno));
    } else {
        code = read_secret(options, store, &kind, &secret);
    }
    if (code == RIAD_EXIT_DONE) {
        code = riad_unlock_store(
                session.store, kind, secret, &session.state, &session.unlocked, &reason);
        if (code != RIAD_EXIT_DONE) {
            fail(code, "%s", reason.text);
        }
    }
    if (code != RIAD_EXIT_DONE) {
        riad_state_close(&session.state);
        free(session.store);
        return code;
    }
    *ret = session;
    return RIAD_EXIT_DONE;
}

int begin_session(int argc, char **argv, const char *letters, int count, const char *wanted,
        struct options *ret_options, struct session *ret_session)
{
    int r = parse_options(argc, argv, letters, ret_options);

    if (r != 0) {
        return r;
    }
    if (optind + count != argc) {
        return usage_error("%s", wanted);
    }
    return open_session(ret_options, argv[optind], ret_session);
}

int find_workspace(
        struct session *session, const char *name, const struct riad_catalog_workspace **ret)
{
    struct riad_roster roster;
    struct riad_keys *keys;
    int r = riad_unlocked_workspace(&session->unlocked, name, &roster, &keys, ret);

    if (r == -ENOENT) {
        return fail(RIAD_EXIT_FAILED,
                "no workspace `%s` in %s: `riad workspace list` shows what there is", name,
                session->store);
    }
    if (r < 0) {
        return fail(riad_exit_of(r), "the workspaces of %s cannot be read: %s", session->store,
                strerror(-r));
    }
    riad_keys_free(keys);
    riad_roster_done(&roster);
    return RIAD_EXIT_DONE;
}

void mark_catalog(struct session *session)
{
    struct riad_unlocked *unlocked = &session->unlocked;
    int r = riad_mark_catalog(&unlocked->store, &session->state, &unlocked->catalog);

    if (r < 0) {
        fail(0,
                "the change stands, but is not marked in %s: %s: until the next mount a store "
                "without "
                "it would not be noticed",
                session->state.path, strerror(-r));
    }
}

void close_session(struct session *session)
{
    if (session->store) {
        riad_unlocked_done(&session->unlocked);
        riad_state_close(&session->state);
        free(session->store);
        session->store = NULL;
    }
}

static void add_mounts(json_t *list, int pid, json_t *reply)
{
    json_t *mounts = json_object_get(reply, "mounts"), *mount;
    size_t i;

    json_array_foreach(mounts, i, mount)
    {
        json_object_set_new(mount, "pid", json_integer(pid));
        json_array_append(list, mount);
    }
}

/* Asks a process, or the daemon at a socket. One that has too many clients just now says so: it is
 * asked again for a while, or what it has would seem not to be mounted. -EBUSY: it goes on saying
 * so. */
static int ask_status(const struct riad_state *state, int pid, const char *socket, json_t **ret)
{
    json_t *reply = NULL;
    int r = -EBUSY;

    for (unsigned tries = 0; r == -EBUSY && tries < BUSY_TRIES; tries++) {
        if (tries > 0) {
            usleep(BUSY_WAIT_US);
        }
        r = socket ? riad_control_call_path(socket, "status", NULL, STATUS_MS, &reply)
                   : riad_control_call(state, pid, "status", NULL, STATUS_MS, &reply);
        if (r == 0 && !json_is_true(json_object_get(reply, "ok"))) {
            json_decref(reply);
            r = -EBUSY;
        }
    }
    if (r == 0) {
        *ret = reply;
    }
    return r;
}

/* Those of a site's daemon, if there is one here and it answers. */
static int add_site_mounts(json_t *list)
{
    _cleanup_free_ char *socket = NULL;
    const struct options none = { 0 };
    struct riad_reason reason;
    struct riad_config config;
    json_t *reply = NULL, *mount;
    size_t i;
    int r;

    if (riad_config_load(config_path(&none), &config, &reason) < 0) {
        return 0;
    }
    socket = riad_config_socket(&config, "control");
    riad_config_done(&config);
    r = socket ? ask_status(NULL, 0, socket, &reply) : -ENOMEM;
    if (r < 0) {
        return r == -EBUSY ? r : 0;
    }
    json_array_foreach(json_object_get(reply, "mounts"), i, mount)
    {
        json_object_set_new(mount, "socket", json_string(socket));
        json_array_append(list, mount);
    }
    json_decref(reply);
    return 0;
}

/* Of the last list. */
static bool somebody_is_silent;

bool mounts_are_known(void)
{
    return !somebody_is_silent;
}

int list_mounts(const struct riad_state *state, json_t **ret)
{
    _cleanup_free_ int *pids = NULL;
    size_t count = 0;
    json_t *list = json_array();
    int r = state->fd < 0 ? 0 : riad_control_list(state, &pids, &count);

    somebody_is_silent = false;
    for (size_t i = 0; r == 0 && i < count; i++) {
        json_t *reply = NULL;
        int asked = ask_status(state, pids[i], NULL, &reply);

        if (asked == 0) {
            add_mounts(list, pids[i], reply);
            json_decref(reply);
        } else if (asked == -EBUSY) {
            r = asked;
        } else if (asked == -ETIMEDOUT) { /* it must not hide the others */
            somebody_is_silent = true;
            fail(0,
                    "process %d does not answer, so what it has mounted is not shown: it waits, "
                    "maybe for its store; try again",
                    pids[i]);
        }
    }
    r = r < 0 ? r : add_site_mounts(list);
    if (r < 0) {
        json_decref(list);
        return r;
    }
    *ret = list;
    return 0;
}

int open_mounts(const struct options *options, struct riad_state *ret_state, json_t **ret)
{
    int r = riad_state_open(options->state_dir, ret_state);

    if (r == -EPERM && geteuid() == 0) {
        ret_state->fd = -1; /* riadd's, of another user: root has no mounts of its own */
        ret_state->path = NULL;
    } else if (r < 0) {
        return fail(riad_exit_of(r), "cannot use the state directory: %s", strerror(-r));
    }
    r = list_mounts(ret_state, ret);
    if (r < 0) {
        riad_state_close(ret_state);
        return fail(RIAD_EXIT_FAILED, "cannot list the mounts: %s",
                r == -EBUSY ? "too many requests are under way: try again" : strerror(-r));
    }
    return RIAD_EXIT_DONE;
}

const json_t *find_mount(const json_t *mounts, const char *path)
{
    const json_t *best = NULL;
    json_t *mount;
    size_t i, best_size = 0;

    json_array_foreach(mounts, i, mount)
    {
        const char *directory = json_string_value(json_object_get(mount, "directory"));
        size_t size = directory ? strlen(directory) : 0;

        if (size > best_size && strncmp(path, directory, size) == 0 &&
                (path[size] == 0 || path[size] == '/')) {
            best = mount;
            best_size = size;
        }
    }
    return best;
}

int not_mounted(const char *path, const char *hint)
{
    if (!mounts_are_known()) {
        return fail(RIAD_EXIT_FAILED, "whether a workspace of yours is mounted on %s is not known",
                path);
    }
    return fail(
            RIAD_EXIT_NOT_MOUNTED, "no riad workspace of yours is mounted on %s: %s", path, hint);
}

int open_mount(const struct options *options, const char *path, const char *hint,
        struct riad_state *ret_state, json_t **ret_mounts, const json_t **ret)
{
    int code = open_mounts(options, ret_state, ret_mounts);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    *ret = find_mount(*ret_mounts, path);
    if (!*ret) {
        json_decref(*ret_mounts);
        riad_state_close(ret_state);
        return not_mounted(path, hint);
    }
    return RIAD_EXIT_DONE;
}

/* mountinfo writes space, tab, newline and backslash as octal escapes. */
static void unescape(char *text)
{
    char *out = text;

    for (const char *in = text; *in; out++) {
        unsigned value;

        if (*in == '\\' && sscanf(in + 1, "%3o", &value) == 1) {
            *out = (char)value;
            in += 4;
        } else {
            *out = *in++;
        }
    }
    *out = 0;
}

bool is_mount_point(const char *path, bool *ret_riad)
{
    _cleanup_fclose_ FILE *file = fopen("/proc/self/mountinfo", "re");
    char line[8192], point[4097], type[256];
    bool found = false;

    while (file && fgets(line, sizeof line, file)) {
        const char *rest = strstr(line, " - ");

        if (!rest || sscanf(line, "%*d %*d %*s %*s %4096s", point) != 1 ||
                sscanf(rest, " - %255s", type) != 1) {
            continue;
        }
        unescape(point);
        if (strcmp(point, path) == 0) {
            found = true;
            *ret_riad = strcmp(type, "fuse.riad") == 0;
        }
    }
    return found;
}

void notify_reload(const struct riad_state *state, const char *store)
{
    json_t *mounts, *mount, *reply;
    size_t i;

    if (list_mounts(state, &mounts) < 0) {
        return;
    }
    json_array_foreach(mounts, i, mount)
    {
        const char *of = json_string_value(json_object_get(mount, "store"));
        int pid = (int)json_integer_value(json_object_get(mount, "pid"));

        if (!of || strcmp(of, store) != 0 || json_object_get(mount, "socket")) {
            continue;
        }
        if (riad_control_call(state, pid, "reload", NULL, 10000, &reply) < 0) {
            fail(0, "process %d did not take over the change: it applies at its next mount", pid);
        } else {
            json_decref(reply);
        }
    }
    json_decref(mounts);
}

const char *json_text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "";
}

uint64_t json_number(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));

    return value < 0 ? 0 : (uint64_t)value;
}

int print_json(json_t *object)
{
    int r = object ? json_dumpf(object, stdout, JSON_INDENT(2)) : -1;

    json_decref(object);
    putchar('\n');
    return r < 0 ? fail(RIAD_EXIT_FAILED, "out of memory") : RIAD_EXIT_DONE;
}
