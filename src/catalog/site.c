/* The site: reading its chain, adding to it, and the catalog that its nodes sign. */
#include "riad/cleanup.h"
#include "riad/error.h"

#include "site_priv.h"

enum { TRIES_MAX = 1000 };

static int apply(void *context, const uint8_t *body, size_t size, const struct riad_hash *hash)
{
    return riad_site_apply(context, body, size, hash);
}

static struct riad_chain chain_of(const struct riad_store *store, const struct riad_signer *root)
{
    return (struct riad_chain){ store, "site", RIAD_ENVELOPE_SITE, "riad/v1/site", root, 1 };
}

static int catch_up(const struct riad_store *store, struct riad_site *site)
{
    const struct riad_signer root = riad_signer_always(&site->root);
    const struct riad_chain chain = chain_of(store, &root);

    return riad_chain_catch_up(&chain, &site->ends, apply, site);
}

void riad_site_done(struct riad_site *site)
{
    free(site->nodes);
    free(site->ends.items);
    *site = (struct riad_site){ 0 };
}

int riad_site_load(
        const struct riad_store *store, const struct riad_public_key *root, struct riad_site *ret)
{
    _cleanup_(riad_site_done) struct riad_site site = { .root = *root };
    int r;

    r = catch_up(store, &site);
    if (r < 0) {
        return r;
    }
    if (site.ends.count == 0) {
        return -ENOENT;
    }
    *ret = site;
    site = (struct riad_site){ 0 };
    return 0;
}

const struct riad_site_node *riad_site_find(const struct riad_site *site, const char *name)
{
    const struct riad_site_node *found = NULL;

    for (size_t i = 0; i < site->node_count; i++) {
        if (strcmp(site->nodes[i].name, name) == 0) {
            found = &site->nodes[i]; /* one that was not removed comes last */
        }
    }
    return found;
}

const struct riad_site_node *riad_site_find_key(
        const struct riad_site *site, const struct riad_public_key *sign_key)
{
    for (size_t i = 0; i < site->node_count; i++) {
        if (!site->nodes[i].removed &&
                memcmp(&site->nodes[i].sign_key, sign_key, sizeof *sign_key) == 0) {
            return &site->nodes[i];
        }
    }
    return NULL;
}

/* Signs the entry as the one that follows, and publishes it. -EEXIST: somebody was faster. */
static int publish(const struct riad_store *store, const struct riad_keypair *root_keys,
        const struct riad_site *site, const struct riad_site_entry *addition)
{
    const struct riad_signer root = riad_signer_always(&site->root);
    const struct riad_chain chain = chain_of(store, &root);
    const struct riad_chain_end last = riad_chain_last(&site->ends);
    _cleanup_(riad_writer_done) struct riad_writer body = { 0 };
    struct riad_site_entry entry = *addition;

    entry.number = last.next_number;
    entry.previous = last.head;
    if (clock_gettime(CLOCK_REALTIME, &entry.time) < 0) {
        return -errno;
    }
    riad_writer_init_growing(&body, 512, RIAD_ENVELOPE_BODY_MAX);
    riad_site_entry_encode(&entry, &body);
    if (body.error < 0) {
        return body.error;
    }
    return riad_chain_publish(&chain, root_keys, entry.number, body.data, body.size);
}

int riad_site_create(const struct riad_store *store, const struct riad_user *root,
        const struct riad_keypair *root_keys, const struct riad_site_node *node)
{
    const struct riad_site empty = { .root = root_keys->sign_key };
    const struct riad_site_entry entry = {
        .kind = RIAD_SITE_CREATE, .root_user = root->id, .node = *node
    };

    if (store->read_only) {
        return -EROFS;
    }
    if (!riad_site_is_node_name(node->name)) {
        return -EINVAL;
    }
    return publish(store, root_keys, &empty, &entry);
}

