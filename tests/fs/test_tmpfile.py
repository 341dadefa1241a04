"""O_TMPFILE: files without a name, and the name that they may get."""
import contextlib
import errno
import os
import stat

import pytest

from harness import as_user, raises_errno, wait_until
from syscalls import link_followed


def tmpfile(directory, mode=0o640, flags=0):
    return os.open(directory, os.O_TMPFILE | os.O_RDWR | flags, mode)


def give_name(fd, path):
    link_followed(f"/proc/self/fd/{fd}", path)


def wait_for_release(store, usage):
    """The kernel lets a closed file go in its own time."""
    wait_until(lambda: store.usage() == usage, what="the kernel's release of closed files")


def test_it_is_a_file_without_a_name(place, shared):
    before, usage = os.stat(place), shared.usage()
    umask = os.umask(0o027)
    try:
        fd = tmpfile(place, 0o666)
    finally:
        os.umask(umask)
    info = os.fstat(fd)
    assert stat.S_ISREG(info.st_mode) and stat.S_IMODE(info.st_mode) == 0o640
    assert (info.st_nlink, info.st_size, info.st_uid) == (0, 0, os.geteuid())
    assert os.write(fd, b"x" * 100_000) == 100_000
    assert os.pread(fd, 100_000, 0) == b"x" * 100_000
    assert not os.listdir(place)
    after = os.stat(place)
    assert (after.st_nlink, after.st_mtime_ns) == (before.st_nlink, before.st_mtime_ns)
    os.close(fd)
    wait_for_release(shared, usage)


def test_its_space_comes_back(place, shared):
    before = shared.usage()
    fds = [tmpfile(place) for _ in range(10)]
    for fd in fds:
        os.write(fd, b"x" * 40_960)
    blocks, inodes = shared.usage()
    assert (blocks - before[0], inodes - before[1]) == (100, 10)
    for fd in fds:
        os.close(fd)
    wait_for_release(shared, before)


def test_a_name_makes_a_file_of_it(place, shared):
    fd = tmpfile(place, 0o600)
    os.write(fd, b"content")
    give_name(fd, place / "named")
    info = os.stat(place / "named")
    assert (info.st_nlink, info.st_size, info.st_ino) == (1, 7, os.fstat(fd).st_ino)
    os.write(fd, b" goes on")
    give_name(fd, place / "second")
    assert os.stat(place / "named").st_nlink == 2
    with raises_errno(errno.EEXIST):
        give_name(fd, place / "second")
    os.close(fd)
    shared.remount()
    assert (place / "second").read_bytes() == b"content goes on"
    os.unlink(place / "named")
    assert os.stat(place / "second").st_nlink == 1


def test_what_may_get_no_name(place):
    exclusive = tmpfile(place, flags=os.O_EXCL)
    with raises_errno(errno.ENOENT):
        give_name(exclusive, place / "never")
    os.close(exclusive)
    fd = tmpfile(place)
    give_name(fd, place / "once")
    os.unlink(place / "once")
    with raises_errno(errno.ENOENT):
        give_name(fd, place / "again")
    os.close(fd)
    plain = os.open(place / "plain", os.O_CREAT | os.O_RDWR)
    os.unlink(place / "plain")
    with raises_errno(errno.ENOENT):
        give_name(plain, place / "again")
    os.close(plain)
    assert not os.listdir(place)


def test_opening_it_wrongly(place):
    (place / "file").touch()
    with raises_errno(errno.EINVAL):
        os.close(os.open(place, os.O_TMPFILE | os.O_RDONLY))
    with raises_errno(errno.ENOTDIR):
        os.close(tmpfile(place / "file"))
    with raises_errno(errno.ENOENT):
        os.close(tmpfile(place / "missing"))


def test_the_group_of_a_setgid_directory(place):
    if os.geteuid() != 0:
        pytest.skip("needs another group")
    os.chown(place, 0, 12345)
    place.chmod(0o2777)
    fd = tmpfile(place)
    assert os.fstat(fd).st_gid == 12345
    os.close(fd)


@pytest.mark.root
def test_a_directory_that_one_may_not_write(make_store, unprivileged):
    store = make_store()
    mount = store.mount("-o", "allow_other")
    mount.chmod(0o755)
    (mount / "closed").mkdir(0o755)
    (mount / "open").mkdir()
    (mount / "open").chmod(0o777)

    def attempt():
        with raises_errno(errno.EACCES):
            os.close(tmpfile(mount / "closed"))
        fd = tmpfile(mount / "open")
        assert os.fstat(fd).st_uid == unprivileged.uid
        give_name(fd, mount / "open" / "mine")
        os.close(fd)

    as_user(unprivileged.uid, unprivileged.gid, attempt)
    assert os.stat(mount / "open" / "mine").st_uid == unprivileged.uid


def test_a_crash_frees_it_and_the_limit_counts_it(store, mount):
    lost, kept = tmpfile(mount), tmpfile(mount)
    for fd in (lost, kept):
        os.write(fd, b"x" * 8192)
    give_name(kept, mount / "kept")
    os.fsync(kept)
    store.kill()
    for fd in (lost, kept):
        with contextlib.suppress(OSError):  # its mount is dead
            os.close(fd)
    store.mount()
    assert store.usage() == (1 + 2, 2)  # the root, and the linked one's two blocks
    assert (mount / "kept").read_bytes() == b"x" * 8192
    store.unmount()
    store.fsck()
    store.run("quota", "set", store.path, "-I", "3")
    store.mount()
    held = tmpfile(mount)
    with raises_errno(errno.EDQUOT):
        os.close(tmpfile(mount))
    os.close(held)
    wait_for_release(store, (1 + 2, 2))
    os.close(tmpfile(mount))
