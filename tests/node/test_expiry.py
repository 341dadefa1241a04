"""A workspace that expires is read only, then locked, and kept; extending it opens it again."""
import errno
import json
import os
import shutil
import time

import pytest

from harness import DAMAGED, FAILED, LOCKED, USAGE, mounted_at, raises_errno, wait_until


def listed(store, name):
    workspaces = json.loads(store.run("workspace", "list", "--json", store.path).stdout)["workspaces"]
    return next(entry for entry in workspaces if entry["workspace"] == name)


def events(store, kind):
    told = json.loads(store.run("events", "--json").stdout)["events"]
    return [event["text"] for event in told if event["event"] == kind]


def extend(store, *options, **more):
    return store.run("workspace", "extend", store.path, "project", *options, **more)


@pytest.fixture
def project(store):
    store.run("workspace", "create", store.path, "project")
    return store


def changes(top):
    """One of each kind; each must be refused alike."""
    fd = os.open(top / "file", os.O_RDWR)
    try:
        yield lambda: os.pwrite(fd, b"x", 0)
        yield lambda: os.ftruncate(fd, 0)
        yield lambda: os.setxattr(fd, "user.x", b"x")
    finally:
        os.close(fd)
    yield lambda: (top / "new").write_bytes(b"")
    yield lambda: (top / "new").mkdir()
    yield lambda: os.unlink(top / "file")
    yield lambda: os.rename(top / "file", top / "moved")
    yield lambda: os.link(top / "file", top / "link")
    yield lambda: os.chmod(top / "file", 0o600)
    yield lambda: os.utime(top / "file", (1, 1))


def test_its_life(project):
    top = project.directory
    project.mount("-w", "project")
    (top / "file").write_bytes(b"a year's work")
    extend(project, "--expires", "3s", "--grace", "1h")
    assert listed(project, "project")["expiry"] == "live"
    with open(top / "file", "ab", buffering=0) as file:
        file.write(b"!")  # it lives
        wait_until(lambda: project.status()["state"] == "read-only", 15, "the expiry of the mounted workspace")
        assert listed(project, "project")["expiry"] == "grace"
        with raises_errno(errno.EROFS):
            file.write(b"too late")
    for change in changes(top):
        with raises_errno(errno.EROFS):
            change()
    assert (top / "file").read_bytes() == b"a year's work!" and os.listdir(top) == ["file"]
    # Mounted anew it can be read, too.
    project.unmount()
    project.mount("-w", "project")
    with raises_errno(errno.EROFS):
        (top / "new").write_bytes(b"")
    assert (top / "file").read_bytes() == b"a year's work!"
    # The grace ends: it is unmounted by itself.
    extend(project, "--grace", "0s")
    wait_until(lambda: not mounted_at(top), 15, "the lock")
    assert listed(project, "project")["expiry"] == "locked"
    refusal = project.mount("-w", "project", code=LOCKED).stderr
    assert "expired" in refusal and "extend" in refusal and "kept" in refusal
    project.fsck()
    assert events(project, "expiry") == ["expired: it can be read only", "expired: it can be read only",
                                         "the grace is over: it is locked, and kept"]
    assert "expired and locked" in events(project, "mount-failed")
    # Extended it is as before.
    extend(project, "--expires", "90d")
    project.mount("-w", "project")
    assert (top / "file").read_bytes() == b"a year's work!"
    (top / "new").write_bytes(b"")


def test_it_is_extended_while_mounted(project):
    extend(project, "--expires", "2s", "--grace", "1h")
    project.mount("-w", "project")
    wait_until(lambda: project.status()["state"] == "read-only", 15, "the expiry")
    with raises_errno(errno.EROFS):
        (project.directory / "file").write_bytes(b"x")
    extend(project, "--expires", "never")
    (project.directory / "file").write_bytes(b"x")
    assert project.status()["state"] == "running" and project.status()["expires"] == 0
    assert listed(project, "project")["expiry"] == "live"


def test_who_reads_when_it_is_locked_may_finish(project):
    project.mount("-w", "project")
    (project.directory / "file").write_bytes(b"x" * 1000)
    with open(project.directory / "file", "rb", buffering=0) as file:
        extend(project, "--expires", "1s", "--grace", "0s")
        wait_until(lambda: not mounted_at(project.directory), 15, "the lock")
        assert file.read() == b"x" * 1000
        assert project.hosts(), "it serves whoever has files open"
    wait_until(lambda: not project.hosts(), 15, "the end of the process")


def test_the_others_go_on(project):
    """--all leaves out what is locked, and a workspace that is locked takes no other one along."""
    extend(project, "--expires", "2s", "--grace", "0s")
    top = project.make_directory(project.base / "all")
    project.mount("--all", directory=top)
    wait_until(lambda: not mounted_at(top / "project"), 15, "the lock")
    (top / "home" / "file").write_bytes(b"x")
    project.unmount(top / "home")
    assert "locked" in project.run("mount", "--all", project.path, top).stderr
    assert mounted_at(top / "home") and not mounted_at(top / "project")
    project.unmount(top / "home")


def test_made_with_an_expiry(store):
    store.run("workspace", "create", store.path, "short", "--expires", "30d", "--grace", "2d")
    entry = listed(store, "short")
    assert abs(entry["expires"] - time.time() - 30 * 86400) < 60 and entry["grace_seconds"] == 2 * 86400
    store.run("workspace", "create", store.path, "dated", "--expires", "2099-12-31T00:00:00Z")
    entry = listed(store, "dated")
    assert entry["expires"] == 4102358400 and entry["grace_seconds"] == 14 * 86400
    assert "2099" in store.run("workspace", "list", store.path).stdout
    told = json.loads(store.run("workspace", "extend", store.path, "dated", "--expires", "never", "--json").stdout)
    assert told["expires"] == 0 and told["id"] == entry["id"]
    for wrong in (("--expires", "soon"), ("--expires", "2001-01-01"), ("--expires", "0s"), ("--grace", "-1d"), ("--grace", "2d"),
                  ("--expires", "9d", "--grace", "1000000w"), ("--expires", "99999999999999d")):
        store.run("workspace", "create", store.path, "wrong", *wrong, code=USAGE)
    extend(store, code=USAGE)
    extend(store, "--expires", "9d", code=FAILED)


def test_an_older_expiry_does_not_come_back(project):
    """The storage's admin puts the catalog of before the extension back: refused, mounted or not."""
    project.mount("-w", "project")
    shutil.copytree(project.path / "catalog", project.base / "old")
    extend(project, "--expires", "1s", "--grace", "1h")
    wait_until(lambda: project.status()["state"] == "read-only", 15, "the expiry")
    shutil.rmtree(project.path / "catalog")
    shutil.copytree(project.base / "old", project.path / "catalog")
    assert not project.control("reload")["ok"]
    with raises_errno(errno.EROFS):
        (project.directory / "file").write_bytes(b"x")
    project.unmount()
    project.mount("-w", "project", code=DAMAGED)
