/* One of the two processes: runs the operations in its directory, then dumps what is there. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "calls.h"

enum { NESTING = 4 };

int side_at(const struct side *side, int64_t path)
{
    int slot = path_slot(path);

    return slot < 0 ? side->top : side->slot[slot];
}

/* Words that depend on their place, so that a shifted byte is seen. */
void side_fill(uint8_t *data, size_t size, uint64_t seed)
{
    uint64_t state = seed;

    if (seed == 0) {
        memset(data, 0, size);
        return;
    }
    for (size_t i = 0; i < size; i += sizeof state) {
        uint64_t word = draw(&state);

        memcpy(data + i, &word, size - i < sizeof word ? size - i : sizeof word);
    }
}

int64_t side_hash(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ size;

    for (size_t i = 0; i < size; i += sizeof hash) {
        uint64_t word = 0;

        memcpy(&word, bytes + i, size - i < sizeof word ? size - i : sizeof word);
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
        hash ^= hash >> 32;
    }
    return (int64_t)hash;
}

static void insist(bool good, const char *side, const char *what)
{
    if (!good) {
        fprintf(stderr, "differential: %s: %s: %s\n", side, what, strerror(errno));
        _exit(3);
    }
}

/* The operations run some levels down: a ".." too many stays inside. */
static void enter(const char *name, const char *directory)
{
    insist(chdir(directory) == 0, name, directory);
    for (int i = 0; i < NESTING; i++) {
        insist(mkdir("down", 0755) == 0 && chmod("down", 0755) == 0 && chdir("down") == 0, name,
                "a directory to work in");
    }
    insist(chmod(".", 0777) == 0, name, "a directory to work in");
}

static void open_side(struct side *side, const char *name, const char *directory)
{
    memset(side, 0, sizeof *side);
    side->name = name;
    enter(name, directory);
    side->top = open(".", O_RDONLY | O_DIRECTORY);
    side->data = mmap(NULL, DATA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    insist(side->top >= 0 && side->data != MAP_FAILED, name, "a directory to work in");
    for (int i = 0; i < SLOTS; i++) {
        side->slot[i] = -1;
    }
}

static void close_side(struct side *side)
{
    for (int i = 0; i < SLOTS; i++) {
        unmap_slot(side, i);
        close(side->slot[i]);
    }
}

static void run_one(struct side *side, const struct operation *operation, struct outcome *ret)
{
    struct look before[PROBES];

    user_become(0);
    look_before(side, operation, before);
    user_become(operation->user);
    errno = 0;
    ret->result = kinds[operation->kind].call(side, operation->argument, ret);
    ret->error = ret->result == -1 ? errno : 0;
    user_become(0);
    look_after(side, operation, before, ret);
}

_Noreturn void side_run(const char *name, const char *directory, const struct operation *operations,
        size_t count, struct record *record)
{
    struct side side;
    FILE *tree = fdopen(record->tree, "w");

    signal(SIGPIPE, SIG_IGN);
    umask(022);
    user_become(0);
    open_side(&side, name, directory);
    record->fine_times = has_fine_times(side.top);
    for (size_t i = 0; i < count; i++) {
        run_one(&side, &operations[i], &record->outcome[i]);
        __atomic_store_n(&record->done, i + 1, __ATOMIC_RELEASE);
    }
    close_side(&side);
    insist(tree != NULL && chdir("/") == 0, name, "the end");
    tree_dump(directory, tree);
    fclose(tree);
    _exit(0);
}
