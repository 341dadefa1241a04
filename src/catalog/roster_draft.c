/* Drafts of changes to a roster: one more signed entry, made where a manager's keys are. */
#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/roster.h"

#include "roster_priv.h"

enum { ENTRY_RESERVE = 1024 };

/* By the key, as whoever reads the chain does. */
static bool is_manager(const struct riad_roster *roster, const struct riad_keypair *keys)
{
    for (size_t i = 0; i < roster->member_count; i++) {
        const struct riad_member *member = &roster->members[i];

        if (member->role == RIAD_ROLE_MANAGER &&
                memcmp(&member->sign_key, &keys->sign_key, sizeof member->sign_key) == 0) {
            return true;
        }
    }
    return false;
}

/* Signs the entry, whose kind and member are set, as the one that follows. */
static int append_entry(const struct riad_store_binding *binding, const struct riad_roster *roster,
        const void *data, size_t size, struct riad_roster_entry *entry,
        const struct riad_keypair *keys, struct riad_writer *ret_file)
{
    _cleanup_(riad_writer_done) struct riad_writer file = { 0 };
    struct riad_hash head;
    int r;

    entry->workspace = roster->workspace;
    entry->number = roster->entries;
    entry->previous = roster->head;
    if (clock_gettime(CLOCK_REALTIME, &entry->time) < 0) {
        return -errno;
    }
    riad_writer_init_growing(&file, size + ENTRY_RESERVE, RIAD_ROSTER_FILE_MAX);
    riad_put_bytes(&file, data, size);
    r = riad_roster_entry_sign(entry, binding, keys, &file, &head);
    if (r < 0) {
        return r;
    }
    *ret_file = file;
    file = (struct riad_writer){ 0 };
    return 0;
}

static int check_put(const struct riad_roster *roster, const struct riad_member *member,
        const struct riad_keypair *keys)
{
    const struct riad_member *present = riad_roster_find(roster, &member->user);

    if (!is_manager(roster, keys)) {
        return -EPERM;
    }
    if (member->role < RIAD_ROLE_MANAGER || member->role > RIAD_ROLE_READER) {
        return -EINVAL;
    }
    if (!present) {
        return roster->member_count >= RIAD_ROSTER_MEMBERS_MAX ? -E2BIG : 0;
    }
    return member->role != RIAD_ROLE_MANAGER && riad_roster_is_last_manager(roster, present)
                   ? -EBUSY
                   : 0;
}

int riad_roster_draft_put(const struct riad_store_binding *binding,
        const struct riad_roster *roster, const void *data, size_t size,
        const struct riad_member *member, const struct riad_secret *root,
        const struct riad_keypair *keys, struct riad_writer *ret_file,
        uint8_t ret_wrap[RIAD_WRAP_SIZE])
{
    const struct riad_wrap_scope scope = { binding->store, roster->workspace, roster->epoch };
    struct riad_roster_entry entry = { .kind = RIAD_ROSTER_MEMBER_PUT, .member = *member };
    uint8_t wrap[RIAD_WRAP_SIZE];
    int r = check_put(roster, member, keys);

    if (r == 0) {
        r = riad_roster_check_root(roster, root);
    }
    if (r == 0) {
        r = riad_wrap_seal(&scope, &member->wrap_key, root, wrap);
    }
    if (r == 0) {
        r = riad_wrap_hash(wrap, sizeof wrap, &entry.member.wrap_hash);
    }
    if (r == 0) {
        r = append_entry(binding, roster, data, size, &entry, keys, ret_file);
    }
    if (r < 0) {
        return r;
    }
    memcpy(ret_wrap, wrap, sizeof wrap);
    return 0;
}

int riad_roster_draft_role(const struct riad_store_binding *binding,
        const struct riad_roster *roster, const void *data, size_t size, const struct riad_id *user,
        enum riad_role role, const struct riad_keypair *keys, struct riad_writer *ret_file)
{
    const struct riad_member *present = riad_roster_find(roster, user);
    struct riad_roster_entry entry = { .kind = RIAD_ROSTER_MEMBER_PUT };
    int r;

    if (!present) {
        return is_manager(roster, keys) ? -ENOENT : -EPERM;
    }
    entry.member = *present;
    entry.member.role = role;
    r = check_put(roster, &entry.member, keys);
    return r < 0 ? r : append_entry(binding, roster, data, size, &entry, keys, ret_file);
}

int riad_roster_draft_remove(const struct riad_store_binding *binding,
        const struct riad_roster *roster, const void *data, size_t size, const struct riad_id *user,
        const struct riad_keypair *keys, struct riad_writer *ret_file)
{
    const struct riad_member *member = riad_roster_find(roster, user);
    struct riad_roster_entry entry = { .kind = RIAD_ROSTER_MEMBER_REMOVE, .member.user = *user };

    if (!is_manager(roster, keys)) {
        return -EPERM;
    }
    if (!member) {
        return -ENOENT;
    }
    if (riad_roster_is_last_manager(roster, member)) {
        return -EBUSY;
    }
    return append_entry(binding, roster, data, size, &entry, keys, ret_file);
}
