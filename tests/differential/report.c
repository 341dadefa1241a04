/* The two records compared; the first difference told. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine.h"

static const char *error_name(int64_t error)
{
    const char *name = error == 0 ? "0" : strerrorname_np((int)error);

    return name ? name : "?";
}

static void print_outcome(const char *side, const struct outcome *outcome)
{
    printf("  %-5s result %lld", side, (long long)outcome->result);
    if (outcome->error) {
        printf(" %s", error_name(outcome->error));
    }
    printf(", values");
    for (int i = 0; i < VALUES; i++) {
        printf(" %lld", (long long)outcome->value[i]);
    }
    printf("\n");
}

static void print_probe(const char *side, const int64_t *probe)
{
    printf("  %-5s", side);
    for (int i = 0; i < PROBE_FIELDS; i++) {
        printf(i == PROBE_MODE ? " %s=0%llo" : " %s=%lld", probe_names[i], (long long)probe[i]);
    }
    printf("\n");
}

static bool moved_unseen(enum probe_field field, const int64_t *fine, const int64_t *coarse)
{
    return (field == PROBE_MTIME_MOVED || field == PROBE_CTIME_MOVED) && fine[field] &&
           !coarse[field];
}

/* A file system whose clock ticks too slowly does not show every change. */
static bool same_probe_field(enum probe_field field, const int64_t *riad, const int64_t *other,
        const struct record *riad_record, const struct record *other_record)
{
    if (riad[field] == other[field]) {
        return true;
    }
    return (!other_record->fine_times && moved_unseen(field, riad, other)) ||
           (!riad_record->fine_times && moved_unseen(field, other, riad));
}

/* Returns the name of the first field that differs, NULL if none does. */
static const char *compare_outcomes(
        size_t number, const struct record *riad, const struct record *other, int *ret_probe)
{
    static char name[64];
    const struct outcome *a = &riad->outcome[number], *b = &other->outcome[number];

    *ret_probe = -1;
    if (a->error != b->error) {
        snprintf(name, sizeof name, "errno %s/%s", error_name(a->error), error_name(b->error));
        return name;
    }
    if (a->result != b->result) {
        return "result";
    }
    for (int i = 0; i < VALUES; i++) {
        if (a->value[i] != b->value[i]) {
            snprintf(name, sizeof name, "value %d", i);
            return name;
        }
    }
    for (int i = 0; i < PROBES * PROBE_FIELDS; i++) {
        enum probe_field field = (enum probe_field)(i % PROBE_FIELDS);

        *ret_probe = i / PROBE_FIELDS;
        if (!same_probe_field(field, a->probe[*ret_probe], b->probe[*ret_probe], riad, other)) {
            snprintf(name, sizeof name, "%s of inode %d", probe_names[field], *ret_probe);
            return name;
        }
    }
    return NULL;
}

static bool compare_operation(const struct operation *operation, size_t number,
        const struct record *riad, const struct record *other)
{
    int probe;
    const char *field = compare_outcomes(number, riad, other, &probe);

    if (!field) {
        return false;
    }
    printf("difference at operation %zu: %s\n  ", number, field);
    operation_print(operation, stdout);
    print_outcome("riad", &riad->outcome[number]);
    print_outcome("ext4", &other->outcome[number]);
    if (probe >= 0) {
        printf(" inode %d of the operation's, afterwards:\n", probe);
        print_probe("riad", riad->outcome[number].probe[probe]);
        print_probe("ext4", other->outcome[number].probe[probe]);
    }
    printf("signature: %s: %s\n", kinds[operation->kind].name, field);
    return true;
}

static FILE *open_tree(const struct record *record)
{
    lseek(record->tree, 0, SEEK_SET);
    return fdopen(dup(record->tree), "r");
}

static void tree_difference(char *riad, char *other, size_t line)
{
    const char *tab = strchr(riad[0] ? riad : other, '\t');

    printf("difference in the final tree, line %zu\n  riad %s\n  ext4 %s\n", line, riad, other);
    printf("signature: tree: %.*s\n", tab ? (int)strcspn(tab + 1, "\t") : 1, tab ? tab + 1 : "?");
}

static void read_line(FILE *file, char **line, size_t *size)
{
    if (getline(line, size, file) < 0) {
        *line = realloc(*line, 1);
        *size = 1;
        (*line)[0] = 0;
    }
    (*line)[strcspn(*line, "\n")] = 0;
}

static bool compare_trees(const struct record *riad, const struct record *other)
{
    FILE *files[2] = { open_tree(riad), open_tree(other) };
    char *lines[2] = { NULL, NULL };
    size_t sizes[2] = { 0, 0 }, count = 0;
    bool same;

    do {
        read_line(files[0], &lines[0], &sizes[0]);
        read_line(files[1], &lines[1], &sizes[1]);
        same = strcmp(lines[0], lines[1]) == 0;
        count++;
    } while (same && lines[0][0] != 0);
    if (!same) {
        tree_difference(lines[0], lines[1], count);
    }
    for (int i = 0; i < 2; i++) {
        free(lines[i]);
        fclose(files[i]);
    }
    return !same;
}

bool compare(const struct operation *operations, size_t count, const struct record *riad,
        const struct record *other)
{
    for (size_t i = 0; i < count; i++) {
        if (compare_operation(&operations[i], i, riad, other)) {
            return true;
        }
    }
    return compare_trees(riad, other);
}

static void tally_kind(
        int kind, const struct operation *operations, size_t count, const struct record *record)
{
    size_t errors[256] = { 0 };
    size_t skipped = 0;

    for (size_t i = 0; i < count; i++) {
        if (operations[i].kind == kind) {
            skipped += record->outcome[i].result == SKIPPED;
            errors[record->outcome[i].error & 255] += record->outcome[i].result != SKIPPED;
        }
    }
    printf("tally: %s done=%zu skipped=%zu", kinds[kind].name, errors[0], skipped);
    for (int error = 1; error < 256; error++) {
        if (errors[error] > 0) {
            printf(" %s=%zu", error_name(error), errors[error]);
        }
    }
    printf("\n");
}

void tally(const struct operation *operations, size_t count, const struct record *record)
{
    for (int kind = 0; kind < kind_count; kind++) {
        tally_kind(kind, operations, count, record);
    }
}
