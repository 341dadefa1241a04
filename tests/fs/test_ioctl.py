"""ioctls that riad does not offer, and clones by copy_file_range in their place."""
import array
import errno
import fcntl
import os
import subprocess
import time

import pytest

from harness import raises_errno

FICLONE, FIEMAP, FITRIM, GETVERSION = 0x40049409, 0xc020660b, 0xc0185879, 0x80087601
TCGETS, FIGETBSZ, OLD_SETFLAGS = 0x5401, 2, 0x40046602  # the last: of 32-bit programs, passed by a 64-bit one


def test_what_there_is_not_is_refused(place):
    (place / "file").write_bytes(b"x" * 100_000)
    (place / "dir").mkdir()
    for name in ("file", "dir"):
        fd = os.open(place / name, os.O_RDONLY)
        for command in (FITRIM, GETVERSION, TCGETS, OLD_SETFLAGS, 0x12345678):
            with raises_errno(errno.ENOTTY):
                fcntl.ioctl(fd, command, bytearray(64))
        with raises_errno(errno.EOPNOTSUPP):
            fcntl.ioctl(fd, FIEMAP, bytearray(64))
        block = array.array("I", [0])
        fcntl.ioctl(fd, FIGETBSZ, block)  # the kernel's own
        assert block[0] > 0
        os.close(fd)


def test_ficlone_is_refused(place):
    (place / "a").write_bytes(b"x" * 100_000)
    with open(place / "a", "rb") as source, open(place / "b", "wb") as target:
        with raises_errno(errno.EOPNOTSUPP):
            fcntl.ioctl(target.fileno(), FICLONE, source.fileno())
    result = subprocess.run(["cp", "--reflink=always", place / "a", place / "c"], stderr=subprocess.PIPE, check=False)
    assert result.returncode == 1 and b"not supported" in result.stderr


def stored(store):
    return sum(os.stat(os.path.join(root, name)).st_size for root, _, names in os.walk(store.path) for name in names)


@pytest.mark.parametrize("options", [[], ["--reflink=auto"], ["--sparse=never"]], ids=["plain", "auto", "never-sparse"])
def test_cp_clones(place, shared, options):
    """No second copy in the store; the same time for 1 MiB and 64."""
    content = os.urandom(1 << 20)
    with open(place / "a", "wb") as file:
        for _ in range(64):
            file.write(content)
    before, used, begin = stored(shared), shared.usage()[0], time.monotonic()
    subprocess.run(["cp", *options, place / "a", place / "b"], check=True)
    took = time.monotonic() - begin
    assert shared.usage()[0] == used + (64 << 20) // 4096  # charged like every file
    shared.run("sync", place)
    assert stored(shared) - before < 1 << 20  # of that 256 KiB are zeros that are written ahead of the log
    assert took < 2
    assert subprocess.run(["cmp", place / "a", place / "b"], check=False).returncode == 0
    with open(place / "b", "r+b") as file:
        file.write(b"changed")
    with open(place / "a", "rb") as file:
        assert file.read(7) == content[:7]
