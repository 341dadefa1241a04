/* Rosters: reading the chain, and the wraps that it names. */
#include "riad/roster.h"

#include "riad/cleanup.h"
#include "riad/error.h"

#include "object_priv.h"
#include "roster_priv.h"

static const char *const role_names[] = {
    [RIAD_ROLE_MANAGER] = "manager", [RIAD_ROLE_WRITER] = "writer", [RIAD_ROLE_READER] = "reader"
};

const char *riad_role_name(enum riad_role role)
{
    return role >= RIAD_ROLE_MANAGER && role <= RIAD_ROLE_READER ? role_names[role] : "";
}

int riad_role_parse(const char *name, enum riad_role *ret)
{
    for (enum riad_role role = RIAD_ROLE_MANAGER; role <= RIAD_ROLE_READER; role++) {
        if (strcmp(name, role_names[role]) == 0) {
            *ret = role;
            return 0;
        }
    }
    return -EINVAL;
}

struct riad_member *riad_roster_find(const struct riad_roster *roster, const struct riad_id *user)
{
    for (size_t i = 0; i < roster->member_count; i++) {
        if (riad_id_equal(&roster->members[i].user, user)) {
            return &roster->members[i];
        }
    }
    return NULL;
}

static int put_member(struct riad_roster *roster, const struct riad_member *member)
{
    struct riad_member *present = riad_roster_find(roster, &member->user);
    struct riad_member *grown;

    if (present) {
        *present = *member;
        return 0;
    }
    if (roster->member_count == RIAD_MEMBERS_MAX) {
        return -EBADMSG;
    }
    grown = reallocarray(roster->members, roster->member_count + 1, sizeof *grown);
    if (!grown) {
        return -ENOMEM;
    }
    roster->members = grown;
    grown[roster->member_count++] = *member;
    return 0;
}

static int remove_member(struct riad_roster *roster, const struct riad_id *user)
{
    struct riad_member *member = riad_roster_find(roster, user);

    if (!member) {
        return -EBADMSG;
    }
    *member = roster->members[--roster->member_count];
    return 0;
}

static size_t count_managers(const struct riad_roster *roster)
{
    size_t count = 0;

    for (size_t i = 0; i < roster->member_count; i++) {
        count += roster->members[i].role == RIAD_ROLE_MANAGER;
    }
    return count;
}

bool riad_roster_is_last_manager(const struct riad_roster *roster, const struct riad_member *member)
{
    return member->role == RIAD_ROLE_MANAGER && count_managers(roster) == 1;
}

/* The epoch that follows, as the entry has it. */
static int begin_epoch(struct riad_roster *roster, const struct riad_roster_entry *entry)
{
    struct riad_roster_epoch *epochs = reallocarray(roster->epochs, entry->epoch, sizeof *epochs);

    if (!epochs) {
        return -ENOMEM;
    }
    roster->epochs = epochs;
    epochs += roster->epoch++;
    epochs->commitment = entry->commitment;
    memcpy(epochs->sealed_previous, entry->sealed_previous, sizeof epochs->sealed_previous);
    roster->commitment = entry->commitment;
    memcpy(roster->sealed_name, entry->sealed_name, entry->sealed_name_size);
    roster->sealed_name_size = entry->sealed_name_size;
    return 0;
}

static int apply_create(struct riad_roster *roster, const struct riad_roster_entry *entry)
{
    int r = begin_epoch(roster, entry);

    roster->kind = entry->workspace_kind;
    return r < 0 ? r : put_member(roster, &entry->member);
}

/* The wraps are as many as the members, of different ones, each a member's: all have one. */
static int apply_epoch(struct riad_roster *roster, const struct riad_roster_entry *entry)
{
    if (entry->epoch != roster->epoch + 1 || entry->wrap_count != roster->member_count) {
        return -EBADMSG;
    }
    for (size_t i = 0; i < entry->wrap_count; i++) {
        struct riad_member *member = riad_roster_find(roster, &entry->wraps[i].user);

        if (!member) {
            return -EBADMSG;
        }
        member->wrap_hash = entry->wraps[i].hash;
    }
    return begin_epoch(roster, entry);
}

static int apply_kind(struct riad_roster *roster, const struct riad_roster_entry *entry)
{
    switch (entry->kind) {
    case RIAD_ROSTER_CREATE:
        return apply_create(roster, entry);
    case RIAD_ROSTER_MEMBER_PUT:
        return put_member(roster, &entry->member);
    case RIAD_ROSTER_EPOCH:
        return apply_epoch(roster, entry);
    default:
        return remove_member(roster, &entry->member.user);
    }
}

/* The chain binds each entry to its place: number, hash of the one before, workspace; only the
 * first creates. Without a manager nobody could sign the next one. */
static int apply(struct riad_roster *roster, const struct riad_roster_entry *entry)
{
    bool first = roster->entries == 0;
    int r;

    if (!riad_id_equal(&entry->workspace, &roster->workspace) || entry->number != roster->entries ||
            !riad_hash_equal(&entry->previous, &roster->head) ||
            (entry->kind == RIAD_ROSTER_CREATE) != first) {
        return -EBADMSG;
    }
    r = apply_kind(roster, entry);
    return r == 0 && count_managers(roster) == 0 ? -EBADMSG : r;
}

