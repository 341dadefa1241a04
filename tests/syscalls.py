"""System calls that Python does not offer."""
import ctypes
import os
import select
import struct

libc = ctypes.CDLL(None, use_errno=True)

RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT = 1, 2, 4
FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_COLLAPSE_RANGE, FALLOC_ZERO_RANGE = 1, 2, 8, 16
AT_FDCWD = -100
AT_STATX_FORCE_SYNC, AT_EMPTY_PATH = 0x2000, 0x1000
STATX_MODE, STATX_BTIME = 0x2, 0x800
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2

libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
libc.renameat2.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
libc.opendir.restype = ctypes.c_void_p
libc.opendir.argtypes = [ctypes.c_char_p]
libc.readdir.restype = ctypes.c_void_p
libc.readdir.argtypes = libc.closedir.argtypes = libc.telldir.argtypes = libc.rewinddir.argtypes = [ctypes.c_void_p]
libc.telldir.restype = ctypes.c_long
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
libc.seekdir.restype = None


def check(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def renameat2(old, new, flags):
    check(libc.renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags))


def link_followed(old, new):
    """linkat with AT_SYMLINK_FOLLOW, which os.link does not pass on."""
    check(libc.linkat(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), 0x400))


def fallocate(fd, mode, offset, length):
    check(libc.fallocate(fd, mode, offset, length))


def utimensat(path, accessed, modified):
    """Times as (seconds, nanoseconds), the latter also UTIME_NOW or UTIME_OMIT."""
    times = (ctypes.c_long * 4)(*accessed, *modified)
    check(libc.utimensat(AT_FDCWD, os.fsencode(path), times, 0))


class Statx(ctypes.Structure):
    class Time(ctypes.Structure):
        _fields_ = [("sec", ctypes.c_int64), ("nsec", ctypes.c_uint32), ("reserved", ctypes.c_int32)]

    _fields_ = [("mask", ctypes.c_uint32), ("blksize", ctypes.c_uint32), ("attributes", ctypes.c_uint64),
                ("nlink", ctypes.c_uint32), ("uid", ctypes.c_uint32), ("gid", ctypes.c_uint32), ("mode", ctypes.c_uint16),
                ("spare0", ctypes.c_uint16), ("ino", ctypes.c_uint64), ("size", ctypes.c_uint64),
                ("blocks", ctypes.c_uint64), ("attributes_mask", ctypes.c_uint64), ("atime", Time), ("btime", Time),
                ("ctime", Time), ("mtime", Time), ("spare", ctypes.c_uint64 * 20)]


def statx(path, flags=0, directory=AT_FDCWD, mask=0xfff):
    buffer = Statx()
    check(libc.statx(directory, os.fsencode(path), flags, mask, ctypes.byref(buffer)))
    return buffer


class FileHandle(ctypes.Structure):
    """What name_to_handle_at(2) gives for a path: as good as its name, also after a remount."""
    _fields_ = [("size", ctypes.c_uint), ("type", ctypes.c_int), ("bytes", ctypes.c_ubyte * 128)]

    def __init__(self, path):
        super().__init__(size=128)
        check(libc.name_to_handle_at(AT_FDCWD, os.fsencode(path), ctypes.byref(self), ctypes.byref(ctypes.c_int()), 0))

    def open(self, mount, flags=os.O_RDONLY):
        """mount: any path of the file system."""
        fd = os.open(mount, os.O_RDONLY)
        try:
            return check(libc.open_by_handle_at(fd, ctypes.byref(self), flags))
        finally:
            os.close(fd)


