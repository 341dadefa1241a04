#include "riad/config.h"

#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/key_text.h"

/* LINE_SIZE is inih's INI_MAX_LINE: what is longer it would take for two lines. */
enum { FILE_SIZE_MAX = 64 << 10, LINE_SIZE = INI_MAX_LINE };

struct parsing {
    struct riad_config config;
    struct riad_reason *reason;
    bool seen[24]; /* by setting */
    bool failed;   /* the reason is set */
};

/* 0, which stops inih at this line. */
__attribute__((format(printf, 2, 3))) static int refuse(
        struct parsing *parsing, const char *format, ...)
{
    va_list arguments;

    if (!parsing->failed) {
        va_start(arguments, format);
        vsnprintf(parsing->reason->text, sizeof parsing->reason->text, format, arguments);
        va_end(arguments);
    }
    parsing->failed = true;
    return 0;
}

char *riad_config_beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    char *joined;

    if (name[0] == '/' || !slash) {
        return strdup(name);
    }
    return asprintf(&joined, "%.*s/%s", (int)(slash - path), path, name) < 0 ? NULL : joined;
}

static int set_text(struct parsing *parsing, const char *name, const char *value, char **slot)
{
    if (value[0] == '\0') {
        return refuse(parsing, "`%s` has no value", name);
    }
    *slot = riad_config_beside(parsing->config.path, value);
    return *slot ? 1 : refuse(parsing, "no memory");
}

static int set_directory(struct parsing *parsing, const char *name, const char *value, char **slot)
{
    return value[0] == '/' ? set_text(parsing, name, value, slot)
                           : refuse(parsing, "`%s` must begin with a slash", name);
}

static int set_root(struct parsing *parsing, const char *value)
{
    if (riad_key_text_parse(value, &parsing->config.root) < 0) {
        return refuse(parsing,
                "`root` is no public key: it has 56 letters and digits 2 to 7, as `riad site "
                "show` tells it on a node of the site");
    }
    return 1;
}

static int set_account(struct parsing *parsing, const char *name, const char *value, char **slot)
{
    if (value[0] == '\0') {
        return refuse(parsing, "`%s` has no value", name);
    }
    *slot = strdup(value);
    return *slot ? 1 : refuse(parsing, "no memory");
}

static int set_place(struct parsing *parsing, const char *name, const char *value, char **slot)
{
    const char *last = strrchr(value, '/');

    if (!last || strcmp(last, "/%n") != 0 || strchr(value, '%') != last + 1) {
        return refuse(parsing, "`%s` must end with `/%%n`, and have no other %%", name);
    }
    return set_text(parsing, name, value, slot);
}

static int set_bytes(struct parsing *parsing, const char *value, uint64_t *slot)
{
    return riad_parse_bytes(value, slot) < 0
                   ? refuse(parsing, "`%.40s` is no size: 10G is 10 GiB", value)
                   : 1;
}

static int set_inodes(struct parsing *parsing, const char *value, uint64_t *slot)
{
    return riad_parse_count(value, slot) < 0
                   ? refuse(parsing, "`%.40s` is no count: 1M is 1,000,000", value)
                   : 1;
}

static int set_lock_idle(struct parsing *parsing, const char *value)
{
    int64_t seconds;

    if (riad_parse_seconds(value, &seconds) < 0) {
        return refuse(parsing, "`%.40s` is no time: 30m, 8h", value);
    }
    parsing->config.lock_idle_seconds = (uint64_t)seconds;
    return 1;
}

/* *slot: whether it is the second. */
static int set_choice(struct parsing *parsing, const char *name, const char *value,
        const char *first, const char *second, bool *slot)
{
    if (strcmp(value, first) != 0 && strcmp(value, second) != 0) {
        return refuse(parsing, "`%s` is %s or %s", name, first, second);
    }
    *slot = strcmp(value, second) == 0;
    return 1;
}