static int add_head(struct riad_roster *roster, const struct riad_hash *head)
{
    struct riad_hash *grown = reallocarray(roster->heads, roster->entries + 1, sizeof *grown);

    if (!grown) {
        return -ENOMEM;
    }
    roster->heads = grown;
    grown[roster->entries++] = *head;
    roster->head = *head;
    return 0;
}

bool riad_roster_passed(
        const struct riad_roster *roster, uint64_t entries, const struct riad_hash *head)
{
    return entries == 0 ||
           (entries <= roster->entries && riad_hash_equal(&roster->heads[entries - 1], head));
}

/* The first entry is its owner's; of the others each is signed by one who is a manager then. */
static int verify_entry(const struct riad_store_binding *binding,
        const struct riad_public_key *owner, const struct riad_roster *roster,
        const uint8_t *envelope, size_t size, const uint8_t **ret_body, size_t *ret_size)
{
    int r = -EBADMSG;

    if (roster->entries == 0) {
        return riad_envelope_verify(
                RIAD_ENVELOPE_ROSTER, binding, owner, envelope, size, ret_body, ret_size);
    }
    for (size_t i = 0; i < roster->member_count && r == -EBADMSG; i++) {
        if (roster->members[i].role == RIAD_ROLE_MANAGER) {
            r = riad_envelope_verify(RIAD_ENVELOPE_ROSTER, binding, &roster->members[i].sign_key,
                    envelope, size, ret_body, ret_size);
        }
    }
    return r;
}

static int read_entry(struct riad_reader *reader, const struct riad_store_binding *binding,
        const struct riad_public_key *signer, struct riad_roster *roster)
{
    _cleanup_(riad_roster_entry_done) struct riad_roster_entry entry = { 0 };
    struct riad_hash head;
    const uint8_t *body;
    size_t size, body_size;
    const uint8_t *envelope = riad_get_b32(reader, RIAD_ENVELOPE_MAX, &size);
    int r;

    if (!envelope) {
        return -EBADMSG;
    }
    r = verify_entry(binding, signer, roster, envelope, size, &body, &body_size);
    if (r < 0) {
        return r;
    }
    r = riad_roster_entry_decode(body, body_size, &entry);
    if (r < 0) {
        return r;
    }
    r = riad_roster_entry_hash(envelope, size, &head);
    if (r < 0) {
        return r;
    }
    r = apply(roster, &entry);
    return r < 0 ? r : add_head(roster, &head);
}

static int read_entries(const uint8_t *data, size_t size, const struct riad_store_binding *binding,
        const struct riad_public_key *signer, struct riad_roster *roster)
{
    struct riad_reader reader;
    int r;

    riad_reader_init(&reader, data, size);
    do {
        r = read_entry(&reader, binding, signer, roster);
    } while (r == 0 && reader.left > 0);
    return r;
}

int riad_roster_parse(const struct riad_store_binding *binding, const struct riad_id *workspace,
        const struct riad_public_key *owner, const void *data, size_t size, struct riad_roster *ret)
{
    _cleanup_(riad_roster_done) struct riad_roster roster = { .workspace = *workspace };
    int r;

    r = read_entries(data, size, binding, owner, &roster);
    if (r < 0) {
        return r;
    }
    *ret = roster;
    roster = (struct riad_roster){ 0 };
    return 0;
}

int riad_roster_read(const struct riad_store *store, const struct riad_id *workspace,
        uint8_t **ret_data, size_t *ret_size)
{
    _cleanup_close_ int fd = riad_store_open_workspace(store, workspace);

    if (fd < 0) {
        return fd;
    }
    return riad_object_read(fd, ".", RIAD_ROSTER_NAME, RIAD_ROSTER_FILE_MAX, ret_data, ret_size);
}

int riad_roster_load(const struct riad_store *store, const struct riad_id *workspace,
        const struct riad_public_key *signer, struct riad_roster *ret)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;
    int r;

    r = riad_roster_read(store, workspace, &data, &size);
    if (r < 0) {
        return r;
    }
    return riad_roster_parse(&store->binding, workspace, signer, data, size, ret);
}

void riad_roster_done(struct riad_roster *roster)
{
    free(roster->members);
    free(roster->heads);
    free(roster->epochs);
    *roster = (struct riad_roster){ 0 };
}

/* The roster says that this very file exists: missing, it is damage. */
int riad_roster_read_wrap(const struct riad_store *store, const struct riad_roster *roster,
        const struct riad_member *member, uint8_t **ret_data, size_t *ret_size)
{
    _cleanup_close_ int fd = riad_store_open_workspace(store, &roster->workspace);
    _cleanup_free_ uint8_t *data = NULL;
    char name[RIAD_WRAP_NAME_SIZE];
    size_t size;
    int r;

    if (fd < 0) {
        return fd;
    }
    riad_wrap_name(&member->user, roster->epoch, name);
    r = riad_object_read(fd, RIAD_WRAPS_NAME, name, RIAD_WRAP_SIZE, &data, &size);
    if (r < 0) {
        return r == -ENOENT ? -EUCLEAN : r;
    }
    r = riad_roster_check_wrap(member, data, size);
    if (r < 0) {
        return r;
    }
    *ret_data = riad_take_pointer(data);
    *ret_size = size;
    return 0;
}
