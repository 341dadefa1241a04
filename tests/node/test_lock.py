"""Locking: by hand, by force, and when nobody uses a workspace. Who keeps one busy is named."""
import ctypes
import errno
import json
import mmap
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness import FAILED, NOT_MOUNTED, Store, USAGE, mounted_at, wait_until
from processes import Child
from syscalls import libc

GONE = (errno.ENOTCONN, errno.ECONNABORTED, errno.ENOENT)
CONNECTIONS = Path("/sys/fs/fuse/connections")


def trail(store, kind):
    return [event["text"] for event in json.loads(store.run("events", "--json").stdout)["events"] if event["event"] == kind]


@pytest.fixture
def three(store):
    """The workspaces home, a and b, mounted by one process."""
    store.run("workspace", "create", store.path, "a", "b")
    store.mount("--all")
    return store


def use(path, how, say):
    if how == "open":
        kept = open(path / "file", "rb")
    elif how == "mapped":
        fd = os.open(path / "file", os.O_RDONLY)
        kept = libc.mmap(None, ctypes.c_size_t(100), mmap.PROT_READ, mmap.MAP_SHARED, fd, ctypes.c_long(0))
        os.close(fd)  # a mapping of Python's own would keep a copy open
    else:
        kept = os.chdir(path / "folder")
    say("at it")
    signal.pause()
    return kept


@pytest.fixture
def busy(store):
    """Makes a process that uses the mount."""
    store.mount()
    (store.directory / "file").write_bytes(b"x" * 100)
    (store.directory / "folder").mkdir()
    children = []

    def make(how):
        child = Child(lambda say: use(store.directory, how, say), talks=True)
        children.append(child)
        assert child.hear() == "at it"
        return child

    yield make
    for child in children:
        if child in Child.living:  # else ended after a failure
            child.end()


@pytest.mark.parametrize("how, name", [("open", "file"), ("mapped", "file"), ("working directory", "folder")])
def test_who_uses_it_is_named(store, busy, how, name):
    child = busy(how)
    for command in (["unmount", store.directory], ["lock"], ["lock", "home"]):
        result = store.run(*command, code=FAILED)
        assert f"  {child.pid} python" in result.stderr and f": {how} {store.directory}/{name}\n" in result.stderr
        assert mounted_at(store.directory)
    child.kill()
    store.run("lock")
    assert not mounted_at(store.directory)
    wait_until(lambda: not store.hosts(), 10, "the process to end")


def test_one_in_use_does_not_save_the_others(three):
    with Child(lambda say: (os.chdir(three.directory / "a"), say("in"), signal.pause()), talks=True) as child:
        assert child.hear() == "in"
        three.run("lock", code=FAILED)
        assert [mount["workspace"] for mount in three.mounts()] == ["a"]
    three.run("lock")
    assert not three.mounts()


def test_by_name(three):
    assert "nothing" in three.run("lock", "b", "nothing", code=NOT_MOUNTED).stderr
    assert len(three.mounts()) == 3  # a slip locks none
    three.run("lock", "b", "home")
    assert [mount["workspace"] for mount in three.mounts()] == ["a"]
    three.run("lock")
    three.run("lock")  # there is nothing left to do
    three.run("lock", "a", code=NOT_MOUNTED)


def read_until_it_fails(path, say):
    with open(path / "kept", "r+b", buffering=0) as file:
        say("open")
        while True:
            try:
                file.write(b"more")
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                os.pread(file.fileno(), 1, 0)
            except OSError as error:
                return error.errno


def take_away(store):
    """By force, from a process that has a file open: it is gone for it, and the keys with it."""
    store.mount()
    (store.directory / "kept").write_bytes(b"kept")
    with Child(lambda say: read_until_it_fails(store.directory, say), talks=True) as child:
        assert child.hear() == "open"
        store.run("lock", code=FAILED)
        store.run("lock", "--force")
        assert child.result() in GONE
        wait_until(lambda: not store.hosts(), 10, "the process to end, and the keys with it")
    assert not mounted_at(store.directory)
    store.mount()
    assert (store.directory / "kept").read_bytes().startswith(b"more")
    assert store.status()["event"] == ""
    store.unmount()
    store.fsck()


def test_by_force(store):
    take_away(store)


@pytest.mark.root
def test_by_force_as_a_user(binary, base, unprivileged):
    """By the kernel's list of connections, which belongs to them; where it is not mounted riad says so."""
    store = Store(binary, base, unprivileged)
    there = (CONNECTIONS / "..").exists() and os.path.ismount(CONNECTIONS)
    try:
        store.init()
        if not there:
            store.mount()
            assert str(CONNECTIONS) in store.run("lock", "--force", code=FAILED).stderr
            store.unmount()
            subprocess.run(["mount", "-t", "fusectl", "none", CONNECTIONS], check=True)
        store.mount()
        store.run("lock", "--force")
        assert not mounted_at(store.directory)
        wait_until(lambda: not store.hosts(), 10, "the process to end")
    finally:
        if not there:
            subprocess.run(["umount", CONNECTIONS], check=False)
        store.remove()


# --- when nobody uses it ---
def test_nobody_uses_it(store):
    store.mount("--lock-idle", "2s")
    assert store.status()["lock_idle_seconds"] == 2
    wait_until(lambda: not store.hosts(), 40, "it to be locked")
    assert not mounted_at(store.directory)
    told, = trail(store, "locked")
    assert told.startswith("nobody used it for ")
    store.mount()
    assert store.status()["lock_idle_seconds"] == 0


def test_somebody_uses_it(store):
    store.mount("--lock-idle", "5s")
    end = time.monotonic() + 8
    number = 0
    while time.monotonic() < end:
        os.statvfs(store.directory)
        (store.directory / f"file{number}").touch()
        number += 1
        time.sleep(0.5)
    assert store.hosts()
    with open(store.directory / "file0", "rb"):  # asks nothing, and keeps it
        time.sleep(7)
        assert store.hosts() and mounted_at(store.directory)
    wait_until(lambda: not store.hosts(), 40, "it to be locked")


def test_monitoring_does_not_count(store):
    store.mount("--lock-idle", "2s")

    def locked():
        os.statvfs(store.directory)
        return not store.hosts()

    wait_until(locked, 40, "it to be locked")


def test_of_many_each_by_itself(store):
    store.run("workspace", "create", store.path, "a", "b")
    store.mount("--all", "--lock-idle", "2s")
    with Child(lambda say: (os.chdir(store.directory / "a"), say("in"), signal.pause()), talks=True) as child:
        assert child.hear() == "in"
        wait_until(lambda: [mount["workspace"] for mount in store.mounts()] == ["a"], 40, "the others to be locked")
    wait_until(lambda: not store.hosts(), 40, "the last one to be locked")


@pytest.mark.parametrize("time_text", ["", "0s", "soon", "-5m", "5", "99999999999999d"])
def test_no_length_of_time(store, time_text):
    assert "length of time" in store.run("mount", store.path, store.directory, "--lock-idle", time_text, code=USAGE).stderr
