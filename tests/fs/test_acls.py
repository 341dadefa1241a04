"""POSIX ACLs: as on the plain directory beside the mount, operation by operation."""
import errno
import itertools
import os
import random
import shutil
import stat
import struct
import subprocess

import pytest

import twins
from harness import as_user, raises_errno
from twins import ACCESS, ALICE, BOB, DEFAULT, ROOT, USERS, Twins, acl

A, B = ALICE[0], BOB[0]
LISTS = ["u::7 g::5 o::0", "u::7 g::7 o::7", "u::0 g::0 m::0 o::0", "u::5 g::7 m::2 o::7", f"u::7 u:{A}:7 g::5 m::7 o::0",
         f"u::6 u:{A}:6 g::0 g:777:7 m::4 o::1", f"u::6 u:{A}:0 u:{B}:7 g::5 g:{B}:1 m::6 o::4",
         f"u::4 u:0:1 g::0 g:0:2 g:{A}:7 m::5 o::0"]
DIRECTORY, FILE = stat.S_IFDIR, stat.S_IFREG


def names(prefix=""):
    return (f"{prefix}{number}" for number in itertools.count())


# --- inheritance ---

def children(directory, fresh, mode):
    """A new inode of every kind."""
    yield twins.create, f"{directory}/{next(fresh)}", mode
    yield twins.make_directory, f"{directory}/{next(fresh)}", mode
    yield twins.make_tmpfile, f"{directory}/{next(fresh)}", mode
    yield twins.make_link, f"{directory}/{next(fresh)}"
    for kind in (stat.S_IFIFO, stat.S_IFSOCK, FILE):
        yield twins.make_node, f"{directory}/{next(fresh)}", kind | mode


@pytest.mark.root
@pytest.mark.parametrize("mask", [0, 0o022, 0o077], ids=oct)
def test_new_inodes(pair, mask):
    fresh = names()
    for number, by_default in enumerate([None, *LISTS]):
        for special in (0, stat.S_ISGID):
            directory = f"d{number}-{special}"
            pair.play((twins.make_directory, directory), (twins.change_owner, directory, A, 777),
                      (twins.change_mode, directory, 0o777 | special))
            if by_default:
                pair.play((twins.set_list, directory, DEFAULT, by_default))
            steps = [step for mode in (0o666, 0o777, 0o640, 0o4755, 0o3771, 0)
                     for step in children(directory, fresh, mode)]
            assert set(pair.play(*steps, user=ALICE, mask=mask)) == {None}


@pytest.mark.root
def test_inherited_lists_go_down_and_stay(pair, shared_by_all):
    pair.play((twins.make_directory, "top"), (twins.set_list, "top", DEFAULT, LISTS[4]), (twins.make_directory, "top/a"),
              (twins.make_directory, "top/a/b"), (twins.create, "top/a/b/file"), (twins.remove_value, "top/a", DEFAULT),
              (twins.make_directory, "top/a/c"), (twins.create, "top/a/c/file"))
    shared_by_all.remount(*shared_by_all.for_all)
    pair.compare()
    pair.play((twins.create, "top/a/b/later"), (twins.change_mode, "top/a/b/file", 0o755))
    shared_by_all.kill()
    shared_by_all.mount(*shared_by_all.for_all)
    pair.compare()


# --- list and mode ---

@pytest.mark.root
@pytest.mark.parametrize("kind", ["file", "directory", "fifo"])
def test_list_and_mode_agree(pair, kind):
    makers = {"file": (twins.create, "x"), "directory": (twins.make_directory, "x"),
              "fifo": (twins.make_node, "x", stat.S_IFIFO | 0o644)}
    pair.play(makers[kind])
    for text in LISTS:
        pair.play((twins.set_list, "x", ACCESS, text), (twins.see_mode, "x"), (twins.get_value, "x", ACCESS))
        for mode in (0o777, 0o640, 0o2715, 0o4007, 0o070, 0):
            pair.play((twins.change_mode, "x", mode), (twins.get_value, "x", ACCESS), (twins.see_mode, "x"))
    pair.play((twins.set_list, "x", ACCESS, LISTS[4]), (twins.remove_value, "x", ACCESS), (twins.see_mode, "x"),
              (twins.get_value, "x", ACCESS), (twins.remove_value, "x", ACCESS), (twins.remove_value, "x", DEFAULT))


