/* For the tests of the lifecycle: the rows of a workspace as one value, files of its store, and
 * processes that die. */
#ifndef RIAD_TESTS_CORE_ROWS_H
#define RIAD_TESTS_CORE_ROWS_H

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>

#include "lifecycle_priv.h"
#include "operations.h"

/* The rows, whatever their order. */
struct rows {
    uint64_t sum[4];
    uint64_t count;
    uint64_t next_inode;
    struct riad_usage usage;
};

static inline int rows_add(void *context, const uint8_t *operation, size_t size)
{
    struct rows *rows = context;
    const struct riad_piece piece = { operation, size };
    struct riad_hash hash;
    uint64_t words[4];

    assert_int_equal(riad_sha256(&piece, 1, &hash), 0);
    memcpy(words, &hash, sizeof words);
    for (int i = 0; i < 4; i++) {
        rows->sum[i] += words[i];
    }
    rows->count++;
    return 0;
}

static inline struct rows rows_of(struct riad_workspace *workspace)
{
    struct riad_snapshot *snapshot = NULL;
    struct rows rows = { 0 };

    assert_int_equal(riad_workspace_lock(workspace), 0);
    assert_int_equal(riad_index_commit(workspace->index), 0);
    assert_int_equal(riad_snapshot_take(workspace->index, &snapshot), 0);
    riad_index_usage(workspace->index, &rows.usage);
    rows.next_inode = riad_index_next_inode(workspace->index);
    riad_workspace_unlock(workspace);
    assert_int_equal(riad_snapshot_rows(snapshot, rows_add, &rows), 0);
    riad_snapshot_free(snapshot);
    return rows;
}

static inline void assert_same_rows(const struct rows *a, const struct rows *b)
{
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->sum, b->sum, sizeof a->sum);
    assert_int_equal(a->next_inode, b->next_inode);
    assert_memory_equal(&a->usage, &b->usage, sizeof a->usage);
}

/* Some of everything: folders, small and large files, links, xattrs, an unlinked file. */
static inline void populate(struct riad_workspace *workspace, const char *prefix)
{
    struct riad_inode row;
    char name[64];
    uint64_t folder = make_directory(workspace, RIAD_ROOT_INODE, prefix);
    uint64_t file = 0;

    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "%s-%d", prefix, i);
        file = make_file(workspace, folder, name);
        write_fill(workspace, file, (uint64_t)i * 1000, 'a' + i % 26, 3000);
    }
    file = make_file(workspace, folder, "large");
    write_fill(workspace, file, 0, 'L', 2500000);
    assert_int_equal(riad_setxattr(workspace, &alice, file, "user.garden", "roses", 5, 0), 0);
    assert_int_equal(riad_symlink(workspace, &alice, folder, "way", "large", &row), 0);
    assert_int_equal(riad_link(workspace, &alice, file, folder, "again", &row), 0);
    snprintf(name, sizeof name, "%s-0", prefix);
    riad_forget(workspace, inode_of(workspace, folder, name), 1);
    assert_int_equal(riad_unlink(workspace, &alice, folder, name), 0);
}

static inline unsigned count_files(struct fixture *fixture, const char *folder)
{
    char path[PATH_MAX + 16];
    struct dirent *entry;
    unsigned count = 0;
    DIR *dir;

    snprintf(path, sizeof path, "%s/%s", fixture->workspace_path, folder);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        count += entry->d_name[0] != '.';
    }
    closedir(dir);
    return count;
}

/* Changes one byte of a file below the workspace's folder; again: it is as before. */
static inline void flip(struct fixture *fixture, const char *path, off_t offset)
{
    int fd = openat(fixture->workspace_fd, path, O_RDWR);
    uint8_t byte;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x40;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

/* Up to its last byte that is not zero: zeros are written ahead of a log. */
static inline off_t size_at(struct fixture *fixture, const char *path)
{
    int fd = openat(fixture->workspace_fd, path, O_RDONLY);
    off_t size = lseek(fd, 0, SEEK_END);
    uint8_t byte = 0;

    assert_true(fd >= 0);
    while (size > 0 && byte == 0) {
        assert_int_equal(pread(fd, &byte, 1, --size), 1);
    }
    close(fd);
    return byte ? size + 1 : size;
}

/* The newest segment of a kind. */
static inline void newest_path(struct fixture *fixture, enum riad_segment_kind kind, char ret[32])
{
    uint64_t *ids = NULL;
    size_t count = 0;

    assert_int_equal(riad_segment_list(fixture->workspace_fd, kind, &ids, &count), 0);
    assert_true(count > 0);
    riad_segment_path(kind, ids[count - 1], ret);
    free(ids);
}

/* Secrets are wiped in a forked process: it gets copies. */
struct inheritance {
    uint8_t keypair[64];
    uint8_t root[32];
};

static inline void inherit(struct fixture *fixture, const struct inheritance *from)
{
    struct riad_secret *secret = NULL;

    if (riad_secret_new_copy(from->keypair, sizeof from->keypair, &secret) < 0 ||
            riad_keypair_from_secret(secret, &fixture->keypair) < 0 ||
            riad_secret_new_copy(from->root, sizeof from->root, &fixture->root) < 0) {
        _exit(99);
    }
}

/* Runs function in a process that dies without closing anything when it returns: 0 if all went
 * well. */
static inline pid_t run_in_child(struct fixture *fixture, int (*function)(struct fixture *fixture))
{
    struct inheritance copy;
    pid_t child;

    memcpy(copy.keypair, riad_secret_peek(fixture->keypair.secret), sizeof copy.keypair);
    memcpy(copy.root, riad_secret_peek(fixture->root), sizeof copy.root);
    child = fork();
    if (child == 0) {
        inherit(fixture, &copy);
        _exit(function(fixture));
    }
    riad_wipe(&copy, sizeof copy);
    assert_true(child > 0);
    return child;
}

static inline void wait_for(pid_t child)
{
    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static inline void run_and_die(struct fixture *fixture, int (*function)(struct fixture *fixture))
{
    wait_for(run_in_child(fixture, function));
}

/* Another node: its own id and state directory, the same store. */
static inline void make_other_node(const struct fixture *fixture, struct fixture *ret)
{
    *ret = *fixture;
    snprintf(ret->state_path, PATH_MAX, "%s/other", fixture->directory.path);
    ret->node.bytes[0] ^= 1;
    ret->boot.bytes[0] ^= 1;
    fixture_make_state(ret);
}

static inline uint64_t milliseconds_since(uint64_t begun)
{
    return (riad_clock_boottime() - begun) / 1000000;
}

#endif
