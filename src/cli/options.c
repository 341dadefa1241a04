#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"

#include "cli.h"

enum { OPTION_HELP = 'h', OPTION_PASSPHRASE_FD = 'P', OPTION_STATE_DIR = '/' };

/* The letter is the option's name in parse_options' list; only those also written "-x" are short
 * options. */
static const struct option long_options[] = {
    { "workspace", required_argument, NULL, 'w' }, /* see options_of, also for --user */
    { "passphrase-file", required_argument, NULL, 'p' },
    { "passphrase-fd", required_argument, NULL, OPTION_PASSPHRASE_FD },
    { "recovery-file", required_argument, NULL, 'r' },
    { "key-file", required_argument, NULL, 'k' },
    { "new-passphrase-file", required_argument, NULL, 'n' },
    { "new-key-file", required_argument, NULL, 'K' },
    { "state-dir", required_argument, NULL, OPTION_STATE_DIR },
    { "confirm", required_argument, NULL, 'C' },
    { "since", required_argument, NULL, 'A' },
    { "head", required_argument, NULL, 'H' },
    { "expires", required_argument, NULL, 'E' },
    { "grace", required_argument, NULL, 'G' },
    { "lock-idle", required_argument, NULL, 'L' },
    { "config", required_argument, NULL, 'c' },
    { "name", required_argument, NULL, 'N' },
    { "user", required_argument, NULL, 'U' },
    { "manager", required_argument, NULL, 'M' },
    { "role", required_argument, NULL, 'O' },
    { "from-file", required_argument, NULL, 'D' },
    { "sort", required_argument, NULL, 'T' },
    { "default", no_argument, NULL, 'u' },
    { "over", no_argument, NULL, 'v' },
    { "csv", no_argument, NULL, 'Z' },
    { "human-readable", no_argument, NULL, 'z' },
    { "group", no_argument, NULL, 'g' },
    { "max-depth", required_argument, NULL, 'd' },
    { "rate", required_argument, NULL, 'x' },
    { "bytes", no_argument, NULL, 'Y' },
    { "json", no_argument, NULL, 'j' },
    { "foreground", no_argument, NULL, 'f' },
    { "all", no_argument, NULL, 'a' },
    { "lazy", no_argument, NULL, 'l' },
    { "force", no_argument, NULL, 'F' },
    { "recovery", no_argument, NULL, 'R' },
    { "quiet", no_argument, NULL, 'q' },
    { "no-wait", no_argument, NULL, 'W' },
    { "repair", no_argument, NULL, 'X' },
    { "help", no_argument, NULL, OPTION_HELP },
    { NULL, 0, NULL, 0 },
};
static const char short_options[] = ":w:o:b:B:i:I:t:d:S:sfqh";
/* Names in the list of what getopt takes for another option's. */
static const struct {
    int got, letter;
} renamed[] = { { OPTION_STATE_DIR, 's' }, { 's', 'z' }, { 't', 'G' }, { 'S', 'T' } };

static int letter_of(int got)
{
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++) {
        if (renamed[i].got == got) {
            return renamed[i].letter;
        }
    }
    return got;
}

/* In limits --workspace and --user say of what they are, and take no value. */
static void options_of(
        const char *letters, struct option ret[sizeof long_options / sizeof *long_options])
{
    static const struct option kinds[] = { { "workspace", no_argument, NULL, 'y' },
        { "user", no_argument, NULL, 'e' } };

    memcpy(ret, long_options, sizeof long_options);
    for (size_t i = 0; ret[i].name; i++) {
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            if (strcmp(ret[i].name, kinds[k].name) == 0 && strchr(letters, kinds[k].val)) {
                ret[i] = kinds[k];
            }
        }
    }
}

static const struct command *current;

static void print_usage(FILE *out)
{
    fprintf(out, "Usage: riad %s %s\n", current->name, current->arguments);
}

/* The command that argv belongs to, found by its function's name in argv[0], or argv[-1] and
 * argv[0]. */
static void find_current(char **argv)
{
    for (current = commands; current->name; current++) {
        const char *space = strchr(current->name, ' ');
        const char *last = space ? space + 1 : current->name;

        if (strcmp(last, argv[0]) != 0) {
            continue;
        }
        if (!space || strncmp(current->name, argv[-1], (size_t)(space - current->name)) == 0) {
            return;
        }
    }
}

