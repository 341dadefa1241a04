"""Locks and leases between the processes of one node: the kernel keeps them, on a riad mount as on ext4."""
import contextlib
import errno
import fcntl
import os
import signal
import struct
import time

import pytest

from harness import raises_errno, wait_until
from processes import Child, in_child
from syscalls import Watch

F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW = 36, 37, 38
F_SETLEASE, F_GETLEASE, F_NOTIFY = 1024, 1025, 1026
DN_CREATE, DN_DELETE, DN_RENAME, DN_MULTISHOT = 4, 8, 16, 0x80000000
UNLOCKED = (fcntl.F_UNLCK, 0, 0, 0)
TAKES_A_WHILE = 0.15  # seconds in which whoever is not blocked would have answered
FLOCK = struct.Struct("hhqqi4x")


@pytest.fixture
def file(either):
    (either / "file").write_bytes(b"x" * 1000)
    return either / "file"


@contextlib.contextmanager
def opened(path, flags=os.O_RDWR):
    fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def lock(fd, command, kind, start=0, length=0):
    """One fcntl lock; from the file's beginning; length 0 is to the end."""
    return FLOCK.unpack(fcntl.fcntl(fd, command, FLOCK.pack(kind, os.SEEK_SET, start, length, 0)))


def held(fd, command=fcntl.F_GETLK, kind=fcntl.F_WRLCK, start=0, length=0):
    """(kind, start, length, pid) of what stands in the way of such a lock."""
    got = lock(fd, command, kind, start, length)
    return UNLOCKED if got[0] == fcntl.F_UNLCK else (got[0], *got[2:])


def hold(take, path, flags=os.O_RDWR):
    """A child that opens the path, takes a lock and keeps it until it is told to end."""
    def keep(say):
        fd = os.open(path, flags)
        take(fd)
        say("held")
        signal.pause()

    child = Child(keep, talks=True)
    assert child.hear() == "held"
    return child


def wait_for(take, path, flags=os.O_RDWR):
    """A child that waits for a lock; says so when it has it."""
    def ask(say):
        fd = os.open(path, flags)
        say("asking")
        take(fd)
        return "got it"

    child = Child(ask, talks=True)
    assert child.hear() == "asking"
    return child


def flock(operation):
    return lambda fd: fcntl.flock(fd, operation)


def posix(kind, start=0, length=0, command=fcntl.F_SETLKW):
    return lambda fd: lock(fd, command, kind, start, length)


WAYS = {
    "flock": (flock(fcntl.LOCK_EX), flock(fcntl.LOCK_EX | fcntl.LOCK_NB)),
    "posix": (posix(fcntl.F_WRLCK), posix(fcntl.F_WRLCK, command=fcntl.F_SETLK)),
    "ofd": (posix(fcntl.F_WRLCK, command=F_OFD_SETLKW), posix(fcntl.F_WRLCK, command=F_OFD_SETLK)),
}
every_way = pytest.mark.parametrize("way", WAYS)


@every_way
def test_waits_for_the_holder(file, way):
    take, attempt = WAYS[way]
    with hold(take, file) as holder, opened(file) as fd:
        with raises_errno(errno.EAGAIN, errno.EACCES):
            attempt(fd)
        with wait_for(take, file) as waiter:
            assert waiter.is_silent(TAKES_A_WHILE)
            holder.send(signal.SIGTERM)
            assert waiter.result() == "got it"
        attempt(fd)


@every_way
def test_killed_holder_and_killed_waiter(file, way):
    """SIGKILL frees what was held, and what only waited for it leaves nothing behind."""
    take, attempt = WAYS[way]
    with hold(take, file) as holder:
        waiters = [wait_for(take, file) for _ in range(3)]
        assert all(waiter.is_silent(TAKES_A_WHILE / 3) for waiter in waiters)
        waiters[0].kill()
        holder.kill()
        assert [waiter.result() for waiter in waiters[1:]] == ["got it"] * 2
        for waiter in waiters:
            waiter.end()
    with opened(file) as fd:
        attempt(fd)


