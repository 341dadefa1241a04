/* A place for each call that is under way. What is in one is read without a lock: calls of interest
 * have been there for long, and one that ends meanwhile is at worst told of once more. */
#include "riad/stall.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "riad/thread.h"

enum { PLACES = 128, PATH_SIZE = 4096 };
#define SECOND_NS ((uint64_t)1000000000)

struct riad_stall_place {
    _Alignas(64) _Atomic uint64_t begun; /* ns; 0: free */
    _Atomic(const char *) name;
    _Atomic int fd;
};

static struct riad_stall_place places[PLACES];
static _Atomic unsigned threads;

/* Where a thread looks first: so threads do not share a cache line. */
static unsigned own_place(void)
{
    static _Thread_local unsigned own; /* plus one */

    if (own == 0) {
        own = atomic_fetch_add(&threads, 1) % PLACES + 1;
    }
    return own - 1;
}

struct riad_stall_place *riad_stall_begin(const char *name, int fd)
{
    uint64_t now = riad_now_ns();
    unsigned own = own_place();

    for (unsigned i = 0; i < PLACES; i++) {
        struct riad_stall_place *place = &places[(own + i) % PLACES];
        uint64_t free = 0;

        if (atomic_compare_exchange_strong(&place->begun, &free, now)) {
            atomic_store(&place->name, name);
            atomic_store(&place->fd, fd);
            return place;
        }
    }
    return NULL;
}

void riad_stall_end(struct riad_stall_place *place)
{
    if (place) {
        atomic_store(&place->begun, 0);
    }
}

/* The kernel's name of an open file: no question to its file system. "" if there is none. */
static void path_of(int fd, char ret[PATH_SIZE])
{
    char link[32];
    ssize_t size;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    size = fd < 0 ? 0 : readlink(link, ret, PATH_SIZE - 1);
    ret[size < 0 ? 0 : size] = '\0';
}

/* What of the path lies below the directory; NULL: it does not. */
static const char *below(const char *directory, const char *path)
{
    size_t size = strlen(directory);

    if (size == 0 || strncmp(path, directory, size) != 0) {
        return NULL;
    }
    if (path[size] == '\0') {
        return ".";
    }
    return path[size] == '/' ? path + size + 1 : NULL;
}

/* The oldest one is told of. */
static void add(struct riad_stall *stall, uint64_t seconds, const char *name, const char *file)
{
    if (stall->calls++ == 0 || seconds > stall->seconds) {
        stall->seconds = seconds;
        snprintf(stall->call, sizeof stall->call, "%s", name);
        snprintf(stall->file, sizeof stall->file, "%s", file);
    }
}

void riad_stall_find(int directory_fd, unsigned at_least_seconds, struct riad_stall *ret)
{
    struct riad_stall stall = { 0 };
    char directory[PATH_SIZE], path[PATH_SIZE];
    uint64_t now = riad_now_ns();

    path_of(directory_fd, directory);
    for (unsigned i = 0; i < PLACES; i++) {
        uint64_t begun = atomic_load(&places[i].begun);
        const char *name = atomic_load(&places[i].name), *file;

        if (begun == 0 || !name || begun + at_least_seconds * SECOND_NS > now) {
            continue;
        }
        path_of(atomic_load(&places[i].fd), path);
        file = below(directory, path);
        if (file && atomic_load(&places[i].begun) == begun) {
            add(&stall, (now - begun) / SECOND_NS, name, file);
        }
    }
    *ret = stall;
}
