"""What users of other file systems with limits have reported, and what riad does instead. Each docstring names where it was met:
the numbers are those of juicedata/juicefs, gluster/glusterfs, cubefs/cubefs, kadalu/kadalu and OSC/ondemand at GitHub."""
import errno
import json
import os
import random
import shutil
import subprocess

import pytest

import trees
from harness import BLOCK, Store, detach, raises_errno, wait_until

ROOM = 1024  # blocks


ROOM_OPTIONS = ("-B", str(ROOM * BLOCK), "-I", "200")


@pytest.fixture(scope="module")
def common(binary, base):
    """A store with that limit for all tests here that leave it mounted."""
    store = Store(binary, base)
    try:
        store.init(*ROOM_OPTIONS)
        store.mount()
        yield store
        store.unmount()
        store.fsck()
    finally:
        store.remove()


@pytest.fixture
def limited(common):
    """Empty, and with its limit."""
    before = common.status()
    yield common
    for path in common.directory.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if any(common.status()[name] != before[name] for name in ("bytes_limit", "inodes_limit")):
        common.run("quota", "set", common.path, *ROOM_OPTIONS)
    await_agreement(common, (1, 1))


@pytest.fixture
def own(make_store):
    store = make_store(*ROOM_OPTIONS)
    store.mount()
    return store


def shell(store, command):
    """(exit code, what it complained of) in the mount."""
    result = subprocess.run(["bash", "-c", command], cwd=store.directory, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            env={**os.environ, "LC_ALL": "C"}, text=True, check=False)
    return result.returncode, result.stderr


def fill(store, name="full"):
    """Up to the last block."""
    code, said = shell(store, f"dd if=/dev/zero of={name} bs=1M count=100")
    assert code != 0 and "Disk quota exceeded" in said
    assert store.usage()[0] == ROOM