@pytest.mark.root
def test_setgid_goes_when_the_caller_is_not_in_the_group(pair):
    for group, special, kind in itertools.product((A, 777, B), (0o2755, 0o6711, 0o2644), ("file", "directory")):
        for owner in (ALICE, BOB, ROOT):
            name = f"{kind}{group}-{special:o}-{owner[0]}"
            pair.play((twins.create if kind == "file" else twins.make_directory, name),
                      (twins.change_owner, name, owner[0], group), (twins.change_mode, name, special))
            pair.play((twins.set_list, name, ACCESS, LISTS[4]), (twins.see_mode, name), user=owner)
            pair.play((twins.change_mode, name, special))
            pair.play((twins.set_list, name, ACCESS, LISTS[0]), (twins.see_mode, name), user=owner)


def malformed():
    header, good = struct.pack("<I", 2), acl(LISTS[4])
    yield from (b"", header, header[:3], good[:-1], good + b"\0", good[:-8], struct.pack("<I", 1) + good[4:], header + bytes(8))
    yield from (acl(text) for text in (
        "u::7", "u::7 g::5", "g::5 u::7 o::0", "u::7 u:5:7 g::5 o::0", "u::7 g::5 o::0 m::7", "u::7 u::7 g::5 o::0",
        "u::7 g::5 m::7 m::7 o::0", "u::7 g::5 g:5:5 o::0", "u::7 g::5 o::0 o::0"))
    yield good.replace(struct.pack("<HH", 2, 7), struct.pack("<HH", 2, 8))
    yield good.replace(struct.pack("<HHI", 2, 7, A), struct.pack("<HHI", 2, 7, 0xffffffff))
    yield good.replace(struct.pack("<HH", 2, 7), struct.pack("<HH", 64, 7))


@pytest.mark.root
def test_what_is_refused(pair):
    pair.play((twins.create, "file"), (twins.make_directory, "directory"), (twins.make_link, "link"),
              (twins.make_node, "fifo", stat.S_IFIFO | 0o600), (twins.make_node, "device", stat.S_IFCHR | 0o600))
    everything = ("file", "directory", "link", "fifo", "device")
    for path, name in itertools.product(everything, (ACCESS, DEFAULT)):
        pair.play(*((twins.set_value, path, name, value) for value in malformed()))
        pair.play((twins.set_list, path, name, LISTS[4]), (twins.get_value, path, name), (twins.list_names, path))
        pair.play((twins.set_value, path, name, acl(LISTS[5]), os.XATTR_CREATE),
                  (twins.set_value, path, name, acl(LISTS[6]), os.XATTR_REPLACE))
        pair.play((twins.set_list, path, name, LISTS[4]), (twins.remove_value, path, name), user=BOB)
        pair.play((twins.remove_value, path, name), (twins.set_value, path, name, acl(LISTS[5]), os.XATTR_REPLACE))


def test_as_many_entries_as_the_kernel_reads(place):
    path = place / "many"
    path.mkdir()

    def entries(count):
        return acl(" ".join(["u::7", *(f"u:{number}:5" for number in range(count - 4)), "g::5", "m::7", "o::0"]))
    os.setxattr(path, DEFAULT, entries(511))
    (path / "file").touch()
    assert os.getxattr(path, DEFAULT) == entries(511)
    assert len(os.getxattr(path / "file", ACCESS)) == 4 + 511 * 8
    with raises_errno(errno.E2BIG):
        os.setxattr(path, ACCESS, entries(512))


# --- who may ---

def tries(directory):
    for rights in (os.R_OK, os.W_OK, os.X_OK):
        yield twins.may, f"{directory}/file", rights
        yield twins.may, directory, rights
    yield twins.open_file, f"{directory}/file", os.O_RDONLY
    yield twins.open_file, f"{directory}/file", os.O_WRONLY
    yield twins.open_file, f"{directory}/file", os.O_RDWR | os.O_APPEND
    yield twins.read_directory, directory
    yield twins.create, f"{directory}/new"
    yield twins.remove, f"{directory}/new"
    yield twins.change_mode, f"{directory}/file", 0o777
    yield twins.set_list, f"{directory}/file", ACCESS, LISTS[0]
    yield twins.get_value, f"{directory}/file", ACCESS


