/* What directories hold in all: asked of the mount itself, by ioctl on each directory
 * (riad/tree_ioctl.h). */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/tree_ioctl.h"

#include "cli.h"

enum { BLOCK_SIZE = 4096 };

struct row {
    char *path;
    struct riad_tree_sums sums;
    unsigned long depth; /* below the directory that was named */
};

/* The rows of all directories that were named, one after the other. */
struct listing {
    const struct options *options;
    unsigned long depth;
    struct row *rows;
    size_t count, room;
};

static void listing_done(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        free(listing->rows[i].path);
    }
    free(listing->rows);
}

/* Takes the path over. */
static int add_row(
        struct listing *listing, char *path, const struct riad_tree_sums *sums, unsigned long depth)
{
    if (path && listing->count == listing->room) {
        size_t room = listing->room > 0 ? 2 * listing->room : 64;
        struct row *rows = reallocarray(listing->rows, room, sizeof *rows);

        if (rows) {
            listing->rows = rows;
            listing->room = room;
        }
    }
    if (!path || listing->count == listing->room) {
        free(path);
        return fail(RIAD_EXIT_FAILED, "out of memory");
    }
    listing->rows[listing->count++] = (struct row){ path, *sums, depth };
    return RIAD_EXIT_DONE;
}

static char *join(const char *directory, const char *name)
{
    size_t size = strlen(directory);
    char *path = NULL;

    return asprintf(&path, "%s%s%s", directory, size > 0 && directory[size - 1] == '/' ? "" : "/",
                   name) < 0
                   ? NULL
                   : path;
}

/* Reports what a directory could not be opened or asked for. */
static int refuse(const char *path, int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
        return fail(RIAD_EXIT_NOT_PERMITTED, "%s: you may not list it", path);
    case ENOTTY:
    case ENOSYS:
    case EOPNOTSUPP:
        return fail(RIAD_EXIT_NOT_MOUNTED,
                "no riad workspace is mounted on %s: `riad status` shows the mounts; elsewhere, "
                "du(1) counts",
                path);
    default:
        return fail(RIAD_EXIT_FAILED, "%s: %s", path, strerror(error));
    }
}

/* Others than FUSE's are not asked: the number may mean something there. */
static int open_named(const char *path, struct riad_tree_sums *ret, int *ret_fd)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct statfs st;

    if (fd < 0 || fstatfs(fd, &st) < 0) {
        return refuse(path, errno);
    }
    if (st.f_type != FUSE_SUPER_MAGIC) {
        return refuse(path, ENOTTY);
    }
    if (ioctl(fd, RIAD_IOC_TREE_USAGE, ret) < 0) {
        return refuse(path, errno);
    }
    *ret_fd = riad_take_fd(&fd);
    return RIAD_EXIT_DONE;
}

static int list_below(struct listing *listing, int fd, const char *path, unsigned long depth)
{
    struct riad_tree_entry entry = { 0 };
    int code = RIAD_EXIT_DONE;

    while (code == RIAD_EXIT_DONE) {
        if (ioctl(fd, RIAD_IOC_TREE_NEXT, &entry) < 0) {
            return errno == ENOENT ? RIAD_EXIT_DONE : refuse(path, errno);
        }
        if (entry.sums.inode == 0) {
            break;
        }
        entry.name[RIAD_TREE_NAME_SIZE - 1] = 0;
        code = add_row(listing, join(path, entry.name), &entry.sums, depth);
    }
    return code;
}

/* What went away meanwhile is no failure. */
static int expand(struct listing *listing, int base_fd, size_t base, size_t at)
{
    const char *path = listing->rows[at].path;
    _cleanup_close_ int fd = -1;
    const char *below;

    if (at == base) {
        return list_below(listing, base_fd, path, 1);
    }
    below = path + strlen(listing->rows[base].path);
    below += strspn(below, "/");
    fd = openat(base_fd, below, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? RIAD_EXIT_DONE : refuse(path, errno);
    }
    return list_below(listing, fd, path, listing->rows[at].depth + 1);
}

