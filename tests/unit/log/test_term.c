#include "riad/term.h"

#include "log/fixture.h"

static struct riad_keypair signer, stranger;
static struct riad_signers *signers;
static struct riad_store_binding binding;

static int setup(void **state)
{
    int r = fixture_setup(state);
    struct riad_signer owner;

    assert_int_equal(riad_keypair_generate(&signer), 0);
    owner = riad_signer_always(&signer.sign_key);
    assert_int_equal(riad_signers_new(&owner, 1, &signers), 0);
    assert_int_equal(riad_keypair_generate(&stranger), 0);
    assert_int_equal(riad_random_id(&binding.store), 0);
    assert_int_equal(mkdirat(f.directory.fd, "term", 0700), 0);
    return r;
}

static int teardown(void **state)
{
    riad_keypair_done(&signer);
    riad_signers_free(signers);
    riad_keypair_done(&stranger);
    return fixture_teardown(state);
}

static struct riad_term make(uint32_t number, uint32_t previous)
{
    struct riad_term term = { .workspace = f.workspace, .number = number, .previous = previous };

    term.node.bytes[0] = 1;
    term.boot.bytes[0] = 2;
    term.end = (struct riad_end){ .segment = 3, .offset = 4 };
    term.end.sequence = (struct riad_sequence){ 5, number };
    term.end.chain.bytes[0] = 6;
    term.roster_head.bytes[0] = 7;
    term.epoch = 8;
    term.time = (struct timespec){ 9, 10 };
    return term;
}

static int claim(const struct riad_keypair *by, uint32_t number, uint32_t previous)
{
    const struct riad_term term = make(number, previous);

    return riad_term_claim(f.directory.fd, &binding, by, &term);
}

static int load(struct riad_history *ret)
{
    return riad_history_load(f.directory.fd, &binding, signers, &f.workspace, ret);
}

static int check(uint32_t term)
{
    return riad_term_check(f.directory.fd, &binding, signers, &f.workspace, term);
}

