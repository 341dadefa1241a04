"""What a workspace's limit counts: docs/ADMIN.md's table, row by row. riad's own figures, statfs and st_blocks are one at every
step, and when what was made is removed, all is as it was."""
import mmap
import os
import re
import shutil
import socket
import stat
from pathlib import Path

import pytest

import trees
from harness import BLOCK, Store, detach, wait_until
from syscalls import FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE, RENAME_EXCHANGE, RENAME_WHITEOUT, fallocate, renameat2

ADMIN = Path(__file__).parents[2] / "docs" / "ADMIN.md"
LIMIT_BLOCKS, LIMIT_INODES = 16384, 1000
ROOT = os.geteuid() == 0
ROWS = {}


@pytest.fixture(scope="module")
def counted(binary, base):
    """A workspace with a limit that nothing here reaches, mounted for all tests of this file."""
    store = Store(binary, base)
    try:
        store.init("-B", f"{LIMIT_BLOCKS * BLOCK}", "-I", str(LIMIT_INODES))
        store.mount(*store.for_all)
        yield store
        store.unmount()
        store.fsck()
    finally:
        store.remove()


@pytest.fixture
def room(counted):
    """An own directory, empty when the test begins, and the figures after it was made."""
    path = counted.directory / "room"
    path.mkdir()
    wait_until(lambda: counted.usage() == trees.walk_usage(counted.directory), what="what the test before removed")
    yield path
    shutil.rmtree(path, ignore_errors=True)


def figures(store, *open_files):
    """(blocks, inodes): once they are told, riad, df and the inodes must say the same."""
    blocks, inodes = store.usage()
    size = os.statvfs(store.directory)
    assert (size.f_blocks - size.f_bfree, size.f_files - size.f_ffree) == (blocks, inodes), "df"
    assert trees.walk_usage(store.directory, *open_files) == (blocks, inodes), "st_blocks"
    return blocks, inodes


def grown(store, before, *open_files):
    blocks, inodes = figures(store, *open_files)
    return blocks - before[0], inodes - before[1]


def await_figures(store, expected, *open_files):
    """The kernel lets go of what was removed a moment later."""
    wait_until(lambda: store.usage() == expected, what=f"{expected}, while it is {store.usage()}")
    assert figures(store, *open_files) == expected


def row(text, blocks, inodes, root=False):
    """A function that makes something in a directory, for the row of the table with that text; what it makes costs so much.
    It returns descriptors of what it keeps open without a name."""
    def register(function):
        ROWS.setdefault(text, []).append(
            pytest.param(function, (blocks, inodes), id=function.__name__, marks=pytest.mark.root if root else ()))
        return function
    return register


def new_file(path, data=b""):
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(fd, data)
    return fd


# --- the rows ---
@row("file", 6, 1)
def a_dense_file(place):
    (place / "file").write_bytes(b"x" * (5 * BLOCK + 1))


@row("file", 0, 1)
def an_empty_file(place):
    (place / "file").touch()


@row("file", 512, 1)
def a_file_of_megabytes(place):
    (place / "file").write_bytes(b"x" * 512 * BLOCK)


@row("file", 2, 1)
def a_byte_on_either_side_of_an_edge(place):
    fd = new_file(place / "file")
    os.pwrite(fd, b"xy", 7 * BLOCK - 1)
    os.close(fd)


