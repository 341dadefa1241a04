"""Names and paths of any bytes and of all lengths, targets of symbolic links, and the two entries that every directory has."""
import errno
import os
import random
import stat

import pytest

from harness import raises_errno, wait_until
from syscalls import RENAME_EXCHANGE, Directory, handle_of, open_handle, renameat2

ALLOWED = [bytes([value]) for value in range(1, 256) if value != ord("/")]
ODD = [b"-rf", b" leading", b"trailing ", b"\n", b"a\nb", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"...", b"..a", b"~", b"*", b"$(x)", b"'\"",
       "\u00e4".encode(), "a\u0308".encode(), b"\x7f", b"\x01", b"\\", b"a" * 255, b"\xf0\x9f\x98\x80" * 63]


def random_names(count):
    rng = random.Random(12)
    found = {b"".join(rng.choices(ALLOWED, k=length)) for length in [1, 2, 100, 254, 255] + rng.choices(range(1, 256), k=count)}
    return sorted(found - {b".", b".."})


def test_names_of_any_bytes_everywhere(either):
    """Each byte alone, each in the middle, odd ones, and random ones of all lengths: made, found, moved and removed."""
    top = os.fsencode(either)
    names = sorted({*ALLOWED, *(b"x" + byte + b"y" for byte in ALLOWED), *ODD, *random_names(150)} - {b"."})
    makers = [lambda path: os.close(os.open(path, os.O_CREAT | os.O_EXCL)), os.mkdir, lambda path: os.symlink(b"x", path),
              os.mkfifo, lambda path: os.link(os.path.join(top, b"linked"), path)]
    os.close(os.open(os.path.join(top, b"linked"), os.O_CREAT))
    for number, name in enumerate(names):
        makers[number % len(makers)](os.path.join(top, name))
    assert sorted(os.listdir(top)) == sorted([*names, b"linked"])
    for name in names:
        with raises_errno(errno.EEXIST):
            os.mkdir(os.path.join(top, name))
        os.lstat(os.path.join(top, name))
    for name in names:  # the same bytes backwards, where that is another name
        if name[::-1] not in names and name[::-1] != b"..":
            os.rename(os.path.join(top, name), os.path.join(top, name[::-1]))
            with raises_errno(errno.ENOENT):
                os.lstat(os.path.join(top, name))
    for name in os.listdir(top):
        path = os.path.join(top, name)
        (os.rmdir if stat.S_ISDIR(os.lstat(path).st_mode) else os.unlink)(path)
    assert os.listdir(top) == []


def test_names_differ_in_every_bit(either):
    """No case is folded, nothing is normalised or cut."""
    groups = [("a", "A"), ("\u00df", "ss", "SS"), ("\u00e9", "e\u0301"), ("\u212b", "\u00c5", "A\u030a"), ("x", "x ", "x."), ("K", "\u212a")]
    for names in groups:
        for name in names:
            (either / name).write_text(name, encoding="utf-8")
    assert len(os.listdir(either)) == sum(map(len, groups))
    assert all((either / name).read_text(encoding="utf-8") == name for names in groups for name in names)


def test_targets_of_all_lengths(either):
    rng = random.Random(13)
    for length in [1, 2, 59, 60, 61, 255, 256, 1000, 4094, 4095]:
        target = b"".join(rng.choices([*ALLOWED, b"/"], k=length))
        path = os.path.join(os.fsencode(either), b"link")
        os.symlink(target, path)
        assert os.readlink(path) == target and os.lstat(path).st_size == length
        os.unlink(path)
    with raises_errno(errno.ENAMETOOLONG):
        os.symlink(b"t" * 4096, path)


def test_chains_of_links(either):
    (either / "0").write_bytes(b"end")
    for number in range(1, 42):
        os.symlink(str(number - 1), either / str(number))
    assert (either / "40").read_bytes() == b"end"
    with raises_errno(errno.ELOOP):
        (either / "41").read_bytes()
    os.symlink("missing/..", either / "dangling")
    with raises_errno(errno.ENOENT):
        os.stat(either / "dangling")
    with raises_errno(errno.ELOOP):
        os.open(either / "1", os.O_RDONLY | os.O_NOFOLLOW)
    fd = os.open(either / "1", os.O_PATH | os.O_NOFOLLOW)
    assert os.readlink("", dir_fd=fd) == "0"
    os.close(fd)


