"""Directories that several processes list and change at once: nothing is lost, doubled, or left where nobody can reach it."""
import errno
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from harness import raises_errno
from processes import Child, in_child
from syscalls import RENAME_EXCHANGE, RENAME_NOREPLACE, Directory, renameat2

EXPECTED = (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.EINVAL, errno.ENOTDIR, errno.EISDIR, errno.EBUSY)


def names_of(path):
    with Directory(path) as directory:
        return list(iter(directory.read, None))


def create(path, names):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    for name in names:
        os.mknod(name, 0o644, dir_fd=fd)
    os.close(fd)


def links_of(top):
    """The link count of every directory below, and what it must be: two, and one for each directory in it."""
    found, wanted = {}, {}
    for folder, directories, _ in os.walk(top):
        found[folder] = os.stat(folder).st_nlink
        wanted[folder] = 2 + sum(not os.path.islink(os.path.join(folder, name)) for name in directories)
    return found, wanted


# --- readers beside writers ---
def test_listing_again_sees_what_is_new(either):
    create(either, [f"f{number}" for number in range(300)])
    with Directory(either) as directory:
        assert len(list(iter(directory.read, None))) == 302
        create(either, ["new"])
        os.unlink(either / "f7")
        directory.rewind()
        again = set(iter(directory.read, None))
        assert b"new" in again and b"f7" not in again and len(again) == 302
        directory.rewind()
        first = directory.read()
        create(either, ["newer"])
        directory.rewind()
        assert directory.read() == first and b"newer" in set(iter(directory.read, None))


def keep_listing(top, stay, stop):
    """Lists again and again until `stop` appears: what stays must be there exactly once, each time."""
    rounds = 0
    while not os.path.exists(stop) or rounds == 0:
        seen = names_of(top)
        for name in (name for name in stay if seen.count(name) != 1):
            raise AssertionError(f"{name} was seen {seen.count(name)} times in round {rounds}, among {len(seen)} names")
        assert len(seen) == len(set(seen)), sorted(name for name in seen if seen.count(name) > 1)[:5]
        rounds += 1
    return rounds


@pytest.mark.parametrize("stays, goes", [(61, 64), (125, 300), (400, 600)])
def test_removal_beside_readers(either, stays, goes):
    """Four readers list while all but some names are removed, and others come. (With 125 the kernel's copy of the listing
    fills pages to the last byte.)"""
    folder = either / "folder"
    folder.mkdir()
    stay, go = [f"s{number:05d}" for number in range(stays)], [f"g{number:05d}" for number in range(goes)]
    mixed = stay + go
    random.Random(stays).shuffle(mixed)
    create(folder, mixed)
    readers = [Child(keep_listing, folder, [name.encode() for name in stay], either / "stop") for _ in range(4)]
    for number, name in enumerate(go):
        os.unlink(folder / name)
        if number % 50 == 0:
            create(folder, [f"n{number:05d}"])
    (either / "stop").touch()
    assert all(reader.result(60) > 0 for reader in readers)
    for reader in readers:
        reader.end()
    assert len(names_of(folder)) == 2 + stays + len(range(0, goes, 50))


def test_replaced_names_are_seen_once(either):
    """Files that are replaced by rename, as editors save, or exchanged, are in each listing exactly once."""
    folder, spare = either / "folder", either / "spare"
    folder.mkdir()
    spare.mkdir()
    names = [f"s{number:05d}" for number in range(400)]
    create(folder, names)
    readers = [Child(keep_listing, folder, [name.encode() for name in names], either / "stop") for _ in range(2)]
    rng = random.Random(9)
    for number in range(600):
        if number % 3 == 0:
            renameat2(folder / rng.choice(names[:200]), folder / rng.choice(names[200:]), RENAME_EXCHANGE)
        else:
            (spare / "new").write_bytes(b"new")
            os.rename(spare / "new", folder / rng.choice(names))
    (either / "stop").touch()
    assert all(reader.result(60) > 0 for reader in readers)
    for reader in readers:
        reader.end()


