"""`riad du`: what directories hold in all, compared with what GNU du and find count by walking."""
import contextlib
import json
import os
import random
import shutil
import subprocess
import threading
import time

import pytest

from harness import BLOCK, FAILED, NOT_MOUNTED, NOT_PERMITTED, USAGE, wait_until
from syscalls import link_followed
from trees import real_tar, unpack


def rows_of(store, *arguments, **more):
    found = json.loads(store.run("du", "--json", *arguments, **more).stdout)["directories"]
    for row in found:
        assert set(row) == {"path", "bytes", "blocks", "inodes", "directories"}
        assert row["bytes"] == row["blocks"] * BLOCK
    return found


def sums(store, *arguments, **more):
    row, = rows_of(store, *arguments, **more)
    return row["bytes"], row["inodes"], row["directories"]


def walked(path):
    """As du and find count: each inode once."""
    count = subprocess.run(["du", "-s", "--block-size=1", path], stdout=subprocess.PIPE, check=True).stdout.split()[0]
    found = subprocess.run(["find", path, "-printf", "%i %y\n"], stdout=subprocess.PIPE, check=True).stdout.split(b"\n")
    inodes = set(found) - {b""}
    return int(count), len(inodes), sum(line.endswith(b"d") for line in inodes)


def agree(store, path):
    assert sums(store, path) == walked(path)
    return sums(store, path)


@pytest.fixture(scope="module")
def archive(base):
    path = base / "du.tar"
    real_tar(path, most_files=800)
    return path


def test_a_real_tree(place, shared, archive):
    unpack(archive, place / "tree")
    for folder, _, _ in os.walk(place):
        agree(shared, folder)
    # Renamed, within and into another directory: only who is above is changed.
    before = agree(shared, place / "tree")
    (place / "other" / "deep").mkdir(parents=True)
    os.rename(place / "tree", place / "other" / "deep" / "moved")
    assert sums(shared, place / "other" / "deep" / "moved") == before
    assert agree(shared, place / "other")[1] == before[1] + 2
    subprocess.run(["cp", "-a", place / "other", place / "copy"], check=True)
    agree(shared, place)
    shutil.rmtree(place / "other")
    agree(shared, place)
    shutil.rmtree(place / "copy")
    assert agree(shared, place) == (BLOCK, 1, 1)


def test_the_top_is_the_usage(shared):
    wait_until(lambda: sums(shared, shared.directory)[:2] == tuple(
        figure * unit for figure, unit in zip(shared.usage(), (BLOCK, 1))), what="the kernel's release of closed files")


def test_sizes(place, shared):
    (place / "empty").touch()
    (place / "one").write_bytes(b"x")
    with open(place / "sparse", "wb") as file:
        file.truncate(1 << 40)
        file.seek(1 << 39)
        file.write(b"x" * 5000)
    os.symlink("nowhere", place / "link")
    os.mkfifo(place / "fifo")
    os.setxattr(place / "one", "user.big", b"x" * 9000)
    assert agree(shared, place)[1:] == (6, 1)
    with open(place / "one", "r+b") as file:
        file.truncate(1_000_000)
        os.posix_fallocate(file.fileno(), 0, 1_000_000)
    assert agree(shared, place)[0] > 1_000_000
    os.truncate(place / "one", 0)
    agree(shared, place)


def test_hard_links_count_at_the_first_ones_home(place, shared):
    for name in ("a", "b", "c"):
        (place / name).mkdir()
    (place / "a" / "file").write_bytes(b"x" * 5 * BLOCK)
    os.link(place / "a" / "file", place / "b" / "link")
    assert sums(shared, place / "a") == (6 * BLOCK, 2, 1)
    assert sums(shared, place / "b") == (BLOCK, 1, 1)
    agree(shared, place)
    os.rename(place / "a" / "file", place / "c" / "file")
    assert sums(shared, place / "c") == (6 * BLOCK, 2, 1)
    os.unlink(place / "c" / "file")
    assert sums(shared, place / "c") == (6 * BLOCK, 2, 1)  # it has a link in b still
    os.rmdir(place / "c")
    assert sums(shared, place)[1] == 3
    assert agree(shared, shared.directory)[1] >= 4  # at the top now
    os.unlink(place / "b" / "link")
    agree(shared, place)


