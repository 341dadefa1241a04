"""Which times move with which operation: riad beside the table, and a plain ext4 directory beside it too, if there is one."""
import contextlib
import mmap
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from syscalls import (AT_EMPTY_PATH, AT_STATX_FORCE_SYNC, FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE,
                      RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT, UTIME_NOW, UTIME_OMIT, fallocate, link_followed,
                      renameat2, statx, utimensat)

SIZE = 10_000
WATCHED = (".", "f", "g", "g2", "d", "d/x", "e", "l")  # g2 is another name of g


def make_scene(root):
    root.mkdir()
    for name in ("f", "g"):
        (root / name).write_bytes(b"c" * SIZE)
    os.link(root / "g", root / "g2")
    (root / "d").mkdir()
    (root / "d" / "x").touch()
    (root / "e").mkdir()
    os.symlink("f", root / "l")
    os.setxattr(root / "f", "user.old", b"value")


@contextlib.contextmanager
def opened(path, flags=os.O_RDWR):
    fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def with_fd(function, name="f", flags=os.O_RDWR):
    def run(root):
        with opened(root / name, flags) as fd:
            function(fd)
    return run


def store_through_a_map(root):
    with opened(root / "f", os.O_RDWR | os.O_NOATIME) as fd, mmap.mmap(fd, SIZE) as memory:
        memory[0:4] = b"mmap"
        memory.flush()


def copy_between(size, offset=0):
    def run(root):
        with opened(root / "g", os.O_RDONLY | os.O_NOATIME) as source, opened(root / "f") as target:
            os.copy_file_range(source, target, size, offset, 0)
    return run


def write_while_unlinked(root):
    with opened(root / "f") as fd:
        os.unlink(root / "f")
        os.write(fd, b"x")


def name_a_tmpfile(root):
    with opened(root / "d", os.O_TMPFILE | os.O_RDWR) as fd:
        link_followed(f"/proc/self/fd/{fd}", root / "e" / "named")


def failing(function):
    def run(root):
        with contextlib.suppress(OSError):
            function(root)
            raise AssertionError("it was to fail")
    return run


