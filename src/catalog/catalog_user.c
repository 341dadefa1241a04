/* Users of a site, as its nodes sign them (FORMAT 3.5, kind 4). */
#include "riad/error.h"
#include "riad/text.h"

#include "catalog_priv.h"

enum { STATE_ACTIVE = 1, STATE_DISABLED = 2 };

bool riad_catalog_is_user_name(const char *name)
{
    size_t size = strnlen(name, RIAD_USER_NAME_MAX + 1);

    for (size_t i = 0; i < size; i++) {
        if (riad_text_control(name + i) || strchr(" /:", name[i])) {
            return false;
        }
    }
    return size >= 1 && size <= RIAD_USER_NAME_MAX && name[0] != '.' && name[0] != '-';
}

void riad_catalog_put_user_entry(const struct riad_catalog_user *user, struct riad_writer *writer)
{
    struct riad_writer body;
    uint8_t bytes[256];

    riad_writer_init_fixed(&body, bytes, sizeof bytes);
    riad_put_id(&body, &user->id);
    riad_put_u32(&body, user->uid);
    riad_put_u8(&body, user->disabled ? STATE_DISABLED : STATE_ACTIVE);
    riad_put_u32(&body, user->generation);
    riad_put_bytes(&body, user->wrap_key.bytes, sizeof user->wrap_key.bytes);
    riad_put_bytes(&body, user->sign_key.bytes, sizeof user->sign_key.bytes);
    riad_put_b16(&body, user->name, strnlen(user->name, RIAD_USER_NAME_MAX));
    riad_catalog_put_entry(RIAD_CATALOG_ENTRY_USER, &body, writer);
}

static int decode(struct riad_reader *body, struct riad_catalog_user *ret)
{
    struct riad_catalog_user user = { 0 };
    const uint8_t *name;
    uint8_t state;
    size_t size;
    int r;

    riad_get_id(body, &user.id);
    user.uid = riad_get_u32(body);
    state = riad_get_u8(body);
    user.generation = riad_get_u32(body);
    riad_get_bytes(body, user.wrap_key.bytes, sizeof user.wrap_key.bytes);
    riad_get_bytes(body, user.sign_key.bytes, sizeof user.sign_key.bytes);
    name = riad_get_b16(body, RIAD_USER_NAME_MAX, &size);
    if (name) {
        memcpy(user.name, name, size);
    }
    r = riad_reader_finish(body);
    if (r < 0) {
        return r;
    }
    if ((state != STATE_ACTIVE && state != STATE_DISABLED) || user.generation == 0 ||
            strlen(user.name) != size || !riad_catalog_is_user_name(user.name)) {
        return -EBADMSG;
    }
    user.disabled = state == STATE_DISABLED;
    *ret = user;
    return 0;
}

bool riad_catalog_user_collides(
        const struct riad_catalog *catalog, const struct riad_catalog_user *user)
{
    for (size_t i = 0; i < catalog->user_count; i++) {
        const struct riad_catalog_user *other = &catalog->users[i];

        if (!user->disabled && !other->disabled && !riad_id_equal(&other->id, &user->id) &&
                (other->uid == user->uid || strcmp(other->name, user->name) == 0)) {
            return true;
        }
    }
    return false;
}

int riad_catalog_apply_user(struct riad_catalog *catalog, struct riad_reader *body)
{
    struct riad_catalog_user user, *users, *place;
    int r = decode(body, &user);

    if (r < 0) {
        return r;
    }
    if (riad_catalog_user_collides(catalog, &user)) {
        return -EBADMSG;
    }
    place = (struct riad_catalog_user *)riad_catalog_find_user(catalog, &user.id);
    if (place) {
        *place = user;
        return 0;
    }
    if (catalog->user_count == RIAD_CATALOG_USERS_MAX) {
        return -EBADMSG;
    }
    users = reallocarray(catalog->users, catalog->user_count + 1, sizeof *users);
    if (!users) {
        return -ENOMEM;
    }
    catalog->users = users;
    users[catalog->user_count] = user;
    r = riad_catalog_places_add(
            &catalog->user_places, users, sizeof *users, (uint32_t)catalog->user_count);
    catalog->user_count += r == 0;
    return r;
}

const struct riad_catalog_user *riad_catalog_find_user(
        const struct riad_catalog *catalog, const struct riad_id *id)
{
    return riad_catalog_places_find(
            &catalog->user_places, catalog->users, sizeof *catalog->users, id);
}

const struct riad_catalog_user *riad_catalog_find_uid(
        const struct riad_catalog *catalog, uint32_t uid)
{
    for (size_t i = 0; i < catalog->user_count; i++) {
        if (catalog->users[i].uid == uid && !catalog->users[i].disabled) {
            return &catalog->users[i];
        }
    }
    return NULL;
}

const struct riad_catalog_user *riad_catalog_find_user_name(
        const struct riad_catalog *catalog, const char *name)
{
    const struct riad_catalog_user *found = NULL;

    for (size_t i = 0; i < catalog->user_count; i++) {
        if (strcmp(catalog->users[i].name, name) == 0 && (!found || found->disabled)) {
            found = &catalog->users[i];
        }
    }
    return found;
}