def test_paths_of_the_greatest_length(either):
    """4095 bytes are a path, 4096 are none; by steps one may go deeper."""
    fd, name = os.open(either, os.O_RDONLY), "d" * 255
    for _ in range(20):
        os.mkdir(name, dir_fd=fd)
        inner = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.mkdir("x", dir_fd=fd)
    assert os.stat("x/..", dir_fd=fd).st_ino == os.fstat(fd).st_ino
    os.close(fd)
    fd = os.open(either, os.O_RDONLY)
    longest = "/".join([name] * 15 + ["d" * 255])
    assert len(longest) == 4095 and stat.S_ISDIR(os.stat(longest, dir_fd=fd).st_mode)
    with raises_errno(errno.ENAMETOOLONG):
        os.stat(longest + "/", dir_fd=fd)
    assert os.stat("./" * 1900 + name, dir_fd=fd).st_ino == os.stat(name, dir_fd=fd).st_ino
    os.close(fd)


def entries(path):
    with Directory(path) as directory:
        return dict(iter(directory.read_numbered, None))


def check_dots(path):
    """The kernel's copy of a listing follows a moved directory soon, not at once."""
    assert entries(path)[b"."] == os.stat(path).st_ino
    assert os.stat(path / "..").st_ino == os.stat(path.parent).st_ino
    wait_until(lambda: entries(path)[b".."] == os.stat(path.parent).st_ino, 5, f"the right parent in {path}")


def test_dots_name_the_directory_and_its_parent(either, request):
    (either / "a" / "b" / "c").mkdir(parents=True)
    (either / "x" / "y").mkdir(parents=True)
    (either / "a" / "b" / "file").touch()
    for path in ("a", "a/b", "a/b/c", "x/y"):
        check_dots(either / path)
    os.rename(either / "a" / "b", either / "x" / "y" / "moved")
    renameat2(either / "x", either / "a", RENAME_EXCHANGE)
    for path in ("a", "x", "a/y", "a/y/moved", "a/y/moved/c"):
        check_dots(either / path)
    numbers = {name: os.lstat(either / "a" / "y" / "moved" / os.fsdecode(name)).st_ino for name in (b"c", b"file")}
    assert {name: number for name, number in entries(either / "a" / "y" / "moved").items() if name in numbers} == numbers
    if "riad" in request.node.name:
        request.getfixturevalue("shared").remount()
        for path in ("a/y/moved", "a/y/moved/c", "x"):
            check_dots(either / path)
        assert numbers == {name: os.lstat(either / "a" / "y" / "moved" / os.fsdecode(name)).st_ino for name in numbers}


def test_what_the_dots_do_not_do(either):
    (either / "a" / "b").mkdir(parents=True)
    for act, number in ((lambda: os.rmdir(f"{either}/a/."), errno.EINVAL), (lambda: os.rmdir(f"{either}/a/b/.."), errno.ENOTEMPTY),
                        (lambda: os.rename(f"{either}/a/.", either / "x"), errno.EBUSY),
                        (lambda: os.rename(f"{either}/a/b/..", either / "x"), errno.EBUSY),
                        (lambda: os.rename(either / "a", f"{either}/a/b/.."), errno.EBUSY),
                        (lambda: os.unlink(f"{either}/a/."), errno.EISDIR), (lambda: os.mkdir(f"{either}/a/."), errno.EEXIST),
                        (lambda: os.mkdir(f"{either}/a/b/.."), errno.EEXIST),
                        (lambda: os.symlink("x", f"{either}/a/."), errno.EEXIST),
                        (lambda: os.open(f"{either}/a/.", os.O_CREAT), errno.EISDIR),
                        (lambda: os.stat(f"{either}/a/missing/.."), errno.ENOENT)):
        with raises_errno(number):
            act()
    assert entries(either / "a").keys() == {b".", b"..", b"b"}


