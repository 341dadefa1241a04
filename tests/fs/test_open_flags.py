"""What the flags of open(2) and of single reads and writes promise: O_APPEND, O_DIRECT, O_SYNC, splice and advice."""
import ctypes
import errno
import fcntl
import mmap
import os
import random
import resource
import signal
import socket
import struct

import pytest

from harness import BLOCK, raises_errno
from processes import Child, in_child
from syscalls import libc, check

RWF_HIPRI, RWF_DSYNC, RWF_SYNC, RWF_NOWAIT, RWF_APPEND, RWF_NOAPPEND = 1, 2, 4, 8, 16, 32
RECORD = struct.Struct("<IIII")  # writer, number, size, sum
SYNC_FILE_RANGE_ALL = 7


def opened(path, flags=0):
    return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o644)


def aligned(data):
    """A buffer at the start of a page, as O_DIRECT may ask for."""
    view = mmap.mmap(-1, -(-len(data) // BLOCK) * BLOCK)
    view[:len(data)] = data
    return memoryview(view)[:len(data)]


# --- appending ---
def record(writer, number, rng):
    body = rng.randbytes(rng.choice([1, 30, 500, 4096, 5000, 20000, 70000]) if number % 5 == 0 else rng.randrange(300))
    return RECORD.pack(writer, number, len(body), sum(body)) + body


def append_records(path, writer, count, way):
    rng = random.Random(writer)
    fd = os.open(path, os.O_WRONLY | (0 if way == "flag" else os.O_APPEND))
    for number in range(count):
        data = record(writer, number, rng)
        if way == "flag":  # RWF_APPEND leaves the file's position alone
            written = os.pwritev(fd, [data], 0, RWF_APPEND)
        elif way == "pieces":
            written = os.writev(fd, [data[:10], data[10:100], data[100:]])
        elif way == "position":  # Linux appends whatever the offset of pwrite is
            written = os.pwrite(fd, data, 3)
        else:
            written = os.write(fd, data)
        assert written == len(data)
    return os.lseek(fd, 0, os.SEEK_CUR)


def check_records(data):
    """[(writer, number)] in the file's order; fails at a record that is torn."""
    position, found = 0, []
    while position < len(data):
        writer, number, size, checksum = RECORD.unpack_from(data, position)
        body = data[position + RECORD.size:position + RECORD.size + size]
        assert len(body) == size and sum(body) == checksum, f"torn at {position}: {writer}, {number}"
        found.append((writer, number))
        position += RECORD.size + size
    return found


def follow(path, stop):
    """Reads what comes, as tail -f: nothing may change that was read."""
    fd, data = os.open(path, os.O_RDONLY), b""
    while True:
        done = os.path.exists(stop)
        piece = os.read(fd, 1 << 20)
        data += piece
        if done and not piece:
            return len(check_records(data))


def test_appending_by_many(either):
    """Records of all sizes, by every way to append: none is lost, torn or out of its writer's order."""
    path, count = either / "log", 100
    path.touch()
    reader = Child(follow, path, either / "stop")
    ways = ["flag", "pieces", "position", "plain", "plain", "pieces"]
    writers = [Child(append_records, path, writer, count, way) for writer, way in enumerate(ways)]
    ends = [writer.result(60) for writer in writers]
    (either / "stop").touch()
    data = path.read_bytes()
    found = check_records(data)
    for writer in range(len(ways)):
        assert [number for name, number in found if name == writer] == list(range(count))
    assert len(found) == len(ways) * count == reader.result(60)
    assert ends[0] == 0 and max(ends) <= len(data)
    for child in [*writers, reader]:
        child.end()


def test_append_flag_comes_and_goes(either):
    fd = opened(either / "file")
    os.write(fd, b"0123456789")
    os.lseek(fd, 2, os.SEEK_SET)
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND)
    os.write(fd, b"end")
    assert os.lseek(fd, 0, os.SEEK_CUR) == 13
    if hasattr(os, "pwritev") and os.uname().release >= "6.9":
        assert os.pwritev(fd, [b"in"], 2, RWF_NOAPPEND) == 2
        assert os.pread(fd, 4, 1) == b"1in4"
    fcntl.fcntl(fd, fcntl.F_SETFL, 0)
    os.pwrite(fd, b"X", 0)
    assert os.fstat(fd).st_size == 13 and os.pread(fd, 13, 0)[:1] == b"X"
    os.close(fd)


# --- O_DIRECT ---
def test_direct_io_at_the_end(either):
    fd = opened(either / "file", os.O_DIRECT)
    data = random.Random(1).randbytes(4 * BLOCK)
    assert os.pwritev(fd, [aligned(data)], 0) == 4 * BLOCK
    os.truncate(either / "file", 3 * BLOCK + 100)
    buffer = aligned(bytes(4 * BLOCK))
    assert os.preadv(fd, [buffer], BLOCK) == 2 * BLOCK + 100
    assert bytes(buffer[:2 * BLOCK + 100]) == data[BLOCK:3 * BLOCK + 100]
    assert os.preadv(fd, [buffer], 4 * BLOCK) == 0 and os.preadv(fd, [buffer], 1 << 40) == 0
    assert os.pwritev(fd, [aligned(data[:BLOCK])], 8 * BLOCK) == BLOCK  # behind the end: a hole before it
    assert os.fstat(fd).st_size == 9 * BLOCK
    assert os.preadv(fd, [buffer], 3 * BLOCK) == 4 * BLOCK
    assert bytes(buffer) == data[3 * BLOCK:3 * BLOCK + 100] + bytes(4 * BLOCK - 100)
    os.close(fd)
    fd = opened(either / "file", os.O_DIRECT | os.O_APPEND)
    assert os.writev(fd, [aligned(b"a" * BLOCK), aligned(b"b" * BLOCK)]) == 2 * BLOCK
    assert (either / "file").read_bytes()[9 * BLOCK:] == b"a" * BLOCK + b"b" * BLOCK
    os.close(fd)


def test_direct_io_needs_no_alignment(place):
    """More than ext4 allows: offset, length and address may be odd."""
    fd = opened(place / "file", os.O_DIRECT)
    expected = bytearray(random.Random(2).randbytes(100_000))
    assert os.pwritev(fd, [memoryview(expected)], 0) == 100_000
    for offset, size in ((1, 1), (4095, 2), (70_001, 777), (99_990, 20), (65_530, 20_000)):
        piece = random.Random(offset).randbytes(size)
        assert os.pwrite(fd, piece, offset) == size
        expected[offset:offset + size] = piece
        assert os.pread(fd, size + 50, max(offset - 7, 0)) == bytes(expected[max(offset - 7, 0):][:size + 50])
    assert (place / "file").read_bytes() == bytes(expected)
    os.close(fd)


class Coherence:
    """One file by every way at once: through the cache, past it, and mapped. All must see the same bytes."""
    SIZE = 64 * BLOCK

    def __init__(self, path, seed):
        self.rng, self.bytes = random.Random(seed), bytearray(self.SIZE)
        self.cached, self.direct = opened(path), opened(path, os.O_DIRECT)
        os.ftruncate(self.cached, self.SIZE)
        self.view = mmap.mmap(self.cached, self.SIZE)

    def span(self, unit):
        first = self.rng.randrange(self.SIZE // unit)
        return first * unit, min(self.rng.randrange(1, 9), self.SIZE // unit - first) * unit

    def step(self):
        way = self.rng.choice(["cached", "direct", "mapped"])
        offset, size = self.span(BLOCK if way == "direct" else 997)
        data = self.rng.randbytes(size)
        if way == "cached":
            assert os.pwrite(self.cached, data, offset) == size
        elif way == "direct":
            assert os.pwritev(self.direct, [aligned(data)], offset) == size
        else:
            self.view[offset:offset + size] = data
        self.bytes[offset:offset + size] = data
        offset, size = self.span(BLOCK)
        want, where = self.bytes[offset:offset + size], (way, offset, size)
        buffer = aligned(bytes(size))
        assert os.preadv(self.direct, [buffer], offset) == size and buffer == want, ("direct", where)
        assert os.pread(self.cached, size, offset) == want, ("cached", where)
        assert self.view[offset:offset + size] == want, ("mapped", where)

    def close(self):
        self.view.close()
        os.close(self.cached)
        os.close(self.direct)


@pytest.mark.parametrize("seed", [1, 2])
def test_three_ways_are_coherent(either, seed):
    file = Coherence(either / "file", seed)
    for _ in range(200):
        file.step()
    file.close()
    assert (either / "file").read_bytes() == file.bytes


def test_direct_writers_side_by_side(either):
    """Eight processes write blocks of their own, past the cache and through it: each keeps what it wrote."""
    path, blocks = either / "file", 256
    os.close(opened(path))
    os.truncate(path, blocks * BLOCK)

    def write(mine):
        rng = random.Random(mine)
        fd = opened(path, os.O_DIRECT if mine % 2 else 0)
        for number in range(60):
            block = rng.randrange(blocks // 8) * 8 + mine
            assert os.pwritev(fd, [aligned(bytes([mine, number]) * (BLOCK // 2))], block * BLOCK) == BLOCK

    children = [Child(write, mine) for mine in range(8)]
    for child in children:
        child.result(60)
        child.end()
    want = {}
    for mine in range(8):
        rng = random.Random(mine)
        for number in range(60):
            want[rng.randrange(blocks // 8) * 8 + mine] = bytes([mine, number]) * (BLOCK // 2)
    data = path.read_bytes()
    for block in range(blocks):
        assert data[block * BLOCK:][:BLOCK] == want.get(block, bytes(BLOCK)), block


def test_direct_writes_at_the_limit(make_store):
    """All or nothing: the kernel would make EIO of a part (it gives large ones to several requests at once)."""
    store = make_store("-B", "64K")
    fd = opened(store.mount() / "file", os.O_DIRECT)
    for size in (16, 256, 1024):
        with raises_errno(errno.EDQUOT):
            os.pwritev(fd, [aligned(b"x" * size * BLOCK)], 0)
        assert os.fstat(fd).st_size == 0 and store.usage()[0] == 1
    assert os.pwritev(fd, [aligned(b"x" * 15 * BLOCK)], 0) == 15 * BLOCK
    with raises_errno(errno.EDQUOT):
        os.pwritev(fd, [aligned(b"x" * BLOCK)], 15 * BLOCK)
    assert os.pwritev(fd, [aligned(b"y" * BLOCK)], 0) == BLOCK and os.fstat(fd).st_size == 15 * BLOCK
    os.close(fd)


# --- synchronous writing ---
def plain_write(fd):
    os.pwrite(fd, b"s" * 5000, 0)


SYNCHRONOUS = {
    "O_SYNC": (os.O_SYNC, plain_write),
    "O_DSYNC": (os.O_DSYNC, plain_write),
    "O_SYNC|O_APPEND": (os.O_SYNC | os.O_APPEND, lambda fd: os.write(fd, b"appended")),
    "O_DSYNC|O_DIRECT": (os.O_DSYNC | os.O_DIRECT, lambda fd: os.pwritev(fd, [aligned(b"d" * BLOCK)], 0)),
    "RWF_DSYNC": (0, lambda fd: os.pwritev(fd, [b"r"], 0, RWF_DSYNC)),
    "RWF_SYNC": (0, lambda fd: os.pwritev(fd, [b"r"], 70000, RWF_SYNC)),
    "fsync": (0, lambda fd: (plain_write(fd), os.fsync(fd))),
    "fdatasync": (0, lambda fd: (plain_write(fd), os.fdatasync(fd))),
}


def durable(store):
    status = store.status()
    return status["changes_durable"] >= status["changes"]


@pytest.mark.parametrize("way", SYNCHRONOUS)
def test_synchronous_writes_are_durable(place, shared, way):
    """P2: on return the change is known durable, not only on its way."""
    flags, act = SYNCHRONOUS[way]
    fd = opened(place / "file", flags)
    for _ in range(5):
        before = shared.status()["requests"].get("FSYNC", 0)
        act(fd)
        assert durable(shared)
        assert shared.status()["requests"]["FSYNC"] == before + 1
    os.close(fd)


def test_msync_is_durable(place, shared):
    fd = opened(place / "file")
    os.ftruncate(fd, 10 * BLOCK)
    view = mmap.mmap(fd, 10 * BLOCK)
    for number in range(5):
        view[number * BLOCK] = 1
        view.flush()
        assert durable(shared)
    view.close()
    os.close(fd)


def test_fsync_of_a_directory_makes_names_durable(place, shared):
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    for number in range(5):
        os.mkdir(place / str(number))
        os.rename(place / str(number), place / f"{number}-moved")
        os.fsync(fd)
        assert durable(shared)
    os.close(fd)


def test_unsynced_writes_wait_for_nobody(place, shared):
    """The counterpart, without which the tests above would show nothing."""
    late = 0
    for number in range(30):
        (place / str(number)).write_bytes(b"x")
        late += not durable(shared)
    assert late > 0


@pytest.mark.parametrize("option", ["sync", "dirsync"])
def test_synchronous_mounts(make_store, option):
    store = make_store()
    top = store.mount("-o", option)
    acts = [lambda: os.mkdir(top / "dir"), lambda: os.symlink("x", top / "link"), lambda: os.mknod(top / "file"),
            lambda: os.link(top / "file", top / "second"), lambda: os.rename(top / "file", top / "dir" / "file"),
            lambda: os.unlink(top / "second"), lambda: os.mkdir(top / "other"), lambda: os.rmdir(top / "other")]
    held = []  # what is removed stays open: to free it would be one change more, after the reply
    if option == "sync":
        acts += [lambda: os.truncate(top / "dir" / "file", 10), lambda: (top / "dir" / "file").write_bytes(b"x" * 5000)]
    for number, act in enumerate(acts):
        held += [os.open(path, os.O_RDONLY) for path in (top / "second", top / "other") if path.exists()]
        act()
        assert durable(store), number
    for fd in held:
        os.close(fd)


# --- single calls ---
def test_reads_that_must_not_wait(place):
    """FUSE offers RWF_NOWAIT to no file: the call says so, or serves the cache."""
    (place / "file").write_bytes(b"x" * 100)
    fd = opened(place / "file")
    buffer = bytearray(10)
    try:
        assert os.preadv(fd, [buffer], 0, RWF_NOWAIT) == 10 and buffer == b"x" * 10
    except OSError as error:
        assert error.errno in (errno.EOPNOTSUPP, errno.EAGAIN)
    assert os.preadv(fd, [buffer], 95, RWF_HIPRI) == 5
    os.close(fd)


def test_advice(either):
    """Every advice is taken; what was read ahead or dropped reads the same."""
    data = random.Random(3).randbytes(3 << 20)
    (either / "file").write_bytes(data)
    fd = opened(either / "file")
    for advice in (os.POSIX_FADV_NORMAL, os.POSIX_FADV_RANDOM, os.POSIX_FADV_SEQUENTIAL, os.POSIX_FADV_WILLNEED,
                   os.POSIX_FADV_NOREUSE, os.POSIX_FADV_DONTNEED):
        os.posix_fadvise(fd, 0, 0, advice)
        assert os.pread(fd, 100_000, 1 << 20) == data[1 << 20:][:100_000]
    with raises_errno(errno.EINVAL):
        os.posix_fadvise(fd, 0, 0, 99)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    assert libc.readahead(fd, ctypes.c_int64(0), ctypes.c_size_t(1 << 20)) == 0
    assert os.pread(fd, 3 << 20, 0) == data
    os.pwrite(fd, b"new", 5)
    assert libc.sync_file_range(fd, ctypes.c_int64(0), ctypes.c_int64(0), SYNC_FILE_RANGE_ALL) == 0
    os.close(fd)


def test_bad_addresses(either):
    """What cannot be copied is EFAULT; what could be before it counts."""
    (either / "file").write_bytes(b"k" * 10000)
    fd = opened(either / "file")
    libc.pwrite.argtypes = libc.pread.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64]
    for address in (8, 0xdead0000):
        for call in (libc.pwrite, libc.pread):
            with raises_errno(errno.EFAULT):
                check(call(fd, address, 100, 0))
    pages = mmap.mmap(-1, 2 * BLOCK)
    start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    pages[:BLOCK] = b"p" * BLOCK
    check(libc.mprotect(start + BLOCK, BLOCK, 0))
    written = libc.pwrite(fd, start, 2 * BLOCK, 20000)
    check(libc.mprotect(start + BLOCK, BLOCK, mmap.PROT_READ | mmap.PROT_WRITE))
    assert written in (BLOCK, -1) and os.fstat(fd).st_size == (20000 + BLOCK if written > 0 else 10000)
    assert os.pread(fd, 100, 0) == b"k" * 100
    if written > 0:
        assert os.pread(fd, 2 * BLOCK, 20000) == b"p" * BLOCK
    os.close(fd)


def test_file_size_limit_of_the_process(either):
    def grow():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10000, resource.RLIM_INFINITY))
        fd = opened(either / "file")
        assert os.write(fd, b"x" * 20000) == 10000
        with raises_errno(errno.EFBIG):
            os.write(fd, b"x")
        with raises_errno(errno.EFBIG):
            os.ftruncate(fd, 10001)
        with raises_errno(errno.EFBIG):
            os.posix_fallocate(fd, 0, 10001)
        source = os.open(either / "source", os.O_RDONLY)
        assert os.copy_file_range(source, fd, 5000, 0, 8000) == 2000
        return os.fstat(fd).st_size

    (either / "source").write_bytes(b"s" * 8000)
    assert in_child(grow) == 10000

    def burst():
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10000, resource.RLIM_INFINITY))
        os.pwrite(opened(either / "file"), b"x", 10000)

    with Child(burst) as child:
        assert os.WTERMSIG(child.wait()) == signal.SIGXFSZ


def test_positions(either):
    fd = opened(either / "file")
    os.write(fd, b"0123456789")
    assert os.lseek(fd, -3, os.SEEK_END) == 7 and os.read(fd, 10) == b"789" and os.read(fd, 10) == b""
    assert os.lseek(fd, 1 << 40, os.SEEK_SET) == 1 << 40 and os.read(fd, 1) == b""
    with raises_errno(errno.EINVAL):
        os.lseek(fd, -1, os.SEEK_SET)
    with raises_errno(errno.EINVAL):
        os.lseek(fd, 1, 77)
    os.lseek(fd, 4, os.SEEK_SET)
    in_child(os.read, fd, 3)  # a child moves the shared position
    assert os.read(fd, 2) == b"78" and os.pread(fd, 1, 0) == b"0" and os.read(fd, 1) == b"9"
    os.lseek(fd, 100_000, os.SEEK_SET)
    os.write(fd, b"far")
    assert os.pread(fd, 5, 99_998) == b"\0\0far"
    os.close(fd)


# --- pipes ---
def test_splice(either):
    """File to pipe to file, at offsets, whole pages and odd pieces, to the end."""
    data = random.Random(4).randbytes(200_001)
    (either / "from").write_bytes(data)
    source, target = os.open(either / "from", os.O_RDONLY), opened(either / "to")
    reader, writer = os.pipe()
    libc.splice.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint]

    def splice(first, first_at, second, second_at, size):
        places = [at if at is None else ctypes.byref(ctypes.c_int64(at)) for at in (first_at, second_at)]
        return check(libc.splice(first, places[0], second, places[1], size, 0))

    done = 0
    for size in [1, 4096, 10000, 65536, 3000] * 100:
        n = splice(source, done, writer, None, size)
        if n == 0:
            break
        moved = 0
        while moved < n:
            moved += splice(reader, None, target, done + moved, n - moved)
        done += n
    assert done == len(data) and (either / "to").read_bytes() == data
    assert splice(source, len(data) + 5, writer, None, 10) == 0
    append = opened(either / "to", os.O_APPEND)
    os.write(writer, b"tail")
    with raises_errno(errno.EINVAL):
        splice(reader, None, append, None, 4)
    assert splice(reader, None, target, 0, 4) == 4 and os.pread(target, 6, 0) == b"tail" + data[4:6]
    for fd in (source, target, reader, writer, append):
        os.close(fd)


def test_vmsplice(either):
    reader, writer = os.pipe()
    target = opened(either / "to")
    with open(reader, "rb", buffering=0), open(writer, "wb", buffering=0):
        pages = aligned(b"v" * (4 * BLOCK))
        piece = (ctypes.c_char * len(pages)).from_buffer(pages)
        vector = struct.pack("PN", ctypes.addressof(piece), len(pages))
        assert check(libc.vmsplice(writer, vector, ctypes.c_size_t(1), 0)) == 4 * BLOCK
        moved = 0
        while moved < 4 * BLOCK:
            moved += check(libc.splice(reader, None, target, None, ctypes.c_size_t(4 * BLOCK - moved), 1))
    assert (either / "to").read_bytes() == b"v" * (4 * BLOCK)
    os.close(target)


def test_sendfile(either, place, ext4):
    """To a socket, and between file systems both ways."""
    data = random.Random(5).randbytes(300_000)
    (either / "from").write_bytes(data)
    source = os.open(either / "from", os.O_RDONLY)
    near, far = socket.socketpair()
    with near, far:
        far.settimeout(20)
        got, position = b"", 1000
        while position < len(data):
            position += os.sendfile(near.fileno(), source, position, 50_000)
            while len(got) < position - 1000:
                got += far.recv(1 << 16)
    assert got == data[1000:]
    for folder in (place, ext4):
        target = opened(folder / "sent")
        position = 0
        while position < len(data):
            position += os.sendfile(target, source, position, len(data))
        assert (folder / "sent").read_bytes() == data
        os.close(target)
    os.close(source)
