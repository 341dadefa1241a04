"""kill -9 of riad at any moment: what it acknowledged is there (P1), and the next mount needs neither wait nor repair."""
import errno
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

import trees
from harness import ALREADY_MOUNTED, FAILED, OWNED, detach, raises_errno, wait_until

SLOWER = int(os.environ.get("RIAD_TEST_SECONDS", "180")) / 180  # with sanitizers (scripts/nightly --sanitize)


@pytest.fixture(scope="module")
def real(base):
    folder = base / "crash-real"
    folder.mkdir()
    trees.real_tar(folder / "real.tar", most_files=4000, most_bytes=60 << 20)
    trees.unpack(folder / "real.tar", folder / "plain")
    yield folder


def unpack_until_killed(store, tar, count, delay):
    """Unpacks with tar -v; kills riad some time after the count-th member. Returns the members that tar had finished."""
    directory = store.directory / "tree"
    directory.mkdir()
    killer = threading.Timer(delay, lambda: store.kill(directory=False))
    members = []
    with open(store.base / "errors", "w+", encoding="utf-8", errors="surrogateescape") as errors:
        process = subprocess.Popen(["tar", "-xvf", tar, "-C", directory, "--no-same-owner"], stdout=subprocess.PIPE,
                                   stderr=errors, text=True, errors="surrogateescape",
                                   env={**os.environ, "LC_ALL": "C", "TAR_OPTIONS": "--quoting-style=literal"})
        for line in process.stdout:
            members.append(line.rstrip("\n").rstrip("/"))
            if len(members) == count:
                killer.start()
        process.wait()
        killer.join()
        errors.seek(0)
        # tar goes on after errors; the first one names the member that it was at.
        failed = [line[len("tar: "):].split(": Cannot ")[0] for line in errors if ": Cannot " in line]
    detach(store.directory)
    assert failed and failed[0] in members, "tar did not fail: the kill came too late"
    return members[:members.index(failed[0])]


def check_members(members, plain, unpacked):
    """Every finished file is there and identical (directories and their times may still have changed)."""
    for member in members:
        first, second = plain / member, unpacked / member
        assert os.path.lexists(second), f"{member} is lost"
        if first.is_symlink():
            assert os.readlink(first) == os.readlink(second)
        elif first.is_file():
            a, b = os.stat(first), os.stat(second)
            assert (a.st_size, a.st_mode) == (b.st_size, b.st_mode), member
            assert trees.digest(first) == trees.digest(second), f"{member} differs"


@pytest.mark.parametrize("seed", range(5))
def test_kill_in_the_middle_of_an_unpack(make_store, real, seed):
    rng = random.Random(seed)
    count, delay = rng.randrange(50, 3500), rng.uniform(0, 0.02)
    print(f"seed {seed}: killed {delay:.4f} s after member {count}")
    store = make_store()
    store.mount()
    members = unpack_until_killed(store, real / "real.tar", count, delay)
    print(f"{len(members)} members were finished")
    store.mount()
    check_members(members, real / "plain", store.directory / "tree")
    blocks, inodes = store.usage()
    assert (blocks, inodes) == trees.count_usage(store.directory)
    store.unmount()
    store.fsck()