int usage_error(const char *format, ...)
{
    va_list arguments;

    fputs("riad: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    print_usage(stderr);
    return RIAD_EXIT_USAGE;
}

int fail(int code, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list arguments;
    int r;

    va_start(arguments, format);
    r = vasprintf(&text, format, arguments);
    va_end(arguments);
    text = r < 0 ? NULL : text;
    fputs("riad: ", stderr);
    print_calmly(stderr, text ? text : format, true);
    fputc('\n', stderr);
    return code;
}

static void store_text(struct options *options, int letter, const char *value)
{
    const char **const slot = letter == 'p'   ? &options->passphrase_file
                              : letter == 'r' ? &options->recovery_file
                              : letter == 'k' ? &options->key_file
                              : letter == 'n' ? &options->new_passphrase_file
                              : letter == 'K' ? &options->new_key_file
                              : letter == 'w' ? &options->workspace
                              : letter == 's' ? &options->state_dir
                              : letter == 'C' ? &options->confirm
                              : letter == 'A' ? &options->since
                              : letter == 'H' ? &options->head
                              : letter == 'E' ? &options->expires
                              : letter == 'G' ? &options->grace
                              : letter == 'L' ? &options->lock_idle
                              : letter == 'c' ? &options->config
                              : letter == 'N' ? &options->name
                              : letter == 'U' ? &options->user
                              : letter == 'M' ? &options->manager
                              : letter == 'O' ? &options->role
                              : letter == 'D' ? &options->from_file
                              : letter == 'T' ? &options->sort
                              : letter == 'd' ? &options->max_depth
                              : letter == 'x' ? &options->rate
                              : letter == 'b' ? &options->bytes_soft
                              : letter == 'i' ? &options->inodes_soft
                              : letter == 'B' ? &options->bytes
                                              : &options->inodes;

    *slot = value;
}

/* As with mount(8), each -o adds to those before. */
static int add_mount_options(struct options *options, const char *more)
{
    size_t used = strlen(options->mount_options);
    size_t room = sizeof options->mount_options - used;
    int n = snprintf(options->mount_options + used, room, "%s%s", used > 0 ? "," : "", more);

    return n < 0 || (size_t)n >= room ? usage_error("the mount options are too long") : 0;
}

static void store_flag(struct options *options, int letter)
{
    bool *const slot = letter == 'j'   ? &options->json
                       : letter == 'f' ? &options->foreground
                       : letter == 'a' ? &options->all
                       : letter == 'l' ? &options->lazy
                       : letter == 'F' ? &options->force
                       : letter == 'R' ? &options->recovery
                       : letter == 'W' ? &options->no_wait
                       : letter == 'X' ? &options->repair
                       : letter == 'u' ? &options->as_default
                       : letter == 'v' ? &options->over
                       : letter == 'Z' ? &options->csv
                       : letter == 'z' ? &options->human
                       : letter == 'y' ? &options->workspaces
                       : letter == 'Y' ? &options->exact
                       : letter == 'e' ? &options->users
                       : letter == 'g' ? &options->groups
                                       : &options->quiet;

    *slot = true;
}

static int store_option(struct options *options, int letter)
{
    char *end;
    long fd;

    if (letter == OPTION_PASSPHRASE_FD) {
        fd = strtol(optarg, &end, 10);
        if (*end || end == optarg || fd < 0 || fd > 65535) {
            return usage_error(
                    "--passphrase-fd takes the number of an open descriptor, not `%s`", optarg);
        }
        options->passphrase_fd = (int)fd;
    } else if (letter == 'o') {
        return add_mount_options(options, optarg);
    } else if (strchr("prknKwsbBiICAHEGLcNUMODTdx", letter)) {
        store_text(options, letter, optarg);
    } else {
        store_flag(options, letter);
    }
    return 0;
}

int parse_options(int argc, char **argv, const char *letters, struct options *ret)
{
    struct options options = { .passphrase_fd = -1 };
    struct option taken[sizeof long_options / sizeof *long_options];
    int letter, r;

    find_current(argv);
    options_of(letters, taken);
    optind = 1;
    while ((letter = getopt_long(argc, argv, short_options, taken, NULL)) != -1) {
        if (letter == OPTION_HELP) {
            print_usage(stdout);
            printf("%s\n\n%s", current->summary, current->help);
            return -1;
        }
        if (letter == ':') {
            return usage_error("%s wants a value", argv[optind - 1]);
        }
        letter = letter_of(letter);
        if (letter == '?' || !strchr(letters, letter)) {
            return usage_error("`riad %s` takes no option %s: --help tells more", current->name,
                    argv[optind - 1]);
        }
        r = store_option(&options, letter);
        if (r != 0) {
            return r;
        }
    }
    *ret = options;
    return 0;
}
