"""Processes that fill a workspace to its limit, each in its own way, and leave nothing uncounted."""
import errno
import mmap
import os
import random
import signal

from harness import BLOCK
from syscalls import FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, fallocate

MEGABYTE = 1 << 20
# What a program gets when riad is killed.
GONE = (errno.ENOTCONN, errno.ECONNABORTED, errno.ECANCELED, errno.EIO, errno.ENODEV)


def append_until_refused(path, piece):
    """Returns the bytes that went in."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    written = 0
    try:
        while True:
            written += os.write(fd, b"w" * piece)
    except OSError as error:
        assert error.errno == errno.EDQUOT, error
    os.close(fd)
    return written


def map_until_refused(path, size, pages=16):
    """Stores page after page into a map of a hole of that size, and syncs each few of them."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, size)
    view = mmap.mmap(fd, size)
    try:
        for at in range(0, size, pages * BLOCK):
            view[at:at + pages * BLOCK] = b"m" * (pages * BLOCK)
            view.flush(at, pages * BLOCK)
    except OSError as error:
        assert error.errno == errno.EDQUOT, error
        return
    raise AssertionError("the map was stored as a whole")


class Restless:
    """Fills, frees, renames and maps at random in an own directory, and takes no notice of refusals."""

    def __init__(self, top, seed):
        self.top, self.rng = top, random.Random(seed)
        self.acts = [self.append, self.append, self.write_much, self.store_mapped, self.unlink, self.unlink, self.truncate,
                     self.allocate, self.punch, self.clone, self.set_attribute, self.make, self.rename, self.unlink_open]

    def path(self):
        return self.top / f"n{self.rng.randrange(12)}"

    def opened(self):
        return open(os.open(self.path(), os.O_RDWR | os.O_CREAT, 0o644), "r+b", buffering=0)

    def append(self):
        with self.opened() as file:
            file.seek(0, os.SEEK_END)
            for _ in range(self.rng.randrange(1, 40)):
                file.write(b"a" * BLOCK)

    def write_much(self):
        with self.opened() as file:
            file.seek(self.rng.randrange(MEGABYTE))
            file.write(b"m" * MEGABYTE)

    def store_mapped(self):
        with self.opened() as file:
            size = max(os.fstat(file.fileno()).st_size, 64 * BLOCK)
            os.ftruncate(file.fileno(), size)
            with mmap.mmap(file.fileno(), size) as view:
                for _ in range(20):
                    view[self.rng.randrange(size)] = 1
                if self.rng.randrange(2):
                    view.flush()

    def unlink(self):
        os.unlink(self.path())

    def truncate(self):
        os.truncate(self.path(), self.rng.randrange(MEGABYTE))

    def allocate(self):
        with self.opened() as file:
            fallocate(file.fileno(), self.rng.choice([0, FALLOC_KEEP_SIZE]), self.rng.randrange(MEGABYTE),
                      self.rng.randrange(1, MEGABYTE))

    def punch(self):
        with self.opened() as file:
            fallocate(file.fileno(), FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, self.rng.randrange(MEGABYTE),
                      self.rng.randrange(1, MEGABYTE))

    def clone(self):
        with self.opened() as source, self.opened() as target:
            os.copy_file_range(source.fileno(), target.fileno(), MEGABYTE, self.rng.randrange(MEGABYTE),
                               self.rng.randrange(MEGABYTE))

    def set_attribute(self):
        os.setxattr(self.path(), "user.a", b"x" * self.rng.randrange(9000))

    def make(self):
        self.rng.choice([os.mkdir, os.rmdir, os.mkfifo, lambda path: os.symlink("target", path)])(
            self.top / f"m{self.rng.randrange(6)}")

    def rename(self):
        os.rename(self.path(), self.path())

    def unlink_open(self):
        path = self.path()
        with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b", buffering=0) as file:
            os.unlink(path)
            file.write(b"u" * 30 * BLOCK)

    def go_on(self):
        """Until riad is gone; returns how often it was refused for the limit. A map that is gone ends the process by SIGBUS."""
        signal.signal(signal.SIGBUS, signal.SIG_DFL)
        refused = 0
        while True:
            try:
                self.rng.choice(self.acts)()
            except OSError as error:
                if error.errno in GONE:
                    return refused
                refused += error.errno == errno.EDQUOT
                assert error.errno in (errno.EDQUOT, errno.ENOENT, errno.EEXIST, errno.ENXIO, errno.EINVAL, errno.ENOTDIR,
                                       errno.ENOTEMPTY), error
