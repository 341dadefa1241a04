"""Limits of users and groups, which span workspaces (grants)."""
import json
import os
import threading
import time

import pytest

from harness import FAILED, NOT_PERMITTED, USAGE, wait_until
from projects import acme, alice, bob, carol, daemon, dave, kinds, shared  # noqa: F401
from shares import MIB, admin, fill, home, run, told  # noqa: F401
from sites import control

pytestmark = pytest.mark.root
ACCOUNTS = 4


def used(path):
    return sum(os.lstat(os.path.join(folder, name)).st_blocks * 512 for folder, _, names in os.walk(path) for name in names)


def test_a_users_limit_spans_her_workspaces(site, daemon, shared, alice, bob, admin):
    uid = bob.account.uid
    before = admin.subjects("user")[uid]["bytes_used"]
    assert admin.set("user", uid, bytes_limit=before + 8 * MIB)["ok"]
    bob.shell(f"head -c 3M /dev/urandom > {home(daemon, bob)}/one")
    fill(bob, shared / "two")  # the rest of it
    assert admin.subjects("user")[uid]["bytes_used"] == before + 8 * MIB
    bob.shell(f"echo more > {home(daemon, bob)}/three", code=1)
    alice.shell(f"head -c 1M /dev/urandom > {shared}/alices")  # it binds bob
    bob.shell(f"rm {home(daemon, bob)}/one")
    fill(bob, shared / "four")  # what he freed in the one is to be had in the other
    assert admin.subjects("user")[uid]["bytes_used"] == before + 8 * MIB
    assert admin.set("user", uid, bytes_limit=0)["ok"]
    bob.shell(f"head -c 1M /dev/urandom > {home(daemon, bob)}/five")
    assert "limit-set" in kinds(site)