class AsynchronousWrites:
    """io_setup(2), io_submit(2) and io_getevents(2), of x86-64: one write at a time."""

    class Order(ctypes.Structure):
        _fields_ = [("data", ctypes.c_uint64), ("key", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                    ("opcode", ctypes.c_uint16), ("priority", ctypes.c_int16), ("fd", ctypes.c_uint32),
                    ("buffer", ctypes.c_uint64), ("size", ctypes.c_uint64), ("offset", ctypes.c_int64),
                    ("reserved", ctypes.c_uint64 * 2)]

    def __init__(self):
        self.context = ctypes.c_ulong(0)
        check(libc.syscall(ctypes.c_long(206), ctypes.c_uint(1), ctypes.byref(self.context)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        libc.syscall(ctypes.c_long(207), self.context)

    def write(self, fd, buffer, offset):
        """Writes a ctypes buffer, and waits."""
        order = self.Order(opcode=1, fd=fd, buffer=ctypes.addressof(buffer), size=ctypes.sizeof(buffer), offset=offset)
        event = (ctypes.c_int64 * 4)()
        check(libc.syscall(ctypes.c_long(209), self.context, ctypes.c_long(1), ctypes.byref(ctypes.pointer(order))))
        check(libc.syscall(ctypes.c_long(208), self.context, ctypes.c_long(1), ctypes.c_long(1), ctypes.byref(event), None))
        return event[2]


class Directory:
    """opendir(3) with telldir and seekdir."""

    class Entry(ctypes.Structure):
        _fields_ = [("ino", ctypes.c_uint64), ("off", ctypes.c_int64), ("reclen", ctypes.c_uint16),
                    ("type", ctypes.c_uint8), ("name", ctypes.c_char * 256)]

    def __init__(self, path):
        self.handle = libc.opendir(os.fsencode(path))
        if not self.handle:
            check(-1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        libc.closedir(self.handle)

    def read(self):
        """The next name, None at the end."""
        entry = libc.readdir(self.handle)
        return Directory.Entry.from_address(entry).name if entry else None

    def read_numbered(self):
        """The next (name, inode number), None at the end."""
        entry = libc.readdir(self.handle)
        return (Directory.Entry.from_address(entry).name, Directory.Entry.from_address(entry).ino) if entry else None

    def rewind(self):
        libc.rewinddir(self.handle)

    def tell(self):
        return libc.telldir(self.handle)

    def seek(self, position):
        libc.seekdir(self.handle, position)


class Statfs(ctypes.Structure):
    _fields_ = [("type", ctypes.c_long), ("bsize", ctypes.c_long), ("blocks", ctypes.c_ulong), ("bfree", ctypes.c_ulong),
                ("bavail", ctypes.c_ulong), ("files", ctypes.c_ulong), ("ffree", ctypes.c_ulong), ("fsid", ctypes.c_int * 2),
                ("namelen", ctypes.c_long), ("frsize", ctypes.c_long), ("flags", ctypes.c_long), ("spare", ctypes.c_long * 4)]


def filesystem_type(path):
    """The magic number of statfs(2)."""
    buffer = Statfs()
    check(libc.statfs(os.fsencode(path), ctypes.byref(buffer)))
    return buffer.type


class Watch:
    """inotify(7) on one directory or file."""
    NAMES = {0x1: "access", 0x2: "modify", 0x4: "attrib", 0x8: "close-write", 0x10: "close", 0x20: "open",
             0x40: "moved-from", 0x80: "moved-to", 0x100: "create", 0x200: "delete", 0x400: "delete-self",
             0x800: "move-self", 0x40000100: "create-dir", 0x40000200: "delete-dir", 0x8000: "ignored"}

    def __init__(self, path, mask=0xfff):
        self.fd = check(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        check(libc.inotify_add_watch(self.fd, os.fsencode(path), mask))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def read(self, seconds):
        """[(what, name)] of what has come, or comes within that time."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return []
        data, found = os.read(self.fd, 65536), []
        while data:
            _, mask, _, size = struct.unpack_from("iIII", data)
            found.append((self.NAMES.get(mask, hex(mask)), os.fsdecode(data[16:16 + size].rstrip(b"\0"))))
            data = data[16 + size:]
        return found


HANDLE_MAX = 128


class Handle(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint), ("type", ctypes.c_int), ("bytes", ctypes.c_ubyte * HANDLE_MAX)]


def handle_of(path):
    """name_to_handle_at(2)"""
    handle, mount_id = Handle(size=HANDLE_MAX), ctypes.c_int()
    check(libc.name_to_handle_at(AT_FDCWD, os.fsencode(path), ctypes.byref(handle), ctypes.byref(mount_id), 0))
    return handle


def open_handle(top, handle):
    """open_by_handle_at(2) in the file system of `top`."""
    fd = os.open(top, os.O_RDONLY)
    try:
        return check(libc.open_by_handle_at(fd, ctypes.byref(handle), os.O_RDONLY))
    finally:
        os.close(fd)
