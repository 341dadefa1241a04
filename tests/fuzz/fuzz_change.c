/* The content of changes (FORMAT 5.3): header and operations, as replay reads them. */
#include "riad/change.h"

#include "fuzz.h"

static struct fuzz_model model;

static void make_model(void)
{
    const struct riad_inode inode = { .inode = 2, .generation = 1, .mode = 0100644, .nlink = 1 };
    struct riad_change change = { 0 };
    struct riad_writer writer;

    riad_change_begin(&change, (struct timespec){ 1, 2 }, 3);
    riad_change_put_inode(&change, &inode);
    riad_change_put_xattr(&change, 2, "user.name", "value", 5);
    riad_change_clear_extents(&change, 2, 0, 4096);
    riad_change_put_symlink(&change, 2, "target");
    riad_change_put_workspace(&change, 3);
    riad_writer_init_fixed(&writer, model.data, sizeof model.data);
    FUZZ_ASSERT(riad_change_content(&change, &writer) == 0);
    model.size = writer.size;
    riad_change_done(&change);
}

static bool is_inside(const struct fuzz_bytes *bytes, const uint8_t *data, size_t size)
{
    return size == 0 || (data >= bytes->data && data + size <= bytes->data + bytes->size);
}

/* Every operation ends; what it borrows lies in the change. */
static void read_operations(
        const struct fuzz_bytes *bytes, struct riad_reader operations, uint32_t count)
{
    struct riad_operation operation;
    size_t left = operations.left;
    uint32_t read = 0;
    int r;

    while ((r = riad_operation_next(&operations, &operation)) > 0) {
        FUZZ_ASSERT(operations.left < left && ++read <= count);
        left = operations.left;
        if (operation.kind == RIAD_OP_XATTR_PUT || operation.kind == RIAD_OP_SYMLINK_PUT) {
            FUZZ_ASSERT(is_inside(bytes, operation.value, operation.value_size));
        }
        if (operation.kind == RIAD_OP_XATTR_PUT || operation.kind == RIAD_OP_XATTR_REMOVE) {
            FUZZ_ASSERT(is_inside(bytes, operation.name, operation.name_size));
        }
    }
    FUZZ_ASSERT(r == 0 || r == -EBADMSG);
    FUZZ_ASSERT(r < 0 || operations.left == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_fuzz_ struct fuzz_bytes bytes = { 0 };
    struct riad_reader operations;
    struct timespec time;
    uint64_t request;
    uint32_t count;
    int r;

    if (model.size == 0) {
        make_model();
    }
    if (!fuzz_take(data, size, &model, &bytes)) {
        return 0;
    }
    r = riad_change_parse(bytes.data, bytes.size, &time, &request, &count, &operations);
    FUZZ_ASSERT(r == 0 || (r == -EBADMSG && !fuzz_is_model(&bytes, &model)));
    if (r == 0) {
        read_operations(&bytes, operations, count);
    }
    return 0;
}
