"""A store with known files, what is done to it, and what it shows then."""
import errno
import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import DONE

KNOWN = {f"dir/small{number}": random.Random(number).randbytes(number * 700 + 1) for number in range(14)}
KNOWN |= {f"dir/sub/middle{number}": random.Random(100 + number).randbytes(150_000) for number in range(3)}
KNOWN |= {"big": random.Random(200).randbytes(5 << 20), "rewritten": b"the newer contents " * 500}
OLDER = {"rewritten": b"the older contents! " * 500}
BULK = {name for name, data in KNOWN.items() if len(data) > 65536}  # in data segments


@pytest.fixture(scope="module")
def known(make_store_in_session):
    """A store with known files, written in two sessions with a checkpoint in the first, not mounted."""
    store = make_store_in_session()
    top = store.mount()
    (top / "dir" / "sub").mkdir(parents=True)
    (top / "rewritten").write_bytes(OLDER["rewritten"])
    (top / "deleted").write_bytes(b"nobody may see this again" * 1000)
    names = list(KNOWN)
    for name in names[:9]:
        (top / name).write_bytes(KNOWN[name])
    assert store.control("checkpoint")["ok"]
    store.remount()
    os.unlink(top / "deleted")
    for name in names[9:]:
        (top / name).write_bytes(KNOWN[name])
    store.unmount()
    store.fsck()
    return store


def segments(store):
    found = []
    for kind in ("log", "data", "ckpt"):
        folder = store.workspace() / kind
        found += sorted(path.relative_to(store.path) for path in folder.glob("*")) if folder.exists() else []
    return found


def logs(store):
    return sorted((store.workspace() / "log").iterdir())


def datas(store):
    return sorted((store.workspace() / "data").iterdir())


def find_all(raw, needle):
    at, found = raw.find(needle), []
    while at >= 0:
        found.append(at)
        at = raw.find(needle, at + 1)
    return found


def flip(path, position, mask=1):
    path.chmod(0o600)
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ mask]))


def damage_changes(path, first, last):
    """The change records of a segment of the log from the first-th to the last-th: a header says its kind in byte 6."""
    raw = path.read_bytes()
    starts = [at for at in range(0, len(raw) - 64, 8) if raw[at:at + 4] == b"RIAR" and raw[at + 6] == 1]
    assert len(starts) > last
    for start in starts[first:last]:
        flip(path, start + 100)


class Verdict:
    """What a damaged store shows: the exit code of the mount, and names that are unreadable, missing or older than they were."""

    def __init__(self, store, what):
        self.unreadable, self.missing, self.older, self.wrong = [], [], [], []
        result = store.run("mount", store.path, store.directory, code=None)
        self.code, self.message = result.returncode, result.stderr.strip()
        assert self.code == DONE or self.message, what
        if self.code != DONE:
            return
        for name in KNOWN:
            self.look_at(name, store.directory / name)
        assert not self.wrong, f"{what}: {self.wrong} show bytes that never were theirs"

    def look_at(self, name, path):
        try:
            data = path.read_bytes()
        except OSError as error:
            assert error.errno in (errno.EIO, errno.ENOENT), f"{name}: {error}"
            (self.unreadable if error.errno == errno.EIO else self.missing).append(name)
            return
        if data != KNOWN[name]:
            # A file that was being written shows a state it was in: empty, or its former contents.
            (self.older if data in (OLDER.get(name), b"") else self.wrong).append(name)

    @property
    def rolled_back(self):
        return self.missing + self.older

    def __repr__(self):
        return f"exit {self.code} ({self.message}), unreadable {self.unreadable}, missing {self.missing}, older {self.older}"


def in_parallel(function, cases):
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(function, cases))
