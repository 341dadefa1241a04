#include "riad/state.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "riad/bytes.h"
#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"
#include "riad/fdio.h"

enum { BOOT_ID_TEXT = 36 };

/* SQLite's WAL needs shared memory of one machine, and locks that work: no network file system. */
static bool on_network(const char *path)
{
    static const unsigned long network[] = { NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, 0xFF534D42,
        0x0BD00BD0, 0x47504653, CEPH_SUPER_MAGIC, FUSE_SUPER_MAGIC, AFS_SUPER_MAGIC, V9FS_MAGIC,
        CODA_SUPER_MAGIC };
    struct statfs info;

    if (statfs(path, &info) < 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof network / sizeof *network; i++) {
        if ((unsigned long)info.f_type == network[i]) {
            return true;
        }
    }
    return false;
}

/* mkdir -p with mode 0700 for what is made. */
static int make_directories(const char *path)
{
    _cleanup_free_ char *copy = strdup(path);

    if (!copy) {
        return -ENOMEM;
    }
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(copy, 0700) < 0 && errno != EEXIST && errno != EROFS && errno != EACCES) {
            return -errno;
        }
        *slash = '/';
    }
    return mkdir(copy, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int personal_path(char **ret)
{
    const char *base = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    char *path = NULL;
    int r;

    if (base && base[0] == '/') {
        r = asprintf(&path, "%s/riad", base);
    } else if (home && home[0] == '/') {
        r = asprintf(&path, "%s/.local/state/riad", home);
    } else {
        r = asprintf(&path, "/var/tmp/riad-%u", (unsigned)geteuid());
    }
    if (r < 0) {
        return -ENOMEM;
    }
    *ret = path;
    return 0;
}

static int choose_path(const char *override, char **ret)
{
    const char *given = override ? override : getenv("RIAD_STATE_DIR");
    char *path = NULL;
    int r;

    if (given || geteuid() == 0) {
        path = strdup(given ? given : "/var/lib/riad");
        r = path ? 0 : -ENOMEM;
    } else {
        r = personal_path(&path);
    }
    if (r < 0) {
        return r;
    }
    r = make_directories(path);
    if (!given && (r == -EROFS || r == -EACCES || on_network(path))) {
        free(path);
        if (asprintf(&path, "/var/tmp/riad-%u", (unsigned)geteuid()) < 0) {
            return -ENOMEM;
        }
        r = make_directories(path);
    }
    if (r < 0) {
        free(path);
        return r;
    }
    *ret = path;
    return 0;
}

/* Somebody else's directory could feed us an index: it must be ours alone. */
static int check_owner(int fd)
{
    struct stat info;

    if (fstat(fd, &info) < 0) {
        return -errno;
    }
    if (info.st_uid != geteuid()) {
        return -EPERM;
    }
    return (info.st_mode & 077) != 0 && fchmod(fd, 0700) < 0 ? -errno : 0;
}

static int read_node(int fd, struct riad_id *ret)
{
    _cleanup_free_ uint8_t *text = NULL;
    char hex[2 * sizeof(struct riad_id) + 1];
    struct riad_id id;
    enum riad_publish how;
    size_t size;
    int r;

    r = riad_read_file_at(fd, "node", 64, &text, &size);
    if (r == 0 && size == sizeof hex - 1 &&
            riad_hex_decode((const char *)text, &id, sizeof id) == 0) {
        *ret = id;
        return 0;
    }
    if (r < 0 && r != -ENOENT) {
        return r;
    }
    how = r == -ENOENT ? RIAD_PUBLISH_NEW : RIAD_PUBLISH_REPLACE;
    r = riad_random_id(&id);
    if (r < 0) {
        return r;
    }
    riad_hex_encode(&id, sizeof id, hex);
    r = riad_publish_file_at(fd, "node", hex, sizeof hex - 1, how);
    if (r == -EEXIST) {
        return read_node(fd, ret);
    }
    if (r == 0) {
        *ret = id;
    }
    return r;
}

/* The kernel's boot id: a process of another boot is surely dead (O2). */
static void read_boot(struct riad_id *ret)
{
    _cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    char text[BOOT_ID_TEXT + 1] = "";
    char hex[2 * sizeof *ret + 1];
    size_t digits = 0;

    memset(ret, 0, sizeof *ret);
    if (fd < 0 || read(fd, text, BOOT_ID_TEXT) != BOOT_ID_TEXT) {
        return;
    }
    for (const char *c = text; *c && digits < sizeof hex - 1; c++) {
        if (*c != '-') {
            hex[digits++] = *c;
        }
    }
    hex[digits] = 0;
    if (riad_hex_decode(hex, ret, sizeof *ret) < 0) {
        memset(ret, 0, sizeof *ret);
    }
}

int riad_state_open(const char *override, struct riad_state *ret)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_close_ int fd = -1;
    struct riad_state state = { .fd = -1 };
    int r;

    r = choose_path(override, &path);
    if (r < 0) {
        return r;
    }
    fd = riad_open_dir_at(AT_FDCWD, path);
    if (fd < 0) {
        return fd;
    }
    r = check_owner(fd);
    if (r < 0) {
        return r;
    }
    r = read_node(fd, &state.node);
    if (r < 0) {
        return r;
    }
    read_boot(&state.boot);
    state.path = realpath(path, NULL);
    if (!state.path) {
        return -errno;
    }
    state.fd = riad_take_fd(&fd);
    *ret = state;
    return 0;
}

void riad_state_close(struct riad_state *state)
{
    riad_close_fd(&state->fd);
    riad_free_pointer(&state->path);
}

int riad_state_directory(
        const struct riad_state *state, const char *kind, const struct riad_id *id, char **ret_path)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_close_ int parent = -1;
    char hex[2 * sizeof *id + 1];
    int fd, r;

    r = riad_mkdir_at(state->fd, kind);
    if (r < 0) {
        return r;
    }
    parent = riad_open_dir_at(state->fd, kind);
    if (parent < 0) {
        return parent;
    }
    riad_hex_encode(id, sizeof *id, hex);
    r = riad_mkdir_at(parent, hex);
    if (r < 0) {
        return r;
    }
    if (asprintf(&path, "%s/%s/%s", state->path, kind, hex) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    fd = riad_open_dir_at(parent, hex);
    if (fd >= 0) {
        *ret_path = riad_take_pointer(path);
    }
    return fd;
}

static int remove_files(int fd)
{
    _cleanup_closedir_ DIR *listing = fdopendir(fd);
    struct dirent *entry;

    if (!listing) {
        close(fd);
        return -errno;
    }
    while ((entry = readdir(listing))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            (void)unlinkat(dirfd(listing), entry->d_name, 0); /* rmdir tells what is left */
        }
    }
    return 0;
}

int riad_state_forget(const struct riad_state *state, const char *kind, const struct riad_id *id)
{
    _cleanup_close_ int parent = riad_open_dir_at(state->fd, kind);
    char hex[2 * sizeof *id + 1];
    int fd, r;

    if (parent < 0) {
        return parent == -ENOENT ? 0 : parent;
    }
    riad_hex_encode(id, sizeof *id, hex);
    fd = riad_open_dir_at(parent, hex);
    if (fd < 0) {
        return fd == -ENOENT ? 0 : fd;
    }
    r = remove_files(fd);
    if (r < 0) {
        return r;
    }
    return unlinkat(parent, hex, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}
