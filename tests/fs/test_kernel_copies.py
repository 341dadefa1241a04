"""What the kernel keeps of files must be what riad would say: modes that writing changes, pages beside direct writes, and the
file handles that outlive it."""
import ctypes
import errno
import mmap
import os
import platform
import threading
import time

import pytest

from harness import as_user, raises_errno
from syscalls import STATX_MODE, AsynchronousWrites, FileHandle, fallocate, statx

SIZE = 65536


def mode(path):
    """Asked for alone: then the kernel answers by itself if it believes to know."""
    return statx(path, mask=STATX_MODE).mode & 0o7777


def write(path):
    with open(path, "r+b") as file:
        file.write(b"new")


def write_directly(path):
    fd = os.open(path, os.O_RDWR | os.O_DIRECT)
    os.pwritev(fd, [mmap.mmap(-1, 4096)], 0)


def append(path):
    with open(path, "ab") as file:
        file.write(b"more")


def allocate(path):
    fallocate(os.open(path, os.O_RDWR), 0, 0, 2 * SIZE)


def copy(path):
    source, target = os.open(path, os.O_RDONLY), os.open(path, os.O_RDWR)
    assert os.copy_file_range(source, target, 4096, 0, SIZE) == 4096


@pytest.mark.root
def test_modes_that_writing_takes_away(store, strangers):
    (uid, gid), (_, other_gid) = strangers
    top = store.mount("-o", "allow_other")
    top.chmod(0o755)
    path = top / "file"
    path.write_bytes(bytes(SIZE))
    os.chown(path, uid, gid)
    cases = [(0o6755, gid, 0o755), (0o6755, other_gid, 0o755), (0o6745, gid, 0o2745), (0o6745, other_gid, 0o745),
             (0o755, gid, 0o755)]
    for change in (write, write_directly, append, allocate, copy):
        for before, group, after in cases:
            path.chmod(before)
            assert mode(path) == before
            as_user(uid, group, change, path)
            assert mode(path) == after, (change, oct(before), group)
            path.chmod(before)
            change(path)
            assert mode(path) == before, (change, oct(before), "root")
        path.chmod(0o6745)
        as_user(uid, other_gid, change, path, groups=(gid,))
        assert mode(path) == 0o2745 == path.stat().st_mode & 0o7777, (change, "in the group besides")


@pytest.mark.root
def test_handles_outlive_the_mount(place, shared):
    (place / "directory").mkdir()
    (place / "directory" / "file").write_bytes(b"content")
    (place / "gone").write_bytes(b"content")
    handles = [FileHandle(path) for path in (place / "directory" / "file", place / "directory", place / "gone")]
    with open(place / "gone", "rb"):
        os.unlink(place / "gone")
        os.close(handles[2].open(place))
    os.rename(place / "directory", place / "moved")
    shared.remount()
    with os.fdopen(handles[0].open(shared.directory), "rb") as file:
        assert file.read() == b"content"
    directory = handles[1].open(shared.directory)
    assert os.listdir(directory) == ["file"]
    assert os.readlink(f"/proc/self/fd/{directory}") == str(place / "moved")
    os.close(directory)
    with raises_errno(errno.ESTALE):
        handles[2].open(shared.directory)


def read_on(path, finished):
    with open(path, "rb", buffering=0) as file:
        while not finished.is_set():
            os.pread(file.fileno(), SIZE, 0)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of system calls")
def test_no_old_pages_after_asynchronous_direct_writes(place):
    """Readers fill the page cache while the write is under way: what they got must not stay."""
    path = place / "file"
    path.write_bytes(bytes(SIZE))
    memory = mmap.mmap(-1, SIZE)
    buffer = (ctypes.c_char * SIZE).from_buffer(memory)
    finished = threading.Event()
    readers = [threading.Thread(target=read_on, args=(path, finished)) for _ in range(3)]
    fd, end = os.open(path, os.O_RDWR | os.O_DIRECT), time.monotonic() + 2
    with AsynchronousWrites() as writes, open(path, "rb", buffering=0) as cached:
        for reader in readers:
            reader.start()
        try:
            while time.monotonic() < end:
                memory[:] = bytes([memory[0] % 255 + 1]) * SIZE
                assert writes.write(fd, buffer, 0) == SIZE
                assert os.pread(cached.fileno(), SIZE, 0) == memory[:]
        finally:
            finished.set()
            for reader in readers:
                reader.join()
            os.close(fd)
