/* One term's file: its body, claiming it, and whether it is still the highest (O1, O2, FORMAT 3.4).
 */
#include "riad/term.h"

#include <fcntl.h>
#include <stdio.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/sysops.h"

#include "term_priv.h"

enum { BODY_MAX = 512 };

void riad_term_name(uint32_t number, char ret[RIAD_TERM_NAME_SIZE])
{
    snprintf(ret, RIAD_TERM_NAME_SIZE, "%08x", number);
}

static void encode_body(const struct riad_term *term, struct riad_writer *writer)
{
    riad_put_id(writer, &term->workspace);
    riad_put_u32(writer, term->number);
    riad_put_u32(writer, term->previous);
    riad_put_id(writer, &term->node);
    riad_put_id(writer, &term->boot);
    riad_put_end(writer, &term->end);
    riad_put_hash(writer, &term->roster_head);
    riad_put_u32(writer, term->epoch);
    riad_put_time(writer, term->time);
    riad_put_b32(writer, NULL, 0); /* extensions */
}

static int decode_body(const uint8_t *body, size_t size, struct riad_term *ret)
{
    struct riad_reader reader;
    struct riad_term term;

    riad_reader_init(&reader, body, size);
    riad_get_id(&reader, &term.workspace);
    term.number = riad_get_u32(&reader);
    term.previous = riad_get_u32(&reader);
    riad_get_id(&reader, &term.node);
    riad_get_id(&reader, &term.boot);
    riad_get_end(&reader, &term.end);
    riad_get_hash(&reader, &term.roster_head);
    term.epoch = riad_get_u32(&reader);
    term.time = riad_get_time(&reader);
    riad_get_extensions(&reader);
    if (riad_reader_finish(&reader) < 0 || term.number == 0 || term.previous >= term.number) {
        return -EBADMSG;
    }
    *ret = term;
    return 0;
}

/* signed_as: the number that the signer must be allowed to sign. */
static int read_signed(int directory, const struct riad_store_binding *binding,
        struct riad_signers *signers, const struct riad_id *workspace, uint32_t number,
        uint64_t signed_as, struct riad_term *ret)
{
    _cleanup_free_ uint8_t *data = NULL;
    char name[RIAD_TERM_NAME_SIZE];
    struct riad_term term;
    const uint8_t *body;
    size_t size, body_size;
    int r;

    riad_term_name(number, name);
    r = riad_read_file_at(directory, name, RIAD_ENVELOPE_MAX, &data, &size);
    if (r == -EFBIG || r == -EMEDIUMTYPE || r == -EISDIR) {
        return -EBADMSG;
    }
    if (r < 0) {
        return r;
    }
    r = riad_signers_verify(
            signers, RIAD_ENVELOPE_TERM, binding, signed_as, data, size, &body, &body_size);
    if (r == 0) {
        r = decode_body(body, body_size, &term);
    }
    if (r < 0) {
        return r;
    }
    if (term.number != number || !riad_id_equal(&term.workspace, workspace)) {
        return -EBADMSG;
    }
    *ret = term;
    return 0;
}

int riad_term_read(int directory, const struct riad_store_binding *binding,
        struct riad_signers *signers, const struct riad_id *workspace, uint32_t number,
        struct riad_term *ret)
{
    return read_signed(directory, binding, signers, workspace, number, number, ret);
}

int riad_term_is_whole(int workspace_fd, const struct riad_store_binding *binding,
        struct riad_signers *signers, const struct riad_id *workspace, uint32_t number)
{
    _cleanup_close_ int directory = riad_open_dir_at(workspace_fd, "term");
    struct riad_term term;
    int r;

    if (directory < 0) {
        return directory;
    }
    r = read_signed(directory, binding, signers, workspace, number, 0, &term);
    return r == 0 ? 1 : r == -EBADMSG || r == -ENOENT ? 0 : r;
}

int riad_term_claim(int workspace_fd, const struct riad_store_binding *binding,
        const struct riad_keypair *signer, const struct riad_term *term)
{
    _cleanup_(riad_writer_done) struct riad_writer envelope = { 0 };
    _cleanup_close_ int directory = -1;
    uint8_t bytes[BODY_MAX];
    struct riad_writer body;
    char name[RIAD_TERM_NAME_SIZE];
    int r;

    riad_writer_init_fixed(&body, bytes, sizeof bytes);
    encode_body(term, &body);
    if (body.error) {
        return body.error;
    }
    if (term->number == 0 || term->previous >= term->number) {
        return -EINVAL;
    }
    riad_writer_init_growing(&envelope, 2 * BODY_MAX, RIAD_ENVELOPE_MAX);
    r = riad_envelope_sign(RIAD_ENVELOPE_TERM, binding, signer, bytes, body.size, &envelope);
    if (r < 0) {
        return r;
    }
    directory = riad_open_dir_at(workspace_fd, "term");
    if (directory < 0) {
        return directory;
    }
    riad_term_name(term->number, name);
    return riad_publish_file_at(directory, name, envelope.data, envelope.size, RIAD_PUBLISH_NEW);
}

/* Something bears the next number: whether any term above ours verifies. */
static int find_higher(int workspace_fd, const struct riad_store_binding *binding,
        struct riad_signers *signers, const struct riad_id *workspace, uint32_t term)
{
    struct riad_history history;
    uint32_t highest;
    int r;

    r = riad_history_load(workspace_fd, binding, signers, workspace, &history);
    if (r < 0) {
        return r;
    }
    highest = history.count > 0 ? history.terms[history.count - 1].number : 0;
    riad_history_done(&history);
    return highest > term ? -ESTALE : 0;
}

/* The directory is opened anew each time: that makes a network file system ask its server, where a
 * mere stat could be answered from a remembered "no such file". */
int riad_term_check(int workspace_fd, const struct riad_store_binding *binding,
        struct riad_signers *signers, const struct riad_id *workspace, uint32_t term)
{
    _cleanup_close_ int directory = riad_open_dir_at(workspace_fd, "term");
    char name[RIAD_TERM_NAME_SIZE];
    struct stat st;

    if (directory < 0) {
        return directory;
    }
    if (term == UINT32_MAX) {
        return 0;
    }
    riad_term_name(term + 1, name);
    if (riad_sys->fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        return find_higher(workspace_fd, binding, signers, workspace, term);
    }
    return errno == ENOENT ? 0 : -errno;
}