@every_way
def test_a_signal_interrupts_the_wait(file, way):
    take, _ = WAYS[way]

    def ask(say):
        def interrupted(number, frame):
            raise InterruptedError(errno.EINTR, "by a signal")

        signal.signal(signal.SIGUSR1, interrupted)
        fd = os.open(file, os.O_RDWR)
        say("asking")
        take(fd)

    with hold(take, file), Child(ask, talks=True) as waiter:
        assert waiter.hear() == "asking" and waiter.is_silent(TAKES_A_WHILE)
        waiter.send(signal.SIGUSR1)
        with raises_errno(errno.EINTR):
            waiter.result(5)


def test_shared_and_exclusive_flock(file):
    for first, second, allowed in ((fcntl.LOCK_SH, fcntl.LOCK_SH, True), (fcntl.LOCK_SH, fcntl.LOCK_EX, False),
                                   (fcntl.LOCK_EX, fcntl.LOCK_SH, False), (fcntl.LOCK_EX, fcntl.LOCK_EX, False)):
        with hold(flock(first), file), opened(file) as fd:
            if allowed:
                fcntl.flock(fd, second | fcntl.LOCK_NB)
            else:
                with raises_errno(errno.EWOULDBLOCK):
                    fcntl.flock(fd, second | fcntl.LOCK_NB)
    with opened(file, os.O_RDONLY) as fd, opened(file) as other:  # flock asks for no right to write; lasts between two
        fcntl.flock(fd, fcntl.LOCK_EX)                            # descriptions of one process too
        with raises_errno(errno.EWOULDBLOCK):
            fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(fd, fcntl.LOCK_SH)
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_flock_belongs_to_the_open_file(file):
    """Children and duplicates share it; the last close, or one unlock, ends it."""
    fd = os.open(file, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    second = os.dup(fd)
    os.close(fd)
    with opened(file) as other:
        with raises_errno(errno.EWOULDBLOCK):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with Child(lambda say: (say("there"), signal.pause()), talks=True) as child:
            assert child.hear() == "there"
            os.close(second)
            with raises_errno(errno.EWOULDBLOCK):  # the child has it still
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            child.kill()
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        in_child(fcntl.flock, other, fcntl.LOCK_UN)
        with opened(file) as third:
            fcntl.flock(third, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_posix_locks_belong_to_the_process(file):
    """No child inherits them, and closing any descriptor of the file ends them all."""
    with opened(file) as fd:
        lock(fd, fcntl.F_SETLK, fcntl.F_WRLCK, 100, 50)
        assert in_child(held, fd) == (fcntl.F_WRLCK, 100, 50, os.getpid())
        with opened(file, os.O_RDONLY):
            pass
        assert in_child(held, fd) == UNLOCKED


def test_posix_ranges(file):
    with opened(file) as fd:
        lock(fd, fcntl.F_SETLK, fcntl.F_WRLCK, 0, 100)
        lock(fd, fcntl.F_SETLK, fcntl.F_RDLCK, 40, 20)
        assert in_child(held, fd, fcntl.F_GETLK, fcntl.F_WRLCK, 0, 0)[:3] == (fcntl.F_WRLCK, 0, 40)
        assert in_child(held, fd, fcntl.F_GETLK, fcntl.F_RDLCK, 45, 0)[:3] == (fcntl.F_WRLCK, 60, 40)
        assert in_child(held, fd, fcntl.F_GETLK, fcntl.F_RDLCK, 40, 20) == UNLOCKED
        assert in_child(held, fd, fcntl.F_GETLK, fcntl.F_WRLCK, 59, 1)[:3] == (fcntl.F_RDLCK, 40, 20)
        assert in_child(held, fd, fcntl.F_GETLK, fcntl.F_WRLCK, 100, 0) == UNLOCKED
        lock(fd, fcntl.F_SETLK, fcntl.F_WRLCK, 90, 0)  # joins the one before, to the end of all files
        lock(fd, fcntl.F_SETLK, fcntl.F_UNLCK, 0, 60)
        assert in_child(held, fd)[:3] == (fcntl.F_WRLCK, 60, 0)
        assert in_child(held, fd, fcntl.F_GETLK, fcntl.F_WRLCK, 1 << 62, 1)[0] == fcntl.F_WRLCK
        with opened(file, os.O_RDONLY) as reader:
            with raises_errno(errno.EBADF):
                lock(reader, fcntl.F_SETLK, fcntl.F_WRLCK)
            with raises_errno(errno.EINVAL):
                lock(reader, fcntl.F_SETLK, fcntl.F_RDLCK, -1, 5)


def test_posix_deadlock_is_refused(file):
    def first_of_two(say):
        fd = os.open(file, os.O_RDWR)
        lock(fd, fcntl.F_SETLK, fcntl.F_WRLCK, 0, 1)
        say("mine")
        signal.sigwait({signal.SIGUSR1})
        lock(fd, fcntl.F_SETLKW, fcntl.F_WRLCK, 1, 1)
        return "both"

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        with Child(first_of_two, talks=True) as first, opened(file) as fd:
            assert first.hear() == "mine"
            lock(fd, fcntl.F_SETLK, fcntl.F_WRLCK, 1, 1)
            first.send(signal.SIGUSR1)
            assert first.is_silent(TAKES_A_WHILE)
            with raises_errno(errno.EDEADLK):
                lock(fd, fcntl.F_SETLKW, fcntl.F_WRLCK, 0, 1)
            lock(fd, fcntl.F_SETLK, fcntl.F_UNLCK)
            assert first.result() == "both"
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})


