/* `riad bench`: steps on a scratch directory, timed one operation at a time. */
#ifndef RIAD_CLI_BENCH_H
#define RIAD_CLI_BENCH_H

#include "cli.h"

enum {
    BENCH_FILES = 2000, /* in BENCH_FOLDERS directories, */
    BENCH_FOLDERS = 20,
    BENCH_FILE_SIZE = 4096,
    BENCH_PIECES = 256, /* of the large file, */
    BENCH_PIECE_SIZE = 1 << 20,
    BENCH_RANDOM = 5000,
    BENCH_SYNCS = 200,
    BENCH_STEP_SECONDS = 4, /* a step that is slower does less, but for removing */
    BENCH_SAMPLES = 5000,   /* the most operations of a step */
    BENCH_STEPS = 9,
};
/* What must be free: the small files go before the large one comes; room for directories, and for
 * what is appended while syncing. */
#define BENCH_BYTES ((uint64_t)(BENCH_PIECES + 4) * BENCH_PIECE_SIZE)
enum { BENCH_INODES = BENCH_FILES + BENCH_FOLDERS + 2 };

/* Where it happens. */
struct bench_place {
    int fd;          /* the scratch directory, open */
    char *path;      /* and its path; heap */
    unsigned files;  /* small files that were made */
    unsigned pieces; /* of the large file that were written */
    int large;       /* the large file, open; -1 */
};

/* What one step did. */
struct bench_result {
    uint64_t operations, bytes;
    double seconds;           /* all of it */
    double median, slowest99; /* seconds of one operation: half were faster, 99 of 100 were */
    bool counted;             /* the place is in a mount of riad's: then what it took */
    uint64_t messages, store_calls;
    json_t *requests; /* by opcode; NULL */
};

struct bench_step {
    const char *name;  /* "create" */
    const char *title; /* "create files of 4 KiB" */
    unsigned most;     /* operations */
    unsigned size;     /* bytes of one; 0: it moves none */
    /* Before the first operation, not timed; NULL: nothing. 0 or negative errno */
    int (*begin)(struct bench_place *place);
    /* The number-th one; negative errno. 1: there are no more */
    int (*operate)(struct bench_place *place, unsigned number);
    int (*end)(struct bench_place *place); /* belongs to the time, and to no operation; NULL */
    bool whole;                            /* takes as long as it takes */
};
extern const struct bench_step bench_steps[BENCH_STEPS];

/* Which directory, and what it is. */
struct bench_where {
    char *directory; /* absolute, resolved; heap, as all */
    char *mount;     /* of the workspace that it is in, and more of that; NULL: of none */
    char *workspace, *transport;
};
/* To stdout. Exit code. */
int bench_print(const struct bench_where *where, const struct bench_result results[BENCH_STEPS]);
int bench_print_json(
        const struct bench_where *where, const struct bench_result results[BENCH_STEPS]);

/* Asked to end: a signal came. */
bool bench_is_interrupted(void);
/* Runs one step. 0, -EINTR, or what an operation failed with. The counts are the caller's. */
int bench_run(const struct bench_step *step, struct bench_place *place, struct bench_result *ret);

/* Makes a hidden directory there, from now on removed also when a signal ends the process. Exit
 * code; reported. */
int bench_place_make(const char *directory, struct bench_place *ret);
/* Removes it, with all in it, and lets a signal that came meanwhile end the process. Exit code;
 * reported. */
int bench_place_remove(struct bench_place *place);

#endif
