"""At a limit, and above one that was lowered: each way to grow is refused at once and leaves nothing behind; what needs no new
room always works. (tests/fs/test_limits.py has the common cases, tests/fs/test_accounting.py what each thing costs.)"""
import errno
import mmap
import os
import shutil
import socket
import stat
import time

import pytest

import trees
from harness import BLOCK, Store, raises_errno, wait_until
from processes import in_child
from syscalls import FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE, RENAME_EXCHANGE, RENAME_WHITEOUT, fallocate, renameat2

MEGABYTE = 1 << 20
# A default ACL with a named user, as the kernel takes it.
DEFAULT_ACL = (b"\2\0\0\0" + b"\1\0\7\0\xff\xff\xff\xff" + b"\2\0\5\0\x39\x30\0\0" + b"\4\0\5\0\xff\xff\xff\xff"
               + b"\x10\0\5\0\xff\xff\xff\xff" + b"\x20\0\0\0\xff\xff\xff\xff")
GROWTH, FREE = {"bytes": [], "inodes": [], "lowered": []}, []


@pytest.fixture(scope="module")
def store(binary, base):
    made = Store(binary, base)
    try:
        made.init()
        made.mount()
        yield made
        made.unmount()
        made.fsck()
    finally:
        made.remove()


class opened:
    def __init__(self, path, flags=os.O_RDWR):
        self.fd = os.open(path, flags, 0o644)

    def __enter__(self):
        return self.fd

    def __exit__(self, *_):
        os.close(self.fd)


def build(path):
    """A directory of the same contents each time."""
    path.mkdir()
    (path / "dir").mkdir()
    (path / "dir" / "entry").write_bytes(b"e" * 2 * BLOCK)
    (path / "empty").mkdir()
    (path / "file").write_bytes(b"f" * 8 * BLOCK)
    (path / "part").write_bytes(b"p" * 100)
    (path / "big").write_bytes(b"b" * MEGABYTE)
    os.setxattr(path / "part", "user.a", b"a" * 1000)
    os.symlink("target", path / "symlink")
    with opened(path / "sparse", os.O_RDWR | os.O_CREAT) as fd:
        os.pwrite(fd, b"s", MEGABYTE)
        fallocate(fd, 0, 10 * BLOCK, 5 * BLOCK)
    return path


@pytest.fixture
def place(store):
    """An own directory, without a limit as yet."""
    limit(store, "none", "none")
    path = build(store.directory / "place")
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def restricted(store, request):
    """(how, a directory for each test, the usage): at the limit on bytes, at the one on inodes, at both, or above both, which
    were lowered. For all tests at that limit."""
    places = {act.__name__: build(store.directory / act.__name__) for act in [refuse_all, *FREE]}
    (store.directory / "filler").mkdir()
    (store.directory / "filler" / "file").touch()
    before = restrict(store, request.param)
    yield request.param, places, before
    limit(store, "none", "none")
    for path in [*places.values(), store.directory / "filler"]:
        shutil.rmtree(path)


def limit(store, blocks, inodes):
    store.run("quota", "set", store.path, "-B", blocks if blocks == "none" else str(blocks * BLOCK), "-I", str(inodes))


def restrict(store, how):
    wait_until(lambda: store.usage() == trees.walk_usage(store.directory), what="what was removed before")
    blocks, inodes = store.usage()
    limit(store, *{"bytes": (blocks, "none"), "inodes": ("none", inodes), "lowered": (1, 1), "both": (blocks, inodes)}[how])
    return blocks, inodes


def growth(*limits, root=False):
    """What one of these limits forbids. A lowered one forbids all."""
    def register(function):
        for how in (*limits, "lowered"):
            GROWTH[how].append(pytest.param(function, id=function.__name__, marks=pytest.mark.root if root else ()))
        return function
    return register


def free(function):
    FREE.append(function)
    return function


# --- what grows ---
@growth("bytes")
def write_into_a_hole(place):
    with opened(place / "sparse") as fd:
        os.pwrite(fd, b"x", 4 * BLOCK)


@growth("bytes")
def append_behind_a_full_block(place):
    with opened(place / "file", os.O_WRONLY | os.O_APPEND) as fd:
        os.write(fd, b"x")


@growth("bytes")
def write_a_megabyte(place):
    with opened(place / "big") as fd:
        os.pwrite(fd, b"x" * MEGABYTE, MEGABYTE)


