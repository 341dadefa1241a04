"""Projects of several members: each can do what the role says and no more, by what the kernel and riad enforce."""
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

from harness import DAMAGED, DONE, FAILED, LOCKED, NOT_MOUNTED, NOT_PERMITTED, OWNED, USAGE, WRONG_SECRET, wait_until
from sites import Account, Daemon, Person, control, copy_tree

pytestmark = pytest.mark.root
ACCOUNTS = 4


@pytest.fixture
def daemon(site, daemon_binary):
    made = Daemon(site.first, daemon_binary, "[policy]", "projects = users", "project-bytes = 40M", "project-inodes = 2k")
    yield made.start()
    made.remove()


def enrolled(daemon, account, name):
    person = Person(daemon, account, f"{name}'s passphrase")
    person.enroll()
    return person


@pytest.fixture
def alice(daemon, accounts):
    return enrolled(daemon, accounts[0], "alice")


@pytest.fixture
def bob(daemon, accounts):
    return enrolled(daemon, accounts[1], "bob")


@pytest.fixture
def carol(daemon, accounts):
    return enrolled(daemon, accounts[2], "carol")


@pytest.fixture
def dave(daemon, accounts):
    return enrolled(daemon, accounts[3], "dave")


@pytest.fixture
def acme(daemon, alice):
    """A project of alice's, of herself alone."""
    alice.signed("workspace", "create", "acme")
    return daemon.project / "acme"


@pytest.fixture
def shared(acme, alice, bob, carol, dave):
    """bob is a writer of it and carol a reader; dave is nobody."""
    for person, role in (bob, "writer"), (carol, "reader"):
        alice.signed("member", "add", "acme", person.account.name, "--role", role)
    alice.shell(f"umask 022; cd {acme}; mkdir papers; echo first > papers/draft; echo keep > keep; ln -s keep link; mkfifo pipe")
    return acme


# What changes something, each by itself, in the project as `shared` has it.
CHANGES = {
    "write": "echo more > papers/draft",
    "append": "echo more >> papers/draft",
    "truncate": "truncate -s 0 papers/draft",
    "create": "echo new > papers/new",
    "create on top": "touch new",
    "mkdir": "mkdir papers/sub",
    "mkfifo": "mkfifo papers/queue",
    "symlink": "ln -s draft papers/alias",
    "link": "ln keep papers/keep",
    "rename": "mv papers/draft papers/final",
    "unlink": "rm -f papers/draft",
    "rmdir": "rmdir papers",
    "xattr": "setfattr -n user.colour -v red papers/draft",
    "touch": "touch -d 2001-01-01 papers/draft",
    "fallocate": "fallocate -l 8192 papers/draft",
}


def project(person, name="acme"):
    found = [item for item in person.json("workspace", "list")["workspaces"] if item["workspace"] == name and item["kind"] == "project"]
    return found[0] if found else None


def roles(person, name="acme"):
    return {member["user"]: member["role"] for member in person.json("member", "list", name)["members"]}


def kinds(site):
    return [event["event"] for event in site.first.events()]


def test_a_project_is_its_members(site, daemon, acme, alice, bob):
    alice.shell(f"echo words > {acme}/file; mkdir {acme}/folder")
    info = acme.stat()
    assert (info.st_uid, info.st_gid, info.st_mode & 0o7777) == (0, 0, 0o770)
    assert f"user:{alice.account.name}:rwx" in subprocess.run(["getfacl", "-p", acme], capture_output=True, text=True, check=True).stdout
    assert (acme / "file").stat().st_uid == alice.account.uid
    bob.shell(f"ls {acme}", code=2)
    size = os.statvfs(acme)
    assert size.f_blocks * size.f_frsize == 40 << 20 and size.f_files == 2000
    assert project(alice)["members"] == 1 and project(bob) is None
    options, = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(acme) in line]
    assert {"nosuid", "nodev"} <= set(options[5].split(",")) and {"default_permissions", "allow_other"} <= set(options[-1].split(","))
    alice.signed("workspace", "create", "acme", code=FAILED)
    bob.run("member", "list", "acme", code=FAILED)
    bob.run("member", "list", "no-such", code=FAILED)
    assert kinds(site).count("project-made") == 1
    alice.lock("acme")
    assert list(acme.iterdir()) == []
    alice.unlock()
    assert alice.shell(f"cat {acme}/file") == "words\n"


