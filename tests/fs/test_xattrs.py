"""Extended attributes."""
import ctypes
import errno
import itertools
import mmap
import os
import stat
import struct

import pytest

import twins
from harness import raises_errno
from syscalls import FALLOC_KEEP_SIZE, fallocate
from twins import ALICE, USERS


@pytest.fixture
def path(place):
    (place / "file").write_text("x", encoding="utf-8")
    return place / "file"


def test_set_get_list_remove(path, shared):
    values = {"user.empty": b"", "user.text": b"hello", "user.zero": b"\0\1\0", "user." + "n" * 250: b"long name",
              "user.big": os.urandom(60000)}
    for name, value in values.items():
        os.setxattr(path, name, value)
    os.mkdir(path.parent / "dir")
    os.setxattr(path.parent / "dir", "user.on.dir", b"d")
    shared.remount()
    assert {name: os.getxattr(path, name) for name in os.listxattr(path)} == values
    assert os.getxattr(path.parent / "dir", "user.on.dir") == b"d"
    os.removexattr(path, "user.text")
    with raises_errno(errno.ENODATA):
        os.getxattr(path, "user.text")
    with raises_errno(errno.ENODATA):
        os.removexattr(path, "user.text")
    assert set(os.listxattr(path)) == values.keys() - {"user.text"}


def test_create_and_replace(path):
    with raises_errno(errno.ENODATA):
        os.setxattr(path, "user.a", b"1", os.XATTR_REPLACE)
    os.setxattr(path, "user.a", b"1", os.XATTR_CREATE)
    with raises_errno(errno.EEXIST):
        os.setxattr(path, "user.a", b"2", os.XATTR_CREATE)
    os.setxattr(path, "user.a", b"22", os.XATTR_REPLACE)
    os.setxattr(path, "user.a", b"3")
    assert os.getxattr(path, "user.a") == b"3"


def test_too_small_buffer_gives_erange(path):
    libc = ctypes.CDLL(None, use_errno=True)
    os.setxattr(path, "user.a", b"x" * 100)
    buffer = ctypes.create_string_buffer(200)
    raw = os.fsencode(path)
    assert libc.getxattr(raw, b"user.a", buffer, 99) == -1 and ctypes.get_errno() == errno.ERANGE
    assert libc.getxattr(raw, b"user.a", None, 0) == 100
    assert libc.getxattr(raw, b"user.a", buffer, 100) == 100
    assert libc.listxattr(raw, buffer, 3) == -1 and ctypes.get_errno() == errno.ERANGE
    assert libc.listxattr(raw, None, 0) == len(b"user.a\0")


def test_bounds(path):
    with raises_errno(errno.E2BIG, errno.ENOSPC):
        os.setxattr(path, "user.big", b"x" * 65537)
    with raises_errno(errno.ERANGE):
        os.setxattr(path, "user." + "n" * 251, b"x")
    os.setxattr(path, "user.most", b"y" * 65536)
    assert os.getxattr(path, "user.most") == b"y" * 65536


def test_other_namespaces_are_not_supported(path):
    for name in ("nosuch.a", "system.a", "user", "User.a"):
        with raises_errno(errno.EOPNOTSUPP):
            os.setxattr(path, name, b"x")
        with raises_errno(errno.EOPNOTSUPP):
            os.getxattr(path, name)
        with raises_errno(errno.EOPNOTSUPP):
            os.removexattr(path, name)
    for name in ("security.capability", "system.posix_acl_access"):
        with raises_errno(errno.ENODATA):
            os.getxattr(path, name)
    assert os.listxattr(path) == []


NAMES = ("user.a", "trusted.a", "security.a", "user.", "trusted.", "security.", "system.a", "nosuch.a", "user", "system.posix_acl",
         "trusted.overlay.opaque", "security.capability", "user." + "n" * 250, "user." + "n" * 251, "trusted." + "n" * 247)
KINDS = {"file": (twins.create,), "directory": (twins.make_directory,), "link": (twins.make_link,),
         "fifo": (twins.make_node, stat.S_IFIFO | 0o666), "device": (twins.make_node, stat.S_IFCHR | 0o666),
         "socket": (twins.make_node, stat.S_IFSOCK | 0o666)}


def everything(path, name):
    yield from ((twins.get_value, path, name), (twins.remove_value, path, name))
    yield from ((twins.set_value, path, name, value, flags) for value, flags in (
        (b"1", os.XATTR_REPLACE), (b"one", os.XATTR_CREATE), (b"two", os.XATTR_CREATE), (b"", os.XATTR_REPLACE), (b"three", 0), (b"x", 4)))
    yield from ((twins.get_value, path, name), (twins.list_names, path), (twins.remove_value, path, name), (twins.list_names, path))


