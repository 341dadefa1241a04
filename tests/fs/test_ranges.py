"""Edge cases of copy_file_range, fallocate and lseek: the table, riad beside it, and plain ext4 beside it too, if there is one."""
import errno
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from syscalls import FALLOC_COLLAPSE_RANGE, FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE, fallocate

FALLOC_INSERT_RANGE, FALLOC_UNSHARE_RANGE = 0x20, 0x40
KEEP, PUNCH, ZERO = FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE
UNIT = 65536  # ext4's holes are whole blocks
SIZE = 3 * UNIT + 100


class Stage:
    """`data` and `other` are full of bytes, `holes` is hole, data, hole, data, hole; `empty` is."""

    def __init__(self, root):
        root.mkdir()
        self.root, self.fds = root, []
        (root / "data").write_bytes(bytes(range(1, 101)) * (SIZE // 100) + b"e" * (SIZE % 100))
        (root / "other").write_bytes(b"o" * SIZE)
        (root / "empty").touch()
        with open(root / "holes", "wb") as file:
            for place in (UNIT, 3 * UNIT):
                os.pwrite(file.fileno(), b"h" * UNIT, place)
            os.ftruncate(file.fileno(), 5 * UNIT)
        (root / "dir").mkdir()
        os.mkfifo(root / "fifo")

    def open(self, name, flags=os.O_RDWR):
        self.fds.append(os.open(self.root / name, flags))
        return self.fds[-1]

    def copy(self, source, target, length, start, to, flags=os.O_RDWR):
        return os.copy_file_range(self.open(source, os.O_RDONLY), self.open(target, flags), length, start, to)

    def copy_within(self, name, length, start, to):
        fd = self.open(name)
        return os.copy_file_range(fd, fd, length, start, to)

    def allocate(self, name, mode, offset, length, flags=os.O_RDWR):
        return fallocate(self.open(name, flags), mode, offset, length)

    def seek(self, name, offset, whence):
        return os.lseek(self.open(name, os.O_RDONLY), offset, whence)

    def contents(self):
        return {name: (self.root / name).read_bytes() for name in ("data", "other", "holes", "empty")}

    def close(self):
        for fd in self.fds:
            os.close(fd)


DATA, HOLE = os.SEEK_DATA, os.SEEK_HOLE
MOST = (1 << 63) - 1

TABLE = {
    # --- copy_file_range ---
    "copy": (lambda s: s.copy("data", "other", SIZE, 0, 0), SIZE),
    "copy a part of a block": (lambda s: s.copy("data", "other", 77, 5, 4090), 77),
    "copy across blocks": (lambda s: s.copy("data", "other", UNIT, 5, 4090), UNIT),
    "copy past the end of the source": (lambda s: s.copy("data", "other", 1000, SIZE - 10, 0), 10),
    "copy from the end": (lambda s: s.copy("data", "other", 10, SIZE, 0), 0),
    "copy from behind the end": (lambda s: s.copy("data", "other", 10, SIZE + 5000, 0), 0),
    "copy nothing": (lambda s: s.copy("data", "other", 0, 0, 0), 0),
    "copy from an empty file": (lambda s: s.copy("empty", "other", 10, 0, 0), 0),
    "copy to the end": (lambda s: s.copy("data", "other", 1000, 0, SIZE), 1000),
    "copy behind the end": (lambda s: s.copy("data", "other", 1000, 0, SIZE + 5000), 1000),
    "copy into an empty file": (lambda s: s.copy("data", "empty", SIZE, 0, 0), SIZE),
    "copy holes": (lambda s: s.copy("holes", "other", SIZE, 100, 50), SIZE),
    "copy data over holes": (lambda s: s.copy("data", "holes", SIZE, 0, UNIT // 2), SIZE),
    "copy into itself": (lambda s: s.copy_within("data", 1000, 0, UNIT), 1000),
    "copy into itself, touching": (lambda s: s.copy_within("data", 1000, 0, 1000), 1000),
    "copy into itself, overlapping": (lambda s: s.copy_within("data", 1000, 0, 999), errno.EINVAL),
    "copy into itself, in place": (lambda s: s.copy_within("data", 1000, 10, 10), errno.EINVAL),
    "copy into itself, past the end": (lambda s: s.copy_within("data", 1 << 20, 0, SIZE), SIZE),
    "copy to what is open for reading": (lambda s: s.copy("data", "other", 10, 0, 0, os.O_RDONLY), errno.EBADF),
    "copy from what is open for writing": (
        lambda s: os.copy_file_range(s.open("data", os.O_WRONLY), s.open("other"), 10, 0, 0), errno.EBADF),
    "copy to what is open for appending": (
        lambda s: s.copy("data", "other", 10, 0, 0, os.O_RDWR | os.O_APPEND), errno.EBADF),
    "copy from a directory": (lambda s: s.copy("dir", "other", 10, 0, 0), errno.EISDIR),
    "copy to a fifo": (lambda s: os.copy_file_range(s.open("data"), s.open("fifo"), 10, 0), errno.EINVAL),
    "copy to an impossible place": (lambda s: s.copy("data", "other", 1000, 0, MOST - 10), errno.EFBIG),
    "copy from an impossible place": (lambda s: s.copy("data", "other", 1000, MOST - 10, 0), 0),
    # --- fallocate ---
    "allocate": (lambda s: s.allocate("data", 0, 0, SIZE + 5000), 0),
    "allocate in a hole": (lambda s: s.allocate("holes", 0, 0, UNIT), 0),
    "allocate behind the end": (lambda s: s.allocate("data", 0, SIZE + UNIT, 10), 0),
    "allocate, keeping the size": (lambda s: s.allocate("data", KEEP, 0, SIZE + 5000), 0),
    "allocate nothing": (lambda s: s.allocate("data", 0, 0, 0), errno.EINVAL),
    "allocate from before the beginning": (lambda s: s.allocate("data", 0, -1, 10), errno.EINVAL),
    "allocate a negative length": (lambda s: s.allocate("data", 0, 0, -10), errno.EINVAL),
    "allocate past all bounds": (lambda s: s.allocate("data", 0, MOST - 10, 10), errno.EFBIG),
    "allocate over all bounds": (lambda s: s.allocate("data", 0, MOST - 10, 100), errno.EFBIG),
    "allocate in what is open for reading": (lambda s: s.allocate("data", 0, 0, 10, os.O_RDONLY), errno.EBADF),
    "allocate in a directory": (lambda s: s.allocate("dir", 0, 0, 10, os.O_RDONLY), errno.EBADF),
    "allocate in a fifo": (lambda s: s.allocate("fifo", 0, 0, 10), errno.ESPIPE),
    "punch": (lambda s: s.allocate("data", PUNCH | KEEP, UNIT, UNIT), 0),
    "punch parts of blocks": (lambda s: s.allocate("data", PUNCH | KEEP, 100, UNIT), 0),
    "punch within a block": (lambda s: s.allocate("data", PUNCH | KEEP, 100, 10), 0),
    "punch all": (lambda s: s.allocate("data", PUNCH | KEEP, 0, 1 << 30), 0),
    "punch behind the end": (lambda s: s.allocate("data", PUNCH | KEEP, SIZE + UNIT, UNIT), 0),
    "punch a hole": (lambda s: s.allocate("holes", PUNCH | KEEP, 0, UNIT), 0),
    "punch without keeping the size": (lambda s: s.allocate("data", PUNCH, 0, UNIT), errno.EOPNOTSUPP),
    "zero": (lambda s: s.allocate("data", ZERO, UNIT, UNIT), 0),
    "zero parts of blocks": (lambda s: s.allocate("data", ZERO, 100, UNIT), 0),
    "zero within a block": (lambda s: s.allocate("data", ZERO, 100, 10), 0),
    "zero past the end": (lambda s: s.allocate("data", ZERO, 100, 2 * SIZE), 0),
    "zero past the end, keeping the size": (lambda s: s.allocate("data", ZERO | KEEP, 100, 2 * SIZE), 0),
    "zero a hole": (lambda s: s.allocate("holes", ZERO, 100, UNIT), 0),
    "zero and punch": (lambda s: s.allocate("data", ZERO | PUNCH | KEEP, 0, UNIT), errno.EOPNOTSUPP),
    "an unknown mode": (lambda s: s.allocate("data", 0x8000, 0, UNIT), errno.EOPNOTSUPP),
    # --- lseek ---
    "data at the beginning": (lambda s: s.seek("data", 0, DATA), 0),
    "data within": (lambda s: s.seek("data", 12345, DATA), 12345),
    "data at the last byte": (lambda s: s.seek("data", SIZE - 1, DATA), SIZE - 1),
    "data at the end": (lambda s: s.seek("data", SIZE, DATA), errno.ENXIO),
    "data behind the end": (lambda s: s.seek("data", SIZE + 1, DATA), errno.ENXIO),
    "data before the beginning": (lambda s: s.seek("data", -1, DATA), errno.ENXIO),
    "a hole at the beginning": (lambda s: s.seek("data", 0, HOLE), SIZE),
    "a hole at the end": (lambda s: s.seek("data", SIZE, HOLE), errno.ENXIO),
    "a hole before the beginning": (lambda s: s.seek("data", -1, HOLE), errno.ENXIO),
    "data behind a hole": (lambda s: s.seek("holes", 0, DATA), UNIT),
    "data behind a hole, from within": (lambda s: s.seek("holes", 2 * UNIT + 7, DATA), 3 * UNIT),
    "data in the last hole": (lambda s: s.seek("holes", 4 * UNIT, DATA), errno.ENXIO),
    "a hole where one is": (lambda s: s.seek("holes", 7, HOLE), 7),
    "a hole behind data": (lambda s: s.seek("holes", UNIT, HOLE), 2 * UNIT),
    "the last hole": (lambda s: s.seek("holes", 3 * UNIT + 1, HOLE), 4 * UNIT),
    "data in nothing": (lambda s: s.seek("empty", 0, DATA), errno.ENXIO),
    "a hole in nothing": (lambda s: s.seek("empty", 0, HOLE), errno.ENXIO),
    "an unknown direction": (lambda s: s.seek("data", 0, 9), errno.EINVAL),
}
# What ext4 has and FUSE has not.
ONLY_RIAD = {
    "collapse": (lambda s: s.allocate("data", FALLOC_COLLAPSE_RANGE, 0, UNIT), errno.EOPNOTSUPP),
    "insert": (lambda s: s.allocate("data", FALLOC_INSERT_RANGE, 0, UNIT), errno.EOPNOTSUPP),
    "unshare": (lambda s: s.allocate("data", FALLOC_UNSHARE_RANGE, 0, UNIT), errno.EOPNOTSUPP),
}


def attempt(root, act):
    """The result or errno, and what the files hold then."""
    stage = Stage(root)
    try:
        result = act(stage) or 0
    except OSError as error:
        result = error.errno
    finally:
        stage.close()
    return result, stage.contents()


def run_table(directory, table):
    return {name: attempt(directory / f"op{number}", act) for number, (name, (act, _)) in enumerate(table.items())}


def results(found):
    return {name: result for name, (result, _) in found.items()}


def expected_of(table):
    return {name: result for name, (_, result) in table.items()}


def on_ext4(base):
    kind = subprocess.run(["stat", "-f", "-c", "%T", base], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    if kind != "ext2/ext3":
        pytest.skip(f"the tests' directory lies on {kind}, not on ext4")
    directory = Path(tempfile.mkdtemp(prefix="ranges-", dir=base))
    try:
        return run_table(directory, TABLE)
    finally:
        shutil.rmtree(directory)


def test_a_copy_of_more_than_4_gib(place):
    """In one call where the kernel asks for it with room for the answer (Linux 6.18)."""
    size = (5 << 30) + 3
    with open(place / "from", "wb") as file:
        os.pwrite(file.fileno(), b"begin", 0)
        os.pwrite(file.fileno(), b"end", size - 3)
    source, target = os.open(place / "from", os.O_RDONLY), os.open(place / "to", os.O_RDWR | os.O_CREAT)
    done, calls = 0, 0
    while done < size:
        done += os.copy_file_range(source, target, size, done, done)
        calls += 1
    assert done == size == os.fstat(target).st_size and calls <= 2
    assert os.pread(target, 5, 0) == b"begin" and os.pread(target, 9, size - 3) == b"end"
    assert os.fstat(target).st_blocks * 512 <= 2 * 4096
    os.close(source)
    os.close(target)


def test_results(place):
    table = {**TABLE, **ONLY_RIAD}
    assert results(run_table(place, table)) == expected_of(table)


def test_results_and_contents_are_those_of_ext4(place, base):
    expected = on_ext4(base)
    assert results(expected) == expected_of(TABLE)
    found = run_table(place, TABLE)
    for name, (_, contents) in found.items():
        assert contents == expected[name][1], name
