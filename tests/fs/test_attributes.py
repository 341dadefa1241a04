"""Modes, owners, times."""
import errno
import os
import stat
import time

import pytest

from harness import as_user, raises_errno
from syscalls import STATX_BTIME, statx


def fill(path, text="x"):
    path.write_text(text, encoding="utf-8")
    return path


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def times(path):
    info = os.lstat(path)
    return info.st_atime_ns, info.st_mtime_ns, info.st_ctime_ns


def pause():
    time.sleep(0.012)  # longer than a tick of the kernel's coarse clock


def test_times_to_the_nanosecond(place, shared):
    values = [(1234567890_123456789, 987654321_000000001), (0, 1), (-1, -1_000000001), (4102444800_999999999, 1 << 62)]
    for number, (accessed, modified) in enumerate(values):
        path = fill(place / f"file{number}")
        os.utime(path, ns=(accessed, modified))
        os.symlink("x", place / f"link{number}")
        os.utime(place / f"link{number}", ns=(accessed, modified), follow_symlinks=False)
        (place / f"dir{number}").mkdir()
        os.utime(place / f"dir{number}", ns=(accessed, modified))
    shared.remount()
    for number, (accessed, modified) in enumerate(values):
        for kind in ("file", "link", "dir"):
            got = times(place / f"{kind}{number}")
            assert got[1] == modified, (kind, number)
            assert got[0] == accessed or accessed < modified, (kind, number)  # relatime may have moved it


def test_birth_time(place, shared):
    before = time.time()
    fill(place / "file")
    born = statx(place / "file")
    if not born.mask & STATX_BTIME:
        pytest.skip("this kernel's FUSE asks for no birth time: Linux does since 6.6")
    assert before - 1 <= born.btime.sec <= time.time() + 1
    pause()
    os.rename(place / "file", place / "moved")
    (place / "moved").write_text("more", encoding="utf-8")
    (place / "moved").chmod(0o600)
    shared.remount()
    after = statx(place / "moved")
    assert (after.btime.sec, after.btime.nsec) == (born.btime.sec, born.btime.nsec)
    assert (after.size, after.mode & 0o7777) == (4, 0o600)
    assert after.ctime.sec * 10**9 + after.ctime.nsec > born.ctime.sec * 10**9 + born.ctime.nsec


def test_what_moves_which_time(place):
    path, other = fill(place / "file"), place / "dir"
    other.mkdir()

    def moved(act, of):
        before = times(of)
        pause()
        act()
        after = times(of)
        return {name for name, a, b in zip(("atime", "mtime", "ctime"), before, after) if a != b}

    assert moved(lambda: fill(path, "more"), path) >= {"mtime", "ctime"}
    assert moved(lambda: os.chmod(path, 0o600), path) == {"ctime"}
    assert moved(lambda: os.truncate(path, 100), path) >= {"mtime", "ctime"}
    assert moved(lambda: os.link(path, place / "second"), path) == {"ctime"}
    assert moved(lambda: os.unlink(place / "second"), path) == {"ctime"}
    assert moved(lambda: os.rename(path, other / "file"), other) == {"mtime", "ctime"}
    assert moved(lambda: os.rename(other / "file", path), place) == {"mtime", "ctime"}
    assert moved(lambda: fill(other / "new"), other) == {"mtime", "ctime"}
    assert moved(lambda: os.unlink(other / "new"), other) == {"mtime", "ctime"}
    assert moved(lambda: os.utime(path, ns=(5, 5)), path) == {"atime", "mtime", "ctime"}
    assert moved(lambda: os.setxattr(path, "user.x", b"1"), path) == {"ctime"}
    assert moved(lambda: os.stat(path), path) == set()
    with open(path, "r+b") as file:
        assert moved(lambda: os.pwrite(file.fileno(), b"x", 0), path) >= {"mtime", "ctime"}
    now = time.time()
    os.utime(path)
    assert abs(os.stat(path).st_mtime - now) < 2


