/* Changes of the term that a salvage begins: to its rows and to its log. */
#include "riad/log.h"

#include "repair_priv.h"

void riad_repair_change(struct riad_repair *repair)
{
    riad_change_begin(&repair->change, riad_clock_now(), 0);
}

static int apply(struct riad_repair *repair, const struct riad_reader *operations)
{
    struct riad_index *index = repair->work.index;
    int r = riad_index_apply(index, operations, &repair->base, 0);

    if (r == 0 && riad_index_pending(index) >= RIAD_BATCH_MAX) {
        r = riad_index_commit(index);
    }
    if (r != -EBADMSG) {
        return r < 0 ? r : 1;
    }
    r = riad_index_commit(index); /* so that it need not be applied again after the next refusal */
    return r < 0 ? r : 0;
}

static int append(struct riad_repair *repair, const uint8_t *content, size_t size)
{
    struct riad_place place;
    int r = riad_log_place(repair->log, 0, &place);

    if (r == 0) {
        r = riad_log_append(repair->log, NULL, content, size, &repair->end, &repair->start);
    }
    return r;
}

int riad_repair_append(struct riad_repair *repair)
{
    int r;

    riad_writer_reset(&repair->content);
    r = riad_change_content(&repair->change, &repair->content);
    return r < 0 ? r : append(repair, repair->content.data, repair->content.size);
}

int riad_repair_emit(struct riad_repair *repair)
{
    const struct riad_writer *built = &repair->change.operations;
    struct riad_reader operations;
    int r = built->error;

    if (r < 0) {
        return r == -EINVAL ? 0 : r;
    }
    riad_reader_init(&operations, built->data, built->size);
    r = apply(repair, &operations);
    if (r <= 0) {
        return r;
    }
    r = riad_repair_append(repair);
    return r < 0 ? r : 1;
}

int riad_repair_repeat(struct riad_repair *repair, const uint8_t *content, size_t size)
{
    struct riad_reader operations;
    struct timespec time;
    uint64_t request;
    uint32_t count;
    int r = riad_change_parse(content, size, &time, &request, &count, &operations);

    if (r == 0) {
        r = apply(repair, &operations);
    }
    if (r <= 0) {
        return r == -EBADMSG ? 0 : r;
    }
    r = append(repair, content, size);
    return r < 0 ? r : 1;
}

/* What this node knew to be durable may lie on what is left out now. */
static int begin_mark(struct riad_repair *repair)
{
    const struct riad_mark mark = { repair->end, repair->start };
    _cleanup_close_ int fd = riad_mark_open(repair->fsck.config->state_fd);

    return fd < 0 ? fd : riad_mark_write(fd, &mark);
}

int riad_repair_claim(struct riad_repair *repair)
{
    int r = riad_log_sync(repair->log);

    if (r >= 0) {
        r = riad_index_commit(repair->work.index);
    }
    if (r >= 0) {
        r = riad_ownership_publish(&repair->work);
    }
    if (r >= 0) {
        riad_salvage_end(repair->fsck.config);
        r = begin_mark(repair);
    }
    return r < 0 ? r : riad_index_discard(repair->fsck.config->state_path);
}
