"""Trees of files: real ones to copy, and the comparison of two."""
import hashlib
import os
import stat
import subprocess
from pathlib import Path

REAL = ["/usr/include", "/usr/lib/python3", "/usr/share/doc", "/etc"]


def real_tar(path, most_files=1500, most_bytes=40 << 20, roots=tuple(REAL)):
    """Packs real files and directories of this machine, in a stable order. Returns the number of members."""
    names, total = [], 0
    for root in roots:
        for top, directories, files in os.walk(root):
            directories.sort()
            names.append(top)
            for name in sorted(files):
                whole = os.path.join(top, name)
                info = os.lstat(whole)
                readable = stat.S_ISLNK(info.st_mode) or stat.S_ISREG(info.st_mode) and os.access(whole, os.R_OK)
                if not readable or info.st_size > most_bytes // 8:
                    continue
                names.append(whole)
                total += info.st_size
            if len(names) >= most_files or total >= most_bytes:
                return _pack(path, names)
    return _pack(path, names)


def _pack(path, names):
    listing = "\0".join(name.lstrip("/") for name in names)
    subprocess.run(["tar", "-cf", str(path), "--no-recursion", "--hard-dereference",
                    "--numeric-owner", f"--owner=:{os.geteuid()}", f"--group=:{os.getegid()}", "--ignore-failed-read", "-C", "/", "--null",
                    "--verbatim-files-from", "-T", "-"], input=os.fsencode(listing), check=True, stderr=subprocess.DEVNULL)
    return len(names)


def unpack(tar, directory):
    """Unpacks; the directories above the packed ones, which are no members, get a fixed time."""
    directory = Path(directory)
    directory.mkdir(exist_ok=True)
    subprocess.run(["tar", "-xf", str(tar), "-C", str(directory), "--no-same-owner"], check=True)
    above = {directory.joinpath(*Path(root).parts[1:-1]) for root in REAL}
    for path in sorted(above, key=lambda path: -len(path.parts)):
        if path.exists():
            os.utime(path, (0, 0))


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe(top, times=True):
    """What a tree is, by relative path: type, mode, owner, size, mtime and contents."""
    result = {}
    top = os.fsencode(top)
    for folder, directories, files in os.walk(top):
        for name in [b""] * (folder == top) + directories + files:
            whole = os.path.join(folder, name) if name else folder
            info = os.lstat(whole)
            entry = [stat.S_IFMT(info.st_mode), stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, info.st_nlink]
            if times:
                entry.append(info.st_mtime_ns)
            if stat.S_ISLNK(info.st_mode):
                entry.append(os.readlink(whole))
            elif stat.S_ISREG(info.st_mode):
                entry += [info.st_size, digest(whole)]
            elif stat.S_ISDIR(info.st_mode):
                pass
            else:
                entry.append(info.st_rdev)
            result[os.path.relpath(whole, top)] = tuple(entry)
    return result


def assert_same(first, second):
    """Two descriptions, compared so that the first differences show."""
    missing = sorted(first.keys() - second.keys())
    extra = sorted(second.keys() - first.keys())
    changed = sorted(name for name in first.keys() & second.keys() if first[name] != second[name])
    assert not (missing or extra or changed), (
        f"missing {missing[:5]} ({len(missing)}), extra {extra[:5]} ({len(extra)}), changed ({len(changed)}) "
        f"{[(name, first[name], second[name]) for name in changed[:3]]}")


def count_usage(top):
    """(blocks, inodes) that a tree of dense files must cost by docs/FORMAT.md 6.1, the root included."""
    seen, blocks = set(), 0
    top = os.fsencode(top)
    for folder, directories, files in os.walk(top):
        for name in [b""] * (folder == top) + directories + files:
            whole = os.path.join(folder, name) if name else folder
            info = os.lstat(whole)
            if info.st_ino in seen:
                continue
            seen.add(info.st_ino)
            if stat.S_ISDIR(info.st_mode) or stat.S_ISLNK(info.st_mode):
                blocks += 1
            elif stat.S_ISREG(info.st_mode):
                blocks += -(-info.st_size // 4096)
            names = os.listxattr(whole, follow_symlinks=False)
            blocks += -(-sum(len(os.fsencode(key)) + len(os.getxattr(whole, key, follow_symlinks=False))
                             for key in names) // 4096)
    return blocks, len(seen)


def walk_usage(top, *open_files):
    """(blocks, inodes) as the inodes themselves say: the sum over st_blocks, the root and what is open without a name included."""
    top = os.fsencode(top)
    blocks = {info.st_ino: info.st_blocks for info in map(os.fstat, open_files)}
    for folder, directories, files in os.walk(top):
        for name in [b""] * (folder == top) + directories + files:
            info = os.lstat(os.path.join(folder, name) if name else folder)
            blocks[info.st_ino] = info.st_blocks
    return sum(blocks.values()) // 8, len(blocks)
