/* The store directory and riad.json. */
#include "riad/store.h"

#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/sysops.h"

#include "object_priv.h"

#define JSON_NAME "riad.json"
enum { STORE_FORMAT = 1, JSON_FILE_MAX = 64 << 10, IDS_MAX = 1 << 20 };

static const char *const directories[] = { "user", "catalog", "ws" };

/* incompat bits of riad.json (F2). */
enum { FEATURE_SITE = 1, FEATURES_KNOWN = FEATURE_SITE };

/* The path is the caller's own: a symlink to the store is followed. */
static int open_root(const char *path)
{
    int fd = TEMP_FAILURE_RETRY(
            riad_sys->openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));

    return fd < 0 ? -errno : fd;
}

static int check_empty(int fd)
{
    _cleanup_closedir_ DIR *listing = NULL;
    struct dirent *entry;
    int r;

    r = riad_listing_open(fd, ".", &listing);
    if (r < 0) {
        return r;
    }
    for (;;) {
        errno = 0;
        entry = readdir(listing);
        if (!entry) {
            return -errno;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            return -ENOTEMPTY;
        }
    }
}

static int make_directories(int fd)
{
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        int r = riad_mkdir_at(fd, directories[i]);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int encode_json(const struct riad_id *store, bool site, char **ret_text)
{
    char name[RIAD_ID_NAME_SIZE];
    json_auto_t *json = NULL;
    char *text;

    riad_id_name(store, name);
    json = json_pack("{s:i, s:s, s:i, s:i, s:i}", "format", STORE_FORMAT, "store", name, "compat",
            0, "ro_compat", 0, "incompat", site ? FEATURE_SITE : 0);
    text = json ? json_dumps(json, 0) : NULL;
    if (!text) {
        return -ENOMEM;
    }
    *ret_text = text;
    return 0;
}

static int hash_json(const void *data, size_t size, struct riad_hash *ret)
{
    const struct riad_piece piece = { data, size };

    return riad_sha256(&piece, 1, ret);
}

/* riad.json makes the directory a store: it comes last, and only one of two creators gets to link
 * it. */
static int publish_json(int fd, bool site, struct riad_store_binding *ret)
{
    struct riad_store_binding binding = { 0 };
    _cleanup_free_ char *text = NULL;
    int r;

    r = riad_random_id(&binding.store);
    if (r < 0) {
        return r;
    }
    r = encode_json(&binding.store, site, &text);
    if (r < 0) {
        return r;
    }
    r = hash_json(text, strlen(text), &binding.json);
    if (r < 0) {
        return r;
    }
    r = riad_publish_file_at(fd, JSON_NAME, text, strlen(text), RIAD_PUBLISH_NEW);
    if (r < 0) {
        return r;
    }
    *ret = binding;
    return 0;
}

/* The store's own name survives a power cut as well, where its parent may be opened. */
static int sync_parent(int fd)
{
    _cleanup_close_ int parent = riad_open_dir_at(fd, "..");

    return parent < 0 ? 0 : riad_fsync_dir(parent);
}

static int create(const char *path, bool site, struct riad_store *ret)
{
    struct riad_store_binding binding;
    _cleanup_close_ int fd = -1;
    int r;

    if (riad_sys->mkdirat(AT_FDCWD, path, 0700) < 0 && errno != EEXIST) {
        return -errno;
    }
    fd = open_root(path);
    if (fd < 0) {
        return fd;
    }
    r = check_empty(fd);
    if (r < 0) {
        return r;
    }
    r = make_directories(fd);
    if (r == 0 && site) {
        r = riad_mkdir_at(fd, "site");
    }
    if (r < 0) {
        return r;
    }
    r = sync_parent(fd);
    if (r < 0) {
        return r;
    }
    r = publish_json(fd, site, &binding);
    if (r < 0) {
        return r;
    }
    *ret = (struct riad_store){ .fd = riad_take_fd(&fd), .binding = binding, .site = site };
    return 0;
}

int riad_store_create(const char *path, struct riad_store *ret)
{
    return create(path, false, ret);
}

int riad_store_create_site(const char *path, struct riad_store *ret)
{
    return create(path, true, ret);
}

static int get_u32(const json_t *json, const char *key, uint32_t *ret)
{
    const json_t *value = json_object_get(json, key);
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 0 || number > UINT32_MAX) {
        return -EBADMSG;
    }
    *ret = (uint32_t)number;
    return 0;
}

