/* Making a workspace: root key, the owner's wrap, the first roster entry. */
#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"
#include "riad/roster.h"

#include "label_priv.h"
#include "roster_priv.h"

int riad_roster_seal_name(
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
static int fill_entry(const struct riad_id *id, enum riad_workspace_kind kind, const char *name,
        const struct riad_user *owner, const struct riad_secret *root,
        struct riad_roster_entry *ret)
{
    struct riad_roster_entry entry = {
        .workspace = *id,
        .kind = RIAD_ROSTER_CREATE,
        .workspace_kind = kind,
        .epoch = 1,
        .member = { .user = owner->id,
                .role = RIAD_ROLE_MANAGER,
                .wrap_key = owner->wrap_key,
                .sign_key = owner->sign_key },
    };
    int r;

    if (clock_gettime(CLOCK_REALTIME, &entry.time) < 0) {
        return -errno;
    }
    r = riad_keys_commitment(&entry.workspace, root, &entry.commitment);
    if (r < 0) {
        return r;
    }
    r = riad_roster_seal_name(root, name, &entry);
    if (r < 0) {
        return r;
    }
    *ret = entry;
    return 0;
}

/* The wrap, and the roster that has its hash. */
static int encode_draft(const struct riad_store_binding *binding, const struct riad_keypair *keys,
        struct riad_roster_entry *entry, struct riad_workspace_draft *draft)
{
    const struct riad_wrap_scope scope = { binding->store, entry->workspace, entry->epoch };
    struct riad_hash head;
    int r;

    r = riad_wrap_seal(&scope, &entry->member.wrap_key, draft->root, draft->wrap);
    if (r < 0) {
        return r;
    }
    r = riad_wrap_hash(draft->wrap, sizeof draft->wrap, &entry->member.wrap_hash);
    if (r < 0) {
        return r;
    }
    riad_writer_init_growing(&draft->roster, 2048, RIAD_ROSTER_FILE_MAX);
    return riad_roster_entry_sign(entry, binding, keys, &draft->roster, &head);
}

static int choose_id(const struct riad_id *wanted, struct riad_id *ret)
{
    if (!wanted) {
        return riad_random_id(ret);
    }
    *ret = *wanted;
    return 0;
}

int riad_roster_draft(const struct riad_store_binding *binding, const struct riad_id *id,
        enum riad_workspace_kind kind, const char *name, const struct riad_user *owner,
        const struct riad_keypair *keys, struct riad_workspace_draft *ret)
{
    _cleanup_(riad_workspace_draft_done) struct riad_workspace_draft draft = { 0 };
    struct riad_roster_entry entry;
    int r;

    if (kind != RIAD_KIND_HOME && kind != RIAD_KIND_PROJECT) {
        return -EINVAL;
    }
    r = choose_id(id, &draft.id);
    if (r < 0) {
        return r;
    }
    r = riad_secret_new_random(RIAD_ROOT_SIZE, &draft.root);
    if (r < 0) {
        return r;
    }
    r = fill_entry(&draft.id, kind, name, owner, draft.root, &entry);
    if (r < 0) {
        return r;
    }
    r = encode_draft(binding, keys, &entry, &draft);
    if (r < 0) {
        return r;
    }
    *ret = draft;
    draft = (struct riad_workspace_draft){ 0 };
    return 0;
}

void riad_workspace_draft_done(struct riad_workspace_draft *draft)
{
    riad_secret_free(draft->root);
    draft->root = NULL;
    riad_writer_done(&draft->roster);
}

int riad_roster_check_wrap(const struct riad_member *member, const void *wrap, size_t size)
{
    struct riad_hash hash;
    int r;

    r = riad_wrap_hash(wrap, size, &hash);
    if (r < 0) {
        return r;
    }
    return riad_hash_equal(&hash, &member->wrap_hash) ? 0 : -EBADMSG;
}

int riad_roster_create(const struct riad_store *store, enum riad_workspace_kind kind,
        const char *name, const struct riad_user *owner, const struct riad_keypair *keys,
        struct riad_id *ret_workspace)
{
    _cleanup_(riad_workspace_draft_done) struct riad_workspace_draft draft = { 0 };
    int r;

    if (store->read_only) {
        return -EROFS;
    }
    r = riad_roster_draft(&store->binding, NULL, kind, name, owner, keys, &draft);
    if (r < 0) {
        return r;
    }
    r = riad_roster_publish(store, &draft.id, &owner->id, draft.wrap, sizeof draft.wrap,
            draft.roster.data, draft.roster.size);
    if (r < 0) {
        return r;
    }
    *ret_workspace = draft.id;
    return 0;
}
