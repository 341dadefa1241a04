"""Promise P7: no operation takes usage above the limit, and usage is what the inodes add up to, also after a crash."""
import errno
import mmap
import os
import random
import signal
import subprocess
import time

import pytest

from harness import BLOCK, detach, raises_errno, wait_until
from syscalls import FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, fallocate
from trees import count_usage

ROOM = 256  # blocks, in most tests here


@pytest.fixture
def limited(make_store):
    store = make_store("-B", f"{ROOM * BLOCK // 1024}K", "-I", "50")
    store.mount()
    return store


def fill_up(path, piece=BLOCK):
    """Writes until the limit; returns the bytes that went in. Ends with EDQUOT, and nothing else."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    written = 0
    try:
        while True:
            written += os.write(fd, b"\x77" * piece)
    except OSError as error:
        assert error.errno == errno.EDQUOT, error
    finally:
        os.close(fd)
    return written


def agree(store):
    """riad's own figures, statfs and a count of the tree (which must hold dense files only) are one."""
    blocks, inodes = store.usage()
    assert (blocks, inodes) == count_usage(store.directory)
    size, status = os.statvfs(store.directory), store.status()
    assert size.f_bsize == size.f_frsize == BLOCK
    assert size.f_blocks == status["bytes_limit"] // BLOCK and size.f_files == status["inodes_limit"]
    assert size.f_blocks - size.f_bfree == blocks or size.f_bfree == 0 and blocks > size.f_blocks
    assert size.f_bavail == size.f_bfree
    assert size.f_files - size.f_ffree == inodes or size.f_ffree == 0 and inodes > size.f_files
    return blocks, inodes


def test_empty_workspace(limited):
    assert agree(limited) == (1, 1)


def test_bytes_to_the_block(limited):
    assert fill_up(limited.directory / "file") == (ROOM - 1) * BLOCK
    assert agree(limited) == (ROOM, 2)
    with raises_errno(errno.EDQUOT):
        os.mkdir(limited.directory / "dir")
    with raises_errno(errno.EDQUOT):
        os.symlink("x", limited.directory / "link")
    with raises_errno(errno.EDQUOT):
        (limited.directory / "second").write_bytes(b"x")
    with raises_errno(errno.EDQUOT):
        os.setxattr(limited.directory / "file", "user.a", b"x")
    limited.remount()
    assert agree(limited)[0] == ROOM


def test_write_that_fits_in_part(limited):
    fd = os.open(limited.directory / "file", os.O_WRONLY | os.O_CREAT)
    assert os.write(fd, b"x" * (2 << 20)) == (ROOM - 1) * BLOCK
    with raises_errno(errno.EDQUOT):
        os.write(fd, b"x")
    os.close(fd)
    assert os.stat(limited.directory / "file").st_size == (ROOM - 1) * BLOCK
    agree(limited)


def test_full_workspace_goes_on_working(limited):
    path = limited.directory / "file"
    fill_up(path)
    with open(path, "r+b") as file:
        file.write(b"overwritten" * 1000)
        os.fsync(file.fileno())
    assert path.read_bytes()[:11] == b"overwritten"
    os.chmod(path, 0o600)
    os.utime(path)
    os.rename(path, limited.directory / "renamed")
    os.link(limited.directory / "renamed", path)
    os.unlink(path)
    os.truncate(limited.directory / "renamed", 100 * BLOCK)
    agree(limited)
    os.unlink(limited.directory / "renamed")
    wait_until(lambda: limited.usage() == (1, 1), what="the blocks of the deleted file")
    assert fill_up(path) == (ROOM - 1) * BLOCK


def test_inodes_to_the_last(limited):
    made = [limited.directory / str(number) for number in range(49)]
    for number, path in enumerate(made):
        [os.mkdir, os.mkfifo, lambda path: os.symlink("x", path), lambda path: path.touch()][number % 4](path)
    assert agree(limited)[1] == 50
    for act in (lambda: os.mkdir(limited.directory / "x"), lambda: os.mkfifo(limited.directory / "x"),
                lambda: os.symlink("x", limited.directory / "x"), lambda: (limited.directory / "x").touch()):
        with raises_errno(errno.EDQUOT):
            act()
    os.link(made[3], limited.directory / "link")
    os.unlink(made[7])
    wait_until(lambda: limited.usage()[1] == 49, what="the deleted inode")
    (limited.directory / "x").touch()
    assert limited.usage()[1] == 50