# What is done in a directory of its own -> what moves: m and c there, a where it is set.
TABLE = {
    # --- names ---
    "create": (lambda r: (r / "new").touch(), ".:mc"),
    "create exclusively": (lambda r: os.close(os.open(r / "new", os.O_CREAT | os.O_EXCL | os.O_RDWR)), ".:mc"),
    "create what is there": (lambda r: os.close(os.open(r / "f", os.O_CREAT | os.O_RDWR)), ""),
    "mkdir": (lambda r: os.mkdir(r / "new"), ".:mc"),
    "mkfifo": (lambda r: os.mkfifo(r / "new"), ".:mc"),
    "symlink": (lambda r: os.symlink("f", r / "new"), ".:mc"),
    "mkdir of what is there": (failing(lambda r: os.mkdir(r / "d")), ""),
    "tmpfile": (lambda r: os.close(os.open(r / "d", os.O_TMPFILE | os.O_RDWR)), ""),
    "tmpfile and its name": (name_a_tmpfile, "e:mc"),
    "link": (lambda r: os.link(r / "f", r / "d" / "new"), "f:c d:mc"),
    "link of a symlink": (lambda r: os.link(r / "l", r / "new", follow_symlinks=False), ".:mc l:c"),
    "link over a name": (failing(lambda r: os.link(r / "f", r / "g")), ""),
    "unlink": (lambda r: os.unlink(r / "f"), ".:mc f:c"),
    "unlink of one of two names": (lambda r: os.unlink(r / "g"), ".:mc g:c g2:c"),
    "unlink and write on": (write_while_unlinked, ".:mc f:mc"),
    "rmdir": (lambda r: os.rmdir(r / "e"), ".:mc e:c"),
    "rmdir of a full directory": (failing(lambda r: os.rmdir(r / "d")), ""),
    "rename": (lambda r: os.rename(r / "f", r / "new"), ".:mc f:c"),
    "rename to itself": (lambda r: os.rename(r / "f", r / "f"), ""),
    "rename onto another name of it": (lambda r: os.rename(r / "g", r / "g2"), ""),
    "rename to another directory": (lambda r: os.rename(r / "f", r / "d" / "new"), ".:mc f:c d:mc"),
    "rename over a file": (lambda r: os.rename(r / "f", r / "d" / "x"), ".:mc f:c d:mc d/x:c"),
    "rename over one of two names": (lambda r: os.rename(r / "f", r / "g"), ".:mc f:c g:c g2:c"),
    "rename of a directory": (lambda r: os.rename(r / "d", r / "new"), ".:mc d:c"),
    "rename of a directory elsewhere": (lambda r: os.rename(r / "d", r / "e" / "new"), ".:mc d:c e:mc"),
    "rename over a directory": (lambda r: os.rename(r / "d", r / "e"), ".:mc d:c e:c"),
    "rename that may not replace": (failing(lambda r: renameat2(r / "f", r / "g", RENAME_NOREPLACE)), ""),
    "exchange": (lambda r: renameat2(r / "f", r / "d" / "x", RENAME_EXCHANGE), ".:mc f:c d:mc d/x:c"),
    "exchange with a directory": (lambda r: renameat2(r / "f", r / "e", RENAME_EXCHANGE), ".:mc f:c e:c"),
    "rename with a whiteout": (lambda r: renameat2(r / "f", r / "d" / "new", RENAME_WHITEOUT), ".:mc f:c d:mc"),
    # --- data ---
    "write": (with_fd(lambda fd: os.write(fd, b"x")), "f:mc"),
    "write of nothing": (with_fd(lambda fd: os.write(fd, b"")), ""),
    "append": (with_fd(lambda fd: os.write(fd, b"x"), flags=os.O_WRONLY | os.O_APPEND), "f:mc"),
    "write past the end": (with_fd(lambda fd: os.pwrite(fd, b"x", 100_000)), "f:mc"),
    "write and fsync": (with_fd(lambda fd: (os.write(fd, b"x"), os.fsync(fd))), "f:mc"),
    "fsync": (with_fd(os.fsync), ""),
    "a store through a map": (store_through_a_map, "f:mc"),
    "open and close": (with_fd(lambda fd: None), ""),
    "truncate": (lambda r: os.truncate(r / "f", 10), "f:mc"),
    "truncate to more": (lambda r: os.truncate(r / "f", 100_000), "f:mc"),
    "truncate to the same": (lambda r: os.truncate(r / "f", SIZE), "f:mc"),
    "ftruncate": (with_fd(lambda fd: os.ftruncate(fd, 10)), "f:mc"),
    "ftruncate to more": (with_fd(lambda fd: os.ftruncate(fd, 100_000)), "f:mc"),
    "ftruncate to the same": (with_fd(lambda fd: os.ftruncate(fd, SIZE)), "f:mc"),
    "O_TRUNC": (with_fd(lambda fd: None, flags=os.O_WRONLY | os.O_TRUNC), "f:mc"),
    "O_TRUNC of an empty file": (with_fd(lambda fd: None, "d/x", os.O_WRONLY | os.O_TRUNC), "d/x:mc"),
    "fallocate": (with_fd(lambda fd: fallocate(fd, 0, 0, 100_000)), "f:mc"),
    "fallocate within": (with_fd(lambda fd: fallocate(fd, 0, 0, 100)), "f:mc"),
    "fallocate keeping the size": (with_fd(lambda fd: fallocate(fd, FALLOC_KEEP_SIZE, SIZE, SIZE)), "f:mc"),
    "punch a hole": (with_fd(lambda fd: fallocate(fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, 0, 5000)), "f:mc"),
    "punch past the end": (with_fd(lambda fd: fallocate(fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, 1 << 20, 5000)), "f:mc"),
    "zero": (with_fd(lambda fd: fallocate(fd, FALLOC_ZERO_RANGE, 100, 5000)), "f:mc"),
    "zero to more": (with_fd(lambda fd: fallocate(fd, FALLOC_ZERO_RANGE, 100, 50_000)), "f:mc"),
    "zero keeping the size": (with_fd(lambda fd: fallocate(fd, FALLOC_ZERO_RANGE | FALLOC_KEEP_SIZE, 0, SIZE)), "f:mc"),
    "copy": (copy_between(SIZE), "f:mc"),
    "copy of nothing": (copy_between(0), ""),
    "copy from past the end": (copy_between(10, SIZE), ""),
    # --- attributes ---
    "chmod": (lambda r: os.chmod(r / "f", 0o600), "f:c"),
    "chmod to the same": (lambda r: os.chmod(r / "f", os.stat(r / "f").st_mode & 0o7777), "f:c"),
    "chmod of a directory": (lambda r: os.chmod(r / "d", 0o700), "d:c"),
    "chown": (lambda r: os.chown(r / "f", os.geteuid(), os.getegid()), "f:c"),
    "chown of nothing": (lambda r: os.chown(r / "f", -1, -1), "f:c"),
    "chown of a symlink": (lambda r: os.lchown(r / "l", os.geteuid(), -1), "l:c"),
    "utimes now": (lambda r: os.utime(r / "f"), "f:amc"),
    "utimes given": (lambda r: os.utime(r / "f", (1, 2)), "f:amc"),
    "utimes of a symlink": (lambda r: os.utime(r / "l", (1, 2), follow_symlinks=False), "l:amc"),
    "utimes without the access time": (lambda r: utimensat(r / "f", (0, UTIME_OMIT), (5, 5)), "f:mc"),
    "utimes without the other": (lambda r: utimensat(r / "f", (5, 5), (0, UTIME_OMIT)), "f:ac"),
    "utimes now and none": (lambda r: utimensat(r / "f", (0, UTIME_NOW), (0, UTIME_OMIT)), "f:ac"),
    "utimes without both": (lambda r: utimensat(r / "f", (0, UTIME_OMIT), (0, UTIME_OMIT)), ""),
    "setxattr": (lambda r: os.setxattr(r / "f", "user.new", b"value"), "f:c"),
    "setxattr to the same": (lambda r: os.setxattr(r / "f", "user.old", b"value"), ""),
    "setxattr of a directory": (lambda r: os.setxattr(r / "d", "user.new", b"value"), "d:c"),
    "setxattr that fails": (failing(lambda r: os.setxattr(r / "f", "user.old", b"", os.XATTR_CREATE)), ""),
    "removexattr": (lambda r: os.removexattr(r / "f", "user.old"), "f:c"),
    "removexattr that fails": (failing(lambda r: os.removexattr(r / "f", "user.none")), ""),
    "getxattr and listxattr": (lambda r: (os.getxattr(r / "f", "user.old"), os.listxattr(r / "f")), ""),
}


