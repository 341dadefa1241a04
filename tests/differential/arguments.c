/* What arguments are drawn from, and how they are shown. */
#include <ctype.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/uio.h>

#include "engine.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct word {
    int64_t value;
    const char *name;
};

static const struct word open_words[] = { { O_CREAT, "CREAT" }, { O_EXCL, "EXCL" },
    { O_TRUNC, "TRUNC" }, { O_APPEND, "APPEND" }, { O_NOFOLLOW, "NOFOLLOW" },
    { O_DIRECTORY, "DIRECTORY" }, { O_PATH, "PATH" }, { O_DIRECT, "DIRECT" }, { O_DSYNC, "DSYNC" },
    { O_NOATIME, "NOATIME" }, { __O_TMPFILE, "TMPFILE" } };

static const struct word rename_words[] = { { 1, "NOREPLACE" }, { 2, "EXCHANGE" },
    { 4, "WHITEOUT" }, { 8, "8" } };

static int64_t draw_open(uint64_t *state)
{
    static const int access[] = { O_RDONLY, O_RDONLY, O_WRONLY, O_RDWR, O_RDWR, O_RDWR, O_RDWR,
        O_RDWR, O_RDWR, O_RDWR };
    static const struct {
        int flag;
        unsigned percent;
    } chances[] = { { O_CREAT, 60 }, { O_EXCL, 8 }, { O_TRUNC, 15 }, { O_APPEND, 15 },
        { O_NOFOLLOW, 8 }, { O_DIRECTORY, 3 }, { O_PATH, 3 }, { O_DIRECT, 5 }, { O_DSYNC, 1 },
        { O_NOATIME, 2 }, { O_TMPFILE, 3 }, { O_ACCMODE, 1 } };
    int64_t flags = access[draw_below(state, COUNT(access))];

    for (size_t i = 0; i < COUNT(chances); i++) {
        flags |= draw_percent(state, chances[i].percent) ? chances[i].flag : 0;
    }
    return flags;
}

static int64_t draw_mode(uint64_t *state)
{
    static const int modes[] = { 0644, 0644, 0755, 0755, 0755, 0777, 0777, 0777, 0700, 0600, 0666,
        01777, 02755, 02777, 04755, 06777, 02644, 0, 0400, 0555 };

    return draw_percent(state, 85) ? modes[draw_below(state, COUNT(modes))]
                                   : (int64_t)draw_below(state, 010000);
}

static int64_t draw_offset(uint64_t *state)
{
    static const int64_t far[] = { 1 << 30, (INT64_C(1) << 40) + 5, (INT64_C(1) << 32) - 1, -1,
        -4096, INT64_MIN, INT64_MAX };

    switch (draw_below(state, 20)) {
    case 0:
        return 0;
    case 1:
        return draw_percent(state, 40) ? far[draw_below(state, COUNT(far))] : 0;
    case 2 ... 8:
        return (int64_t)draw_below(state, 10000);
    case 9 ... 15:
        return (int64_t)draw_below(state, 40) * 4096 +
               (draw_percent(state, 60) ? 0 : (int64_t)draw_below(state, 3) - 1);
    default:
        return (int64_t)draw_below(state, 300000);
    }
}

static int64_t draw_length(uint64_t *state)
{
    switch (draw_below(state, 40)) {
    case 0:
        return 0;
    case 1 ... 14:
        return 1 + (int64_t)draw_below(state, 100);
    case 15 ... 26:
        return (1 + (int64_t)draw_below(state, 8)) * 4096 +
               (draw_percent(state, 60) ? 0 : (int64_t)draw_below(state, 3) - 1);
    case 27 ... 37:
        return (int64_t)draw_below(state, 20000);
    case 38:
        return 60000 + (int64_t)draw_below(state, 80000);
    default:
        return draw_percent(state, 20) ? 1000000 + (int64_t)draw_below(state, 500000) : 65536;
    }
}

static int64_t draw_one(uint64_t *state, const int64_t *values, size_t count)
{
    return values[draw_below(state, count)];
}

bool type_is_path(enum type type)
{
    return type == TYPE_PATH || type == TYPE_FOLDER || type == TYPE_PLAIN_FOLDER ||
           type == TYPE_FILE || type == TYPE_PLAIN_PATH || type == TYPE_TARGET;
}

bool type_is_slot(enum type type)
{
    return type == TYPE_SLOT || type == TYPE_FOLDER_SLOT;
}