def test_trailing_slashes(either):
    (either / "dir").mkdir()
    (either / "file").touch()
    os.symlink("dir", either / "to-dir")
    os.symlink("file", either / "to-file")
    os.mkdir(f"{either}/new/")
    assert os.stat(f"{either}/to-dir/").st_ino == os.stat(either / "dir").st_ino
    for act, number in ((lambda: os.stat(f"{either}/file/"), errno.ENOTDIR), (lambda: os.stat(f"{either}/to-file/"), errno.ENOTDIR),
                        (lambda: os.open(f"{either}/other/", os.O_CREAT | os.O_WRONLY), errno.EISDIR),
                        (lambda: os.mknod(f"{either}/other/"), errno.ENOENT), (lambda: os.unlink(f"{either}/file/"), errno.ENOTDIR),
                        (lambda: os.rmdir(f"{either}/to-dir/"), errno.ENOTDIR),
                        (lambda: os.rename(either / "file", f"{either}/other/"), errno.ENOTDIR),
                        (lambda: os.link(either / "file", f"{either}/other/"), errno.ENOENT),
                        (lambda: os.symlink("x", f"{either}/other/"), errno.ENOENT)):
        with raises_errno(number):
            act()
    os.rename(f"{either}/new/", f"{either}/newer/")
    os.rmdir(f"{either}/newer/")


# --- the file system itself ---
def test_what_statfs_says(place, shared):
    size = os.statvfs(place)
    assert size.f_bsize == size.f_frsize == 4096 and size.f_namemax == 255
    assert 0 < size.f_bavail <= size.f_bfree <= size.f_blocks and 0 < size.f_favail <= size.f_ffree <= size.f_files
    assert size.f_flag & os.ST_NOSUID and size.f_flag & os.ST_NODEV and not size.f_flag & os.ST_RDONLY
    fd = os.open(place, os.O_RDONLY)
    assert os.fstatvfs(fd) == size and os.fstatvfs(fd).f_fsid == os.statvfs(shared.directory).f_fsid
    assert [os.fpathconf(fd, name) for name in ("PC_NAME_MAX", "PC_PATH_MAX", "PC_PIPE_BUF", "PC_NO_TRUNC")] == \
        [255, 4096, 4096, 1]
    os.close(fd)


def test_numbers_stay(place, shared):
    """An inode keeps its number over a remount and a lost state; the device is one for the whole mount, and no other's."""
    (place / "dir").mkdir()
    for name in ("file", "dir/inner"):
        (place / name).write_bytes(b"x")
    os.symlink("x", place / "link")
    paths = [shared.directory, place] + [place / name for name in ("dir", "file", "dir/inner", "link")]
    before = [os.lstat(path) for path in paths]
    assert len({info.st_dev for info in before}) == 1 and before[0].st_dev != os.stat(shared.base).st_dev
    assert all(info.st_blksize >= 4096 for info in before)
    shared.remount()
    assert [os.lstat(path).st_ino for path in paths] == [info.st_ino for info in before]
    shared.unmount()
    shared.forget_state()
    shared.mount()
    assert [os.lstat(path).st_ino for path in paths] == [info.st_ino for info in before]


@pytest.mark.root
def test_files_are_found_by_handle(either):
    """name_to_handle_at and open_by_handle_at, as NFS servers and fanotify use them."""
    (either / "file").write_bytes(b"by handle")
    handle = handle_of(either / "file")
    # Held open: a name pushed out of the kernel's cache here would leave a dentry without one, which keeps the inode.
    with open(either / "file", "rb"):
        os.rename(either / "file", either / "moved")
        fd = open_handle(either, handle)
        assert os.read(fd, 20) == b"by handle"
        os.close(fd)
    os.unlink(either / "moved")
    with raises_errno(errno.ESTALE):
        open_handle(either, handle)
    for _ in range(100):  # at once, while the kernel's FORGET may be on its way
        (either / "file").write_bytes(b"x")
        handle = handle_of(either / "file")
        os.unlink(either / "file")
        with raises_errno(errno.ESTALE):
            open_handle(either, handle)
