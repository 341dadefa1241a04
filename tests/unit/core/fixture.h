/* A workspace for one test: real keys, a real store directory and a real state directory in a
 * temporary directory.
 *
 *     struct fixture fixture;                          fixture_make and fixture_remove in setup and
 *                                                      teardown
 *     struct riad_workspace *ws = fixture_open(&fixture);
 *     fixture_close(ws);
 *     fixture_forget(&fixture);                        the local state is lost
 *     fixture.epoch = 2; fixture_end_epoch(&fixture, &end);
 *     fixture.lease_seconds = 1; fixture.limit.blocks = 10; fixture.node.bytes[0] ^= 1;
 *                                                      what the next open is given */
#ifndef RIAD_TESTS_CORE_FIXTURE_H
#define RIAD_TESTS_CORE_FIXTURE_H

#include <sys/stat.h>

#include "riad/digest.h"
#include "riad/fdio.h"
#include "riad/filesystem.h"
#include "riad/fsck.h"

#include "temporary.h"
#include "unit.h"

enum { FIXTURE_EPOCHS = 4 };

struct fixture {
    struct temporary directory; /* holds ws/ and state/ */
    struct riad_keypair keypair;
    struct riad_signers *signers; /* the keypair alone */
    struct riad_secret *root;     /* of epoch 1; those of the others are made from it */
    uint32_t first_epoch, epoch;  /* whose keys are held; 0 = 1 */
    struct riad_epoch_end epoch_ends[FIXTURE_EPOCHS];
    size_t epoch_end_count;
    struct riad_id workspace, node, boot;
    struct riad_store_binding binding;
    struct riad_hash roster_head;
    struct riad_limit limit;
    uint32_t lease_seconds;
    bool read_only;
    bool clean;
    void (*limit_event)(void *context, const char *text);
    int (*raise_grant)(
            void *context, enum riad_subject subject, uint32_t id, const struct riad_usage *needed);
    char workspace_path[PATH_MAX];
    char state_path[PATH_MAX];
    int workspace_fd;
    int state_fd;
    struct riad_reason reason; /* of the last open that failed */
};

static inline void fixture_make_state(struct fixture *fixture)
{
    assert_int_equal(mkdir(fixture->state_path, 0700), 0);
    fixture->state_fd = open(fixture->state_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fixture->state_fd >= 0);
}

static inline void fixture_make_store(struct fixture *fixture)
{
    static const char *const folders[] = { "term", "log", "data", "ckpt", "dead" };

    assert_int_equal(mkdir(fixture->workspace_path, 0700), 0);
    fixture->workspace_fd = open(fixture->workspace_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fixture->workspace_fd >= 0);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        assert_int_equal(mkdirat(fixture->workspace_fd, folders[i], 0700), 0);
    }
}

static inline void fixture_make(struct fixture *fixture)
{
    struct riad_signer owner;

    memset(fixture, 0, sizeof *fixture);
    assert_int_equal(temporary_make(&fixture->directory), 0);
    snprintf(fixture->workspace_path, PATH_MAX, "%s/ws", fixture->directory.path);
    snprintf(fixture->state_path, PATH_MAX, "%s/state", fixture->directory.path);
    assert_int_equal(riad_keypair_generate(&fixture->keypair), 0);
    owner = riad_signer_always(&fixture->keypair.sign_key);
    assert_int_equal(riad_signers_new(&owner, 1, &fixture->signers), 0);
    assert_int_equal(riad_secret_new_random(32, &fixture->root), 0);
    assert_int_equal(riad_random_id(&fixture->workspace), 0);
    assert_int_equal(riad_random_id(&fixture->node), 0);
    assert_int_equal(riad_random_id(&fixture->boot), 0);
    assert_int_equal(riad_random_id(&fixture->binding.store), 0);
    assert_int_equal(riad_random(&fixture->binding.json, sizeof fixture->binding.json), 0);
    assert_int_equal(riad_random(&fixture->roster_head, sizeof fixture->roster_head), 0);
    fixture_make_store(fixture);
    fixture_make_state(fixture);
}

static inline void fixture_remove(struct fixture *fixture)
{
    close(fixture->workspace_fd);
    close(fixture->state_fd);
    riad_keypair_done(&fixture->keypair);
    riad_signers_free(fixture->signers);
    riad_secret_free(fixture->root);
    assert_int_equal(temporary_remove(&fixture->directory), 0);
}

