"""scripts/riad-dump.py, run on a store, and what it shows in the form of manifest.py."""
import hashlib
import io
import os
import re
import stat
import struct
import subprocess
import tarfile
import time
from decimal import Decimal
from pathlib import Path

from manifest import SPARSE, escape, solid_ranges, unescape, value

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "riad-dump.py"
TYPES = {tarfile.REGTYPE: stat.S_IFREG, tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK,
         tarfile.FIFOTYPE: stat.S_IFIFO, tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK}
XATTR, ACL = "SCHILY.xattr.", "SCHILY.acl."
ACL_TAGS = {"user": 1, "group": 4, "mask": 16, "other": 32}  # those of named users and groups are twice that


class Dump:
    def __init__(self, path, *options, workspace=None):
        self.path, self.options = path, [*options, *(["--workspace", workspace] if workspace else [])]

    def run(self, command, *arguments, code=0):
        """What the command writes; it must say nothing to stderr but that a tar has no sockets."""
        result = subprocess.run(["/usr/bin/python3", SCRIPT, *self.options, self.path, command, *arguments],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=150)
        assert result.returncode == code, (command, arguments, result.returncode, result.stderr)
        said = [line for line in result.stderr.splitlines() if not line.endswith(b"a socket, left out")]
        assert not said or code, said
        return result.stdout

    def check(self, manifest, most=6, verify=True):
        """ls, tar and cat against a manifest, and what verify says."""
        assert self.run("ls").splitlines() == listing(manifest)
        found, expected = read_tar(self.run("tar")), without_sockets(manifest)
        assert found.keys() == expected.keys()
        for path, entry in expected.items():
            assert found[path] == entry, path
        self.check_contents(manifest, most)
        if verify:
            self.run("verify")

    def check_contents(self, manifest, most):
        files = [path for path, entry in sorted(manifest.items()) if "sha256" in entry and entry["size"]]
        for path in files[:: max(len(files) // most, 1)]:
            data = self.run("cat", os.fsdecode(unescape(path)))
            assert hashlib.sha256(data).hexdigest() == manifest[path]["sha256"], path


def without_sockets(manifest):
    """What a tar can hold: no sockets, no counts of links, no sizes of directories."""
    result = {}
    for path, entry in manifest.items():
        kind = stat.S_IFMT(int(entry["mode"], 8))
        left_out = {"nlink", "size"} if kind == stat.S_IFDIR else {"nlink"}
        if kind != stat.S_IFSOCK:
            result[path] = {key: item for key, item in entry.items() if key not in left_out}
    return result


# --- ls ---

def listing(manifest):
    """The lines that ls has to write, parents first, names in the order of their bytes."""
    paths = sorted(manifest, key=lambda path: [part for part in unescape(path).split(b"/") if part])
    return [line(unescape(path), manifest[path]) for path in paths]


def line(path, entry):
    fields = [stat.filemode(int(entry["mode"], 8)), entry["nlink"], entry["uid"], entry["gid"], entry["size"],
              stamp(entry["mtime_ns"])]
    result = " ".join(map(str, fields)).encode() + b" " + octal(path)
    return result + b" -> " + octal(unescape(entry["target"])) if "target" in entry else result


def octal(name):
    return re.sub(rb"[\0-\x1f\x7f\\]", lambda match: b"\\%03o" % match[0][0], name)


def stamp(moment):
    seconds, rest = divmod(moment, 10**9)
    if seconds < 0:
        return f"@{Decimal(moment).scaleb(-9):.9f}"
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"


# --- tar ---

def read_tar(data):
    """A manifest made of an archive."""
    result, links = {}, {}
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        for member in archive:
            path = tar_path(member.name)
            first = tar_path(member.linkname) if member.islnk() else path
            links.setdefault(first, []).append(path)
            result[path] = dict(result[first]) if member.islnk() else tar_entry(archive, member)
    for group in links.values():
        if len(group) > 1:
            for path in group:
                result[path]["links"] = sorted(group)
    return result


def tar_path(name):
    assert name == "." or name.startswith("./")
    return escape(os.fsencode(name[1:])) or "/"


def tar_entry(archive, member):
    entry = {"mode": f"{TYPES[member.type] | member.mode:o}", "uid": member.uid, "gid": member.gid,
             "mtime_ns": int(Decimal(member.pax_headers["mtime"]).scaleb(9))}
    if member.issym():
        target = os.fsencode(member.linkname)
        entry.update(target=escape(target), size=len(target))
    elif member.isreg():
        entry.update(size=member.size, **tar_content(archive, member))
    elif not member.isdir():
        entry["size"] = 0
    if member.isdev() and not member.isfifo():
        entry["rdev"] = [member.devmajor, member.devminor]
    xattrs = {key[len(XATTR):].replace("%3D", "=").replace("%25", "%"): item
              for key, item in member.pax_headers.items() if key.startswith(XATTR)}
    values = {escape(os.fsencode(key)): value(os.fsencode(xattrs[key])) for key in xattrs}
    values.update({f"system.posix_acl_{key[len(ACL):]}": value(acl(item)) for key, item in member.pax_headers.items() if key.startswith(ACL)})
    if values:
        entry["xattrs"] = values
    return entry


def acl(text):
    """The kernel's bytes of a text such as user::rw- and user:12:r--, one entry a line."""
    data = struct.pack("<I", 2)
    for name, number, rights in (entry.split(":") for entry in text.split()):
        permissions = sum(bit for bit, letter in zip((4, 2, 1), rights) if letter != "-")
        data += struct.pack("<HHI", ACL_TAGS[name] << (number != ""), permissions, int(number or 0xffffffff))
    return data


def tar_content(archive, member):
    with archive.extractfile(member) as file:
        if member.size > SPARSE:
            def read(start, count):
                file.seek(start)
                return file.read(count)
            return {"ranges": solid_ranges(read, [(start, start + count) for start, count in member.sparse])}
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}
