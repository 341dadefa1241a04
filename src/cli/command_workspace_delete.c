/* riad workspace delete: asked twice, and final. The keys go first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/bytes.h"
#include "riad/cleanup.h"
#include "riad/erase.h"

#include "site_client.h"

enum { NAME_SIZE = 256 };

/* What is to go. */
struct victim {
    struct riad_id id;
    char name[NAME_SIZE]; /* or the id, where the name cannot be read */
    struct riad_workspace
            *workspace; /* owned by us until the keys are gone; NULL: cannot be opened */
    bool known;         /* its name could be read */
};

/* Takes keys over. Owning it keeps others out, on this machine and elsewhere. -EBUSY: somebody has
 * it; any other error: it is damaged, and may go all the same. */
static int own(struct session *session, struct victim *victim, const struct riad_roster *roster,
        struct riad_keys *keys, struct riad_reason *reason)
{
    struct riad_unlocked *unlocked = &session->unlocked;
    _cleanup_free_ char *state_path = NULL;
    _cleanup_close_ int state_fd =
            riad_state_directory(&session->state, "ws", &victim->id, &state_path);
    _cleanup_close_ int fd = riad_store_open_workspace(&unlocked->store, &victim->id);
    const struct riad_workspace_config config = { .workspace_fd = fd,
        .state_fd = state_fd,
        .state_path = state_path,
        .name = victim->name,
        .binding = unlocked->store.binding,
        .signers = unlocked->signers,
        .term_signer = &unlocked->keypair,
        .keys = keys,
        .node = session->state.node,
        .boot = session->state.boot,
        .roster_head = roster->head,
        .root_mode = S_IFDIR | 0700 };

    if (fd < 0 || state_fd < 0) {
        riad_keys_free(keys);
        return fd < 0 ? fd : state_fd;
    }
    return riad_workspace_open(&config, &victim->workspace, reason);
}

/* By its name. Exit code. */
static int find_named(struct session *session, const char *name, struct victim *ret)
{
    const struct riad_catalog_workspace *entry;
    struct riad_reason reason = { "" };
    struct riad_roster roster;
    struct riad_keys *keys;
    int r = riad_unlocked_workspace(&session->unlocked, name, &roster, &keys, &entry);

    if (r < 0) {
        return fail(r == -ENOENT ? RIAD_EXIT_FAILED : riad_exit_of(r),
                "no workspace `%s` in %s%s: `riad workspace list` shows what there is, with the id "
                "that a damaged one is deleted by",
                name, session->store, r == -ENOENT ? "" : " can be read");
    }
    ret->id = entry->id;
    ret->known = true;
    snprintf(ret->name, sizeof ret->name, "%s", name);
    r = own(session, ret, &roster, keys, &reason);
    riad_roster_done(&roster);
    if (r == -EBUSY) {
        return fail(RIAD_EXIT_OWNED, "%s", reason.text);
    }
    if (r < 0) {
        fprintf(stderr, "riad: `%s` cannot be opened, and so its contents not be counted: %s\n",
                name, reason.text[0] ? reason.text : strerror(-r));
    }
    return RIAD_EXIT_DONE;
}

/* By its id: one whose keys are damaged, or gone because an earlier deletion was cut short. */
static int find_by_id(struct session *session, const char *text, struct victim *ret)
{
    const struct riad_catalog_workspace *entry;
    char name[NAME_SIZE];

    entry = riad_hex_decode(text, ret->id.bytes, sizeof ret->id.bytes) < 0
                    ? NULL
                    : riad_catalog_find(&session->unlocked.catalog, &ret->id);
    if (!entry) {
        return find_named(session, text, ret);
    }
    if (!entry->deleted && riad_unlocked_name(&session->unlocked, &ret->id, name) == 0) {
        return find_named(session, name, ret);
    }
    snprintf(ret->name, sizeof ret->name, "%s", text);
    return RIAD_EXIT_DONE;
}

static void describe(const struct session *session, const struct victim *victim)
{
    struct riad_workspace_status status;
    char bytes[32], inodes[32];

    if (victim->workspace && riad_workspace_status(victim->workspace, &status) == 0) {
        fprintf(stderr, "Workspace `%s` of %s: %s in %s inodes.\n", victim->name, session->store,
                show_bytes(status.usage.blocks * RIAD_BLOCK_SIZE, false, bytes),
                show_count(status.usage.inodes, false, inodes));
    } else {
        fprintf(stderr, "Workspace `%s` of %s.\n", victim->name, session->store);
    }
}

/* One line from the terminal; it is no secret. */
static bool answers(FILE *terminal, const char *question, const char *wanted)
{
    char line[2 * NAME_SIZE] = "";

    fprintf(terminal, "%s", question);
    fflush(terminal);
    if (!fgets(line, sizeof line, terminal)) {
        return false;
    }
    line[strcspn(line, "\n")] = 0;
    return strcmp(line, wanted) == 0;
}

