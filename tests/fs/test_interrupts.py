"""Nothing hangs: clients that are killed or signalled in the middle of anything, slow and stopped riads, unmounts under work."""
import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from harness import FAILED, Store, detach, is_riad, mounted_at, raises_errno, wait_until
from processes import Child
from slow_store import SlowStore
from syscalls import libc

AT_ONCE = 1.0   # seconds that a call may take which waits for nobody, on a machine that is busy
GONE = 5.0      # seconds after which a killed client must have ended
DEAD = (errno.ENOTCONN, errno.ECONNABORTED, errno.ECANCELED)  # what the kernel says of a mount whose process is gone


@pytest.fixture(scope="module", params=["uring", "nouring"])
def either_way(request, binary, base, slow_store):
    """A store, and how to mount it: by one of the two ways of requests, its syncs and reads as slow as they shall be."""
    store = Store(binary, base)
    store.init()
    store.mount_again = lambda: store.mount("-o", request.param, prefix=slow_store.prefix())
    store.mount_again()
    transport = store.status()["transport"]
    if request.param == "uring" and transport != "io-uring":
        store.remove()
        pytest.skip("the kernel does not offer FUSE over io_uring")
    yield store
    if mounted_at(store.directory):
        store.unmount()
    store.fsck()
    store.remove()


@pytest.fixture
def mounted(either_way, slow_store):
    """Mounted and empty; a test leaves nothing but names."""
    if not mounted_at(either_way.directory):
        either_way.mount_again()
    yield either_way
    slow_store.quick()
    if mounted_at(either_way.directory):
        subprocess.run(["find", either_way.directory, "-mindepth", "1", "-delete"], check=True)
        wait_until(lambda: either_way.usage() == (1, 1), 10, "what was removed to be freed")
        assert either_way.status()["event"] == ""


def open_new(path):
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


# --- clients that are killed ---
def keep_reading(folder, say):
    fd = open_new(folder / f"read-{os.getpid()}")
    os.write(fd, b"r" * (2 << 20))
    say("at it")
    while True:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)  # a hint: where it is not followed, no request comes of a read
        os.pread(fd, 2 << 20, 0)
        os.statvfs(folder)  # always one


def keep_writing(folder, say):
    fd = open_new(folder / f"write-{os.getpid()}")
    os.unlink(folder / f"write-{os.getpid()}")
    say("at it")
    while True:
        os.pwrite(fd, b"w" * (3 << 20), 0)
        os.ftruncate(fd, 0)


def keep_syncing(folder, say):
    fd = open_new(folder / f"sync-{os.getpid()}")
    os.unlink(folder / f"sync-{os.getpid()}")
    say("at it")
    while True:
        os.pwrite(fd, b"s", 0)
        os.fsync(fd)


def keep_storing(folder, say):
    fd = open_new(folder / f"map-{os.getpid()}")
    os.unlink(folder / f"map-{os.getpid()}")
    os.ftruncate(fd, 1 << 20)
    view = mmap.mmap(fd, 1 << 20)
    say("at it")
    while True:
        view[random.randrange(1 << 20)] = 1
        view.flush()


def keep_moving(folder, say):
    names = [folder / f"move-{os.getpid()}-{number}" for number in range(2)]
    names[0].mkdir()
    say("at it")
    while True:
        os.rename(names[0], names[1])
        names.reverse()


def keep_making(folder, say):
    path = folder / f"make-{os.getpid()}"
    say("at it")
    while True:
        os.mkdir(path)
        os.close(open_new(path / "file"))
        os.symlink("x", path / "link")
        shutil.rmtree(path)


def keep_listing(folder, say):
    say("at it")
    while True:
        (folder / f"list-{os.getpid()}").touch()  # goes on where only the setting of the times fails
        os.listdir(folder)                        # may come from what the kernel has in memory
        os.statvfs(folder)                        # always a request


def keep_locking(folder, say):
    fd = open_new(folder / "lock")
    say("at it")
    while True:
        fcntl.flock(fd, fcntl.LOCK_EX)
        fcntl.lockf(fd, fcntl.LOCK_EX)
        fcntl.lockf(fd, fcntl.LOCK_UN)
        fcntl.flock(fd, fcntl.LOCK_UN)


WORK = [keep_reading, keep_writing, keep_syncing, keep_storing, keep_moving, keep_making, keep_listing, keep_locking]


def start(work, folder):
    child = Child(lambda say: work(folder, say), talks=True)
    assert child.hear() == "at it"
    return child


def test_killed_clients_leave_nothing(mounted):
    """SIGKILL in the middle of anything: the client ends, its unlinked files are freed, its locks are free."""
    folder = mounted.directory / "work"
    folder.mkdir()
    rng = random.Random(1)
    for _ in range(4):
        children = [start(work, folder) for work in WORK for _ in range(2)]
        time.sleep(rng.random() * 0.1)
        rng.shuffle(children)
        for child in children:
            child.send(signal.SIGKILL)
        for child in children:
            child.kill(GONE)
            child.end()
    fd = open_new(folder / "lock")
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)
    shutil.rmtree(folder)
    wait_until(lambda: mounted.usage() == (1, 1), 10, "what the killed ones had open to be freed")