def test_modes_and_umask(place, shared):
    previous = os.umask(0o027)
    try:
        os.close(os.open(place / "file", os.O_CREAT, 0o666))
        os.mkdir(place / "dir", 0o777)
        os.mkfifo(place / "fifo", 0o666)
    finally:
        os.umask(previous)
    assert (mode(place / "file"), mode(place / "dir"), mode(place / "fifo")) == (0o640, 0o750, 0o640)
    for value in (0, 0o7777, 0o4755, 0o1777, 0o600):
        os.chmod(place / "dir", value)
        assert mode(place / "dir") == value
    os.chmod(place / "dir", 0o2711)
    shared.remount()
    assert (mode(place / "file"), mode(place / "dir")) == (0o640, 0o2711)


@pytest.mark.root
def test_owners(place, shared):
    fill(place / "file")
    os.symlink("file", place / "link")
    os.chown(place / "file", 1000, 2000)
    os.lchown(place / "link", 3000, 4294967294)
    shared.remount()
    assert (os.stat(place / "file").st_uid, os.stat(place / "file").st_gid) == (1000, 2000)
    assert (os.lstat(place / "link").st_uid, os.lstat(place / "link").st_gid) == (3000, 4294967294)


def test_owner_may_not_give_away(shared_by_user):
    user = shared_by_user.user

    def act():
        fill(shared_by_user.directory / "mine")
        with raises_errno(errno.EPERM):
            os.chown(shared_by_user.directory / "mine", 0, -1)
        with raises_errno(errno.EPERM):
            os.mknod(shared_by_user.directory / "device", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.chmod(shared_by_user.directory / "mine", 0o4755)
        return mode(shared_by_user.directory / "mine")

    assert (as_user(user.uid, user.gid, act) if user.is_other else act()) == 0o4755


@pytest.mark.root
def test_permissions_bind_other_users(make_store, strangers):
    store = make_store()
    top = store.mount("-o", "allow_other")
    os.chmod(top, 0o755)
    (first, first_gid), (second, second_gid) = strangers
    (top / "home").mkdir()
    os.chown(top / "home", first, first_gid)
    os.chmod(top / "home", 0o700)
    as_user(first, first_gid, fill, top / "home" / "secret")
    with raises_errno(errno.EACCES):
        as_user(second, second_gid, os.listdir, top / "home")
    with raises_errno(errno.EACCES):
        as_user(second, second_gid, open, top / "home" / "secret")
    os.chmod(top / "home", 0o750)
    assert as_user(second, second_gid, os.listdir, top / "home", groups=[first_gid]) == ["secret"]
    with raises_errno(errno.EACCES):
        as_user(second, second_gid, fill, top / "home" / "new")
    with raises_errno(errno.EPERM):
        as_user(second, second_gid, os.chmod, top, 0o777)


@pytest.mark.root
@pytest.mark.parametrize("act", ["write", "truncate", "open-truncate", "chown", "fallocate", "copy"])
def test_set_user_id_is_cleared(make_store_in_session, strangers, act, request):
    store = request.session.__dict__.setdefault("_suid_store", None)
    if store is None:
        store = request.session._suid_store = make_store_in_session()
        os.chmod(store.mount("-o", "allow_other"), 0o755)
    (uid, gid), _ = strangers
    path = fill(store.directory / act, "text" * 10)
    os.chown(path, uid, gid)
    os.chmod(path, 0o6777)

    def change():
        if act == "chown":
            os.chown(path, -1, gid)
            return
        if act == "truncate":
            os.truncate(path, 3)
            return
        fd = os.open(path, os.O_RDWR | (os.O_TRUNC if act == "open-truncate" else 0))
        if act == "write":
            os.pwrite(fd, b"x", 0)
        if act == "fallocate":
            os.posix_fallocate(fd, 0, 100000)
        if act == "copy":
            os.copy_file_range(fd, fd, 4, 0, 20)
        os.close(fd)

    as_user(uid, gid, change)
    assert mode(path) == 0o777


def test_changes_through_an_open_descriptor(place):
    fd = os.open(place / "file", os.O_RDWR | os.O_CREAT)
    os.unlink(place / "file")
    os.fchmod(fd, 0o640)
    os.utime(fd, ns=(1, 2))
    info = os.fstat(fd)
    assert stat.S_IMODE(info.st_mode) == 0o640 and info.st_mtime_ns == 2
    os.close(fd)