static int ask(const char *name)
{
    _cleanup_fclose_ FILE *terminal = fopen("/dev/tty", "r+e");
    char wanted[NAME_SIZE + 16], question[2 * NAME_SIZE];

    if (!terminal) {
        return usage_error("no terminal to ask on: --confirm %s says that you mean it", name);
    }
    snprintf(wanted, sizeof wanted, "delete %s", name);
    snprintf(question, sizeof question, "Everything in it goes for ever. Type its name: ");
    if (answers(terminal, question, name)) {
        snprintf(question, sizeof question,
                "No passphrase, recovery code or admin brings it back. Type `%s`: ", wanted);
        if (answers(terminal, question, wanted)) {
            return RIAD_EXIT_DONE;
        }
    }
    return fail(RIAD_EXIT_FAILED, "that is not what was asked for: nothing was deleted");
}

/* Once by the argument, once more by the option: a script means it twice, too. */
int confirm_deletion(const struct options *options, const char *name)
{
    if (!options->confirm) {
        return ask(name);
    }
    return strcmp(options->confirm, name) == 0
                   ? RIAD_EXIT_DONE
                   : usage_error(
                             "--confirm says `%s`, and the workspace is `%s`: nothing was deleted",
                             options->confirm, name);
}

static void show_removed(void *context, uint64_t removed)
{
    (void)context;
    if (removed % 64 == 0) {
        fprintf(stderr, "\rfiles removed: %llu", (unsigned long long)removed);
    }
}

/* The keys, and what says that it was there. */
static int erase_keys(struct session *session, const struct victim *victim)
{
    struct riad_unlocked *unlocked = &session->unlocked;
    int r = riad_erase_keys(&unlocked->store, &victim->id);

    if (r < 0) {
        return r;
    }
    record(session, &victim->id, "workspace-deleted", "its keys are erased");
    r = riad_catalog_delete_workspace(
            &unlocked->store, &unlocked->keypair, &unlocked->catalog, &victim->id);
    if (r == 0) {
        mark_catalog(session);
    }
    return r == -ENOENT ? 0 : r; /* deleted before, and cut short */
}

/* From the first step on there is no way back; each can be done again. */
static int erase(struct session *session, const struct options *options, struct victim *victim)
{
    bool progress = !options->quiet && isatty(STDERR_FILENO);
    int r = erase_keys(session, victim);

    if (victim->workspace) {
        int closed = riad_workspace_close(victim->workspace);

        (void)closed; /* what it could not keep goes anyway */
        victim->workspace = NULL;
    }
    if (r == 0) {
        r = riad_erase_files(
                &session->unlocked.store, &victim->id, progress ? show_removed : NULL, NULL);
    }
    if (progress) {
        fputs("\r\033[K", stderr);
    }
    return r == 0 ? riad_state_forget(&session->state, "ws", &victim->id) : r;
}

static int report(const struct options *options, const struct victim *victim, int r)
{
    char id[33];

    riad_hex_encode(&victim->id, sizeof victim->id, id);
    if (r < 0) {
        return fail(riad_exit_of(r),
                "the deletion of `%s` was cut short: %s. Run it again: riad workspace delete STORE "
                "%s",
                victim->name, strerror(-r), id);
    }
    if (options->json) {
        return print_json(json_pack("{s:s, s:s, s:b}", "workspace",
                victim->known ? victim->name : "", "id", id, "deleted", true));
    }
    printf("Deleted the workspace `%s`: its keys first, then its files. Copies of the store made "
           "before still open.\n",
            victim->name);
    return RIAD_EXIT_DONE;
}

int command_workspace_delete(int argc, char **argv)
{
    _cleanup_session_ struct session session = { 0 };
    struct victim victim = { 0 };
    struct options options;
    int code = parse_options(argc, argv, "pPrksjqRCc", &options);

    if (code != 0) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    if (optind + 1 == argc && has_site(&options)) {
        return delete_site_workspace(&options, argv[optind]);
    }
    if (optind + 2 != argc) {
        return usage_error("name the store and the workspace");
    }
    code = open_session(&options, argv[optind], &session);
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    code = find_by_id(&session, argv[optind + 1], &victim);
    if (code == RIAD_EXIT_DONE) {
        if (!options.confirm) {
            describe(&session, &victim);
        }
        code = confirm_deletion(&options, victim.name);
        code = code == RIAD_EXIT_DONE
                       ? report(&options, &victim, erase(&session, &options, &victim))
                       : code;
    }
    if (victim.workspace && riad_workspace_close(victim.workspace) < 0) {
        fprintf(stderr, "riad: `%s` was not closed in order: its next mount recovers it\n",
                victim.name);
    }
    return code;
}