@pytest.mark.parametrize("back", [True, False])
def test_a_listing_that_renames_what_it_is_shown_ends(either, back, request):
    """Each name is given away, and (back) taken again: on riad the listing shows each file once, elsewhere a few twice."""
    count, seen = 1000, []
    create(either, [f"f{number:05d}" for number in range(count)])
    with Directory(either) as directory:
        for name in iter(directory.read, None):
            if name not in (b".", b".."):
                path = os.path.join(os.fsencode(either), name)
                seen.append(os.stat(path).st_ino)
                assert len(seen) <= 3 * count
                os.rename(path, path + b"x")
                if back:
                    os.rename(path + b"x", path)
    assert len(set(seen)) == count
    assert "riad" not in request.node.name or len(seen) == count
    assert len(names_of(either)) == count + 2


@pytest.mark.parametrize("count", [40, 125, 126, 127, 253, 254, 255, 256, 400])
def test_a_reader_whose_place_was_removed(either, count):
    """It goes on behind its place, whatever other readers did meanwhile."""
    create(either, [f"f{number:05d}" for number in range(count)])
    for _ in range(2):
        names_of(either)
    with Directory(either) as reader:
        seen = [reader.read() for _ in range(35)]
        position = reader.tell()
        gone = [name for name in seen if name.startswith(b"f")]
        for name in (gone[-1], gone[0]):
            os.unlink(os.path.join(os.fsencode(either), name))
        for _ in range(2):
            names_of(either)
        reader.seek(position)
        seen += iter(reader.read, None)
    assert len(seen) == len(set(seen)) == count + 2


def test_rm_while_others_list(either):
    """rm -r of a tree whose directories are listed all the time removes all of it."""
    for number in range(6):
        (either / "tree" / str(number)).mkdir(parents=True)
        create(either / "tree" / str(number), [f"f{index:05d}" for index in range(126 + number * 64)])

    def list_until_gone():
        while os.path.exists(either / "tree"):
            for folder, _, _ in os.walk(either / "tree"):
                with Directory(folder) as directory:
                    for _ in range(30):
                        directory.read()

    readers = [Child(list_until_gone_safely, list_until_gone) for _ in range(3)]
    subprocess.run(["rm", "-r", either / "tree"], check=True)
    for reader in readers:
        reader.result()
        reader.end()


def list_until_gone_safely(function):
    while True:
        try:
            return function()
        except OSError as error:
            assert error.errno == errno.ENOENT, error


# --- directories that are removed while somebody is in them ---
def test_removed_working_directory(either):
    (either / "gone" / "sub").mkdir(parents=True)

    def stay():
        os.chdir(either / "gone")
        sub = os.open("sub", os.O_RDONLY)
        shutil.rmtree(either / "gone")
        (either / "gone").mkdir()  # another one by that name
        for act in (lambda: os.open("file", os.O_CREAT | os.O_WRONLY), lambda: os.mkdir("dir"), lambda: os.symlink("x", "link"),
                    lambda: os.mkfifo("fifo"), lambda: os.link(either / "other", "hard"), lambda: os.rename(either / "other", "x"),
                    lambda: os.getcwd(), lambda: os.stat("sub"), lambda: os.mkdir("x", dir_fd=sub)):
            with raises_errno(errno.ENOENT):
                act()
        assert os.stat(".").st_nlink == 0 and os.fstat(sub).st_nlink == 0
        fd = os.open(".", os.O_RDONLY)
        with raises_errno(errno.ENOENT):
            names = os.listdir(fd)
            assert names == []
            raise FileNotFoundError(errno.ENOENT, "or an empty listing")
        os.chdir("..")
        return os.listdir(".")

    (either / "other").touch()
    assert sorted(in_child(stay)) == ["gone", "other"] and os.listdir(either / "gone") == []