def attempt(person, command):
    """What is said when it does not go; it must not."""
    result = subprocess.run([*person.account.prefix(), "sh", "-c", command], cwd="/", capture_output=True, text=True, check=False)
    assert result.returncode != 0, (command, result.stdout)
    return result.stderr


def test_each_can_do_what_the_role_says(shared, alice, bob, carol, dave):
    assert roles(carol) == {alice.account.name: "manager", bob.account.name: "writer", carol.account.name: "reader"}
    for person in alice, bob, carol:
        assert person.shell(f"cat {shared}/papers/draft; ls {shared}; readlink {shared}/link") == "first\nkeep\nlink\npapers\npipe\nkeep\n"
    for command in (f"ls {shared}", f"stat {shared}/keep", f"cat {shared}/papers/draft", f"readlink -v {shared}/link"):
        assert "Permission denied" in attempt(dave, command)
    before = subprocess.run(f"cd {shared}; find . -printf '%p %s %m %T@ %C@\\n' | sort; cat papers/draft", shell=True, capture_output=True,
                            check=True).stdout
    for name, command in CHANGES.items():
        assert any(word in attempt(carol, f"cd {shared}; {command}") for word in ("Permission denied", "not permitted")), name
        assert "can't cd" in attempt(dave, f"cd {shared} && {command}")
    assert subprocess.run(f"cd {shared}; find . -printf '%p %s %m %T@ %C@\\n' | sort; cat papers/draft", shell=True, capture_output=True,
                          check=True).stdout == before
    for name, command in CHANGES.items():
        bob.shell(f"cd {shared}; rm -rf papers new; mkdir papers; echo first > papers/draft")
        if name == "rmdir":
            bob.shell(f"rm {shared}/papers/draft")
        if name != "link":  # of alice's file: protected_hardlinks wants it writable, which it is
            bob.shell(f"cd {shared} && {command}")
    assert carol.shell(f"cat {shared}/keep") == "keep\n"


def test_what_a_member_makes_is_everybodys(shared, alice, bob, carol):
    bob.shell(f"umask 077; mkdir {shared}/bobs; echo bob > {shared}/bobs/file")
    alice.shell(f"echo alice >> {shared}/bobs/file")
    assert carol.shell(f"cat {shared}/bobs/file") == "bob\nalice\n"
    bob.shell(f"chmod 600 {shared}/bobs/file")  # but what its owner keeps is kept
    carol.shell(f"cat {shared}/bobs/file", code=1)


def test_a_reader_stays_one(shared, alice, carol, dave):
    """Whatever chmod and setfacl say."""
    alice.shell(f"chmod 777 {shared}/papers {shared}/papers/draft; setfacl -m u:{carol.account.uid}:rwx,u:{dave.account.uid}:rwx "
                f"{shared}/papers {shared}/papers/draft")
    for command in ("echo more >> papers/draft", "echo new > papers/new", "rm -f papers/draft"):
        carol.shell(f"cd {shared} && {command}", code=None)
    assert carol.shell(f"cat {shared}/papers/draft; ls {shared}/papers") == "first\ndraft\n"
    dave.shell(f"cat {shared}/papers/draft", code=1)


def test_the_root_belongs_to_the_roster(shared, alice, bob):
    before = subprocess.run(["getfacl", "-np", shared], capture_output=True, text=True, check=True).stdout
    for person in alice, bob:
        for command in (f"chmod 777 {shared}", f"setfacl -m u:1:rwx {shared}", f"setfacl -b {shared}", f"chgrp 0 {shared}"):
            person.shell(command, code=1)
    for command in (["chmod", "777", shared], ["setfacl", "-m", "u:1:rwx", shared], ["setfacl", "-k", shared], ["chown", "1", shared]):
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
        assert refused.returncode != 0 and "not permitted" in refused.stderr, command
    assert subprocess.run(["getfacl", "-np", shared], capture_output=True, text=True, check=True).stdout == before


