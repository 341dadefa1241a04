"""The store's disk is full (P6): ENOSPC, nothing damaged, deleting works and gives space back."""
import errno
import os
import subprocess

import pytest

from harness import raises_errno, wait_until

MIB = 1 << 20


@pytest.fixture
def small_store(make_store):
    """A mounted workspace whose store lies on a file system of 100 MiB."""
    store = make_store(init=False)
    store.path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "none", store.path], check=True)
    try:
        store.path = store.path / "store"
        store.init()
        store.mount()
        yield store
    finally:
        store.kill_all()
        subprocess.run(["umount", "-l", store.path.parent], check=True)


def fill(path):
    """Writes until the store refuses; returns the bytes that were taken."""
    taken = 0
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                taken += file.write(os.urandom(MIB))
        except OSError as error:
            assert error.errno == errno.ENOSPC
    return taken


def room(store):
    """What the workspace says is free: it has no limit, so what the store has."""
    status = os.statvfs(store.directory)
    return status.f_bavail * status.f_frsize


@pytest.mark.root
def test_full_store(small_store):
    mount = small_store.directory
    kept = os.urandom(10 * MIB)
    (mount / "kept").write_bytes(kept)
    taken = fill(mount / "big")
    assert 50 * MIB < taken < 90 * MIB and (mount / "big").stat().st_size == taken
    # The reserve is for deleting: overwriting needs new room, and is refused too.
    with open(mount / "kept", "r+b", buffering=0) as file, raises_errno(errno.ENOSPC):
        for _ in range(64):
            file.write(os.urandom(MIB))
    free = room(small_store)
    os.truncate(mount / "kept", 10 * MIB - 1)
    (mount / "big").rename(mount / "large")
    (mount / "large").unlink()
    wait_until(lambda: room(small_store) > free + 30 * MIB, 20, "space of the deleted file")
    (mount / "again").write_bytes(os.urandom(20 * MIB))
    head = (mount / "kept").read_bytes()
    small_store.remount()
    assert (mount / "kept").read_bytes() == head and len(head) == 10 * MIB - 1
    small_store.unmount()
    small_store.fsck()


@pytest.mark.root
def test_every_second_file_of_a_full_store(small_store):
    """No segment is dead then: its live half is copied into what is kept for deleting."""
    mount, number = small_store.directory, 0
    while small_store.status()["state"] == "running":
        try:
            (mount / f"f{number}").write_bytes(number.to_bytes(4, "little") * (MIB // 4))
        except OSError as error:
            assert error.errno == errno.ENOSPC
            break
        number += 1
    (mount / f"f{number}").unlink(missing_ok=True)
    assert number > 50
    free = room(small_store)
    for gone in range(0, number, 2):
        (mount / f"f{gone}").unlink()
    wait_until(lambda: room(small_store) > free + number * MIB // 3, 40, "the space of the deleted files")
    for kept in range(1, number, 2):
        assert (mount / f"f{kept}").read_bytes() == kept.to_bytes(4, "little") * (MIB // 4)
    small_store.unmount()
    small_store.fsck()
