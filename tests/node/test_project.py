"""Projects of several members: each can do what the role says and no more, by what the kernel and riad enforce."""
import os
import subprocess
from pathlib import Path

import pytest

from harness import DAMAGED, FAILED, LOCKED, NOT_MOUNTED, NOT_PERMITTED, USAGE, wait_until
from projects import acme, alice, attempt, attempt_code, bob, carol, daemon, dave, enrolled, kinds, project, roles, shared  # noqa: F401
from sites import Account, control, make_group

pytestmark = pytest.mark.root
ACCOUNTS = 4


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
    "xattr": """/usr/bin/python3 -c 'import os; os.setxattr("papers/draft", "user.colour", b"red")'""",
    "touch": "touch -d 2001-01-01 papers/draft",
    "fallocate": "fallocate -l 8192 papers/draft",
}


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
    assert [mount["workspace"] for mount in bob.json("status")["mounts"]] == ["home"]
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
    make_group(name)
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


def test_a_manager_who_left_the_group_signs_in_vain(site, acme, team, alice, carol, dave):
    """Also one who asks riadd by herself, with what she has kept."""
    alice.signed("member", "add", "acme", f"@{team}", "--role", "manager")
    kept = next(item for item in control(carol, "own")["workspaces"] if item["workspace"] == "acme")
    subprocess.run(["gpasswd", "-d", carol.account.name, team], check=True, capture_output=True)
    carol.signed("member", "add", "acme", dave.account.name, code=FAILED)
    assert all(item["workspace"] != "acme" for item in control(carol, "own")["workspaces"])
    request = {"workspace": kept["id"], "previous": kept["head"], "entries": "00", "wraps": []}
    assert control(carol, "set-members", **request)["exit"] == NOT_PERMITTED and control(alice, "set-members", **request)["exit"] == DAMAGED


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