/* Each may stand once. */
static const struct setting {
    const char *section, *name;
} settings[] = {
    { "site", "store" },
    { "site", "root" },
    { "node", "key" },
    { "node", "state" },
    { "node", "run" },
    { "node", "user" },
    { "mount", "home" },
    { "mount", "project" },
    { "mount", "lock-idle" },
    { "mount", "lock-logout" },
    { "mount", "utmp" },
    { "policy", "enroll" },
    { "policy", "home-bytes" },
    { "policy", "home-inodes" },
    { "policy", "admins" },
    { "policy", "projects" },
    { "policy", "project-bytes" },
    { "policy", "project-inodes" },
    { "events", "limit-command" },
};
enum {
    SET_STORE,
    SET_ROOT,
    SET_KEY,
    SET_STATE,
    SET_RUN,
    SET_USER,
    SET_HOME,
    SET_PROJECT,
    SET_LOCK_IDLE,
    SET_LOCK_LOGOUT,
    SET_UTMP,
    SET_ENROLL,
    SET_HOME_BYTES,
    SET_HOME_INODES,
    SET_ADMINS,
    SET_PROJECTS,
    SET_PROJECT_BYTES,
    SET_PROJECT_INODES,
    SET_LIMIT_COMMAND,
    SETTINGS = sizeof settings / sizeof *settings
};
_Static_assert(SETTINGS <= 24, "room in seen");

static int take_policy(struct parsing *parsing, size_t setting, const char *value)
{
    struct riad_config *config = &parsing->config;
    const char *name = settings[setting].name;

    switch (setting) {
    case SET_ENROLL:
        return set_choice(parsing, name, value, "yes", "no", &config->no_enrol);
    case SET_HOME_BYTES:
        return set_bytes(parsing, value, &config->home_bytes);
    case SET_HOME_INODES:
        return set_inodes(parsing, value, &config->home_inodes);
    case SET_ADMINS:
        return set_account(parsing, name, value, &config->admins);
    case SET_PROJECTS:
        return set_choice(parsing, name, value, "admins", "users", &config->users_make_projects);
    case SET_PROJECT_BYTES:
        return set_bytes(parsing, value, &config->project_bytes);
    default:
        return set_inodes(parsing, value, &config->project_inodes);
    }
}

static int take_value(struct parsing *parsing, size_t setting, const char *value)
{
    struct riad_config *config = &parsing->config;
    const char *name = settings[setting].name;

    switch (setting) {
    case SET_STORE:
        return set_directory(parsing, name, value, &config->store);
    case SET_ROOT:
        return set_root(parsing, value);
    case SET_KEY:
        return set_text(parsing, name, value, &config->node_key);
    case SET_STATE:
        return set_text(parsing, name, value, &config->state);
    case SET_RUN:
        return set_text(parsing, name, value, &config->run);
    case SET_USER:
        return set_account(parsing, name, value, &config->user);
    case SET_HOME:
        return set_place(parsing, name, value, &config->home);
    case SET_PROJECT:
        return set_place(parsing, name, value, &config->project);
    case SET_LOCK_IDLE:
        return set_lock_idle(parsing, value);
    case SET_LOCK_LOGOUT:
        return set_choice(parsing, name, value, "no", "yes", &config->lock_logout);
    case SET_UTMP:
        return set_text(parsing, name, value, &config->utmp);
    case SET_LIMIT_COMMAND:
        return value[0] == '/' ? set_text(parsing, name, value, &config->limit_command)
                               : refuse(parsing, "`%.40s` is no absolute path", value);
    default:
        return take_policy(parsing, setting, value);
    }
}

static int take(void *context, const char *section, const char *name, const char *value)
{
    struct parsing *parsing = context;

    for (size_t i = 0; i < SETTINGS; i++) {
        if (strcmp(section, settings[i].section) != 0 || strcmp(name, settings[i].name) != 0) {
            continue;
        }
        if (parsing->seen[i]) {
            return refuse(parsing, "`%s` is there twice", name);
        }
        parsing->seen[i] = true;
        return take_value(parsing, i, value);
    }
    return refuse(parsing, "`%s` in section `%s` is not known", name, section);
}

/* Whoever may write the file says whom this node believes. */
static int check_owner(int fd, struct riad_reason *reason, const char *path)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    if ((st.st_uid == 0 || st.st_uid == geteuid()) && (st.st_mode & 022) == 0) {
        return 0;
    }
    snprintf(reason->text, sizeof reason->text,
            "%s can be written by others, and it says whom this node believes: chown root and "
            "chmod 644 it",
            path);
    return -EPERM;
}

/* Bounded, and with a zero behind it. */
static int read_text(const char *path, struct riad_reason *reason, char **ret)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_free_ char *text = calloc(1, FILE_SIZE_MAX + 1);
    size_t size = 0;
    int r;

    if (fd < 0) {
        return -errno;
    }
    r = check_owner(fd, reason, path);
    if (r < 0) {
        return r;
    }
    if (!text) {
        return -ENOMEM;
    }
    r = riad_pread_all(fd, text, FILE_SIZE_MAX + 1, 0, &size);
    if (r < 0) {
        return r;
    }
    if (size > FILE_SIZE_MAX || strlen(text) != size) {
        return -EFBIG;
    }
    *ret = riad_take_pointer(text);
    return 0;
}

