"""A store whose calls hang (L5): what belongs to it waits and goes on, the rest does not notice, what is not synced stays bounded, and
`riad status` says what it waits for."""
import hashlib
import os
import time
from pathlib import Path

import pytest

from harness import Store, wait_until
from processes import Child

MIB = 1 << 20
HANGS = 60           # seconds that each call takes, if the test does not end it before
BOUND = 64 * MIB     # what may be unsynced where the store was not found to be faster
FIRST = ("stuck", "other")


@pytest.fixture
def two(binary, base, slow_store):
    """Two workspaces by one process; the directories, the stuck one's first."""
    store = Store(binary, base)
    try:
        store.init()
        store.run("workspace", "create", store.path, *FIRST)
        store.mount("--all", prefix=slow_store.prefix())
        yield store
    finally:
        slow_store.quick()
        store.remove()


def mount_of(store, name):
    return {mount["workspace"]: mount for mount in store.mounts()}[name]


def stalled(store, name):
    begun = time.monotonic()
    found = mount_of(store, name)["stalled"]
    assert time.monotonic() - begun < 15  # a second for each workspace that is kept; the machine may be busy
    return found


def fill(path, megabytes):
    with open(path, "wb", buffering=0) as file:
        for number in range(megabytes):
            file.write(bytes([number % 251]) * MIB)
        os.fsync(file.fileno())


def work(directory):
    """The longest that a small file took, all in all."""
    worst = 0
    for number in range(20):
        begun = time.monotonic()
        with open(directory / f"file{number}", "wb", buffering=0) as file:
            file.write(b"x" * 5000)
            os.fsync(file.fileno())
        worst = max(worst, time.monotonic() - begun)
    return worst


def is_right(path, megabytes):
    wanted = hashlib.sha256(b"".join(bytes([number % 251]) * MIB for number in range(megabytes))).digest()
    return hashlib.sha256(path.read_bytes()).digest() == wanted


@pytest.mark.parametrize("what, calls", [("sync", {"fdatasync", "fsync"}), ("write", {"pwrite", "pwritev", "fallocate"})])
def test_a_store_that_hangs(two, slow_store, what, calls):
    stuck, other = (Path(mount_of(two, name)["directory"]) for name in FIRST)
    assert stalled(two, "stuck") is None
    slow_store.slow(what, HANGS, where=f"/ws/{mount_of(two, 'stuck')['id']}/")
    writer = Child(fill, stuck / "big", 160)
    wait_until(lambda: stalled(two, "stuck"), 30, "status to tell of it")
    told = stalled(two, "stuck")
    assert told["where"] == "store" and told["call"] in calls and told["calls"] >= 1 and 2 <= told["seconds"] < HANGS, told
    assert told["file"].split("/")[0] in ("data", "log"), told
    assert f"waits for the store: {told['call']} of {told['file'].split('/')[0]}" in two.run("status").stdout
    assert Child(work, other).result(30) < 10
    assert stalled(two, "other") is None and mount_of(two, "other")["event"] == ""
    unsynced = mount_of(two, "stuck")["log"]["unsynced_bytes"]
    assert writer.is_blocked() and unsynced <= BOUND + 4 * MIB, unsynced
    slow_store.quick()
    writer.result(60)
    writer.end()
    assert stalled(two, "stuck") is None and mount_of(two, "stuck")["state"] == "running"
    assert is_right(stuck / "big", 160)
