"""Inode flags (chattr): what immutable and append-only forbid, on riad and on ext4 if there is one, and who may set them."""
import array
import contextlib
import errno
import fcntl
import mmap
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import as_user, raises_errno, wait_until
from syscalls import (FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE, RENAME_EXCHANGE, UTIME_NOW, UTIME_OMIT,
                      fallocate, renameat2, utimensat)

GETFLAGS, SETFLAGS = 0x80086601, 0x40086602
FSGETXATTR, FSSETXATTR = 0x801c581f, 0x401c5820
IMMUTABLE, APPEND, NODUMP, NOATIME, SYNC = 0x10, 0x20, 0x40, 0x80, 0x8
XFLAG_IMMUTABLE, XFLAG_NODUMP = 0x8, 0x80
KNOWN = IMMUTABLE | APPEND | NODUMP | NOATIME


@contextlib.contextmanager
def opened(path, flags=os.O_RDONLY):
    fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def get_flags(path):
    value = array.array("L", [0])
    with opened(path) as fd:
        fcntl.ioctl(fd, GETFLAGS, value)
    return value[0] & KNOWN


def set_flags(path, flags):
    """Keeps what else the file system shows, such as ext4's extents."""
    value = array.array("L", [0])
    with opened(path) as fd:
        fcntl.ioctl(fd, GETFLAGS, value)
        value[0] = value[0] & ~KNOWN | flags
        fcntl.ioctl(fd, SETFLAGS, value)


def clear_flags(directory):
    for root, _, files in os.walk(directory):
        set_flags(root, 0)
        for path in (Path(root, name) for name in files):
            if path.is_file() and not path.is_symlink():
                set_flags(path, 0)


class Stage:
    """d/f and d/g with some bytes, d/sub, and x beside; fds opened before any flag is set."""

    def __init__(self, root):
        root.mkdir()
        self.d, self.f, self.x = root / "d", root / "d" / "f", root / "x"
        (self.d / "sub").mkdir(parents=True)
        for path in (self.f, self.d / "g", self.x):
            path.write_bytes(b"c" * 5000)
        os.setxattr(self.f, "user.old", b"value")
        self.fd, self.appender = os.open(self.f, os.O_RDWR), os.open(self.f, os.O_RDWR | os.O_APPEND)

    def copy(self):
        with opened(self.d / "g") as source:
            os.copy_file_range(source, self.fd, 5000, 0, 0)

    def new(self):
        return self.d / "new"

    def close(self):
        os.close(self.fd)
        os.close(self.appender)
        clear_flags(self.d)


