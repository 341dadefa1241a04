"""Names, links and renames."""
import errno
import os
import socket
import stat
import subprocess

import pytest

from harness import as_user, raises_errno
from syscalls import RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT, link_followed, renameat2


def fill(path, text="x"):
    path.write_text(text, encoding="utf-8")
    return path


def test_create_and_remove(place):
    fill(place / "file", "hello")
    assert (place / "file").read_text(encoding="utf-8") == "hello"
    with raises_errno(errno.EEXIST):
        os.open(place / "file", os.O_CREAT | os.O_EXCL)
    (place / "file").unlink()
    with raises_errno(errno.ENOENT):
        os.stat(place / "file")
    with raises_errno(errno.ENOENT):
        os.unlink(place / "file")
    assert os.listdir(place) == []


def test_directories_and_link_counts(place):
    assert os.stat(place).st_nlink == 2
    for name in "abc":
        (place / name).mkdir()
    assert os.stat(place).st_nlink == 5
    (place / "a" / "inner").mkdir()
    with raises_errno(errno.ENOTEMPTY):
        os.rmdir(place / "a")
    with raises_errno(errno.EISDIR, errno.EPERM):
        os.unlink(place / "a")
    fill(place / "file")
    with raises_errno(errno.ENOTDIR):
        os.rmdir(place / "file")
    os.rename(place / "a" / "inner", place / "b" / "inner")
    assert os.stat(place / "a").st_nlink == 2 and os.stat(place / "b").st_nlink == 3
    os.rmdir(place / "a")
    assert os.stat(place).st_nlink == 4
    with raises_errno(errno.ENOTDIR):
        os.stat(place / "file" / "below")


def test_unlinked_file_stays_usable(place):
    fd = os.open(place / "file", os.O_RDWR | os.O_CREAT)
    os.write(fd, b"before")
    os.unlink(place / "file")
    assert os.fstat(fd).st_nlink == 0
    os.write(fd, b" and after" * 10000)
    os.fsync(fd)
    assert os.pread(fd, 16, 0) == b"before and after"
    os.ftruncate(fd, 3)
    assert os.pread(fd, 16, 0) == b"bef"
    os.close(fd)
    fill(place / "file", "new")
    assert (place / "file").read_text(encoding="utf-8") == "new"


def test_removed_directory_takes_nothing_in(place):
    (place / "gone").mkdir()
    fd = os.open(place / "gone", os.O_RDONLY | os.O_DIRECTORY)
    os.rmdir(place / "gone")
    with raises_errno(errno.ENOENT, errno.ESTALE):
        os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
    with raises_errno(errno.ENOENT, errno.ESTALE):
        os.mkdir("sub", dir_fd=fd)
    os.close(fd)


def test_rename_replaces(place):
    fill(place / "old", "old")
    fill(place / "new", "new")
    inode = os.stat(place / "old").st_ino
    held = os.open(place / "new", os.O_RDONLY)
    os.rename(place / "old", place / "new")
    assert os.listdir(place) == ["new"] and os.stat(place / "new").st_ino == inode
    assert os.read(held, 10) == b"new" and os.fstat(held).st_nlink == 0
    os.close(held)
    (place / "dir").mkdir()
    (place / "full").mkdir()
    fill(place / "full" / "file")
    with raises_errno(errno.ENOTEMPTY, errno.EEXIST):
        os.rename(place / "dir", place / "full")
    with raises_errno(errno.EISDIR):
        os.rename(place / "new", place / "dir")
    with raises_errno(errno.ENOTDIR):
        os.rename(place / "dir", place / "new")
    os.rename(place / "full", place / "dir")
    assert sorted(os.listdir(place)) == ["dir", "new"] and os.listdir(place / "dir") == ["file"]
    os.rename(place / "new", place / "new")
    assert (place / "new").read_text(encoding="utf-8") == "old"


