/* User files (FORMAT 3.1), which are read before anything can be verified: whole files, and bodies
 * in an envelope that is as it should be. */
#include <fcntl.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/fdio.h"
#include "riad/user.h"

#include "fuzz.h"
#include "object_priv.h"
#include "temporary.h"

enum { BODY_OFFSET = 72 };

static struct fuzz_model model;
static struct temporary directory;
static struct riad_store store;
static struct riad_user user;
static char path[128];

static void remove_directory(void)
{
    riad_store_close(&store);
    (void)temporary_remove(&directory);
}

static void read_model(int fd)
{
    ssize_t n = pread(fd, model.data, sizeof model.data, 0);

    FUZZ_ASSERT(n > BODY_OFFSET);
    model.size = (size_t)n;
}

static void make_model(void)
{
    _cleanup_secret_ struct riad_secret *code = NULL;
    _cleanup_close_ int fd = -1;
    struct riad_keypair keys;
    char name[RIAD_ID_NAME_SIZE], place[PATH_MAX];

    FUZZ_ASSERT(temporary_make(&directory) == 0);
    snprintf(place, sizeof place, "%s/store", directory.path);
    FUZZ_ASSERT(riad_store_create(place, &store) == 0);
    atexit(remove_directory);
    FUZZ_ASSERT(riad_user_create(&user, &keys) == 0);
    FUZZ_ASSERT(riad_secret_new_random(32, &code) == 0);
    FUZZ_ASSERT(riad_user_set_slot(&user, &store, &keys, RIAD_SLOT_RECOVERY, code) == 0);
    FUZZ_ASSERT(riad_user_save(&user, &store, &keys) == 0);
    riad_keypair_done(&keys);
    riad_id_name(&user.id, name);
    snprintf(path, sizeof path, "user/%s", name);
    fd = openat(store.fd, path, O_RDONLY | O_CLOEXEC);
    FUZZ_ASSERT(fd >= 0);
    read_model(fd);
}

static void write_file(const struct fuzz_bytes *bytes)
{
    _cleanup_close_ int fd = openat(store.fd, path, O_WRONLY | O_TRUNC | O_CLOEXEC);

    FUZZ_ASSERT(fd >= 0);
    FUZZ_ASSERT(riad_pwrite_all(fd, bytes->data, bytes->size, 0) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_fuzz_ struct fuzz_bytes bytes = { 0 };
    struct riad_user loaded;
    int r;

    if (model.size == 0) {
        make_model();
    }
    if (!fuzz_take(data, size, &model, &bytes)) {
        return 0;
    }
    write_file(&bytes);
    r = riad_user_load(&store, &user.id, &loaded);
    FUZZ_ASSERT(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
    FUZZ_ASSERT(r == 0 || !fuzz_is_model(&bytes, &model));
    if (r == 0) {
        FUZZ_ASSERT(loaded.slot_count >= 1 && loaded.slot_count <= RIAD_SLOTS_MAX);
        FUZZ_ASSERT(memchr(loaded.name, 0, sizeof loaded.name));
        FUZZ_ASSERT(riad_id_equal(&loaded.id, &user.id));
    }
    return 0;
}
