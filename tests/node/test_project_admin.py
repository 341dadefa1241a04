"""Projects and homes as admins have them: reserved, limited, deleted, locked; and what each hears of it."""
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

from harness import FAILED, NOT_PERMITTED, OWNED, USAGE, WRONG_SECRET, wait_until
from projects import acme, alice, bob, carol, daemon, dave, enrolled, kinds, project, roles, shared  # noqa: F401
from sites import Daemon, make_group

pytestmark = pytest.mark.root
ACCOUNTS = 4


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
    make_group(group)
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