def test_sparse_files_cost_what_they_hold(limited):
    fd = os.open(limited.directory / "file", os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, 1 << 40)
    assert limited.usage()[0] == 1
    for number in range(10):
        os.pwrite(fd, b"x", number << 30)
    assert limited.usage()[0] == 11 and os.fstat(fd).st_blocks == 80
    os.pwrite(fd, b"across", 4094)
    assert limited.usage()[0] == 12
    fallocate(fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, 0, BLOCK)
    assert limited.usage()[0] == 11
    os.ftruncate(fd, 0)
    assert limited.usage()[0] == 1
    os.close(fd)


def test_fallocate_counts_and_is_refused_whole(limited):
    fd = os.open(limited.directory / "file", os.O_RDWR | os.O_CREAT)
    fallocate(fd, 0, 0, 200 * BLOCK)
    assert limited.usage()[0] == 201
    fallocate(fd, FALLOC_KEEP_SIZE, 0, 255 * BLOCK)
    assert limited.usage()[0] == 256 and os.fstat(fd).st_size == 200 * BLOCK
    with raises_errno(errno.EDQUOT):
        fallocate(fd, 0, 255 * BLOCK, 1)
    os.pwrite(fd, b"y" * 255 * BLOCK, 0)
    assert limited.usage()[0] == 256
    os.close(fd)


def test_clones_are_charged_in_full(limited):
    (limited.directory / "a").write_bytes(b"a" * 100 * BLOCK)
    source, target = os.open(limited.directory / "a", os.O_RDONLY), os.open(limited.directory / "b", os.O_RDWR | os.O_CREAT)
    assert os.copy_file_range(source, target, 100 * BLOCK) == 100 * BLOCK
    assert limited.usage()[0] == 201
    with raises_errno(errno.EDQUOT):
        os.copy_file_range(source, target, 100 * BLOCK, 0, 100 * BLOCK)
    os.close(source)
    os.close(target)
    agree(limited)


def test_xattrs_cost_blocks(limited):
    (limited.directory / "file").touch()
    os.setxattr(limited.directory / "file", "user.a", b"x" * (BLOCK - 6))
    assert limited.usage()[0] == 2
    os.setxattr(limited.directory / "file", "user.b", b"")
    assert agree(limited)[0] == 3
    os.setxattr(limited.directory / "file", "user.a", b"")
    assert agree(limited)[0] == 2
    os.unlink(limited.directory / "file")
    wait_until(lambda: limited.usage() == (1, 1), what="the deleted inode")


def test_unlinked_counts_until_closed(limited):
    fd = os.open(limited.directory / "file", os.O_RDWR | os.O_CREAT)
    os.write(fd, b"x" * 100 * BLOCK)
    os.unlink(limited.directory / "file")
    assert limited.usage() == (101, 2)
    assert fill_up(limited.directory / "other") == 155 * BLOCK
    with raises_errno(errno.EDQUOT):
        os.write(fd, b"x")
    assert os.pread(fd, 1, 0) == b"x"
    os.close(fd)
    wait_until(lambda: limited.usage() == (156, 2), what="the closed file's blocks")


def test_unlinked_is_freed_by_the_next_mount_after_a_crash(limited):
    fd = os.open(limited.directory / "file", os.O_RDWR | os.O_CREAT)
    os.write(fd, b"x" * 100 * BLOCK)
    os.unlink(limited.directory / "file")
    (limited.directory / "kept").write_bytes(b"kept")
    limited.kill()
    os.close(fd)
    limited.mount()
    wait_until(lambda: limited.usage() == (2, 2), what="the orphan's blocks")


def test_mapped_writes_stay_below(limited):
    """Stores into a mapping cannot be refused at once, but what does not fit is not kept."""
    fd = os.open(limited.directory / "file", os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, 2 * ROOM * BLOCK)
    child = os.fork()
    if child == 0:
        view = mmap.mmap(fd, 2 * ROOM * BLOCK)
        for number in range(2 * ROOM):
            view[number * BLOCK] = 1
        try:
            view.flush()
            os._exit(0)
        except OSError:
            os._exit(3)
    _, status = os.waitpid(child, 0)
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 3
    assert limited.usage()[0] <= ROOM
    os.close(fd)


