"""What a tree is, as JSON that can be committed: bytes are escaped, contents are hashed."""
import hashlib
import os
import re
import stat

SPARSE = 1 << 30  # of larger files only the blocks that are not zeros are hashed
BLOCK = 4096


def escape(data):
    """Bytes as ASCII: printable ones as they are, others and the backslash as \\xNN."""
    return re.sub(rb"[^ -\[\]-~]", lambda match: b"\\x%02x" % match[0][0], data).decode("ascii")


def unescape(text):
    return re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), text.encode("ascii"))


def data_ranges(fd, size):
    """The ranges that the file system says to be data."""
    end = 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, min(end, size)


def solid_ranges(read, ranges):
    """[start, end, sha256] of blocks in a row that are not zeros: the same however large the holes are said to be."""
    solid, done = [], 0
    for low, high in ranges:
        for start in range(max(low // BLOCK * BLOCK, done), high, BLOCK):
            data, done = read(start, BLOCK), start + BLOCK
            if not any(data):
                continue
            if not solid or solid[-1][1] != start:
                solid.append([start, start, hashlib.sha256()])
            solid[-1][1] = start + len(data)
            solid[-1][2].update(data)
    return [[start, end, digest.hexdigest()] for start, end, digest in solid]


def content(path, size):
    with open(path, "rb", buffering=0) as file:
        if size > SPARSE:
            return {"ranges": solid_ranges(lambda start, count: os.pread(file.fileno(), count, start),
                                           data_ranges(file.fileno(), size))}
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def entry(path):
    info = os.lstat(path)
    result = {"mode": f"{info.st_mode:o}", "uid": info.st_uid, "gid": info.st_gid, "nlink": info.st_nlink,
              "size": info.st_size, "mtime_ns": info.st_mtime_ns}
    if stat.S_ISLNK(info.st_mode):
        result["target"] = escape(os.readlink(path))
    elif stat.S_ISREG(info.st_mode):
        result.update(content(path, info.st_size))
    elif stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode):
        result["rdev"] = [os.major(info.st_rdev), os.minor(info.st_rdev)]
    names = sorted(os.listxattr(path, follow_symlinks=False))
    if names:
        result["xattrs"] = {escape(os.fsencode(name)): value(os.getxattr(path, name, follow_symlinks=False)) for name in names}
    return result


def value(data):
    """The value of an extended attribute: a large one is hashed."""
    return escape(data) if len(data) <= 4096 else f"sha256 {hashlib.sha256(data).hexdigest()}"


def describe(top):
    """{escaped path below top: entry}; top itself is "/"."""
    top = os.fsencode(top)
    result, inodes = {"/": entry(top)}, {}
    for folder, directories, files in os.walk(top):
        for name in directories + files:
            path = os.path.join(folder, name)
            key = escape(path[len(top):])
            result[key] = entry(path)
            inodes.setdefault(os.lstat(path).st_ino, []).append(key)
    for links in inodes.values():
        if len(links) > 1:
            for key in links:
                result[key]["links"] = sorted(links)
    return result