@row("file", 3, 1)
def blocks_written_again_and_again(place):
    for _ in range(5):
        (place / "file").write_bytes(b"x" * 3 * BLOCK)
    fd = os.open(place / "file", os.O_RDWR)
    os.pwrite(fd, b"y" * BLOCK, BLOCK // 2)
    os.close(fd)


@row("file", 3, 1)
def small_appends(place):
    with open(place / "file", "ab", buffering=0) as file:
        for _ in range(3 * BLOCK // 64):
            file.write(b"x" * 64)


@row("file", 10, 1)
def pages_stored_through_a_map(place):
    fd = new_file(place / "file")
    os.ftruncate(fd, 20 * BLOCK)
    with mmap.mmap(fd, 20 * BLOCK) as view:
        for number in range(0, 20, 2):
            view[number * BLOCK] = 1
        view.flush()
    os.close(fd)


@row("file", 1, 1)
def a_file_that_was_cut(place):
    (place / "file").write_bytes(b"x" * 90 * BLOCK)
    os.truncate(place / "file", 1)


@row("hole in a file", 0, 1)
def a_file_made_long(place):
    os.close(os.open(place / "file", os.O_WRONLY | os.O_CREAT))
    os.truncate(place / "file", 1 << 40)


@row("hole in a file", 2, 1)
def a_file_with_a_hole(place):
    fd = new_file(place / "file", b"x")
    os.pwrite(fd, b"x", 1 << 30)
    os.close(fd)


@row("hole in a file", 2, 1)
def a_file_with_a_punched_hole(place):
    fd = new_file(place / "file", b"x" * 10 * BLOCK)
    fallocate(fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, BLOCK - 1, 8 * BLOCK + 2)
    os.close(fd)


@row("room made by `fallocate`", 20, 1)
def room_in_a_file(place):
    fd = new_file(place / "file")
    fallocate(fd, 0, 1, 19 * BLOCK)
    os.close(fd)


@row("room made by `fallocate`", 20, 1)
def room_behind_the_end(place):
    fd = new_file(place / "file", b"x" * 4 * BLOCK)
    fallocate(fd, FALLOC_KEEP_SIZE, 0, 20 * BLOCK)
    os.close(fd)


@row("room made by `fallocate`", 20, 1)
def room_that_is_then_written(place):
    fd = new_file(place / "file")
    fallocate(fd, 0, 0, 20 * BLOCK)
    os.pwrite(fd, b"x" * 12 * BLOCK, 5 * BLOCK + 7)
    os.close(fd)


@row("room made by `fallocate`", 11, 1)
def a_zeroed_range(place):
    fd = new_file(place / "file", b"x" * 5 * BLOCK)
    fallocate(fd, FALLOC_ZERO_RANGE, 3 * BLOCK, 8 * BLOCK)
    os.close(fd)


@row("hard link", 3, 2)
def names_of_one_file(place):
    (place / "file").write_bytes(b"x" * 2 * BLOCK)
    (place / "dir").mkdir()
    os.link(place / "file", place / "link")
    os.link(place / "file", place / "dir" / "link")
    os.unlink(place / "file")


@row("hard link", 1, 1)
def names_of_a_symbolic_link(place):
    os.symlink("target", place / "symlink")
    os.link(place / "symlink", place / "link", follow_symlinks=False)


@row("directory", 4, 4)
def directories(place):
    (place / "a" / "b" / "c").mkdir(parents=True)
    (place / "d").mkdir()


@row("directory", 1, 301)
def a_directory_of_many_names(place):
    (place / "dir").mkdir()
    for number in range(300):
        os.close(os.open(place / "dir" / (str(number) + "x" * 200), os.O_CREAT))


@row("symbolic link", 2, 2)
def short_and_long_symbolic_links(place):
    os.symlink("t", place / "short")
    os.symlink("t" * 4000, place / "long")


@row("fifo, socket, device", 0, 2)
def a_fifo_and_a_socket(place):
    os.mkfifo(place / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place / "socket"))


@row("fifo, socket, device", 0, 2, root=True)
def two_devices(place):
    os.mknod(place / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod(place / "loop", 0o666 | stat.S_IFBLK, os.makedev(7, 0))


@row("fifo, socket, device", 1, 2, root=True)
def the_device_that_a_whiteout_leaves(place):
    (place / "file").write_bytes(b"x")
    renameat2(place / "file", place / "moved", RENAME_WHITEOUT)


@row("extended attributes of an inode", 1, 1)
def some_attributes_share_a_block(place):
    (place / "file").touch()
    for number in range(10):
        os.setxattr(place / "file", f"user.{number}", b"x" * 400)


@row("extended attributes of an inode", 2, 1)
def a_byte_more_than_a_block(place):
    (place / "file").touch()
    os.setxattr(place / "file", "user.a", b"x" * (BLOCK - 5))


@row("extended attributes of an inode", 1 + 1, 1)
def attributes_of_a_directory(place):
    (place / "dir").mkdir()
    os.setxattr(place / "dir", "user.a", b"x")


@row("extended attributes of an inode", 0, 1)
def attributes_that_were_removed(place):
    (place / "file").touch()
    os.setxattr(place / "file", "user.a", b"x" * 3 * BLOCK)
    os.setxattr(place / "file", "user.a", b"x")
    os.removexattr(place / "file", "user.a")


def access_list(*entries):
    """As the kernel takes it: of (tag, permissions, id)."""
    return b"\2\0\0\0" + b"".join(tag.to_bytes(2, "little") + rights.to_bytes(2, "little") + number.to_bytes(4, "little")
                                  for tag, rights, number in entries)


NOBODY_IN_PARTICULAR = (1 << 32) - 1
OWNER, USER, GROUP, MASK, OTHER = 1, 2, 4, 16, 32


@row("access control lists of an inode", 1, 1)
def an_access_control_list(place):
    (place / "file").touch()
    os.setxattr(place / "file", "system.posix_acl_access", access_list(
        (OWNER, 6, NOBODY_IN_PARTICULAR), (USER, 4, 12345), (GROUP, 4, NOBODY_IN_PARTICULAR), (MASK, 4, NOBODY_IN_PARTICULAR),
        (OTHER, 0, NOBODY_IN_PARTICULAR)))


@row("access control lists of an inode", 0, 1)
def one_that_says_no_more_than_a_mode(place):
    (place / "file").touch()
    os.setxattr(place / "file", "system.posix_acl_access", access_list(
        (OWNER, 6, NOBODY_IN_PARTICULAR), (GROUP, 4, NOBODY_IN_PARTICULAR), (OTHER, 0, NOBODY_IN_PARTICULAR)))


@row("access control lists of an inode", 2 + 2 + 1, 3)
def lists_that_are_inherited(place):
    (place / "dir").mkdir()
    os.setxattr(place / "dir", "system.posix_acl_default", access_list(
        (OWNER, 7, NOBODY_IN_PARTICULAR), (USER, 5, 12345), (GROUP, 5, NOBODY_IN_PARTICULAR), (MASK, 5, NOBODY_IN_PARTICULAR),
        (OTHER, 0, NOBODY_IN_PARTICULAR)))
    (place / "dir" / "dir").mkdir()
    (place / "dir" / "file").touch()


@row("clone (`cp --reflink`, copy_file_range)", 3 * 50, 3)
def clones(place):
    (place / "file").write_bytes(b"x" * 50 * BLOCK)
    source = os.open(place / "file", os.O_RDONLY)
    for name in ("a", "b"):
        target = os.open(place / name, os.O_WRONLY | os.O_CREAT)
        assert os.copy_file_range(source, target, 50 * BLOCK, 0) == 50 * BLOCK
        os.close(target)
    os.close(source)


@row("clone (`cp --reflink`, copy_file_range)", 50, 1)
def a_clone_whose_source_is_gone(place):
    clones(place)
    os.unlink(place / "file")
    os.unlink(place / "a")


@row("clone (`cp --reflink`, copy_file_range)", 12, 1)
def a_clone_within_a_file(place):
    fd = new_file(place / "file", b"x" * 6 * BLOCK)
    assert os.copy_file_range(fd, fd, 6 * BLOCK, 0, 100 * BLOCK) == 6 * BLOCK
    os.close(fd)


@row("clone (`cp --reflink`, copy_file_range)", 4, 2)
def a_clone_of_holes(place):
    fd = new_file(place / "file", b"x" * BLOCK)
    os.pwrite(fd, b"x" * BLOCK, 1 << 20)
    target = new_file(place / "clone", b"y" * BLOCK * 20)
    copied = 0
    while copied < (1 << 20) + BLOCK:
        copied += os.copy_file_range(fd, target, (1 << 20) + BLOCK - copied, copied, copied)
    os.close(fd)
    os.close(target)


@row("unlinked file that is still open", 7, 1)
def an_unlinked_file(place):
    fd = new_file(place / "file", b"x" * 7 * BLOCK)
    os.unlink(place / "file")
    return [fd]


@row("unlinked file that is still open", 9, 2)
def one_that_another_was_moved_over(place):
    fd = new_file(place / "file", b"x" * 7 * BLOCK)
    (place / "other").write_bytes(b"x" * 2 * BLOCK)
    os.rename(place / "other", place / "file")
    return [fd]


@row("unlinked file that is still open", 5, 1)
def one_that_grew_and_shrank_afterwards(place):
    [fd] = an_unlinked_file(place)
    os.pwrite(fd, b"x" * 20 * BLOCK, 0)
    os.ftruncate(fd, 5 * BLOCK)
    return [fd]


@row("unlinked file that is still open", 3, 1)
def a_file_that_never_had_a_name(place):
    fd = os.open(place, os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(fd, b"x" * 3 * BLOCK)
    return [fd]


@row("unlinked file that is still open", 1, 1)
def a_removed_directory(place):
    (place / "dir").mkdir()
    fd = os.open(place / "dir", os.O_RDONLY)
    os.rmdir(place / "dir")
    return [fd]


@row("rename", 4, 2)
def moves(place):
    (place / "dir").mkdir()
    (place / "file").write_bytes(b"x" * 3 * BLOCK)
    os.rename(place / "file", place / "dir" / "file")
    os.rename(place / "dir" / "file", place / "dir" / ("long" * 50))
    os.rename(place / "dir", place / "other")


@row("rename", 3, 1)
def a_move_over_another_file(place):
    (place / "old").write_bytes(b"x" * 30 * BLOCK)
    (place / "new").write_bytes(b"x" * 3 * BLOCK)
    os.rename(place / "new", place / "old")


@row("rename", 4, 2)
def an_exchange(place):
    (place / "dir").mkdir()
    (place / "file").write_bytes(b"x" * 3 * BLOCK)
    renameat2(place / "file", place / "dir", RENAME_EXCHANGE)


@row("owner, group, mode, times", 3 + 1 + 1, 3)
def times_and_modes(place):
    (place / "file").write_bytes(b"x" * 3 * BLOCK)
    (place / "dir").mkdir()
    os.symlink("t", place / "link")
    for name in ("file", "dir"):
        os.chmod(place / name, 0o700)
        os.utime(place / name, (1, 1))
        os.chown(place / name, -1, os.getegid())


@row("owner, group, mode, times", 3 + 1 + 1, 3, root=True)
def other_owners_and_groups(place):
    times_and_modes(place)
    for number, name in enumerate(("file", "dir", "link")):
        os.chown(place / name, 12345, 12000 + number, follow_symlinks=False)
        os.chown(place / name, -1, 0, follow_symlinks=False)
        os.chown(place / name, 54321, -1, follow_symlinks=False)


def every_row():
    return [parameters for of_row in ROWS.values() for parameters in of_row]


# --- the tests ---
def test_the_table_has_these_rows():
    """What the table says is tested, and what is tested it says."""
    table = ADMIN.read_text(encoding="utf-8").split("## What a workspace's limit counts")[1].split("\n## ")[0]
    told = re.findall(r"^\| (.+?) \| .* \| .* \|$", table, re.MULTILINE)
    assert told[:2] == ["object", "the workspace's root directory"]
    assert sorted(told[2:]) == sorted(ROWS)


@pytest.mark.parametrize("make, cost", every_row())
def test_row(counted, room, make, cost):
    before = figures(counted)
    held = make(room) or []
    wait_until(lambda: counted.usage() == (before[0] + cost[0], before[1] + cost[1]), 5,
               f"{cost} more than {before}, while it is {counted.usage()}")
    assert grown(counted, before, *held) == cost
    for path in room.iterdir():
        shutil.rmtree(path) if stat.S_ISDIR(path.lstat().st_mode) else path.unlink()
    if held:
        held_blocks = sum(os.fstat(fd).st_blocks for fd in held) // 8
        await_figures(counted, (before[0] + held_blocks, before[1] + len(held)), *held)
    for fd in held:
        os.close(fd)
    await_figures(counted, before)


def test_an_empty_workspace_has_its_root(make_store):
    store = make_store("-B", "1M", "-I", "10")
    store.mount()
    assert figures(store) == (1, 1)


def test_all_rows_together_survive_a_kill(make_store):
    """kill -9 of riad changes no figure, but that what was open without a name is gone; and neither does the loss of all local
    state, after which the figures come from the log alone."""
    store = make_store("-B", f"{LIMIT_BLOCKS * BLOCK}", "-I", str(LIMIT_INODES))
    store.mount()
    held, expected = [], [1, 1]
    for number, parameters in enumerate(every_row()):
        if parameters.marks and not ROOT:
            continue
        make, cost = parameters.values
        place = store.directory / str(number)
        place.mkdir()
        mine = make(place) or []
        held += mine
        gone = sum(os.fstat(fd).st_blocks for fd in mine) // 8
        expected = [expected[0] + cost[0] + 1 - gone, expected[1] + cost[1] + 1 - len(mine)]
    blocks = sum(os.fstat(fd).st_blocks for fd in held) // 8
    await_figures(store, (expected[0] + blocks, expected[1] + len(held)), *held)
    store.kill(directory=False)
    for fd in held:
        os.close(fd)
    detach(store.directory)
    store.mount()
    await_figures(store, tuple(expected))
    store.unmount()
    store.fsck()
    store.forget_state()
    store.mount()
    await_figures(store, tuple(expected))