def test_what_is_deleted_in_one_is_to_be_had_in_the_other(daemon, shared, bob, admin):
    """The kernel lets go of a deleted file a moment after unlink(2), here as late as a program closes it."""
    uid = bob.account.uid
    bob.shell(f"head -c 2M /dev/urandom > {home(daemon, bob)}/one")
    admin.set("user", uid, bytes_limit=admin.subjects("user")[uid]["bytes_used"] + MIB // 2)
    bob.shell(f"head -c 1M /dev/urandom > {shared}/two", code=1)
    bob.shell(f"(exec 3< {home(daemon, bob)}/one; rm {home(daemon, bob)}/one; sleep 0.2) & sleep 0.1; head -c 1M /dev/urandom > {shared}/two; wait")
    assert (shared / "two").stat().st_size == MIB
    admin.set("user", uid, bytes_limit=0)


def test_a_limit_below_what_is_used(daemon, shared, bob, admin):
    uid = bob.account.uid
    bob.shell(f"head -c 2M /dev/urandom > {shared}/file")
    admin.set("user", uid, bytes_limit=MIB)
    bob.shell(f"echo x > {shared}/more", code=2)
    bob.shell(f"dd if=/dev/urandom of={shared}/file bs=64k count=4 conv=notrunc 2>/dev/null")  # overwriting goes
    bob.shell(f"rm {shared}/file; echo x > {shared}/more")


def test_inodes_and_groups(daemon, shared, alice, bob, admin):
    uid, gid = bob.account.uid, bob.account.gid
    before = admin.subjects("user")[uid]["inodes_used"]
    admin.set("user", uid, inodes_limit=before + 5)
    bob.shell(f"cd {shared}; for i in 1 2 3 4 5; do : > f$i; done")
    bob.shell(f"mkdir {shared}/folder", code=1)
    bob.shell(f": > {home(daemon, bob)}/file", code=2)
    admin.set("user", uid, inodes_limit=0)
    groups = admin.subjects("group")
    admin.set("group", gid, bytes_limit=groups[gid]["bytes_used"] + MIB)
    fill(bob, shared / "big")
    assert admin.subjects("group")[gid]["bytes_used"] <= groups[gid]["bytes_used"] + MIB
    assert control(bob, "subjects", kind="group")["exit"] == NOT_PERMITTED
    assert [item["id"] for item in control(bob, "subjects", kind="user")["subjects"]] == [uid]


def test_by_commands(site, daemon, shared, alice, bob, admin):
    name, uid = bob.account.name, bob.account.uid
    run(daemon, "quota", "set", "--user", name, str(alice.account.uid), "-B", "20M", "-i", "5k")
    bob.shell(f"head -c 1M /dev/urandom > {shared}/file")
    report = json.loads(run(daemon, "quota", "report", "--user", "--json"))["users"]
    row = next(item for item in report if item["name"] == name)
    assert row["bytes_limit"] == 20 * MIB and row["soft"]["inodes_limit"] == 5000 and row["id"] == uid
    assert MIB < row["bytes_used"] < 3 * MIB
    table = run(daemon, "quota", "report", "--user", "-s", "--sort", "used")
    assert "Report for user quotas" in table and any(line.startswith(f"{name} ") and "20.0MiB" in line for line in table.splitlines())
    assert run(daemon, "quota", "report", "--group", "--csv").startswith("Group,BlockStatus")
    run(daemon, "quota", "set", "--user", name, "-B", "1M")
    assert [line for line in run(daemon, "quota", "report", "--user", "--over").splitlines() if line.startswith(f"{name} ") and "+-" in line]
    assert "you, in all workspaces\n  bytes " in bob.run("quota", "show", cwd="/").stdout
    shown = bob.json("quota", "show", cwd="/")
    assert shown["user"]["bytes_limit"] == MIB and {item["kind"] for item in shown["workspaces"]} == {"home", "project"}
    assert alice.json("quota", "show", cwd="/")["user"]["soft"]["inodes_limit"] == 5000
    own = bob.json("quota", "report", "--user")["users"]
    assert [item["id"] for item in own] == [uid]
    run(daemon, "quota", "set", "--group", "nobody-has-this-name", "-B", "1M", code=FAILED)
    for wrong in (["--user", "--group", name, "-B", "1M"], ["--user", name], ["--user", name, "--default", "-B", "1M"], ["--user", "-B", "1M"]):
        run(daemon, "quota", "set", *wrong, code=USAGE)
    bob.run("quota", "set", "--user", name, "-B", "1G", code=NOT_PERMITTED)
    bob.run("quota", "report", "--group", code=NOT_PERMITTED)


def test_who_may_set_what(admin, alice, bob):
    assert control(alice, "set-subjects", kind="user", subjects=[{"id": alice.account.uid, "bytes_limit": 0}])["exit"] == NOT_PERMITTED
    for subjects in [], [{}], [{"id": -1}], [{"id": 1, "bytes_limit": -1}], [{"id": 1, "soft": {"bytes_limit": 2}, "bytes_limit": 1}], "x", [{"id": 2**32}]:
        assert control(admin, "set-subjects", kind="user", subjects=subjects)["exit"] == USAGE
    assert control(admin, "set-subjects", kind="workspace", subjects=[{"id": 1}])["exit"] == USAGE


def test_it_holds_after_a_kill_and_after_locking(daemon, shared, alice, bob, admin):
    uid = bob.account.uid
    before = admin.subjects("user")[uid]["bytes_used"]
    admin.set("user", uid, bytes_limit=before + 4 * MIB)
    bob.shell(f"head -c 1M /dev/urandom > {shared}/file")
    alice.lock("acme")  # what is spare there is to be had elsewhere
    fill(bob, home(daemon, bob) / "file")
    assert used(home(daemon, bob)) >= 3 * MIB - 65536
    alice.unlock()
    bob.shell(f"head -c 64k /dev/urandom > {shared}/more 2>/dev/null", code=2)  # a file's ACL is a block, too
    worker = daemon.worker()
    os.kill(worker, 9)
    wait_until(lambda: daemon.worker() not in (None, worker), 30, "another worker")
    wait_until(lambda: os.path.ismount(shared) and os.path.ismount(home(daemon, bob)), 30, "the workspaces to come back")
    bob.shell(f"head -c 64k /dev/urandom > {shared}/still-more 2>/dev/null", code=2)
    assert admin.subjects("user")[uid]["bytes_used"] <= before + 4 * MIB


def test_several_processes_at_one_limit(daemon, shared, alice, bob, carol, admin):
    """In two workspaces at once: the sum is never above it, and ends at it."""
    uid = bob.account.uid
    before = admin.subjects("user")[uid]["bytes_used"]
    limit = before + 12 * MIB
    admin.set("user", uid, bytes_limit=limit)
    places = [shared / f"p{i}" if i % 2 else home(daemon, bob) / f"p{i}" for i in range(6)]
    writers = [threading.Thread(target=fill, args=(bob, place, None)) for place in places]
    for writer in writers:
        writer.start()
    most = 0
    while any(writer.is_alive() for writer in writers):
        most = max(most, admin.subjects("user")[uid]["bytes_used"])
    for writer in writers:
        writer.join()
    assert most <= limit and limit - 4096 < admin.subjects("user")[uid]["bytes_used"] <= limit


def test_who_hears_of_it(site, daemon, shared, alice, bob, admin):
    """80 %, 95 %, and that something was refused: once each, until usage was well below; told to whom it is about."""
    uid, gid = bob.account.uid, bob.account.gid
    before = admin.subjects("user")[uid]
    assert admin.set("user", uid, bytes_limit=before["bytes_used"] + 8 * MIB, inodes_limit=before["inodes_used"] + 1000)["ok"]
    limit = before["bytes_used"] + 8 * MIB
    bob.shell(f"head -c {limit * 3 // 4 - before['bytes_used']} /dev/zero > {shared}/one")
    assert told(site, "uid", uid) == []
    bob.shell(f"head -c {limit // 10} /dev/zero > {home(daemon, bob)}/two")  # in another workspace
    wait_until(lambda: told(site, "uid", uid), 10, "the event")
    assert "space in all workspaces: 80 % of the hard limit are used" in told(site, "uid", uid)[0]
    fill(bob, shared / "three")
    fill(bob, shared / "four")
    wait_until(lambda: len(told(site, "uid", uid)) >= 3, 10, "the others")
    texts = told(site, "uid", uid)
    assert len(texts) == 3 and "95 %" in texts[1] and "refused" in texts[2]
    bob.shell(f"rm {shared}/one")
    time.sleep(6)  # the daemon looks every five seconds
    fill(bob, shared / "five")
    wait_until(lambda: len(told(site, "uid", uid)) == 6, 10, "all again")
    own = [event["text"] for event in bob.json("events")["events"] if event["event"] == "limit" and "uid" in event["text"]]
    assert len(own) == 6
    assert [event for event in alice.json("events")["events"] if event["event"] == "limit" and event["text"].startswith("uid")] == []
    assert admin.set("user", uid, bytes_limit=0, inodes_limit=0)["ok"]
    files = admin.subjects("group")[gid]["inodes_used"]
    assert admin.set("group", gid, inodes_limit=files + 20)["ok"]
    bob.shell(f"cd {shared}; for i in $(seq 21); do : > f$i; done", code=2)
    wait_until(lambda: any("refused" in text for text in told(site, "gid", gid)), 10, "the group's")
    assert all("inodes in all workspaces" in text for text in told(site, "gid", gid))


def test_what_is_freed_below_a_lowered_limit_stays_free(daemon, shared, bob, admin):
    """More was granted than there is now: no workspace grows again to what it had."""
    uid = bob.account.uid
    bob.shell(f"head -c 6M /dev/zero > {shared}/one; head -c 6M /dev/zero > {home(daemon, bob)}/two")
    used_before = admin.subjects("user")[uid]["bytes_used"]
    admin.set("user", uid, bytes_limit=used_before + MIB)
    bob.shell(f"head -c 64k /dev/zero > {shared}/granted")
    limit = used_before - 4 * MIB
    admin.set("user", uid, bytes_limit=limit)
    bob.shell(f"rm {shared}/one")  # two MiB below the limit now
    for path in (shared / "three", home(daemon, bob) / "four"):
        fill(bob, path)
        assert admin.subjects("user")[uid]["bytes_used"] == limit
    bob.shell(f"rm {home(daemon, bob)}/two")
    fill(bob, home(daemon, bob) / "five")
    assert admin.subjects("user")[uid]["bytes_used"] == limit


def test_what_root_writes_for_her_counts(daemon, shared, bob, admin):
    """root is not bound, and what she has then is hers in all workspaces."""
    uid = bob.account.uid
    before = admin.subjects("user")[uid]["bytes_used"]
    assert admin.set("user", uid, bytes_limit=before + 8 * MIB)["ok"]
    bob.shell(f": > {shared}/restored")
    (shared / "restored").write_bytes(bytes(7 * MIB))
    time.sleep(6)  # the daemon looks every five seconds
    fill(bob, home(daemon, bob) / "file")
    assert admin.subjects("user")[uid]["bytes_used"] == before + 8 * MIB


def test_of_ten_thousand(daemon, shared, bob, admin):
    """Set from a file, and reported, within seconds."""
    path = daemon.node.directory / "limits"
    path.write_text("".join(f"{uid} 1G 2G 10k 20k\n" for uid in range(1_000_000, 1_010_000)), encoding="ascii")
    start = time.monotonic()
    run(daemon, "quota", "set", "--user", "--from-file", str(path))
    middle = time.monotonic()
    rows = json.loads(run(daemon, "quota", "report", "--user", "--json"))["users"]
    end = time.monotonic()
    assert len([row for row in rows if row["bytes_limit"] == 2 << 30]) == 10_000
    print(f"set {middle - start:.2f} s, report {end - middle:.2f} s")
    assert middle - start < 20 and end - middle < 10
    admin.set("user", bob.account.uid, bytes_limit=1 << 30)
    start = time.monotonic()
    bob.shell(f"head -c 16M /dev/zero > {shared}/file")  # with a grant among so many
    assert time.monotonic() - start < 5
