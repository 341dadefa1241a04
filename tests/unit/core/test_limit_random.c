/* P7: random operations by several users in two workspaces with tight limits, of the workspaces and
 * of users and groups in both together, after each of them compared with the model: the same
 * success or -EDQUOT, the same usage.
 *
 * RIAD_TEST_LIMIT_OPERATIONS (20,000) says how many, RIAD_TEST_LIMIT_SEED the first seed: each
 * 20,000 operations begin anew with the next one, which is printed. */
#include <linux/falloc.h>

#include "riad/diag.h"

#include "limit_names.h"
#include "limit_subjects.h"

#ifdef __SANITIZE_THREAD__
enum { OPERATIONS = 2000 }; /* it looks at every byte that the model copies */
#else
enum { OPERATIONS = 20000 };
#endif

enum {
    TURN = 20000,     /* operations with one seed */
    REOPEN = 1500,    /* operations between two openings, */
    FORGET = 6,       /* of which one in so many has lost the local state */
    LOOK_CLOSER = 50, /* operations between two looks at everything */
    PIECES = 1400,    /* more than one change frees or fills (L8), */
    APART = 56,       /* bytes from one to the next: they fill half a file */
};

/* --- operations on what is in them --- */
static void write_range(struct trial *trial, int file, struct range range)
{
    static const uint8_t data[MODEL_BYTES] = { 1 };
    int expected = model_write(&trial->model, file, range.offset, range.size), got;
    uint32_t done = 0;

    expect(trial, expected);
    got = riad_write(trial->bench.workspace, &trial->caller, number_of(trial, file), range.offset,
            data, range.size, &done);
    judge(trial, expected, got);
    if (got == 0 && done != (uint32_t)expected) {
        fail_msg("%s: %u bytes of %u at %u were written where the model has %d", trial->what, done,
                range.size, range.offset, expected);
    }
}

static void write_somewhere(struct trial *trial)
{
    int file = choose(trial, MODEL_FILE);

    if (file != MODEL_NOTHING) {
        write_range(trial, file, choose_range(trial));
    }
}

static void append(struct trial *trial)
{
    int file = choose(trial, MODEL_FILE);
    struct range range = choose_range(trial);

    if (file != MODEL_NOTHING && trial->model.inodes[file].size < MODEL_BYTES) {
        uint32_t left = MODEL_BYTES - trial->model.inodes[file].size;

        range.offset = trial->model.inodes[file].size;
        range.size = range.size < left ? range.size : left;
        write_range(trial, file, range);
    }
}

static void overwrite(struct trial *trial)
{
    int file = choose(trial, MODEL_FILE);
    struct range range = choose_range(trial);

    if (file != MODEL_NOTHING && trial->model.inodes[file].size > 0) {
        uint32_t left;

        range.offset %= trial->model.inodes[file].size;
        left = trial->model.inodes[file].size - range.offset;
        range.size = range.size < left ? range.size : left;
        write_range(trial, file, range);
    }
}

/* Bytes with gaps: what truncates, punches or fills them later does it in several changes. */
static void scatter(struct trial *trial)
{
    int file = choose(trial, MODEL_FILE);
    struct range range = { .offset = below(trial, MODEL_BYTES / 2), .size = 1 };

    if (file == MODEL_NOTHING || !one_in(trial, 12)) {
        return;
    }
    trial->model.inodes[file].scattered = true;
    for (unsigned i = 0; i < PIECES; i++) {
        write_range(trial, file, range);
        range.offset += APART;
    }
}

static void truncate_file(struct trial *trial)
{
    int file = choose(trial, MODEL_FILE);
    uint32_t size = one_in(trial, 4) ? 0 : choose_byte(trial, MODEL_BYTES);
    int expected;

    if (file != MODEL_NOTHING) {
        expected = model_truncate(&trial->model, file, size);
        judge(trial, expected, set_size(trial->bench.workspace, number_of(trial, file), size));
    }
}

/* Often all of a scattered file, which is more than one change does. */
static struct range choose_range_of(struct trial *trial, int file)
{
    if (trial->model.inodes[file].scattered && one_in(trial, 2)) {
        return (struct range){ .size = MODEL_BYTES };
    }
    return choose_range(trial);
}

static void allocate(struct trial *trial)
{
    int file = choose(trial, MODEL_FILE);
    bool keep = one_in(trial, 2);
    struct range range;
    int expected;

    if (file == MODEL_NOTHING) {
        return;
    }
    range = choose_range_of(trial, file);
    expected = model_allocate(&trial->model, file, range.offset, range.size, keep);
    expect(trial, expected);
    judge(trial, expected,
            riad_fallocate(trial->bench.workspace, &trial->caller, number_of(trial, file),
                    keep ? FALLOC_FL_KEEP_SIZE : 0, range.offset, range.size));
}