def test_kill_again_and_again(make_store, real):
    """Eight crashes of one store, some during recovery or right after it."""
    rng = random.Random(77)
    store = make_store()
    expected = {}
    for round_number in range(8):
        store.mount()
        for name, size in expected.items():
            assert os.stat(store.directory / name).st_size == size, name
        for number in range(rng.randrange(40)):
            name, size = f"round{round_number}-{number}", rng.randrange(100000)
            (store.directory / name).write_bytes(rng.randbytes(size))
            expected[name] = size
        for name in rng.sample(sorted(expected), len(expected) // 4):
            os.unlink(store.directory / name)
            del expected[name]
        store.kill()
    store.mount()
    assert {name: os.stat(store.directory / name).st_size for name in os.listdir(store.directory)} == expected
    store.unmount()
    store.fsck()


def test_acknowledged_writes_survive(store, mount):
    """No fsync: what write returned for is there after kill -9 (P1)."""
    fd = os.open(mount / "file", os.O_WRONLY | os.O_CREAT)
    written = 0
    stop = threading.Timer(0.7, lambda: store.kill(directory=False))
    stop.start()
    try:
        while True:
            written += os.write(fd, written.to_bytes(8, "little") * 37)
    except OSError as error:
        # ECANCELED: what the ring had given to a thread that died before it looked.
        assert error.errno in (errno.ENOTCONN, errno.ECONNABORTED, errno.ECANCELED, errno.EIO), error
    stop.join()
    try:
        os.close(fd)
    except OSError:
        pass
    detach(mount)
    store.mount()
    data = (mount / "file").read_bytes()
    # The last one may have been done, or of its pages the first (the kernel sends them one by one), but not acknowledged.
    assert written <= len(data) <= written + 296
    # Of the last one write(2) may have acknowledged the first page only.
    for position in range(0, written, 296):
        expected = (position.to_bytes(8, "little") * 37)[:written - position]
        assert data[position:position + len(expected)] == expected


def test_names_and_attributes_survive(store, mount):
    (mount / "a").mkdir()
    (mount / "a" / "file").write_text("x" * 5000, encoding="utf-8")
    os.rename(mount / "a", mount / "b")
    os.link(mount / "b" / "file", mount / "link")
    os.chmod(mount / "link", 0o640)
    os.setxattr(mount / "link", "user.a", b"1")
    os.symlink("b/file", mount / "symlink")
    os.truncate(mount / "link", 100)
    (mount / "gone").touch()
    os.unlink(mount / "gone")
    before = trees.describe(mount)
    store.kill()
    store.mount()
    trees.assert_same(before, trees.describe(mount))
    assert os.getxattr(mount / "link", "user.a") == b"1"


def test_restart_needs_no_wait(store, mount):
    for number in range(2000):
        (mount / str(number)).touch()
    store.kill()
    start = time.monotonic()
    store.mount()
    assert len(os.listdir(mount)) == 2000
    assert time.monotonic() - start < 3 * SLOWER  # a wait would be one of 20 s


def test_fsync_survives_the_loss_of_the_local_state(store, mount):
    """P2: data, size and path of what was fsynced are back although process and node state are lost."""
    (mount / "deep" / "er").mkdir(parents=True)
    data = random.Random(1).randbytes(3 << 20)
    fd = os.open(mount / "deep" / "er" / "file", os.O_WRONLY | os.O_CREAT)
    os.write(fd, data)
    os.fsync(fd)
    (mount / "later").write_text("not synced", encoding="utf-8")
    store.kill(directory=False)
    try:
        os.close(fd)
    except OSError:
        pass
    detach(mount)
    store.forget_state()
    # Another node to the store, and the dead owner's heartbeat is fresh: it has to lapse first (about 20 s).
    end = time.monotonic() + 60
    while store.run("mount", store.path, mount, code=None).returncode == OWNED:
        assert time.monotonic() < end, "the dead owner's lease does not lapse"
        time.sleep(1)
    assert (mount / "deep" / "er" / "file").read_bytes() == data
    store.unmount()
    store.fsck()


def test_sync_command_makes_durable(store, mount):
    for number in range(200):
        (mount / str(number)).write_bytes(b"s" * number * 100)
    store.run("sync", mount)
    status = store.status()
    assert status["changes_durable"] == status["changes"] > 200 and status["log"]["unsynced_bytes"] == 0


def test_dead_mount_is_named_and_cleared(store, mount):
    store.kill(directory=False)
    with raises_errno(errno.ENOTCONN, errno.ECONNABORTED, errno.ECANCELED):
        os.listdir(mount)
    result = store.mount(code=ALREADY_MOUNTED)
    assert "dead mount" in result.stderr and "fusermount3 -u" in result.stderr
    detach(mount)
    store.mount()


def has_open(pid, path):
    try:
        return str(path) in (os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def test_programs_get_an_error_and_do_not_hang(store, mount):
    """Whoever waits in a read when riad dies gets an error at once."""
    (mount / "big").write_bytes(os.urandom(8 << 20))
    readers = [subprocess.Popen(["/usr/bin/python3", "-c", "import os, sys\nfd = os.open(sys.argv[1], os.O_RDONLY)\n"
                                 "try:\n"
                                 "    while True:\n"
                                 "        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)\n"
                                 "        os.pread(fd, 1 << 20, 1 << 20)\n"
                                 "except OSError: sys.exit(7)", mount / "big"]) for _ in range(4)]
    wait_until(lambda: all(has_open(reader.pid, mount / "big") for reader in readers), 60, "the readers to begin")
    time.sleep(0.5)
    store.kill(directory=False)
    assert [reader.wait(20) for reader in readers] == [7] * 4


def test_stopped_process_delays_and_loses_nothing(store, mount):
    """SIGSTOP for a while, as a loaded node does: everything goes on after it."""
    pid = store.hosts()[0]
    os.kill(pid, signal.SIGSTOP)
    writer = subprocess.Popen(["/usr/bin/python3", "-c", "import sys; open(sys.argv[1], 'w').write('late')", mount / "file"])
    time.sleep(1)
    assert writer.poll() is None
    os.kill(pid, signal.SIGCONT)
    assert writer.wait(20) == 0
    assert (mount / "file").read_text(encoding="utf-8") == "late"


def test_a_process_that_does_not_answer_is_told(store, mount):
    """As while a store on the network is out of reach: it looked as if nothing were mounted."""
    pid = store.hosts()[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        answer = store.run("status", mount, code=FAILED)
        assert "not known" in store.run("gc", mount, code=FAILED).stderr
    finally:
        os.kill(pid, signal.SIGCONT)
    assert f"process {pid} does not answer" in answer.stderr
    assert "does not answer" not in store.run("status", mount).stderr


def test_open_files_are_gone_but_the_tree_is_whole(store, mount):
    """Unlinked but open when riad died: freed by the next mount, in the usage too."""
    held = [os.open(mount / f"file{number}", os.O_RDWR | os.O_CREAT) for number in range(20)]
    for number, fd in enumerate(held):
        os.write(fd, b"h" * 50000)
        os.unlink(mount / f"file{number}")
    store.kill(directory=False)
    for fd in held:
        try:
            os.close(fd)
        except OSError:
            pass
    detach(mount)
    store.mount()
    wait_until(lambda: store.usage() == (1, 1), 10, "the orphans to be freed")
    store.unmount()
    store.fsck()