int64_t argument_draw(enum type type, uint64_t *state)
{
    static const int64_t whences[] = { SEEK_SET, SEEK_SET, SEEK_CUR, SEEK_END, SEEK_END, 7 };
    static const int64_t rwf[] = { 0, 0, RWF_APPEND, RWF_APPEND, RWF_DSYNC, RWF_HIPRI, 0x4000 };
    static const int64_t allocations[] = { 0, 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_KEEP_SIZE,
        FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
        FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE,
        0x4000 };
    static const int64_t types[] = { S_IFREG, S_IFREG, S_IFIFO, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK,
        0, S_IFDIR, S_IFLNK };
    static const int64_t renames[] = { 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 4, 8 };
    static const int64_t xattr_sizes[] = { 0, 1, 5, 40, 100, 100, 200, 70000 };
    static const int64_t xattr_flags[] = { 0, 0, 0, 0, 1, 1, 2, 2, 3, 4 };
    static const int64_t hints[] = { 0, 0, 1, 50, 300, 5000, 70000 };
    static const int64_t file_flags[] = { 0, 0, FS_NODUMP_FL, FS_NODUMP_FL | FS_NOATIME_FL };

#define ONE(array) draw_one(state, array, COUNT(array))
    if (type_is_path(type)) {
        return path_draw(state, type);
    }
    switch (type) {
    case TYPE_SLOT:
        return draw_percent(state, 95)
                       ? FOLDER_SLOTS + (int64_t)draw_below(state, SLOTS - FOLDER_SLOTS)
                       : (int64_t)draw_below(state, FOLDER_SLOTS);
    case TYPE_FOLDER_SLOT:
        return (int64_t)draw_below(state, FOLDER_SLOTS);
    case TYPE_OPEN:
        return draw_open(state);
    case TYPE_MODE:
        return draw_mode(state);
    case TYPE_OFFSET:
        return draw_offset(state);
    case TYPE_LENGTH:
        return draw_length(state);
    case TYPE_FILL:
        return draw_percent(state, 15) ? 0 : 1 + (int64_t)draw_below(state, 1000000);
    case TYPE_WHENCE:
        return ONE(whences);
    case TYPE_RWF:
        return ONE(rwf);
    case TYPE_FALLOCATE:
        return ONE(allocations);
    case TYPE_FILE_TYPE:
        return ONE(types);
    case TYPE_RENAME:
        return ONE(renames);
    case TYPE_XATTR_SIZE:
        return ONE(xattr_sizes);
    case TYPE_XATTR_FLAGS:
        return ONE(xattr_flags);
    case TYPE_SIZE_HINT:
        return ONE(hints);
    case TYPE_FILE_FLAGS:
        return ONE(file_flags);
    case TYPE_USER:
        return (int64_t)draw_below(state, USERS + 1) - 1;
    case TYPE_TIME:
        return (int64_t)draw_below(state, 10);
    case TYPE_XATTR:
        return (int64_t)draw_below(state, 16);
    case TYPE_BIT:
        return (int64_t)draw_below(state, 2);
    case TYPE_ATTEMPT:
        return (int64_t)draw_below(state, 17);
    case TYPE_SYNC:
        return (int64_t)draw_below(state, 4);
    default:
        return (int64_t)draw_below(state, 8);
    }
#undef ONE
}

static void describe_words(
        int64_t value, const struct word *words, size_t count, const char *first, FILE *out)
{
    fputs(first, out);
    for (size_t i = 0; i < count; i++) {
        if (value & words[i].value) {
            fprintf(out, "|%s", words[i].name);
        }
    }
}

/* Long names are shown by their ends. */
static void describe_path(int64_t value, FILE *out)
{
    char buffer[PATH_BYTES];
    const char *text = path_text(value, buffer);
    size_t size = strlen(text);

    if (path_slot(value) >= 0) {
        fprintf(out, "slot %d:", path_slot(value));
    }
    fputc('"', out);
    for (size_t i = 0; i < size; i++) {
        if (size > 60 && i == 20) {
            fputs("[...]", out);
            i = size - 20;
        }
        fprintf(out, isprint((unsigned char)text[i]) ? "%c" : "\\x%02x", (unsigned char)text[i]);
    }
    fputc('"', out);
}

void argument_describe(enum type type, int64_t value, FILE *out)
{
    static const char *const access[] = { "RDONLY", "WRONLY", "RDWR", "ACCMODE" };

    if (type_is_path(type)) {
        describe_path(value, out);
        return;
    }
    switch (type) {
    case TYPE_SLOT:
    case TYPE_FOLDER_SLOT:
        fprintf(out, "slot %d", (int)value);
        break;
    case TYPE_OPEN:
        describe_words(value, open_words, COUNT(open_words), access[value & O_ACCMODE], out);
        break;
    case TYPE_RENAME:
        describe_words(value, rename_words, COUNT(rename_words), "0", out);
        break;
    case TYPE_MODE:
    case TYPE_FILE_TYPE:
        fprintf(out, "0%o", (unsigned)value);
        break;
    case TYPE_XATTR:
        fprintf(out, "%.40s", xattr_names[value & 15]);
        break;
    default:
        fprintf(out, "%lld", (long long)value);
        break;
    }
}