def test_ofd_locks_belong_to_the_open_file(file):
    with opened(file) as fd, opened(file) as other:
        lock(fd, F_OFD_SETLK, fcntl.F_WRLCK, 10, 10)
        assert held(other, F_OFD_GETLK) == (fcntl.F_WRLCK, 10, 10, -1)
        assert held(fd, fcntl.F_GETLK) == (fcntl.F_WRLCK, 10, 10, -1)
        with raises_errno(errno.EAGAIN):
            lock(other, F_OFD_SETLK, fcntl.F_RDLCK, 0, 0)
        with raises_errno(errno.EAGAIN):  # also against the process's own POSIX locks
            lock(fd, fcntl.F_SETLK, fcntl.F_WRLCK, 0, 0)
        lock(other, F_OFD_SETLK, fcntl.F_WRLCK, 20, 5)
        with opened(file):
            pass
        assert held(other, F_OFD_GETLK, fcntl.F_WRLCK, 0, 15) == (fcntl.F_WRLCK, 10, 10, -1)
        in_child(lock, fd, F_OFD_SETLK, fcntl.F_UNLCK, 10, 10)  # the child shares it
        assert held(other, F_OFD_GETLK, fcntl.F_WRLCK) == UNLOCKED


def test_the_three_kinds(file):
    """flock minds neither POSIX nor OFD locks."""
    with hold(posix(fcntl.F_WRLCK), file), opened(file) as fd:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with raises_errno(errno.EAGAIN):
            lock(fd, F_OFD_SETLK, fcntl.F_RDLCK)


@every_way
def test_a_lock_is_the_inode_s(file, way):
    """It holds by every name, by none, and through a rename."""
    take, attempt = WAYS[way]
    os.link(file, file.with_name("second"))
    with hold(take, file), opened(file) as fd:
        os.rename(file, file.with_name("third"))
        for name in ("second", "third"):
            with opened(file.with_name(name)) as other, raises_errno(errno.EAGAIN):
                in_child(attempt, other)
            os.unlink(file.with_name(name))
        with raises_errno(errno.EAGAIN):
            in_child(attempt, fd)
        file.touch()
        with opened(file) as other:
            attempt(other)


