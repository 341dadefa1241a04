"""What is written is what is read: sparse, mapped, appended, direct, copied, cut."""
import errno
import mmap
import os
import random
import statistics
import subprocess
import sys
import time

import pytest

from harness import BLOCK, raises_errno
from syscalls import (FALLOC_COLLAPSE_RANGE, FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE, fallocate)

TIB = 1 << 40


def open_new(path):
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)


def pattern(size, seed=1):
    return random.Random(seed).randbytes(size)


SIZES = [0, 1, 4095, 4096, 4097, 16383, 16384, 16385, 65536, 65537, 131073, (1 << 20) + 1, (9 << 20) + 123]


def test_write_and_read_back(place, shared):
    for size in SIZES:
        (place / str(size)).write_bytes(pattern(size, size))
        assert (place / str(size)).read_bytes() == pattern(size, size)
    shared.remount()
    for size in SIZES:
        assert (place / str(size)).read_bytes() == pattern(size, size), size
        assert os.stat(place / str(size)).st_blocks == -(-size // BLOCK) * 8


def test_sparse_file(place, shared):
    fd = open_new(place / "sparse")
    os.pwrite(fd, b"start", 0)
    os.pwrite(fd, b"middle", 10 << 20)
    os.ftruncate(fd, 100 << 20)
    os.close(fd)
    shared.remount()
    info = os.stat(place / "sparse")
    assert info.st_size == 100 << 20 and info.st_blocks == 16
    fd = os.open(place / "sparse", os.O_RDONLY)
    assert os.pread(fd, 10, 0) == b"start" + bytes(5)
    assert os.pread(fd, 10, (10 << 20) - 2) == b"\0\0middle\0\0"
    assert os.pread(fd, 65536, 50 << 20) == bytes(65536)
    assert os.pread(fd, 10, (100 << 20) - 4) == bytes(4)
    os.close(fd)


def test_file_of_one_tebibyte(place, shared):
    fd = open_new(place / "huge")
    os.ftruncate(fd, TIB)
    os.pwrite(fd, b"end", TIB - 3)
    os.pwrite(fd, b"half", TIB // 2)
    os.close(fd)
    shared.remount()
    fd = os.open(place / "huge", os.O_RDWR)
    assert os.fstat(fd).st_size == TIB and os.fstat(fd).st_blocks == 16
    assert os.pread(fd, 100, TIB - 5) == b"\0\0end"
    assert os.pread(fd, 6, TIB // 2 - 1) == b"\0half\0"
    assert os.lseek(fd, 0, os.SEEK_DATA) == TIB // 2
    os.ftruncate(fd, 10)
    assert os.fstat(fd).st_blocks == 0
    os.close(fd)


def test_sizes_beyond_the_maximum_are_refused(place):
    fd = open_new(place / "file")
    with raises_errno(errno.EFBIG, errno.EINVAL):
        os.pwrite(fd, b"x", (1 << 63) - 10)
    with raises_errno(errno.EFBIG, errno.EINVAL):
        os.ftruncate(fd, (1 << 62) + 1)
    assert os.fstat(fd).st_size == 0
    os.close(fd)


@pytest.mark.parametrize("size", [1, 4096, 20000, 70000, 3 << 20])
def test_truncate_then_extend_shows_zeros(place, size):
    """Bytes that were cut off never come back."""
    fd = open_new(place / "file")
    os.pwrite(fd, b"\xaa" * size, 0)
    for cut in {0, size // 3, size // 2 + 1}:
        os.pwrite(fd, b"\xaa" * size, 0)
        os.ftruncate(fd, cut)
        os.ftruncate(fd, size)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        assert os.pread(fd, size + 1, 0) == b"\xaa" * cut + bytes(size - cut)
    os.close(fd)


def test_open_with_truncation(place):
    (place / "file").write_bytes(b"long content")
    with open(place / "file", "wb") as file:
        assert os.fstat(file.fileno()).st_size == 0
        file.write(b"new")
    assert (place / "file").read_bytes() == b"new"


def test_fallocate_modes(place):
    fd = open_new(place / "file")
    fallocate(fd, 0, 0, 1 << 20)
    assert os.fstat(fd).st_size == 1 << 20 and os.fstat(fd).st_blocks == 2048
    assert os.pread(fd, 1 << 20, 0) == bytes(1 << 20)
    fallocate(fd, FALLOC_KEEP_SIZE, 1 << 20, 1 << 20)
    assert os.fstat(fd).st_size == 1 << 20 and os.fstat(fd).st_blocks == 4096
    os.pwrite(fd, b"\x55" * (1 << 20), 0)
    assert os.fstat(fd).st_blocks == 4096
    fallocate(fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, 4096, 8192)
    assert os.fstat(fd).st_blocks == 4096 - 16
    fallocate(fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, 100000, 1000)
    fallocate(fd, FALLOC_ZERO_RANGE, 200000, 5000)
    expected = bytearray(b"\x55" * (1 << 20))
    for offset, length in ((4096, 8192), (100000, 1000), (200000, 5000)):
        expected[offset:offset + length] = bytes(length)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.pread(fd, 1 << 20, 0) == bytes(expected)
    fallocate(fd, FALLOC_ZERO_RANGE, (1 << 20) - 100, 1100)
    assert os.fstat(fd).st_size == (1 << 20) + 1000
    fallocate(fd, FALLOC_ZERO_RANGE | FALLOC_KEEP_SIZE, 3 << 20, 4096)
    assert os.fstat(fd).st_size == (1 << 20) + 1000
    with raises_errno(errno.EOPNOTSUPP):
        fallocate(fd, FALLOC_COLLAPSE_RANGE, 0, 4096)
    with raises_errno(errno.EOPNOTSUPP):
        fallocate(fd, FALLOC_PUNCH_HOLE, 0, 4096)
    os.close(fd)


def test_seek_data_and_hole(place):
    fd = open_new(place / "file")
    os.pwrite(fd, b"a" * 65536, 0)
    os.pwrite(fd, b"b" * 65536, 1 << 20)
    os.ftruncate(fd, 2 << 20)
    assert os.lseek(fd, 0, os.SEEK_DATA) == 0
    assert os.lseek(fd, 0, os.SEEK_HOLE) == 65536
    assert os.lseek(fd, 65536, os.SEEK_DATA) == 1 << 20
    assert os.lseek(fd, (1 << 20) + 5, os.SEEK_DATA) == (1 << 20) + 5
    assert os.lseek(fd, 1 << 20, os.SEEK_HOLE) == (1 << 20) + 65536
    with raises_errno(errno.ENXIO):
        os.lseek(fd, (1 << 20) + 65536, os.SEEK_DATA)
    with raises_errno(errno.ENXIO):
        os.lseek(fd, 2 << 20, os.SEEK_HOLE)
    os.close(fd)


def test_shared_mapping_is_coherent(place, shared):
    fd = open_new(place / "file")
    os.ftruncate(fd, 100000)
    view = mmap.mmap(fd, 100000)
    view[5000:5005] = b"mapmw"
    assert os.pread(fd, 5, 5000) == b"mapmw"
    os.pwrite(fd, b"write", 70000)
    assert view[70000:70005] == b"write"
    view[99990:100000] = b"0123456789"
    view.flush()
    other = os.open(place / "file", os.O_RDONLY)
    assert os.pread(other, 20, 99990) == b"0123456789"
    os.close(other)
    view.close()
    os.close(fd)
    shared.remount()
    data = (place / "file").read_bytes()
    assert data[5000:5005] == b"mapmw" and data[70000:70005] == b"write" and data[99990:] == b"0123456789"
    assert data.count(0) == 100000 - 20


def test_mapping_outlives_descriptor_and_name(place):
    fd = open_new(place / "file")
    os.ftruncate(fd, 8192)
    view = mmap.mmap(fd, 8192)
    os.close(fd)
    os.unlink(place / "file")
    view[0:4] = b"live"
    view.flush()
    assert view[0:4] == b"live"
    view.close()


def test_private_mapping_stays_private(place):
    (place / "file").write_bytes(b"a" * 8192)
    fd = os.open(place / "file", os.O_RDWR)
    view = mmap.mmap(fd, 8192, flags=mmap.MAP_PRIVATE)
    view[0:5] = b"other"
    assert os.pread(fd, 5, 0) == b"aaaaa"
    view.close()
    os.close(fd)
    assert (place / "file").read_bytes() == b"a" * 8192


def test_append_from_eight_processes(place):
    lines, writers = 200, 8
    program = ("import os, sys\n"
               "fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)\n"
               f"for number in range({lines}):\n"
               "    os.write(fd, f'{sys.argv[2]} {number:05d} '.encode() + sys.argv[2].encode() * 150 + b'\\n')\n")
    running = [subprocess.Popen([sys.executable, "-c", program, str(place / "log"), str(writer)]) for writer in range(writers)]
    assert [process.wait() for process in running] == [0] * writers
    seen = {}
    with open(place / "log", encoding="utf-8") as log:
        for line in log:
            writer, number, rest = line.split()
            assert rest == writer * 150
            seen.setdefault(writer, []).append(int(number))
    assert len(seen) == writers and all(numbers == list(range(lines)) for numbers in seen.values())


def test_an_append_costs_the_same_wherever_the_block_ends(place):
    """The block that a small append ends in may hold a thousand others: they are not read again for each."""
    first, last, appends = [], [], BLOCK // 4
    fd = os.open(place / "file", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in range(12 * appends):
        start = time.monotonic()
        assert os.write(fd, number.to_bytes(4, "little")) == 4
        (first if number % appends < appends // 8 else last if number % appends >= appends * 7 // 8 else []).append(
            time.monotonic() - start)
    os.close(fd)
    assert (place / "file").read_bytes() == b"".join(number.to_bytes(4, "little") for number in range(12 * appends))
    assert os.stat(place / "file").st_blocks == 12 * BLOCK // 512
    assert statistics.median(last) < 3 * statistics.median(first)


def test_direct_io(place):
    fd = os.open(place / "file", os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o644)
    buffer = mmap.mmap(-1, 1 << 18)
    data = pattern(1 << 18, 7)
    buffer[:] = data
    assert os.pwritev(fd, [buffer], 0) == 1 << 18
    cached = os.open(place / "file", os.O_RDWR)
    assert os.pread(cached, 1 << 18, 0) == data
    os.pwrite(cached, b"through the cache", 8192)
    back = mmap.mmap(-1, 4096)
    assert os.preadv(fd, [back], 8192) == 4096
    assert back[:17] == b"through the cache"
    buffer[:4096] = b"d" * 4096
    os.pwritev(fd, [memoryview(buffer)[:4096]], 4096)
    assert os.pread(cached, 4096, 4096) == b"d" * 4096
    os.close(fd)
    os.close(cached)


@pytest.mark.parametrize("size", [1000, 100000, 5 << 20])
def test_copy_file_range(place, shared, size):
    data = pattern(size, 3)
    (place / "from").write_bytes(data)
    source, target = os.open(place / "from", os.O_RDONLY), open_new(place / "to")
    done = 0
    while done < size:
        n = os.copy_file_range(source, target, size - done)
        assert n > 0
        done += n
    assert os.copy_file_range(source, target, 100) == 0
    with open(place / "to", "rb") as file:
        assert file.read() == data
    os.pwrite(target, b"changed", size // 2)
    os.copy_file_range(source, target, 10, 5, size + 5000)
    os.close(source)
    os.close(target)
    shared.remount()
    expected = bytearray(data)
    expected[size // 2:size // 2 + 7] = b"changed"
    assert (place / "to").read_bytes() == bytes(expected) + bytes(5000) + data[5:15]
    os.unlink(place / "from")
    shared.remount()
    assert (place / "to").read_bytes() == bytes(expected) + bytes(5000) + data[5:15]


def test_copy_within_one_file(place):
    fd = open_new(place / "file")
    data = pattern(200000, 4)
    os.write(fd, data)
    assert os.copy_file_range(fd, fd, 50000, 0, 150000) > 0
    os.copy_file_range(fd, fd, 50000, 0, 150000)
    with raises_errno(errno.EINVAL):
        os.copy_file_range(fd, fd, 50000, 0, 100)
    assert os.pread(fd, 150000, 0) == data[:150000]
    os.close(fd)


def test_writes_of_many_small_pieces(place, shared):
    """4,000 writes of odd sizes in order, then in random order."""
    rng = random.Random(11)
    data = pattern(500000, 5)
    fd = open_new(place / "file")
    position = 0
    while position < len(data):
        size = rng.randrange(1, 250)
        os.write(fd, data[position:position + size])
        position += size
    assert os.fstat(fd).st_size == len(data)
    expected = bytearray(data)
    for _ in range(1000):
        offset, piece = rng.randrange(len(data)), rng.randbytes(rng.randrange(1, 300))
        os.pwrite(fd, piece, offset)
        expected[offset:offset + len(piece)] = piece
        if len(expected) > len(data):
            data = bytes(expected)
    os.close(fd)
    shared.remount()
    assert (place / "file").read_bytes() == bytes(expected)


class Model:
    """Random operations on one file and on a byte array: both must agree, all the time and after remounts."""
    LIMIT = 3 << 20

    def __init__(self, store, path, seed):
        self.store, self.path, self.rng, self.bytes = store, path, random.Random(seed), bytearray()
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self.history = []

    def span(self):
        offset = self.rng.randrange(self.LIMIT) if self.rng.random() < 0.5 else self.rng.randrange(len(self.bytes) + 1)
        size = int(self.rng.choice([50, 5000, 20000, 200000, 1 << 20]) * self.rng.random()) + 1
        if self.rng.random() < 0.3:
            offset, size = offset & ~4095, (size | 4095) + 1
        return offset, min(size, self.LIMIT - offset) or 1

    def grow(self, end):
        if len(self.bytes) < end:
            self.bytes.extend(bytes(end - len(self.bytes)))

    def write(self):
        offset, size = self.span()
        piece = self.rng.randbytes(min(size, 64)) * (size // 64 + 1)
        assert os.pwrite(self.fd, piece[:size], offset) == size
        self.grow(offset + size)
        self.bytes[offset:offset + size] = piece[:size]
        return offset, size

    def truncate(self):
        size = self.rng.randrange(self.LIMIT)
        os.ftruncate(self.fd, size)
        del self.bytes[size:]
        self.grow(size)
        return (size,)

    def zero(self):
        offset, size = self.span()
        mode = self.rng.choice([0, FALLOC_KEEP_SIZE])
        fallocate(self.fd, FALLOC_ZERO_RANGE | mode, offset, size)
        if not mode:
            self.grow(offset + size)
        end = min(offset + size, len(self.bytes))
        if end > offset:
            self.bytes[offset:end] = bytes(end - offset)
        return offset, size, mode

    def punch(self):
        offset, size = self.span()
        fallocate(self.fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, offset, size)
        end = min(offset + size, len(self.bytes))
        if end > offset:
            self.bytes[offset:end] = bytes(end - offset)
        return offset, size

    def allocate(self):
        offset, size = self.span()
        fallocate(self.fd, 0, offset, size)
        self.grow(offset + size)
        return offset, size

    def copy(self):
        if len(self.bytes) < 100:
            return ()
        source = self.rng.randrange(len(self.bytes))
        target, size = self.span()
        size = min(size, len(self.bytes) - source)
        if target < source + size and source < target + size:
            return ()
        n = os.copy_file_range(self.fd, self.fd, size, source, target)
        assert 0 < n <= size
        self.grow(target + n)
        self.bytes[target:target + n] = self.bytes[source:source + n]
        return source, target, n

    def mapped(self):
        if not self.bytes:
            return ()
        offset = self.rng.randrange(len(self.bytes))
        piece = self.rng.randbytes(self.rng.randrange(1, 9000))[:len(self.bytes) - offset]
        view = mmap.mmap(self.fd, len(self.bytes))
        view[offset:offset + len(piece)] = piece
        view.flush()
        view.close()
        self.bytes[offset:offset + len(piece)] = piece
        return offset, len(piece)

    def read(self):
        offset, size = self.span()
        got = os.pread(self.fd, size, offset)
        assert got == self.bytes[offset:offset + size], self.explain(offset, got)
        return offset, size

    def drop_cache(self):
        os.posix_fadvise(self.fd, 0, 0, os.POSIX_FADV_DONTNEED)
        return ()

    def remount(self):
        os.close(self.fd)
        self.store.remount()
        self.fd = os.open(self.path, os.O_RDWR)
        return ()

    def explain(self, offset, got):
        want = self.bytes[offset:offset + len(got)]
        first = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), min(len(want), len(got)))
        return f"differs at {offset + first} (sizes {len(want)}, {len(got)}) after {self.history[-30:]}"

    def check(self):
        self.drop_cache()
        assert os.fstat(self.fd).st_size == len(self.bytes), self.history[-10:]
        with open(self.path, "rb") as file:
            got = file.read()
        assert got == self.bytes, self.explain(0, got)

    def step(self):
        names = ["write"] * 8 + ["truncate", "zero", "punch", "allocate", "copy", "copy", "mapped", "read", "read", "read",
                                 "drop_cache"]
        name = self.rng.choice(names)
        self.history.append((name, *getattr(self, name)()))


@pytest.mark.parametrize("seed", [101, 202, 303])
def test_random_operations_against_a_model(place, shared, seed):
    print(f"seed {seed}")
    model = Model(shared, place / "file", seed)
    for number in range(400):
        model.step()
        if number % 100 == 50:
            model.check()
        if number % 200 == 199:
            model.remount()
            model.check()
    model.check()
    os.close(model.fd)


def test_stale_reader_sees_new_contents(place):
    """Open descriptors and the page cache follow every change."""
    fd = open_new(place / "file")
    reader = os.open(place / "file", os.O_RDONLY)
    for text in (b"one", b"three", b"x" * 70000, b""):
        os.ftruncate(fd, 0)
        os.pwrite(fd, text, 0)
        assert os.pread(reader, 100000, 0) == text
    os.close(fd)
    os.close(reader)
