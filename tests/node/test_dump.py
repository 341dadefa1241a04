"""scripts/riad-dump.py, written from docs/FORMAT.md alone, sees the same files as the mount."""
import array
import fcntl
import io
import os
import random
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

import trees
import twins

SETFLAGS, NODUMP = 0x40086602, 0x40
DUMP = Path(__file__).resolve().parents[2] / "scripts" / "riad-dump.py"


def dump(store, *arguments, code=0):
    result = subprocess.run(["/usr/bin/python3", DUMP, "--passphrase-file", store.passphrase_file, *arguments],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=300)
    assert result.returncode == code, result.stderr.decode(errors="replace")
    return result.stdout


@pytest.fixture
def filled(store, mount, base):
    rng = random.Random(4)
    tar = base / "dump.tar"
    trees.real_tar(tar, most_files=300, most_bytes=6 << 20)
    trees.unpack(tar, mount / "tree")
    (mount / "big").write_bytes(rng.randbytes(2_500_000))
    fd = os.open(mount / "edited", os.O_RDWR | os.O_CREAT)
    os.write(fd, rng.randbytes(400_000))
    for _ in range(60):
        os.pwrite(fd, rng.randbytes(rng.randrange(1, 30_000)), rng.randrange(700_000))
    os.ftruncate(fd, 650_001)
    os.copy_file_range(fd, fd, 50_000, 100_003, 800_000)
    os.posix_fallocate(fd, 900_000, 100_000)
    os.close(fd)
    os.truncate(mount / "big", 2_400_001)
    os.symlink("target", mount / "link")
    os.mkfifo(mount / "fifo")
    os.link(mount / "big", mount / "tree" / "hard")
    os.setxattr(mount / "edited", "user.a", b"x" * 300)
    with open(mount / "edited", "rb") as file:
        fcntl.ioctl(file, SETFLAGS, array.array("L", [NODUMP]))
    (mount / "gone").write_bytes(b"deleted")
    os.unlink(mount / "gone")
    return store


def compare(store, expected, contents, *options):
    with tarfile.open(fileobj=io.BytesIO(dump(store, *options, store.path, "tar"))) as archive:
        seen = {}
        for member in archive:
            name = os.path.normpath("/" + member.name).lstrip("/")
            seen[name or "."] = member
            if member.isfile():
                assert archive.extractfile(member).read() == contents[name], name
            if member.issym():
                assert member.linkname == expected[name.encode()][-1].decode(), name
    expected_names = {os.fsdecode(name) for name in expected}
    assert {"."} | set(seen) == {"."} | expected_names
    for name, member in seen.items():
        assert member.pax_headers.get("SCHILY.fflags") == ("nodump" if name == "edited" else None), name
        mode, uid, gid = expected[os.fsencode(name)][1:4]
        if not member.islnk():
            assert (member.mode, member.uid, member.gid) == (mode, uid, gid), name


def test_same_files(filled):
    top = filled.directory
    expected = trees.describe(top)
    contents = {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*")
                if path.is_file() and not path.is_symlink()}
    filled.run("sync", top)
    assert filled.control("checkpoint")["ok"]
    (top / "after-the-checkpoint").write_bytes(b"later")
    filled.unmount()
    filled.mount()
    expected, contents["after-the-checkpoint"] = trees.describe(top), b"later"
    filled.unmount()
    compare(filled, expected, contents)
    compare(filled, expected, contents, "--no-checkpoint")
    assert dump(filled, filled.path, "cat", "edited") == contents["edited"]
    assert dump(filled, filled.path, "cat", "/tree/usr/include/stdio.h") == contents["tree/usr/include/stdio.h"]
    listing = dump(filled, filled.path, "ls").decode(errors="replace")
    assert "after-the-checkpoint" in listing and "gone" not in listing
    dump(filled, filled.path, "verify")


def test_after_a_crash(filled):
    """What riad sees after kill -9 and recovery is what the second reader sees before it."""
    filled.run("sync", filled.directory)
    filled.kill()
    before = dump(filled, filled.path, "tar")
    filled.mount()
    filled.unmount()

    def members(raw):
        with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
            return {(member.name, member.size, member.mode, int(member.mtime)) for member in archive}

    assert members(before) == members(dump(filled, filled.path, "tar"))


@pytest.mark.root
def test_lists_and_attributes_go_through_a_tar(store, mount, base):
    """What `tar` makes of the dump is what the mount had: ACLs, and xattrs of every namespace."""
    values = {"user.a": b"x=%y", "trusted.b": b"\0\xff", "security.c": b""}
    os.mkdir(mount / "d")
    os.setxattr(mount / "d", twins.DEFAULT, twins.acl("u::7 u:12:5 g::5 g:7:1 m::7 o::0"))
    os.setxattr(mount / "d", twins.ACCESS, twins.acl("u::7 u:12:5 g::5 g:4294967294:1 m::5 o::4"))
    (mount / "d/file").write_text("x", encoding="utf-8")
    for name, value in values.items():
        os.setxattr(mount / "d/file", name, value)
    expected = twins.snapshot(mount)
    store.unmount()
    restored = base / "restored"
    restored.mkdir()
    try:
        dump(store, store.path, "verify")
        subprocess.run(["tar", "-x", "--acls", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-p", "-C", restored],
                       input=dump(store, store.path, "tar"), check=True)
        assert twins.snapshot(restored) == expected
    finally:
        shutil.rmtree(restored)


def test_refusals(store):
    wrong = store.write_secret("wrong", "no")
    result = subprocess.run(["/usr/bin/python3", DUMP, "--passphrase-file", wrong, store.path, "ls"], check=False,
                            stderr=subprocess.PIPE)
    assert result.returncode == 10
    result = subprocess.run(["/usr/bin/python3", DUMP, "--passphrase-file", wrong, store.base, "ls"], check=False,
                            stderr=subprocess.PIPE)
    assert result.returncode == 11


def test_expiry(store):
    """The last one set; the workspaces without one have none."""
    store.run("workspace", "create", store.path, "short", "--expires", "2099-12-31T00:00:00Z", "--grace", "2d")
    store.run("workspace", "extend", store.path, "short", "--expires", "2100-01-01T00:00:00Z")
    lines = [line.split() for line in dump(store, store.path, "info").decode().splitlines()]
    assert [line[2:] for line in lines if line[0] == "expiry"] == [["4102444800", "172800"]]


def test_limits(store):
    store.run("quota", "set", store.path, "-b", "1G", "-B", "2G", "-i", "3k", "-I", "4k", "-t", "1d,2d")
    store.run("quota", "set", store.path, "--default", "-B", "5G")
    lines = dump(store, store.path, "info").decode().splitlines()
    assert sorted(line.split()[3:] for line in lines if line.startswith("limit workspace ")) == [
        ["0", str(5 << 30), "0", "0", "0", "0"], [str(1 << 30), str(2 << 30), "3000", "4000", "86400", "172800"]]
    assert any(line.startswith("limit workspace default ") for line in lines)
