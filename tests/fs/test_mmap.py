"""Mappings: coherent with reads and writes between processes, what is stored in them kept, and programs run from them."""
import ctypes
import errno
import mmap
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time

import pytest

from harness import BLOCK, Store, raises_errno, wait_until
from processes import Child, in_child
from syscalls import FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE, fallocate


def new_file(path, size=0, data=b""):
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(fd, data)
    if size:
        os.ftruncate(fd, size)
    return fd


def fault_of(touch):
    """The signal that kills a child which touches memory, or 0."""
    def quietly():
        signal.signal(signal.SIGBUS, signal.SIG_DFL)
        touch()

    with Child(quietly) as child:
        status = child.wait()
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else child.hear() and 0 or 0


# --- coherence ---
def test_processes_see_each_other(either):
    """A counter in a shared mapping, and a log beside it by write(2): each process sees the other's at once."""
    fd = new_file(either / "file", 4 * BLOCK)
    mine = mmap.mmap(fd, 4 * BLOCK)

    def answer():
        other = os.open(either / "file", os.O_RDWR)
        view = mmap.mmap(other, 4 * BLOCK)
        for number in range(1, 200):
            while view[0] != number % 256:
                time.sleep(0)
            assert os.pread(other, 1, BLOCK)[0] == number % 256
            view[2 * BLOCK] = number % 256
            os.pwrite(other, bytes([number % 256]), 3 * BLOCK)
            view[1] = number % 256

    with Child(answer) as child:
        for number in range(1, 200):
            os.pwrite(fd, bytes([number % 256]), BLOCK)
            mine[0] = number % 256
            while mine[1] != number % 256:
                time.sleep(0)
            assert os.pread(fd, 1, 2 * BLOCK)[0] == mine[3 * BLOCK] == number % 256
        child.result()
    os.close(fd)


def test_stores_survive_close_and_unmap(either, request):
    """Without msync, and through the end of the process that stored."""
    def store():
        fd = new_file(either / "file", 300 * BLOCK)
        view = mmap.mmap(fd, 300 * BLOCK)
        os.close(fd)
        for number in range(300):
            view[number * BLOCK + number] = number % 251 + 1
        os.kill(os.getpid(), signal.SIGKILL)

    with Child(store) as child:
        child.wait()
    if "riad" in request.node.name:
        request.getfixturevalue("shared").remount()
    data = (either / "file").read_bytes()
    assert [data[number * BLOCK + number] for number in range(300)] == [number % 251 + 1 for number in range(300)]
    assert len(data) - data.count(0) == 300


def test_stores_into_holes(either, request):
    """A store takes the block that it falls into, no more."""
    fd = new_file(either / "file", 1000 * BLOCK)
    view = mmap.mmap(fd, 1000 * BLOCK)
    for number in (0, 17, 18, 500, 999):
        view[number * BLOCK + 100] = 1
    assert view[400 * BLOCK:401 * BLOCK] == bytes(BLOCK)
    view.flush()
    assert os.fstat(fd).st_blocks == 5 * 8
    assert os.lseek(fd, 0, os.SEEK_DATA) == 0 and os.lseek(fd, 19 * BLOCK, os.SEEK_DATA) == 500 * BLOCK
    view.close()
    os.close(fd)


def test_private_mapping(either):
    """Sees the file until it stores into a page, which is then its own, and which nobody sees."""
    fd = new_file(either / "file", data=b"a" * 3 * BLOCK)
    view = mmap.mmap(fd, 3 * BLOCK, flags=mmap.MAP_PRIVATE)
    view[0] = ord("p")
    os.pwrite(fd, b"b" * 3 * BLOCK, 0)
    assert view[:2] == b"pa" and view[BLOCK:BLOCK + 1] == b"b" and os.pread(fd, 1, 0) == b"b"
    assert in_child(lambda: (os.pread(fd, 1, 0), mmap.mmap(fd, BLOCK)[0])) == (b"b", ord("b"))
    view.close()
    os.close(fd)
    reader = os.open(either / "file", os.O_RDONLY)
    mmap.mmap(reader, BLOCK, flags=mmap.MAP_PRIVATE).close()
    with raises_errno(errno.EACCES):
        mmap.mmap(reader, BLOCK)
    os.close(reader)


