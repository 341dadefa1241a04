/* The command; README.md tells how to use it. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"

enum { SAME, DIFFERENT, USAGE, BROKEN, HANG_SECONDS = 60, POLL_MS = 2 };

struct sequence {
    struct operation *operations;
    size_t count;
};

static void draw_sequence(uint64_t seed, size_t count, struct sequence *ret)
{
    ret->count = count;
    ret->operations = calloc(count + 1, sizeof ret->operations[0]);
    for (size_t i = 0; i < count; i++) {
        operation_draw(&seed, i, &ret->operations[i]);
    }
}

/* Empty lines and such that begin with "#" are passed over. */
static bool read_sequence(const char *path, struct sequence *ret)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t size = 0, room = 0;
    bool good = file != NULL;

    memset(ret, 0, sizeof *ret);
    while (good && getline(&line, &size, file) > 0) {
        if (line[0] == '#' || line[0] == '\n') {
            continue;
        }
        if (ret->count == room) {
            room = 2 * room + 64;
            ret->operations = realloc(ret->operations, room * sizeof ret->operations[0]);
        }
        good = operation_parse(line, &ret->operations[ret->count++]);
    }
    if (!good) {
        fprintf(stderr, "differential: %s: %s\n", path, file ? line : strerror(errno));
    }
    free(line);
    return good;
}

static struct record *make_record(size_t count)
{
    size_t size = sizeof(struct record) + count * sizeof(struct outcome);
    struct record *record =
            mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (record == MAP_FAILED || (record->tree = memfd_create("tree", 0)) < 0) {
        perror("differential");
        exit(BROKEN);
    }
    return record;
}

static pid_t start(const char *name, const char *directory, const struct sequence *sequence,
        struct record *record)
{
    pid_t pid = fork();

    if (pid == 0) {
        side_run(name, directory, sequence->operations, sequence->count, record);
    }
    return pid;
}

/* Waits for a side as long as it gets on. */
static int wait_for(
        const char *name, pid_t pid, const struct sequence *sequence, const struct record *record)
{
    struct timespec pause = { 0, POLL_MS * 1000000L };
    uint64_t seen = 0;
    long waited = 0;
    int status;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        uint64_t done = __atomic_load_n(&record->done, __ATOMIC_ACQUIRE);

        waited = done == seen ? waited + POLL_MS : 0;
        seen = done;
        if (waited > HANG_SECONDS * 1000L) {
            printf("%s hangs at operation %zu\n  ", name, (size_t)done);
            if (done < sequence->count) {
                operation_print(&sequence->operations[done], stdout);
            }
            printf("signature: hang\n");
            kill(pid, SIGKILL);
            return DIFFERENT;
        }
        nanosleep(&pause, NULL);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return SAME;
    }
    printf("the process on %s ended with status %#x at operation %zu\nsignature: end\n", name,
            (unsigned)status, (size_t)record->done);
    return DIFFERENT;
}

static int run(const struct sequence *sequence, const char *riad, const char *other)
{
    struct record *records[2] = { make_record(sequence->count), make_record(sequence->count) };
    pid_t pids[2];
    int r;

    pids[0] = start("riad", riad, sequence, records[0]);
    pids[1] = start("ext4", other, sequence, records[1]);
    r = wait_for("riad", pids[0], sequence, records[0]);
    if (r != SAME) {
        kill(pids[1], SIGKILL);
        return r;
    }
    r = wait_for("ext4", pids[1], sequence, records[1]);
    if (r == SAME) {
        r = compare(sequence->operations, sequence->count, records[0], records[1]);
    }
    if (r == SAME) {
        tally(sequence->operations, sequence->count, records[0]);
    }
    return r;
}

static int usage(void)
{
    fprintf(stderr, "usage: differential run SEED COUNT DIRECTORY OTHER-DIRECTORY\n"
                    "       differential replay FILE DIRECTORY OTHER-DIRECTORY\n"
                    "       differential list SEED COUNT\n"
                    "       differential tree DIRECTORY\n");
    return USAGE;
}

int main(int count, char **words)
{
    struct sequence sequence;

    users_init();
    if (count == 3 && strcmp(words[1], "tree") == 0) {
        tree_dump(words[2], stdout);
        return SAME;
    }
    if (count == 5 && strcmp(words[1], "replay") == 0) {
        return read_sequence(words[2], &sequence) ? run(&sequence, words[3], words[4]) : USAGE;
    }
    if (count < 4) {
        return usage();
    }
    draw_sequence(strtoull(words[2], NULL, 10), strtoull(words[3], NULL, 10), &sequence);
    if (count == 6 && strcmp(words[1], "run") == 0) {
        return run(&sequence, words[4], words[5]);
    }
    if (count == 4 && strcmp(words[1], "list") == 0) {
        for (size_t i = 0; i < sequence.count; i++) {
            operation_print(&sequence.operations[i], stdout);
        }
        return SAME;
    }
    return usage();
}
