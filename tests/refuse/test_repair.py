"""riad fsck --repair: what can be read stays, what is lost is told by path."""
import errno
import json
import os

import pytest

from harness import DAMAGED, DONE, OWNED
from tampering import KNOWN, OLDER, damage_changes, datas, flip, known, logs  # noqa: F401


@pytest.fixture
def twin(known):
    made = known.copy()
    yield made
    made.remove()


def fsck(store, *options, code=DONE):
    return store.run("fsck", "--json", *options, store.path, code=code)


def told(store, *options, code=DONE):
    [workspace] = json.loads(fsck(store, *options, code=code).stdout)["workspaces"]
    return workspace


def lose_checkpoints(store):
    for path in (store.workspace() / "ckpt").iterdir():
        path.unlink()


def shown(top):
    """Each file by its path: its bytes, or None where reading gives EIO."""
    found = {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            try:
                with open(path, "rb") as file:
                    found[os.path.relpath(path, top)] = file.read()
            except OSError as error:
                assert error.errno == errno.EIO
                found[os.path.relpath(path, top)] = None
    return found


def test_a_sound_store_stays_as_it_is(known):
    before = sorted(path.name for path in (known.workspace() / "term").iterdir())
    found = told(known, "--repair")
    assert found["damage"] == 0 and "repair" not in found
    assert sorted(path.name for path in (known.workspace() / "term").iterdir()) == before


def test_lost_changes_and_no_state(twin):
    lose_checkpoints(twin)
    damage_changes(logs(twin)[0], 20, 23)
    twin.forget_state()
    refused = twin.mount(code=DAMAGED)
    assert "fsck --repair" in refused.stderr
    found = told(twin, "--repair", code=DAMAGED)
    assert found["damage"] > 0 and found["after"]["damage"] == 0
    repair = found["repair"]
    assert repair["history_mended"] and repair["changes_lost"] == 3 and repair["changes_salvaged"] > 10
    top = twin.mount()
    files = shown(top)
    named = {name: data for name, data in files.items() if not name.startswith("lost+found/")}
    assert len(named) >= len(KNOWN) - 4 and len(files) - len(named) <= repair["orphans"] <= 3
    for name, data in named.items():
        if name != "deleted":
            assert data in (None, KNOWN[name], b"", OLDER.get(name)), name  # EIO, as it was, or older
    for data in files.values():
        assert data is None or not data or data.strip(b"\0")
    (top / "new").write_bytes(b"it goes on")
    twin.remount()
    assert (top / "new").read_bytes() == b"it goes on"
    twin.unmount()
    assert told(twin)["damage"] == 0


def test_with_the_state_nothing_is_lost(twin):
    """Then the index knows what the log said; and what a file's contents were is for the file alone."""
    lose_checkpoints(twin)
    damage_changes(logs(twin)[-1], 5, 9)
    found = told(twin, "--repair")
    assert found["damage"] > 0 and found["after"]["damage"] == 0
    assert found["repair"]["changes_lost"] == found["repair"]["names_lost"] == found["repair"]["orphans"] == 0
    top = twin.mount()
    assert shown(top) == KNOWN


def test_damaged_contents_are_told_by_path_and_left(twin):
    path = max(datas(twin), key=lambda path: path.stat().st_size)
    flip(path, path.stat().st_size // 2)
    found = told(twin, "--repair", code=DAMAGED)
    assert not found["repair"]["history_mended"]
    [finding] = found["after"]["findings"]
    assert finding.split(":")[0] in {f"/{name}" for name in KNOWN} and f"data/{path.name}" in finding
    top = twin.mount()
    unreadable = [f"/{name}" for name, data in shown(top).items() if data is None]
    assert unreadable == [finding.split(":")[0]]
    os.unlink(f"{top}{unreadable[0]}")
    twin.unmount()
    assert told(twin)["damage"] == 0


def test_not_while_it_is_mounted(store, mount):
    fsck(store, "--repair", code=OWNED)


def test_what_a_person_is_told(twin):
    lose_checkpoints(twin)
    damage_changes(logs(twin)[0], 20, 23)
    twin.forget_state()
    text = twin.run("fsck", "--repair", twin.path, code=DAMAGED).stdout
    assert "DAMAGED" in text and "home: repaired: " in text and "3 lost; " in text
    assert text.rstrip().splitlines()[-1].startswith("home: clean: ")
    assert "repaired" in twin.run("events", code=DONE).stdout