# Operation -> which of the four states forbid it: the file immutable, append-only; its directory immutable, append-only.
# A descriptor that was opened before the file became append-only goes on overwriting on ext4: that is not compared.
TABLE = {
    "append": (lambda s: os.write(s.appender, b"x"), "i"),
    "truncate": (lambda s: os.truncate(s.f, 10), "ia"),
    "ftruncate": (lambda s: os.ftruncate(s.fd, 10), "ia"),
    "open with O_TRUNC": (lambda s: os.close(os.open(s.f, os.O_WRONLY | os.O_TRUNC)), "ia"),
    "chmod": (lambda s: os.chmod(s.f, 0o600), "ia"),
    "chown": (lambda s: os.chown(s.f, 1, 1), "ia"),
    "utimes now": (lambda s: os.utime(s.f), "i"),
    "utimes given": (lambda s: os.utime(s.f, (1, 2)), "ia"),
    "utimes of one, now": (lambda s: utimensat(s.f, (0, UTIME_NOW), (0, UTIME_OMIT)), "ia"),
    "setxattr": (lambda s: os.setxattr(s.f, "user.new", b"v"), "ia"),
    "removexattr": (lambda s: os.removexattr(s.f, "user.old"), "ia"),
    "fallocate": (lambda s: fallocate(s.fd, 0, 0, 10_000), "i"),
    "punch": (lambda s: fallocate(s.fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, 0, 4096), "ia"),
    "zero": (lambda s: fallocate(s.fd, FALLOC_ZERO_RANGE, 0, 4096), "ia"),
    "read": (lambda s: s.f.read_bytes(), ""),
    "link": (lambda s: os.link(s.f, s.x.with_name("y")), "ia"),
    "link into": (lambda s: os.link(s.x, s.new()), "I"),
    "unlink": (lambda s: os.unlink(s.f), "iaIA"),
    "unlink beside": (lambda s: os.unlink(s.d / "g"), "IA"),
    "rmdir": (lambda s: os.rmdir(s.d / "sub"), "IA"),
    "rename": (lambda s: os.rename(s.f, s.new()), "iaIA"),
    "rename over": (lambda s: os.rename(s.x, s.f), "iaIA"),
    "rename into": (lambda s: os.rename(s.x, s.new()), "I"),
    "rename out": (lambda s: os.rename(s.d / "g", s.x), "IA"),
    "rename of the directory": (lambda s: os.rename(s.d, s.x.with_name("e")), "IA"),
    "exchange": (lambda s: renameat2(s.x, s.f, RENAME_EXCHANGE), "iaIA"),
    "create": (lambda s: s.new().touch(), "I"),
    "create what is there": (lambda s: os.close(os.open(s.f, os.O_RDONLY | os.O_CREAT)), ""),
    "mkdir": (lambda s: s.new().mkdir(), "I"),
    "mkdir of what is there": (lambda s: (s.d / "sub").mkdir(exist_ok=True), ""),
    "symlink": (lambda s: os.symlink("x", s.new()), "I"),
    "mkfifo": (lambda s: os.mkfifo(s.new()), "I"),
    "tmpfile": (lambda s: os.close(os.open(s.d, os.O_TMPFILE | os.O_RDWR)), "I"),
    "chmod of the directory": (lambda s: os.chmod(s.d, 0o700), "IA"),
    "setxattr of the directory": (lambda s: os.setxattr(s.d, "user.new", b"v"), "IA"),
    "another flag": (lambda s: set_flags(s.f, get_flags(s.f) | NODUMP), "i"),
}
ONLY_RIAD = {
    "write by an older descriptor": (lambda s: os.pwrite(s.fd, b"x", 0), "ia"),
    "copy by an older descriptor": (Stage.copy, "ia"),
}
STATES = {"i": ("f", IMMUTABLE), "a": ("f", APPEND), "I": ("d", IMMUTABLE), "A": ("d", APPEND)}


def forbidden(root, act):
    states = ""
    for number, (letter, (target, flags)) in enumerate(STATES.items()):
        stage = Stage(root / str(number))
        set_flags(getattr(stage, target), flags)
        try:
            act(stage)
        except PermissionError as error:
            assert error.errno == errno.EPERM
            states += letter
        finally:
            for path in (stage.d, root / str(number) / "e"):
                if path.exists():
                    stage.d = path
            stage.close()
    return states


def run_table(root, table):
    found = {}
    for number, (name, (act, _)) in enumerate(table.items()):
        (root / f"op{number}").mkdir()
        found[name] = forbidden(root / f"op{number}", act)
    return found


def expected_of(table):
    return {name: states for name, (_, states) in table.items()}


@pytest.mark.root
def test_what_flags_forbid(place):
    table = {**TABLE, **ONLY_RIAD}
    assert run_table(place, table) == expected_of(table)