def disk_free(store):
    """(blocks, inodes) in use, as df(1) prints them."""
    lines = subprocess.run(["df", f"--block-size={BLOCK}", "--output=used,iused", store.directory], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    return tuple(map(int, lines[1].split()))


def disk_usage(store):
    """The same, as du(1) adds them up."""
    return tuple(int(subprocess.run(["du", "-s", option, store.directory], check=True, text=True,
                                    stdout=subprocess.PIPE).stdout.split()[0]) for option in (f"--block-size={BLOCK}", "--inodes"))


def await_agreement(store, expected=None):
    """riad's figure, df and du come to be the same, or that."""
    wait_until(lambda: store.usage() == (expected or disk_usage(store)), what="what was let go")
    assert store.usage() == disk_free(store) == disk_usage(store)
    return store.usage()


# --- limits that do not bind ---
def test_append_to_a_full_workspace(limited):
    """JuiceFS #6731, #6040, #3705, CubeFS #2468: `echo 1 >>` to a file that was there already succeeded in spite of a full quota,
    and usage passed it."""
    (limited.directory / "aligned").write_bytes(b"x" * 2 * BLOCK)
    (limited.directory / "unaligned").write_bytes(b"x" * 10)
    fill(limited)
    for _ in range(20):
        code, said = shell(limited, "echo 1 >> aligned")
        assert code != 0 and "Disk quota exceeded" in said
        code, said = shell(limited, "echo 1 >> full")
        assert code != 0 and "Disk quota exceeded" in said
    assert os.stat(limited.directory / "aligned").st_size == 2 * BLOCK
    # The rest of a block that was paid for is there to be used.
    assert shell(limited, "echo 1 >> unaligned")[0] == 0
    assert limited.usage() == (ROOM, 4)


def test_a_last_file_that_is_too_large(limited):
    """Gluster #740, #2484: the last file was written as a whole when anything at all was left; 6.2 GB lay in 5 GB."""
    (limited.directory / "first").write_bytes(b"x" * (ROOM - 5) * BLOCK)
    fill(limited, "last")
    assert os.stat(limited.directory / "last").st_size == 4 * BLOCK
    assert await_agreement(limited) == (ROOM, 3)


def test_a_limit_binds_the_next_write(limited):
    """CephFS stops writers some seconds after the limit, as its documentation says; JuiceFS reads limits each ten seconds."""
    fd = os.open(limited.directory / "file", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"x" * 100 * BLOCK)
    for blocks in (101, 50, 300, 200):
        limited.run("quota", "set", limited.path, "-B", str(blocks * BLOCK))
        before = limited.usage()[0]
        if blocks <= before:
            with raises_errno(errno.EDQUOT):
                os.write(fd, b"x")
        else:
            assert os.write(fd, b"x" * ROOM * BLOCK) == (blocks - before) * BLOCK
        assert limited.usage()[0] == max(before, blocks)
    os.close(fd)


def test_limits_hold_after_a_restore(own):
    """JuiceFS #6811: after a dump was loaded, more than the quota was written. Here: all local state is lost, and the store
    copied."""
    fill(own)
    own.unmount()
    twin = own.copy()
    shutil.rmtree(twin.state)
    twin.mount()
    assert await_agreement(twin) == (ROOM, 2)
    assert os.statvfs(twin.directory).f_blocks == ROOM
    with raises_errno(errno.EDQUOT):
        (twin.directory / "file").write_bytes(b"x")
    twin.unmount()
    twin.fsck()


# --- unlinked files that are open ---
def unlink_it(path):
    os.unlink(path)


def move_over_it(path):
    path.with_name("other").touch()
    os.rename(path.with_name("other"), path)


@pytest.mark.parametrize("lose", [unlink_it, move_over_it])
def test_an_open_file_is_given_back_once(limited, lose):
    """JuiceFS #5018, #5043, #4591: what was unlinked, or moved over, while open was taken off the usage by unlink and again by
    close, until df showed negative figures. #6990, #5484: its inode, or some of its space, never was."""
    (limited.directory / "kept").write_bytes(b"k" * 10 * BLOCK)
    for _ in range(10):
        path = limited.directory / "file"
        path.unlink(missing_ok=True)
        before = await_agreement(limited)
        fd = os.open(path, os.O_RDWR | os.O_CREAT)
        os.write(fd, b"x" * 30 * BLOCK)
        lose(path)
        left = 1 if path.exists() else 0
        assert limited.usage() == disk_free(limited) == (before[0] + 30, before[1] + 1 + left)
        os.write(fd, b"x" * 3 * BLOCK)
        os.ftruncate(fd, 20 * BLOCK)
        assert limited.usage() == (before[0] + 20, before[1] + 1 + left)
        os.close(fd)
        await_agreement(limited, (before[0], before[1] + left))


def test_a_first_limit_while_an_unlinked_file_is_open(make_store):
    """JuiceFS #7079: usage became negative when the first quota was set while a file was open that had been unlinked before."""
    store = make_store()
    store.mount()
    fd = os.open(store.directory / "file", os.O_RDWR | os.O_CREAT)
    os.write(fd, b"x" * 30 * BLOCK)
    os.unlink(store.directory / "file")
    store.run("quota", "set", store.path, "-B", str(ROOM * BLOCK), "-I", "10")
    assert store.usage() == disk_free(store) == (31, 2)
    os.close(fd)
    assert await_agreement(store, (1, 1)) == (1, 1)


# --- space that does not come back ---
def test_space_is_back_when_a_file_is_deleted(limited):
    """JuiceFS #6729, Kadalu #916: the space of deleted files was not given back, as they lay in a trash, or for other reasons;
    so the same could not be written again."""
    before = await_agreement(limited)
    for _ in range(5):
        fill(limited)
        if os.geteuid() == 0:
            os.chown(limited.directory / "full", 12345, 12345)
        os.unlink(limited.directory / "full")
    await_agreement(limited, before)


def test_a_deleted_sparse_file_leaves_nothing(limited):
    """Gluster #4317: a sparse file was charged for room made ahead, and when it was deleted df stayed wrong."""
    before = await_agreement(limited)
    with open(limited.directory / "sparse", "wb", buffering=0) as file:
        for number in range(50):
            file.seek(number << 24)
            file.write(b"x" * (number * 100 + 1))
    assert await_agreement(limited) == (before[0] + 41 + 2 * 9, before[1] + 1)
    os.unlink(limited.directory / "sparse")
    await_agreement(limited, before)


# --- what a refusal leaves ---
def test_a_refused_file_is_as_long_as_was_said(limited):
    """JuiceFS #4586: a file that did not fit stayed, with another size than what had been written of it. A file that fits in part
    stays on every file system, cut where the write was; its size, its blocks and what dd said are one."""
    code, said = shell(limited, "dd if=/dev/zero of=file bs=1M count=100 2>&1 >/dev/null | tee /dev/stderr")
    info = os.stat(limited.directory / "file")
    assert "Disk quota exceeded" in said and f"{info.st_size} bytes" in said, (code, said)
    assert info.st_size == info.st_blocks * 512 == (ROOM - 1) * BLOCK
    assert (limited.directory / "file").read_bytes().count(0) == info.st_size


def test_a_refused_create_leaves_no_file(limited):
    """JuiceFS #4586 again, by the limit on inodes: neither a name, nor an inode that is counted."""
    limited.run("quota", "set", limited.path, "-I", "3")
    (limited.directory / "dir").mkdir()
    (limited.directory / "file").touch()
    for _ in range(10):
        for command in ("echo text > new", "cp file new", "mkdir new", "ln -s file new", "mkfifo new",
                        "mv file dir/ && mv dir/file . && touch new"):
            code, said = shell(limited, command)
            assert code != 0 and "Disk quota exceeded" in said, (command, said)
    assert sorted(os.listdir(limited.directory)) == ["dir", "file"]
    assert await_agreement(limited) == (2, 3)


def test_a_full_home_can_be_logged_in_to(limited):
    """Open OnDemand #3846, #2677: with a full home nothing worked any more, not even what would have made room."""
    (limited.directory / ".profile").write_text("PS1=$\n", encoding="utf-8")
    (limited.directory / ".history").write_text("ls\n" * 100, encoding="utf-8")
    fill(limited)
    for command in (". ./.profile && ls -la", "echo ls >> .history", "tail -n 5 .history", "echo ls > .history",
                    "chmod 600 .profile", "touch .profile", "find . -size +1M", "du -s .", "rm full", "echo room > new"):
        assert shell(limited, command) == (0, ""), command
    assert await_agreement(limited) == (4, 4)


# --- figures that drift ---
def test_df_is_du(make_store):
    """JuiceFS #5203, #5967, #1069, Gluster #3038: after much copying and deleting df showed far more, or less, than there was, and
    nothing could put it right."""
    store, rng = make_store("-B", "200M", "-I", "20000"), random.Random(5)
    store.mount()
    trees.real_tar(store.base / "real.tar", most_files=600, most_bytes=20 << 20)
    for number in range(2):
        trees.unpack(store.base / "real.tar", store.directory / str(number))
        shutil.copytree(store.directory / str(number), store.directory / f"copy{number}", symlinks=True)
    files = [path for path in store.directory.rglob("*") if path.is_file() and not path.is_symlink()]
    for path in rng.sample(files, len(files) // 3):
        rng.choice([os.unlink, lambda path: os.truncate(path, 100), lambda path: path.write_bytes(b"new" * 3000),
                    lambda path: os.rename(path, store.directory / path.name)])(path)
    shutil.rmtree(store.directory / "1")
    figures = await_agreement(store)
    store.remount()
    assert await_agreement(store) == figures


def test_df_is_right_where_limits_promise_more_than_there_is(make_store):
    """Gluster #1437, #3038: df showed another usage of volumes than they had. riad had that fault where a limit was larger than what
    the store had free: df called used all that was missing there."""
    store = make_store("-B", "1000T")
    store.mount()
    (store.directory / "file").write_bytes(b"x" * 10 * BLOCK)
    assert await_agreement(store) == (11, 2)
    size, below = os.statvfs(store.directory), os.statvfs(store.path)
    assert size.f_blocks * BLOCK == 1000 << 40
    assert 0 < size.f_bavail * BLOCK <= below.f_blocks * below.f_frsize


def test_hard_links_are_counted_once_wherever_they_are(limited):
    """Gluster #3029: a file with links in several directories was charged for each. JuiceFS #6609: `rm -rf` took its inode off the
    figures for each."""
    before = await_agreement(limited)
    for name in ("a", "b", "c"):
        (limited.directory / name).mkdir()
    (limited.directory / "a" / "file").write_bytes(b"x" * 10 * BLOCK)
    for number in range(20):
        os.link(limited.directory / "a" / "file", limited.directory / "abc"[number % 3] / str(number))
    assert await_agreement(limited) == (before[0] + 3 + 10, before[1] + 3 + 1)
    shutil.rmtree(limited.directory / "a")
    assert await_agreement(limited) == (before[0] + 2 + 10, before[1] + 2 + 1)
    shutil.rmtree(limited.directory / "b")
    shutil.rmtree(limited.directory / "c")
    assert await_agreement(limited, before) == before


def test_counters_are_right_after_kill(own):
    """JuiceFS keeps usage in the client and writes it down each second or so: what a killed client had not yet written down was
    missing in its counters, which nobody could recount (#5203, #5967). Here it is killed right after each kind of change."""
    changes = ["dd if=/dev/zero of=file bs=4k count=100", "truncate -s 10 file; cp file other; mkdir dir",
               "mv other dir/; ln -s a b; fallocate -l 100k room", "rm file; rmdir dir; mkfifo fifo", "rm -r dir room b"]
    for change in changes:
        shell(own, change)
        told = own.usage()
        own.kill(directory=False)
        detach(own.directory)
        own.mount()
        # What was on its way out may have been counted until the kill.
        figures = await_agreement(own)
        assert all(now <= then for now, then in zip(figures, told)), change
    own.unmount()
    [found] = json.loads(own.run("fsck", "--json", "-q", own.path).stdout)["workspaces"]
    assert (found["bytes_used"] // BLOCK, found["inodes"]) == figures == (1, 2)