@pytest.mark.root
def test_lists_bind_users(pair):
    for number, text in enumerate(LISTS):
        for on_directory, (owner, group) in itertools.product((False, True), ((0, 0), (A, 777))):
            directory = f"{number}-{on_directory}-{owner}"
            pair.play((twins.make_directory, directory), (twins.create, f"{directory}/file"),
                      (twins.set_list, directory if on_directory else f"{directory}/file", ACCESS, text),
                      (twins.change_owner, directory, owner, group), (twins.change_owner, f"{directory}/file", owner, group))
            for user in USERS:
                pair.play(*tries(directory), user=user)


@pytest.mark.root
def test_the_kernel_forgets_old_lists(pair):
    """Each change counts at once for somebody who was let in, or not, a moment before."""
    look = (twins.open_file, "file", os.O_RDONLY), (twins.open_file, "file", os.O_WRONLY)
    pair.play((twins.create, "file"), (twins.change_mode, "file", 0o600))
    pair.play(*look, user=ALICE)
    for change in ((twins.set_list, "file", ACCESS, f"u::6 u:{A}:6 g::0 m::6 o::0"), (twins.change_mode, "file", 0o640),
                   (twins.change_mode, "file", 0o600), (twins.change_mode, "file", 0o660), (twins.append, "file", b"x"),
                   (twins.set_list, "file", ACCESS, f"u::6 u:{A}:0 g::6 m::6 o::6"),
                   (twins.change_owner, "file", 0, 777), (twins.remove_value, "file", ACCESS),
                   (twins.change_mode, "file", 0o606), (twins.set_list, "file", ACCESS, "u::6 g::6 o::0"),
                   (twins.change_owner, "file", A, 0)):
        pair.play(change)
        pair.play(*look, user=ALICE)
        pair.play(*look, user=BOB)


# --- at random ---

def random_step(chance, paths):
    path = chance.choice(paths)
    text = chance.choice(LISTS)
    return chance.choice([
        (twins.set_list, path, ACCESS, text), (twins.set_list, path, ACCESS, text), (twins.set_list, path, DEFAULT, text),
        (twins.remove_value, path, ACCESS), (twins.remove_value, path, DEFAULT), (twins.change_mode, path, chance.randrange(0o10000)),
        (twins.change_owner, path, chance.choice([0, A, B]), chance.choice([0, A, 777])), (twins.append, path, b"x"),
        (twins.create, f"{path}/f", chance.randrange(0o1000)), (twins.make_directory, f"{path}/d", chance.randrange(0o1000)),
        (twins.make_tmpfile, f"{path}/t", chance.randrange(0o1000)), (twins.remove, path), (twins.get_value, path, ACCESS),
        (twins.set_value, path, "user.a", bytes(chance.randrange(100))), (twins.set_value, path, "trusted.a", b"x"),
        (twins.read_directory, path), (twins.open_file, path, os.O_RDWR)])


@pytest.mark.root
def test_random_steps(pair):
    seed = int(os.environ.get("RIAD_TEST_SEED") or random.randrange(1 << 32))
    print(f"RIAD_TEST_SEED={seed}")
    chance = random.Random(seed)
    paths = ["top", "top/f", "top/d", "top/d/f", "top/d/d", "top/d/t", "top/t"]
    pair.play((twins.make_directory, "top", 0o777), mask=0)
    for _ in range(60):
        steps = [random_step(chance, paths) for _ in range(12)]
        pair.play(*steps, user=chance.choice(USERS), mask=chance.choice([0, 0o022, 0o077]))


# --- programs ---

