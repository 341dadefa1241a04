"""Promise P5: whatever is done to the store, a file shows its own bytes or an error; never other ones."""
import os
import random
import shutil

import pytest

from harness import DAMAGED, DONE, NOT_A_STORE, OWNED, TOO_NEW, WRONG_SECRET
from tampering import BULK, KNOWN, Verdict, datas, find_all, flip, in_parallel, known, logs, segments  # noqa: F401

SEED = 20240


def positions(store, count):
    """Spread over all segments, each with its first and last byte, the others at random by their size."""
    rng = random.Random(SEED)
    files = [(path, (store.path / path).stat().st_size) for path in segments(store)]
    chosen = [(path, position) for path, size in files for position in (0, size - 1)]
    while len(chosen) < count:
        path, size = rng.choices(files, [1 + size ** 0.5 for _, size in files])[0]
        chosen.append((path, rng.randrange(size)))
    return chosen


def flipped(known, path, position, forget=False):
    twin = known.copy()
    try:
        flip(twin.path / path, position, 1 << position % 8)
        if forget:
            twin.forget_state()
        return Verdict(twin, (path, position))
    finally:
        twin.remove()


def test_one_byte_flipped_in_any_segment(known):
    print(f"seed {SEED}, segments {segments(known)}")
    cases = positions(known, 40)
    verdicts = in_parallel(lambda case: flipped(known, *case), cases)
    for case, verdict in zip(cases, verdicts):
        assert verdict.code in (DONE, DAMAGED), (case, verdict)
        assert not verdict.rolled_back, (case, verdict)
        assert len(verdict.unreadable) <= 1, (case, verdict)
    unreadable = [verdict.unreadable for verdict in verdicts if verdict.unreadable]
    assert len(unreadable) >= 5 and ["big"] in unreadable, "hardly a flip hit a file: this test shows nothing"


def test_one_byte_flipped_and_the_local_state_lost(known):
    """Rebuilding needs the change records: damage in one stops the mount, damage in contents gives EIO."""
    print(f"seed {SEED}")
    cases = positions(known, 30)
    verdicts = in_parallel(lambda case: flipped(known, *case, forget=True), cases)
    bad = []
    for (path, position), verdict in zip(cases, verdicts):
        # The heartbeat of the orderly unmount names the last change (L4): nothing of it can be cut off unseen.
        if verdict.code not in (DONE, DAMAGED) or len(verdict.unreadable) > 1 or verdict.rolled_back:
            bad.append(f"{path} at {position}: {verdict}")
    assert not bad, "\n".join(bad)
    assert {verdict.code for verdict in verdicts} == {DONE, DAMAGED}


def test_small_files_of_the_store(known):
    """Description, user, catalog, roster, wrap and terms: refused, or right."""
    rng = random.Random(SEED)
    files = [path.relative_to(known.path) for path in known.path.rglob("*") if path.is_file()]
    files = [path for path in sorted(files) if not {"log", "data", "ckpt"} & set(path.parts)]
    assert {"riad.json"} < {path.name for path in files} and len(files) >= 6
    cases = [(path, rng.randrange((known.path / path).stat().st_size)) for path in files for _ in range(3)]
    for (path, position), verdict in zip(cases, in_parallel(lambda case: flipped(known, *case), cases)):
        assert verdict.code in (DONE, DAMAGED, NOT_A_STORE, TOO_NEW, WRONG_SECRET, OWNED), (path, position, verdict)
        assert not verdict.unreadable and not verdict.rolled_back, (path, position, verdict)
        assert verdict.code != DONE or path.suffix == ".beat" or "term" in path.parts, f"{path} at {position}: unnoticed"


def alter(name):
    def register(function):
        ALTERATIONS.append(pytest.param(function, id=name))
        return function
    return register


ALTERATIONS = []


