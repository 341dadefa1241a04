"""Soft limits of users and groups: passed for a grace, over all workspaces; then they hold as hard ones do."""
import json
import os
import threading
import time

import pytest

from harness import wait_until
from projects import acme, alice, bob, carol, daemon, dave, shared  # noqa: F401
from shares import MIB, admin, fill, home, run, told  # noqa: F401

pytestmark = pytest.mark.root
ACCOUNTS = 4


def used(admin, person, kind="user"):
    return admin.subjects(kind)[person.account.uid if kind == "user" else person.account.gid]["bytes_used"]


def refused(person, path):
    """To make it, or to write to it."""
    person.shell(f"! echo x > {path}")


def clock(admin, person):
    return admin.subjects("user")[person.account.uid]["soft"]["bytes_over_since"]


def test_the_grace_begins_and_ends(site, daemon, shared, bob, admin):
    before, uid = used(admin, bob), bob.account.uid
    soft = before + 4 * MIB
    assert admin.set("user", uid, bytes_limit=before + 64 * MIB, soft={"bytes_limit": soft, "bytes_grace_seconds": 8})["ok"]
    bob.shell(f"head -c 3M /dev/zero > {home(daemon, bob)}/one")
    assert clock(admin, bob) == 0 and not told(site, "uid", uid)
    begin = time.time()
    bob.shell(f"head -c 3M /dev/zero > {shared}/two")  # the sum passes it
    assert begin - 1 <= clock(admin, bob) <= time.time() + 1
    bob.shell(f"head -c 20M /dev/zero > {shared}/three")  # as if there were none
    assert time.time() < begin + 7, "this machine is too slow for this test"
    wait_until(lambda: told(site, "uid", uid), 10, "the event")
    assert "the soft limit is passed" in told(site, "uid", uid)[0] and "on it holds" in told(site, "uid", uid)[0]
    time.sleep(max(0, begin + 9 - time.time()))
    now = used(admin, bob)
    for path in shared / "four", home(daemon, bob) / "five":
        refused(bob, path)
    assert used(admin, bob) == now
    bob.shell(f"dd if=/dev/urandom of={shared}/two bs=64k count=4 conv=notrunc 2>/dev/null")
    assert any("refused" in text and f"of {soft / MIB:.1f} MiB" in text for text in told(site, "uid", uid))
    bob.shell(f"rm {shared}/three")  # 2 MiB too many still
    refused(bob, shared / "four")
    bob.shell(f"rm {home(daemon, bob)}/one; head -c 2M /dev/zero > {shared}/four")  # below: at once, and passed anew
    assert used(admin, bob) > before + 4 * MIB and clock(admin, bob) >= begin + 8


def test_what_is_spare_elsewhere_does_not_count(daemon, shared, bob, admin):
    """And what was granted before the grace ended does not outlast it."""
    before, uid = used(admin, bob), bob.account.uid
    soft = before + 24 * MIB
    assert admin.set("user", uid, soft={"bytes_limit": soft, "bytes_grace_seconds": 6})["ok"]
    bob.shell(f"head -c 1M /dev/zero > {home(daemon, bob)}/one")  # which is granted more than that
    bob.shell(f"head -c 22M /dev/zero > {shared}/two")
    assert clock(admin, bob) == 0
    begin = time.time()
    bob.shell(f"head -c 2M /dev/zero > {home(daemon, bob)}/three")
    assert clock(admin, bob) >= begin - 1
    bob.shell(f"head -c 1M /dev/zero > {home(daemon, bob)}/four")  # with a grant of more, again
    time.sleep(max(0, begin + 7 - time.time()))
    refused(bob, home(daemon, bob) / "five")
    refused(bob, shared / "five")
    bob.shell(f"rm {shared}/two")
    wait_until(lambda: clock(admin, bob) == 0, 10, "the clock to end by itself")
    bob.shell(f"head -c 15M /dev/zero > {shared}/six")
    assert clock(admin, bob) == 0


