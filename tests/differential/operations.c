/* Operations drawn, printed and read back. The table of kinds is in kinds.c. */
#include <stdlib.h>
#include <string.h>

#include "engine.h"

/* Now and then what is there is opened to all and added to, else most paths would lead nowhere. */
enum { QUIET_PERCENT = 20, ROOT_PERCENT = 50, SEASON = 400, SPRING = 40, ALL_MAY = 0777 };

static int draw_kind(uint64_t *state)
{
    int total = 0;
    int left;

    for (int i = 0; i < kind_count; i++) {
        total += kinds[i].weight;
    }
    left = (int)draw_below(state, (uint64_t)total);
    for (int i = 0; i < kind_count; i++) {
        left -= kinds[i].weight;
        if (left < 0) {
            return i;
        }
    }
    abort();
}

static int find_kind(const char *name)
{
    for (int i = 0; i < kind_count; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static void draw_in_spring(uint64_t *state, struct operation *ret)
{
    static const char *const names[] = { "mkdir", "chmod-folder", "open", "unlink-folder" };

    memset(ret, 0, sizeof *ret);
    ret->kind = find_kind(names[draw_below(state, 4)]);
    for (int i = 0; i < ARGUMENTS; i++) {
        enum type type = kinds[ret->kind].type[i];

        ret->argument[i] = type == TYPE_MODE ? ALL_MAY : argument_draw(type, state);
    }
}

void operation_draw(uint64_t *state, size_t number, struct operation *ret)
{
    if (number % SEASON < SPRING) {
        draw_in_spring(state, ret);
        return;
    }
    memset(ret, 0, sizeof *ret);
    ret->kind = draw_kind(state);
    ret->quiet = draw_percent(state, QUIET_PERCENT);
    if (!draw_percent(state, ROOT_PERCENT) && users_are_many()) {
        ret->user = 1 + (int)draw_below(state, USERS - 1);
    }
    for (int i = 0; i < ARGUMENTS && kinds[ret->kind].type[i] != TYPE_NONE; i++) {
        ret->argument[i] = argument_draw(kinds[ret->kind].type[i], state);
    }
}

void operation_print(const struct operation *operation, FILE *out)
{
    const struct kind *kind = &kinds[operation->kind];

    fprintf(out, "%s %d %d", kind->name, operation->user, operation->quiet);
    for (int i = 0; i < ARGUMENTS && kind->type[i] != TYPE_NONE; i++) {
        fprintf(out, " %lld", (long long)operation->argument[i]);
    }
    fprintf(out, "  # as %d: %s", (int)user_uid(operation->user), kind->name);
    for (int i = 0; i < ARGUMENTS && kind->type[i] != TYPE_NONE; i++) {
        fputc(' ', out);
        argument_describe(kind->type[i], operation->argument[i], out);
    }
    fputc('\n', out);
}

/* Slots and users come from a file here: they index arrays. */
static bool valid(enum type type, int64_t value)
{
    switch (type) {
    case TYPE_SLOT:
    case TYPE_FOLDER_SLOT:
        return value >= 0 && value < SLOTS;
    case TYPE_USER:
        return value >= -1 && value < USERS;
    case TYPE_LENGTH:
    case TYPE_XATTR_SIZE:
    case TYPE_SIZE_HINT:
        return value >= 0 && value <= DATA_BYTES;
    default:
        return true;
    }
}

bool operation_parse(const char *line, struct operation *ret)
{
    char name[32];
    int quiet, used;

    memset(ret, 0, sizeof *ret);
    if (sscanf(line, "%31s %d %d%n", name, &ret->user, &quiet, &used) != 3) {
        return false;
    }
    ret->quiet = quiet != 0;
    ret->kind = find_kind(name);
    if (ret->kind < 0 || ret->user < 0 || ret->user >= USERS) {
        return false;
    }
    line += used;
    for (int i = 0; i < ARGUMENTS && kinds[ret->kind].type[i] != TYPE_NONE; i++) {
        char *end;

        ret->argument[i] = strtoll(line, &end, 10);
        if (end == line || !valid(kinds[ret->kind].type[i], ret->argument[i])) {
            return false;
        }
        line = end;
    }
    return true;
}