def test_rename_of_two_links_to_one_file_does_nothing(place):
    fill(place / "a")
    os.link(place / "a", place / "b")
    os.rename(place / "a", place / "b")
    assert sorted(os.listdir(place)) == ["a", "b"] and os.stat(place / "a").st_nlink == 2


def test_rename_noreplace(place):
    fill(place / "a", "a")
    fill(place / "b", "b")
    with raises_errno(errno.EEXIST):
        renameat2(place / "a", place / "b", RENAME_NOREPLACE)
    assert (place / "b").read_text(encoding="utf-8") == "b"
    renameat2(place / "a", place / "c", RENAME_NOREPLACE)
    assert sorted(os.listdir(place)) == ["b", "c"]


def test_rename_exchange(place):
    fill(place / "file", "file")
    (place / "left").mkdir()
    (place / "left" / "dir").mkdir()
    fill(place / "left" / "dir" / "inside", "inside")
    before = os.stat(place / "file").st_ino, os.stat(place / "left" / "dir").st_ino
    renameat2(place / "file", place / "left" / "dir", RENAME_EXCHANGE)
    assert os.stat(place / "left" / "dir").st_ino == before[0] and os.stat(place / "file").st_ino == before[1]
    assert (place / "left" / "dir").read_text(encoding="utf-8") == "file"
    assert (place / "file" / "inside").read_text(encoding="utf-8") == "inside"
    assert os.stat(place).st_nlink == 4 and os.stat(place / "left").st_nlink == 2
    assert os.stat(place / "file" / "..").st_ino == os.stat(place).st_ino
    with raises_errno(errno.ENOENT):
        renameat2(place / "file", place / "missing", RENAME_EXCHANGE)


def test_rename_whiteout(place, shared):
    fill(place / "file", "file")
    fill(place / "other", "other")
    (place / "dir").mkdir()
    (place / "dir" / "full").mkdir()
    inode = os.stat(place / "file").st_ino
    before = shared.usage()[1]
    renameat2(place / "file", place / "dir" / "moved", RENAME_WHITEOUT)
    assert os.stat(place / "dir" / "moved").st_ino == inode
    info = os.lstat(place / "file")
    assert stat.S_ISCHR(info.st_mode) and stat.S_IMODE(info.st_mode) == 0
    assert (info.st_rdev, info.st_nlink, info.st_uid) == (0, 1, os.geteuid())
    assert shared.usage()[1] == before + 1
    renameat2(place / "dir" / "moved", place / "other", RENAME_WHITEOUT)  # replaces
    renameat2(place / "dir", place / "gone", RENAME_WHITEOUT | RENAME_NOREPLACE)
    assert sorted(os.listdir(place)) == ["dir", "file", "gone", "other"]
    assert stat.S_ISCHR(os.lstat(place / "dir").st_mode) and os.stat(place).st_nlink == 3
    with raises_errno(errno.EEXIST):
        renameat2(place / "other", place / "gone", RENAME_WHITEOUT | RENAME_NOREPLACE)
    os.link(place / "other", place / "link")
    renameat2(place / "link", place / "other", RENAME_WHITEOUT)  # two names of one file: nothing happens
    assert (place / "link").read_text(encoding="utf-8") == "file"


@pytest.mark.parametrize("flags", [RENAME_EXCHANGE | RENAME_NOREPLACE, RENAME_EXCHANGE | RENAME_WHITEOUT, 8, 1 << 31])
def test_rename_flags_that_make_no_sense(place, flags):
    fill(place / "a")
    fill(place / "b")
    with raises_errno(errno.EINVAL):
        renameat2(place / "a", place / "b", flags)
    assert sorted(os.listdir(place)) == ["a", "b"]


def test_rename_into_own_child(place):
    (place / "a" / "b" / "c").mkdir(parents=True)
    with raises_errno(errno.EINVAL):
        os.rename(place / "a", place / "a" / "b" / "c" / "d")
    with raises_errno(errno.EINVAL):
        renameat2(place / "a", place / "a" / "b", RENAME_EXCHANGE)
    assert (place / "a" / "b" / "c").is_dir()


