/* P4, P6: an operation that the store refuses has not taken place, and the next one does. */
#include <errno.h>
#include <linux/falloc.h>

#include "faults.h"
#include "lifecycle_priv.h"
#include "operations.h"

enum { BIG = 200000 };

struct scene {
    struct riad_workspace *workspace;
    uint64_t file, directory;
};

static int try_create(const struct scene *scene)
{
    struct riad_inode row;
    int r = riad_mknod(scene->workspace, &alice, 1, "new", S_IFREG | 0600, 0, &row);

    if (r == 0) {
        riad_forget(scene->workspace, row.inode, 1);
    }
    return r;
}

static int try_small_write(const struct scene *scene)
{
    uint32_t size;

    return riad_write(scene->workspace, &alice, scene->file, 100, (const uint8_t *)"x", 1, &size);
}

static int try_bulk_write(const struct scene *scene)
{
    uint8_t *data = calloc(1, BIG);
    uint32_t size;
    int r = riad_write(scene->workspace, &alice, scene->file, 0, data, BIG, &size);

    free(data);
    return r;
}

static int try_truncate(const struct scene *scene)
{
    return set_size(scene->workspace, scene->file, 5);
}

static int try_punch(const struct scene *scene)
{
    return riad_fallocate(scene->workspace, &alice, scene->file,
            FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 2);
}

static int try_rename(const struct scene *scene)
{
    return riad_rename(scene->workspace, &alice, 1, "file", scene->directory, "moved", 0);
}

static int try_link(const struct scene *scene)
{
    struct riad_inode row;
    int r = riad_link(scene->workspace, &alice, scene->file, 1, "second", &row);

    if (r == 0) {
        riad_forget(scene->workspace, scene->file, 1);
    }
    return r;
}

static int try_xattr(const struct scene *scene)
{
    return riad_setxattr(scene->workspace, &alice, scene->file, "user.x", "x", 1, 0);
}

static int try_unlink(const struct scene *scene)
{
    return riad_unlink(scene->workspace, &alice, 1, "second");
}

static int try_rmdir(const struct scene *scene)
{
    return riad_rmdir(scene->workspace, &alice, 1, "empty");
}

static uint64_t references(const struct scene *scene)
{
    struct riad_workspace_status status;

    assert_int_equal(riad_workspace_status(scene->workspace, &status), 0);
    return status.references;
}

/* Refused, then without a trace; then done. */
static void check_refusal(const struct scene *scene, int (*operation)(const struct scene *))
{
    struct riad_inode file = attributes(scene->workspace, scene->file);
    struct riad_inode root = attributes(scene->workspace, 1);
    struct riad_usage usage = usage_of(scene->workspace);
    uint64_t held = references(scene);
    int r;

    assert_int_equal(riad_fsync(scene->workspace, 1), 0); /* so that no thread has to sync now */
    faults_fail_from(FAULT_ANY, 1, ENOSPC);
    r = operation(scene);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(r, -ENOSPC);
    assert_int_equal(attributes(scene->workspace, scene->file).version, file.version);
    assert_int_equal(attributes(scene->workspace, 1).version, root.version);
    assert_int_equal(usage_of(scene->workspace).blocks, usage.blocks);
    assert_int_equal(usage_of(scene->workspace).inodes, usage.inodes);
    assert_int_equal(references(scene), held);
    assert_int_equal(operation(scene), 0);
    assert_int_equal(references(scene), held);
}

static void what_the_store_refuses_has_not_happened(void **state)
{
    struct bench *bench = *state;
    struct scene scene = { .workspace = bench->workspace };

    scene.file = make_file(scene.workspace, 1, "file");
    scene.directory = make_directory(scene.workspace, 1, "directory");
    make_directory(scene.workspace, 1, "empty");
    write_fill(scene.workspace, scene.file, 0, 'a', 10000);
    check_refusal(&scene, try_create);
    check_refusal(&scene, try_small_write);
    check_refusal(&scene, try_bulk_write);
    check_refusal(&scene, try_truncate);
    check_refusal(&scene, try_punch);
    check_refusal(&scene, try_xattr);
    check_refusal(&scene, try_link);
    check_refusal(&scene, try_unlink);
    check_refusal(&scene, try_rename);
    check_refusal(&scene, try_rmdir);
    bench_reopen(bench);
    assert_int_equal(attributes(bench->workspace, scene.file).size, 5);
    assert_int_equal(inode_of(bench->workspace, scene.directory, "moved"), scene.file);
}

/* What cannot be read where an extent says may have moved meanwhile: extents are looked up again.
 */
static void a_read_is_tried_again(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    uint8_t data[100];
    uint32_t size = 0;
    unsigned tries;

    write_fill(bench->workspace, file, 0, 'a', 100);
    faults_install();
    faults_fail_from(FAULT_PREAD, 1, EIO);
    assert_int_equal(riad_read(bench->workspace, file, 0, 100, data, &size), -EIO);
    tries = faults_count(FAULT_PREAD);
    assert_true(tries >= 4); /* each try is two in the layer below */
    faults_set(FAULT_PREAD, 1, tries - 1, EIO);
    assert_int_equal(riad_read(bench->workspace, file, 0, 100, data, &size), 0);
    faults_remove();
    assert_int_equal(size, 100);
    assert_int_equal(data[99], 'a');
}

/* As the background thread would after measuring a full store; it may measure again in between, so
 * a few tries are allowed. */
static int on_a_full_store(const struct scene *scene, int (*operation)(const struct scene *))
{
    int r = 0;

    for (int i = 0; i < 5 && r == 0; i++) {
        pthread_mutex_lock(&scene->workspace->mutation);
        scene->workspace->store_blocks_free = scene->workspace->store_reserve - 1;
        pthread_mutex_unlock(&scene->workspace->mutation);
        r = operation(scene);
    }
    return r;
}

static int try_unlink_file(const struct scene *scene)
{
    return riad_unlink(scene->workspace, &alice, 1, "file");
}

/* P6: on a store with nothing left but the reserve, overwriting is refused and deleting works. */
static void the_reserve_is_kept_for_deleting(void **state)
{
    struct bench *bench = *state;
    struct scene scene = { .workspace = bench->workspace };

    scene.file = make_file(scene.workspace, 1, "file");
    write_fill(scene.workspace, scene.file, 0, 'a', BIG);
    assert_int_equal(on_a_full_store(&scene, try_small_write), -ENOSPC);
    assert_int_equal(on_a_full_store(&scene, try_bulk_write), -ENOSPC);
    assert_int_equal(on_a_full_store(&scene, try_create), -ENOSPC);
    assert_filled(scene.workspace, scene.file, 0, 'a', BIG);
    pthread_mutex_lock(&scene.workspace->mutation);
    scene.workspace->store_blocks_free = scene.workspace->store_reserve - 1;
    pthread_mutex_unlock(&scene.workspace->mutation);
    assert_int_equal(try_truncate(&scene), 0);
    assert_int_equal(try_unlink_file(&scene), 0);
}

/* A store that is written to at once hears of every change, and can refuse it. */
static int setup_direct(void **state)
{
    faults_install();
    faults.unreserved = EPERM;
    return bench_setup(state);
}

static int teardown_direct(void **state)
{
    int r = bench_teardown(state);

    faults_remove();
    return r;
}

#define DIRECT(function) cmocka_unit_test_setup_teardown(function, setup_direct, teardown_direct)
#define BENCH(function) cmocka_unit_test_setup_teardown(function, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(a_read_is_tried_again),
        DIRECT(what_the_store_refuses_has_not_happened),
        BENCH(the_reserve_is_kept_for_deleting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