def test_truncation_below_a_mapping(either):
    fd = new_file(either / "file", data=b"x" * 4 * BLOCK)
    view = mmap.mmap(fd, 4 * BLOCK)
    assert view[3 * BLOCK] == ord("x")
    os.ftruncate(fd, BLOCK + 100)
    assert view[BLOCK:BLOCK + 110] == b"x" * 100 + bytes(10)
    assert fault_of(lambda: view[2 * BLOCK]) == signal.SIGBUS
    assert fault_of(lambda: view.__setitem__(3 * BLOCK, 1)) == signal.SIGBUS
    os.ftruncate(fd, 4 * BLOCK)
    assert view[3 * BLOCK] == 0 and os.pread(fd, 3 * BLOCK, BLOCK + 100) == bytes(3 * BLOCK - 100)
    view[3 * BLOCK] = 1
    view.flush()
    assert os.pread(fd, 1, 3 * BLOCK) == b"\1"
    view.close()
    os.close(fd)


def test_mapping_behind_the_end(either):
    fd = new_file(either / "file", data=b"x" * 100)
    view = mmap.mmap(-1, BLOCK)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64]
    start = libc.mmap(None, 4 * BLOCK, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, fd, 0)
    assert ctypes.string_at(start + 95, 10) == b"x" * 5 + bytes(5)
    assert fault_of(lambda: ctypes.string_at(start + 2 * BLOCK, 1)) == signal.SIGBUS
    os.pwrite(fd, b"now", 2 * BLOCK)
    assert ctypes.string_at(start + 2 * BLOCK, 4) == b"now\0"
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    libc.munmap(start, 4 * BLOCK)
    view.close()
    os.close(fd)


def test_holes_punched_below_a_mapping(either):
    fd = new_file(either / "file", data=b"x" * 8 * BLOCK)
    view = mmap.mmap(fd, 8 * BLOCK)
    view[0:8 * BLOCK] = b"y" * 8 * BLOCK  # dirty, not written back
    fallocate(fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, BLOCK + 10, 2 * BLOCK)
    fallocate(fd, FALLOC_ZERO_RANGE, 5 * BLOCK + 1, BLOCK)
    want = bytearray(b"y" * 8 * BLOCK)
    want[BLOCK + 10:3 * BLOCK + 10] = bytes(2 * BLOCK)
    want[5 * BLOCK + 1:6 * BLOCK + 1] = bytes(BLOCK)
    assert view[:] == want and os.pread(fd, 8 * BLOCK, 0) == want
    view[2 * BLOCK] = 1
    want[2 * BLOCK] = 1
    view.flush()
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.pread(fd, 8 * BLOCK, 0) == want
    view.close()
    os.close(fd)


def test_copies_of_what_is_only_in_a_mapping(either):
    """copy_file_range takes dirty pages along, and shows in mappings of the target."""
    source, target = new_file(either / "from", 20 * BLOCK), new_file(either / "to", data=b"old" * BLOCK * 7)
    dirty, shown = mmap.mmap(source, 20 * BLOCK), mmap.mmap(target, 20 * BLOCK)
    assert shown[0:3] == b"old"
    dirty[:] = random.Random(6).randbytes(20 * BLOCK)
    shown[10 * BLOCK] = 1
    position = 0
    while position < 20 * BLOCK:
        position += os.copy_file_range(source, target, 20 * BLOCK - position, position, position)
    assert shown[:] == dirty[:] == os.pread(target, 20 * BLOCK, 0)
    for view, fd in ((dirty, source), (shown, target)):
        view.close()
        os.close(fd)


