/* P1, P4, P6, P9: while something is done, a call to the store or the node's disk fails, or there
 * is no memory, at any place. What answered with an error did nothing, all else is whole, and what
 * was acknowledged is there when the workspace is opened again.
 *
 * RIAD_TEST_FAULTS (400) says how many are tried, by chance; 0: each call of each operation, and
 * each allocation. RIAD_TEST_FAULT_SEED says which. */
#include "riad/diag.h"

#include "allocations.h"
#include "chance.h"
#include "crash_acts.h"
#include "faults.h"
#include "picture.h"
#include "trace_sqlite.h"

#ifdef __SANITIZE_THREAD__
enum { FAULTS = 60 };
#else
enum { FAULTS = 400 };
#endif

static uint64_t chance = 1;

static uint64_t below(uint64_t bound)
{
    return chance_next(&chance) % bound;
}

enum { FAULT_ACTS = sizeof acts / sizeof acts[0] };

enum fault_kind { FAULT_ERROR, FAULT_BROKEN, FAULT_SHORT, FAULT_INDEX, FAULT_MEMORY, FAULT_KINDS };

struct trouble {
    enum fault_kind kind;
    unsigned act;
    unsigned number; /* the call, or the allocation, that fails first */
    int error;
    int unreserved; /* what fallocate fails with; 0: it works */
};

/* As fallocate finds them: it works; nothing is reserved; nothing is spooled either. */
static const int stores[] = { 0, EOPNOTSUPP, EPERM };

static struct fixture fixture;

static struct riad_workspace *begin(void)
{
    struct riad_workspace *workspace;

    fixture_make(&fixture);
    workspace = fixture_open(&fixture);
    populate(workspace);
    return workspace;
}

static const char *describe(const struct trouble *trouble)
{
    static const char *const kinds[FAULT_KINDS] = { "fails", "and all behind it fail", "is short",
        "of SQLite fails", "is an allocation without memory" };
    static char text[256];

    snprintf(text, sizeof text, "%s, where call %u %s (%s), fallocate %s", acts[trouble->act].name,
            trouble->number, kinds[trouble->kind], strerror(trouble->error),
            trouble->unreserved ? strerror(trouble->unreserved) : "works");
    return text;
}

static void arm(const struct trouble *trouble)
{
    switch (trouble->kind) {
    case FAULT_ERROR:
        faults_fail(FAULT_ANY, trouble->number, trouble->error);
        break;
    case FAULT_BROKEN:
        faults_fail_from(FAULT_ANY, trouble->number, trouble->error);
        break;
    case FAULT_SHORT:
        faults_shorten(trouble->number, 0);
        break;
    case FAULT_INDEX:
        trace_sqlite_fail(
                trouble->number, trouble->error == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE);
        break;
    case FAULT_MEMORY:
    case FAULT_KINDS:
        allocations_fail(trouble->number);
        break;
    }
}

/* Whether it happened at all. */
static bool disarm(const struct trouble *trouble)
{
    bool hit = trouble->kind == FAULT_MEMORY  ? allocations_failed()
               : trouble->kind == FAULT_INDEX ? atomic_load(&trace_sqlite_calls) >= trouble->number
               : trouble->kind == FAULT_SHORT ? trouble->number < 6000
                                              : faults_count(FAULT_ANY) >= trouble->number;

    faults_fail(FAULT_NONE, 0, 0);
    faults_shorten(0, 0);
    trace_sqlite_fail(0, 0);
    return hit;
}

static void assert_picture(const struct trouble *trouble, const char *when, int result,
        const char *expected, struct riad_workspace *workspace)
{
    char *picture = picture_of(workspace);

    if (strcmp(picture, expected) != 0) {
        fail_msg("%s gave %s; %s there is\n%swhere it should be\n%s", describe(trouble),
                strerror(-result), when, picture, expected);
    }
    free(picture);
}

/* As it is without any trouble: before and after each act. */
static char *before_acts, *after_acts[FAULT_ACTS];

/* The index had no memory for what the log has already: the workspace is read-only, and the answer
 * was EIO. When it is opened again, it was done. */
static void assert_either(const struct trouble *trouble, struct riad_workspace *workspace)
{
    char *picture = picture_of(workspace);

    if (strcmp(picture, before_acts) != 0) {
        assert_picture(trouble, "in the end", -EIO, after_acts[trouble->act], workspace);
    }
    free(picture);
}

static void look_at_all(void)
{
    for (unsigned i = 0; i < FAULT_ACTS; i++) {
        struct riad_workspace *workspace = begin();

        free(before_acts);
        before_acts = picture_of(workspace);
        assert_int_equal(acts[i].run(workspace), 0);
        after_acts[i] = picture_of(workspace);
        fixture_close(workspace);
        fixture_remove(&fixture);
    }
}

