/* Salvage: what can be read stays, what is lost is told, and no file ever shows other bytes than
 * were written to it. RIAD_TEST_REPAIRS: so many stores damaged by chance, from
 * RIAD_TEST_REPAIR_SEED on. */
#include <fcntl.h>
#include <stdio.h>

#include "riad/repair.h"

#include "faults.h"
#include "orchard.h"

static struct fixture fixture;
static struct orchard orchard;
static char findings[65536];

static int setup(void **state)
{
    (void)state;
    fixture_make(&fixture);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_remove(&fixture);
    return 0;
}

static void collect(void *context, const char *finding)
{
    (void)context;
    strncat(findings, finding, sizeof findings - strlen(findings) - 2);
    strcat(findings, "\n");
}

static struct riad_fsck_result check(void)
{
    struct riad_workspace_config config;
    struct riad_fsck_result result = { 0 };
    int r;

    findings[0] = 0;
    fixture_configure(&fixture, &config);
    r = riad_fsck_run(&config, collect, NULL, &result, &fixture.reason);
    if (r < 0) {
        fail_msg("fsck: %s: %s", strerror(-r), fixture.reason.text);
    }
    return result;
}

static struct riad_repair_result repair(void)
{
    const struct riad_fsck_result checked = check();
    struct riad_workspace_config config;
    struct riad_repair_result result = { 0 };
    int r;

    findings[0] = 0;
    fixture_configure(&fixture, &config);
    r = riad_repair_run(&config, &checked, collect, NULL, &result, &fixture.reason);
    if (r < 0) {
        fail_msg("repair: %s: %s\n%s", strerror(-r), fixture.reason.text, findings);
    }
    return result;
}

/* Behind a repair all is whole but contents, it can be written to, and opened anew without the
 * local state. */
static struct harvest assert_usable(void)
{
    struct riad_fsck_result result = check();
    struct riad_workspace *workspace;
    struct harvest harvest;
    uint64_t inode;

    for (char *line = strtok(findings, "\n"); line; line = strtok(NULL, "\n")) {
        if (!strstr(line, "is damaged in the run")) {
            fail_msg("found after the repair: %s", line);
        }
    }
    assert_false(result.log_damaged || result.checkpoint_damaged || result.index_damaged);
    workspace = fixture_open(&fixture);
    harvest = orchard_harvest(&orchard, workspace);
    inode = make_file(workspace, RIAD_ROOT_INODE, "f0059.new");
    fixture_close(workspace);
    fixture_forget(&fixture);
    workspace = fixture_open(&fixture);
    assert_int_equal(inode_of(workspace, RIAD_ROOT_INODE, "f0059.new"), inode);
    assert_int_equal(orchard_harvest(&orchard, workspace).files, harvest.files + 1);
    fixture_close(workspace);
    return harvest;
}

static void assert_all_there(const struct harvest *harvest)
{
    assert_int_equal(harvest->files, orchard_count(&orchard));
    assert_int_equal(harvest->unreadable + harvest->old + harvest->unnamed, 0);
}

static void unlink_all(enum riad_segment_kind kind)
{
    uint64_t *ids = NULL;
    size_t count = 0;
    char path[32];

    assert_int_equal(riad_segment_list(fixture.workspace_fd, kind, &ids, &count), 0);
    for (size_t i = 0; i < count; i++) {
        riad_segment_path(kind, ids[i], path);
        assert_int_equal(unlinkat(fixture.workspace_fd, path, 0), 0);
    }
    free(ids);
}

static void a_sound_workspace_stays_as_it_is(void **state)
{
    struct riad_repair_result result;
    struct harvest harvest;
    unsigned terms;

    (void)state;
    orchard_grow(&orchard, &fixture, 1);
    terms = count_files(&fixture, "term");
    result = repair();
    assert_false(result.history_mended);
    assert_int_equal(result.told, 0);
    assert_int_equal(count_files(&fixture, "term"), terms);
    harvest = assert_usable();
    assert_all_there(&harvest);
}