static int copy_site(const struct riad_site *site, struct riad_site *copy)
{
    copy->root = site->root;
    copy->root_user = site->root_user;
    copy->nodes = reallocarray(NULL, site->node_count, sizeof *site->nodes);
    copy->ends.items = reallocarray(NULL, site->ends.count, sizeof *site->ends.items);
    if (!copy->nodes || !copy->ends.items) {
        return -ENOMEM;
    }
    memcpy(copy->nodes, site->nodes, site->node_count * sizeof *site->nodes);
    copy->node_count = site->node_count;
    memcpy(copy->ends.items, site->ends.items, site->ends.count * sizeof *site->ends.items);
    copy->ends.count = site->ends.count;
    return 0;
}

/* What all who read it would refuse is refused before it is written. */
static int check_addition(const struct riad_site *site, const struct riad_site_entry *entry)
{
    _cleanup_(riad_site_done) struct riad_site probe = { 0 };
    int r = copy_site(site, &probe);

    return r < 0 ? r : riad_site_take(&probe, entry);
}

/* Works on a copy, so that a failure leaves the caller's site as it was. Its last catch-up reads
 * back what was published, through the same code as everybody else's. */
static int append(const struct riad_store *store, const struct riad_keypair *root_keys,
        struct riad_site *site, const struct riad_site_entry *entry)
{
    _cleanup_(riad_site_done) struct riad_site copy = { 0 };
    int r = copy_site(site, &copy), published = -EEXIST;

    for (unsigned tries = 0; r == 0 && published == -EEXIST && tries < TRIES_MAX; tries++) {
        r = catch_up(store, &copy);
        r = r < 0 ? r : check_addition(&copy, entry);
        published = r < 0 ? r : publish(store, root_keys, &copy, entry);
    }
    if (r < 0 || published < 0) {
        return r < 0 ? r : published == -EEXIST ? -EAGAIN : published;
    }
    r = catch_up(store, &copy);
    if (r < 0) {
        return r;
    }
    riad_site_done(site);
    *site = copy;
    copy = (struct riad_site){ 0 };
    return 0;
}

int riad_site_add_node(const struct riad_store *store, const struct riad_keypair *root_keys,
        struct riad_site *site, const struct riad_site_node *node)
{
    const struct riad_site_entry entry = { .kind = RIAD_SITE_NODE_ADD, .node = *node };

    if (store->read_only) {
        return -EROFS;
    }
    if (!riad_site_is_node_name(node->name)) {
        return -EINVAL;
    }
    return append(store, root_keys, site, &entry);
}

int riad_site_remove_node(const struct riad_store *store, const struct riad_keypair *root_keys,
        struct riad_site *site, const struct riad_id *node, const struct riad_chain_end *until)
{
    const struct riad_site_entry entry = { .kind = RIAD_SITE_NODE_REMOVE,
        .node = { .id = *node, .until = *until } };

    if (store->read_only) {
        return -EROFS;
    }
    return append(store, root_keys, site, &entry);
}

int riad_site_signers(const struct riad_site *site, bool bounded, struct riad_signer **ret)
{
    struct riad_signer *signers = reallocarray(NULL, site->node_count + 1, sizeof *signers);

    if (!signers) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < site->node_count; i++) {
        signers[i] = riad_signer_always(&site->nodes[i].sign_key);
        if (bounded && site->nodes[i].removed) {
            signers[i].until = site->nodes[i].until.next_number;
        }
    }
    *ret = signers;
    return 0;
}

int riad_site_load_catalog(
        const struct riad_store *store, const struct riad_site *site, struct riad_catalog *ret)
{
    _cleanup_free_ struct riad_signer *signers = NULL;
    _cleanup_(riad_catalog_done) struct riad_catalog catalog = { 0 };
    int r;

    r = riad_site_signers(site, true, &signers);
    if (r < 0) {
        return r;
    }
    r = riad_catalog_load(store, signers, site->node_count, &catalog);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < site->node_count; i++) {
        if (site->nodes[i].removed && !riad_chain_passes(&catalog.ends, &site->nodes[i].until)) {
            return -EBADMSG;
        }
    }
    *ret = catalog;
    catalog = (struct riad_catalog){ 0 };
    return 0;
}

int riad_site_check_mark(const struct riad_site *site, int state_fd)
{
    return riad_chain_check_mark(&site->ends, "site-mark", state_fd);
}
