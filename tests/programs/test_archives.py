"""tar, cp and rsync carry whole trees onto a mount and off it, and nothing of them is lost."""
import errno
import os
import shutil
import stat

import pytest

import trees
from commands import needs, run


def test_tar(place, shared, real):
    trees.unpack(real / "real.tar", place / "tree")
    expected = trees.describe(real / "plain")
    trees.assert_same(expected, trees.describe(place / "tree"))
    shared.remount()
    trees.assert_same(expected, trees.describe(place / "tree"))
    run("tar", "--compare", "-f", real / "real.tar", "-C", place / "tree", cwd="/")
    shared.unmount()
    shared.forget_state()
    shared.mount()
    trees.assert_same(expected, trees.describe(place / "tree"))


LINUX = "/usr/src/linux-source-6.1.tar.xz"


@pytest.mark.skipif(not os.path.exists(LINUX), reason="needs Debian's linux-source-6.1")
def test_linux_source(place, shared, base):
    """Large parts of the kernel's sources: identical, after a remount, and after the local state is lost."""
    parts = [f"linux-source-6.1/{name}" for name in ("fs", "kernel", "net", "Documentation", "include")]
    plain = base / "linux"
    plain.mkdir()
    run("tar", "-xJf", LINUX, "-C", plain, "--no-same-owner", *parts, cwd="/", seconds=600)
    run("sh", "-c", 'tar -C "$1" -cf - . | tar -C "$2" -xf -', "sh", plain, place, cwd="/", seconds=600)

    def compare():
        assert run("diff", "-r", "--no-dereference", plain, place, cwd="/", seconds=600) == ""

    compare()
    shared.remount()
    compare()
    shared.unmount()
    shared.forget_state()
    shared.mount()
    compare()
    shutil.rmtree(plain)


def test_diff_and_cp(place, real):
    run("cp", "-a", real / "plain", place / "copy", cwd="/")
    assert run("diff", "-r", "--no-dereference", real / "plain", place / "copy", cwd="/") == ""
    run("cp", "-a", place / "copy", place / "second", cwd="/")
    assert run("diff", "-r", "--no-dereference", place / "copy", place / "second", cwd="/") == ""


@needs("rsync")
def test_rsync(place, real):
    run("rsync", "-aH", f"{real}/plain/", place / "tree", cwd="/")
    trees.assert_same(trees.describe(real / "plain"), trees.describe(place / "tree"))
    assert run("rsync", "-aHi", "--delete", f"{real}/plain/", place / "tree", cwd="/").strip() == ""
    assert run("rsync", "-aHic", "--delete", f"{real}/plain/", place / "tree", cwd="/").strip() == ""


CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")  # cap_net_raw, effective, as setcap writes it


def try_everything(folder):
    """What of ACLs and attributes there is for whoever runs this: names of attributes, and "acl"."""
    path, found = folder / "probe", set()
    path.touch()
    for name, value in {"user.a": b"1", "trusted.a": b"1", "security.capability": CAPABILITY}.items():
        try:
            os.setxattr(path, name, value)
            found.add(name)
        except OSError as error:
            assert error.errno in (errno.EOPNOTSUPP, errno.EPERM), error
    if "not supported" not in run("setfacl", "-m", "u:12345:r", path, cwd="/", code=None):
        found.add("acl")
    path.unlink()
    return found