@pytest.mark.root
@pytest.mark.parametrize("kind", KINDS)
def test_namespaces_by_users(pair, kind):
    """What each user may do with each name on each kind of inode, his own and another's."""
    make, *mode = KINDS[kind]
    for owner in USERS:
        pair.play((make, str(owner[0]), *mode), (twins.change_owner, str(owner[0]), owner[0], owner[1]), mask=0)
    for user, owner in itertools.product(USERS, USERS):
        pair.play(*(step for name in NAMES for step in everything(str(owner[0]), name)), user=user)


@pytest.mark.root
def test_trusted_names_are_listed_to_administrators_only(pair):
    pair.play((twins.create, "file"))
    names = ["trusted.b", "user.a", "trusted.c", "security.d", "trusted.e"]
    for number in range(len(names) + 1):
        pair.play((twins.list_names, "file"), (list_size, "file"))
        seen = pair.play((twins.list_names, "file"), (list_size, "file"), user=ALICE)
        shown = sorted(name for name in names[:number] if not name.startswith("trusted."))
        assert seen == [shown, sum(len(name) + 1 for name in shown)]
        if number < len(names):
            pair.play((twins.set_value, "file", names[number], b"x"))


def list_size(path):
    return ctypes.CDLL(None).listxattr(os.fsencode(path), None, 0)


CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)  # cap_net_raw=ep


def truncate(path, size):
    os.truncate(path, size)


def allocate(path, mode):
    with open(path, "r+b") as file:
        fallocate(file.fileno(), mode, 0, 100000)


def write_direct(path):
    descriptor = os.open(path, os.O_WRONLY | os.O_DIRECT)
    with mmap.mmap(-1, 4096) as page:
        os.write(descriptor, page)
    os.close(descriptor)


def write_mapped(path):
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 4096) as pages:
        pages[0:3] = b"new"
        pages.flush()


def copy_within(path):
    with open(path, "r+b") as file:
        return os.copy_file_range(file.fileno(), file.fileno(), 100, 0, 5000)


@pytest.mark.root
def test_capabilities_go_as_on_ext4(pair):
    """security.capability is cleared by what changes a file, whoever does it, and by nothing else."""
    changes = [(twins.append, b"x"), (truncate, 0), (truncate, 5000), (truncate, 9000), (twins.change_owner, 0, 0), (twins.change_owner, -1, 5),
               (twins.change_mode, 0o711), (allocate, 0), (allocate, FALLOC_KEEP_SIZE), (write_direct,), (write_mapped,), (copy_within,),
               (twins.set_list, twins.ACCESS, "u::7 u:5:7 g::5 m::7 o::0"), (twins.set_value, "user.a", b"1"), (os.utime,)]
    for number, (change, *rest) in enumerate(changes):
        path = f"file{number}"
        pair.play((twins.create, path), (twins.append, path, bytes(5000)), (twins.set_value, path, "user.b", b"2"),
                  (twins.set_value, path, "security.capability", CAPABILITY), (change, path, *rest), (twins.list_names, path))


@pytest.mark.root
def test_a_mapping_written_back_takes_no_capabilities(place):
    """What a linker mapped and the kernel writes long after setcap."""
    path = place / "program"
    path.write_bytes(bytes(4096))
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 4096) as pages:
        pages[0:3] = b"ELF"
        os.setxattr(path, "security.capability", CAPABILITY)
        pages.flush()
        os.fsync(file.fileno())
    assert os.getxattr(path, "security.capability") == CAPABILITY


def test_many_on_one_file(path, shared):
    for number in range(300):
        os.setxattr(path, f"user.number{number}", str(number).encode() * 10)
    for number in range(0, 300, 3):
        os.removexattr(path, f"user.number{number}")
    shared.remount()
    names = {f"user.number{number}" for number in range(300) if number % 3}
    assert set(os.listxattr(path)) == names
    assert all(os.getxattr(path, name) == name[11:].encode() * 10 for name in names)


def test_go_with_the_file(path):
    """Renames and links keep them; a new file of the same name has none."""
    os.setxattr(path, "user.a", b"1")
    os.link(path, path.parent / "second")
    os.rename(path, path.parent / "third")
    assert os.getxattr(path.parent / "second", "user.a") == os.getxattr(path.parent / "third", "user.a") == b"1"
    path.write_text("new", encoding="utf-8")
    assert os.listxattr(path) == []