def test_rename_survives_remount_of_names(place, shared):
    """Moved directories answer `..` and paths rightly after a remount."""
    (place / "x" / "deep").mkdir(parents=True)
    (place / "y").mkdir()
    os.rename(place / "x" / "deep", place / "y" / "deep")
    shared.remount()
    assert os.stat(place / "y" / "deep" / "..").st_ino == os.stat(place / "y").st_ino
    assert os.listdir(place / "x") == [] and os.listdir(place / "y") == ["deep"]


def test_hard_links(place):
    fill(place / "a", "one")
    os.link(place / "a", place / "b")
    (place / "sub").mkdir()
    os.link(place / "b", place / "sub" / "c")
    assert os.stat(place / "a").st_nlink == 3
    assert len({os.stat(place / name).st_ino for name in ("a", "b", "sub/c")}) == 1
    (place / "sub" / "c").write_text("two", encoding="utf-8")
    assert (place / "a").read_text(encoding="utf-8") == "two"
    os.unlink(place / "a")
    assert os.stat(place / "b").st_nlink == 2 and (place / "b").read_text(encoding="utf-8") == "two"
    with raises_errno(errno.EPERM):
        os.link(place / "sub", place / "hard")
    with raises_errno(errno.EEXIST):
        os.link(place / "b", place / "sub")
    os.symlink("nowhere", place / "symlink")
    os.link(place / "symlink", place / "second", follow_symlinks=False)
    assert os.readlink(place / "second") == "nowhere" and os.lstat(place / "second").st_nlink == 2


def test_hard_link_through_proc_of_open_file(place):
    """An unlinked file cannot come back by a name of its own."""
    fd = os.open(place / "file", os.O_RDWR | os.O_CREAT)
    os.unlink(place / "file")
    try:
        with raises_errno(errno.ENOENT):
            link_followed(f"/proc/self/fd/{fd}", place / "again")
    finally:
        os.close(fd)


def test_symlinks(place):
    for target in ["file", "/absolute/path", "x" * 4095, "odd \udcff\n name"]:
        os.symlink(target, place / "link")
        assert os.readlink(place / "link") == target
        assert os.lstat(place / "link").st_size == len(os.fsencode(target))
        os.unlink(place / "link")
    with raises_errno(errno.ENAMETOOLONG):
        os.symlink("x" * 4096, place / "link")
    with raises_errno(errno.ENOENT):
        os.symlink("", place / "link")
    os.symlink("loop", place / "loop")
    with raises_errno(errno.ELOOP):
        os.stat(place / "loop")
    fill(place / "real")
    os.symlink("real", place / "through")
    assert (place / "through").read_text(encoding="utf-8") == "x"


def test_long_names(place):
    longest = "n" * 255
    fill(place / longest)
    (place / ("d" * 255)).mkdir()
    assert sorted(os.listdir(place)) == sorted([longest, "d" * 255])
    for operation in (lambda: os.open(place / ("n" * 256), os.O_CREAT), lambda: os.mkdir(place / ("n" * 256)),
                      lambda: os.rename(place / longest, place / ("m" * 256)), lambda: os.stat(place / ("n" * 256)),
                      lambda: os.symlink("x", place / ("n" * 256)), lambda: os.link(place / longest, place / ("l" * 256))):
        with raises_errno(errno.ENAMETOOLONG):
            operation()
    os.rename(place / longest, place / ("m" * 255))
    assert (place / ("m" * 255)).read_text(encoding="utf-8") == "x"