@alter("last-log-cut-in-half")
def cut_log(store):
    os.truncate(logs(store)[-1], logs(store)[-1].stat().st_size // 2)


@alter("last-log-emptied")
def empty_log(store):
    os.truncate(logs(store)[-1], 0)


@alter("first-log-missing")
def remove_first_log(store):
    logs(store)[0].unlink()


@alter("last-log-missing")
def remove_last_log(store):
    logs(store)[-1].unlink()


@alter("all-logs-missing")
def remove_all_logs(store):
    for path in logs(store):
        path.unlink()


@alter("data-missing")
def remove_data(store):
    for path in datas(store):
        path.unlink()


@alter("data-cut")
def cut_data(store):
    for path in datas(store):
        os.truncate(path, path.stat().st_size // 2)


@alter("log-zeroed-in-the-middle")
def zero_log(store):
    with open(logs(store)[0], "r+b") as file:
        file.seek(4096)
        file.write(bytes(4096))


@alter("logs-swapped")
def swap_logs(store):
    first, last = logs(store)[0], logs(store)[-1]
    data = first.read_bytes()
    first.write_bytes(last.read_bytes())
    last.write_bytes(data)


@alter("records-swapped")
def swap_records(store):
    """Two data records of the same size change places: both are authentic, neither is where it belongs."""
    path = datas(store)[-1]
    raw = bytearray(path.read_bytes())
    at = [position for position in find_all(raw, b"RIAR") if raw[position + 6] == 2]
    size = at[2] - at[1]
    assert at[3] - at[2] == size and raw[at[1]:at[2]] != raw[at[2]:at[3]]
    raw[at[1]:at[2]], raw[at[2]:at[3]] = raw[at[2]:at[3]], raw[at[1]:at[2]]
    path.write_bytes(raw)


@alter("terms-missing")
def remove_terms(store):
    for path in (store.workspace() / "term").iterdir():
        path.unlink()


@alter("roster-missing")
def remove_roster(store):
    (store.workspace() / "roster").unlink()


@alter("catalog-missing")
def remove_catalog(store):
    for path in (store.path / "catalog").iterdir():
        path.unlink()


@alter("user-missing")
def remove_user(store):
    for path in (store.path / "user").iterdir():
        path.unlink()


@pytest.mark.parametrize("change", ALTERATIONS)
@pytest.mark.parametrize("state", ["kept", "lost"])
def test_structure(known, change, state, request):
    twin = known.copy()
    try:
        change(twin)
        if state == "lost":
            twin.forget_state()
        verdict = Verdict(twin, request.node.name)
    finally:
        twin.remove()
    if change in (remove_data, cut_data, swap_records):
        assert verdict.code == DONE and not verdict.rolled_back, verdict
        assert verdict.unreadable and set(verdict.unreadable) <= BULK, verdict
        return
    assert not verdict.rolled_back, verdict
    refused = (DAMAGED, NOT_A_STORE)
    assert verdict.code in (DONE, *refused), verdict


@pytest.mark.parametrize("what", ["everything", "workspace", "catalog"])
def test_older_store_is_refused_by_a_node_that_saw_a_newer_one(store, mount, what):
    (mount / "file").write_bytes(b"old")
    store.unmount()
    shutil.copytree(store.path, store.base / "old")
    store.run("quota", "set", store.path, "-B", "1G")
    store.mount()
    (mount / "file").write_bytes(b"new")
    store.unmount()
    part = {"everything": "", "workspace": "ws", "catalog": "catalog"}[what]
    shutil.rmtree(store.path / part)
    shutil.copytree(store.base / "old" / part, store.path / part)
    result = store.mount(code=DAMAGED)
    assert "rolled back" in result.stderr or "was synced" in result.stderr


def test_garbage_behind_the_end_of_the_log_is_no_part_of_it(known):
    twin = known.copy()
    try:
        with open(logs(twin)[-1], "ab") as file:
            file.write(b"RIAR" + os.urandom(3000))
        verdict = Verdict(twin, "garbage")
        assert verdict.code == DONE and not verdict.unreadable and not verdict.rolled_back, verdict
    finally:
        twin.remove()


def test_damage_is_told_by_fsck_and_status(known):
    twin = known.copy()
    try:
        path = datas(twin)[-1]
        flip(path, path.stat().st_size // 2)
        result = twin.fsck(code=DAMAGED)
        assert path.name in result.stdout, "fsck names the file of the store"
        twin.mount()
        with pytest.raises(OSError):
            (twin.directory / "big").read_bytes()
        assert twin.status()["event"], "damage raises an event"
        for name, data in KNOWN.items():
            if name != "big":
                assert (twin.directory / name).read_bytes() == data
        (twin.directory / "big").unlink()
        (twin.directory / "new").write_text("life goes on", encoding="utf-8")
        twin.unmount()
        twin.fsck()
    finally:
        twin.remove()


def test_damage_of_the_index_is_no_loss(known):
    """The local index is only a copy: broken, cut or foreign, it is made anew, or the mount says so."""
    for number, text in enumerate((b"", b"no database", os.urandom(8192), None)):
        twin = known.copy()
        try:
            index = next((twin.state / "ws").rglob("index.db"))
            if text is None:
                raw = bytearray(index.read_bytes())
                raw[len(raw) // 2:len(raw) // 2 + 2000] = os.urandom(2000)
                text = bytes(raw)
            index.write_bytes(text)
            verdict = Verdict(twin, f"index {number}")
            assert verdict.code in (DONE, DAMAGED) and not verdict.rolled_back, (number, verdict)
            assert number == 3 or not verdict.unreadable, (number, verdict)
        finally:
            twin.remove()
