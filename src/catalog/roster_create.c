/* Making a workspace: directories, root key, the owner's wrap, the first roster entry. */
#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"
#include "riad/roster.h"

#include "label_priv.h"
#include "object_priv.h"
#include "roster_priv.h"

static const char *const directories[] = { "wrap", "term", "log", "data", "ckpt", "dead" };

static int make_directories(int fd)
{
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        int r = riad_mkdir_at(fd, directories[i]);

        if (r < 0) {
            return r;
        }
    }
    return riad_fsync_dir(fd);
}

/* Returns the descriptor of the new ws/<id>. */
static int make_workspace(const struct riad_store *store, const struct riad_id *workspace)
{
    _cleanup_close_ int parent = riad_open_dir_at(store->fd, "ws");
    _cleanup_close_ int fd = -1;
    char name[RIAD_ID_NAME_SIZE];
    int r;

    if (parent < 0) {
        return parent;
    }
    riad_id_name(workspace, name);
    r = riad_mkdir_at(parent, name);
    if (r < 0) {
        return r;
    }
    fd = riad_open_dir_at(parent, name);
    if (fd < 0) {
        return fd;
    }
    r = make_directories(fd);
    if (r < 0) {
        return r;
    }
    r = riad_fsync_dir(parent);
    if (r < 0) {
        return r;
    }
    return riad_take_fd(&fd);
}

/* The wrap of the entry's member, published in fd/wrap; the entry gets its hash. */
static int publish_wrap(int fd, const struct riad_store *store, const struct riad_secret *root,
        struct riad_roster_entry *entry)
{
    const struct riad_wrap_scope scope = { store->binding.store, entry->workspace, entry->epoch };
    char name[RIAD_WRAP_NAME_SIZE];
    uint8_t wrap[RIAD_WRAP_SIZE];
    int r;

    r = riad_wrap_seal(&scope, &entry->member.wrap_key, root, wrap);
    if (r < 0) {
        return r;
    }
    r = riad_wrap_hash(wrap, sizeof wrap, &entry->member.wrap_hash);
    if (r < 0) {
        return r;
    }
    riad_wrap_name(&entry->member.user, entry->epoch, name);
    return riad_object_publish(fd, "wrap", name, wrap, sizeof wrap, RIAD_PUBLISH_NEW);
}

static int seal_name(
        const struct riad_secret *root, const char *name, struct riad_roster_entry *entry)
{
    _cleanup_(riad_keys_freep) struct riad_keys *keys = NULL;
    int r;

    r = riad_keys_new(&entry->workspace, entry->epoch, root, &keys);
    if (r < 0) {
        return r;
    }
    return riad_label_seal(
            riad_keys_label(keys), name, entry->sealed_name, &entry->sealed_name_size);
}

/* All of the first entry but the wrap's hash. */
static int fill_entry(enum riad_workspace_kind kind, const char *name,
        const struct riad_user *owner, const struct riad_secret *root,
        struct riad_roster_entry *ret)
{
    struct riad_roster_entry entry = {
        .kind = RIAD_ROSTER_CREATE,
        .workspace_kind = kind,
        .epoch = 1,
        .member = { .user = owner->id,
                .role = RIAD_ROLE_MANAGER,
                .wrap_key = owner->wrap_key,
                .sign_key = owner->sign_key },
    };
    int r;

    r = riad_random_id(&entry.workspace);
    if (r < 0) {
        return r;
    }
    if (clock_gettime(CLOCK_REALTIME, &entry.time) < 0) {
        return -errno;
    }
    r = riad_keys_commitment(&entry.workspace, root, &entry.commitment);
    if (r < 0) {
        return r;
    }
    r = seal_name(root, name, &entry);
    if (r < 0) {
        return r;
    }
    *ret = entry;
    return 0;
}

/* The roster comes last: a directory without one is no workspace yet. */
static int publish(int fd, const struct riad_store *store, const struct riad_keypair *keys,
        const struct riad_secret *root, struct riad_roster_entry *entry)
{
    _cleanup_(riad_writer_done) struct riad_writer file = { 0 };
    struct riad_hash head;
    int r;

    r = publish_wrap(fd, store, root, entry);
    if (r < 0) {
        return r;
    }
    riad_writer_init_growing(&file, 2048, RIAD_ROSTER_FILE_MAX);
    r = riad_roster_entry_sign(entry, &store->binding, keys, &file, &head);
    if (r < 0) {
        return r;
    }
    return riad_publish_file_at(fd, RIAD_ROSTER_NAME, file.data, file.size, RIAD_PUBLISH_NEW);
}

int riad_roster_create(const struct riad_store *store, enum riad_workspace_kind kind,
        const char *name, const struct riad_user *owner, const struct riad_keypair *keys,
        struct riad_id *ret_workspace)
{
    _cleanup_secret_ struct riad_secret *root = NULL;
    struct riad_roster_entry entry;
    _cleanup_close_ int fd = -1;
    int r;

    if (store->read_only) {
        return -EROFS;
    }
    if (kind != RIAD_KIND_HOME && kind != RIAD_KIND_PROJECT) {
        return -EINVAL;
    }
    r = riad_secret_new_random(RIAD_ROOT_SIZE, &root);
    if (r < 0) {
        return r;
    }
    r = fill_entry(kind, name, owner, root, &entry);
    if (r < 0) {
        return r;
    }
    fd = make_workspace(store, &entry.workspace);
    if (fd < 0) {
        return fd;
    }
    r = publish(fd, store, keys, root, &entry);
    if (r < 0) {
        return r;
    }
    *ret_workspace = entry.workspace;
    return 0;
}
