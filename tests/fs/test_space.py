"""Space that comes back: what is dead in the store goes, whatever was overwritten, cut or deleted (L7)."""
import json
import os
import random
import shutil

import pytest

from harness import BLOCK, NOT_MOUNTED, wait_until

MIB = 1 << 20


@pytest.fixture
def mounted(store):
    store.mount()
    return store


def stored(store):
    """Bytes of the workspace's files in the store."""
    total = 0
    for folder in ("log", "data", "ckpt", "dead"):
        for path, _, names in os.walk(store.workspace() / folder):
            for name in names:
                try:
                    total += os.stat(os.path.join(path, name)).st_blocks * 512
                except FileNotFoundError:  # it went just now
                    pass
    return total


def fill(path, size, seed):
    data = random.Random(seed).randbytes(size)
    path.write_bytes(data)
    return data


def test_what_is_overwritten_comes_back(mounted):
    big, root = mounted.directory / "big", mounted.directory
    for turn in range(4):
        data = bytearray(fill(big, 24 * MIB, turn))
    generator = random.Random(4)
    with open(big, "r+b", buffering=0) as file:
        for _ in range(3000):
            at = generator.randrange(len(data) // BLOCK) * BLOCK
            data[at:at + BLOCK] = page = generator.randbytes(BLOCK)
            os.pwrite(file.fileno(), page, at)
    small = {f"small-{i}": fill(root / f"small-{i}", 1000 + i, i) for i in range(300)}
    for i in range(0, 300, 2):
        (root / f"small-{i}").unlink()
        del small[f"small-{i}"]
    mounted.run("gc", mounted.directory)
    wait_until(lambda: stored(mounted) < 1.1 * len(data) + 4 * MIB, 20, "the space to come back")
    for _ in range(2):
        assert big.read_bytes() == data
        assert {name: (root / name).read_bytes() for name in small} == small
        mounted.unmount()
        mounted.fsck()
        mounted.forget_state()  # what is left of the log, and the checkpoints, are enough
        mounted.mount()
    mounted.unmount()
    mounted.fsck()


def test_figures_and_refusals(mounted):
    fill(mounted.directory / "file", 3 * MIB, 1)
    answer = json.loads(mounted.run("gc", "--json", mounted.directory).stdout)
    assert answer["directory"] == str(mounted.directory)
    assert answer["cleaning"]["asked"] is False and answer["cleaning"]["rekeyed"] is True
    assert answer["cleaning"]["old_key_files"] == 0
    assert "in use, of" in mounted.run("gc", "-q", mounted.directory).stdout
    assert mounted.run("gc", "--no-wait", mounted.directory).stdout == ""
    assert mounted.status()["cleaning"].keys() == answer["cleaning"].keys()
    mounted.run("gc", mounted.base, code=NOT_MOUNTED)
    mounted.unmount()
    mounted.run("gc", mounted.directory, code=NOT_MOUNTED)


def test_a_kill_in_the_middle_loses_nothing(mounted):
    """Moving goes on where it was; nothing that was moved, or its original, is missing."""
    files = {f"file-{i}": fill(mounted.directory / f"file-{i}", 300000 + i * 7001, i) for i in range(60)}
    for name in list(files)[::2]:
        with open(mounted.directory / name, "r+b") as file:
            file.truncate(100000)
        files[name] = files[name][:100000]
    for turn in range(6):
        mounted.run("gc", "--no-wait", mounted.directory)
        before = mounted.status()["cleaning"]["moved_bytes"]
        if turn % 2:
            wait_until(lambda: mounted.status()["cleaning"]["moved_bytes"] > before or
                       not mounted.status()["cleaning"]["asked"], 20, "something to be moved")
        mounted.kill()
        mounted.mount()
        assert {name: (mounted.directory / name).read_bytes() for name in files} == files
        shutil.copyfile(mounted.directory / "file-1", mounted.directory / "file-3")
        files["file-3"] = files["file-1"]
    mounted.run("gc", mounted.directory)
    mounted.unmount()
    mounted.fsck()


def test_what_a_process_left_comes_back_soon(mounted):
    """Nobody has to write, or to wait a minute: who is killed again and again would have no space."""
    big = mounted.directory / "big"
    data = bytearray(fill(big, 64 * MIB, 1))
    with open(big, "r+b", buffering=0) as file:
        for at in range(0, len(data), 256 * 1024):
            data[at:at + 128 * 1024] = page = random.Random(at).randbytes(128 * 1024)
            os.pwrite(file.fileno(), page, at)
    mounted.kill()
    assert stored(mounted) > 90 * MIB
    mounted.mount()
    wait_until(lambda: stored(mounted) < 1.3 * len(data), 30, "the space to come back")
    assert big.read_bytes() == data
    mounted.unmount()
    mounted.fsck()


def test_what_was_just_written_is_in_use(store):
    """Also what is in a segment that more is appended to."""
    root = store.mount()
    (root / "file").write_bytes(os.urandom(20 << 20))
    told = json.loads(store.run("gc", str(root), "--json").stdout)["cleaning"]
    assert 20 << 20 <= told["live_bytes"] <= told["store_bytes"]