def look(fds, flags=0):
    seen = {}
    for name, fd in fds.items():
        info = statx("", AT_EMPTY_PATH | flags, fd)
        seen[name] = {"a": info.atime, "m": info.mtime, "c": info.ctime}
        seen[name] = {letter: (value.sec, value.nsec) for letter, value in seen[name].items()}
    return seen


def difference(before, after):
    words = []
    for name, times in before.items():
        moved = "".join(letter for letter in "amc" if times[letter] != after[name][letter])
        words += [f"{name}:{moved}"] if moved else []
    return " ".join(words)


def what_moves(root, act):
    with contextlib.ExitStack() as stack:
        fds = {name: stack.enter_context(opened(root / name, os.O_PATH | os.O_NOFOLLOW)) for name in WATCHED}
        before = look(fds)
        act(root)
        after = look(fds)
        assert after == look(fds, AT_STATX_FORCE_SYNC), "the kernel kept old times"
        return difference(before, after)


def run_table(directory):
    roots = {name: directory / name.replace(" ", "-") for name in TABLE}
    for root in roots.values():
        make_scene(root)
    time.sleep(0.02)  # more than a tick of the kernel's coarse clock
    return {name: what_moves(roots[name], act) for name, (act, _) in TABLE.items()}


EXPECTED = {name: moved for name, (_, moved) in TABLE.items()}


def test_every_operation_moves_its_times(place):
    assert run_table(place) == EXPECTED


def test_the_table_is_what_ext4_does(base):
    kind = subprocess.run(["stat", "-f", "-c", "%T", base], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    if kind != "ext2/ext3":
        pytest.skip(f"the tests' directory lies on {kind}, not on ext4")
    directory = Path(tempfile.mkdtemp(prefix="times-", dir=base))
    try:
        assert run_table(directory) == EXPECTED
    finally:
        shutil.rmtree(directory)


def test_reading_moves_no_time(place):
    """As with the mount option noatime."""
    make_scene(place / "scene")
    root = place / "scene"
    os.utime(root / "f", (1, 2))  # relatime would move it
    fds = {name: os.open(root / name, os.O_PATH | os.O_NOFOLLOW) for name in WATCHED}
    before = look(fds)
    (root / "f").read_bytes()
    os.listdir(root / "d")
    os.readlink(root / "l")
    with opened(root / "f") as fd, mmap.mmap(fd, SIZE) as memory:
        assert memory[0:1] == b"c"
    assert look(fds, AT_STATX_FORCE_SYNC) == before
    for fd in fds.values():
        os.close(fd)


def test_new_files_have_one_time(place):
    """All four times are the moment of creation, and a new file's directory changed in that moment."""
    (place / "dir").mkdir()
    for name, make in {"file": Path.touch, "sub": Path.mkdir, "link": lambda path: os.symlink("x", path)}.items():
        make(place / "dir" / name)
        info = statx(place / "dir" / name, 0x100)
        new = {(value.sec, value.nsec) for value in (info.mtime, info.ctime, info.btime)}
        if name != "file":  # touch sets its times again
            parent = statx(place / "dir")
            new |= {(info.atime.sec, info.atime.nsec), (parent.mtime.sec, parent.mtime.nsec)}
        assert len(new) == 1 or name == "file", (name, new)