@growth("bytes")
def write_several_pieces(place):
    with opened(place / "file") as fd:
        os.pwritev(fd, [b"x" * 100, b"y" * BLOCK], 8 * BLOCK)


@growth("bytes")
def allocate(place):
    with opened(place / "file") as fd:
        fallocate(fd, 0, 7 * BLOCK, 2 * BLOCK)


@growth("bytes")
def allocate_behind_the_end(place):
    with opened(place / "file") as fd:
        fallocate(fd, FALLOC_KEEP_SIZE, 100 * BLOCK, 1)


@growth("bytes")
def allocate_much(place):
    with opened(place / "file") as fd:
        fallocate(fd, 0, 0, 1 << 40)


@growth("bytes")
def zero_a_hole(place):
    with opened(place / "sparse") as fd:
        fallocate(fd, FALLOC_ZERO_RANGE, 0, BLOCK)


@growth("bytes")
def clone(place):
    with opened(place / "file") as source, opened(place / "part") as target:
        os.copy_file_range(source, target, 2 * BLOCK, 0, 0)


@growth("bytes")
def clone_a_megabyte(place):
    with opened(place / "big") as source, opened(place / "sparse") as target:
        os.copy_file_range(source, target, MEGABYTE, 0, 2 * MEGABYTE)


@growth("bytes", "inodes")
def make_a_directory(place):
    os.mkdir(place / "new")


@growth("bytes", "inodes")
def make_a_symbolic_link(place):
    os.symlink("target", place / "new")


@growth("inodes")
def create(place):
    os.close(os.open(place / "new", os.O_WRONLY | os.O_CREAT))


@growth("inodes")
def create_exclusively_in_a_directory(place):
    os.close(os.open(place / "dir" / "new", os.O_WRONLY | os.O_CREAT | os.O_EXCL))


@growth("inodes")
def create_a_file_without_a_name(place):
    os.close(os.open(place, os.O_TMPFILE | os.O_RDWR))


@growth("inodes")
def make_a_fifo(place):
    os.mkfifo(place / "new")


@growth("inodes")
def make_a_socket(place):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place / "new"))


@growth("inodes", root=True)
def make_a_device(place):
    os.mknod(place / "new", 0o600 | stat.S_IFCHR, os.makedev(1, 3))


@growth("inodes", root=True)
def leave_a_whiteout(place):
    renameat2(place / "file", place / "new", RENAME_WHITEOUT)


@growth("bytes")
def set_a_first_attribute(place):
    os.setxattr(place / "file", "user.a", b"")


@growth("bytes")
def set_a_longer_attribute(place):
    os.setxattr(place / "part", "user.a", b"x" * BLOCK)


@growth("bytes")
def set_one_attribute_too_many(place):
    os.setxattr(place / "part", "user.b", b"x" * (BLOCK - 1000))


@growth("bytes")
def set_an_access_control_list(place):
    os.setxattr(place / "dir", "system.posix_acl_default", DEFAULT_ACL)


def refuse_all(place):
    """All of these happen in one directory: what is refused leaves it as it was."""


def refuse(store, act, restricted):
    _, places, before = restricted
    place = places[refuse_all.__name__]
    tree, start = trees.describe(place), time.monotonic()
    with raises_errno(errno.EDQUOT):
        act(place)
    assert time.monotonic() - start < 1, "refused, but not at once"
    trees.assert_same(tree, trees.describe(place))
    assert store.usage() == before


@pytest.mark.parametrize("restricted", ["bytes"], indirect=True)
@pytest.mark.parametrize("act", GROWTH["bytes"])
def test_refused_at_the_limit_on_bytes(store, act, restricted):
    refuse(store, act, restricted)


@pytest.mark.parametrize("restricted", ["inodes"], indirect=True)
@pytest.mark.parametrize("act", GROWTH["inodes"])
def test_refused_at_the_limit_on_inodes(store, act, restricted):
    refuse(store, act, restricted)


@pytest.mark.parametrize("restricted", ["lowered"], indirect=True)
@pytest.mark.parametrize("act", GROWTH["lowered"])
def test_refused_above_lowered_limits(store, act, restricted):
    refuse(store, act, restricted)