def test_flock_of_a_directory(either):
    with hold(flock(fcntl.LOCK_EX), either, os.O_RDONLY | os.O_DIRECTORY), opened(either, os.O_RDONLY) as fd:
        with raises_errno(errno.EWOULDBLOCK):
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)


@every_way
def test_counting_under_a_lock(file, way):
    """Eight processes read, add one and write: none is lost."""
    take, _ = WAYS[way]
    file.write_bytes(b"0")

    def count():
        for _ in range(40):
            with opened(file) as fd:
                take(fd)
                number = int(os.pread(fd, 20, 0))
                os.pwrite(fd, str(number + 1).encode(), 0)

    children = [Child(count) for _ in range(8)]
    for child in children:
        child.result(60)
        child.end()
    assert file.read_bytes() == b"320"


# --- leases and notes of the kernel's, for changes that this node makes ---
def test_leases(file):
    """Granted where nobody else has the file open; a conflicting open waits until the lease is given back."""
    with opened(file, os.O_RDONLY) as fd:
        with opened(file):
            for kind in (fcntl.F_RDLCK, fcntl.F_WRLCK):
                with raises_errno(errno.EAGAIN):
                    fcntl.fcntl(fd, F_SETLEASE, kind)
        fcntl.fcntl(fd, F_SETLEASE, fcntl.F_RDLCK)
        assert fcntl.fcntl(fd, F_GETLEASE) == fcntl.F_RDLCK
        broken = []
        previous = signal.signal(signal.SIGIO, lambda number, frame: broken.append(number))
        try:
            with raises_errno(errno.EWOULDBLOCK):
                in_child(os.open, file, os.O_WRONLY | os.O_NONBLOCK)
            with Child(lambda: os.close(os.open(file, os.O_WRONLY))) as writer:
                wait_until(lambda: broken, 5, "the lease to be broken")
                assert writer.is_silent(TAKES_A_WHILE)
                fcntl.fcntl(fd, F_SETLEASE, fcntl.F_UNLCK)
                writer.result(5)
        finally:
            signal.signal(signal.SIGIO, previous)
        assert fcntl.fcntl(fd, F_GETLEASE) == fcntl.F_UNLCK


def test_directory_notes(either):
    """dnotify, which few use but some daemons do."""
    told = []
    previous = signal.signal(signal.SIGIO, lambda number, frame: told.append(number))
    try:
        with opened(either, os.O_RDONLY) as fd:
            fcntl.fcntl(fd, F_NOTIFY, (DN_CREATE | DN_DELETE | DN_RENAME | DN_MULTISHOT) - (1 << 32))
            for act in (lambda: (either / "new").touch(), lambda: os.rename(either / "new", either / "other"),
                        lambda: os.unlink(either / "other")):
                told.clear()
                act()
                wait_until(lambda: told, 5, "a note")
    finally:
        signal.signal(signal.SIGIO, previous)


def test_inotify(either):
    (either / "dir").mkdir()
    with Watch(either / "dir") as watch:
        path = either / "dir" / "file"
        path.write_bytes(b"x")
        path.read_bytes()
        os.chmod(path, 0o600)
        os.truncate(path, 0)
        os.link(path, path.with_name("second"))
        os.rename(path, path.with_name("third"))
        os.unlink(path.with_name("second"))
        os.mkdir(path)
        os.rmdir(path)
        end = time.monotonic() + 5
        seen = []
        while time.monotonic() < end and len(seen) < 15:
            seen += watch.read(0.2)
    assert seen == [
        ("create", "file"), ("open", "file"), ("modify", "file"), ("close-write", "file"),
        ("open", "file"), ("access", "file"), ("close", "file"), ("attrib", "file"), ("modify", "file"),
        ("create", "second"), ("moved-from", "file"), ("moved-to", "third"), ("delete", "second"),
        ("create-dir", "file"), ("delete-dir", "file")], seen
