"""The same operations on a riad mount and on a plain directory beside it (ext4, say), and what can be told of the results."""
import errno
import os
import stat
import struct

from harness import as_user
from syscalls import link_followed

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
LETTERS = {"u": (1, 2), "g": (4, 8), "m": (16, 16), "o": (32, 32)}  # tags without and with a name

ROOT, ALICE, BOB = (0, 0, ()), (12345, 12345, ()), (54321, 54321, (777,))
USERS = (ROOT, ALICE, BOB)


def acl(text):
    """The kernel's bytes of "u::7 u:12:5 g::5 m::7 o::0"."""
    value = struct.pack("<I", 2)
    for entry in text.split():
        kind, name, permissions = entry.split(":")
        value += struct.pack("<HHI", LETTERS[kind][name != ""], int(permissions, 8), int(name or 0xffffffff))
    return value


def outcome(function, *arguments):
    """What a call gives: its value, or the name of its error."""
    try:
        return function(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]


def attributes(path):
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}


def describe(path):
    info = os.lstat(path)
    size = info.st_size if stat.S_ISREG(info.st_mode) else None
    return oct(info.st_mode), info.st_uid, info.st_gid, info.st_nlink, size, attributes(path)


def snapshot(root):
    """Everything below it that should be the same on two file systems."""
    root = os.fsencode(root)
    paths = []
    for directory, directories, files in os.walk(root):
        paths += [os.path.join(directory, name) for name in [*directories, *files]]
    return {os.path.relpath(path, root): describe(path) for path in sorted(paths)}


def play(root, steps, mask):
    """In the process of the user: each step is (function, path below the root, further arguments ...)."""
    os.umask(mask)
    return [outcome(function, os.path.join(root, path), *rest) for function, path, *rest in steps]


class Twins:
    """Two directories that are to stay the same, to the eyes of a user: by default whoever runs the tests."""

    def __init__(self, mounted, plain, user=None):
        self.mounted, self.plain = str(mounted), str(plain)
        self.user = user or (os.geteuid(), os.getegid(), ())

    def play(self, *steps, user=None, mask=0o022):
        """Does the steps in both as the user, insists on equal outcomes and equal trees, and returns the outcomes."""
        user = user or self.user
        uid, gid, groups = user
        mounted, plain = (self.as_user(user, play, root, steps, mask) for root in (self.mounted, self.plain))
        for step, here, there in zip(steps, mounted, plain):
            assert here == there, f"{step[0].__name__}{step[1:]} as {uid}:{gid}:{groups}: {here}, on the plain directory {there}"
        self.compare()
        return mounted

    @staticmethod
    def as_user(user, function, *arguments):
        if user[0] == os.geteuid():
            mask = os.umask(0)
            try:
                return function(*arguments)
            finally:
                os.umask(mask)
        return as_user(user[0], user[1], function, *arguments, groups=user[2])

    def compare(self, user=None):
        user = user or self.user
        here, there = (self.as_user(user, snapshot, root) for root in (self.mounted, self.plain))
        for path in here.keys() | there.keys():
            assert here.get(path) == there.get(path), f"{path}: {here.get(path)}, on the plain directory {there.get(path)}"


# Steps. Each gives something that can be compared.

def create(path, mode=0o666):
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))


def make_directory(path, mode=0o777):
    os.mkdir(path, mode)


def make_node(path, mode):
    os.mknod(path, mode, os.makedev(1, 3) if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else 0)


def make_link(path):
    os.symlink("nowhere", path)


def make_tmpfile(path, mode=0o666):
    """A file without a name at first."""
    descriptor = os.open(os.path.dirname(path), os.O_TMPFILE | os.O_WRONLY, mode)
    try:
        link_followed(f"/proc/self/fd/{descriptor}", path)
    finally:
        os.close(descriptor)


def set_value(path, name, value, flags=0):
    os.setxattr(path, name, value, flags, follow_symlinks=False)


def get_value(path, name):
    return os.getxattr(path, name, follow_symlinks=False)


def list_names(path):
    return sorted(os.listxattr(path, follow_symlinks=False))


def remove_value(path, name):
    os.removexattr(path, name, follow_symlinks=False)


def set_list(path, name, text):
    os.setxattr(path, name, acl(text), follow_symlinks=False)


def change_mode(path, mode):
    os.chmod(path, mode)


def change_owner(path, uid, gid):
    os.chown(path, uid, gid, follow_symlinks=False)


def see_mode(path):
    return oct(os.lstat(path).st_mode)


def open_file(path, flags):
    os.close(os.open(path, flags))


def read_directory(path):
    return sorted(os.listdir(path))


def may(path, rights):
    return os.access(path, rights, effective_ids=True)


def remove(path):
    os.unlink(path)


def append(path, data):
    with open(path, "ab", buffering=0) as file:
        file.write(data)