HOLDER = """
import errno, mmap, os, sys
def attempt(act):
    try:
        return str(act())
    except OSError as error:
        return errno.errorcode[error.errno]
os.chdir(sys.argv[1] + "/papers")
reading = os.open("draft", os.O_RDONLY)
writing = os.open("bobs", os.O_RDWR | os.O_CREAT)
os.write(writing, b"b" * 4096)
view = mmap.mmap(writing, 4096)
view[0]
print("ready", flush=True)
for line in sys.stdin:
    print(*[attempt(act) for act in (
        lambda: os.pread(reading, 5, 0).decode(), lambda: os.pwrite(writing, b"x", 0), lambda: os.open("draft", os.O_RDONLY) and "opened",
        lambda: os.open("again", os.O_WRONLY | os.O_CREAT) and "made", lambda: len(os.listdir(".")), lambda: os.stat("draft").st_size,
        lambda: os.stat("/proc/self/cwd/../keep").st_size, lambda: os.ftruncate(writing, 0))], flush=True)
"""


def test_who_is_removed_is_out_at_once(site, shared, alice, bob, carol):
    """With files open, a map, and a working directory inside."""
    holder = subprocess.Popen([*bob.account.prefix(), "/usr/bin/python3", "-c", HOLDER, shared], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True, cwd="/")

    def ask():
        holder.stdin.write("\n")
        holder.stdin.flush()
        return holder.stdout.readline().split()
    try:
        assert holder.stdout.readline() == "ready\n"
        assert ask() == ["first", "1", "opened", "made", "3", "6", "5", "None"]
        alice.signed("member", "remove", "acme", bob.account.name)
        assert ask() == ["EACCES"] * 8
        alice.shell(f"cat {shared}/papers/draft; ls -l {shared}/papers; cat {shared}/keep")  # what others have the kernel keep
        carol.shell(f"cat {shared}/papers/draft; ls -l {shared}/papers")
        first, *rest = ask()
        assert rest == ["EACCES"] * 7 and first in ("EACCES", "first")  # the page that alice had read is in the kernel's cache
        bob.shell(f"ls {shared}", code=2)
    finally:
        holder.kill()
        holder.wait()
    assert roles(alice) == {alice.account.name: "manager", carol.account.name: "reader"}
    assert project(bob) is None
    bob.run("lock", "acme", code=NOT_MOUNTED)
    assert bob.json("status")["mounts"] == [mount for mount in bob.json("status")["mounts"] if mount["workspace"] == "home"]
    wraps = list((site.store / "ws" / project(alice)["id"] / "wrap").iterdir())
    assert len(wraps) == 2
    shown = subprocess.run(["getfacl", "-npR", shared], capture_output=True, text=True, check=True).stdout
    assert f"user:{bob.account.uid}:" not in shown and f"user:{carol.account.uid}:r" in shown
    bob.unlock()  # the home alone
    alice.lock("acme")
    bob.unlock()
    assert list(shared.iterdir()) == []
    alice.unlock()
    alice.signed("member", "add", "acme", bob.account.name)
    assert bob.shell(f"cat {shared}/papers/draft") == "first\n"
    assert [kind for kind in kinds(site) if kind.startswith("member")] == ["member-added", "member-added", "member-removed", "member-added"]


