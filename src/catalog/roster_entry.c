/* The codec of roster entries (FORMAT 3.2). */
#include "riad/catalog.h"
#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"

#include "roster_priv.h"

enum { SEALED_NAME_STEP = 64, EXTENSION_GROUP = 1 /* of a member put */ };

static void encode_member(const struct riad_member *member, struct riad_writer *writer)
{
    riad_put_id(writer, &member->user);
    riad_put_u8(writer, (uint8_t)member->role);
    riad_put_bytes(writer, member->wrap_key.bytes, sizeof member->wrap_key.bytes);
    riad_put_bytes(writer, member->sign_key.bytes, sizeof member->sign_key.bytes);
    riad_put_hash(writer, &member->wrap_hash);
}

void riad_roster_entry_done(struct riad_roster_entry *entry)
{
    free(entry->wraps);
    entry->wraps = NULL;
    entry->wrap_count = 0;
}

static void encode_root(const struct riad_roster_entry *entry, struct riad_writer *writer)
{
    riad_put_u32(writer, entry->epoch);
    riad_put_hash(writer, &entry->commitment);
    riad_put_b16(writer, entry->sealed_name, entry->sealed_name_size);
}

static void encode_epoch(const struct riad_roster_entry *entry, struct riad_writer *writer)
{
    encode_root(entry, writer);
    riad_put_b16(writer, entry->sealed_previous, sizeof entry->sealed_previous);
    riad_put_u32(writer, (uint32_t)entry->wrap_count);
    for (size_t i = 0; i < entry->wrap_count; i++) {
        riad_put_id(writer, &entry->wraps[i].user);
        riad_put_hash(writer, &entry->wraps[i].hash);
    }
}

static void encode_by_kind(const struct riad_roster_entry *entry, struct riad_writer *writer)
{
    switch (entry->kind) {
    case RIAD_ROSTER_CREATE:
        riad_put_u8(writer, (uint8_t)entry->workspace_kind);
        encode_root(entry, writer);
        encode_member(&entry->member, writer);
        break;
    case RIAD_ROSTER_MEMBER_REMOVE:
        riad_put_id(writer, &entry->member.user);
        break;
    case RIAD_ROSTER_EPOCH:
        encode_epoch(entry, writer);
        break;
    default:
        encode_member(&entry->member, writer);
    }
}

void riad_roster_entry_encode(const struct riad_roster_entry *entry, struct riad_writer *writer)
{
    riad_put_id(writer, &entry->workspace);
    riad_put_u64(writer, entry->number);
    riad_put_hash(writer, &entry->previous);
    riad_put_time(writer, entry->time);
    riad_put_u8(writer, (uint8_t)entry->kind);
    encode_by_kind(entry, writer);
    if (entry->kind == RIAD_ROSTER_MEMBER_PUT && entry->member.group[0]) {
        riad_put_extension(writer, EXTENSION_GROUP, entry->member.group,
                strnlen(entry->member.group, RIAD_GROUP_NAME_MAX));
    } else {
        riad_put_b32(writer, NULL, 0);
    }
}

static void decode_member(struct riad_reader *reader, struct riad_member *ret)
{
    uint8_t role;

    riad_get_id(reader, &ret->user);
    role = riad_get_u8(reader);
    if (role < RIAD_ROLE_MANAGER || role > RIAD_ROLE_READER) {
        riad_reader_refuse(reader);
    }
    ret->role = role;
    riad_get_bytes(reader, ret->wrap_key.bytes, sizeof ret->wrap_key.bytes);
    riad_get_bytes(reader, ret->sign_key.bytes, sizeof ret->sign_key.bytes);
    riad_get_hash(reader, &ret->wrap_hash);
}

static void decode_sealed_name(struct riad_reader *reader, struct riad_roster_entry *ret)
{
    size_t size;
    const uint8_t *bytes = riad_get_b16(reader, sizeof ret->sealed_name, &size);

    if (!bytes || size < RIAD_SIV_SIZE + SEALED_NAME_STEP ||
            (size - RIAD_SIV_SIZE) % SEALED_NAME_STEP != 0) {
        riad_reader_refuse(reader);
        return;
    }
    memcpy(ret->sealed_name, bytes, size);
    ret->sealed_name_size = size;
}

static void decode_root(struct riad_reader *reader, struct riad_roster_entry *ret)
{
    ret->epoch = riad_get_u32(reader);
    riad_get_hash(reader, &ret->commitment);
    decode_sealed_name(reader, ret);
}

static void decode_create(struct riad_reader *reader, struct riad_roster_entry *ret)
{
    uint8_t kind = riad_get_u8(reader);

    if (kind != RIAD_KIND_HOME && kind != RIAD_KIND_PROJECT) {
        riad_reader_refuse(reader);
    }
    ret->workspace_kind = kind;
    decode_root(reader, ret);
    if (ret->epoch != 1) {
        riad_reader_refuse(reader);
    }
    decode_member(reader, &ret->member);
}

static bool is_after(const struct riad_roster_wrap *wrap, const struct riad_roster_wrap *before)
{
    return memcmp(wrap->user.bytes, before->user.bytes, sizeof wrap->user.bytes) > 0;
}

