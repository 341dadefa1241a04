#include "cli.h"

#define SECRET_HELP                                                                          \
    "  --passphrase-file F   read the passphrase from F (one trailing newline is ignored)\n" \
    "  --passphrase-fd N     read it from descriptor N\n"                                    \
    "  --recovery-file F     unlock with the recovery code in F\n"                           \
    "  --key-file F          unlock with a key file of 32 bytes\n"                           \
    "  --state-dir DIR       local state (default: /var/lib/riad for root, else "            \
    "~/.local/state/riad)\n"
#define CONFIG_HELP \
    "  --config F            the node's configuration (default: /etc/riad/riadd.conf)\n"
#define USER_HELP                                                                                \
    "  --user ACCOUNT        who runs riadd's worker, and owns store and local state (default: " \
    "root)\n"
#define MEMBER_HELP                                                \
    "  --passphrase-file F   read the passphrase from F\n"         \
    "  --passphrase-fd N     read it from descriptor N\n"          \
    "  --recovery-file F     unlock with the recovery code in F\n" \
    "  --json                as JSON\n" CONFIG_HELP                \
    "The project must be open on this machine (`riad unlock`).\n"
#define ROOT_HELP "  --recovery-file F     the site root's recovery code (asked for otherwise)\n"
#define LIMIT_HELP                                                             \
    "  -B SIZE               limit on bytes: 10G is 10 GiB; none = no limit\n" \
    "  -I COUNT              limit on inodes: 1M is 1,000,000; none = no limit\n"
#define EXPIRY_HELP                                                                            \
    "  --expires WHEN        from then on it can be read only: 90d, 2027-06-30, \"2027-06-30 " \
    "12:00\""                                                                                  \
    ", never\n"                                                                                \
    "  --grace TIME          so long; then it is locked, and kept (default: 14d)\n"