SCRIPT = """
umask 027
mkdir d && setfacl -m u:12345:rwx,g:99:r-x,d:u:12345:rwx,d:g::r-x,d:o::--- d && touch d/f && mkdir d/sub
getfacl -n d d/f d/sub
chmod 711 d/f; getfacl -n d/f; setfacl -m m::r d/f; setfacl -x u:12345 d/f; getfacl -n d/f
setfacl -b d/f; setfacl -k d/sub; getfacl -n d/f d/sub; setfacl -m d:u::rwx d/f; echo $?
cp -a d e; getfacl -n e e/sub; getfacl -n d | setfacl --set-file=- e/f; getfacl -n e/f; mv e/f e/g; ls -ld e/* | cut -c 1-11
getfacl -Rn d > saved; setfacl -Rb d; (cd d; getfacl -n f sub); setfacl --restore=saved; getfacl -n d d/f d/sub
"""


def test_setfacl_and_getfacl(pair):
    assert shutil.which("setfacl"), "install acl: scripts/install-dependencies"
    outputs = [subprocess.run(["bash", "-c", SCRIPT], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
               .stdout for root in (pair.mounted, pair.plain)]
    assert outputs[0].splitlines() == outputs[1].splitlines()
    assert "user:12345:rwx" in outputs[0]


# --- a plain user's mount ---

def test_by_a_user(shared_by_user, ext4, unprivileged):
    me = (unprivileged.uid, unprivileged.gid, ())
    os.mkdir(ext4 / "user")
    os.chmod(ext4 / "user", 0o777)
    pair = Twins(shared_by_user.directory, ext4 / "user", user=me)
    for number, text in enumerate(LISTS):
        directory = f"d{number}"
        pair.play((twins.make_directory, directory), (twins.set_list, directory, DEFAULT, text),
                  (twins.create, f"{directory}/f"), (twins.make_directory, f"{directory}/d"),
                  (twins.set_list, f"{directory}/f", ACCESS, text), (twins.get_value, f"{directory}/f", ACCESS),
                  (twins.change_mode, f"{directory}/f", 0o751), (twins.see_mode, f"{directory}/f"),
                  (twins.open_file, f"{directory}/f", os.O_RDWR), (twins.change_mode, f"{directory}/d", 0o700),
                  (twins.remove_value, f"{directory}/d", DEFAULT), user=me, mask=0o027)


# --- limits and options ---

def test_lists_are_charged(make_store):
    store = make_store("-B", "10M")
    place = store.mount()
    place.chmod(0o777)
    os.mkdir(place / "d")
    before = store.usage()[0]
    os.setxattr(place / "d", DEFAULT, acl(LISTS[4]))
    (place / "d/f").touch()
    assert store.usage()[0] == before + 2
    os.setxattr(place / "d/f", ACCESS, acl(LISTS[0]))
    os.removexattr(place / "d", DEFAULT)
    assert store.usage()[0] == before
    store.unmount()
    store.fsck()


@pytest.mark.root
def test_noxattr_turns_lists_off(make_store):
    store = make_store()
    place = store.mount("-o", "allow_other")
    place.chmod(0o755)
    os.mkdir(place / "d")
    os.setxattr(place / "d", DEFAULT, acl(LISTS[4]))
    (place / "file").touch(0o600)
    os.setxattr(place / "file", ACCESS, acl(f"u::6 u:{A}:6 g::0 m::6 o::0"))
    as_user(A, A, twins.open_file, place / "file", os.O_RDWR)
    store.remount("-o", "allow_other,noxattr")
    mask = os.umask(0o027)
    try:
        (place / "d/file").touch(0o666)
    finally:
        os.umask(mask)
    with raises_errno(errno.EOPNOTSUPP):
        os.setxattr(place / "d", ACCESS, acl(LISTS[4]))
    with raises_errno(errno.EACCES):
        as_user(A, A, twins.open_file, place / "file", os.O_RDONLY)
    os.chmod(place / "file", 0o640)
    store.remount("-o", "allow_other")
    assert twins.see_mode(place / "d/file") == oct(FILE | 0o640) and os.listxattr(place / "d/file") == []
    assert os.getxattr(place / "file", ACCESS) == acl(f"u::6 u:{A}:6 g::0 m::4 o::0")
    store.unmount()
    store.fsck()