static int decode_wraps(struct riad_reader *reader, struct riad_roster_entry *ret)
{
    size_t count = riad_get_u32(reader);

    if (count == 0 || count > RIAD_MEMBERS_MAX) {
        riad_reader_refuse(reader);
        return 0;
    }
    ret->wraps = calloc(count, sizeof *ret->wraps);
    if (!ret->wraps) {
        return -ENOMEM;
    }
    ret->wrap_count = count;
    for (size_t i = 0; i < count; i++) {
        riad_get_id(reader, &ret->wraps[i].user);
        riad_get_hash(reader, &ret->wraps[i].hash);
        if (i > 0 && !is_after(&ret->wraps[i], &ret->wraps[i - 1])) {
            riad_reader_refuse(reader);
        }
    }
    return 0;
}

/* -ENOMEM, else 0: what is wrong with it, the reader tells. */
static int decode_epoch(struct riad_reader *reader, struct riad_roster_entry *ret)
{
    const uint8_t *sealed;
    size_t size;

    decode_root(reader, ret);
    sealed = riad_get_b16(reader, sizeof ret->sealed_previous, &size);
    if (ret->epoch < 2 || ret->epoch > RIAD_ROSTER_EPOCHS_MAX ||
            size != sizeof ret->sealed_previous) {
        riad_reader_refuse(reader);
        return 0;
    }
    memcpy(ret->sealed_previous, sealed, size);
    return decode_wraps(reader, ret);
}

/* As decode_epoch. */
static int decode_by_kind(struct riad_reader *reader, struct riad_roster_entry *ret)
{
    switch (ret->kind) {
    case RIAD_ROSTER_EPOCH:
        return decode_epoch(reader, ret);
    case RIAD_ROSTER_CREATE:
        decode_create(reader, ret);
        break;
    case RIAD_ROSTER_MEMBER_PUT:
        decode_member(reader, &ret->member);
        break;
    case RIAD_ROSTER_MEMBER_REMOVE:
        riad_get_id(reader, &ret->member.user);
        break;
    default:
        riad_reader_refuse(reader);
    }
    return 0;
}

static void decode_group(struct riad_reader *reader, char ret[RIAD_GROUP_NAME_MAX + 1])
{
    size_t size;
    const uint8_t *group = riad_get_extension(reader, EXTENSION_GROUP, &size);

    if (!group) {
        return;
    }
    if (size > RIAD_GROUP_NAME_MAX) {
        riad_reader_refuse(reader);
        return;
    }
    memcpy(ret, group, size);
    ret[size] = '\0';
    if (strlen(ret) != size || !riad_catalog_is_user_name(ret)) {
        riad_reader_refuse(reader);
    }
}

static void decode_extensions(struct riad_reader *reader, struct riad_roster_entry *ret)
{
    if (ret->kind == RIAD_ROSTER_MEMBER_PUT) {
        decode_group(reader, ret->member.group);
    } else {
        riad_get_extensions(reader);
    }
}

int riad_roster_entry_decode(const uint8_t *body, size_t size, struct riad_roster_entry *ret)
{
    _cleanup_(riad_roster_entry_done) struct riad_roster_entry entry = { 0 };
    struct riad_reader reader;
    int r;

    riad_reader_init(&reader, body, size);
    riad_get_id(&reader, &entry.workspace);
    entry.number = riad_get_u64(&reader);
    riad_get_hash(&reader, &entry.previous);
    entry.time = riad_get_time(&reader);
    entry.kind = riad_get_u8(&reader);
    r = decode_by_kind(&reader, &entry);
    if (r < 0) {
        return r;
    }
    decode_extensions(&reader, &entry);
    r = riad_reader_finish(&reader);
    if (r < 0) {
        return r;
    }
    *ret = entry;
    entry = (struct riad_roster_entry){ 0 };
    return 0;
}

int riad_roster_entry_hash(const void *envelope, size_t size, struct riad_hash *ret)
{
    return riad_sha256_labelled("riad/v1/roster", envelope, size, ret);
}

int riad_roster_entry_sign(const struct riad_roster_entry *entry,
        const struct riad_store_binding *binding, const struct riad_keypair *keys,
        struct riad_writer *file, struct riad_hash *ret_hash)
{
    _cleanup_(riad_writer_done) struct riad_writer body = { 0 };
    _cleanup_(riad_writer_done) struct riad_writer envelope = { 0 };
    int r;

    riad_writer_init_growing(&body, 1024, RIAD_ENVELOPE_BODY_MAX);
    riad_writer_init_growing(&envelope, 2048, RIAD_ENVELOPE_MAX);
    riad_roster_entry_encode(entry, &body);
    if (body.error < 0) {
        return body.error;
    }
    r = riad_envelope_sign(RIAD_ENVELOPE_ROSTER, binding, keys, body.data, body.size, &envelope);
    if (r < 0) {
        return r;
    }
    riad_put_b32(file, envelope.data, envelope.size);
    if (file->error < 0) {
        return file->error;
    }
    return riad_roster_entry_hash(envelope.data, envelope.size, ret_hash);
}
