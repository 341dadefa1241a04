/* Drafts of changes to a roster: one more signed entry, made where a manager's keys are. */
#include "riad/catalog.h"
#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/roster.h"

#include "label_priv.h"
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

static bool is_member(const struct riad_member *member)
{
    return member->role >= RIAD_ROLE_MANAGER && member->role <= RIAD_ROLE_READER &&
           (!member->group[0] || riad_catalog_is_user_name(member->group));
}

static int check_put(const struct riad_roster *roster, const struct riad_member *member,
        const struct riad_keypair *keys)
{
    const struct riad_member *present = riad_roster_find(roster, &member->user);

    if (!is_manager(roster, keys)) {
        return -EPERM;
    }
    if (!is_member(member)) {
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

static int check_epoch(const struct riad_roster *roster, const struct riad_secret *root,
        const struct riad_keypair *keys)
{
    if (!is_manager(roster, keys)) {
        return -EPERM;
    }
    return roster->epoch >= RIAD_ROSTER_EPOCHS_MAX ? -ENOSPC : riad_roster_check_root(roster, root);
}

/* The name, opened with the present root key, is sealed under the new one. */
static int move_name(const struct riad_roster *roster, const struct riad_secret *present,
        const struct riad_secret *root, struct riad_roster_entry *entry)
{
    _cleanup_(riad_keys_freep) struct riad_keys *keys = NULL;
    char name[RIAD_LABEL_MAX + 1];
    int r;

    r = riad_keys_new(&roster->workspace, roster->epoch, present, &keys);
    if (r < 0) {
        return r;
    }
    r = riad_roster_name(roster, keys, name);
    if (r < 0) {
        return r;
    }
    r = riad_roster_seal_name(root, name, entry);
    riad_wipe(name, sizeof name);
    return r;
}

/* All of the epoch's entry but the wraps. */
static int fill_epoch(const struct riad_roster *roster, const struct riad_secret *present,
        const struct riad_secret *root, struct riad_roster_entry *entry)
{
    int r;

    entry->kind = RIAD_ROSTER_EPOCH;
    entry->workspace = roster->workspace;
    entry->epoch = roster->epoch + 1;
    r = riad_keys_commitment(&roster->workspace, root, &entry->commitment);
    if (r < 0) {
        return r;
    }
    r = riad_previous_seal(&roster->workspace, entry->epoch, root, present, entry->sealed_previous);
    return r < 0 ? r : move_name(roster, present, root, entry);
}

static int compare_wraps(const void *a, const void *b)
{
    const struct riad_roster_wrap *left = a, *right = b;

    return memcmp(left->user.bytes, right->user.bytes, sizeof left->user.bytes);
}

/* Everyone's wrap, in the roster's order; their hashes in the entry's. */
static int seal_wraps(const struct riad_store_binding *binding, const struct riad_roster *roster,
        const struct riad_secret *root, struct riad_roster_entry *entry,
        uint8_t (*wraps)[RIAD_WRAP_SIZE])
{
    const struct riad_wrap_scope scope = { binding->store, roster->workspace, entry->epoch };

    entry->wraps = calloc(roster->member_count, sizeof *entry->wraps);
    if (!entry->wraps) {
        return -ENOMEM;
    }
    entry->wrap_count = roster->member_count;
    for (size_t i = 0; i < roster->member_count; i++) {
        int r = riad_wrap_seal(&scope, &roster->members[i].wrap_key, root, wraps[i]);

        if (r == 0) {
            r = riad_wrap_hash(wraps[i], sizeof wraps[i], &entry->wraps[i].hash);
        }
        if (r < 0) {
            return r;
        }
        entry->wraps[i].user = roster->members[i].user;
    }
    qsort(entry->wraps, entry->wrap_count, sizeof *entry->wraps, compare_wraps);
    return 0;
}

int riad_roster_draft_epoch(const struct riad_store_binding *binding,
        const struct riad_roster *roster, const void *data, size_t size,
        const struct riad_secret *root, const struct riad_keypair *keys,
        struct riad_writer *ret_file, struct riad_secret **ret_root,
        uint8_t (**ret_wraps)[RIAD_WRAP_SIZE])
{
    _cleanup_(riad_roster_entry_done) struct riad_roster_entry entry = { 0 };
    _cleanup_secret_ struct riad_secret *new_root = NULL;
    _cleanup_free_ uint8_t(*wraps)[RIAD_WRAP_SIZE] = NULL;
    int r = check_epoch(roster, root, keys);

    if (r < 0) {
        return r;
    }
    wraps = calloc(roster->member_count, sizeof *wraps);
    if (!wraps) {
        return -ENOMEM;
    }
    r = riad_secret_new_random(RIAD_ROOT_SIZE, &new_root);
    if (r == 0) {
        r = fill_epoch(roster, root, new_root, &entry);
    }
    if (r == 0) {
        r = seal_wraps(binding, roster, new_root, &entry, wraps);
    }
    if (r == 0) {
        r = append_entry(binding, roster, data, size, &entry, keys, ret_file);
    }
    if (r < 0) {
        return r;
    }
    *ret_root = riad_take_pointer(new_root);
    *ret_wraps = riad_take_pointer(wraps);
    return 0;
}