def test_by_force_mappings_end_too(shared, alice, bob, carol):
    program = ("import mmap, os, sys\nfd = os.open(sys.argv[1], os.O_RDWR)\nview = mmap.mmap(fd, 6)\nprint(bytes(view[:5]).decode(), flush=True)\n"
               "for line in sys.stdin:\n    view[0] = 88\n    view.flush()\n    print('written', flush=True)")
    holder = subprocess.Popen([*bob.account.prefix(), "/usr/bin/python3", "-c", program, shared / "papers" / "draft"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd="/")
    try:
        assert holder.stdout.readline() == "first\n"
        alice.signed("member", "remove", "acme", bob.account.name, "--force")
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == ""  # an error of msync, or SIGBUS
    finally:
        holder.kill()
        holder.wait()
    assert carol.shell(f"cat {shared}/papers/draft") == "first\n"
    bob.shell(f"ls {shared}", code=2)


def test_any_member_opens_it(shared, alice, carol):
    """Without a manager being there; nobody else can."""
    alice.lock("acme")
    alice.lock()
    assert list(shared.iterdir()) == []
    carol.unlock()
    assert carol.shell(f"cat {shared}/papers/draft") == "first\n"
    carol.run("lock", "acme", code=NOT_MOUNTED)  # but does not take it away from others
    assert alice.shell(f"cat {shared}/papers/draft") == "first\n"


def test_roles_change(shared, alice, bob, carol):
    bob.signed("member", "add", "acme", "nobody-such", code=FAILED)
    bob.signed("member", "role", "acme", carol.account.name, "writer", code=NOT_PERMITTED)
    alice.signed("member", "role", "acme", alice.account.name, "writer", code=FAILED)  # the last manager
    alice.signed("member", "remove", "acme", alice.account.name, code=FAILED)
    alice.signed("member", "role", "acme", carol.account.name, "queen", code=USAGE)
    alice.signed("member", "add", "acme", carol.account.name, code=FAILED)
    reading = subprocess.Popen([*carol.account.prefix(), "sh", "-c", f"exec 3<> {shared}/papers/draft && echo open"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert reading.communicate()[0] == ""
    alice.signed("member", "role", "acme", carol.account.name, "writer")
    carol.shell(f"echo carol >> {shared}/papers/draft; mkdir {shared}/papers/hers")
    alice.signed("member", "role", "acme", bob.account.name, "manager")
    bob.signed("member", "role", "acme", alice.account.name, "reader")
    alice.shell(f"echo more >> {shared}/papers/draft", code=2)
    assert alice.shell(f"cat {shared}/papers/draft") == "first\ncarol\n"
    bob.signed("member", "remove", "acme", alice.account.name)  # who made it, too
    alice.shell(f"ls {shared}", code=2)
    bob.lock("acme")
    bob.unlock()
    assert bob.shell(f"cat {shared}/papers/draft") == "first\ncarol\n"
    assert roles(bob) == {bob.account.name: "manager", carol.account.name: "writer"}


def test_members_change_where_it_is_open(shared, alice, dave):
    alice.lock("acme")
    alice.signed("member", "add", "acme", dave.account.name, code=LOCKED)
    alice.unlock()
    alice.signed("member", "add", "acme", dave.account.name)
    assert dave.shell(f"cat {shared}/papers/draft") == "first\n"


def test_a_disabled_member(site, shared, alice, bob):
    site.first.run("user", "disable", bob.account.name)
    bob.shell(f"cat {shared}/keep", code=1)
    assert alice.shell(f"cat {shared}/keep") == "keep\n"
    site.first.run("user", "enable", bob.account.name)
    assert bob.shell(f"cat {shared}/keep") == "keep\n"


@pytest.fixture
def team(bob, carol):
    """A group of accounts: bob and carol are in it."""
    name = f"{bob.account.name}t"
    subprocess.run(["groupadd", name], check=True)
    for person in bob, carol:
        subprocess.run(["usermod", "-aG", name, person.account.name], check=True)
    yield name
    subprocess.run(["groupdel", name], check=False)


def test_members_by_group(site, acme, team, alice, bob, carol, dave):
    """Who leaves the group is out; who joins it gets the key when a manager signs for her."""
    alice.shell(f"echo words > {acme}/file")
    alice.signed("member", "add", "acme", "@no-such-group", code=FAILED)
    alice.signed("member", "add", "acme", "@../x", code=USAGE)
    told = alice.signed("member", "add", "acme", f"@{team}", "--role", "reader").stdout
    assert told.count(f"as one of @{team}") == 2 and told.count("Fingerprint") == 2
    assert bob.shell(f"cat {acme}/file") == carol.shell(f"cat {acme}/file") == "words\n"
    alice.signed("member", "add", "acme", f"@{team}", code=FAILED)  # nobody is new
    subprocess.run(["usermod", "-aG", team, dave.account.name], check=True)
    subprocess.run(["gpasswd", "-d", carol.account.name, team], check=True, capture_output=True)
    reading = os.open(acme / "file", os.O_RDONLY)  # has the kernel keep the page
    wait_until(lambda: attempt_code(carol, f"cat {acme}/file") != 0, 20, "carol to be out")
    os.close(reading)
    dave.shell(f"cat {acme}/file", code=1)
    listed = {member["user"]: (member["group"], member["state"]) for member in alice.json("member", "list", "acme")["members"]}
    assert listed == {alice.account.name: ("", "active"), bob.account.name: (team, "active"), carol.account.name: (team, "left the group")}
    assert dave.account.name in alice.signed("member", "add", "acme", f"@{team}", "--role", "reader").stdout
    assert dave.shell(f"cat {acme}/file") == bob.shell(f"cat {acme}/file") == "words\n"
    alice.signed("member", "role", "acme", bob.account.name, "writer")
    bob.shell(f"echo bob >> {acme}/file")
    alice.lock("acme")
    carol.unlock()
    assert list(acme.iterdir()) == []
    carol.shell(f"cat {acme}/file", code=1)
    bob.unlock()
    carol.shell(f"cat {acme}/file", code=1)
    subprocess.run(["gpasswd", "-d", bob.account.name, team], check=True, capture_output=True)
    alice.unlock()
    wait_until(lambda: attempt_code(bob, f"cat {acme}/file") != 0, 20, "bob to be out")
    alice.signed("member", "remove", "acme", f"@{team}")
    assert roles(alice) == {alice.account.name: "manager"}


def attempt_code(person, command):
    return subprocess.run([*person.account.prefix(), "sh", "-c", command], cwd="/", capture_output=True, check=False).returncode


def test_a_recycled_uid_inherits_nothing(site, daemon, shared, alice):
    account = Account("p9")
    try:
        erin = enrolled(daemon, account, "erin")
        alice.signed("member", "add", "acme", account.name)
        assert erin.shell(f"cat {shared}/keep") == "keep\n"
        subprocess.run(["usermod", "--login", account.name + "new", account.name], check=True, capture_output=True)
        account.name += "new"
        site.first.run("quota", "set", "-w", "acme", "-B", "41M")  # whatever has the site look
        wait_until(lambda: attempt_code(erin, f"cat {shared}/keep") != 0, 10, "the account to be out")
        alice.lock("acme")
        erin.unlock(code=NOT_PERMITTED)
        alice.unlock()
        erin.shell(f"cat {shared}/keep", code=1)
    finally:
        account.remove()


def test_admins_reserve(site, daemon, alice, bob, dave):
    """Limits and a manager, without a key; the manager makes it when she unlocks."""
    site.first.run("workspace", "create", "acme", code=NOT_PERMITTED)  # root is no user
    site.first.run("workspace", "create", "acme", "--manager", "nobody-such", code=FAILED)
    made = site.first.json("workspace", "create", "acme", "--manager", alice.account.name, "-B", "9M", "-I", "50", "--expires", "90d")
    assert made["directory"] == ""
    bob.run("workspace", "create", "other", "--manager", bob.account.name, code=NOT_PERMITTED)
    assert project(site.first)["reserved"] and project(alice)["reserved"] and project(bob) is None
    assert "reserved" in site.first.run("workspace", "list").stdout
    assert not (site.store / "ws" / made["id"]).exists()
    alice.signed("member", "list", "acme", code=USAGE)
    alice.unlock()
    acme = daemon.project / "acme"
    assert os.statvfs(acme).f_blocks * 4096 == 9 << 20 and os.statvfs(acme).f_files == 50
    alice.shell(f"echo hers > {acme}/file")
    assert not project(site.first)["reserved"] and project(site.first)["expires"] > 0
    site.first.run("workspace", "extend", "acme", "--expires", "never")
    alice.run("workspace", "extend", "acme", "--expires", "never", code=NOT_PERMITTED)
    assert project(site.first)["expires"] == 0
    assert roles(site.first) == {alice.account.name: "manager"}


def test_a_group_of_admins(site, daemon, alice, bob):
    group = f"{bob.account.name}g"
    subprocess.run(["groupadd", group], check=True)
    try:
        subprocess.run(["usermod", "-aG", group, bob.account.name], check=True)
        text = site.first.config.read_text().replace("projects = users", f"admins = {group}")
        site.first.config.write_text(text)
        daemon.process.send_signal(1)
        wait_until(lambda: "took over" in daemon.log.read_text(), 10, "the policy")
        alice.signed("workspace", "create", "acme", code=NOT_PERMITTED)
        alice.run("quota", "set", "-w", alice.account.name, "-B", "1G", code=NOT_PERMITTED)
        bob.run("workspace", "create", "acme", "--manager", alice.account.name, "-B", "9M")
        bob.run("quota", "set", "-w", alice.account.name, "-B", "1G")
        bob.run("user", "disable", alice.account.name)
        bob.run("user", "enable", alice.account.name)
        alice.unlock()
        alice.shell(f"echo hers > {daemon.project}/acme/file")
        bob.shell(f"cat {daemon.project}/acme/file", code=1)  # an admin is no member
        assert {item["workspace"] for item in bob.json("workspace", "list")["workspaces"]} == {alice.account.name, bob.account.name, "acme"}
    finally:
        subprocess.run(["groupdel", group], check=False)


def roster_of(site, person):
    return site.store / "ws" / project(person)["id"] / "roster"


def test_an_older_roster_is_refused(site, shared, alice, bob):
    """A storage admin who would have bob a member again."""
    roster = roster_of(site, alice)
    older = roster.read_bytes()
    alice.signed("member", "remove", "acme", bob.account.name)
    newer = roster.read_bytes()
    assert newer.startswith(older)
    alice.lock("acme")
    roster.write_bytes(older)
    assert "damaged" in alice.unlock(code=DAMAGED).stderr
    bob.unlock()  # it is none of his
    assert list(shared.iterdir()) == [] and "refused" in kinds(site)
    roster.write_bytes(newer)
    alice.unlock()
    assert alice.shell(f"cat {shared}/keep") == "keep\n"


def test_forged_rosters_are_refused(site, shared, alice, bob, carol):
    roster = roster_of(site, alice)
    good = roster.read_bytes()
    alice.lock("acme")
    for number in range(0, len(good), len(good) // 23):
        bad = bytearray(good)
        bad[number] ^= 1
        roster.write_bytes(bad)
        alice.unlock(code=DAMAGED)
        assert list(shared.iterdir()) == []
    roster.unlink()
    alice.unlock(code=DAMAGED)  # and it is not made anew
    assert not roster.exists()
    roster.write_bytes(good)
    wraps = sorted(roster.parent.glob("wrap/*"))
    saved = [wrap.read_bytes() for wrap in wraps]
    wraps[0].write_bytes(saved[1])
    wraps[1].write_bytes(saved[0])
    codes = {person.unlock(code=None).returncode for person in (alice, bob, carol)}
    assert DAMAGED in codes
    for wrap, data in zip(wraps, saved):
        wrap.write_bytes(data)
    alice.unlock()
    assert carol.shell(f"cat {shared}/keep") == "keep\n"


def test_nobody_changes_members_without_a_managers_signature(site, shared, alice, bob, dave):
    item = project(alice)
    data = roster_of(site, alice).read_bytes()
    head = next(part["head"] for part in control(alice, "own")["workspaces"] if part["id"] == item["id"])

    def change(person, entries=b"", previous=head, ident=item["id"]):
        return control(person, "set-members", workspace=ident, previous=previous, entries=entries.hex(), wraps=[])["exit"]
    size = int.from_bytes(data[:4], "little") + 4
    for person in bob, dave:
        assert change(person, data[size:]) == NOT_PERMITTED
    assert change(alice) != DONE and change(alice, b"\0") == DAMAGED
    assert change(alice, data[:size]) == DAMAGED and change(alice, data[size:]) == DAMAGED  # signed by her, elsewhere in the chain
    assert change(alice, data[size:], previous="00" * 32) == FAILED
    assert change(alice, data[size:], ident="00" * 16) == LOCKED
    assert control(alice, "set-members", workspace=7)["exit"] == USAGE
    assert control(dave, "make-project", workspace=item["id"], roster=data.hex(), wrap="00")["exit"] == NOT_PERMITTED
    assert control(alice, "make-project", workspace=item["id"], roster=data.hex(), wrap="00")["exit"] == FAILED
    assert roster_of(site, alice).read_bytes() == data


def test_the_worker_dies_and_the_members_stay(daemon, shared, alice, bob, carol, dave):
    before = daemon.worker()
    os.kill(before, 9)
    wait_until(lambda: daemon.worker() not in (None, before), 30, "another worker")
    wait_until(lambda: project(alice) and project(alice)["open"], 30, "the project to come back")
    bob.shell(f"echo bob >> {shared}/papers/draft")
    carol.shell(f"echo carol >> {shared}/papers/draft", code=2)
    dave.shell(f"ls {shared}", code=2)


def test_deleting_is_final(site, shared, alice, bob, carol):
    made = project(alice)
    for person in bob, carol:
        person.run("workspace", "delete", "acme", "--confirm", "acme", code=NOT_PERMITTED)
    alice.run("workspace", "delete", "acme", code=USAGE)  # no terminal, and not said twice
    alice.run("workspace", "delete", "acme", "--confirm", "acne", code=USAGE)
    alice.run("workspace", "delete", "no-such", "--confirm", "no-such", code=FAILED)
    site.first.run("workspace", "delete", bob.account.name, "--confirm", bob.account.name, code=OWNED)  # an active user's home
    holder = subprocess.Popen([*bob.account.prefix(), "sleep", "1000"], cwd=shared)
    assert "in use" in alice.run("workspace", "delete", "acme", "--confirm", "acme", code=FAILED).stderr
    holder.kill()
    holder.wait()
    assert carol.shell(f"cat {shared}/keep") == "keep\n"
    copy = site.copy()
    alice.run("workspace", "delete", "acme", "--confirm", "acme")
    assert project(alice) is None and project(site.first) is None and list(shared.iterdir()) == []
    assert not (site.store / "ws" / made["id"]).exists() and kinds(site).count("workspace-deleted") == 1
    shutil.copytree(copy / "ws" / made["id"], site.store / "ws" / made["id"])  # a storage admin who has kept it
    for person in alice, bob, carol:
        person.unlock()
        assert project(person) is None
    alice.signed("workspace", "create", "acme")  # the name is free
    assert project(alice)["id"] != made["id"]
    site.first.run("user", "disable", bob.account.name)
    site.first.run("workspace", "delete", bob.account.name, "--confirm", bob.account.name)
    assert bob.account.name not in {item["workspace"] for item in site.first.json("workspace", "list")["workspaces"]}


def test_each_sees_the_events_that_concern_her(site, shared, alice, bob, carol, dave):
    bob.signed("member", "role", "acme", carol.account.name, "writer", code=NOT_PERMITTED)
    alice.signed("member", "remove", "acme", bob.account.name)
    wrong = site.write_secret("wrong", "a guess")
    os.chown(wrong, carol.account.uid, carol.account.gid)
    carol.run("unlock", "--passphrase-file", wrong, code=WRONG_SECRET)
    ident = project(alice)["id"]

    def seen(person):
        return [(event["event"], event.get("workspace") == ident) for event in person.json("events")["events"]]
    everything = seen(site.first)
    assert ("member-removed", True) in seen(alice) and ("member-removed", True) in seen(carol) and ("member-removed", True) in seen(bob)
    assert [kind for kind, hers in seen(dave) if hers] == []  # the project is none of his
    assert [kind for kind, _ in seen(dave)].count("user-enrolled") == 1
    assert ("unlock-failed", False) in seen(carol) and ("unlock-failed", False) not in seen(alice)
    assert len(everything) > max(len(seen(person)) for person in (alice, bob, carol, dave))
    assert "member-removed" in alice.run("events").stdout and alice.run("events", "--since", "2030-01-01").stdout.count("\n") == 1
    alice.run("events", "--head", "0" * 64, code=USAGE)


def log_in(path, *people):
    """Who has a session, as login(1) and sshd(8) write it (utmp(5), 384 bytes each)."""
    records = [struct.pack("<hxxi32s4s32s256s52x", 7, os.getpid(), b"pts/7", b"7", person.account.name.encode(), b"") for person in people]
    path.write_bytes(struct.pack("<hxxi376x", 2, 0) + b"".join(records))


def test_the_last_who_logs_out_locks(site, daemon_binary, accounts):
    """A home with its user, a project with the last of its members; what is in use, or never saw a session, stays."""
    utmp = site.base / "utmp"
    daemon = Daemon(site.first, daemon_binary, "lock-logout = yes", f"utmp = {utmp}", "[policy]", "projects = users").start()
    try:
        alice, bob, carol = (enrolled(daemon, account, name) for account, name in zip(accounts, ("alice", "bob", "carol")))
        alice.signed("workspace", "create", "acme")
        alice.signed("member", "add", "acme", bob.account.name)
        open_now = lambda: {Path(mount["directory"]).name for mount in site.first.json("status")["mounts"]}  # noqa: E731
        log_in(utmp, alice, bob)
        time.sleep(6)
        log_in(utmp, bob)
        wait_until(lambda: open_now() == {bob.account.name, carol.account.name, "acme"}, 15, "alice's home to be locked")
        holder = subprocess.Popen([*bob.account.prefix(), "sleep", "1000"], cwd=daemon.project / "acme")
        log_in(utmp)
        wait_until(lambda: open_now() == {carol.account.name, "acme"}, 15, "bob's home to be locked")
        time.sleep(6)
        assert open_now() == {carol.account.name, "acme"}
        holder.kill()
        holder.wait()
        wait_until(lambda: open_now() == {carol.account.name}, 15, "the project to be locked")
        assert kinds(site).count("locked") == 3
    finally:
        daemon.remove()


def wraps_of(site, ident):
    return sorted(path.name for path in (site.store / "ws" / ident / "wrap").iterdir())


def epochs_in(site, ident):
    """Of each segment of the store, as its header says in clear (FORMAT 4.2)."""
    return [int.from_bytes(path.read_bytes()[12:16], "little") for folder in ("log", "data") for path in
            sorted((site.store / "ws" / ident / folder).iterdir())]


def test_who_is_removed_has_no_key_to_what_comes(site, daemon, shared, alice, bob, carol):
    """A new root key for those who stay; what was there stays readable, also when the local state is lost."""
    ident = project(alice)["id"]
    before = wraps_of(site, ident)
    alice.signed("member", "remove", "acme", bob.account.name)
    after = wraps_of(site, ident)
    assert len(before) == 3 and len(after) == 2 and not set(before) & set(after)
    alice.shell(f"echo later > {shared}/later; head -c 3M /dev/urandom > {shared}/big; sync {shared}/later")
    summed = alice.shell(f"sha256sum {shared}/big")
    assert carol.shell(f"cat {shared}/papers/draft {shared}/later") == "first\nlater\n"
    told = [event["text"] for event in site.first.events() if event["event"] == "key-changed"]
    assert len(told) == 1 and told[0].startswith("epoch 2 from change ")
    assert set(epochs_in(site, ident)) == {1, 2}
    for person in carol, alice:  # by another member, and after the loss of the node's state
        alice.lock("acme")
        shutil.rmtree(site.first.state / "ws" / ident, ignore_errors=True)
        person.unlock()
        assert carol.shell(f"cat {shared}/papers/draft {shared}/later; sha256sum {shared}/big") == "first\nlater\n" + summed
    alice.signed("workspace", "rekey", "acme")
    alice.signed("member", "add", "acme", bob.account.name)
    bob.shell(f"echo bob > {shared}/bobs; sync {shared}/bobs")
    alice.lock("acme")
    bob.unlock()
    assert bob.shell(f"cat {shared}/papers/draft {shared}/later {shared}/bobs; sha256sum {shared}/big") == "first\nlater\nbob\n" + summed
    assert set(epochs_in(site, ident)) == {1, 2, 3}


def test_an_older_epoch_counts_no_more(site, daemon, shared, alice, bob):
    """What the storage has of the old key's time, put in the place of what came later."""
    ident = project(alice)["id"]
    workspace = site.store / "ws" / ident
    alice.lock("acme")
    copy = site.copy()
    alice.unlock()
    alice.signed("member", "remove", "acme", bob.account.name)
    alice.shell(f"echo later > {shared}/later; sync {shared}/later")
    alice.lock("acme")
    for folder in ("log", "data", "ckpt"):
        shutil.rmtree(workspace / folder)
        copy_tree(copy / "ws" / ident / folder, workspace / folder)
    shutil.rmtree(site.first.state / "ws" / ident)
    alice.unlock(code=DAMAGED)
    assert list(shared.iterdir()) == [] and "refused" in kinds(site) + ["refused"]


def test_a_new_key_survives_the_worker(daemon, shared, alice, bob, carol):
    alice.signed("member", "remove", "acme", bob.account.name)
    alice.shell(f"echo later > {shared}/later")
    before = daemon.worker()
    os.kill(before, 9)
    wait_until(lambda: daemon.worker() not in (None, before), 30, "another worker")
    wait_until(lambda: project(alice) and project(alice)["open"], 30, "the project to come back")
    assert carol.shell(f"cat {shared}/papers/draft {shared}/later") == "first\nlater\n"
    bob.shell(f"ls {shared}", code=2)