def test_refused_for_the_limit_only(store, place):
    """The same acts, with room: what they are refused for above is the limit."""
    for act in [parameters.values[0] for parameters in GROWTH["lowered"]]:
        if os.geteuid() == 0 or act not in (make_a_device, leave_a_whiteout):
            path = build(store.directory / act.__name__)
            if act is allocate_much:
                with raises_errno(errno.ENOSPC):
                    act(path)
            else:
                act(path)
            shutil.rmtree(path)


def test_a_file_that_inherits_a_list_needs_room_for_it(store, place):
    os.setxattr(place / "dir", "system.posix_acl_default", DEFAULT_ACL)
    before = restrict(store, "bytes")
    with raises_errno(errno.EDQUOT):
        (place / "dir" / "new").touch()
    (place / "new").touch()
    assert store.usage() == (before[0], before[1] + 1)


# --- what needs no room ---
@free
def overwrite(place):
    with opened(place / "file") as fd:
        assert os.pwrite(fd, b"x" * (8 * BLOCK - 10), 5) == 8 * BLOCK - 10


@free
def overwrite_a_megabyte(place):
    with opened(place / "big") as fd:
        assert os.pwrite(fd, b"x" * MEGABYTE, 0) == MEGABYTE
        os.fsync(fd)


@free
def append_within_the_last_block(place):
    with opened(place / "part", os.O_WRONLY | os.O_APPEND) as fd:
        assert os.write(fd, b"x" * (BLOCK - 100)) == BLOCK - 100


@free
def write_where_room_was_made(place):
    with opened(place / "sparse") as fd:
        assert os.pwrite(fd, b"x" * 5 * BLOCK, 10 * BLOCK) == 5 * BLOCK


@free
def overwrite_through_a_map(place):
    with opened(place / "file") as fd, mmap.mmap(fd, 8 * BLOCK) as view:
        view[:] = b"m" * len(view)
        view.flush()
    assert (place / "file").read_bytes() == b"m" * 8 * BLOCK


@free
def clone_over_what_is_there(place):
    with opened(place / "big") as source, opened(place / "file") as target:
        assert os.copy_file_range(source, target, 8 * BLOCK, 0, 0) == 8 * BLOCK


@free
def allocate_what_is_there(place):
    with opened(place / "file") as fd:
        fallocate(fd, 0, 0, 8 * BLOCK)
        fallocate(fd, FALLOC_ZERO_RANGE, BLOCK, 2 * BLOCK)


@free
def make_long(place):
    os.truncate(place / "file", 1 << 40)


@free
def cut(place):
    os.truncate(place / "file", BLOCK + 1)
    os.truncate(place / "big", 0)


@free
def open_and_empty(place):
    os.close(os.open(place / "big", os.O_WRONLY | os.O_CREAT | os.O_TRUNC))


@free
def punch(place):
    with opened(place / "file") as fd:
        fallocate(fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, BLOCK, BLOCK)


@free
def unlink(place):
    os.unlink(place / "big")
    os.unlink(place / "symlink")


@free
def remove_directories(place):
    os.rmdir(place / "empty")
    shutil.rmtree(place / "dir")


@free
def rename(place):
    os.rename(place / "file", place / "dir" / ("long" * 50))
    os.rename(place / "dir", place / "new")


@free
def rename_over(place):
    os.rename(place / "file", place / "big")
    os.rename(place / "dir", place / "empty")


@free
def exchange(place):
    renameat2(place / "file", place / "dir", RENAME_EXCHANGE)


@free
def link(place):
    os.link(place / "file", place / "dir" / "new")


@free
def set_mode_owner_and_times(place):
    for name in ("file", "dir"):
        os.chmod(place / name, 0o700)
        os.chown(place / name, os.geteuid(), os.getegid())
        os.utime(place / name, (5, 5))


@free
def set_attributes_that_fit_in_their_block(place):
    os.setxattr(place / "part", "user.a", b"x" * 1000)
    os.setxattr(place / "part", "user.b", b"y" * 1000)
    os.setxattr(place / "part", "user.a", b"")
    os.removexattr(place / "part", "user.a")


@free
def open_what_is_there(place):
    os.close(os.open(place / "file", os.O_RDWR | os.O_CREAT))
    assert (place / "file").read_bytes() == b"f" * 8 * BLOCK and len(os.listdir(place)) == 7


