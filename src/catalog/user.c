/* User files: the body's codec, saving, loading, unlocking. */
#include "riad/user.h"

#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"

#include "object_priv.h"
#include "slot_priv.h"

#define DIRECTORY "user"
enum { NAME_MAX_SIZE = 255 };

static void encode(const struct riad_user *user, struct riad_writer *writer)
{
    riad_put_id(writer, &user->id);
    riad_put_time(writer, user->created);
    riad_put_b16(writer, user->name, strnlen(user->name, NAME_MAX_SIZE));
    riad_put_u32(writer, user->generation);
    riad_put_bytes(writer, user->wrap_key.bytes, sizeof user->wrap_key.bytes);
    riad_put_bytes(writer, user->sign_key.bytes, sizeof user->sign_key.bytes);
    riad_put_u16(writer, (uint16_t)user->slot_count);
    for (size_t i = 0; i < user->slot_count; i++) {
        riad_slot_encode(&user->slots[i], writer);
    }
    riad_put_b32(writer, NULL, 0);
}

static void decode_name(struct riad_reader *reader, char ret[NAME_MAX_SIZE + 1])
{
    size_t size;
    const uint8_t *bytes = riad_get_b16(reader, NAME_MAX_SIZE, &size);

    if (!bytes || memchr(bytes, 0, size)) {
        riad_reader_refuse(reader);
        return;
    }
    memcpy(ret, bytes, size);
    ret[size] = '\0';
}

static void decode_slots(struct riad_reader *reader, struct riad_user *ret)
{
    ret->slot_count = riad_get_u16(reader);
    if (ret->slot_count < 1 || ret->slot_count > RIAD_SLOTS_MAX) {
        riad_reader_refuse(reader);
        return;
    }
    for (size_t i = 0; i < ret->slot_count; i++) {
        riad_slot_decode(reader, &ret->slots[i]);
    }
}

/* id: whose it must be; NULL: anyone's. */
static int decode(const uint8_t *body, size_t size, const struct riad_id *id, struct riad_user *ret)
{
    struct riad_user user = { 0 };
    struct riad_reader reader;
    int r;

    riad_reader_init(&reader, body, size);
    riad_get_id(&reader, &user.id);
    user.created = riad_get_time(&reader);
    decode_name(&reader, user.name);
    user.generation = riad_get_u32(&reader);
    riad_get_bytes(&reader, user.wrap_key.bytes, sizeof user.wrap_key.bytes);
    riad_get_bytes(&reader, user.sign_key.bytes, sizeof user.sign_key.bytes);
    decode_slots(&reader, &user);
    riad_get_extensions(&reader);
    r = riad_reader_finish(&reader);
    if (r < 0) {
        return r;
    }
    if (user.generation == 0 || (id && !riad_id_equal(&user.id, id))) {
        return -EBADMSG;
    }
    *ret = user;
    return 0;
}

int riad_user_create(struct riad_user *ret, struct riad_keypair *ret_keys)
{
    struct riad_user user = { .generation = 1 };
    struct riad_keypair keys;
    int r;

    r = riad_random_id(&user.id);
    if (r < 0) {
        return r;
    }
    if (clock_gettime(CLOCK_REALTIME, &user.created) < 0) {
        return -errno;
    }
    r = riad_keypair_generate(&keys);
    if (r < 0) {
        return r;
    }
    user.wrap_key = keys.wrap_key;
    user.sign_key = keys.sign_key;
    *ret = user;
    *ret_keys = keys;
    return 0;
}

static uint32_t newest_generation(const struct riad_user *user, enum riad_slot_kind kind)
{
    uint32_t newest = 0;

    for (size_t i = 0; i < user->slot_count; i++) {
        if (user->slots[i].kind == kind && user->slots[i].generation > newest) {
            newest = user->slots[i].generation;
        }
    }
    return newest;
}

