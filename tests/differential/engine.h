/* One sequence of random operations, run by two processes, each in a directory of its own: results,
 * errnos, data, attributes and the final trees must be the same. README.md has the whole of it. */
#ifndef DIFFERENTIAL_ENGINE_H
#define DIFFERENTIAL_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

enum {
    ARGUMENTS = 6,        /* of one operation, at most */
    SLOTS = 6,            /* descriptors that are open at a time */
    FOLDER_SLOTS = 2,     /* the first of them, mostly for directories */
    USERS = 4,            /* the first is whoever runs the engine */
    PROBES = 4,           /* inodes looked at around one operation */
    VALUES = 4,           /* of an operation, beside its result */
    PATH_BYTES = 8192,    /* of the longest path drawn, too long for the kernel on purpose */
    DATA_BYTES = 2 << 20, /* of one read or write, at most */
    MAP_BYTES = 64 << 12,
    TIME_OMITTED = 1, /* among the times of TYPE_TIME */
    SKIPPED = -1000,  /* the result of what cannot be compared (README.md), on both sides */
    FAULT = -1001,    /* the result of an access to memory behind the end of a file */
};

struct operation {
    int kind; /* index into the table of kinds */
    int user;
    bool quiet; /* nothing is looked at before and after */
    int64_t argument[ARGUMENTS];
};

/* What is looked at of one inode, before and after an operation. */
enum probe_field {
    PROBE_ERROR,
    PROBE_MODE,
    PROBE_NLINK,
    PROBE_UID,
    PROBE_GID,
    PROBE_RDEV,
    PROBE_SIZE,
    PROBE_ATIME, /* zero if it is close to now, else the time itself */
    PROBE_MTIME,
    PROBE_MTIME_MOVED, /* by this operation */
    PROBE_CTIME_MOVED,
    PROBE_SAME_INODE, /* as before the operation */
    PROBE_FIELDS,
};

struct outcome {
    int64_t result;
    int64_t error; /* errno if the result is -1 */
    int64_t value[VALUES];
    bool untimed; /* whether times moved is no subject here (README.md) */
    int64_t probe[PROBES][PROBE_FIELDS];
};

/* One of the two processes and what it holds. */
struct side {
    const char *name;
    int top; /* the directory of this sequence */
    int slot[SLOTS];
    uint8_t *map[SLOTS]; /* of MAP_BYTES */
    int mapped[SLOTS];   /* the file, as its slot may have another one by now */
    uint8_t *data;       /* DATA_BYTES */
};

/* What a process tells the other, in shared memory. */
struct record {
    uint64_t done;   /* operations */
    bool fine_times; /* two changes of an inode never have the same ctime */
    int tree;        /* a memfd: the final tree, line by line */
    struct outcome outcome[];
};

typedef int64_t call_function(struct side *side, const int64_t *argument, struct outcome *ret);

/* --- randomness: splitmix64 --- */
uint64_t draw(uint64_t *state);
/* 0 .. count - 1 */
uint64_t draw_below(uint64_t *state, uint64_t count);
bool draw_percent(uint64_t *state, unsigned percent);

/* --- arguments --- */
enum type {
    TYPE_NONE,
    TYPE_SLOT,
    TYPE_FOLDER_SLOT, /* as TYPE_SLOT, likely to hold a directory */
    TYPE_PATH,
    TYPE_FOLDER, /* a path, likely that of a directory */
    TYPE_PLAIN_FOLDER,
    TYPE_FILE,       /* a path, likely that of something else */
    TYPE_PLAIN_PATH, /* never relative to a slot */
    TYPE_TARGET,     /* of a symlink */
    TYPE_OPEN,
    TYPE_MODE,
    TYPE_OFFSET,
    TYPE_LENGTH,
    TYPE_FILL, /* seed of the bytes to write; 0: zeros */
    TYPE_WHENCE,
    TYPE_RWF,
    TYPE_FALLOCATE,
    TYPE_SYNC,
    TYPE_FILE_TYPE,
    TYPE_RENAME,
    TYPE_USER,
    TYPE_TIME,
    TYPE_XATTR,
    TYPE_XATTR_SIZE,
    TYPE_XATTR_FLAGS,
    TYPE_ACL,
    TYPE_ACCESS,
    TYPE_LOCK,
    TYPE_BIT,
    TYPE_SIZE_HINT, /* of a buffer to fill */
    TYPE_FILE_FLAGS,
    TYPE_ATTEMPT, /* on an inode with flags */
    TYPES,
};
bool type_is_path(enum type type);
bool type_is_slot(enum type type);
int64_t argument_draw(enum type type, uint64_t *state);
void argument_describe(enum type type, int64_t value, FILE *out);

/* The path that an argument stands for, in the caller's buffer of PATH_BYTES. */
const char *path_text(int64_t argument, char *buffer);
/* The slot it is relative to, -1 for the top. */
int path_slot(int64_t argument);
/* The same without its last name; "." if there is but one. */
const char *path_parent(int64_t argument, char *buffer);
int64_t path_draw(uint64_t *state, enum type type);

extern const char *const xattr_names[];

/* --- operations --- */
struct kind {
    const char *name;
    call_function *call;
    int weight;
    enum type type[ARGUMENTS];
};
extern const struct kind kinds[];
extern const int kind_count;

/* Root only acts as several users. */
void operation_draw(uint64_t *state, size_t number, struct operation *ret);
void operation_print(const struct operation *operation, FILE *out);
/* One line as printed. False if it is none. */
bool operation_parse(const char *line, struct operation *ret);

/* --- a side --- */
/* Runs the operations, then dumps the tree; does not return. */
_Noreturn void side_run(const char *name, const char *directory, const struct operation *operations,
        size_t count, struct record *record);
/* The descriptor that a path is relative to. */
int side_at(const struct side *side, int64_t path);
void side_fill(uint8_t *data, size_t size, uint64_t seed);
int64_t side_hash(const void *data, size_t size);

/* --- users: the first is whoever runs the engine; the others are used if that is root --- */
void users_init(void);
bool users_are_many(void);
void user_become(int user);
uid_t user_uid(int user);
gid_t user_gid(int user);

/* --- looking at the inodes that an operation names --- */
struct look {
    struct stat st;
    int error;
};
void look_before(const struct side *side, const struct operation *operation, struct look *ret);
void look_after(const struct side *side, const struct operation *operation,
        const struct look *before, struct outcome *ret);
/* Zero for times close to now. */
int64_t distant_time(struct timespec time);
bool has_fine_times(int directory);

/* --- the final tree --- */
/* Every line is "path", a tab, a field, a tab, its value. */
void tree_dump(const char *directory, FILE *out);

/* --- comparison --- */
extern const char *const probe_names[PROBE_FIELDS];
/* Prints the first difference, and a line "signature: ..." that names its sort. False: none. */
bool compare(const struct operation *operations, size_t count, const struct record *riad,
        const struct record *other);
/* Prints of each kind: how often it was done, and how often with which errno. */
void tally(const struct operation *operations, size_t count, const struct record *record);

#endif