/* The number of the first line that is too long for inih, 0 if none is. */
static int find_long_line(const char *text)
{
    int number = 1;

    for (const char *end; *text; text = end + (*end == '\n'), number++) {
        end = strchrnul(text, '\n');
        if (end - text > LINE_SIZE - 2) {
            return number;
        }
    }
    return 0;
}

static int parse(const char *text, struct parsing *parsing)
{
    char sentence[sizeof parsing->reason->text];
    int line = find_long_line(text);

    if (line > 0) {
        refuse(parsing, "the line is longer than %d characters", LINE_SIZE - 2);
    } else {
        line = ini_parse_string(text, take, parsing);
    }
    if (line < 0) {
        return -ENOMEM;
    }
    if (line > 0) {
        refuse(parsing, "this is neither `[section]` nor `name = value`");
        snprintf(sentence, sizeof sentence, "%s", parsing->reason->text);
        snprintf(parsing->reason->text, sizeof parsing->reason->text, "%.100s, line %d: %.200s",
                parsing->config.path, line, sentence);
        return -EINVAL;
    }
    if (!parsing->config.store || !parsing->seen[SET_ROOT]) {
        refuse(parsing, "%.100s: `%s` is missing in section `site`", parsing->config.path,
                parsing->config.store ? "root" : "store");
        return -EINVAL;
    }
    return 0;
}

static int fill_default(const struct riad_config *config, const char *value, char **slot)
{
    if (!*slot) {
        *slot = riad_config_beside(config->path, value);
    }
    return *slot ? 0 : -ENOMEM;
}

static int fill_defaults(struct riad_config *config)
{
    int r = fill_default(config, RIAD_NODE_KEY_DEFAULT, &config->node_key);

    if (r == 0) {
        r = fill_default(config, "/run/riad", &config->run);
    }
    r = r < 0 ? r : fill_default(config, "/riad/home/%n", &config->home);
    r = r < 0 ? r : fill_default(config, "/riad/project/%n", &config->project);
    return r < 0 ? r : fill_default(config, "/run/utmp", &config->utmp);
}

char *riad_config_place(
        const struct riad_config *config, enum riad_workspace_kind kind, const char *name)
{
    const char *place = kind == RIAD_KIND_HOME ? config->home : config->project;
    int prefix = (int)(strlen(place) - strlen("%n"));
    char *path;

    return asprintf(&path, "%.*s%s", prefix, place, name) < 0 ? NULL : path;
}

char *riad_config_socket(const struct riad_config *config, const char *name)
{
    char *path;

    return asprintf(&path, "%s/%s", config->run, name) < 0 ? NULL : path;
}

int riad_config_parse(
        const char *path, const char *text, struct riad_config *ret, struct riad_reason *ret_reason)
{
    struct parsing parsing = { .reason = ret_reason };
    int r;

    ret_reason->text[0] = '\0';
    parsing.config.path = strdup(path);
    r = parsing.config.path ? parse(text, &parsing) : -ENOMEM;
    if (r == 0) {
        r = fill_defaults(&parsing.config);
    }
    if (r < 0) {
        riad_config_done(&parsing.config);
        return r;
    }
    *ret = parsing.config;
    return 0;
}

int riad_config_load(const char *path, struct riad_config *ret, struct riad_reason *ret_reason)
{
    _cleanup_free_ char *text = NULL;
    int r;

    ret_reason->text[0] = '\0';
    r = read_text(path, ret_reason, &text);
    if (r == 0) {
        r = riad_config_parse(path, text, ret, ret_reason);
    }
    if (r < 0 && ret_reason->text[0] == '\0') {
        snprintf(ret_reason->text, sizeof ret_reason->text,
                "cannot read the configuration %s: %s%s", path, strerror(-r),
                r == -ENOENT ? ": `riad site init` or `riad node join` writes it" : "");
    }
    return r;
}

void riad_config_done(struct riad_config *config)
{
    free(config->path);
    free(config->store);
    free(config->node_key);
    free(config->state);
    free(config->run);
    free(config->user);
    free(config->home);
    free(config->project);
    free(config->admins);
    free(config->utmp);
    free(config->limit_command);
    *config = (struct riad_config){ 0 };
}