static void put_file(const char *name, const void *data, size_t size)
{
    _cleanup_close_ int fd = openat(f.directory.fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(riad_pwrite_all(fd, data, size, 0), 0);
}

static void a_history_is_loaded_in_order(void **state)
{
    struct riad_history history;
    struct riad_end end;

    (void)state;
    assert_int_equal(load(&history), 0);
    assert_int_equal(history.count, 0);
    assert_int_equal(history.taken, 0);
    assert_int_equal(claim(&signer, 1, 0), 0);
    assert_int_equal(claim(&signer, 1, 0), -EEXIST); /* O1 */
    assert_int_equal(claim(&signer, 2, 1), 0);
    assert_int_equal(claim(&signer, 5, 2), 0);
    assert_int_equal(claim(&signer, 0, 0), -EINVAL);
    assert_int_equal(claim(&signer, 6, 6), -EINVAL);
    assert_int_equal(load(&history), 0);
    assert_int_equal(history.count, 3);
    assert_int_equal(history.taken, 5);
    assert_int_equal(history.terms[0].number, 1);
    assert_int_equal(history.terms[2].number, 5);
    assert_int_equal(history.terms[2].previous, 2);
    assert_int_equal(history.terms[2].end.sequence.number, 5);
    assert_int_equal(history.terms[2].epoch, 8);
    assert_int_equal(history.terms[2].time.tv_sec, 9);
    assert_true(riad_history_bound(&history, 2, &end));
    assert_int_equal(end.sequence.number, 5);
    assert_false(riad_history_bound(&history, 5, &end));
    assert_false(riad_history_bound(&history, 3, &end));
    riad_history_done(&history);
}

static void void_terms_are_passed_over_but_claimed_above(void **state)
{
    static const uint8_t large[(1 << 20) + 1000];
    struct riad_history history;

    (void)state;
    assert_int_equal(claim(&signer, 1, 0), 0);
    assert_int_equal(claim(&stranger, 2, 1), 0);
    put_file("term/00000003", "junk", 4);
    put_file("term/00000004", "", 0);
    put_file("term/00000006", large, sizeof large);
    put_file("term/.tmp-123", "junk", 4);
    put_file("term/0000000A", "junk", 4);
    assert_int_equal(symlinkat("00000001", f.directory.fd, "term/00000008"), 0);
    assert_int_equal(mkdirat(f.directory.fd, "term/00000009", 0700), 0);
    assert_int_equal(
            linkat(f.directory.fd, "term/00000001", f.directory.fd, "term/0000000b", 0), 0);
    assert_int_equal(load(&history), 0);
    assert_int_equal(history.count, 1);
    assert_int_equal(history.taken, 4); /* not past the gap: an owner looks one number up */
    riad_history_done(&history);
    assert_int_equal(check(1), 0); /* nothing of that supersedes */
    assert_int_equal(claim(&signer, 5, 1), 0);
    assert_int_equal(check(1), -ESTALE);
    assert_int_equal(check(5), 0);
    assert_int_equal(claim(&signer, 7, 2), 0); /* builds on a void one */
    assert_int_equal(load(&history), -EUCLEAN);
}

static void every_flip_voids_a_term(void **state)
{
    _cleanup_free_ uint8_t *data = NULL;
    struct riad_history history;
    size_t size;

    (void)state;
    assert_int_equal(claim(&signer, 1, 0), 0);
    assert_int_equal(riad_read_file_at(f.directory.fd, "term/00000001", 4096, &data, &size), 0);
    for (size_t i = 0; i < size; i++) {
        int r;

        data[i] ^= (uint8_t)(1 << i % 8);
        put_file("term/00000001", data, size);
        r = load(&history);
        assert_true(r == -EPROTONOSUPPORT || (r == 0 && history.count == 0));
        data[i] ^= (uint8_t)(1 << i % 8);
        put_file("term/00000001", data, i);
        assert_int_equal(load(&history), 0);
        assert_int_equal(history.count, 0);
    }
    put_file("term/00000001", data, size);
    assert_int_equal(load(&history), 0);
    assert_int_equal(history.count, 1);
    riad_history_done(&history);
    f.workspace.bytes[0] ^= 1; /* another workspace's */
    assert_int_equal(load(&history), 0);
    assert_int_equal(history.count, 0);
}

static void a_term_cannot_begin_before_its_predecessor(void **state)
{
    struct riad_history history;
    struct riad_term term = make(2, 1);

    (void)state;
    assert_int_equal(claim(&signer, 1, 0), 0);
    term.end.sequence.number = 0;
    assert_int_equal(riad_term_claim(f.directory.fd, &binding, &signer, &term), 0);
    assert_int_equal(load(&history), -EUCLEAN);
}

static void a_check_is_one_stat(void **state)
{
    (void)state;
    assert_int_equal(claim(&signer, 1, 0), 0);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(check(1), 0);
    assert_int_equal(faults_count(FAULT_FSTATAT), 1);
    assert_int_equal(faults_count(FAULT_ANY), 2);
    faults_fail(FAULT_FSTATAT, 1, EIO);
    assert_int_equal(check(1), -EIO);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(claim(&signer, 2, 1), 0);
    assert_int_equal(check(1), -ESTALE);
}

static void heartbeats_are_authentic_or_none(void **state)
{
    struct riad_id other_id = { { 1 } };
    _cleanup_(riad_keys_freep) struct riad_keys *other = fixture_keys(&other_id);
    struct riad_beat beat = { 41, false };
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;

    (void)state;
    assert_int_equal(riad_beat_read(f.directory.fd, f.keys, 1, &beat), -ENOENT);
    assert_int_equal(riad_beat_write(f.directory.fd, f.keys, 1, &beat), 0);
    beat = (struct riad_beat){ 42, true };
    assert_int_equal(riad_beat_write(f.directory.fd, f.keys, 1, &beat), 0);
    beat = (struct riad_beat){ 0 };
    assert_int_equal(riad_beat_read(f.directory.fd, f.keys, 1, &beat), 0);
    assert_int_equal(beat.count, 42);
    assert_true(beat.closed);
    assert_int_equal(riad_beat_read(f.directory.fd, other, 1, &beat), -ENOENT);
    assert_int_equal(
            riad_read_file_at(f.directory.fd, "term/00000001.beat", 4096, &data, &size), 0);
    assert_int_equal(size, 64);
    put_file("term/00000002.beat", data, size); /* another term's */
    assert_int_equal(riad_beat_read(f.directory.fd, f.keys, 2, &beat), -ENOENT);
    for (size_t i = 0; i < size; i++) {
        data[i] ^= 1;
        put_file("term/00000001.beat", data, size);
        assert_int_equal(riad_beat_read(f.directory.fd, f.keys, 1, &beat), -ENOENT);
        data[i] ^= 1;
        put_file("term/00000001.beat", data, i);
        assert_int_equal(riad_beat_read(f.directory.fd, f.keys, 1, &beat), -ENOENT);
    }
    faults_fail(FAULT_CLOSE, 1, EIO);
    assert_int_equal(riad_beat_write(f.directory.fd, f.keys, 1, &beat), -EIO);
}

/* A term goes on while epochs change: who has all keys tells its heartbeats, and under which one
 * each was written. */
static void heartbeats_are_of_the_epoch_of_then(void **state)
{
    struct riad_beat beat = { .count = 1 }, read = { 0 };

    (void)state;
    assert_int_equal(riad_beat_write(f.directory.fd, f.keys, 1, &beat), 0);
    fixture_add_epoch(2);
    fixture_add_epoch(3);
    assert_int_equal(riad_beat_read(f.directory.fd, f.keys, 1, &read), 0);
    assert_int_equal(read.epoch, 1);
    beat = (struct riad_beat){ .count = 2, .closed = true, .last = 9 };
    assert_int_equal(riad_beat_write(f.directory.fd, f.keys, 1, &beat), 0);
    assert_int_equal(riad_beat_read(f.directory.fd, f.keys, 1, &read), 0);
    assert_int_equal(read.epoch, 3);
    assert_int_equal(read.count, 2);
    assert_int_equal(read.last, 9);
}

/* A node that was added meanwhile claims the next term: the owner asks whether there is a newer
 * list before it takes that term for void (O2). */
static void let_stranger_in(void *context, struct riad_signers *set)
{
    const struct riad_signer both[] = { riad_signer_always(&signer.sign_key),
        riad_signer_always(&stranger.sign_key) };

    ++*(unsigned *)context;
    assert_int_equal(riad_signers_replace(set, both, 2), 0);
}

static void a_node_that_came_later_is_believed(void **state)
{
    unsigned asked = 0;

    (void)state;
    riad_signers_on_unknown(signers, let_stranger_in, &asked);
    assert_int_equal(claim(&signer, 1, 0), 0);
    assert_int_equal(check(1), 0);
    assert_int_equal(asked, 0);
    assert_int_equal(claim(&stranger, 2, 1), 0);
    assert_int_equal(check(1), -ESTALE);
    assert_int_equal(asked, 1);
}

/* What a removed node signed counts up to a term. */
static void a_removed_nodes_later_terms_are_void(void **state)
{
    const struct riad_signer some[] = { riad_signer_always(&signer.sign_key),
        { stranger.sign_key, 3 } };

    (void)state;
    assert_int_equal(riad_signers_replace(signers, some, 2), 0);
    assert_int_equal(claim(&signer, 1, 0), 0);
    assert_int_equal(claim(&stranger, 2, 1), 0);
    assert_int_equal(claim(&stranger, 3, 2), 0);
    assert_int_equal(check(1), -ESTALE);
    assert_int_equal(check(2), 0);
}

static int is_whole(uint32_t term)
{
    return riad_term_is_whole(f.directory.fd, &binding, signers, &f.workspace, term);
}

/* Void is not damaged: a removed node's term is as it wrote it. */
static void a_term_is_whole_missing_or_damaged(void **state)
{
    const struct riad_signer some[] = { riad_signer_always(&signer.sign_key),
        { stranger.sign_key, 2 } };

    (void)state;
    assert_int_equal(riad_signers_replace(signers, some, 2), 0);
    assert_int_equal(claim(&signer, 1, 0), 0);
    assert_int_equal(claim(&stranger, 2, 1), 0);
    put_file("term/00000003", "junk", 4);
    assert_int_equal(is_whole(1), 1);
    assert_int_equal(is_whole(2), 1);
    assert_int_equal(is_whole(3), 0);
    assert_int_equal(is_whole(4), 0);
    assert_int_equal(renameat(f.directory.fd, "term/00000001", f.directory.fd, "term/00000004"), 0);
    assert_int_equal(is_whole(4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_history_is_loaded_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(
                void_terms_are_passed_over_but_claimed_above, setup, teardown),
        cmocka_unit_test_setup_teardown(every_flip_voids_a_term, setup, teardown),
        cmocka_unit_test_setup_teardown(heartbeats_are_of_the_epoch_of_then, setup, teardown),
        cmocka_unit_test_setup_teardown(a_node_that_came_later_is_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_removed_nodes_later_terms_are_void, setup, teardown),
        cmocka_unit_test_setup_teardown(
                a_term_cannot_begin_before_its_predecessor, setup, teardown),
        cmocka_unit_test_setup_teardown(a_term_is_whole_missing_or_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(a_check_is_one_stat, setup, teardown),
        cmocka_unit_test_setup_teardown(heartbeats_are_authentic_or_none, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
