"""Promise P5, cell by cell: each kind of object in the store times each thing that whoever owns the storage can do to it. A cell is
refused with a reason, or the files show their own bytes, or EIO; never other bytes, never older ones, never a crash; and of the other
files all can be read. With the node's state, and without it; what only the log has also without it and without checkpoints, or nobody
would read it. (The heartbeat only decides who waits, O2: test_tamper.py.)"""
import os
import random
import shutil
from dataclasses import dataclass

import pytest

from harness import DAMAGED, DONE, NOT_A_STORE, OWNED, TOO_NEW, WRONG_SECRET
from tampering import BULK, KNOWN, OLDER, Verdict, find_all, known  # noqa: F401

REFUSED = (DAMAGED, NOT_A_STORE, TOO_NEW, WRONG_SECRET, OWNED)
CHANGE, DATA, OVERHEAD = 1, 2, 88
IN_THE_LOG = ("change record", "segment header", "segment tail")
SIGNED = ("roster", "term", "user", "catalog")
LAST = ("dir/small13", "dir/sub/middle2")


@dataclass
class Place:
    """Bytes of a file, below a store's directory."""
    path: str
    start: int = 0
    size: int = None

    def file(self, store):
        return store.path / self.path

    def end(self, store):
        return self.file(store).stat().st_size if self.size is None else self.start + self.size

    def read(self, store):
        return self.file(store).read_bytes()[self.start:self.end(store)]

    def write(self, store, data):
        raw, end = self.file(store).read_bytes(), self.end(store)
        self.file(store).chmod(0o600)
        self.file(store).write_bytes(raw[:self.start] + data + raw[end:])


def records(path, kind=None):
    """(offset, size) of the records of a segment; all, or those of a type (FORMAT 5.1)."""
    raw = path.read_bytes()
    return [(at, int.from_bytes(raw[at + 56:at + 60], "little") + OVERHEAD) for at in find_all(raw, b"RIAR\x01\x01")
            if at % 8 == 0 and kind in (None, raw[at + 6])]


def below(store, path):
    return str(path.relative_to(store.path))


def files(store, folder):
    """Oldest first; the fullest of the segments behind the others."""
    found = sorted(path for path in (store.path / folder).iterdir() if path.is_file())
    return [below(store, path) for path in sorted(found, key=lambda path: path.stat().st_size)]


def of_workspace(store, name):
    return f"{below(store, store.workspace())}/{name}"


def whole(folder):
    return lambda store: [Place(path) for path in files(store, of_workspace(store, folder))]


def in_segments(folder, kind, choose):
    """A place in each segment of the folder that has such records."""
    def find(store):
        found = []
        for path in files(store, of_workspace(store, folder)):
            there = records(store.path / path, kind)
            if there:
                found.append(Place(path, *choose(there)))
        return found
    return find


