/* The codec of site entries, and what they add up to (FORMAT 3.6). */
#include "riad/error.h"

#include "site_priv.h"

static bool is_name(const uint8_t *bytes, size_t size)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789.-_";

    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == 0 || !strchr(allowed, bytes[i])) {
            return false;
        }
    }
    return size >= 1 && size <= RIAD_NODE_NAME_MAX;
}

bool riad_site_is_node_name(const char *name)
{
    return is_name((const uint8_t *)name, strnlen(name, RIAD_NODE_NAME_MAX + 1));
}

static void encode_node(const struct riad_site_node *node, struct riad_writer *writer)
{
    riad_put_id(writer, &node->id);
    riad_put_b16(writer, node->name, strnlen(node->name, RIAD_NODE_NAME_MAX));
    riad_put_bytes(writer, node->wrap_key.bytes, sizeof node->wrap_key.bytes);
    riad_put_bytes(writer, node->sign_key.bytes, sizeof node->sign_key.bytes);
}

void riad_site_entry_encode(const struct riad_site_entry *entry, struct riad_writer *writer)
{
    riad_put_u64(writer, entry->number);
    riad_put_hash(writer, &entry->previous);
    riad_put_time(writer, entry->time);
    riad_put_u8(writer, (uint8_t)entry->kind);
    if (entry->kind == RIAD_SITE_CREATE) {
        riad_put_id(writer, &entry->root_user);
    }
    if (entry->kind == RIAD_SITE_NODE_REMOVE) {
        riad_put_id(writer, &entry->node.id);
        riad_put_u64(writer, entry->node.until.next_number);
        riad_put_hash(writer, &entry->node.until.head);
    } else {
        encode_node(&entry->node, writer);
    }
    riad_put_b32(writer, NULL, 0);
}

static void decode_node(struct riad_reader *reader, struct riad_site_node *ret)
{
    const uint8_t *name;
    size_t size;

    riad_get_id(reader, &ret->id);
    name = riad_get_b16(reader, RIAD_NODE_NAME_MAX, &size);
    if (!name || !is_name(name, size)) {
        riad_reader_refuse(reader);
        return;
    }
    memcpy(ret->name, name, size);
    riad_get_bytes(reader, ret->wrap_key.bytes, sizeof ret->wrap_key.bytes);
    riad_get_bytes(reader, ret->sign_key.bytes, sizeof ret->sign_key.bytes);
}

static void decode_by_kind(struct riad_reader *reader, struct riad_site_entry *ret)
{
    switch (ret->kind) {
    case RIAD_SITE_CREATE:
        riad_get_id(reader, &ret->root_user);
        decode_node(reader, &ret->node);
        break;
    case RIAD_SITE_NODE_ADD:
        decode_node(reader, &ret->node);
        break;
    case RIAD_SITE_NODE_REMOVE:
        riad_get_id(reader, &ret->node.id);
        ret->node.until.next_number = riad_get_u64(reader);
        riad_get_hash(reader, &ret->node.until.head);
        break;
    default:
        riad_reader_refuse(reader);
    }
}

int riad_site_entry_decode(const uint8_t *body, size_t size, struct riad_site_entry *ret)
{
    struct riad_site_entry entry = { 0 };
    struct riad_reader reader;
    int r;

    riad_reader_init(&reader, body, size);
    entry.number = riad_get_u64(&reader);
    riad_get_hash(&reader, &entry.previous);
    entry.time = riad_get_time(&reader);
    entry.kind = riad_get_u8(&reader);
    decode_by_kind(&reader, &entry);
    riad_get_extensions(&reader);
    r = riad_reader_finish(&reader);
    if (r < 0) {
        return r;
    }
    entry.node.added = entry.time;
    *ret = entry;
    return 0;
}

/* Keys and ids are never used twice: a removed node's name is free again, and nothing else of it.
 */
static bool collides(const struct riad_site_node *a, const struct riad_site_node *b)
{
    return riad_id_equal(&a->id, &b->id) ||
           memcmp(&a->sign_key, &b->sign_key, sizeof a->sign_key) == 0 ||
           (!a->removed && strcmp(a->name, b->name) == 0);
}

static int add_node(struct riad_site *site, const struct riad_site_node *node)
{
    struct riad_site_node *grown;

    for (size_t i = 0; i < site->node_count; i++) {
        if (collides(&site->nodes[i], node)) {
            return -EEXIST;
        }
    }
    if (site->node_count == RIAD_SITE_NODES_MAX ||
            memcmp(&node->sign_key, &site->root, sizeof site->root) == 0) { /* F8 */
        return -EEXIST;
    }
    grown = reallocarray(site->nodes, site->node_count + 1, sizeof *grown);
    if (!grown) {
        return -ENOMEM;
    }
    site->nodes = grown;
    grown[site->node_count++] = *node;
    return 0;
}

static int remove_node(struct riad_site *site, const struct riad_site_node *removal)
{
    struct riad_site_node *node = NULL;
    size_t live = 0;

    for (size_t i = 0; i < site->node_count; i++) {
        live += !site->nodes[i].removed;
        if (riad_id_equal(&site->nodes[i].id, &removal->id)) {
            node = &site->nodes[i];
        }
    }
    if (!node) {
        return -ENOENT;
    }
    if (node->removed && removal->until.next_number < node->until.next_number) {
        return -EINVAL;
    }
    if (!node->removed && live == 1) {
        return -EBUSY;
    }
    node->removed = true;
    node->until = removal->until;
    return 0;
}

int riad_site_take(struct riad_site *site, const struct riad_site_entry *entry)
{
    if (entry->kind == RIAD_SITE_NODE_REMOVE) {
        return remove_node(site, &entry->node);
    }
    if (entry->kind == RIAD_SITE_CREATE) {
        site->root_user = entry->root_user;
    }
    return add_node(site, &entry->node);
}

int riad_site_apply(
        struct riad_site *site, const uint8_t *body, size_t size, const struct riad_hash *hash)
{
    const struct riad_chain_end last = riad_chain_last(&site->ends);
    struct riad_site_entry entry;
    struct riad_chain_end end;
    int r;

    r = riad_site_entry_decode(body, size, &entry);
    if (r < 0) {
        return r;
    }
    if (entry.number != last.next_number || !riad_hash_equal(&entry.previous, &last.head) ||
            (entry.kind == RIAD_SITE_CREATE) != (entry.number == 0)) {
        return -EBADMSG;
    }
    r = riad_site_take(site, &entry);
    if (r < 0) {
        return r == -ENOMEM ? r : -EBADMSG;
    }
    end = (struct riad_chain_end){ entry.number + 1, *hash };
    return riad_chain_add(&site->ends, &end);
}
