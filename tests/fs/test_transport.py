"""The two ways of requests: FUSE over io_uring where the kernel offers it, /dev/fuse else or on demand."""
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

import trees
from harness import is_riad, raises_errno, wait_until
from transports import offered, option  # noqa: F401

SLOW_SECONDS = 3


@pytest.fixture(scope="module")
def slow_sync(base):
    """A library that makes syncs of a process take seconds while the file "slow" lies beside it."""
    folder = base / "slow-sync"
    folder.mkdir()
    source = folder / "slow.c"
    wait = f"if (access(\"{folder}/slow\", F_OK) == 0) sleep({SLOW_SECONDS});"
    source.write_text("#include <unistd.h>\n#include <sys/syscall.h>\n"
                      f"int fdatasync(int fd) {{ {wait} return syscall(SYS_fdatasync, fd); }}\n"
                      f"int fsync(int fd) {{ {wait} return syscall(SYS_fsync, fd); }}\n", encoding="ascii")
    library = folder / "slow.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    yield library
    shutil.rmtree(folder)


def in_threads(functions):
    failures = []

    def guarded(function):
        try:
            function()
        except BaseException as error:  # noqa: raised in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=[function]) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_the_ring_is_taken_where_it_is_offered_and_not_refused(store):
    if os.environ.get("RIAD_TEST_MOUNT_OPTIONS"):
        pytest.skip("this run says which way to take")
    store.mount()
    assert store.status()["transport"] == ("io-uring" if offered() else "dev-fuse")
    store.remount("-o", "nouring")
    assert store.status()["transport"] == "dev-fuse"


def ring_places(store):
    """Where the threads that serve the ring are: each is named after the processor of its clients."""
    places = set()
    for task in Path(f"/proc/{store.status()['pid']}/task").iterdir():
        try:
            name, _, processor = (task / "comm").read_text(encoding="ascii").strip().partition("/")
            if name != "riad-ring":
                continue
            idle = os.sched_getscheduler(int(task.name)) == os.SCHED_IDLE
            across = int(processor) not in os.sched_getaffinity(int(task.name))
            assert not (idle and across)
            places.add("beside" if idle else "across" if across else "ordinary")
        except (FileNotFoundError, ProcessLookupError):
            pass  # a thread of the pool that ended meanwhile
    return places


def make_files(top, name, count):
    for number in range(count):
        os.close(os.open(top / f"{name}{number}", os.O_CREAT | os.O_WRONLY))


@pytest.mark.root
def test_ring_threads_make_way_for_busy_clients(store):
    """By the one way or the other, as this machine is. Beside their clients they are only while those are busy."""
    if not offered() or os.environ.get("RIAD_TEST_MOUNT_OPTIONS"):
        pytest.skip("this run has no ring")
    top = store.mount()
    assert "beside" not in ring_places(store)
    # A busy machine may get in between: the threads wait then, and are ordinary ones for a while.
    for attempt in range(50):
        make_files(top, f"busy{attempt}-", 500)
        if ring_places(store) & {"beside", "across"}:
            break
        time.sleep(0.1)
    assert ring_places(store) & {"beside", "across"}

    def is_over():
        time.sleep(0.15)
        in_each_processor(lambda: (top / "missing").exists() or os.statvfs(top))
        return "beside" not in ring_places(store)

    wait_until(is_over, 30, "the ring's threads to be ordinary ones again")


def in_each_processor(function):
    """Each queue of the ring gets a request."""
    before = os.sched_getaffinity(0)
    try:
        for processor in before:
            os.sched_setaffinity(0, {processor})
            function()
    finally:
        os.sched_setaffinity(0, before)


def test_many_programs_at_once(store, option):
    top = store.mount("-o", option)

    def work(number):
        folder = top / str(number)
        folder.mkdir()
        for step in range(60):
            path = folder / f"f{step}"
            path.write_bytes(os.urandom(1) * (step * 5000))
            if step % 7 == 0:
                with open(path, "r+b") as file:
                    os.fsync(file)
            assert len(path.read_bytes()) == step * 5000
            os.rename(path, folder / f"g{step}")
            if step % 3 == 0:
                os.unlink(folder / f"g{step}")

    in_threads([lambda number=number: work(number) for number in range(6)])
    before = trees.describe(top)
    assert len(before) == 1 + 6 * (1 + 40)
    store.remount("-o", option)
    trees.assert_same(before, trees.describe(top))
    store.unmount()
    store.fsck()


def test_large_reads_and_writes(store, option):
    top = store.mount("-o", option)
    blocks = [os.urandom(1 << 20) for _ in range(24)]
    with open(top / "large", "wb", buffering=0) as file:
        for block in blocks:
            assert file.write(block) == 1 << 20
    store.remount("-o", option)
    assert (top / "large").read_bytes() == b"".join(blocks)
    fd = os.open(top / "large", os.O_RDONLY)
    assert os.pread(fd, 100, (5 << 20) - 50) == blocks[4][-50:] + blocks[5][:50]
    os.close(fd)


def test_a_slow_sync_holds_up_nobody_on_its_processor(store, option, slow_sync):
    """More syncs than there are ring threads, from the processor that the others want."""
    top = store.mount("-o", option, prefix=["env", f"LD_PRELOAD={slow_sync}"])
    processor = {min(os.sched_getaffinity(0))}
    files = [os.open(top / f"sync{number}", os.O_RDWR | os.O_CREAT) for number in range(5)]
    for fd in files:
        os.write(fd, b"x")

    def pinned(function):
        os.sched_setaffinity(0, processor)
        function()

    def others():
        time.sleep(0.5)
        start = time.monotonic()
        for number in range(200):
            (top / f"other{number}").write_bytes(b"y" * 100)
        took.append(time.monotonic() - start)

    took = []
    slow_sync.with_name("slow").touch()
    start = time.monotonic()
    in_threads([lambda fd=fd: pinned(lambda: os.fsync(fd)) for fd in files] + [lambda: pinned(others)])
    slow_sync.with_name("slow").unlink()
    assert time.monotonic() - start > SLOW_SECONDS - 0.1
    assert took[0] < SLOW_SECONDS - 1, f"200 files took {took[0]:.1f} s beside slow syncs"
    for fd in files:
        os.close(fd)


def test_killed_daemon_fails_requests_at_once(store, option):
    top = store.mount("-o", option)
    ended = []

    def write_until_it_fails(number):
        try:
            for step in range(10 ** 9):
                (top / f"{number}-{step}").write_bytes(b"z" * 1000)
        except OSError:
            ended.append(number)

    threads = [threading.Thread(target=write_until_it_fails, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    store.kill(directory=False)
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(ended) == [0, 1, 2, 3], "a request hangs although nobody will answer it"
    with raises_errno(107, 103):  # ENOTCONN, ECONNABORTED
        os.listdir(top)


def test_unmounting_ends_the_process(store, option):
    top = store.mount("-o", option)
    (top / "f").write_bytes(b"x" * 100000)
    pid = store.hosts()[0]
    store.unmount()
    wait_until(lambda: not is_riad(pid), 20, "the end of the process")
    for _ in range(5):
        store.mount("-o", option)
        assert (top / "f").read_bytes() == b"x" * 100000
        store.unmount()