def test_what_has_no_name(place, shared):
    before = sums(shared, shared.directory)
    fd = os.open(place, os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(fd, b"x" * 100 * BLOCK)
    assert sums(shared, shared.directory) == before
    link_followed(f"/proc/self/fd/{fd}", place / "named")
    assert sums(shared, place) == (101 * BLOCK, 2, 1)
    os.unlink(place / "named")
    assert sums(shared, place) == (BLOCK, 1, 1)
    os.close(fd)
    (place / "gone").mkdir()
    fd = os.open(place / "gone", os.O_RDONLY)
    os.rmdir(place / "gone")
    assert agree(shared, place) == (BLOCK, 1, 1)
    shared.run("du", f"/proc/self/fd/{fd}", code=FAILED, pass_fds=[fd])
    os.close(fd)


def test_levels_and_their_order(place, shared):
    for name, size in (("big", 9), ("big/inner", 5), ("small", 1), ("small/x", 2), ("big.too", 3), ("odd\x01\udcff", 0)):
        (place / name).mkdir()
        (place / name / "file").write_bytes(b"x" * size * BLOCK)

    def names(*arguments):
        return [row["path"][len(str(place)):] for row in rows_of(shared, *arguments, place)]

    assert names() == [""]
    assert names("-d", "1") == ["", "/big", "/big.too", "/odd\x01?", "/small"]
    assert names("--max-depth", "2") == ["", "/big", "/big/inner", "/big.too", "/odd\x01?", "/small", "/small/x"]
    assert names("-d9", "-S", "size") == ["", "/big", "/big/inner", "/small", "/big.too", "/small/x", "/odd\x01?"]
    assert names("-d9", "--sort=name") == names("-d", "2")
    for row in rows_of(shared, "-d", "9", place):
        if "odd" not in row["path"]:
            assert (row["bytes"], row["inodes"], row["directories"]) == walked(row["path"])
    table = shared.run("du", "-d1", place, errors="surrogateescape").stdout.splitlines()
    assert table[0].split() == ["BYTES", "INODES", "DIRECTORY"]
    assert table[1].split() == ["108", "KiB", "13", str(place)]
    assert table[4].endswith("/odd?\udcff")
    exact = shared.run("du", "--bytes", place).stdout.splitlines()
    assert exact[1].split() == [str(27 * BLOCK), "13", str(place)]


def test_many_at_once_and_here(place, shared):
    (place / "a").mkdir()
    (place / "b").mkdir()
    assert [row["path"] for row in rows_of(shared, place / "a", place / "b", place / "a")] == [
        str(place / name) for name in ("a", "b", "a")]
    assert rows_of(shared, cwd=place)[0] == dict(rows_of(shared, place)[0], path=".")
    assert [row["path"] for row in rows_of(shared, "-d1", cwd=place)] == [".", "./a", "./b"]
    result = shared.run("du", "--json", place / "missing", place / "a", code=FAILED)
    assert "missing" in result.stderr and json.loads(result.stdout)["directories"][0]["path"] == str(place / "a")


def test_wrong_use(place, shared, base):
    (place / "file").touch()
    shared.run("du", place / "file", code=FAILED)
    assert "riad status" in shared.run("du", base, code=NOT_MOUNTED).stderr
    assert "riad status" in shared.run("du", "/proc", code=NOT_MOUNTED).stderr
    shared.run("du", "-d", "x", place, code=USAGE)
    shared.run("du", "-d", "-1", place, code=USAGE)
    shared.run("du", "-S", "age", place, code=USAGE)
    shared.run("du", "--state-dir", "x", place, code=USAGE)


def test_a_directory_of_many_files_lists_its_few_directories(place, shared):
    fd = os.open(place, os.O_RDONLY)
    for number in range(20_000):
        os.mknod(f"f{number}", dir_fd=fd)
    os.mkdir("last", dir_fd=fd)
    os.close(fd)
    rows_of(shared, "-d1", place)
    begin = time.monotonic()
    assert [row["inodes"] for row in rows_of(shared, "-d1", place)] == [20_002, 1]
    assert time.monotonic() - begin < 1


def make_deep(top, levels):
    """Returns a descriptor of the last one."""
    fd = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    return fd


def remove_deep(top, fd, levels):
    """From below."""
    for _ in range(levels):
        above = os.open("..", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        os.rmdir("d", dir_fd=above)
        fd = above
    os.close(fd)


def test_a_deep_tree(place, shared):
    levels = 2000
    fd = make_deep(place, levels)
    assert agree(shared, place) == ((levels + 1) * BLOCK, levels + 1, levels + 1)
    for size in (10, 3000, 7):
        file = os.open("file", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=fd)
        os.write(file, b"x" * size * 300)
        os.close(file)
        assert sums(shared, place)[0] == (levels + 1) * BLOCK + (size * 300 + BLOCK - 1) // BLOCK * BLOCK
    (place / "d2").mkdir()
    os.rename(place / "d" / "d", place / "d2" / "d")
    assert sums(shared, place / "d") == (BLOCK, 1, 1)
    assert sums(shared, place / "d2")[1:] == (levels + 1, levels)
    assert sums(shared, f"/proc/self/fd/{fd}", pass_fds=[fd])[1:] == (2, 1)
    os.rename(place / "d2" / "d", place / "d" / "d")
    os.rmdir(place / "d2")
    os.unlink("file", dir_fd=fd)
    remove_deep(place, fd, levels)
    assert agree(shared, place) == (BLOCK, 1, 1)


def test_it_survives_kill_remount_and_a_rebuild(make_store):
    store = make_store()
    store.mount()
    for a in range(20):
        for b in range(5):
            (store.directory / f"{a}" / f"{b}").mkdir(parents=True)
            (store.directory / f"{a}" / f"{b}" / "file").write_bytes(b"x" * a * 1000)
    os.rename(store.directory / "3" / "1", store.directory / "17" / "moved")
    rows = rows_of(store, "-d9", store.directory)
    assert len(rows) == 121
    store.kill()
    store.mount()
    assert rows_of(store, "-d9", store.directory) == rows
    assert store.control("checkpoint")["ok"]
    (store.directory / "3" / "after").write_bytes(b"x" * 5000)
    rows = rows_of(store, "-d9", store.directory)
    store.unmount()
    for path in store.state.rglob("index.db*"):
        path.unlink()
    store.mount()
    assert rows_of(store, "-d9", store.directory) == rows
    agree(store, store.directory)
    store.unmount()
    store.fsck()


def test_while_others_write(place, shared):
    """Each answer holds what was there before it was asked for, and no more than was there after."""
    made, stop = [0], threading.Event()
    path = place.joinpath(*"abcdefgh")
    path.mkdir(parents=True)

    def write():
        for number in range(100_000):
            if stop.is_set():
                return
            made[0] = number
            (path / f"f{number}").write_bytes(b"x")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(40):
            before = made[0]
            inodes = sums(shared, place)[1] - 9
            assert before <= inodes <= made[0] + 1
    finally:
        stop.set()
        writer.join()
    agree(shared, place)


def test_random_changes(place, shared):
    seed = random.randrange(1 << 32)
    draw = random.Random(seed)
    directories, files = [place], []
    for step in range(1500):
        kind, number = draw.randrange(6), f"n{step}"
        where = draw.choice(directories)
        with contextlib.suppress(OSError):
            if kind == 0:
                (where / number).mkdir()
                directories.append(where / number)
            elif kind in (1, 2):
                (where / number).write_bytes(b"x" * draw.randrange(20_000))
                files.append(where / number)
            elif kind == 3 and len(directories) > 1:
                old = directories[draw.randrange(1, len(directories))]
                os.rename(old, where / number)
                moved = len(str(old))
                directories = [where / number / str(path)[moved:].lstrip("/") if path == old or old in path.parents else path
                               for path in directories]
                files = [where / number / str(path)[moved:].lstrip("/") if old in path.parents else path for path in files]
            elif kind == 4 and files:
                old = files.pop(draw.randrange(len(files)))
                os.unlink(old)
            elif kind == 5 and files:
                old = files.pop(draw.randrange(len(files)))
                os.rename(old, where / number)
                files.append(where / number)
        if step % 100 == 0:
            assert sums(shared, place) == walked(place), f"seed {seed}, step {step}"
    for path in directories:
        assert sums(shared, path) == walked(path), f"seed {seed}"


def test_who_may_ask(shared_by_all, unprivileged):
    if not unprivileged.is_other:
        pytest.skip("needs two users")
    store, top = shared_by_all, shared_by_all.directory
    (top / "open" / "closed").mkdir(parents=True)
    (top / "open" / "closed" / "file").write_bytes(b"x" * 10 * BLOCK)
    os.chmod(top / "open", 0o755)
    os.chmod(top / "open" / "closed", 0o711)
    assert sums(store, top / "open", user=unprivileged)[1] == 3
    store.run("du", top / "open" / "closed", code=NOT_PERMITTED, user=unprivileged)
    result = store.run("du", "--json", "-d2", top / "open", code=NOT_PERMITTED, user=unprivileged)
    assert [row["path"] for row in json.loads(result.stdout)["directories"]] == [
        str(top / "open"), str(top / "open" / "closed")]
    os.chmod(top / "open", 0o711)  # nor by its number, its name known or not
    os.chmod(top / "open" / "closed", 0o755)
    assert sums(store, top / "open" / "closed", user=unprivileged)[1] == 2
    store.run("du", top / "open", code=NOT_PERMITTED, user=unprivileged)
    subprocess.run(["setfacl", "-m", f"u:{unprivileged.uid}:r-x", top / "open"], check=True)
    assert sums(store, top / "open", user=unprivileged)[1] == 3
    os.chmod(top / "open", 0o700)
    store.run("du", top / "open" / "closed", code=NOT_PERMITTED, user=unprivileged)