const struct command commands[] = {
    { "init", "STORE", "make a store with a workspace `home`",
            LIMIT_HELP
            "  --passphrase-file F   the new passphrase (asked twice otherwise)\n"
            "  --passphrase-fd N     read it from descriptor N\n"
            "  --state-dir DIR       local state\n"
            "  --json                print ids and the recovery code as JSON\n"
            "The recovery code is shown once: it unlocks the store when the passphrase is lost.\n",
            command_init },
    { "mount", "STORE DIR", "mount a workspace on an empty directory",
            SECRET_HELP
            "  -w, --workspace NAME  which one (default: home)\n"
            "  --all                 every workspace, each on DIR/NAME, by one process\n"
            "  --recovery            ask for the recovery code instead of the passphrase\n"
            "  -o OPTIONS            mount options: ro, noexec, allow_other, max_threads=N\n"
            "  --lock-idle TIME      unmount, and forget the keys, when nobody used it for so "
            "long: "
            "30m, 8h\n"
            "  -f, --foreground      stay in front; end with Ctrl-C\n"
            "Returns when the mount is usable.\n",
            command_mount },
    { "unmount", "DIR", "unmount; returns when everything is durable",
            "  --lazy                detach even when files are open; they stay usable until "
            "closed\n"
            "  --force               take it away from whoever uses it: open files fail from now "
            "on, "
            "and what was\n"
            "                        stored in maps and not synced is lost\n"
            "  --state-dir DIR       local state\n",
            command_unmount },
    { "lock", "[WORKSPACE...]", "unmount these workspaces, or all: their keys are forgotten",
            "  --lazy                also those that are in use; open files stay usable, and the "
            "keys stay, until closed\n"
            "  --force               also those: open files fail from now on, and what was stored "
            "in maps and not\n"
            "                        synced is lost\n"
            "  --state-dir DIR       local state\n"
            "Those in use are named, and who uses them; the others are locked.\n",
            command_lock },
    { "status", "[DIR|STORE]", "what is mounted, and how it does",
            "  --json                all figures and counters\n  --state-dir DIR       local "
            "state\n",
            command_status },
    { "sync", "[DIR]", "make a workspace durable (sync(1) does not reach FUSE)",
            "  --state-dir DIR       local state\n", command_sync },
    { "gc", "[DIR]", "give back to the store what is dead in a workspace, now",
            "  --no-wait             only ask for it\n"
            "  --json                the figures as JSON\n"
            "  -q, --quiet           no progress\n  --state-dir DIR       local state\n"
            "A mounted workspace does it by itself when there is much of it and nobody writes, or "
            "the store gets full.\n",
            command_gc },
    { "du", "[DIR...]", "what directories hold in all, at once, however much it is",
            "  -d, --max-depth N     also the directories below, N levels down (default: 0)\n"
            "  -S, --sort ORDER      of those: name (default) or size\n"
            "  --bytes               exact numbers instead of units\n"
            "  --json                as JSON\n"
            "DIR: the current directory if none is named; you must be able to list it. Nothing is "
            "walked: riad keeps the sums.\n"
            "BYTES are those that count in the limit, as du(1) counts them. A file with several "
            "links counts where its first\n"
            "one was made, or moved to; if that directory is gone, at the top of the workspace. "
            "What is deleted but still\n"
            "open counts in `riad quota show` alone.\n",
            command_du },
    { "bench", "[DIR]", "how fast a directory is, and what that costs a mount, in half a minute",
            "  --json                as JSON, with the requests of each step\n"
            "  -q, --quiet           no progress\n"
            "  --state-dir DIR       local state, where mounts are looked for\n"
            "DIR: the current directory if none is named; in a mount, or any other, to compare. It "
            "takes 260 MiB and 2022\n"
            "inodes there, in a hidden directory that is removed in the end, also when the bench "
            "is "
            "interrupted.\n"
            "MESSAGES and CALLS, of a mount alone: FUSE messages, and calls of its store, for one "
            "operation; those of others\n"
            "who use the workspace meanwhile are among them.\n"
            "Reads are warm: what was just written is still in the memory of the machine, below "
            "the "
            "mount if not in it.\n",
            command_bench },
    { "passwd", "[STORE]", "change the passphrase of a store, or of your user at this site",
            SECRET_HELP
            "  --new-passphrase-file F   the new one (asked twice otherwise)\n"
            "  --new-key-file F      instead: write a new key file F that opens the store too (or "
            "in place\n"
            "                        of an older key file); keep it away from the store\n"
            "  --recovery            ask for the recovery code instead of the old passphrase\n"
            "An old copy of the store still opens with the old passphrase.\n",
            command_passwd },
    { "recovery", "[STORE]",
            "issue a new recovery code of a store, or of your user at this site; the old one ends",
            SECRET_HELP "  --json                print the code as JSON\n"
                        "An old copy of the store still opens with the old code.\n",
            command_recovery },
    { "workspace create", "STORE NAME... | NAME",
            "make more workspaces; without STORE, a project at this site",
            LIMIT_HELP EXPIRY_HELP
            "  --manager USER        at a site: reserve it for this user, who makes it "
            "(admins)\n" SECRET_HELP CONFIG_HELP
            "  --json                print names and ids as JSON\n"
            "A project's key is made by its manager, in her own process: an admin who reserves a "
            "name and limits never has it.\n",
            command_workspace_create },
    { "workspace extend", "[STORE] NAME",
            "set when a workspace expires; without STORE, one of this site (admins)",
            EXPIRY_HELP SECRET_HELP CONFIG_HELP
            "  --json                print what holds now as JSON\n"
            "Opens one again that expired, also while it is mounted. "
            "Without --grace that of before "
            "holds.\n",
            command_workspace_extend },
    { "workspace list", "[STORE]",
            "the workspaces of a store; without one, yours at this site (admins: all)",
            SECRET_HELP CONFIG_HELP "  --json                as JSON\n", command_workspace_list },
    { "workspace rekey", "PROJECT", "seal a project under a new key (managers)",
            "  --no-wait             do not wait until what is there is sealed anew\n"
            "  --force               take away from everybody what is open there, and open it "
            "anew\n  -q, --quiet           no progress\n" MEMBER_HELP
            "What is written from now on is sealed under the new key, and what is there is sealed "
            "anew in the background,\n"
            "as long as it is open: also when this command was ended, and on from there when it is "
            "unlocked again.\n"
            "Removing a member does all that, too.\n",
            command_workspace_rekey },
    { "workspace delete", "[STORE] NAME|ID",
            "delete a workspace for ever; without STORE, one of this site (managers, admins)",
            SECRET_HELP CONFIG_HELP
            "  --confirm NAME        the name once more, instead of being asked twice\n"
            "  --json                print what was deleted as JSON\n"
            "  -q, --quiet           no progress\n"
            "Its keys are erased first, so nothing of it can be read again, whatever "
            "becomes of its "
            "files. Copies of\n"
            "the store made before still open. A deletion that was cut short is ended "
            "by the ID that "
            "it told.\n",
            command_workspace_delete },
    { "quota set", "[STORE] [NAME...]",
            "set limits of workspaces; without STORE, of this site's, or of users and groups "
            "(admins)",
            "  -b SIZE               soft limit on bytes: it may be passed for as long as the "
            "grace "
            "lasts\n" LIMIT_HELP "  -i COUNT              soft limit on inodes\n"
            "  -t, --grace TIME      how long a soft limit may be passed: 7d (which holds unless "
            "it "
            "is said), or\n"
            "                        7d,3d for bytes and inodes\n"
            "  -w, --workspace NAME  which one, besides NAME... (default: home); at a site, whose "
            "home, or which project\n"
            "  --user, --group       NAME... are accounts or groups (or numbers): what their files "
            "may add up to "
            "in all\n"
            "                        workspaces of this site; root is not bound\n"
            "  --default             what new workspaces get, where nothing else is said\n"
            "  --from-file F         of many: lines NAME SOFT HARD INODES-SOFT INODES-HARD, - for "
            "what stays as it is,\n"
            "                        # for comments; F may be - (standard input). All lines are "
            "checked before any is set\n" SECRET_HELP CONFIG_HELP
            "A mounted workspace obeys at once. A limit may lie below what is used: then nothing "
            "grows until enough is\n"
            "deleted. What is not said stays.\n",
            command_quota_set },
    { "quota show", "[DIR|STORE]", "what is used, and what is left of limits and grace",
            "  -w, --workspace NAME  which one of STORE (default: home)\n"
            "  --json                as JSON\n" SECRET_HELP CONFIG_HELP
            "Without an argument that of the current directory; where that is in none, all of "
            "yours "
            "at this site, or all that is\n"
            "mounted: what is nearest to its limit first. What is mounted needs no passphrase.\n",
            command_quota_show },
    { "quota check", "[DIR]", "count a mounted workspace anew: exit 15 if it was kept otherwise",
            "  --repair              mend what was: then exit 0\n"
            "  --json                as JSON\n  --state-dir DIR       local state\n"
            "Each inode's charge, and the sums over inodes of the workspace and of each owner and "
            "group. Who uses it goes on.\n",
            command_quota_check },
    { "quota report", "[STORE]",
            "usage and limits of workspaces, users or groups, as repquota shows them",
            "  --workspace           of workspaces (which is so without it)\n"
            "  --user, --group       of users or groups of this site: what they use in all "
            "workspaces "
            "that are open\n"
            "                        here, and are granted in the others\n"
            "  --over                only those that are above a limit\n"
            "  --sort ORDER          name (default), used, or share: of the limit that is nearest\n"
            "  -s, --human-readable  sizes with units instead of blocks of 1 KiB\n"
            "  --json, --csv         for programs\n" SECRET_HELP CONFIG_HELP
            "Without STORE of this site (admins: all; others: their own), else of what is mounted. "
            "`+-`: above a limit on bytes,\n"
            "not above one on inodes. What is not open is as it was when it was open on this "
            "machine "
            "last; `?`: never.\n",
            command_quota_report },
    { "fsck", "[STORE]",
            "check a store that is not mounted, and repair it: exit 15 if damage was found",
            "  -w, --workspace NAME  only this one (default: all)\n"
            "  --repair              keep what can be read where something is damaged, tell what "
            "is lost by path,\n"
            "                        hang up in /lost+found what has no name any more: exit 0 if "
            "nothing was lost\n" SECRET_HELP CONFIG_HELP
            "  --json                findings and figures as JSON\n  -q, --quiet           no "
            "progress\n"
            "Without STORE your workspaces at this site, which must not be open, here or "
            "elsewhere; "
            "of projects those\nthat you manage. If you have a backup of the store's ws/, restore "
            "that first: what is given up is gone.\nDamaged contents are left: reading them gives "
            "EIO.\n",
            command_fsck },
    { "scrub", "STORE|DIR",
            "verify the checksums of a store, or all contents of a mount: exit 15 if there is "
            "damage",
            "  --rate SIZE      read at most so much a second (50M)\n"
            "  --no-wait        of a mount: come back at once; `riad status --json` shows how it "
            "goes\n"
            "  --json           findings and figures as JSON\n  -q, --quiet      no progress\n"
            "  --state-dir DIR  local state\n"
            "Of a STORE, mounted or not, no key is needed: what was forged with a right checksum "
            "is "
            "not seen. Of DIR,\nwhere it is mounted, the process that has the key reads each file, "
            "beside who uses them.\n",
            command_scrub },
    { "events", "[STORE]", "what was done to stores from here, and what was found wrong",
            "  --since WHEN          only events since: 90d, 12h, 30m ago, 2026-11-27, "
            "\"2026-11-27 "
            "09:30\"\n"
            "  --head HASH           fail unless the trail has this event: what an earlier call "
            "told "
            "as head\n"
            "  --json                as JSON\n"
            "  --state-dir DIR       local state\n" CONFIG_HELP
            "A user of a site sees, without STORE, what happened to her workspaces and to her; an "
            "admin of its group all.\n"
            "Events are chained: exit 15 if one was changed, taken out or put in. That the end was "
            "cut off shows only\n"
            "to who has kept a head.\n",
            command_events },
    { "unlock", "", "open your workspaces at this site",
            "  --passphrase-file F   read the passphrase from F\n"
            "  --passphrase-fd N     read it from descriptor N\n"
            "  --recovery-file F     unlock with the recovery code in F\n"
            "  --recovery            ask for the recovery code instead of the passphrase\n"
            "  --json                print what was opened as JSON\n" CONFIG_HELP
            "`riad lock` closes them again.\n",
            command_unlock },
    { "user enroll", "", "become a user of this site, with a home",
            "  --passphrase-file F   the new passphrase (asked twice otherwise)\n"
            "  --passphrase-fd N     read it from descriptor N\n"
            "  --json                print the recovery code as JSON\n" CONFIG_HELP
            "Your keys are made in this process. The recovery code is shown once: it unlocks when "
            "the passphrase is lost.\n",
            command_user_enroll },
    { "user list", "", "the users of this site", CONFIG_HELP "  --json                as JSON\n",
            command_user_list },
    { "user show", "NAME", "one user, with the fingerprint of her key",
            CONFIG_HELP "  --json                as JSON\n", command_user_show },
    { "user disable", "NAME", "lock a user out: nothing is deleted (admins)",
            CONFIG_HELP
            "Her home is unmounted now, projects let her in no more, and nothing of hers can be "
            "unlocked until she is enabled.\n",
            command_user_disable },
    { "user enable", "NAME", "let a disabled user in again (admins)", CONFIG_HELP,
            command_user_enable },
    { "member list", "PROJECT", "who may use a project, and how",
            CONFIG_HELP "  --json                as JSON\n", command_member_list },
    { "member add", "PROJECT USER|@GROUP", "let users of this site use a project (managers)",
            "  --role ROLE           manager, writer (default) or reader\n" MEMBER_HELP
            "They need not be there. Compare the fingerprints with what `riad user show` tells "
            "them. @GROUP: all of a group of\n"
            "accounts who are no members yet; who leaves it later is out, who joins it is let in "
            "by the same command.\n",
            command_member_add },
    { "member role", "PROJECT USER ROLE", "make a member manager, writer or reader (managers)",
            MEMBER_HELP, command_member_role },
    { "member remove", "PROJECT USER|@GROUP", "take a project away from a member (managers)",
            "  --force               take away from everybody what is open there, and open it "
            "anew\n" MEMBER_HELP
            "New opens fail at once, and so does what she has open, but for what is "
            "mapped into memory: --force ends that.\n",
            command_member_remove },
    { "site init", "STORE", "make a site's store, its root, and its first node of this machine",
            CONFIG_HELP
            "  --name NAME           this node's name (default: the host's)\n" USER_HELP
            "  --json                print keys and the recovery code as JSON\n"
            "The root's recovery code is shown once: it is needed to add and remove nodes.\n",
            command_site_init },
    { "site show", "", "the site that this machine is a node of",
            CONFIG_HELP "  --json                as JSON\n", command_site_show },
    { "site recovery", "", "issue a new recovery code of the site root; the old one ends",
            ROOT_HELP CONFIG_HELP "  --json                print the code as JSON\n"
                                  "An old copy of the store still opens with the old code.\n",
            command_site_recovery },
    { "node join", "STORE ROOT", "make this machine ready to be added to a site",
            CONFIG_HELP USER_HELP
            "  --json                as JSON\n"
            "ROOT is the site root's public key, as `riad site show` tells it on a node "
            "of the site: it\n"
            "decides whom this machine believes, so take it from the site's admin, not "
            "from the store.\n",
            command_node_join },
    { "node list", "", "the nodes of the site, also removed ones",
            CONFIG_HELP "  --json                as JSON\n", command_node_list },
    { "node add", "NAME KEY", "add a node; KEY is what `riad node join` told there",
            ROOT_HELP CONFIG_HELP "  --json                as JSON\n", command_node_add },
    { "node remove", "NAME", "remove a node: what its key signs from now on does not count",
            ROOT_HELP CONFIG_HELP "  --json                as JSON\n"
                                  "Also for one whose disk is lost or stolen. Stop it first, if it "
                                  "still runs.\n",
            command_node_remove },
    { NULL, NULL, NULL, NULL, NULL },
};