def make_everything(top, abilities):
    """A tree with all that a file can have."""
    names = ["plain", "with space", "line\nbreak", "\udcff\udcfe not utf-8", "ü" * 127, "-rf", "run", "secret"]
    folders = [top, top / "sticky", top / "group", top / "default", top / "empty"]
    for folder in folders[1:]:
        folder.mkdir()
    for folder in folders[:-1]:
        for number, name in enumerate(names):
            (folder / name).write_bytes(os.urandom(number * 1777))
    os.truncate(top / "plain", 5 << 20)
    for folder in folders[1:-1]:
        os.link(top / "run", folder / "hard link")
        os.symlink("../no/such/target", folder / "symlink")
        os.mkfifo(folder / "fifo", 0o620)
        if os.geteuid() == 0:
            os.mknod(folder / "device", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
            os.chown(folder / "symlink", 12345, 54321, follow_symlinks=False)
            os.chown(folder / "secret", 12345, 54321)
    for folder in folders[:-1]:
        os.chmod(folder / "run", 0o6755)
        os.chmod(folder / "secret", 0o000 if os.geteuid() == 0 else 0o400)
        if "acl" in abilities:
            run("setfacl", "-m", "u:12345:rw,g:54321:---,m:rw", folder / "with space", cwd="/")
        if "user.a" in abilities:
            os.setxattr(folder / "line\nbreak", "user.empty", b"")
            os.setxattr(folder / "line\nbreak", "user.binary", bytes(range(256)))
            os.setxattr(folder, "user.of directory", b"x" * 1500)
        if "trusted.a" in abilities:
            os.setxattr(folder / "plain", "trusted.riad", b"trusted")
        if "security.capability" in abilities:
            os.setxattr(folder / "-rf", "security.capability", CAPABILITY)
    if "acl" in abilities:
        run("setfacl", "-d", "-m", "u:12345:rwx,o::-", top / "default", cwd="/")
    if os.geteuid() == 0:
        os.chown(top / "group", 0, 54321)
    os.chmod(top / "sticky", 0o1777)
    os.chmod(top / "group", 0o2750)
    os.utime(top / "sticky" / "plain", ns=(1, 4102444800123456789))
    os.utime(top / "group" / "plain", ns=(1, -86400 * 10**9 + 987654321))
    # All are old: rsync takes times within the same second for equal.
    for folder in folders[:-1]:
        for number, name in enumerate(sorted(os.listdir(folder))):
            if name != "plain":
                os.utime(folder / name, ns=(1, 10**18 + number * 1234567891), follow_symlinks=False)
    for folder in reversed(folders):
        os.utime(folder, ns=(1, 1234567890987654321))


def describe_everything(top):
    """As trees.describe, and the extended attributes."""
    found = trees.describe(top)
    for name in found:
        path = os.path.join(os.fsencode(top), name)
        attributes = {key: os.getxattr(path, key, follow_symlinks=False) for key in os.listxattr(path, follow_symlinks=False)}
        found[name] += (tuple(sorted(attributes.items())),)
    return found


CARRIERS = {
    "tar": 'tar --acls --xattrs "--xattrs-include=*" --sparse -C "$1" -cf - . | '
           'tar --acls --xattrs "--xattrs-include=*" -C "$2" -xpf -',
    "cp": 'cp -a "$1/." "$2"',
    "rsync": 'rsync -aAXH "$1/" "$2"; test -z "$(rsync -aAXHi --delete "$1/" "$2")"; rsync -aAXHc --delete "$1/" "$2"',
}


@needs("tar", "cp", "rsync", "setfacl")
@pytest.mark.parametrize("carrier", CARRIERS)
def test_everything_both_ways(carrier, place, plain, shared):
    """Modes, owners, times to the nanosecond, links, devices, ACLs and attributes, onto the mount and off it."""
    abilities = try_everything(plain)
    if not {"user.a", "acl"} <= abilities:
        pytest.skip(f"the file system of {plain} lacks ACLs or attributes")
    assert try_everything(place) >= abilities
    first, second, third = plain / "first", place / "second", plain / "third"
    for folder in (first, second, third):
        folder.mkdir()
    make_everything(first, abilities)
    expected = describe_everything(first)
    run("sh", "-ec", CARRIERS[carrier], "sh", first, second, cwd="/")
    trees.assert_same(expected, describe_everything(second))
    shared.remount()
    trees.assert_same(expected, describe_everything(second))
    run("sh", "-ec", CARRIERS[carrier], "sh", second, third, cwd="/")
    trees.assert_same(expected, describe_everything(third))