/* Drops the slots of the new one's kind and appends it. */
static int replace_slots(struct riad_user *user, const struct riad_slot *slot)
{
    struct riad_user changed = *user;

    changed.slot_count = 0;
    memset(changed.slots, 0, sizeof changed.slots);
    for (size_t i = 0; i < user->slot_count; i++) {
        if (user->slots[i].kind != slot->kind) {
            changed.slots[changed.slot_count++] = user->slots[i];
        }
    }
    if (changed.slot_count == RIAD_SLOTS_MAX) {
        return -E2BIG;
    }
    changed.slots[changed.slot_count++] = *slot;
    *user = changed;
    return 0;
}

int riad_user_set_slot_cost(struct riad_user *user, const struct riad_store *store,
        const struct riad_keypair *keys, enum riad_slot_kind kind, const struct riad_secret *secret,
        unsigned log_n)
{
    uint32_t generation = newest_generation(user, kind);
    struct riad_slot slot;
    int r;

    if (generation == UINT32_MAX) {
        return -EOVERFLOW;
    }
    r = riad_slot_seal(
            user, &store->binding.store, keys, kind, generation + 1, secret, log_n, &slot);
    if (r < 0) {
        return r;
    }
    return replace_slots(user, &slot);
}

int riad_user_set_slot(struct riad_user *user, const struct riad_store *store,
        const struct riad_keypair *keys, enum riad_slot_kind kind, const struct riad_secret *secret)
{
    return riad_user_set_slot_cost(user, store, keys, kind, secret, RIAD_SCRYPT_LOG_N_DEFAULT);
}

int riad_user_sign(const struct riad_user *user, const struct riad_store_binding *binding,
        const struct riad_keypair *keys, struct riad_writer *out)
{
    _cleanup_(riad_writer_done) struct riad_writer body = { 0 };

    if (user->slot_count == 0) {
        return -EINVAL; /* nobody could open it again */
    }
    riad_writer_init_growing(&body, 1024, RIAD_ENVELOPE_BODY_MAX);
    encode(user, &body);
    return body.error < 0 ? body.error
                          : riad_envelope_sign(
                                    RIAD_ENVELOPE_USER, binding, keys, body.data, body.size, out);
}

int riad_user_publish(const struct riad_store *store, const struct riad_id *id, const void *data,
        size_t size, enum riad_publish how)
{
    char name[RIAD_ID_NAME_SIZE];

    if (store->read_only) {
        return -EROFS;
    }
    riad_id_name(id, name);
    return riad_object_publish(store->fd, DIRECTORY, name, data, size, how);
}

int riad_user_save(const struct riad_user *user, const struct riad_store *store,
        const struct riad_keypair *keys)
{
    _cleanup_(riad_writer_done) struct riad_writer file = { 0 };
    int r;

    riad_writer_init_growing(&file, 2048, RIAD_ENVELOPE_MAX);
    r = riad_user_sign(user, &store->binding, keys, &file);
    if (r < 0) {
        return store->read_only ? -EROFS : r;
    }
    return riad_user_publish(store, &user->id, file.data, file.size, RIAD_PUBLISH_REPLACE);
}

int riad_user_read(const struct riad_store *store, const struct riad_id *id, uint8_t **ret_data,
        size_t *ret_size)
{
    char name[RIAD_ID_NAME_SIZE];

    riad_id_name(id, name);
    return riad_object_read(store->fd, DIRECTORY, name, RIAD_ENVELOPE_MAX, ret_data, ret_size);
}

int riad_user_peek(const struct riad_store_binding *binding, const void *data, size_t size,
        const struct riad_id *id, struct riad_user *ret)
{
    const uint8_t *body;
    size_t body_size;
    int r;

    r = riad_envelope_peek(RIAD_ENVELOPE_USER, binding, data, size, &body, &body_size);
    if (r < 0) {
        return r;
    }
    return decode(body, body_size, id, ret);
}