/* F2. The format decides whether the rest may be understood, so it is read first. */
static int check_versions(const json_t *json, struct riad_store *ret)
{
    uint32_t format, compat, ro_compat, incompat;

    if (get_u32(json, "format", &format) < 0 || format == 0) {
        return -EBADMSG;
    }
    if (format > STORE_FORMAT) {
        return -EPROTONOSUPPORT;
    }
    if (get_u32(json, "compat", &compat) < 0 || get_u32(json, "ro_compat", &ro_compat) < 0 ||
            get_u32(json, "incompat", &incompat) < 0) {
        return -EBADMSG;
    }
    ret->read_only = ro_compat != 0;
    ret->site = (incompat & FEATURE_SITE) != 0;
    return (incompat & ~(uint32_t)FEATURES_KNOWN) == 0 ? 0 : -EPROTONOSUPPORT;
}

static int decode_json(const uint8_t *data, size_t size, struct riad_store *ret)
{
    json_auto_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *id = json_object_get(json, "store");
    int r;

    if (!json_is_object(json)) {
        return -EBADMSG;
    }
    r = check_versions(json, ret);
    if (r < 0) {
        return r;
    }
    if (!json_is_string(id) || strlen(json_string_value(id)) != json_string_length(id) ||
            riad_hex_decode(json_string_value(id), ret->binding.store.bytes,
                    sizeof ret->binding.store.bytes) < 0) {
        return -EBADMSG;
    }
    return hash_json(data, size, &ret->binding.json);
}

static int read_json(int fd, struct riad_store *ret)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;
    int r;

    r = riad_read_file_at(fd, JSON_NAME, JSON_FILE_MAX, &data, &size);
    if (r == -ENOENT) {
        return -EMEDIUMTYPE;
    }
    if (r < 0) {
        return r == -EFBIG ? -EBADMSG : r;
    }
    return decode_json(data, size, ret);
}

int riad_store_open(const char *path, struct riad_store *ret)
{
    struct riad_store store = { .fd = -1 };
    _cleanup_close_ int fd = open_root(path);
    int r;

    if (fd == -ENOENT || fd == -ENOTDIR) {
        errno = -fd;
        return -EMEDIUMTYPE;
    }
    if (fd < 0) {
        return fd;
    }
    r = read_json(fd, &store);
    if (r < 0) {
        errno = -r;
        return r;
    }
    store.fd = riad_take_fd(&fd);
    *ret = store;
    return 0;
}

void riad_store_close(struct riad_store *store)
{
    riad_close_fd(&store->fd);
}

int riad_store_open_workspace(const struct riad_store *store, const struct riad_id *workspace)
{
    _cleanup_close_ int fd = riad_open_dir_at(store->fd, "ws");
    char name[RIAD_ID_NAME_SIZE];

    if (fd < 0) {
        return fd;
    }
    riad_id_name(workspace, name);
    return riad_open_dir_at(fd, name);
}

struct ids {
    struct riad_id *items;
    size_t count;
    size_t capacity;
};

static void ids_done(struct ids *ids)
{
    free(ids->items);
}

static int ids_add(struct ids *ids, const struct riad_id *id)
{
    if (ids->count == IDS_MAX) {
        return -EFBIG;
    }
    if (ids->count == ids->capacity) {
        size_t capacity = ids->capacity ? 2 * ids->capacity : 16;
        struct riad_id *items = reallocarray(ids->items, capacity, sizeof *items);

        if (!items) {
            return -ENOMEM;
        }
        ids->items = items;
        ids->capacity = capacity;
    }
    ids->items[ids->count++] = *id;
    return 0;
}

/* Whether the entry is named by an id and of the type; what vanished meanwhile is not. */
static bool is_named_by_id(int fd, const char *name, mode_t type, struct riad_id *ret)
{
    struct stat st;

    return riad_hex_decode(name, ret->bytes, sizeof ret->bytes) == 0 &&
           riad_sys->fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           (st.st_mode & S_IFMT) == type;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct riad_id));
}

static int list_ids(const struct riad_store *store, const char *directory, mode_t type,
        struct riad_id **ret, size_t *ret_count)
{
    _cleanup_closedir_ DIR *listing = NULL;
    _cleanup_(ids_done) struct ids ids = { 0 };
    const char *name;
    struct riad_id id;
    int r;

    r = riad_listing_open(store->fd, directory, &listing);
    while (r >= 0 && (r = riad_listing_next(listing, &name)) > 0) {
        if (is_named_by_id(dirfd(listing), name, type, &id)) {
            r = ids_add(&ids, &id);
        }
    }
    if (r < 0) {
        return r;
    }
    if (ids.count > 1) {
        qsort(ids.items, ids.count, sizeof *ids.items, compare_ids);
    }
    *ret = riad_take_pointer(ids.items);
    *ret_count = ids.count;
    return 0;
}

int riad_store_list_workspaces(
        const struct riad_store *store, struct riad_id **ret, size_t *ret_count)
{
    return list_ids(store, "ws", S_IFDIR, ret, ret_count);
}

int riad_store_list_users(const struct riad_store *store, struct riad_id **ret, size_t *ret_count)
{
    return list_ids(store, "user", S_IFREG, ret, ret_count);
}