def test_mapped_overwrites_of_what_is_there_always_fit(limited):
    """Also behind and between pages that find no room, which the kernel writes back in the same request."""
    fd = os.open(limited.directory / "file", os.O_RDWR | os.O_CREAT)
    there = [*range(8, 12), 20, *range(30, 32)]
    for number in there:
        os.pwrite(fd, b"o" * BLOCK, number * BLOCK)
    os.ftruncate(fd, 31 * BLOCK + 100)
    fill_up(limited.directory / "full")
    with mmap.mmap(fd, 31 * BLOCK + 100) as view:
        view[:] = b"n" * len(view)
        with raises_errno(errno.EDQUOT):
            view.flush()
    os.close(fd)
    assert limited.usage()[0] == ROOM
    limited.remount()
    data = (limited.directory / "file").read_bytes()
    assert len(data) == 31 * BLOCK + 100
    assert [number for number in range(32) if data[number * BLOCK] == ord("n")] == there
    assert data.count(b"n") == 6 * BLOCK + 100
    assert limited.usage()[0] == ROOM


def test_mapped_stores_without_room_do_not_read_as_stored(limited):
    """Neither through the map nor otherwise, and whether anybody asked or not (the kernel tells by msync only)."""
    fd = os.open(limited.directory / "file", os.O_RDWR | os.O_CREAT)
    os.pwrite(fd, b"o" * BLOCK, 2 * BLOCK)
    os.ftruncate(fd, 5 * BLOCK)
    fill_up(limited.directory / "full")
    stored = b"\0" * (2 * BLOCK) + b"n" * BLOCK + b"\0" * (2 * BLOCK)
    with mmap.mmap(fd, 5 * BLOCK) as view:
        view[:] = b"n" * len(view)
        with raises_errno(errno.EDQUOT):
            view.flush()
        wait_until(lambda: view[:] == stored)
        assert os.pread(fd, len(stored), 0) == stored
        view[:BLOCK] = view[3 * BLOCK:4 * BLOCK] = b"m" * BLOCK
    wait_until(lambda: os.pread(fd, len(stored), 0) == stored)
    with raises_errno(errno.EDQUOT):
        os.fsync(fd)
    os.unlink(limited.directory / "full")
    with mmap.mmap(fd, 5 * BLOCK) as view:
        view[:] = b"f" * len(view)
        view.flush()
        time.sleep(0.1)
        assert view[:] == b"f" * len(view)
    os.close(fd)
    limited.remount()
    assert (limited.directory / "file").read_bytes() == b"f" * len(stored)


def test_writers_together_fill_it_exactly(limited):
    program = ("import errno, os, sys\nfd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)\ntotal = 0\ntry:\n"
               "    while True: total += os.write(fd, b'w' * int(sys.argv[2]))\n"
               "except OSError as error: assert error.errno == errno.EDQUOT, error\nprint(total)")
    running = [subprocess.Popen(["/usr/bin/python3", "-c", program, limited.directory / str(number), str(size)],
                                stdout=subprocess.PIPE, text=True)
               for number, size in enumerate([BLOCK, BLOCK, 3 * BLOCK, 16 * BLOCK, 70 * BLOCK, BLOCK])]
    totals = [int(process.communicate()[0]) for process in running]
    assert all(process.returncode == 0 for process in running)
    assert sum(totals) == (ROOM - 1) * BLOCK
    assert agree(limited)[0] == ROOM


def test_limit_set_while_mounted(limited):
    fill_up(limited.directory / "file")
    limited.run("quota", "set", limited.path, "-B", "2M")
    assert os.statvfs(limited.directory).f_blocks == 512
    assert fill_up(limited.directory / "file") == 256 * BLOCK
    limited.run("quota", "set", limited.path, "-B", "none", "-I", "2")
    (limited.directory / "file").open("ab").write(b"x" * 100000)
    with raises_errno(errno.EDQUOT):
        (limited.directory / "second").touch()
    limited.remount()
    with raises_errno(errno.EDQUOT):
        (limited.directory / "second").touch()


def test_limit_below_usage(limited):
    """Being over a limit stops growth, and nothing else."""
    (limited.directory / "file").write_bytes(b"x" * 200 * BLOCK)
    limited.run("quota", "set", limited.path, "-B", "100K", "-I", "1")
    agree(limited)
    limited.remount()
    agree(limited)
    path = limited.directory / "file"
    assert path.read_bytes() == b"x" * 200 * BLOCK
    for act in (lambda: fill_piece(path), lambda: os.mkdir(limited.directory / "dir"),
                lambda: (limited.directory / "new").touch()):
        with raises_errno(errno.EDQUOT):
            act()
    with open(path, "r+b") as file:
        file.write(b"over")
    os.rename(path, limited.directory / "renamed")
    os.truncate(limited.directory / "renamed", 23 * BLOCK)
    assert limited.usage()[0] == 24
    fill_piece(limited.directory / "renamed")
    with raises_errno(errno.EDQUOT):
        fill_piece(limited.directory / "renamed")