/* All signals are blocked in riad's threads; a call that may sleep is made again all the same. */
static bool can_be_interrupted(void)
{
    int call = atomic_load(&faults.last_call);

    return call != FAULT_FSTAT && call < FAULT_FSTATAT;
}

static bool is_running(struct riad_workspace *workspace)
{
    struct riad_workspace_status status;

    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    return status.state == RIAD_WORKSPACE_RUNNING;
}

/* Whether the trouble came up. */
static bool try_trouble(const struct trouble *trouble)
{
    struct riad_workspace *workspace;
    const char *expected;
    bool hit, torn, either;
    int r;

    faults_install();
    faults.unreserved = trouble->unreserved;
    workspace = begin();
    if (getenv("RIAD_TEST_VERBOSE")) {
        print_message("%s\n", describe(trouble));
    }
    arm(trouble);
    r = acts[trouble->act].run(workspace);
    hit = disarm(trouble);
    expected = r == 0 ? after_acts[trouble->act] : before_acts;
    if (r < 0 && trouble->error == EINTR && trouble->kind == FAULT_ERROR && can_be_interrupted()) {
        fail_msg("%s gave up: %s", describe(trouble), strerror(-r));
    }
    torn = trouble->kind >= FAULT_INDEX && !is_running(workspace);
    if (!torn) {
        assert_picture(trouble, "then", r, expected, workspace);
    }
    if (is_running(workspace)) {
        make_directory(workspace, RIAD_ROOT_INODE, "later"); /* it goes on */
        assert_int_equal(riad_rmdir(workspace, &alice, RIAD_ROOT_INODE, "later"), 0);
    }
    either = torn && r < 0;
    r = riad_workspace_close(workspace);
    (void)r; /* after a failed sync it says so again */
    workspace = fixture_open(&fixture);
    if (either) {
        assert_either(trouble, workspace);
    } else {
        assert_picture(trouble, "when it is opened again", 0, expected, workspace);
    }
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
    fixture_remove(&fixture);
    faults_remove();
    return hit;
}

static const int errors[] = { EIO, ENOSPC, EINTR };

static void try_some(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        enum fault_kind kind = below(allocations_can_fail ? FAULT_KINDS : FAULT_MEMORY);
        const struct trouble trouble = { .kind = kind,
            .act = (unsigned)below(FAULT_ACTS),
            .number = 1 + (unsigned)below(kind == FAULT_SHORT ? 9000
                                          : below(2)          ? 30
                                                              : 5),
            .error = kind == FAULT_MEMORY ? ENOMEM : errors[below(kind == FAULT_ERROR ? 3 : 2)],
            .unreserved = stores[below(3)] };

        try_trouble(&trouble);
    }
}

/* Until one more comes too late. */
static uint64_t try_each(struct trouble trouble)
{
    trouble.number = 1;
    while (try_trouble(&trouble)) {
        trouble.number += trouble.number < 60 ? 1 : 7;
    }
    return trouble.number;
}

static void try_all(void)
{
    uint64_t tried = 0;

    for (unsigned i = 0; i < FAULT_ACTS * 3; i++) {
        struct trouble trouble = { .act = i / 3, .unreserved = stores[i % 3] };

        for (unsigned k = 0; k < 3; k++) {
            trouble.error = errors[k];
            trouble.kind = FAULT_ERROR;
            tried += try_each(trouble);
            trouble.kind = FAULT_BROKEN;
            tried += errors[k] != EINTR ? try_each(trouble) : 0;
        }
        for (unsigned k = 0; k < 2; k++) {
            trouble.error = errors[k];
            trouble.kind = FAULT_INDEX;
            tried += try_each(trouble);
        }
        trouble.error = ENOMEM;
        trouble.kind = FAULT_MEMORY;
        tried += allocations_can_fail ? try_each(trouble) : 0;
    }
    print_message("%llu faults\n", (unsigned long long)tried);
}

static void what_fails_changes_nothing(void **state)
{
    uint64_t count = number_from("RIAD_TEST_FAULTS", FAULTS);

    (void)state;
    chance = number_from("RIAD_TEST_FAULT_SEED", 1);
    look_at_all();
    if (count == 0) {
        try_all();
    }
    try_some(count);
    free(before_acts);
    for (unsigned i = 0; i < FAULT_ACTS; i++) {
        free(after_acts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fails_changes_nothing),
    };

    picture_times = false;
    trace_sqlite_install();
    act_step = 0;
    riad_diag_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC)); /* it is full of complaints */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
