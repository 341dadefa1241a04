"""Promise P5 where all that is read is genuine, but of another time or place: older bytes of the same range of the same file, and what
another workspace of the same store and person has. No key and no signature is wrong then: only what ties a record to its version, and an
object to its workspace, tells."""
import errno
import json
import os
import shutil

import pytest

from harness import DAMAGED, DONE, raises_errno
from tampering import BULK, KNOWN, Verdict
from test_matrix import DATA, OBJECTS, REFUSED, Place, below, records

UNIT = 65536
OF_A_WORKSPACE = [kind for kind in OBJECTS if kind not in ("user", "catalog", "store header")]
FOLDERS = {"history": ("log", "data", "ckpt", "term"), "keys": ("roster", "wrap"), "contents": ("data",),
           "everything": ("log", "data", "ckpt", "term", "roster", "wrap")}


def data_records(store):
    return {(below(store, path), *found) for folder in ("log", "data") for path in (store.workspace() / folder).iterdir()
            for found in records(path, DATA)}


def overwrite(store, path, data):
    """Places of the data records that came for it, in their order."""
    before = data_records(store)
    with open(path, "r+b", buffering=0) as file:
        assert os.pwrite(file.fileno(), data, 4 * UNIT) == len(data)
        os.fsync(file.fileno())
    return [Place(*found) for found in sorted(data_records(store) - before)]


@pytest.mark.parametrize("state", ["kept", "lost"])
def test_older_bytes_of_the_same_range(store, mount, state):
    contents = os.urandom(16 * UNIT)
    (mount / "file").write_bytes(contents)
    older = overwrite(store, mount / "file", os.urandom(2 * UNIT))
    newer = overwrite(store, mount / "file", os.urandom(2 * UNIT))
    assert older and [place.size for place in older] == [place.size for place in newer]
    store.unmount()
    for place, former in zip(newer, older):
        place.write(store, former.read(store))
    if state == "lost":
        store.forget_state()
    store.mount()
    with open(mount / "file", "rb", buffering=0) as file:
        for offset in 4 * UNIT, 6 * UNIT - 4096:
            with raises_errno(errno.EIO):
                os.pread(file.fileno(), 4096, offset)
        assert os.pread(file.fileno(), 4 * UNIT, 0) == contents[:4 * UNIT]
        assert os.pread(file.fileno(), 4 * UNIT, 8 * UNIT) == contents[8 * UNIT:12 * UNIT]


def test_another_history_that_is_longer(store, mount):
    """It went on from an older copy, elsewhere: no number is missing, but it is not what this node has synced."""
    (mount / "file").write_bytes(b"of both")
    store.unmount()
    branch = store.copy()
    try:
        store.mount()
        (mount / "file").write_bytes(b"ours")
        store.unmount()
        branch.mount()
        for number in range(50):
            (branch.directory / f"file{number}").write_bytes(b"theirs")
        branch.unmount()
        shutil.rmtree(store.path)
        shutil.copytree(branch.path, store.path)
    finally:
        branch.remove()
    assert "synced" in store.mount(code=DAMAGED).stderr


class Part:
    """One workspace of a store that has two, as the finders of test_matrix want it."""

    def __init__(self, store, name):
        rows = json.loads(store.run("workspace", "list", store.path, "--json").stdout)["workspaces"]
        identifier, = [row["id"] for row in rows if row["workspace"] == name]
        self.path, self.folder = store.path, store.path / "ws" / identifier

    def workspace(self):
        return self.folder


def alike(store, name, contents):
    """The same acts in each, so that both have as many objects, in the same places."""
    top, names = store.mount("-w", name), list(contents)
    (top / "dir" / "sub").mkdir(parents=True)
    for name_of_file in names[:9]:
        (top / name_of_file).write_bytes(contents[name_of_file])
    assert store.control("checkpoint")["ok"]
    store.unmount()
    store.mount("-w", name)
    for name_of_file in names[9:]:
        (top / name_of_file).write_bytes(contents[name_of_file])
    store.unmount()


@pytest.fixture(scope="module")
def neighbours(make_store_in_session):
    store = make_store_in_session()
    store.run("workspace", "create", store.path, "other")
    alike(store, "home", KNOWN)
    alike(store, "other", {name: bytes(byte ^ 255 for byte in data) for name, data in KNOWN.items()})
    return store


def put_in_its_place(mine, others, kind):
    if kind in FOLDERS:
        for name in FOLDERS[kind]:
            there, here = others.workspace() / name, mine.workspace() / name
            (shutil.rmtree if here.is_dir() else os.unlink)(here)
            (shutil.copytree if there.is_dir() else shutil.copy)(there, here)
        return
    OBJECTS[kind](mine)[-1].write(mine, OBJECTS[kind](others)[-1].read(others))


@pytest.mark.parametrize("state", ["kept", "lost"])
@pytest.mark.parametrize("kind", [*OF_A_WORKSPACE, *FOLDERS])
def test_what_the_workspace_beside_it_has(neighbours, kind, state):
    twin = neighbours.copy()
    try:
        put_in_its_place(Part(twin, "home"), Part(twin, "other"), kind)
        if state == "lost":
            twin.forget_state()
        verdict = Verdict(twin, (kind, state))
        assert verdict.code in (DONE, *REFUSED), verdict
        assert not verdict.rolled_back and set(verdict.unreadable) <= BULK, verdict
        assert kind not in ("roster", "keys", "everything") or verdict.code != DONE, verdict
    finally:
        twin.remove()
