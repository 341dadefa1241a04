/* Names of projects and states of rosters, as a site's nodes sign them (FORMAT 3.5, kinds 5 and
 * 6). */
#include "riad/cleanup.h"
#include "riad/error.h"

#include "catalog_priv.h"

enum { MEMBER_SIZE = 17, ROSTER_SIZE = 60 /* without members */, NAME_SIZE = 128 };

static bool is_member(const struct riad_catalog_member *member)
{
    return member->role >= RIAD_ROLE_MANAGER && member->role <= RIAD_ROLE_READER;
}

static bool are_ordered(const struct riad_catalog_member *a, const struct riad_catalog_member *b)
{
    return memcmp(a->user.bytes, b->user.bytes, sizeof a->user.bytes) < 0;
}

bool riad_catalog_are_members(const struct riad_catalog_member *members, size_t count)
{
    bool managed = false;

    for (size_t i = 0; i < count; i++) {
        if (!is_member(&members[i]) || (i > 0 && !are_ordered(&members[i - 1], &members[i]))) {
            return false;
        }
        managed = managed || members[i].role == RIAD_ROLE_MANAGER;
    }
    return managed && count <= RIAD_CATALOG_MEMBERS_MAX;
}

/* Straight into the batch: a body of its own would be 70 KB with all members that there may be. */
void riad_catalog_put_roster_entry(
        const struct riad_catalog_workspace *workspace, struct riad_writer *writer)
{
    riad_put_u8(writer, RIAD_CATALOG_ENTRY_ROSTER);
    riad_put_u8(writer, 0);
    riad_put_u32(writer, (uint32_t)(ROSTER_SIZE + MEMBER_SIZE * workspace->member_count));
    riad_put_id(writer, &workspace->id);
    riad_put_u64(writer, workspace->roster_entries);
    riad_put_hash(writer, &workspace->roster_head);
    riad_put_u32(writer, (uint32_t)workspace->member_count);
    for (size_t i = 0; i < workspace->member_count; i++) {
        riad_put_id(writer, &workspace->members[i].user);
        riad_put_u8(writer, (uint8_t)workspace->members[i].role);
    }
}

void riad_catalog_put_name_entry(
        const struct riad_catalog_workspace *workspace, struct riad_writer *writer)
{
    struct riad_writer body;
    uint8_t bytes[NAME_SIZE];

    riad_writer_init_fixed(&body, bytes, sizeof bytes);
    riad_put_id(&body, &workspace->id);
    riad_put_b16(&body, workspace->name, strnlen(workspace->name, RIAD_PROJECT_NAME_MAX));
    riad_catalog_put_entry(RIAD_CATALOG_ENTRY_NAME, &body, writer);
}

/* NULL: there is none, or it is deleted. */
static struct riad_catalog_workspace *find_live(
        struct riad_catalog *catalog, const struct riad_id *id)
{
    struct riad_catalog_workspace *found =
            (struct riad_catalog_workspace *)riad_catalog_find(catalog, id);

    return found && !found->deleted ? found : NULL;
}

/* *ret is on the heap. */
static int decode_members(
        struct riad_reader *body, struct riad_catalog_member **ret, size_t *ret_count)
{
    _cleanup_free_ struct riad_catalog_member *members = NULL;
    size_t count = riad_get_u32(body);
    int r;

    if (count == 0 || count > RIAD_CATALOG_MEMBERS_MAX) {
        return -EBADMSG;
    }
    members = calloc(count, sizeof *members);
    if (!members) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        riad_get_id(body, &members[i].user);
        members[i].role = riad_get_u8(body);
    }
    r = riad_reader_finish(body);
    if (r < 0 || !riad_catalog_are_members(members, count)) {
        return -EBADMSG;
    }
    *ret = riad_take_pointer(members);
    *ret_count = count;
    return 0;
}

int riad_catalog_apply_roster(struct riad_catalog *catalog, struct riad_reader *body)
{
    _cleanup_free_ struct riad_catalog_member *members = NULL;
    struct riad_catalog_workspace *workspace;
    struct riad_hash head;
    struct riad_id id;
    uint64_t entries;
    size_t count;
    int r;

    riad_get_id(body, &id);
    entries = riad_get_u64(body);
    riad_get_hash(body, &head);
    r = decode_members(body, &members, &count);
    if (r < 0) {
        return r;
    }
    workspace = find_live(catalog, &id);
    if (!workspace || entries <= workspace->roster_entries) {
        return -EBADMSG;
    }
    free(workspace->members);
    workspace->members = riad_take_pointer(members);
    workspace->member_count = count;
    workspace->roster_entries = entries;
    workspace->roster_head = head;
    return 0;
}

static int decode_name(
        struct riad_reader *body, struct riad_id *ret_id, char ret_name[RIAD_PROJECT_NAME_MAX + 1])
{
    const uint8_t *name;
    size_t size;
    int r;

    riad_get_id(body, ret_id);
    name = riad_get_b16(body, RIAD_PROJECT_NAME_MAX, &size);
    r = riad_reader_finish(body);
    if (r < 0) {
        return r;
    }
    memcpy(ret_name, name, size);
    ret_name[size] = '\0';
    return strlen(ret_name) == size && riad_catalog_is_user_name(ret_name) ? 0 : -EBADMSG;
}

int riad_catalog_apply_name(struct riad_catalog *catalog, struct riad_reader *body)
{
    char name[RIAD_PROJECT_NAME_MAX + 1];
    struct riad_catalog_workspace *workspace;
    struct riad_id id;
    int r = decode_name(body, &id, name);

    if (r < 0) {
        return r;
    }
    workspace = find_live(catalog, &id);
    if (!workspace || workspace->kind != RIAD_KIND_PROJECT || workspace->name[0] ||
            riad_catalog_find_project(catalog, name)) {
        return -EBADMSG;
    }
    memcpy(workspace->name, name, sizeof name);
    return 0;
}

const struct riad_catalog_workspace *riad_catalog_find_project(
        const struct riad_catalog *catalog, const char *name)
{
    for (size_t i = 0; i < catalog->workspace_count; i++) {
        const struct riad_catalog_workspace *workspace = &catalog->workspaces[i];

        if (!workspace->deleted && workspace->name[0] && strcmp(workspace->name, name) == 0) {
            return workspace;
        }
    }
    return NULL;
}

const struct riad_catalog_member *riad_catalog_find_member(
        const struct riad_catalog_workspace *workspace, const struct riad_id *user)
{
    for (size_t i = 0; i < workspace->member_count; i++) {
        if (riad_id_equal(&workspace->members[i].user, user)) {
            return &workspace->members[i];
        }
    }
    return NULL;
}
