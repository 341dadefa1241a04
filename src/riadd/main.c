/* riadd: serves a site's users on one of its nodes. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "riad/error.h"
#include "riad/monitor.h"
#include "riad/secret.h"

static const char help[] =
        "Usage: riadd [--foreground] [--config F]\n"
        "       riadd --check-config [--config F]\n\n"
        "Serves the users of a site on this node: they enrol, unlock and lock with the command "
        "riad.\n\n"
        "  --config F       the node's configuration (default: " RIAD_CONFIG_DEFAULT ")\n"
        "  --foreground     stay in front, as it always does: for clarity\n"
        "  --check-config   say whether the configuration is right, and end\n"
        "  --version\n\n"
        "`riad site init` or `riad node join` writes the configuration. SIGTERM: all is made "
        "durable and unmounted.\n"
        "Exit codes are those of riad.\n";

static int complain(int code, const struct riad_reason *reason)
{
    if (code != RIAD_EXIT_DONE && reason->text[0] != '\0') {
        fprintf(stderr, "riadd: %s\n", reason->text);
    }
    return code;
}

static int check_config(const char *path)
{
    struct riad_config config;
    struct riad_reason reason = { "" };
    int r = riad_config_load(path, &config, &reason);

    if (r < 0) {
        return complain(r == -EPERM ? RIAD_EXIT_NOT_PERMITTED : RIAD_EXIT_FAILED, &reason);
    }
    printf("%s: the configuration is right\n", path);
    riad_config_done(&config);
    return RIAD_EXIT_DONE;
}

/* Whoever started it and waits is told; where nobody waits that is no failure. */
static void tell(const char *state)
{
    int r = sd_notify(0, state);

    if (r < 0) {
        fprintf(stderr, "riadd: cannot tell the service manager: %s\n", strerror(-r));
    }
}

static void ready(void *context)
{
    fprintf(stderr, "riadd: ready, by %s\n", (const char *)context);
    tell("READY=1\nSTATUS=Serving");
}

static void tell_end(const struct riad_reason *reason)
{
    char state[sizeof reason->text + 16];

    snprintf(state, sizeof state, "STATUS=%s", reason->text);
    tell(state);
}

static int usage(void)
{
    fputs("riadd --help tells how it is used\n", stderr);
    return RIAD_EXIT_USAGE;
}

struct arguments {
    const char *config, *worker;
    bool check;
};

/* 0; or, less one, the exit code with which it ends here. */
static int parse(int argc, char **argv, struct arguments *ret)
{
    static const struct option options[] = { { "config", required_argument, NULL, 'c' },
        { "foreground", no_argument, NULL, 'f' }, { "check-config", no_argument, NULL, 'k' },
        { "worker", required_argument, NULL, 'w' }, { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 } };
    int letter;

    while ((letter = getopt_long(argc, argv, "c:fh", options, NULL)) != -1) {
        switch (letter) {
        case 'c':
            ret->config = optarg;
            break;
        case 'f':
            break;
        case 'k':
            ret->check = true;
            break;
        case 'w':
            ret->worker = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            return 1 + RIAD_EXIT_DONE;
        case 'V':
            puts("riadd " RIAD_VERSION);
            return 1 + RIAD_EXIT_DONE;
        default:
            return 1 + usage();
        }
    }
    return optind == argc ? 0 : 1 + usage();
}

int main(int argc, char **argv)
{
    const char *given = getenv("RIAD_CONFIG");
    struct arguments arguments = { .config = given ? given : RIAD_CONFIG_DEFAULT };
    struct riad_reason reason = { "" };
    int code = parse(argc, argv, &arguments);

    if (code > 0) {
        return code - 1;
    }
    if (arguments.check) {
        return check_config(arguments.config);
    }
    if (riad_secret_harden_process() < 0) {
        fputs("riadd: cannot switch core dumps off\n", stderr);
        return RIAD_EXIT_FAILED;
    }
    if (arguments.worker) {
        return complain(riad_worker_run(arguments.worker, &reason), &reason);
    }
    code = riad_monitor_run(
            arguments.config, "/proc/self/exe", ready, (void *)arguments.config, &reason);
    if (code != RIAD_EXIT_DONE && reason.text[0] != '\0') {
        tell_end(&reason);
    }
    return complain(code, &reason);
}
