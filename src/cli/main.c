#include <stdio.h>
#include <string.h>

#include "cli.h"

#ifdef RIAD_CHEAP_SCRYPT
#define BUILD_NOTE ", built for tests: passphrases are cheap to guess"
#else
#define BUILD_NOTE ""
#endif

static void print_overview(FILE *out)
{
    fputs("riad - encrypted workspaces with limits that hold\n\nUsage: riad COMMAND "
          "[ARGUMENT...]\n\n",
            out);
    for (const struct command *command = commands; command->name; command++) {
        char line[128];

        snprintf(line, sizeof line, "riad %s %s", command->name, command->arguments);
        fprintf(out, "  %-44s %s\n", line, command->summary);
    }
    fputs("\nriad COMMAND --help tells more. Sizes: 10G means 10 GiB; counts: 1M means 1,000,000.\n"
          "Every command that shows something takes --json. Secrets are prompted for, or read with "
          "--passphrase-file F\n"
          "or --passphrase-fd N; never from the command line.\n\n"
          "Exit codes: 0 done, 1 failed, 2 wrong usage, 10 wrong passphrase or code, 11 not a riad "
          "store, 12 format too new,\n"
          "13 locked, 14 owned by another process or node, 15 damage found, 16 over a limit, 17 "
          "not permitted,\n"
          "18 directory not empty, 19 already mounted, 20 FUSE not available, 21 not mounted.\n",
            out);
}

/* Matches one or two words; *ret_words says how many. */
static const struct command *find_command(int argc, char **argv, int *ret_words)
{
    for (const struct command *command = commands; command->name; command++) {
        const char *space = strchr(command->name, ' ');
        size_t first = space ? (size_t)(space - command->name) : strlen(command->name);

        if (strlen(argv[1]) != first || memcmp(argv[1], command->name, first) != 0) {
            continue;
        }
        if (!space || (argc > 2 && strcmp(argv[2], space + 1) == 0)) {
            *ret_words = space ? 2 : 1;
            return command;
        }
    }
    return NULL;
}

static int unknown_command(int argc, char **argv)
{
    size_t size = strlen(argv[1]);
    bool is_noun = false;

    for (const struct command *command = commands; command->name; command++) {
        if (strncmp(command->name, argv[1], size) == 0 && command->name[size] == ' ') {
            fprintf(stderr, "%s riad %s %s\n", is_noun ? "      " : "Usage:", command->name,
                    command->arguments);
            is_noun = true;
        }
    }
    if (is_noun) {
        return argc > 2 && strcmp(argv[2], "--help") == 0 ? RIAD_EXIT_DONE : RIAD_EXIT_USAGE;
    }
    return fail(RIAD_EXIT_USAGE, "no command `%s`: `riad --help` lists them", argv[1]);
}

int main(int argc, char **argv)
{
    const struct command *command;
    int words;

    if (argc < 2) {
        print_overview(stderr);
        return RIAD_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
            strcmp(argv[1], "help") == 0) {
        print_overview(stdout);
        return RIAD_EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("riad " RIAD_VERSION ", store format 1" BUILD_NOTE);
        return RIAD_EXIT_DONE;
    }
    command = find_command(argc, argv, &words);
    if (!command) {
        return unknown_command(argc, argv);
    }
    if (riad_secret_harden_process() < 0) {
        return fail(RIAD_EXIT_FAILED, "cannot switch core dumps off");
    }
    return command->run(argc - words, argv + words);
}