/* The node's index has all that a damaged log and no checkpoint say. */
static void with_the_local_state_nothing_is_lost(void **state)
{
    struct riad_repair_result result;
    struct harvest harvest;
    char path[32];

    (void)state;
    orchard_grow(&orchard, &fixture, 2);
    unlink_all(RIAD_SEGMENT_CHECKPOINT);
    newest_path(&fixture, RIAD_SEGMENT_LOG, path);
    flip(&fixture, path, 30); /* its header */
    result = repair();
    assert_int_equal(result.missing + result.orphans + result.lost_names, 0);
    harvest = assert_usable();
    assert_int_equal(harvest.files, orchard_count(&orchard));
    assert_int_equal(harvest.unreadable + harvest.old + harvest.unnamed, 0);
}

static struct riad_end gap_from, gap_to;

/* Damages the gap, or mends it again. */
static void flip_gap(void)
{
    char path[32];

    riad_segment_path(RIAD_SEGMENT_LOG, gap_to.segment, path);
    for (off_t at = (off_t)gap_from.offset; at < (off_t)gap_to.offset; at += 50) {
        flip(&fixture, path, at);
    }
}

/* A file of which a change is lost between two that are there. */
static void make_gap(uint64_t *ret_file)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_workspace_status status;

    orchard = (struct orchard){ .fixture = &fixture };
    orchard.files[1].version = 1;
    make_file(workspace, RIAD_ROOT_INODE, "f0002");
    assert_int_equal(riad_workspace_sync(workspace), 0);
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    gap_from = status.end;
    *ret_file = make_file(workspace, make_directory(workspace, RIAD_ROOT_INODE, "d"), "f0001");
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    gap_to = status.end;
    write_all(workspace, *ret_file, 0, "0001 v0001 0000\n", LINE);
    make_file(workspace, RIAD_ROOT_INODE, "f0003");
    fixture_close(workspace);
    flip_gap();
    fixture_forget(&fixture);
}

static void what_has_no_name_any_more_goes_to_lost_and_found(void **state)
{
    struct riad_workspace *workspace = NULL;
    struct riad_repair_result result;
    uint64_t file, folder;
    char name[32];

    (void)state;
    make_gap(&file);
    for (int i = 0; i < 2; i++) { /* also when there is an index again, of the log's beginning */
        assert_int_equal(fixture_try_open(&fixture, &workspace), -EUCLEAN);
        assert_non_null(strstr(fixture.reason.text, "--repair"));
    }
    result = repair();
    assert_true(result.history_mended);
    assert_int_equal(result.missing, 2);
    assert_int_equal(result.orphans, 1);
    assert_int_equal(result.torn_files + result.stale_files + result.lost_names, 0);
    snprintf(name, sizeof name, "#%llu", (unsigned long long)file);
    assert_non_null(strstr(findings, name));
    assert_non_null(strstr(findings, "2 changes between"));
    workspace = fixture_open(&fixture);
    folder = inode_of(workspace, RIAD_ROOT_INODE, "lost+found");
    assert_int_equal(inode_of(workspace, folder, name), file);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "f0002"), 0);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "f0003"), 0);
    assert_int_equal(attributes(workspace, folder).mode, S_IFDIR | 0700);
    fixture_close(workspace);
    assert_int_equal(assert_usable().unnamed, 1);
    assert_false(repair().history_mended);
}

static unsigned dies_at;

/* In a process of its own. */
static int repair_and_die(struct fixture *there)
{
    const struct riad_fsck_result checked = { .log_damaged = true };
    struct riad_workspace_config config;
    struct riad_repair_result result;

    fixture_configure(there, &config);
    faults_install();
    faults.deadly = true;
    faults_fail_from(FAULT_ANY, dies_at, 0);
    return riad_repair_run(&config, &checked, NULL, NULL, &result, NULL) < 0;
}

