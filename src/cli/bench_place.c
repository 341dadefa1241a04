/* The scratch directory of `riad bench`: it goes, whatever ends the bench. */
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "bench.h"

static volatile sig_atomic_t caught; /* the signal */
static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static void catch_signal(int number)
{
    caught = number;
}

bool bench_is_interrupted(void)
{
    return caught != 0;
}

/* A call that waits is not begun anew: the bench ends. */
static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = catch_signal };
    struct sigaction before;

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
            sigaction(signals[i], &action, NULL);
        }
    }
    signal(SIGPIPE, SIG_IGN); /* nobody may read the progress any more */
}

static int refuse(const char *directory, int error)
{
    int code = error == EACCES || error == EPERM || error == EROFS ? RIAD_EXIT_NOT_PERMITTED
               : error == EDQUOT                                   ? RIAD_EXIT_OVER_LIMIT
                                                                   : RIAD_EXIT_FAILED;

    return fail(code, "cannot make a directory in %s: %s", directory, strerror(error));
}

int bench_place_make(const char *directory, struct bench_place *ret)
{
    struct bench_place place = { .fd = -1, .large = -1 };

    if (asprintf(&place.path, "%s%s.riad-bench-XXXXXX", directory,
                strcmp(directory, "/") == 0 ? "" : "/") < 0) {
        return fail(RIAD_EXIT_FAILED, "out of memory");
    }
    catch_signals();
    if (!mkdtemp(place.path)) {
        int error = errno;

        free(place.path);
        return refuse(directory, error);
    }
    place.fd = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *ret = place;
    if (place.fd < 0) {
        int code = refuse(directory, errno);

        (void)bench_place_remove(ret);
        return code;
    }
    return RIAD_EXIT_DONE;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

static void end_by_signal(void)
{
    signal(caught, SIG_DFL);
    raise(caught);
}

int bench_place_remove(struct bench_place *place)
{
    int code = RIAD_EXIT_DONE;

    riad_close_fd(&place->large);
    riad_close_fd(&place->fd);
    if (nftw(place->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0) {
        code = fail(
                RIAD_EXIT_FAILED, "%s is left behind: %s: remove it", place->path, strerror(errno));
    }
    free(place->path);
    place->path = NULL;
    if (caught) {
        end_by_signal();
    }
    return code;
}