def test_replaced_directory(either):
    """rename over an empty directory that is open, over a full one, and of one with another inside."""
    for name in ("new", "old", "full/inner"):
        (either / name).mkdir(parents=True)
    (either / "new" / "file").touch()
    fd = os.open(either / "old", os.O_RDONLY)
    os.rename(either / "new", either / "old")
    assert os.fstat(fd).st_nlink == 0 and os.listdir(either / "old") == ["file"]
    with raises_errno(errno.ENOENT):
        os.mkdir("x", dir_fd=fd)
    os.close(fd)
    with raises_errno(errno.ENOTEMPTY):
        os.rename(either / "full", either / "old")
    with raises_errno(errno.EEXIST):
        renameat2(either / "full", either / "old", RENAME_NOREPLACE)
    (either / "plain").touch()
    for old, new, number in (("plain", "old", errno.EISDIR), ("old", "plain", errno.ENOTDIR), ("old", "old/x", errno.EINVAL),
                             ("old", "old/x/y", errno.ENOENT), ("full", "full/inner", errno.EINVAL),
                             ("full/inner", "full", errno.ENOTEMPTY), ("full", "full/inner/deeper", errno.EINVAL)):
        with raises_errno(number):
            os.rename(either / old, either / new)
    for old, new, number in (("full", "full/inner", errno.EINVAL), ("full/inner", "full", errno.EINVAL), ("old", "x", errno.ENOENT)):
        with raises_errno(number):
            renameat2(either / old, either / new, RENAME_EXCHANGE)
    renameat2(either / "full", either / "plain", RENAME_EXCHANGE)
    found, wanted = links_of(either)
    assert found == wanted and os.listdir(either / "plain") == ["inner"]


def test_link_counts_of_directories(either):
    rng, folders = random.Random(8), [either]
    for number in range(60):
        folders.append(rng.choice(folders) / f"d{number}")
        folders[-1].mkdir()
    for number in range(200):
        source, target = rng.choice(folders[1:]), rng.choice(folders[1:])
        try:
            if number % 3:
                os.rename(source, target / f"m{number}")
            else:
                renameat2(source, target, RENAME_EXCHANGE)
        except OSError as error:
            assert error.errno in EXPECTED, error
        folders = [either] + [either / os.path.relpath(os.path.join(path, name), either)
                              for path, names, _ in os.walk(either) for name in names]
    found, wanted = links_of(either)
    assert found == wanted and len(found) == 61
    for folder in folders[1:]:
        assert os.stat(folder / "..").st_ino == os.stat(folder.parent).st_ino


# --- several movers ---
def move_about(top, seed, steps):
    rng, names = random.Random(seed), [f"d{number}" for number in range(8)]
    done = 0

    def path():
        return os.path.join(top, *(rng.choice(names) for _ in range(rng.randrange(1, 5))))

    for _ in range(steps):
        try:
            act = rng.randrange(10)
            if act < 6:
                os.rename(path(), path())
            elif act < 8:
                renameat2(path(), path(), RENAME_EXCHANGE)
            elif act == 8:
                os.mkdir(path())
            else:
                os.rmdir(path())
            done += 1
        except OSError as error:
            if error.errno not in EXPECTED:
                raise
    return done


def test_no_directory_is_moved_out_of_reach(either, request):
    """Six processes move directories into each other: no circle comes about, and all that is left is below the top."""
    top = either / "top"
    top.mkdir()
    for number in range(8):
        (top / f"d{number}" / f"d{(number + 1) % 8}").mkdir(parents=True)
    movers = [Child(move_about, top, seed, 600) for seed in range(6)]
    assert sum(mover.result(60) for mover in movers) > 100
    for mover in movers:
        mover.end()
    found, wanted = links_of(top)
    assert found == wanted
    if "riad" in request.node.name:
        shared = request.getfixturevalue("shared")
        counted = sum(len(names) + len(files) for _, names, files in os.walk(shared.directory)) + 1
        assert shared.usage()[1] == counted
    shutil.rmtree(top)