def test_names_of_any_bytes(place, shared):
    names = [bytes([b]) for b in range(1, 256) if b not in (ord("/"), ord("."))]
    names += [b"\xff\xfe", "älter".encode(), "a\u0308lter".encode(), b" ", b"a\nb", b"...", b"-rf", b"A", b"a b"]
    names = list(dict.fromkeys(names))
    top = os.fsencode(place)
    for name in names:
        with open(os.path.join(top, name), "wb") as file:
            file.write(name)
    shared.remount()
    assert sorted(os.listdir(top)) == sorted(names)
    for name in names:
        with open(os.path.join(top, name), "rb") as file:
            assert file.read() == name


def test_deep_path(place):
    fd = os.open(place, os.O_RDONLY)
    for level in range(400):
        os.mkdir(f"level{level}", dir_fd=fd)
        inner = os.open(f"level{level}", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    subprocess.run(["rm", "-rf", place / "level0"], check=True)
    assert os.listdir(place) == []


def test_fifos_and_sockets(place):
    os.mkfifo(place / "fifo", 0o640)
    assert stat.S_ISFIFO(os.lstat(place / "fifo").st_mode)
    reader = os.open(place / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(place / "fifo", os.O_WRONLY)
    os.write(writer, b"through")
    assert os.read(reader, 10) == b"through"
    os.close(reader)
    os.close(writer)
    os.chdir(place)  # the path of a socket may have 108 bytes
    try:
        server = socket.socket(socket.AF_UNIX)
        server.bind("socket")
        server.listen()
        client = socket.socket(socket.AF_UNIX)
        client.connect("socket")
        assert stat.S_ISSOCK(os.lstat("socket").st_mode)
        client.close()
        server.close()
    finally:
        os.chdir("/")


@pytest.mark.root
def test_device_nodes(place, shared):
    os.mknod(place / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(place / "block", stat.S_IFBLK | 0o600, os.makedev(259, 70000))
    shared.remount()
    assert os.lstat(place / "null").st_rdev == os.makedev(1, 3) and stat.S_ISCHR(os.lstat(place / "null").st_mode)
    assert os.lstat(place / "block").st_rdev == os.makedev(259, 70000)
    assert stat.S_ISBLK(os.lstat(place / "block").st_mode)
    with raises_errno(errno.EACCES):  # nodev
        os.open(place / "null", os.O_RDONLY)


@pytest.mark.root
def test_sticky_directory(make_store, strangers):
    store = make_store()
    top = store.mount("-o", "allow_other")
    os.chmod(top, 0o755)
    (first, gid), (second, other_gid) = strangers
    (top / "tmp").mkdir()
    os.chmod(top / "tmp", 0o1777)
    as_user(first, gid, fill, top / "tmp" / "mine")
    for act in (lambda: os.unlink(top / "tmp" / "mine"), lambda: os.rename(top / "tmp" / "mine", top / "tmp" / "x")):
        with raises_errno(errno.EPERM, errno.EACCES):
            as_user(second, other_gid, act)
    as_user(first, gid, os.unlink, top / "tmp" / "mine")


def test_setgid_directory(place):
    group = 4242 if os.geteuid() == 0 else os.getegid()
    (place / "shared").mkdir()
    os.chown(place / "shared", -1, group)
    os.chmod(place / "shared", 0o2775)
    fill(place / "shared" / "file")
    (place / "shared" / "sub").mkdir()
    os.mkfifo(place / "shared" / "fifo")
    os.symlink("x", place / "shared" / "link")
    assert {os.lstat(place / "shared" / name).st_gid for name in ("file", "sub", "fifo", "link")} == {group}
    assert os.stat(place / "shared" / "sub").st_mode & stat.S_ISGID
    assert not os.stat(place / "shared" / "file").st_mode & stat.S_ISGID
    (place / "plain").mkdir()
    fill(place / "plain" / "file")
    assert os.stat(place / "plain" / "file").st_gid == os.getegid()


def test_inode_numbers_are_never_used_twice(place):
    seen = set()
    for _ in range(300):
        fill(place / "again")
        seen.add(os.stat(place / "again").st_ino)
        os.unlink(place / "again")
    assert len(seen) == 300