def fill_piece(path):
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(fd, b"p" * BLOCK)
    finally:
        os.close(fd)


def test_df_shows_the_limit(limited):
    (limited.directory / "file").write_bytes(b"x" * 63 * BLOCK)
    lines = subprocess.run(["df", "-k", "--output=size,used,avail,itotal,iused", limited.directory], check=True,
                           stdout=subprocess.PIPE, text=True).stdout.splitlines()
    assert lines[1].split() == ["1024", "256", "768", "50", "2"]


def random_work(top, rng, steps):
    """Creates, writes, moves, links and deletes at random; being refused by the limit is part of it."""
    names = [f"n{number}" for number in range(30)]

    def path():
        return top / rng.choice(names)

    def shorten(file):
        """Never longer: count_usage knows no holes, and a refused write leaves files that are empty."""
        os.truncate(file, min(rng.randrange(4096), os.stat(file).st_size))

    acts = [
        lambda: path().write_bytes(rng.randbytes(rng.randrange(60000))),
        lambda: path().write_bytes(rng.randbytes(rng.randrange(60000))),
        lambda: path().open("ab").write(rng.randbytes(rng.randrange(20000))),
        lambda: os.unlink(path()),
        lambda: os.rename(path(), path()),
        lambda: os.link(path(), path()),
        lambda: shorten(path()),
        lambda: os.mkdir(path()),
        lambda: os.rmdir(path()),
        lambda: os.symlink("target", path()),
        lambda: os.setxattr(path(), "user.x", rng.randbytes(rng.randrange(9000))),
    ]
    for _ in range(steps):
        try:
            rng.choice(acts)()
        except OSError as error:
            assert error.errno in (errno.EDQUOT, errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR,
                                   errno.EPERM, errno.EINVAL), error


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_usage_is_right_after_kill(make_store, seed):
    print(f"seed {seed}")
    rng = random.Random(seed)
    store = make_store("-B", "600K", "-I", "25")
    for _ in range(3):
        store.mount()
        random_work(store.directory, rng, 250)
        blocks, inodes = store.usage()
        assert blocks <= 150 and inodes <= 25
        child = os.fork()
        if child == 0:
            try:
                random_work(store.directory, rng, 100000)
            finally:
                os._exit(0)
        delay = rng.random() * 0.3
        time.sleep(delay)
        store.kill(directory=False)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        store.kill_all()
        detach(store.directory)
        store.mount()
        wait_until(lambda: store.usage() == count_usage(store.directory), 5, "usage to equal the sum over the tree")
        blocks, inodes = store.usage()
        assert blocks <= 150 and inodes <= 25
        store.unmount()
        store.fsck()
    store.forget_state()
    store.mount()
    assert store.usage() == count_usage(store.directory) == (blocks, inodes)


def test_root_is_bound_too(limited):
    """Whoever runs the tests, root or not, is refused: that is every test above. Here: the reserve of no one is left."""
    fill_up(limited.directory / "file", 1 << 20)
    size = os.statvfs(limited.directory)
    assert size.f_bfree == size.f_bavail == 0


def over_since(store):
    return store.status()["soft"]["bytes_over_since"]


def test_a_soft_limit(make_store):
    """It may be passed for a while, then it holds as a hard one does, also after a kill, until usage is below."""
    store = make_store()
    mount = store.mount()
    store.run("quota", "set", store.path, "-b", "1M", "-B", "16M", "-t", "5s")
    (mount / "one").write_bytes(os.urandom(1 << 19))
    assert over_since(store) == 0
    begin = time.time()
    (mount / "two").write_bytes(os.urandom(1 << 20))
    assert int(begin) <= over_since(store) <= time.time()
    (mount / "three").write_bytes(os.urandom(4 << 20))  # as if there were none
    assert time.time() < begin + 4, "this machine is too slow for this test"
    time.sleep(max(0, begin + 6 - time.time()))
    with raises_errno(errno.EDQUOT):
        (mount / "four").write_bytes(b"x")
    store.run("sync", mount)
    since = over_since(store)
    store.kill()
    store.mount()
    assert over_since(store) == since
    (mount / "three").unlink()  # half a MiB too much still
    with raises_errno(errno.EDQUOT):
        (mount / "four").write_bytes(b"x")
    (mount / "two").unlink()
    wait_until(lambda: over_since(store) == 0, 10, "the clock to end")
    (mount / "four").write_bytes(os.urandom(1 << 20))  # passed anew
    assert over_since(store) >= begin + 5