static int repair_until_death(void)
{
    pid_t child = run_in_child(&fixture, repair_and_die);
    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Dies at a later call each time, until it does not any more. A death behind the claim leaves one
 * more term to be read the next time. */
static unsigned die_until_done(uint64_t seed)
{
    struct orchard chance = { .chance = seed };
    unsigned deaths = 0;
    int status;

    for (dies_at = 1;; dies_at += 1 + dies_at / 16 + (unsigned)orchard_below(&chance, 6)) {
        status = repair_until_death();
        if (status != FAULTS_DEAD) {
            break;
        }
        deaths++;
    }
    assert_int_equal(status, 0);
    return deaths;
}

static void killed_at_any_call_it_has_done_nothing_or_all(void **state)
{
    unsigned deaths = 0;

    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct harvest harvest;
        uint64_t file;

        if (seed > 1) {
            teardown(state);
            setup(state);
        }
        make_gap(&file);
        deaths += die_until_done(seed);
        repair(); /* what was left of the store's part, if it died there */
        harvest = assert_usable();
        assert_int_equal(harvest.files, 3);
        assert_int_equal(harvest.unnamed, 1);
        assert_int_equal(harvest.unreadable + harvest.old, 0);
    }
    print_message("%u deaths\n", deaths);
    assert_true(deaths > 20);
}

/* A backup came back, after all: nothing of what was tried is in its way. */
static void what_it_left_when_it_was_killed_goes(void **state)
{
    unsigned terms, logs;
    uint64_t file;

    (void)state;
    make_gap(&file);
    terms = count_files(&fixture, "term");
    logs = count_files(&fixture, "log");
    for (dies_at = 1; count_files(&fixture, "log") + count_files(&fixture, "ckpt") < logs + 2;
            dies_at += 3) {
        assert_int_equal(repair_until_death(), FAULTS_DEAD);
    }
    assert_int_equal(count_files(&fixture, "term"), terms);
    flip_gap();
    for (int i = 0; i < 2; i++) {
        fixture_close(fixture_open(&fixture));
        fixture_assert_sound(&fixture);
        fixture_forget(&fixture);
    }
    assert_int_equal(count_files(&fixture, "ckpt"), 0);
}

/* All of the log and the checkpoints are gone: not even the root is known. */
static void of_nothing_an_empty_workspace_is_left(void **state)
{
    struct riad_repair_result result;
    struct harvest harvest;

    (void)state;
    orchard_grow(&orchard, &fixture, 3);
    unlink_all(RIAD_SEGMENT_CHECKPOINT);
    unlink_all(RIAD_SEGMENT_LOG);
    fixture_forget(&fixture);
    result = repair();
    assert_true(result.history_mended);
    assert_int_equal(result.salvaged, 0);
    harvest = assert_usable();
    assert_int_equal(harvest.files, 0);
}

/* A store from an older day is taken for what it is, if that is said to be wanted. */
static void a_store_from_an_older_day_is_accepted(void **state)
{
    struct riad_workspace *workspace;
    struct riad_repair_result result;
    char path[32];
    int fd;

    (void)state;
    workspace = fixture_open(&fixture);
    orchard = (struct orchard){ .fixture = &fixture };
    make_file(workspace, RIAD_ROOT_INODE, "f0001");
    make_file(workspace, RIAD_ROOT_INODE, "f0002");
    fixture_close(workspace);
    assert_int_equal(riad_index_discard(fixture.state_path), 0);
    newest_path(&fixture, RIAD_SEGMENT_LOG, path);
    fd = openat(fixture.workspace_fd, path, O_WRONLY);
    assert_int_equal(ftruncate(fd, size_at(&fixture, path) - 10), 0);
    close(fd);
    assert_int_equal(fixture_try_open(&fixture, &workspace), -EUCLEAN);
    result = repair();
    assert_true(result.history_mended);
    assert_non_null(strstr(findings, "had synced"));
    assert_int_equal(assert_usable().files, 1);
}

/* Whoever is told of a damaged file knows it by its path, whatever its name is. */
static void damaged_contents_are_told_by_path(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_fsck_result result;
    uint64_t folder, file;
    char path[32];

    (void)state;
    folder = make_directory(workspace, RIAD_ROOT_INODE, "\xc3\xbc\033[2J");
    file = make_file(workspace, folder, "large");
    write_fill(workspace, file, 0, 'x', 1 << 20);
    fixture_close(workspace);
    newest_path(&fixture, RIAD_SEGMENT_DATA, path);
    flip(&fixture, path, size_at(&fixture, path) / 2);
    result = check();
    assert_int_equal(result.findings, 1);
    assert_non_null(strstr(findings, "/\xc3\xbc\\x1b[2J/large: "));
}

