"""The node's local state, lost, half-written, of an older day, or of another store: it is made anew from the store, or the mount says what is wrong.
What the store has is there each time (P2)."""
import os
import random
import shutil

import pytest

import trees
from harness import DAMAGED

KILLED, UNMOUNTED = "killed", "unmounted"
HARMS = {
    "deleted": lambda path: path.unlink(),
    "emptied": lambda path: os.truncate(path, 0),
    "halved": lambda path: os.truncate(path, path.stat().st_size // 2),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "garbage": lambda path: path.write_bytes(random.Random(path.name).randbytes(path.stat().st_size)),
    "flipped": lambda path: flip_some(path),
}


def flip_some(path):
    """A bit in each page."""
    data, rng = bytearray(path.read_bytes()), random.Random(path.name)
    for page in range(0, len(data), 4096):
        data[rng.randrange(page, min(page + 4096, len(data)))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def fill(top, seed):
    rng = random.Random(seed)
    (top / f"d{seed}").mkdir()
    for number in range(60):
        (top / f"d{seed}" / f"f{number}").write_bytes(rng.randbytes(rng.randrange(9000)))
    (top / f"d{seed}" / "big").write_bytes(rng.randbytes(1 << 20))
    os.rename(top / f"d{seed}" / "f0", top / f"d{seed}" / "renamed")


@pytest.fixture(scope="module")
def made(make_store_in_session):
    """The same store twice: how a kill left it, all synced before, and unmounted in order; and what is in it."""
    store = make_store_in_session()
    top = store.mount()
    fill(top, 1)
    assert store.control("checkpoint")["ok"]
    fill(top, 2)
    os.sync()
    before = trees.describe(top)
    store.kill()
    killed = store.copy()
    store.mount()
    store.unmount()
    yield {KILLED: killed, UNMOUNTED: store}, before
    killed.remove()


def state_file(store, name):
    folder, = (store.state / "ws").iterdir()
    store_folder, = (store.state / "store").iterdir()
    found = [path for path in (folder / name, store.state / name, store_folder / name) if path.exists()]
    return found[0] if found else None


FILES = [(KILLED, name) for name in ("index.db", "index.db-wal", "index.db-shm", "mark", "spool")]
FILES += [(UNMOUNTED, name) for name in ("index.db", "mark", "spool", "lock", "usage", "events", "node", "catalog-mark")]


def look(store, before, named):
    """It mounts with all that was there, or says which file is in the way."""
    result = store.mount(code=None)
    if os.path.ismount(store.directory):
        trees.assert_same(before, trees.describe(store.directory))
        store.unmount()
        store.fsck()
    else:
        assert result.returncode == DAMAGED and named in result.stderr, result.stderr


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("how,name", FILES)
def test_a_file_of_it(made, how, name, harm):
    stores, before = made
    twin = stores[how].copy()
    try:
        path = state_file(twin, name)
        if not path or (path.stat().st_size == 0 and harm != "deleted"):
            pytest.skip("it is not there, or empty")
        HARMS[harm](path)
        look(twin, before, name)
    finally:
        twin.remove()


def test_of_an_older_day(store, mount):
    """The index is behind the log, and follows; the mark names less than was synced, and is no lie."""
    fill(mount, 1)
    store.unmount()
    shutil.copytree(store.state, store.base / "older", ignore=shutil.ignore_patterns("run"))
    store.mount()
    fill(mount, 2)
    shutil.rmtree(mount / "d1")
    before = trees.describe(mount)
    store.unmount()
    shutil.rmtree(store.state)
    shutil.copytree(store.base / "older", store.state)
    store.state.chmod(0o700)
    store.mount()
    trees.assert_same(before, trees.describe(mount))
    store.unmount()
    store.fsck()


def test_of_another_store(make_store):
    """The files of another store's workspace, where this one's should be."""
    stores = make_store(), make_store()
    for seed, store in enumerate(stores):
        fill(store.mount(), seed)
    before = trees.describe(stores[0].directory)
    for store in stores:
        store.unmount()
    one, other = ([path for path in (store.state / "ws").iterdir()][0] for store in stores)
    for name in ("index.db", "mark", "spool"):
        twin = stores[0].copy()
        place, = (twin.state / "ws").iterdir()
        shutil.copyfile(other / name, place / name)
        look(twin, before, "riad: ")
        twin.remove()
    assert one != other
