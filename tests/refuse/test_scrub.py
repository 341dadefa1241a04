"""riad scrub: checksums, by whoever runs the storage."""
import json
import os
import time

import pytest

from harness import DAMAGED, DONE, NOT_A_STORE, USAGE
from tampering import KNOWN, flip, known, logs, datas  # noqa: F401


def scrub(store, *options, code=DONE):
    return store.run("scrub", store.path, *options, code=code)


def told(store, *options, code=DONE):
    return json.loads(scrub(store, "--json", *options, code=code).stdout)


@pytest.fixture
def twin(known):
    made = known.copy()
    made.passphrase_file.unlink()
    yield made
    made.remove()


def test_a_sound_store(known):
    found = told(known)
    assert found["damage"] == 0 and found["findings"] == found["tails"] == []
    size = sum(path.stat().st_size for folder in ("log", "data", "ckpt") for path in (known.workspace() / folder).iterdir())
    assert 0 < found["bytes"] <= size and found["bytes"] > sum(map(len, KNOWN.values()))
    assert "clean: " in scrub(known).stdout


def test_while_it_is_mounted(store, mount):
    (mount / "file").write_bytes(os.urandom(3 << 20))
    assert told(store)["damage"] == 0


@pytest.mark.parametrize("folder", ["log", "data", "ckpt"])
def test_a_flipped_bit_is_found_where_it_is(twin, folder):
    path = max((twin.workspace() / folder).iterdir(), key=lambda path: path.stat().st_size)
    position = path.stat().st_size // 3
    flip(path, position)
    [found] = told(twin, code=DAMAGED)["findings"]
    assert found["path"] == f"ws/{twin.workspace().name}/{folder}/{path.name}"
    assert found["offset"] <= position < found["offset"] + found["bytes"] < path.stat().st_size
    assert f"{path.name}: {found['bytes']} bytes at {found['offset']} are DAMAGED" in scrub(twin, code=DAMAGED).stdout
    flip(path, position)
    assert told(twin)["damage"] == 0


def test_a_torn_tail_is_no_damage_but_named(twin):
    path = datas(twin)[-1]
    os.truncate(path, path.stat().st_size - 100)
    found = told(twin)
    assert [tail["path"].rsplit("/", 1)[1] for tail in found["tails"]] == [path.name] and found["damage"] == 0
    with open(logs(twin)[-1], "ab") as file:
        file.write(bytes(1 << 20))  # set aside, and not written
    assert len(told(twin)["tails"]) == 1


def test_a_checkpoint_that_ends_early_is_damaged(twin):
    path, = (twin.workspace() / "ckpt").iterdir()
    os.truncate(path, path.stat().st_size - 8)
    assert told(twin, code=DAMAGED)["damage"] == 1


def test_the_rate_is_kept(known):
    start = time.monotonic()
    found = told(known, "--rate", "3M")
    assert time.monotonic() - start > found["bytes"] / (3 << 20) - 0.5


def test_what_is_no_store(store, base):
    scrub(store, "--rate", "fast", code=USAGE)
    assert "cannot open the store" in store.run("scrub", base / "nothing", code=NOT_A_STORE).stderr


def test_a_mount_is_verified_by_who_has_its_key(store, mount):
    """What was forged with a right checksum too: the record of an older version of the file in the place of the newer one."""
    (mount / "dir").mkdir()
    (mount / "dir" / "whole").write_bytes(os.urandom(2 << 20))
    (mount / "dir" / "forged").write_bytes(b"a" * 300_000)
    assert store.control("sync")["ok"] and store.control("checkpoint")["ok"]
    found = json.loads(store.run("scrub", mount, "--json", code=DONE).stdout)["scrub"]
    assert found["damaged"] == 0 and found["files"] == 2 and found["bytes"] == (2 << 20) + 300_000 and not found["running"]
    assert found["checkpoints"] == 1 and found["history_damaged"] == 0
    assert ": authentic: 2 files" in store.run("scrub", mount, "--rate", "100M", code=DONE).stdout
    path = max(datas(store), key=lambda path: path.stat().st_size)
    raw = bytearray(path.read_bytes())
    at = [at for at in range(0, len(raw) - 64, 8) if raw[at:at + 4] == b"RIAR" and raw[at + 6] == 2]
    sizes = [b - a for a, b in zip(at, at[1:])]
    i = next(i for i in range(len(at) - 2) if sizes[i] == sizes[i + 1])
    first, second = raw[at[i]:at[i + 1]], raw[at[i + 1]:at[i + 2]]
    raw[at[i]:at[i + 2]] = second + first
    path.write_bytes(raw)
    assert told(store)["damage"] == 0  # all checksums are right
    found = json.loads(store.run("scrub", mount, "--json", code=DAMAGED).stdout)["scrub"]
    [inode] = found["inodes"]
    assert found["damaged"] == 1 and inode in {path.stat().st_ino for path in (mount / "dir").iterdir()}
    text = store.run("scrub", mount, code=DAMAGED).stdout
    assert f"inode {inode} cannot be read whole: find {mount} -inum {inode}" in text and "DAMAGED" in text
    assert store.run("scrub", mount, "--no-wait", code=DONE).stdout == ""


def test_the_rate_of_a_mount_is_kept(store, mount):
    (mount / "file").write_bytes(os.urandom(6 << 20))
    assert store.control("sync")["ok"]
    start = time.monotonic()
    assert json.loads(store.run("scrub", mount, "--rate", "3M", "--json").stdout)["scrub"]["bytes"] == 6 << 20
    assert time.monotonic() - start > 1.5


def test_a_checkpoint_of_a_mount_is_verified_too(store, mount):
    (mount / "file").write_bytes(b"a" * 5000)
    assert store.control("sync")["ok"] and store.control("checkpoint")["ok"]
    path, = (store.workspace() / "ckpt").iterdir()
    flip(path, path.stat().st_size // 2)
    found = json.loads(store.run("scrub", mount, "--json", code=DAMAGED).stdout)["scrub"]
    assert found["history_damaged"] == 1 and found["damaged"] == 0
    assert "the log or a checkpoint is damaged" in store.run("scrub", mount, code=DAMAGED).stdout
    assert f"ckpt/{path.name} is damaged" in store.run("events", code=DONE).stdout


def test_neither_a_store_nor_a_mount(store, tmp_path):
    store.run("scrub", tmp_path, code=NOT_A_STORE)