def test_inodes_of_groups(daemon, shared, alice, bob, admin):
    gid = bob.account.gid
    files = admin.subjects("group")[gid]["inodes_used"]
    admin.set("group", gid, inodes_limit=files + 40, soft={"inodes_limit": files + 10, "inodes_grace_seconds": 4})
    bob.shell(f"cd {shared}; for i in $(seq 15); do : > f$i; done")
    time.sleep(5)
    bob.shell(f": > {shared}/more", code=2)
    alice.shell(f": > {shared}/alices")
    bob.shell(f"cd {shared}; rm f1 f2 f3 f4 f5; for i in $(seq 6); do : > g$i; done")
    bob.shell(f"cd {shared}; for i in $(seq 40); do : > h$i; done", code=2)  # the hard one holds at once
    assert admin.subjects("group")[gid]["inodes_used"] == files + 40


def test_limits_that_are_set_below_what_is_used(daemon, shared, bob, admin):
    """The clock begins when they are set; it ends when they are lifted, and begins anew with the next."""
    before, uid = used(admin, bob), bob.account.uid
    bob.shell(f"head -c 8M /dev/zero > {shared}/one")
    admin.set("user", uid, soft={"bytes_limit": before + MIB, "bytes_grace_seconds": 3600})
    assert clock(admin, bob) >= time.time() - 5
    bob.shell(f"head -c 8M /dev/zero > {shared}/two")
    run(daemon, "quota", "set", "--user", bob.account.name, "-t", "1s")  # no grace any more
    time.sleep(2)
    refused(bob, shared / "three")
    run(daemon, "quota", "set", "--user", bob.account.name, "-b", "0")
    assert clock(admin, bob) == 0
    bob.shell(f"echo x > {shared}/three")
    begin = time.time()
    admin.set("user", uid, soft={"bytes_limit": before + MIB, "bytes_grace_seconds": 3600})
    assert clock(admin, bob) >= begin - 1
    bob.shell(f"echo x > {shared}/four")


def test_it_holds_after_a_kill(daemon, shared, alice, bob, admin):
    before, uid = used(admin, bob), bob.account.uid
    admin.set("user", uid, soft={"bytes_limit": before + MIB, "bytes_grace_seconds": 5})
    bob.shell(f"head -c 2M /dev/zero > {shared}/one")
    since = clock(admin, bob)
    worker = daemon.worker()
    os.kill(worker, 9)
    wait_until(lambda: daemon.worker() not in (None, worker), 30, "another worker")
    wait_until(lambda: os.path.ismount(shared) and os.path.ismount(home(daemon, bob)), 30, "the workspaces to come back")
    assert clock(admin, bob) == since > 0
    time.sleep(max(0, since + 6 - time.time()))
    refused(bob, shared / "two")
    refused(bob, home(daemon, bob) / "three")


def test_several_processes_at_the_end_of_a_grace(daemon, shared, bob, admin):
    """Nothing is written behind it, whatever was granted."""
    before, uid = used(admin, bob), bob.account.uid
    admin.set("user", uid, soft={"bytes_limit": before + MIB, "bytes_grace_seconds": 4})
    places = [shared / f"p{i}" if i % 2 else home(daemon, bob) / f"p{i}" for i in range(4)]
    slowly = "for i in $(seq 400); do head -c 64k /dev/zero >> {} 2>/dev/null || exit 2; sleep 0.02; done; exit 0"
    writers = [threading.Thread(target=bob.shell, args=(slowly.format(place),), kwargs={"code": 2}) for place in places]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    end, now = clock(admin, bob) + 4, used(admin, bob)
    last = max(os.stat(place).st_mtime for place in places)
    assert before + MIB < now and end - 2 < last < end + 1
    time.sleep(1)
    assert used(admin, bob) == now


def test_what_is_shown(daemon, shared, bob, admin):
    name, before = bob.account.name, used(admin, bob)
    run(daemon, "quota", "set", "--user", name, "-b", str(before + MIB), "-B", "1G", "-t", "7d")
    bob.shell(f"head -c 2M /dev/zero > {shared}/one")
    assert "over the soft limit" in bob.run("quota", "show", cwd="/").stdout
    row, = [line for line in run(daemon, "quota", "report", "--user").splitlines() if line.startswith(f"{name} ")]
    assert row.split()[1] == "+-" and "7days" in row or "6days" in row
    shown = bob.json("quota", "show", cwd="/")["user"]
    assert 0 < shown["bytes_grace_left"] <= 7 * 86400 and shown["over"]
    event = json.loads(run(daemon, "quota", "report", "--user", "--over", "--json"))["users"]
    assert [item["name"] for item in event] == [name]
