/* Limits of thousands of workspaces, from a file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"

#include "quota.h"

enum { TEXT_MAX = 256 << 20, LINE_WORDS = 5, NAME_MAX_SIZE = 64 };

void limit_changes_done(struct limit_changes *changes)
{
    free(changes->items);
    free(changes->text);
    changes->items = NULL;
    changes->text = NULL;
}

const char *limit_place(
        const struct limit_changes *changes, const struct limit_change *change, char ret[512])
{
    ret[0] = 0;
    if (change->line > 0) {
        snprintf(ret, 512, "%s: line %u: ", changes->path, change->line);
    }
    return ret;
}

/* All of it, with a zero at its end. */
static int read_text(FILE *file, char **ret, size_t *ret_size)
{
    _cleanup_free_ char *text = NULL;
    size_t size = 0, room = 0;

    do {
        if (room - size < 2) {
            char *grown = realloc(text, 2 * room + 65536);

            if (!grown) {
                return -ENOMEM;
            }
            text = grown;
            room = 2 * room + 65536;
        }
        size += fread(text + size, 1, room - size - 1, file);
    } while (!feof(file) && !ferror(file) && size < TEXT_MAX);
    if (ferror(file) || !feof(file)) {
        return ferror(file) ? -EIO : -EFBIG;
    }
    text[size] = 0;
    *ret = riad_take_pointer(text);
    *ret_size = size;
    return 0;
}

static int load(const char *path, struct limit_changes *ret)
{
    bool standard = strcmp(path, "-") == 0;
    _cleanup_fclose_ FILE *opened = standard ? NULL : fopen(path, "re");
    FILE *file = standard ? stdin : opened;
    size_t size = 0;
    int r = file ? read_text(file, &ret->text, &size) : -errno;

    ret->path = standard ? "standard input" : path;
    if (r < 0) {
        return fail(RIAD_EXIT_FAILED, "cannot read %s: %s", ret->path, strerror(-r));
    }
    return strlen(ret->text) == size
                   ? RIAD_EXIT_DONE
                   : usage_error("%s is no text: it has a zero byte in it", ret->path);
}

static int wrong(const struct limit_changes *changes, unsigned line, const char *sentence)
{
    return usage_error("%s: line %u: %s", changes->path, line, sentence);
}

/* A word that begins with # ends the line. More words than there may be are counted, too. */
static size_t split(char *line, char *ret[LINE_WORDS + 1])
{
    size_t count = 0;
    char *rest = line, *word;

    while (count <= LINE_WORDS && (word = strsep(&rest, " \t\r"))) {
        if (*word == '#') {
            break;
        }
        if (*word) {
            ret[count++] = word;
        }
    }
    return count;
}

static int parse_line(
        const struct limit_changes *changes, char **words, struct limit_change *change)
{
    static const char *const what[] = { "soft limit on bytes", "hard limit on bytes",
        "soft limit on inodes", "hard limit on inodes" };
    char sentence[160];

    if (strlen(words[0]) > NAME_MAX_SIZE) {
        return wrong(changes, change->line, "a workspace's name has 64 bytes at most");
    }
    change->name = words[0];
    for (unsigned i = LIMIT_BYTES_SOFT; i <= LIMIT_INODES_HARD; i++) {
        const char *word = words[1 + i];

        if (strcmp(word, "-") == 0) {
            continue;
        }
        if (parse_limit_field(i, word, &change->values[i]) < 0) {
            snprintf(sentence, sizeof sentence,
                    "`%.40s` is no %s: write 500M, none, or - for what it is", word, what[i]);
            return wrong(changes, change->line, sentence);
        }
        change->said |= 1U << i;
    }
    return RIAD_EXIT_DONE;
}

/* The soft and the hard one that a line says. */
static bool is_limit(const struct limit_change *change)
{
    struct riad_catalog_limit limit = { 0 };

    apply_limit_change(change, &limit);
    return riad_catalog_is_limit(&limit);
}

static int take_line(struct limit_changes *changes, char *line, unsigned number,
        const struct limit_change *common)
{
    char *words[LINE_WORDS + 1];
    size_t count = split(line, words);
    struct limit_change *change = &changes->items[changes->count];
    int code;

    if (count == 0) {
        return RIAD_EXIT_DONE;
    }
    if (count != LINE_WORDS) {
        return wrong(changes, number, "a line is: NAME SOFT HARD INODES-SOFT INODES-HARD");
    }
    *change = *common;
    change->line = number;
    code = parse_line(changes, words, change);
    if (code == RIAD_EXIT_DONE && !is_limit(change)) {
        return wrong(changes, number, "a soft limit is not above the hard one");
    }
    changes->count += code == RIAD_EXIT_DONE;
    return code;
}

static size_t count_lines(const char *text)
{
    size_t count = 1;

    for (const char *at = strchr(text, '\n'); at; at = strchr(at + 1, '\n')) {
        count++;
    }
    return count;
}

static int compare_names(const void *a, const void *b)
{
    const struct limit_change *const *left = a, *const *right = b;
    int r = strcmp((*left)->name, (*right)->name);

    return r != 0 ? r : ((*left)->line > (*right)->line) - ((*left)->line < (*right)->line);
}

static int refuse_twice(const struct limit_changes *changes)
{
    _cleanup_free_ const struct limit_change **sorted = calloc(changes->count + 1, sizeof *sorted);

    if (!sorted) {
        return fail(RIAD_EXIT_FAILED, "no memory");
    }
    for (size_t i = 0; i < changes->count; i++) {
        sorted[i] = &changes->items[i];
    }
    qsort(sorted, changes->count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < changes->count; i++) {
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0) {
            return usage_error("%s: line %u: `%s` is in line %u already", changes->path,
                    sorted[i]->line, sorted[i]->name, sorted[i - 1]->line);
        }
    }
    return RIAD_EXIT_DONE;
}

int read_limit_file(const char *path, const struct limit_change *common, struct limit_changes *ret)
{
    unsigned number = 0;
    char *rest, *line;
    int code = load(path, ret);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    ret->items = calloc(count_lines(ret->text), sizeof *ret->items);
    if (!ret->items) {
        return fail(RIAD_EXIT_FAILED, "no memory");
    }
    rest = ret->text;
    while (code == RIAD_EXIT_DONE && (line = strsep(&rest, "\n"))) {
        code = take_line(ret, line, ++number, common);
    }
    return code == RIAD_EXIT_DONE ? refuse_twice(ret) : code;
}