def test_killed_in_a_slow_sync(mounted, slow_store):
    """As on a disk the sync is waited for, not longer; nobody else waits."""
    folder = mounted.directory
    slow_store.slow("sync", 0.7)
    children = [start(keep_syncing, folder) for _ in range(12)]
    wait_until(lambda: all(child.is_blocked() for child in children), 5, "all of them to sync")
    for child in children:
        child.send(signal.SIGKILL)
    begun = time.monotonic()
    (folder / "other").write_bytes(b"meanwhile")
    assert (folder / "other").read_bytes() == b"meanwhile" and time.monotonic() - begun < AT_ONCE
    for child in children:
        child.kill(GONE)
        child.end()


def test_forty_slow_syncs_hold_up_nobody(mounted, slow_store):
    """They share rounds, and take nobody's thread."""
    def sync(fd):
        begun = time.monotonic()
        os.write(fd, b"x")
        os.fsync(fd)
        return time.monotonic() - begun

    def others():
        worst = 0
        for number in range(300):
            begun = time.monotonic()
            path = mounted.directory / f"other{number}"
            path.write_bytes(b"y")
            os.rename(path, mounted.directory / "renamed")
            os.listdir(mounted.directory)
            worst = max(worst, time.monotonic() - begun)
        return worst

    with contextlib.ExitStack() as stack:
        files = [open_new(mounted.directory / f"sync{number}") for number in range(40)]
        for fd in files:
            stack.callback(os.close, fd)
        slow_store.slow("sync", 30)  # until all of them wait at once, however long it takes to start them
        before = mounted.status()["log"]["syncs"]
        children = [stack.enter_context(Child(sync, fd)) for fd in files]
        wait_until(lambda: all(child.is_blocked() for child in children), 15, "all of them to sync")
        with Child(others) as child:
            assert child.result() < AT_ONCE
        assert all(child.is_blocked() for child in children)
        slow_store.quick()
        for child in children:
            child.result()
        assert mounted.status()["log"]["syncs"] - before < 15


def test_signals_do_not_interrupt(mounted, slow_store):
    """As on ext4: no call on a file fails with EINTR because a signal came, not even without SA_RESTART."""
    folder = mounted.directory
    (folder / "file").write_bytes(b"x" * (1 << 20))
    libc.write.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t]

    def work(say):
        arrived = []
        signal.signal(signal.SIGALRM, lambda *_: arrived.append(1))
        signal.siginterrupt(signal.SIGALRM, True)
        signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
        fd = libc.open(os.fsencode(folder / "file"), os.O_RDWR)
        buffer, done = ctypes.create_string_buffer(1 << 20), 0
        end = time.monotonic() + 1.2
        while time.monotonic() < end:
            libc.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            for what, result in (("write", libc.write(fd, b"w" * 70000, 70000)), ("fsync", libc.fsync(fd)),
                                 ("mkdir", libc.mkdir(os.fsencode(folder / f"d{done}"), 0o755)),
                                 ("rename", libc.rename(os.fsencode(folder / f"d{done}"), os.fsencode(folder / "moved"))),
                                 ("pread", libc.pread(fd, ctypes.addressof(buffer), 1 << 20, 0)),
                                 ("ftruncate", libc.ftruncate(fd, ctypes.c_int64(1 << 20)))):
                assert result >= 0, (what, errno.errorcode[ctypes.get_errno()])
                assert what != "pread" or result == 1 << 20, result
            libc.lseek(fd, ctypes.c_int64(0), 0)
            done += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        return len(arrived), done

    slow_store.slow("sync", 0.05)
    slow_store.slow("read", 0.01)
    with Child(work, talks=True) as child:
        arrived, done = child.result()
    assert arrived > 5 and done > 1


def test_signals_while_others_work(mounted):
    """An interrupt that comes too late for its request is not taken for an answer to another one."""
    folder = mounted.directory

    def work(number):
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
        mine = folder / f"mine{number}"
        mine.mkdir()
        end = time.monotonic() + 2
        while time.monotonic() < end:
            fd = open_new(mine / "file")
            os.write(fd, b"x" * 5000)
            os.fsync(fd)
            os.close(fd)
            os.unlink(mine / "file")
        signal.setitimer(signal.ITIMER_REAL, 0)
        mine.rmdir()

    with contextlib.ExitStack() as stack:
        for child in [stack.enter_context(Child(work, number)) for number in range(8)]:
            child.result()


# --- riad stopped or killed ---
def test_clients_of_a_stopped_riad(mounted):
    """They wait until it goes on. Those killed meanwhile are gone then, and what they asked for is done or not."""
    pid, folder = mounted.hosts()[0], mounted.directory
    (folder / "file").write_bytes(b"x")

    def act(number):
        (folder / f"new{number}").write_bytes(b"late")
        return os.stat(folder / f"new{number}").st_size

    os.kill(pid, signal.SIGSTOP)
    try:
        children = [Child(act, number) for number in range(10)]
        wait_until(lambda: all(child.is_blocked() for child in children), 5, "all of them to wait")
        for child in children[:5]:
            child.send(signal.SIGKILL)
        time.sleep(0.1)
    finally:
        os.kill(pid, signal.SIGCONT)
    for child in children[:5]:
        child.kill(GONE)
    assert [child.result() for child in children[5:]] == [4] * 5
    for child in children:
        child.end()
    assert {f"new{number}" for number in range(5, 10)} <= set(os.listdir(folder))


