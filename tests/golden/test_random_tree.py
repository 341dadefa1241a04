"""The second reader against the mount, for trees made by random operations over several terms, checkpoints and crashes."""
import os
import random

import pytest

from dump import Dump
from manifest import describe
from syscalls import FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE, fallocate


class Maker:
    """Random operations on a tree; those that the tree refuses (no such name, not empty) count as well."""

    def __init__(self, top, seed):
        self.top, self.rng = os.fsencode(top), random.Random(seed)
        self.operations = [self.write] * 6 + [self.mkdir, self.rename, self.link, self.unlink, self.symlink, self.xattr,
                                              self.attributes, self.truncate, self.allocate, self.clone]

    def path(self):
        """Few names, so that operations meet."""
        parts = [b"%c" % self.rng.choice(b"abc\xff") for _ in range(self.rng.randrange(1, 4))]
        return b"/".join([self.top, *parts])

    def run(self, count):
        done = 0
        for _ in range(count):
            try:
                self.rng.choice(self.operations)()
                done += 1
            except OSError:
                pass
        return done

    def place(self):
        return self.rng.choice((self.rng.randrange(3000), self.rng.randrange(600_000), self.rng.randrange(64) * 4096))

    def write(self):
        fd = os.open(self.path(), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.pwrite(fd, self.rng.randbytes(self.rng.choice((1, 100, 5000, 70_000, 300_000))), self.place())
        finally:
            os.close(fd)

    def truncate(self):
        os.truncate(self.path(), self.place())

    def allocate(self):
        fd = os.open(self.path(), os.O_RDWR)
        try:
            mode = self.rng.choice((0, FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, FALLOC_ZERO_RANGE))
            fallocate(fd, mode, self.place(), 1 + self.place())
        finally:
            os.close(fd)

    def clone(self):
        with open(self.path(), "rb") as source, open(self.path(), "r+b") as target:
            os.copy_file_range(source.fileno(), target.fileno(), 1 + self.place(), self.place(), self.place())

    def mkdir(self):
        os.mkdir(self.path())

    def rename(self):
        os.rename(self.path(), self.path())

    def link(self):
        os.link(self.path(), self.path())

    def unlink(self):
        path = self.path()
        if os.path.isdir(path):
            os.rmdir(path)
        else:
            os.unlink(path)

    def symlink(self):
        os.symlink(self.rng.choice(b"xyz\xfe").to_bytes(1, "little") * self.rng.randrange(1, 300), self.path())

    def xattr(self):
        name, path = b"user.%d" % self.rng.randrange(4), self.path()
        if self.rng.randrange(3):
            os.setxattr(path, name, self.rng.randbytes(self.rng.randrange(200)), follow_symlinks=False)
        else:
            os.removexattr(path, name, follow_symlinks=False)

    def attributes(self):
        path = self.path()
        os.chmod(path, 0o700 | self.rng.randrange(0o1000))
        os.utime(path, ns=(0, self.rng.randrange(-10**18, 10**19)))


@pytest.mark.parametrize("seed", range(2))
def test_random_tree(store, mount, seed):
    maker = Maker(mount, seed)
    for name in ("a", "b"):
        (mount / name).mkdir()
    dump = Dump(store.path, "--passphrase-file", store.passphrase_file)
    whole = Dump(store.path, "--passphrase-file", store.passphrase_file, "--no-checkpoint")
    for term in range(4):
        assert maker.run(400) > 50
        if term != 1:
            assert store.control("checkpoint")["ok"]
            maker.run(100)
        expected = describe(mount)
        if (seed + term) % 2:
            store.kill()
        else:
            store.unmount()
        dump.check(expected, most=2, verify=term == 3)
        store.mount()
        assert describe(mount) == expected
    store.unmount()
    whole.check(expected)
    store.fsck()