static void clear(struct trial *trial, uint8_t what, int mode)
{
    int file = choose(trial, MODEL_FILE);
    struct range range;
    int expected;

    if (file == MODEL_NOTHING) {
        return;
    }
    range = choose_range_of(trial, file);
    expected = model_clear(
            &trial->model, file, range.offset, range.size, what, mode & FALLOC_FL_KEEP_SIZE);
    expect(trial, expected);
    judge(trial, expected,
            riad_fallocate(trial->bench.workspace, &trial->caller, number_of(trial, file), mode,
                    range.offset, range.size));
}

static void punch(struct trial *trial)
{
    clear(trial, MODEL_HOLE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

static void zero(struct trial *trial)
{
    clear(trial, MODEL_SET_ASIDE,
            FALLOC_FL_ZERO_RANGE | (one_in(trial, 2) ? FALLOC_FL_KEEP_SIZE : 0));
}

static void copy_range(struct trial *trial)
{
    int from = choose(trial, MODEL_FILE), to = choose(trial, MODEL_FILE);
    struct range range = choose_range(trial);
    uint32_t source = choose_byte(trial, MODEL_BYTES), bytes = 0;
    uint64_t done = 0;
    int expected, got;

    /* Of a scattered file it copies as much as it likes. */
    if (from == MODEL_NOTHING || trial->model.inodes[from].scattered ||
            trial->model.inodes[to].scattered) {
        return;
    }
    expected = model_clone(&trial->model, from, source, to, range.offset, range.size, &bytes);
    expect(trial, expected);
    got = riad_copy_range(trial->bench.workspace, &trial->caller, number_of(trial, from), source,
            number_of(trial, to), range.offset, range.size, &done);
    judge(trial, expected, got);
    assert_true(got < 0 || done == bytes);
}

/* --- attributes --- */
static const char *attribute_name(int attribute)
{
    static const char *const names[MODEL_ATTRIBUTES] = { "trusted.a", "trusted.b", "trusted.c" };

    return names[attribute];
}

static void set_attribute(struct trial *trial)
{
    static uint8_t value[2 * MODEL_BLOCK];
    int inode = choose(trial, MODEL_ABSENT), attribute = (int)below(trial, MODEL_ATTRIBUTES);
    uint32_t size = one_in(trial, 3) ? below(trial, sizeof value) : below(trial, 100);
    const char *name = attribute_name(attribute);
    int expected = model_attribute(&trial->model, inode, attribute, size + (uint32_t)strlen(name));

    value[0]++;
    expect(trial, expected);
    judge(trial, expected,
            riad_setxattr(trial->bench.workspace, &trial->caller, number_of(trial, inode), name,
                    value, size, 0));
}

static void remove_attribute(struct trial *trial)
{
    int inode = choose(trial, MODEL_ABSENT), attribute = (int)below(trial, MODEL_ATTRIBUTES);
    int expected = model_attribute(&trial->model, inode, attribute, 0);

    judge(trial, expected,
            riad_removexattr(trial->bench.workspace, &trial->caller, number_of(trial, inode),
                    attribute_name(attribute)));
}

/* Owner, group and mode: the receiver needs room. */
static void change_owner(struct trial *trial)
{
    static const uint32_t masks[] = { RIAD_SET_UID, RIAD_SET_GID, RIAD_SET_UID | RIAD_SET_GID,
        RIAD_SET_MODE };
    int inode = choose(trial, MODEL_ABSENT), expected = 0;
    uint32_t mask = masks[below(trial, 4)];
    struct riad_inode values = {
        .uid = 1000 + below(trial, 4), .gid = 1000 + below(trial, 4), .mode = below(trial, 01000)
    };
    struct riad_inode row;

    if (mask & (RIAD_SET_UID | RIAD_SET_GID)) {
        const struct model_inode *given = &trial->model.inodes[inode];

        expected = model_give(&trial->model, inode, mask & RIAD_SET_UID ? values.uid : given->uid,
                mask & RIAD_SET_GID ? values.gid : given->gid);
    }
    expect(trial, expected);
    judge(trial, expected,
            riad_setattr(trial->bench.workspace, &trial->caller, number_of(trial, inode), mask,
                    &values, &row));
}

/* --- the workspace --- */
/* Tight, mostly; now and then below the usage, or none. */
static void change_limit(struct trial *trial)
{
    uint64_t blocks = BLOCK_LIMIT / 2 + below(trial, BLOCK_LIMIT / 2);
    uint64_t inodes = INODE_LIMIT / 2 + below(trial, INODE_LIMIT / 2);

    if (one_in(trial, 6)) {
        blocks = inodes = one_in(trial, 2) ? 0 : 1 + below(trial, INODE_LIMIT);
    }
    trial->model.block_limit = blocks;
    trial->model.inode_limit = inodes;
    bench_limit(&trial->bench, blocks, inodes);
}

static void reopen(struct trial *trial)
{
    fixture_close(trial->bench.workspace);
    model_let_all_go(&trial->model);
    if (one_in(trial, FORGET)) {
        fixture_forget(&trial->bench.fixture);
    }
    trial->bench.workspace = fixture_open(&trial->bench.fixture);
    apply_grants(trial);
    compare_usage(trial);
    compare_inodes(trial);
}

static const struct {
    const char *name;
    void (*function)(struct trial *trial);
    uint32_t weight;
} acts[] = {
    { "create", create_file, 12 },
    { "mkdir", create_directory, 4 },
    { "symlink or mknod", create_other, 4 },
    { "tmpfile", create_nameless, 2 },
    { "link", link_inode, 4 },
    { "unlink", remove_name, 9 },
    { "rmdir", remove_directory, 3 },
    { "rename", rename_entry, 6 },
    { "forget", let_go, 5 },
    { "write", write_somewhere, 12 },
    { "append", append, 8 },
    { "overwrite", overwrite, 6 },
    { "scattered writes", scatter, 1 },
    { "truncate", truncate_file, 6 },
    { "fallocate", allocate, 5 },
    { "punch", punch, 4 },
    { "zero", zero, 3 },
    { "copy_range", copy_range, 6 },
    { "setxattr", set_attribute, 5 },
    { "removexattr", remove_attribute, 3 },
    { "chown or chmod", change_owner, 4 },
    { "a new limit", change_limit, 1 },
    { "new limits of users and groups", change_subject_limits, 1 },
};

static void do_something(struct trial *trial)
{
    uint32_t total = 0, chosen;
    size_t i = 0;

    for (size_t k = 0; k < sizeof acts / sizeof acts[0]; k++) {
        total += acts[k].weight;
    }
    for (chosen = below(trial, total); chosen >= acts[i].weight; i++) {
        chosen -= acts[i].weight;
    }
    trial->caller = (struct riad_caller){ .request = 1, .uid = 1000 + below(trial, 3) };
    trial->caller.gid = 1000 + below(trial, 4);
    trial->model.uid = trial->caller.uid;
    trial->model.gid = trial->caller.gid;
    site.acting = trial;
    trial->what = acts[i].name;
    acts[i].function(trial);
    compare_usage(trial);
    compare_subjects();
}

static struct trial *begin(uint32_t which, uint64_t *random)
{
    struct trial *trial = calloc(1, sizeof *trial);
    struct riad_inode root;

    assert_non_null(trial);
    fixture_make(&trial->bench.fixture);
    if (which > 0) {
        trial->bench.fixture.binding = site.trials[0]->bench.fixture.binding;
    }
    trial->bench.fixture.raise_grant = raise_grant;
    trial->bench.workspace = fixture_open(&trial->bench.fixture);
    trial->random = random;
    trial->what = "the opening";
    root = attributes(trial->bench.workspace, RIAD_ROOT_INODE);
    model_begin(&trial->model, &site.model, RIAD_ROOT_INODE, root.uid, root.gid);
    site.trials[which] = trial;
    site.model.models[which] = &trial->model;
    change_limit(trial);
    compare_usage(trial);
    return trial;
}

static void end(struct trial *trial)
{
    compare_inodes(trial);
    fixture_close(trial->bench.workspace);
    fixture_assert_sound(&trial->bench.fixture);
    fixture_remove(&trial->bench.fixture);
    free(trial);
}

/* Two workspaces of one store, in turns of any length. */
static void run(uint64_t seed, uint64_t count)
{
    uint64_t random = seed;
    struct trial *trials[MODEL_WORKSPACES];

    print_message("seed %llu\n", (unsigned long long)seed);
    memset(&site, 0, sizeof site);
    trials[0] = begin(0, &random);
    trials[1] = begin(1, &random);
    change_subject_limits(trials[0]);
    for (uint64_t i = 1; i <= count; i++) {
        uint32_t mine = below(trials[0], MODEL_WORKSPACES);

        do_something(trials[mine]);
        compare_usage(trials[!mine]);
        if (i % LOOK_CLOSER == 0) {
            compare_inodes(trials[mine]);
        }
        if (i % REOPEN == 0) {
            reopen(trials[mine]);
        }
    }
    end(trials[0]);
    end(trials[1]);
}

static void usage_is_the_models(void **state)
{
    uint64_t seed = number_from("RIAD_TEST_LIMIT_SEED", 1);
    uint64_t left = number_from("RIAD_TEST_LIMIT_OPERATIONS", OPERATIONS), total = left;

    (void)state;
    for (; left > 0; seed++) {
        uint64_t some = left < TURN ? left : TURN;

        run(seed, some);
        left -= some;
    }
    print_message("%llu done, %llu without room, %llu forbidden\n", (unsigned long long)outcomes[0],
            (unsigned long long)outcomes[1], (unsigned long long)outcomes[2]);
    /* It is the limits that are tried here. */
    assert_true(outcomes[0] > total / 3);
    assert_true(outcomes[1] > total / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usage_is_the_models),
    };

    riad_diag_set_level(RIAD_ERROR); /* that a limit is met is no news here */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