def test_clients_of_a_killed_riad(mounted, slow_store):
    """Whoever waits for it gets an error at once; locks between the clients go on."""
    folder = mounted.directory
    lock = open_new(folder / "lock")
    fcntl.flock(lock, fcntl.LOCK_EX)

    def until_it_fails(work):
        def run(say):
            try:
                work(folder, say)
            except OSError as error:
                return error.errno
        return run

    def wait_for_lock(say):
        fd = os.open(folder / "lock", os.O_RDWR)
        say("at it")
        fcntl.flock(fd, fcntl.LOCK_EX)
        return "mine"

    children = [Child(until_it_fails(work), talks=True) for work in WORK if work is not keep_locking for _ in range(2)]
    waiter = Child(wait_for_lock, talks=True)
    assert {child.hear() for child in [*children, waiter]} == {"at it"}
    slow_store.slow("sync", 30)  # not before: when the bound of what may be unsynced (L5) is reached, everybody waits
    time.sleep(0.2)
    begun = time.monotonic()
    mounted.kill(directory=False)
    for child in children:
        assert child.result(10) in DEAD
        child.end()
    assert time.monotonic() - begun < 10
    with raises_errno(*DEAD):
        os.mkdir(folder / "new")
    assert waiter.is_silent(0)
    fcntl.flock(lock, fcntl.LOCK_UN)
    assert waiter.result(5) == "mine"
    waiter.end()
    os.close(lock)
    detach(folder)


# --- unmounting under work ---
def test_unmount_of_a_busy_mount(mounted):
    """Refused, and nothing has changed; open files, working directories, mappings and mounts keep it busy."""
    folder = mounted.directory
    fd = open_new(folder / "file")
    os.write(fd, b"x" * 5000)

    def refused():
        result = mounted.unmount(code=FAILED)
        assert "open" in result.stderr and mounted_at(folder)

    refused()
    view = mmap.mmap(fd, 5000)
    os.close(fd)
    refused()
    view[0] = ord("y")
    view.close()
    with Child(lambda say: (os.chdir(folder), say("in"), signal.pause()), talks=True) as child:
        assert child.hear() == "in"
        refused()
    assert (folder / "file").read_bytes()[:2] == b"yx"
    mounted.unmount()
    assert not mounted_at(folder)


def test_unmount_while_clients_write(mounted):
    """It is refused, or it happens between two files: what was written completely is there."""
    folder = mounted.directory
    (folder / "here").touch()

    def write(mine):
        number = 0
        while os.path.exists(folder / "here"):
            try:
                with open(folder / f"{mine}-{number}", "wb", buffering=0) as file:
                    file.write(b"%06d" % number * 1000)
                number += 1
            except OSError as error:
                assert error.errno in (*DEAD, errno.ENODEV), error
        return number

    writers = [Child(write, mine) for mine in range(4)]
    for _ in range(8):
        if mounted.unmount(code=None).returncode == 0:
            break
        assert mounted_at(folder)
    else:
        mounted.run("unmount", "--lazy", folder)
    counts = [child.result(30) for child in writers]
    for child in writers:
        child.end()
    beside = set(os.listdir(folder))  # written when the mount was gone already
    assert "here" not in beside and len(beside) <= len(writers) < sum(counts)
    for name in beside:
        os.unlink(folder / name)
    mounted.mount_again()
    for mine, count in enumerate(counts):
        for number in range(count):
            name = f"{mine}-{number}"
            assert name in beside or (folder / name).read_bytes() == b"%06d" % number * 1000


def test_lazy_unmount_under_work(mounted):
    """The name is free at once; who has files open goes on until it closes them; then all is durable."""
    folder = mounted.directory

    def write(say):
        fd = open_new(folder / "file")
        say("open")
        for number in range(300):
            os.pwrite(fd, b"%04d" % number * 250, number * 1000)
            time.sleep(0.001)
        os.close(fd)

    pid = mounted.hosts()[0]
    with Child(write, talks=True) as child:
        assert child.hear() == "open"
        process = subprocess.Popen([mounted.binary, "unmount", "--lazy", folder], env=mounted.environment())
        wait_until(lambda: not mounted_at(folder), 5, "the mount to be detached")
        assert child.is_silent(0) and os.listdir(folder) == [] and is_riad(pid)
        wait_until(lambda: not child.is_silent(0), 20, "the writer to end")
        child.wait()
    assert process.wait(20) == 0
    wait_until(lambda: not is_riad(pid), 10, "the end of riad")
    mounted.mount_again()
    assert (folder / "file").read_bytes() == b"".join(b"%04d" % number * 250 for number in range(300))
