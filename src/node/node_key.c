/* The file of a node's key. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/bytes.h"
#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/node.h"

enum { VERSION = 1, SECRET_SIZE = 64, CONTENT_SIZE = 4 + 4 + 16 + SECRET_SIZE };
enum { FILE_SIZE = CONTENT_SIZE + 32 };

static const uint8_t magic[4] = { 'R', 'I', 'A', 'N' };

/* ret: FILE_SIZE bytes of locked memory. */
static int encode(const struct riad_id *id, const struct riad_keypair *keys, uint8_t *ret)
{
    struct riad_writer writer;
    struct riad_hash sum;
    int r;

    riad_writer_init_fixed(&writer, ret, FILE_SIZE);
    riad_put_bytes(&writer, magic, sizeof magic);
    riad_put_u32(&writer, VERSION);
    riad_put_id(&writer, id);
    riad_put_bytes(&writer, riad_secret_peek(keys->secret), SECRET_SIZE);
    r = riad_sha256_labelled("riad/v1/node-key", ret, CONTENT_SIZE, &sum);
    if (r < 0) {
        return r;
    }
    riad_put_hash(&writer, &sum);
    return writer.error;
}

/* The directory of the file, or negative errno. */
static int open_parent(const char *path)
{
    _cleanup_free_ char *directory = riad_config_beside(path, ".");
    int fd;

    if (!directory) {
        return -ENOMEM;
    }
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int riad_node_key_create(const char *path, struct riad_site_node *ret)
{
    _cleanup_(riad_keypair_done) struct riad_keypair keys = { 0 };
    _cleanup_secret_ struct riad_secret *content = NULL;
    struct riad_site_node node = { 0 };
    _cleanup_close_ int fd = -1;
    const char *slash = strrchr(path, '/');
    int r;

    r = riad_random_id(&node.id);
    if (r < 0) {
        return r;
    }
    r = riad_keypair_generate(&keys);
    if (r < 0) {
        return r;
    }
    r = riad_secret_new(FILE_SIZE, &content);
    if (r < 0) {
        return r;
    }
    r = encode(&node.id, &keys, riad_secret_bytes(content));
    if (r < 0) {
        return r;
    }
    fd = open_parent(path);
    if (fd < 0) {
        return fd;
    }
    r = riad_publish_file_at(
            fd, slash ? slash + 1 : path, riad_secret_peek(content), FILE_SIZE, RIAD_PUBLISH_NEW);
    if (r < 0) {
        return r;
    }
    node.wrap_key = keys.wrap_key;
    node.sign_key = keys.sign_key;
    *ret = node;
    return 0;
}

/* Not through the heap: the content is secret. */
static int read_content(const char *path, struct riad_secret **ret)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    _cleanup_secret_ struct riad_secret *content = NULL;
    struct stat st;
    size_t size;
    int r;

    if (fd < 0) {
        return -errno;
    }
    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    if (!S_ISREG(st.st_mode) || st.st_size != FILE_SIZE) {
        return -EBADMSG;
    }
    if (st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
        return -EPERM;
    }
    r = riad_secret_new(FILE_SIZE, &content);
    if (r < 0) {
        return r;
    }
    r = riad_pread_all(fd, riad_secret_bytes(content), FILE_SIZE, 0, &size);
    if (r < 0) {
        return r;
    }
    if (size != FILE_SIZE) {
        return -EBADMSG;
    }
    *ret = riad_take_pointer(content);
    return 0;
}

static int decode(const struct riad_secret *content, struct riad_id *ret, struct riad_keypair *keys)
{
    const uint8_t *bytes = riad_secret_peek(content);
    _cleanup_secret_ struct riad_secret *secret = NULL;
    struct riad_hash sum, found;
    struct riad_reader reader;
    int r = riad_sha256_labelled("riad/v1/node-key", bytes, CONTENT_SIZE, &sum);

    if (r < 0) {
        return r;
    }
    riad_reader_init(&reader, bytes, FILE_SIZE);
    if (memcmp(riad_get_span(&reader, sizeof magic), magic, sizeof magic) != 0 ||
            riad_get_u32(&reader) != VERSION) {
        return -EBADMSG;
    }
    riad_get_id(&reader, ret);
    r = riad_secret_new_copy(riad_get_span(&reader, SECRET_SIZE), SECRET_SIZE, &secret);
    if (r < 0) {
        return r;
    }
    riad_get_hash(&reader, &found);
    if (!riad_hash_equal(&found, &sum)) {
        return -EBADMSG;
    }
    r = riad_keypair_from_secret(secret, keys);
    if (r == 0) {
        (void)riad_take_pointer(secret); /* in the pair now */
    }
    return r;
}

int riad_node_key_load(const char *path, struct riad_site_node *ret, struct riad_keypair *ret_keys)
{
    _cleanup_(riad_keypair_done) struct riad_keypair keys = { 0 };
    _cleanup_secret_ struct riad_secret *content = NULL;
    struct riad_site_node node = { 0 };
    int r;

    r = read_content(path, &content);
    if (r < 0) {
        return r;
    }
    r = decode(content, &node.id, &keys);
    if (r < 0) {
        return r;
    }
    node.wrap_key = keys.wrap_key;
    node.sign_key = keys.sign_key;
    *ret = node;
    if (ret_keys) {
        *ret_keys = keys;
        keys = (struct riad_keypair){ 0 };
    }
    return 0;
}