@pytest.mark.parametrize("seed", [1, 2])
def test_many_processes_at_once(either, seed):
    """Each has pages of its own in one file: it stores, writes, writes past the cache and syncs, in any order."""
    workers, pages = 6, 384
    os.close(new_file(either / "file", pages * BLOCK))

    def plan(worker):
        rng = random.Random(seed * 100 + worker)
        for _ in range(80):
            page = rng.randrange(pages // workers) * workers + worker
            start = rng.choice([0, 0, 1, 100, 4000])
            data = rng.randbytes(BLOCK - start if rng.random() < 0.5 else rng.randrange(1, BLOCK - start + 1))
            yield rng.choice(["store", "store", "write", "direct", "sync"]), page, start, data

    def work(worker):
        fd = os.open(either / "file", os.O_RDWR)
        direct = os.open(either / "file", os.O_RDWR | os.O_DIRECT)
        view, bounce = mmap.mmap(fd, pages * BLOCK), mmap.mmap(-1, BLOCK)
        for way, page, start, data in plan(worker):
            if way == "write":
                os.pwrite(fd, data, page * BLOCK + start)
            elif way == "direct":
                bounce[:] = view[page * BLOCK:(page + 1) * BLOCK]
                bounce[start:start + len(data)] = data
                os.pwritev(direct, [bounce], page * BLOCK)
            else:
                view[page * BLOCK + start:page * BLOCK + start + len(data)] = data
                if way == "sync":
                    view.flush()

    children = [Child(work, worker) for worker in range(workers)]
    for child in children:
        child.result(60)
        child.end()
    want = bytearray(pages * BLOCK)
    for worker in range(workers):
        for _, page, start, data in plan(worker):
            want[page * BLOCK + start:page * BLOCK + start + len(data)] = data
    fd = os.open(either / "file", os.O_RDWR)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    got = os.pread(fd, pages * BLOCK, 0)
    assert [page for page in range(pages) if got[page * BLOCK:][:BLOCK] != want[page * BLOCK:][:BLOCK]] == []
    os.close(fd)


# --- at the limit ---
@pytest.fixture(scope="module")
def limited(binary, base):
    """A workspace of 16 blocks; each test leaves it empty."""
    store = Store(binary, base)
    try:
        store.init("-B", "64K")
        store.mount()
        yield store
    finally:
        store.remove()


def clear(store, path):
    os.unlink(path)
    wait_until(lambda: store.usage()[0] == 1, what="the blocks of the removed file")


@pytest.mark.parametrize("pages", [17, 100, 600])
def test_stores_beyond_the_limit_are_told(limited, pages):
    """FUSE cannot refuse a store. msync and fsync tell, and what they did not tell of is there."""
    path = limited.directory / "file"
    fd = new_file(path, pages * BLOCK)
    view = mmap.mmap(fd, pages * BLOCK)
    for number in range(15):
        view[number * BLOCK] = 1
    view.flush()
    for number in range(15, pages):
        view[number * BLOCK] = 1
    with raises_errno(errno.EDQUOT):
        view.flush()
    assert limited.usage()[0] == 16
    view[0] = 2
    view.flush()  # what has room goes on
    view.close()
    os.close(fd)
    limited.remount()
    assert path.read_bytes()[:15 * BLOCK:BLOCK] == b"\2" + b"\1" * 14
    clear(limited, path)


@pytest.mark.parametrize("free", [1, 7, 14])
def test_no_store_is_lost_in_silence(limited, free):
    """One request of the kernel's may hold pages that fit and pages that do not."""
    path = limited.directory / "file"
    fd = new_file(path, 15 * BLOCK)
    os.posix_fallocate(fd, 32 * BLOCK, (15 - free) * BLOCK)
    view = mmap.mmap(fd, 16 * BLOCK)
    view[:] = b"s" * 16 * BLOCK
    with raises_errno(errno.EDQUOT):
        os.fsync(fd)
    assert limited.usage()[0] <= 16
    view.close()
    os.close(fd)
    clear(limited, path)


# --- programs ---
@pytest.fixture
def program(either):
    path = either / "program"
    shutil.copy(shutil.which("sleep"), path)
    return path


def test_a_running_program_is_busy(program):
    with open(program, "r+b"), raises_errno(errno.ETXTBSY):
        subprocess.run([program, "0"], check=False)
    running = subprocess.Popen([program, "60"])
    try:
        for act in (lambda: os.open(program, os.O_WRONLY), lambda: os.open(program, os.O_RDWR | os.O_TRUNC),
                    lambda: os.truncate(program, 5)):
            with raises_errno(errno.ETXTBSY):
                act()
        os.rename(program, program.with_name("moved"))
        os.unlink(program.with_name("moved"))
        shutil.copy(shutil.which("true"), program)  # a new one by the old name
        assert subprocess.run([program], check=False).returncode == 0 and running.poll() is None
    finally:
        running.kill()
        running.wait()
    with open(program, "r+b"):
        pass


def test_scripts_and_permissions(either):
    script = either / "a script"
    script.write_text(f"#!{sys.executable} -E\nimport sys\nprint(sys.argv[1:])\n", encoding="utf-8")
    with raises_errno(errno.EACCES):
        subprocess.run([script], check=False)
    script.chmod(0o755)
    assert subprocess.run([script, "one"], stdout=subprocess.PIPE, text=True, check=True).stdout == "['one']\n"
    inner = either / "interpreted"
    inner.write_text(f"#!{either}/shell\necho through\n", encoding="utf-8")
    inner.chmod(0o700)
    shutil.copy("/bin/sh", either / "shell")
    assert subprocess.run([inner], stdout=subprocess.PIPE, text=True, check=True).stdout == "through\n"
    inner.write_bytes(b"\x7fELF but no more")
    with raises_errno(errno.ENOEXEC):
        subprocess.run([inner], check=False)
    fd = os.open(either / "shell", os.O_RDONLY)  # fexecve
    assert subprocess.run([f"/proc/self/fd/{fd}", "-c", "echo by descriptor"], pass_fds=[fd], stdout=subprocess.PIPE,
                          check=True).stdout == b"by descriptor\n"
    os.close(fd)


def test_noexec(make_store):
    store = make_store()
    top = store.mount("-o", "noexec")
    shutil.copy(shutil.which("true"), top / "program")
    with raises_errno(errno.EACCES):
        subprocess.run([top / "program"], check=False)
    fd = os.open(top / "program", os.O_RDONLY)
    with raises_errno(errno.EPERM):
        mmap.mmap(fd, BLOCK, prot=mmap.PROT_READ | mmap.PROT_EXEC, flags=mmap.MAP_PRIVATE)
    os.close(fd)


LIBRARY = "int counter = 40;\nint next(void) { return ++counter; }\n"
SERVER = """#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int next(void);
int main(void) {
    int sum = 0, status;
    for (int i = 0; i < 50; i++)
        if (fork() == 0) { next(); _exit(next()); }
    while (wait(&status) > 0) sum += WEXITSTATUS(status);
    printf("%d\\n", sum);
    return 0;
}
"""


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_shared_library_and_forks(place, shared):
    """Program and library live on the mount; fifty children share its pages, and copy what they change."""
    (place / "library.c").write_text(LIBRARY, encoding="utf-8")
    (place / "server.c").write_text(SERVER, encoding="utf-8")
    for command in (["gcc", "-shared", "-fPIC", "-o", "libnext.so", "library.c"],
                    ["gcc", "-o", "server", "server.c", "-L.", "-lnext", "-Wl,-rpath,$ORIGIN"]):
        subprocess.run(command, cwd=place, check=True)
    shared.remount()
    assert subprocess.run([place / "server"], stdout=subprocess.PIPE, text=True, check=True).stdout == f"{50 * 42}\n"
    loaded = ctypes.CDLL(str(place / "libnext.so"))
    assert (loaded.next(), loaded.next()) == (41, 42)
    os.unlink(place / "libnext.so")
    assert loaded.next() == 43 and stat.S_ISREG(os.stat(place / "server").st_mode)
    import _ctypes
    _ctypes.dlclose(loaded._handle)