int riad_user_verify(const struct riad_store_binding *binding, const void *data, size_t size,
        const struct riad_public_key *signer, struct riad_user *ret)
{
    struct riad_user user;
    const uint8_t *body;
    size_t body_size;
    int r;

    r = riad_envelope_verify(RIAD_ENVELOPE_USER, binding, signer, data, size, &body, &body_size);
    if (r < 0) {
        return r;
    }
    r = decode(body, body_size, NULL, &user);
    if (r < 0) {
        return r;
    }
    if (memcmp(&user.sign_key, signer, sizeof *signer) != 0) {
        return -EBADMSG;
    }
    *ret = user;
    return 0;
}

int riad_user_load(const struct riad_store *store, const struct riad_id *id, struct riad_user *ret)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;
    int r;

    r = riad_user_read(store, id, &data, &size);
    if (r < 0) {
        return r;
    }
    return riad_user_peek(&store->binding, data, size, id, ret);
}

static int compare(const struct riad_user *a, const struct riad_user *b)
{
    _cleanup_(riad_writer_done) struct riad_writer left = { 0 };
    _cleanup_(riad_writer_done) struct riad_writer right = { 0 };

    riad_writer_init_growing(&left, 1024, RIAD_ENVELOPE_BODY_MAX);
    riad_writer_init_growing(&right, 1024, RIAD_ENVELOPE_BODY_MAX);
    encode(a, &left);
    encode(b, &right);
    if (left.error < 0 || right.error < 0) {
        return left.error < 0 ? left.error : right.error;
    }
    if (left.size != right.size || memcmp(left.data, right.data, left.size) != 0) {
        return -EBADMSG;
    }
    return 0;
}

static int open_slots(const struct riad_user *user, const struct riad_id *store,
        enum riad_slot_kind kind, const struct riad_secret *secret, struct riad_secret **ret)
{
    int r = -ENOKEY;

    for (size_t i = 0; i < user->slot_count && r == -ENOKEY; i++) {
        if (user->slots[i].kind == kind) {
            r = riad_slot_open(&user->slots[i], user, store, secret, ret);
        }
    }
    return r;
}

static bool keys_are_users(const struct riad_keypair *keys, const struct riad_user *user)
{
    return memcmp(&keys->wrap_key, &user->wrap_key, sizeof keys->wrap_key) == 0 &&
           memcmp(&keys->sign_key, &user->sign_key, sizeof keys->sign_key) == 0;
}

int riad_user_open(const struct riad_store_binding *binding, const void *data, size_t size,
        const struct riad_user *user, enum riad_slot_kind kind, const struct riad_secret *secret,
        struct riad_keypair *ret)
{
    _cleanup_(riad_keypair_done) struct riad_keypair keys = { 0 };
    _cleanup_secret_ struct riad_secret *opened = NULL;
    struct riad_user verified;
    int r;

    r = open_slots(user, &binding->store, kind, secret, &opened);
    if (r < 0) {
        return r;
    }
    r = riad_keypair_from_secret(opened, &keys);
    if (r < 0) {
        return r;
    }
    (void)riad_take_pointer(opened); /* in the pair now */
    if (!keys_are_users(&keys, user)) {
        return -EBADMSG;
    }
    /* K3: it was read without trust. Now that the key that signs it is known, it must verify, and
     * say what was read. */
    r = riad_user_verify(binding, data, size, &keys.sign_key, &verified);
    r = r < 0 ? r : compare(user, &verified);
    if (r < 0) {
        return r;
    }
    *ret = keys;
    keys = (struct riad_keypair){ 0 };
    return 0;
}

int riad_user_unlock(const struct riad_store *store, const struct riad_user *user,
        enum riad_slot_kind kind, const struct riad_secret *secret, struct riad_keypair *ret)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;
    int r;

    r = riad_user_read(store, &user->id, &data, &size);
    if (r < 0) {
        return r;
    }
    return riad_user_open(&store->binding, data, size, user, kind, secret, ret);
}
