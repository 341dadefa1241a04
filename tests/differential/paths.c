/* Paths as numbers: slot (4 bits), form (4), count of names (3), then each name (3). */
#include <string.h>

#include "engine.h"

enum {
    FOLDER_NAMES = 3,
    PLAIN_NAMES = 3,
    NAMES = 8, /* with the two odd ones */
    NAMES_MAX = 4,
    NO_SLOT = 15,
    LONGEST_NAME = 255,
};

/* How the names become a path; what stands behind the name is for the path a/b. */
enum form {
    FORM_PLAIN,
    FORM_SLASH,        /* a/b/ */
    FORM_DOT_BEFORE,   /* ./a/b */
    FORM_DOT_BEHIND,   /* a/b/. */
    FORM_DETOUR,       /* a/../a/b */
    FORM_PARENT_AFTER, /* a/b/.. */
    FORM_PARENT_FIRST, /* ../a/b: targets of symlinks only, as it may leave the directory */
    FORM_DOUBLE_SLASH, /* a//b */
    FORM_TOO_LONG,     /* a/nnn..., 256 bytes */
    FORM_FAR_TOO_LONG, /* more than 4,096 bytes */
    FORM_EMPTY,
    FORM_DOT, /* . */
};

struct path {
    int slot;
    enum form form;
    int count;
    int name[NAMES_MAX];
};

static int64_t encode(const struct path *path)
{
    int64_t code = path->slot | path->form << 4 | path->count << 8;

    for (int i = 0; i < path->count; i++) {
        code |= (int64_t)path->name[i] << (11 + 3 * i);
    }
    return code;
}

static struct path decode(int64_t code)
{
    struct path path = { .slot = code & 15, .form = (code >> 4) & 15, .count = (code >> 8) & 7 };

    path.count = path.count < 1 ? 1 : path.count > NAMES_MAX ? NAMES_MAX : path.count;
    for (int i = 0; i < path.count; i++) {
        path.name[i] = (code >> (11 + 3 * i)) & (NAMES - 1);
    }
    return path;
}

/* The first three names are mostly those of directories, so that paths lead somewhere. */
static int draw_last(uint64_t *state, enum type type)
{
    bool folder = type == TYPE_FOLDER || type == TYPE_PLAIN_FOLDER;
    unsigned folders = folder ? 95 : type == TYPE_FILE ? 4 : 45;

    if (draw_percent(state, 2)) {
        return FOLDER_NAMES + PLAIN_NAMES + (int)draw_below(state, 2);
    }
    return draw_percent(state, folders) ? (int)draw_below(state, FOLDER_NAMES)
                                        : FOLDER_NAMES + (int)draw_below(state, PLAIN_NAMES);
}

static void draw_names(uint64_t *state, enum type type, struct path *path)
{
    static const int depth[] = { 1, 1, 1, 1, 2, 2, 2, 3, 3, 4 };

    path->count = depth[draw_below(state, type == TYPE_PLAIN_PATH ? 7 : 10)];
    for (int i = 0; i + 1 < path->count; i++) {
        path->name[i] = (int)draw_below(state, FOLDER_NAMES);
    }
    path->name[path->count - 1] = draw_last(state, type);
}

static enum form draw_form(uint64_t *state)
{
    static const enum form odd[] = { FORM_SLASH, FORM_SLASH, FORM_DOT_BEFORE, FORM_DOT_BEHIND,
        FORM_DETOUR, FORM_PARENT_AFTER, FORM_DOUBLE_SLASH, FORM_TOO_LONG, FORM_FAR_TOO_LONG,
        FORM_EMPTY, FORM_DOT };

    return draw_percent(state, 90) ? FORM_PLAIN
                                   : odd[draw_below(state, sizeof odd / sizeof odd[0])];
}

int64_t path_draw(uint64_t *state, enum type type)
{
    struct path path = { .slot = NO_SLOT };

    draw_names(state, type, &path);
    path.form = draw_form(state);
    if (type == TYPE_TARGET && draw_percent(state, 25)) {
        path.form = FORM_PARENT_FIRST;
    }
    if ((type == TYPE_PATH || type == TYPE_FOLDER || type == TYPE_FILE) &&
            draw_percent(state, 10)) {
        path.slot = (int)draw_below(state, draw_percent(state, 85) ? FOLDER_SLOTS : SLOTS);
    }
    return encode(&path);
}

static char *append(char *end, const char *text)
{
    return stpcpy(end, text);
}

static char *append_name(char *end, int name)
{
    static const char *const names[] = { "a", "b", "c", "d", "e", "f", "", "\x01 \xff\n'" };

    if (names[name][0] != 0) {
        return append(end, names[name]);
    }
    memset(end, 'n', LONGEST_NAME);
    end[LONGEST_NAME] = 0;
    return end + LONGEST_NAME;
}

static char *append_names(char *end, const struct path *path, int count)
{
    for (int i = 0; i < count; i++) {
        if (i > 0) {
            end = append(end, path->form == FORM_DOUBLE_SLASH ? "//" : "/");
        }
        end = append_name(end, path->name[i]);
    }
    return end;
}

static char *append_too_long(char *end, enum form form)
{
    size_t size = LONGEST_NAME + 1;

    if (form == FORM_FAR_TOO_LONG) {
        for (size_t i = 0; i < PATH_BYTES - 2048; i += 2) {
            end = append(end, "./");
        }
    }
    end = append(end, "/");
    memset(end, 'm', size);
    end[size] = 0;
    return end + size;
}

static char *append_before(char *end, const struct path *path)
{
    switch (path->form) {
    case FORM_DOT_BEFORE:
        return append(end, "./");
    case FORM_DETOUR:
        return append(append_name(end, path->name[0]), "/../");
    case FORM_PARENT_FIRST:
        return append(end, "../");
    default:
        return end;
    }
}

static void append_behind(char *end, const struct path *path)
{
    switch (path->form) {
    case FORM_SLASH:
        append(end, "/");
        break;
    case FORM_DOT_BEHIND:
        append(end, "/.");
        break;
    case FORM_PARENT_AFTER:
        append(end, "/..");
        break;
    case FORM_TOO_LONG:
    case FORM_FAR_TOO_LONG:
        append_too_long(end, path->form);
        break;
    default:
        break;
    }
}

const char *path_text(int64_t argument, char *buffer)
{
    struct path path = decode(argument);

    buffer[0] = 0;
    if (path.form == FORM_DOT) {
        append(buffer, ".");
    } else if (path.form != FORM_EMPTY) {
        append_behind(append_names(append_before(buffer, &path), &path, path.count), &path);
    }
    return buffer;
}

const char *path_parent(int64_t argument, char *buffer)
{
    struct path path = decode(argument);

    append(buffer, ".");
    if (path.form != FORM_DOT && path.form != FORM_EMPTY && path.count > 1) {
        append_names(append_before(buffer, &path), &path, path.count - 1);
    }
    return buffer;
}

int path_slot(int64_t argument)
{
    int slot = decode(argument).slot;

    return slot < SLOTS ? slot : -1;
}