/* By path, so that what lies in a directory follows it. */
static int compare_names(const void *a, const void *b)
{
    const unsigned char *left = (const unsigned char *)((const struct row *)a)->path;
    const unsigned char *right = (const unsigned char *)((const struct row *)b)->path;

    while (*left && *left == *right) {
        left++;
        right++;
    }
    return (*left == '/' ? 1 : *left) - (*right == '/' ? 1 : *right);
}

static int compare_sizes(const void *a, const void *b)
{
    uint64_t left = ((const struct row *)a)->sums.blocks;
    uint64_t right = ((const struct row *)b)->sums.blocks;

    return left != right ? (left < right ? 1 : -1) : compare_names(a, b);
}

/* The directory, and those below it so many levels down. Goes on where one of them fails. */
static int list_named(struct listing *listing, const char *path)
{
    const char *order = listing->options->sort;
    _cleanup_close_ int fd = -1;
    struct riad_tree_sums sums;
    size_t base = listing->count;
    int code = open_named(path, &sums, &fd);

    if (code == RIAD_EXIT_DONE) {
        code = add_row(listing, strdup(path), &sums, 0);
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    for (size_t i = base; i < listing->count; i++) {
        int failed = listing->rows[i].depth < listing->depth ? expand(listing, fd, base, i) : 0;

        code = failed ? failed : code;
    }
    qsort(listing->rows + base + 1, listing->count - base - 1, sizeof *listing->rows,
            order && strcmp(order, "size") == 0 ? compare_sizes : compare_names);
    return code;
}

static int print_rows_json(const struct listing *listing)
{
    json_t *list = json_array();

    for (size_t i = 0; i < listing->count; i++) {
        const struct row *row = &listing->rows[i];

        json_array_append_new(
                list, json_pack("{s:o, s:I, s:I, s:I, s:I}", "path", json_path(row->path), "bytes",
                              (json_int_t)(row->sums.blocks * BLOCK_SIZE), "blocks",
                              (json_int_t)row->sums.blocks, "inodes", (json_int_t)row->sums.inodes,
                              "directories", (json_int_t)row->sums.directories));
    }
    return print_json(json_pack("{s:o}", "directories", list));
}

static void print_rows(const struct listing *listing)
{
    bool exact = listing->options->exact;

    if (listing->count > 0) {
        printf("%*s %10s  %s\n", exact ? 16 : 10, "BYTES", "INODES", "DIRECTORY");
    }
    for (size_t i = 0; i < listing->count; i++) {
        const struct riad_tree_sums *sums = &listing->rows[i].sums;
        uint64_t bytes = sums->blocks * BLOCK_SIZE;
        char size[32], count[32];

        if (exact) {
            printf("%16llu %10llu  ", (unsigned long long)bytes, (unsigned long long)sums->inodes);
        } else {
            printf("%10s %10s  ", show_bytes(bytes, false, size),
                    show_count(sums->inodes, false, count));
        }
        print_path(listing->rows[i].path);
        putchar('\n');
    }
}

static int parse_order(struct listing *listing)
{
    const struct options *options = listing->options;
    char *end = NULL;

    if (options->sort && strcmp(options->sort, "size") != 0 && strcmp(options->sort, "name") != 0) {
        return usage_error("--sort takes size or name, not `%s`", options->sort);
    }
    if (options->max_depth) {
        errno = 0;
        listing->depth = strtoul(options->max_depth, &end, 10);
        if (errno || *end || end == options->max_depth || options->max_depth[0] == '-') {
            return usage_error("--max-depth takes a number, not `%s`", options->max_depth);
        }
    }
    return RIAD_EXIT_DONE;
}

int command_du(int argc, char **argv)
{
    struct options options;
    __attribute__((cleanup(listing_done))) struct listing listing = { .options = &options };
    int r = parse_options(argc, argv, "dTjY", &options);
    int code;

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    code = parse_order(&listing);
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    if (optind == argc) {
        code = list_named(&listing, ".");
    }
    for (int i = optind; i < argc; i++) {
        int failed = list_named(&listing, argv[i]);

        code = code ? code : failed;
    }
    if (options.json) {
        r = print_rows_json(&listing);
        return code ? code : r;
    }
    print_rows(&listing);
    return code;
}
