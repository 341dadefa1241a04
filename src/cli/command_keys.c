/* riad passwd and riad recovery: new secrets in a user's slots. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/fdio.h"

#include "site_client.h"

static int replace_slot(
        struct session *session, enum riad_slot_kind kind, const struct riad_secret *secret)
{
    struct riad_unlocked *unlocked = &session->unlocked;
    int r = riad_user_set_slot(&unlocked->user, &unlocked->store, &unlocked->keypair, kind, secret);

    if (r == 0) {
        r = riad_user_save(&unlocked->user, &unlocked->store, &unlocked->keypair);
    }
    if (r < 0) {
        return fail(riad_exit_of(r),
                "cannot write the user file of %s: %s: the old secret still holds", session->store,
                strerror(-r));
    }
    record(session, NULL, "key-changed", "a new %s opens the store", riad_slot_name(kind));
    return RIAD_EXIT_DONE;
}

/* 32 random bytes in a new file, durable before a slot counts on it. */
static int write_key_file(const char *path, const struct riad_secret *key)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int r;

    if (fd < 0) {
        return fail(RIAD_EXIT_FAILED, "cannot make the key file %s: %s", path, strerror(errno));
    }
    r = riad_pwrite_all(fd, riad_secret_peek(key), riad_secret_size(key), 0);
    if (r == 0 && fsync(fd) < 0) {
        r = -errno;
    }
    return r < 0 ? fail(RIAD_EXIT_FAILED, "cannot write the key file %s: %s", path, strerror(-r))
                 : RIAD_EXIT_DONE;
}

static int add_key_file(struct session *session, const char *path)
{
    _cleanup_secret_ struct riad_secret *key = NULL;
    int code, r = riad_secret_new_random(32, &key);

    if (r < 0) {
        return fail(RIAD_EXIT_FAILED, "cannot make a key: %s", strerror(-r));
    }
    code = write_key_file(path, key);
    return code == RIAD_EXIT_DONE ? replace_slot(session, RIAD_SLOT_KEY_FILE, key) : code;
}

/* Without a store it is the site's user that is meant. -1: there is one. */
static int at_site(int argc, char **argv, const char *letters, bool recovery)
{
    struct options options;
    int r = parse_options(argc, argv, letters, &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    return optind == argc && has_site(&options) ? change_site_secret(&options, recovery) : -1;
}

int command_passwd(int argc, char **argv)
{
    _cleanup_session_ struct session session = { 0 };
    _cleanup_secret_ struct riad_secret *fresh = NULL;
    struct options options;
    int code = at_site(argc, argv, "pPrksnKRc", false);

    if (code >= 0) {
        return code;
    }
    code = begin_session(argc, argv, "pPrksnKR", 1, "name the store", &options, &session);
    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    if (options.new_key_file) {
        return add_key_file(&session, options.new_key_file);
    }
    code = read_new_secret(options.new_passphrase_file, "New passphrase", &fresh);
    if (code == RIAD_EXIT_DONE) {
        code = replace_slot(&session, RIAD_SLOT_PASSPHRASE, fresh);
    }
    if (code == RIAD_EXIT_DONE) {
        fprintf(stderr, "The passphrase was changed. Copies of the store made before still open "
                        "with the old one.\n");
    }
    return code;
}

int command_recovery(int argc, char **argv)
{
    _cleanup_session_ struct session session = { 0 };
    _cleanup_secret_ struct riad_secret *fresh = NULL;
    char text[RIAD_RECOVERY_TEXT_SIZE];
    struct options options;
    int code = at_site(argc, argv, "pPrksjRc", true), r;

    if (code >= 0) {
        return code;
    }
    code = begin_session(argc, argv, "pPrksjR", 1, "name the store", &options, &session);
    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    r = riad_recovery_new(&fresh, text);
    code = r < 0 ? fail(RIAD_EXIT_FAILED, "cannot make a code: %s", strerror(-r))
                 : replace_slot(&session, RIAD_SLOT_RECOVERY, fresh);
    if (code == RIAD_EXIT_DONE && options.json) {
        code = print_json(json_pack("{s:s, s:s}", "store", session.store, "recovery_code", text));
    } else if (code == RIAD_EXIT_DONE) {
        show_recovery(text, session.store);
        puts("The code before this one opens the store no longer (an old copy of the store it "
             "does).");
    }
    riad_wipe(text, sizeof text);
    return code;
}