def test_one_of_two_opposite_moves(either):
    """a into b and b into a at the same moment: one succeeds, or both fail, and neither disappears."""
    def swap(first, second, start):
        while not os.path.exists(start):
            pass
        for _ in range(150):
            try:
                os.rename(either / first, either / second / first)
            except OSError as error:
                assert error.errno in EXPECTED, error
            try:
                os.rename(either / second / first, either / first)
            except OSError as error:
                assert error.errno in EXPECTED, error

    for name in "ab":
        (either / name).mkdir()
    children = [Child(swap, *names, either / "start") for names in ("ab", "ba")]
    (either / "start").touch()
    for child in children:
        child.result(60)
        child.end()
    assert sorted(os.path.basename(folder) for folder, _, _ in os.walk(either) if folder != str(either)) == ["a", "b"]


def test_one_winner(either):
    """Of mkdir, rmdir, rename onto a name and exclusive creation by several processes one succeeds, each time."""
    rounds = 150

    def compete(mine):
        won = {"mkdir": 0, "rmdir": 0, "rename": 0, "create": 0, "link": 0, "unlink": 0}

        def attempt(what, act):
            try:
                act()
                won[what] += 1
            except OSError as error:
                assert error.errno in EXPECTED, error

        for number in range(rounds):
            (either / f"own-{mine}-{number}").mkdir()
            attempt("mkdir", lambda n=number: os.mkdir(either / f"dir{n}"))
            attempt("rmdir", lambda n=number: os.rmdir(either / f"there{n}"))
            attempt("rename", lambda n=number: renameat2(either / f"own-{mine}-{n}", either / f"target{n}", RENAME_NOREPLACE))
            attempt("create", lambda n=number: os.close(os.open(either / f"file{n}", os.O_CREAT | os.O_EXCL)))
            attempt("link", lambda n=number: os.link(either / "source", either / f"link{n}"))
            attempt("unlink", lambda n=number: os.unlink(either / f"old{n}"))
        return won

    (either / "source").touch()
    for number in range(rounds):
        (either / f"there{number}").mkdir()
        (either / f"old{number}").touch()
    children = [Child(compete, mine) for mine in range(4)]
    totals = [child.result(60) for child in children]
    for child in children:
        child.end()
    assert {what: sum(total[what] for total in totals) for what in totals[0]} == dict.fromkeys(totals[0], rounds)
    assert os.stat(either / "source").st_nlink == rounds + 1
    assert os.stat(either).st_nlink == 2 + rounds * 5  # dir*, target*, and three own-* of four


def test_making_beside_removing(either):
    """What one creates another removes, with its directory: no name is left behind in a removed directory."""
    def make():
        made = 0
        for number in range(400):
            try:
                os.mkdir(either / "dir")
            except FileExistsError:
                pass
            for name in range(3):
                try:
                    os.close(os.open(either / "dir" / f"{os.getpid()}-{number}-{name}", os.O_CREAT | os.O_EXCL))
                    made += 1
                except FileNotFoundError:
                    pass
        return made

    def remove(stop):
        removed = 0
        while not os.path.exists(stop):
            try:
                for name in os.listdir(either / "dir"):
                    os.unlink(either / "dir" / name)
                    removed += 1
                os.rmdir(either / "dir")
            except OSError as error:
                assert error.errno in EXPECTED, error
        return removed

    makers, remover = [Child(make) for _ in range(3)], Child(remove, either / "stop")
    made = sum(maker.result(60) for maker in makers)
    (either / "stop").touch()
    removed = remover.result(60)
    left = len(os.listdir(either / "dir")) if (either / "dir").exists() else 0
    assert made == removed + left > 0
    for child in [*makers, remover]:
        child.end()