def middle(found):
    return found[len(found) // 2]


OBJECTS = {
    "change record": in_segments("log", CHANGE, middle),
    "data record": in_segments("data", DATA, middle),
    "segment header": in_segments("log", None, lambda found: found[0]),
    "header of data": in_segments("data", None, lambda found: found[0]),
    "segment tail": in_segments("log", CHANGE, lambda found: found[-1]),
    "checkpoint": whole("ckpt"),
    "roster": lambda store: [Place(of_workspace(store, "roster"))],
    "wrap": whole("wrap"),
    "term": lambda store: [place for place in whole("term")(store) if not place.path.endswith(".beat")],
    "user": lambda store: [Place(path) for path in files(store, "user")],
    "catalog": lambda store: [Place(path) for path in files(store, "catalog")],
    "store header": lambda store: [Place("riad.json")],
}


class Cell:
    """A store to damage, at the place; older: the same store as it was, strange: another workspace's."""

    def __init__(self, store, kind, older, strange):
        find = OBJECTS[kind]
        self.kind, self.store, self.places, self.older, self.strange = kind, store, find(store), older, strange
        self.place, self.other = self.places[-1], self.places[0]
        self.strange_places = find(strange)
        self.rng = random.Random(str(self.place))


ATTACKS = {}


def attack(function):
    ATTACKS[function.__name__.replace("_", " ")] = function
    return function


@attack
def flip(cell):
    data = bytearray(cell.place.read(cell.store))
    at = cell.rng.randrange(len(data))
    data[at] ^= 1 << cell.rng.randrange(8)
    cell.place.write(cell.store, bytes(data))


@attack
def zero(cell):
    cell.place.write(cell.store, bytes(len(cell.place.read(cell.store))))


@attack
def swap_within_a_file(cell):
    """Records that follow each other, or halves of what is none."""
    path = cell.place.file(cell.store)
    if cell.place.size is None:
        data = cell.place.read(cell.store)
        half = len(data) // 2
        cell.place.write(cell.store, data[half:2 * half] + data[:half] + data[2 * half:])
        return
    there = records(path)
    number = [at for at, _ in there].index(cell.place.start)
    first, second = there[max(0, number - 1)], there[max(1, number)]
    raw = path.read_bytes()
    one, two = (raw[at:at + size] for at, size in (first, second))
    Place(cell.place.path, first[0], first[1] + second[1]).write(cell.store, two + one)


@attack
def swap_between_files(cell):
    if len(cell.places) < 2:
        pytest.skip("there is one of them")
    one, two = cell.place.read(cell.store), cell.other.read(cell.store)
    cell.place.write(cell.store, two)
    cell.other.write(cell.store, one)


@attack
def swap_between_workspaces(cell):
    cell.place.write(cell.store, cell.strange_places[-1].read(cell.strange))


@attack
def replay_an_older_copy(cell):
    older = cell.older / cell.place.path
    if not older.exists():
        cell.place.file(cell.store).unlink()  # it was not there yet
    else:
        shutil.copyfile(older, cell.place.file(cell.store))


@attack
def truncate(cell):
    os.truncate(cell.place.file(cell.store), (cell.place.start + cell.place.end(cell.store)) // 2)


@attack
def delete(cell):
    cell.place.file(cell.store).unlink()


@attack
def duplicate(cell):
    """The file under the number that would be next; a record behind itself."""
    if cell.place.size is not None:
        cell.place.write(cell.store, 2 * cell.place.read(cell.store))
        return
    path = cell.place.file(cell.store)
    try:
        name = f"{int(path.name, 16) + 1:0{len(path.name)}x}"
    except ValueError:
        name = path.name + "1"
    shutil.copyfile(path, path.with_name(name))


@attack
def extend(cell):
    with open(cell.place.file(cell.store), "ab") as file:
        file.write(cell.place.read(cell.store)[:4096])


@attack
def spoil_the_signature(cell):
    """All else is right: only who verifies it can tell."""
    if cell.kind not in SIGNED:
        pytest.skip("nobody signed it")
    data = bytearray(cell.place.read(cell.store))
    data[-1 - cell.rng.randrange(64)] ^= 1 << cell.rng.randrange(8)
    cell.place.write(cell.store, bytes(data))


@pytest.fixture(scope="module")
def older(known):
    """The store as it was before its last session, in which some files became what they are: so an end that is too early shows."""
    with_more = known.copy()
    top = with_more.mount()
    for name in LAST:
        (top / name).unlink()
    (top / "rewritten").write_bytes(OLDER["rewritten"])
    with_more.unmount()
    shutil.copytree(with_more.path, known.base / "older")
    with_more.mount()
    for name in LAST:
        (top / name).write_bytes(KNOWN[name])
    (top / "rewritten").write_bytes(KNOWN["rewritten"])
    with_more.run("quota", "set", with_more.path, "-B", "1G")
    assert with_more.control("checkpoint")["ok"]
    with_more.unmount()
    yield with_more, known.base / "older"
    with_more.remove()


@pytest.fixture(scope="module")
def strange(make_store_in_session):
    """Another one's: the same passphrase, and as many objects."""
    store = make_store_in_session()
    top = store.mount()
    (top / "dir").mkdir()
    for name, data in KNOWN.items():
        if "/sub/" not in name:
            (top / name).write_bytes(data[::-1])
    assert store.control("checkpoint")["ok"]
    store.remount()
    (top / "big").write_bytes(KNOWN["big"][::-1])
    store.unmount()
    return store


CELLS = [(kind, name, state) for kind in OBJECTS for name in ATTACKS for state in ("kept", "lost", "lost, no checkpoint")
         if kind in IN_THE_LOG or "," not in state]


def lose(store, state):
    if state != "kept":
        store.forget_state()
    if state == "lost, no checkpoint":
        for path in (store.workspace() / "ckpt").iterdir():
            path.unlink()


def test_all_is_there_in_each_state(older):
    for state in "kept", "lost", "lost, no checkpoint":
        twin = older[0].copy()
        try:
            lose(twin, state)
            verdict = Verdict(twin, state)
            assert verdict.code == DONE and not verdict.rolled_back and not verdict.unreadable, verdict
        finally:
            twin.remove()


@pytest.mark.parametrize("kind, attack_name, state", CELLS, ids=map("-".join, CELLS))
def test_cell(older, strange, kind, attack_name, state):
    newest, before = older
    twin = newest.copy()
    try:
        ATTACKS[attack_name](Cell(twin, kind, before, strange))
        lose(twin, state)
        verdict = Verdict(twin, (kind, attack_name, state))
        assert verdict.code in (DONE, *REFUSED), verdict
        assert verdict.code != DONE or attack_name != "spoil the signature", verdict
        assert not verdict.rolled_back, verdict
        if kind in IN_THE_LOG:
            assert not set(verdict.unreadable) & BULK, verdict  # the log has the contents of small files
        else:
            assert set(verdict.unreadable) <= (BULK if "data" in kind else set()), verdict
        if verdict.unreadable:
            event = twin.status()["event"]
            assert "data/" in event or "log/" in event or "(missing)" in event, event
    finally:
        twin.remove()