/* One damage by chance; what it is, is printed if the test fails. */
static void damage(struct orchard *chance, char *text, size_t size)
{
    static const enum riad_segment_kind kinds[] = { RIAD_SEGMENT_LOG, RIAD_SEGMENT_LOG,
        RIAD_SEGMENT_LOG, RIAD_SEGMENT_DATA, RIAD_SEGMENT_CHECKPOINT };
    enum riad_segment_kind kind = kinds[orchard_below(chance, sizeof kinds / sizeof *kinds)];
    uint64_t *ids = NULL;
    size_t count = 0, used = strlen(text);
    uint64_t from, length;
    char path[32];
    int fd;

    assert_int_equal(riad_segment_list(fixture.workspace_fd, kind, &ids, &count), 0);
    if (count == 0) {
        return;
    }
    riad_segment_path(kind, ids[orchard_below(chance, count)], path);
    free(ids);
    from = orchard_below(chance, (uint64_t)size_at(&fixture, path) + 1);
    length = 1 + orchard_below(chance, orchard_below(chance, 2) ? 8 : 100000);
    switch (orchard_below(chance, 6)) {
    case 0:
        assert_int_equal(unlinkat(fixture.workspace_fd, path, 0), 0);
        snprintf(text + used, size - used, "%s unlinked; ", path);
        return;
    case 1:
        fd = openat(fixture.workspace_fd, path, O_WRONLY);
        assert_int_equal(ftruncate(fd, (off_t)from), 0);
        close(fd);
        snprintf(text + used, size - used, "%s cut at %llu; ", path, (unsigned long long)from);
        return;
    default:
        for (uint64_t at = from; at < from + length && at < (uint64_t)size_at(&fixture, path);
                at += 1 + length / 8) {
            flip(&fixture, path, (off_t)at);
        }
        snprintf(text + used, size - used, "%s %llu bytes at %llu; ", path,
                (unsigned long long)length, (unsigned long long)from);
    }
}

static void try_one(uint64_t seed, unsigned totals[5])
{
    struct orchard chance = { .chance = seed };
    struct riad_repair_result result;
    struct harvest harvest;
    char text[1024] = "";

    orchard_grow(&orchard, &fixture, seed);
    for (uint64_t i = 1 + orchard_below(&chance, 3); i > 0; i--) {
        damage(&chance, text, sizeof text);
    }
    if (orchard_below(&chance, 2) > 0) {
        unlink_all(RIAD_SEGMENT_CHECKPOINT);
        strcat(text, "no checkpoints; ");
    }
    if (orchard_below(&chance, 4) > 0) {
        fixture_forget(&fixture);
        strcat(text, "state lost");
    }
    print_message("seed %llu: %s\n", (unsigned long long)seed, text);
    result = repair();
    harvest = assert_usable();
    if (result.missing == 0 && !result.history_mended) {
        assert_int_equal(harvest.files, orchard_count(&orchard));
        assert_int_equal(harvest.old + harvest.unnamed, 0);
    }
    totals[0] += harvest.files;
    totals[1] += harvest.unreadable;
    totals[2] += harvest.unnamed;
    totals[3] += (unsigned)result.torn_files;
    totals[4] += result.history_mended;
}

static void damage_by_chance(void **state)
{
    uint64_t seed = number_from("RIAD_TEST_REPAIR_SEED", 1000);
    uint64_t count = number_from("RIAD_TEST_REPAIRS", 8);
    unsigned totals[5] = { 0 };

    for (uint64_t i = 0; i < count; i++) {
        if (i > 0) {
            teardown(state);
            setup(state);
        }
        try_one(seed + i, totals);
    }
    print_message("%u files, %u of them unreadable in part, %u without a name, %u torn; %u of %llu "
                  "histories mended\n",
            totals[0], totals[1], totals[2], totals[3], totals[4], (unsigned long long)count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_sound_workspace_stays_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(with_the_local_state_nothing_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(
                what_has_no_name_any_more_goes_to_lost_and_found, setup, teardown),
        cmocka_unit_test_setup_teardown(
                killed_at_any_call_it_has_done_nothing_or_all, setup, teardown),
        cmocka_unit_test_setup_teardown(what_it_left_when_it_was_killed_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(of_nothing_an_empty_workspace_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(a_store_from_an_older_day_is_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_contents_are_told_by_path, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_by_chance, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
