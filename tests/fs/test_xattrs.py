"""Extended attributes: user.* and nothing else."""
import errno
import os

import pytest

from harness import raises_errno


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
    import ctypes
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
    for name in ("trusted.a", "nosuch.a", "security.riad"):
        with raises_errno(errno.EOPNOTSUPP, errno.EPERM):
            os.setxattr(path, name, b"x")
    for name in ("security.capability", "system.posix_acl_access"):
        with raises_errno(errno.EOPNOTSUPP, errno.ENODATA):
            os.getxattr(path, name)
    assert os.listxattr(path) == []


def test_symlinks_carry_none(place):
    os.symlink("x", place / "link")
    with raises_errno(errno.EPERM, errno.EOPNOTSUPP):
        os.setxattr(place / "link", "user.a", b"x", follow_symlinks=False)


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