def top_up(store, restricted):
    """Takes what the tests before gave back, so that the limit is reached again."""
    how, _, before = restricted
    wait_until(lambda: store.usage() == trees.walk_usage(store.directory), what="what was given back")
    if how == "both":
        filler = store.directory / "filler"
        with opened(filler / "file", os.O_WRONLY | os.O_APPEND) as fd, raises_errno(errno.EDQUOT):
            while True:
                os.write(fd, b"x" * MEGABYTE)
        for _ in range(before[1] - store.usage()[1]):
            os.mkfifo(filler / str(len(os.listdir(filler))))
        assert store.usage() == before
    return store.usage()


@pytest.mark.parametrize("restricted", ["both", "lowered"], indirect=True)
@pytest.mark.parametrize("act", FREE, ids=lambda act: act.__name__)
def test_what_needs_no_room_works(store, act, restricted):
    before = top_up(store, restricted)
    act(restricted[1][act.__name__])
    after = trees.walk_usage(store.directory)
    wait_until(lambda: store.usage() == after, what="what was given back")
    assert after[0] <= before[0] and after[1] <= before[1]


# --- writes and stores that fit in part ---
def test_write_over_what_is_there_and_a_little_more(store, place):
    blocks, _ = restrict(store, "bytes")
    limit(store, blocks + 3, "none")
    with opened(place / "file") as fd:
        assert os.pwrite(fd, b"n" * 10 * BLOCK, 2 * BLOCK + 5) == 9 * BLOCK - 5
        with raises_errno(errno.EDQUOT):
            os.pwrite(fd, b"n", 11 * BLOCK)
    assert (place / "file").read_bytes() == b"f" * (2 * BLOCK + 5) + b"n" * (9 * BLOCK - 5)
    assert store.usage()[0] == trees.walk_usage(store.directory)[0] == blocks + 3


def leave_room(store, place, count):
    """A sparse file of 40 blocks, and room for so many of them."""
    with opened(place / "mapped", os.O_RDWR | os.O_CREAT) as fd:
        os.ftruncate(fd, 40 * BLOCK)
    blocks, _ = restrict(store, "bytes")
    limit(store, blocks + count, "none")
    return blocks + count


def pages_kept(path):
    """How many of its pages are stored; each is, wholly, or is a hole."""
    data = path.read_bytes()
    pages = [data[at:at + BLOCK] for at in range(0, len(data), BLOCK)]
    assert all(page in (b"m" * BLOCK, b"\0" * BLOCK) for page in pages)
    return pages.count(b"m" * BLOCK)


def store_everywhere(view):
    view[:] = b"m" * len(view)


def test_of_mapped_pages_what_fits_is_stored(store, place):
    full = leave_room(store, place, 25)
    with opened(place / "mapped") as fd, mmap.mmap(fd, 0) as view:
        store_everywhere(view)
        with raises_errno(errno.EDQUOT):
            view.flush()
        wait_until(lambda: pages_kept(place / "mapped") == 25, what="the refused pages to be dropped")
    assert store.usage()[0] == trees.walk_usage(store.directory)[0] == full


def test_fsync_tells_of_refused_pages(store, place):
    leave_room(store, place, 25)
    with opened(place / "mapped") as fd, opened(place / "mapped") as other, mmap.mmap(fd, 0) as view:
        store_everywhere(view)
        for each in (fd, other):
            with raises_errno(errno.EDQUOT):
                os.fsync(each)
    wait_until(lambda: pages_kept(place / "mapped") == 25)


def test_close_tells_of_refused_pages(store, place):
    """By EIO: the kernel keeps no other error for close(2) than this and ENOSPC."""
    leave_room(store, place, 25)
    fd = os.open(place / "mapped", os.O_RDWR)
    with mmap.mmap(fd, 0) as view:
        store_everywhere(view)
        with raises_errno(errno.EDQUOT, errno.EIO):
            os.close(fd)
    wait_until(lambda: pages_kept(place / "mapped") == 25)


def test_who_asks_later_is_told(store, place):
    """The program that stored ended without a question: the next one that syncs the file hears of it, once."""
    full = leave_room(store, place, 25)

    def store_and_end():
        with opened(place / "mapped") as fd:
            store_everywhere(mmap.mmap(fd, 0))

    in_child(store_and_end)
    with opened(place / "mapped") as fd:
        with raises_errno(errno.EDQUOT):
            os.fsync(fd)
        os.fsync(fd)
    assert pages_kept(place / "mapped") == 25 and store.usage()[0] == full