/* The local state is lost, as with the node: an empty directory takes its place. */
static inline void fixture_forget(struct fixture *fixture)
{
    close(fixture->state_fd);
    assert_int_equal(temporary_remove_tree(fixture->state_path), 0);
    fixture_make_state(fixture);
}

/* The caller's to free. */
static inline struct riad_secret *fixture_subkeys(const struct fixture *fixture, uint32_t epoch)
{
    _cleanup_secret_ struct riad_secret *root = NULL;
    struct riad_secret *subkeys = NULL;

    assert_int_equal(riad_secret_new_copy(riad_secret_peek(fixture->root), 32, &root), 0);
    riad_secret_bytes(root)[0] ^= (uint8_t)(epoch - 1);
    assert_int_equal(riad_subkeys_derive(&fixture->workspace, epoch, root, &subkeys), 0);
    return subkeys;
}

/* Of the epochs from first to last; 0 = 1. The caller's to free. */
static inline struct riad_keys *fixture_keys_of(
        const struct fixture *fixture, uint32_t first, uint32_t last)
{
    struct riad_keys *keys = NULL;

    first = first ? first : 1;
    for (uint32_t epoch = first; epoch <= (last > first ? last : first); epoch++) {
        _cleanup_secret_ struct riad_secret *subkeys = fixture_subkeys(fixture, epoch);
        int r = keys ? riad_keys_add(keys, epoch, subkeys)
                     : riad_keys_from_subkeys(&fixture->workspace, epoch, subkeys, &keys);

        assert_int_equal(r, 0);
    }
    return keys;
}

/* What the next openings are told. */
static inline void fixture_end_epoch(struct fixture *fixture, const struct riad_epoch_end *end)
{
    assert_true(fixture->epoch_end_count < FIXTURE_EPOCHS);
    fixture->epoch_ends[fixture->epoch_end_count++] = *end;
}

/* What riad_workspace_open and riad_fsck_run take; keys are made for each call, as those take them
 * over. */
static inline void fixture_configure(struct fixture *fixture, struct riad_workspace_config *ret)
{
    *ret = (struct riad_workspace_config){
        .workspace_fd = fixture->workspace_fd,
        .state_fd = fixture->state_fd,
        .state_path = fixture->state_path,
        .name = "garden",
        .binding = fixture->binding,
        .signers = fixture->signers,
        .term_signer = &fixture->keypair,
        .node = fixture->node,
        .boot = fixture->boot,
        .roster_head = fixture->roster_head,
        .limit = fixture->limit,
        .root_uid = 1000,
        .root_gid = 1000,
        .root_mode = 0755,
        .read_only = fixture->read_only,
        .clean = fixture->clean,
        .limit_event = fixture->limit_event,
        .raise_grant = fixture->raise_grant,
        .lease_seconds = fixture->lease_seconds,
        .epoch_ends = fixture->epoch_ends,
        .epoch_end_count = fixture->epoch_end_count,
        .keys = fixture_keys_of(fixture, fixture->first_epoch, fixture->epoch),
    };
}

static inline int fixture_try_open(struct fixture *fixture, struct riad_workspace **ret)
{
    struct riad_workspace_config config;

    fixture_configure(fixture, &config);
    return riad_workspace_open(&config, ret, &fixture->reason);
}

static inline struct riad_workspace *fixture_open(struct fixture *fixture)
{
    struct riad_workspace *workspace = NULL;
    int r = fixture_try_open(fixture, &workspace);

    if (r < 0) {
        fail_msg("open: %s: %s", strerror(-r), fixture->reason.text);
    }
    assert_non_null(workspace);
    return workspace;
}

static inline void fixture_close(struct riad_workspace *workspace)
{
    assert_int_equal(riad_workspace_close(workspace), 0);
}

static inline void fixture_collect(void *context, const char *finding)
{
    (void)context;
    print_message("fsck: %s\n", finding);
}

/* The workspace is closed and consistent: log, segments, rows, usage (P7). */
static inline void fixture_assert_sound(struct fixture *fixture)
{
    struct riad_workspace_config config;
    struct riad_fsck_result result;
    int r;

    fixture_configure(fixture, &config);
    r = riad_fsck_run(&config, fixture_collect, NULL, &result, &fixture->reason);
    if (r < 0) {
        fail_msg("fsck: %s: %s", strerror(-r), fixture->reason.text);
    }
    assert_int_equal(result.findings, 0);
}

#endif