@pytest.mark.root
def test_the_table_is_what_ext4_does(base):
    kind = subprocess.run(["stat", "-f", "-c", "%T", base], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    if kind != "ext2/ext3":
        pytest.skip(f"the tests' directory lies on {kind}, not on ext4")
    directory = Path(tempfile.mkdtemp(prefix="flags-", dir=base))
    try:
        assert run_table(directory, TABLE) == expected_of(TABLE)
    finally:
        clear_flags(directory)
        shutil.rmtree(directory)


@pytest.mark.root
def test_they_stay(place, shared):
    (place / "file").touch()
    (place / "dir").mkdir()
    set_flags(place / "file", IMMUTABLE | NODUMP)
    set_flags(place / "dir", APPEND | NODUMP | NOATIME)
    (place / "dir" / "inside").touch()
    (place / "dir" / "sub").mkdir()
    shared.remount()
    assert get_flags(place / "file") == IMMUTABLE | NODUMP
    assert get_flags(place / "dir") == APPEND | NODUMP | NOATIME
    assert get_flags(place / "dir" / "inside") == get_flags(place / "dir" / "sub") == NODUMP | NOATIME
    with raises_errno(errno.EPERM):
        os.unlink(place / "file")
    clear_flags(place)
    os.unlink(place / "file")


def extended(path):
    value = array.array("I", [0] * 7)
    with opened(path) as fd:
        fcntl.ioctl(fd, FSGETXATTR, value)
    return list(value)


def set_extended(path, *values):
    with opened(path) as fd:
        fcntl.ioctl(fd, FSSETXATTR, array.array("I", [*values, *[0] * (7 - len(values))]))


def test_the_other_form_and_what_is_not_kept(place):
    (place / "file").touch()
    set_extended(place / "file", XFLAG_NODUMP)
    assert get_flags(place / "file") == NODUMP and extended(place / "file") == [XFLAG_NODUMP, 0, 0, 0, 0, 0, 0]
    for flags in (SYNC, 0x4, 0x20000000):  # synchronous, compressed, project
        with raises_errno(errno.EOPNOTSUPP):
            with opened(place / "file") as fd:
                fcntl.ioctl(fd, SETFLAGS, array.array("L", [flags]))
    with raises_errno(errno.EOPNOTSUPP, errno.EINVAL):
        set_extended(place / "file", 0, 0, 0, 77)  # a project
    assert get_flags(place / "file") == NODUMP
    before = os.stat(place / "file")
    set_flags(place / "file", 0)
    after = os.stat(place / "file")
    assert after.st_ctime_ns > before.st_ctime_ns and after.st_mtime_ns == before.st_mtime_ns


@pytest.mark.root
def test_who_may_set_them(make_store, strangers):
    store = make_store()
    top = store.mount("-o", "allow_other")
    top.chmod(0o755)
    (owner, group), (other, other_group) = strangers
    (top / "file").touch()
    os.chown(top / "file", owner, group)
    as_user(owner, group, set_flags, top / "file", NODUMP)
    for flags in (IMMUTABLE, APPEND):
        with raises_errno(errno.EPERM):
            as_user(owner, group, set_flags, top / "file", flags)
    with raises_errno(errno.EPERM, errno.EACCES):
        as_user(other, other_group, set_flags, top / "file", 0)
    set_flags(top / "file", IMMUTABLE)
    with raises_errno(errno.EPERM):
        as_user(owner, group, set_flags, top / "file", 0)
    set_flags(top / "file", 0)
    assert get_flags(top / "file") == 0


@pytest.mark.root
def test_a_map_of_what_became_immutable_shows_what_is_stored(mount):
    """The kernel lets a program store into its map; writing it back is refused, and then nobody reads it any more."""
    file = mount / "file"
    file.write_bytes(b"old" * 5000)
    with opened(file, os.O_RDWR) as fd, mmap.mmap(fd, 0) as view:
        set_flags(file, IMMUTABLE)
        view[:] = b"new" * 5000
        with raises_errno(errno.EPERM):
            view.flush()
        wait_until(lambda: view[:] == b"old" * 5000)
        assert file.read_bytes() == b"old" * 5000
        set_flags(file, 0)
        view[:] = b"new" * 5000
        view.flush()
    assert file.read_bytes() == b"new" * 5000
