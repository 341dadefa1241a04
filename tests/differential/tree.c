/* All that is below a directory, as lines of text. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "engine.h"

enum { BLOCK = 4096, NAMES_BYTES = 1 << 16, LINKS_MAX = 1 << 14 };

struct dump {
    FILE *out;
    char *path;
    size_t size; /* of the path so far */
    struct {
        ino_t inode;
        char *path;
    } links[LINKS_MAX]; /* the first name of each inode that has several */
    size_t link_count;
    uint8_t block[BLOCK];
    char names[NAMES_BYTES], value[NAMES_BYTES];
};

static void print_text(const char *text, FILE *out)
{
    for (; *text; text++) {
        fprintf(out, isgraph((unsigned char)*text) ? "%c" : "\\x%02x", (unsigned char)*text);
    }
}

static void begin_line(struct dump *dump, const char *field)
{
    print_text(dump->path, dump->out);
    fprintf(dump->out, "\t%s\t", field);
}

static void print_number(struct dump *dump, const char *field, int64_t value, bool octal)
{
    begin_line(dump, field);
    fprintf(dump->out, octal ? "0%llo\n" : "%lld\n", (long long)value);
}

/* Blocks of zeros count as holes: where the holes are is up to the file system. */
static int64_t hash_region(struct dump *dump, int fd, off_t from, off_t to)
{
    static const uint8_t zeros[BLOCK];
    int64_t hash = 0;

    for (off_t at = from / BLOCK * BLOCK; at < to; at += BLOCK) {
        ssize_t got = pread(fd, dump->block, BLOCK, at);

        if (got < 0) {
            return errno;
        }
        memset(dump->block + got, 0, (size_t)(BLOCK - got));
        if (memcmp(dump->block, zeros, BLOCK) != 0) {
            hash += side_hash(dump->block, BLOCK) * (at / BLOCK + 1);
        }
    }
    return hash;
}

static void dump_content(struct dump *dump, const char *name, off_t size)
{
    int fd = open(name, O_RDONLY | O_NOFOLLOW);
    int64_t hash = 0;
    off_t hole = 0, data;

    if (fd < 0) {
        print_number(dump, "unreadable", errno, false);
        return;
    }
    while (hole < size && (data = lseek(fd, hole, SEEK_DATA)) >= 0) {
        hole = lseek(fd, data, SEEK_HOLE);
        if (hole <= data) {
            print_number(dump, "seeking failed", errno, false);
            break;
        }
        /* The next region may begin in the block that this one ends in. */
        hole = (hole + BLOCK - 1) / BLOCK * BLOCK;
        hash += hash_region(dump, fd, data, hole < size ? hole : size);
    }
    print_number(dump, "content", hash, false);
    close(fd);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void dump_xattr(struct dump *dump, const char *name, const char *xattr)
{
    ssize_t size = lgetxattr(name, xattr, dump->value, sizeof dump->value);

    begin_line(dump, "xattr");
    print_text(xattr, dump->out);
    fprintf(dump->out, " %zd %lld\n", size,
            size < 0 ? (long long)errno : (long long)side_hash(dump->value, (size_t)size));
}

static void dump_xattrs(struct dump *dump, const char *name)
{
    ssize_t size = llistxattr(name, dump->names, sizeof dump->names);
    char *xattrs[256];
    size_t count = 0;

    if (size < 0) {
        print_number(dump, "xattrs unlisted", errno, false);
        return;
    }
    for (ssize_t at = 0; at < size && count < 256; at += (ssize_t)strlen(dump->names + at) + 1) {
        xattrs[count++] = dump->names + at;
    }
    qsort(xattrs, count, sizeof xattrs[0], compare_names);
    for (size_t i = 0; i < count; i++) {
        dump_xattr(dump, name, xattrs[i]);
    }
}

static void dump_link(struct dump *dump, const struct stat *st)
{
    for (size_t i = 0; i < dump->link_count; i++) {
        if (dump->links[i].inode == st->st_ino) {
            begin_line(dump, "linked");
            print_text(dump->links[i].path, dump->out);
            fputc('\n', dump->out);
            return;
        }
    }
    if (dump->link_count < LINKS_MAX) {
        dump->links[dump->link_count].inode = st->st_ino;
        dump->links[dump->link_count++].path = strdup(dump->path);
    }
}

static void dump_target(struct dump *dump, const char *name)
{
    ssize_t size = readlink(name, dump->value, sizeof dump->value - 1);

    if (size < 0) {
        print_number(dump, "unreadable", errno, false);
        return;
    }
    dump->value[size] = 0;
    begin_line(dump, "target");
    print_text(dump->value, dump->out);
    fputc('\n', dump->out);
}

static void dump_attributes(struct dump *dump, const struct stat *st)
{
    print_number(dump, "mode", st->st_mode, true);
    print_number(dump, "nlink", (int64_t)st->st_nlink, false);
    print_number(dump, "uid", st->st_uid, false);
    print_number(dump, "gid", st->st_gid, false);
    print_number(dump, "mtime", S_ISFIFO(st->st_mode) ? 0 : distant_time(st->st_mtim), false);
    if (!S_ISDIR(st->st_mode)) {
        print_number(dump, "size", st->st_size, false);
        print_number(dump, "rdev", (int64_t)st->st_rdev, false);
    }
}

static void dump_directory(struct dump *dump);

/* Who is not root opens what is closed to himself; its mode was written down. */
static void dump_entry(struct dump *dump, const char *name)
{
    struct stat st;

    if (lstat(name, &st) < 0) {
        print_number(dump, "lost", errno, false);
        return;
    }
    dump_attributes(dump, &st);
    if (!S_ISDIR(st.st_mode) && st.st_nlink > 1) {
        dump_link(dump, &st);
    }
    if (geteuid() != 0 && (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode))) {
        chmod(name, 0700);
    }
    dump_xattrs(dump, name);
    if (S_ISREG(st.st_mode)) {
        dump_content(dump, name, st.st_size);
    } else if (S_ISLNK(st.st_mode)) {
        dump_target(dump, name);
    } else if (S_ISDIR(st.st_mode)) {
        if (chdir(name) < 0) {
            print_number(dump, "closed", errno, false);
            return;
        }
        dump_directory(dump);
        if (chdir("..") < 0) {
            print_number(dump, "no way back", errno, false);
        }
    }
}

static int is_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int in_order(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void dump_directory(struct dump *dump)
{
    struct dirent **entries;
    int count = scandir(".", &entries, is_entry, in_order);
    size_t size = dump->size;

    if (count < 0) {
        print_number(dump, "unlisted", errno, false);
        return;
    }
    for (int i = 0; i < count; i++) {
        dump->path = realloc(dump->path, size + strlen(entries[i]->d_name) + 2);
        dump->path[size] = '/';
        strcpy(dump->path + size + 1, entries[i]->d_name);
        dump->size = size + 1 + strlen(entries[i]->d_name);
        dump_entry(dump, entries[i]->d_name);
        dump->size = size;
        dump->path[size] = 0;
        free(entries[i]);
    }
    free(entries);
}

void tree_dump(const char *directory, FILE *out)
{
    struct dump *dump = calloc(1, sizeof *dump);

    if (!dump || !(dump->path = strdup("")) || chdir(directory) < 0) {
        fprintf(out, "\tno tree\t%d\n", errno);
        return;
    }
    dump->out = out;
    dump_directory(dump);
    for (size_t i = 0; i < dump->link_count; i++) {
        free(dump->links[i].path);
    }
    free(dump->path);
    free(dump);
}
