"""Events of limits: the trail tells of the largest directories by number, riad events by name."""
import json
import os

from harness import BLOCK, wait_until


def events(store, *options):
    listed = json.loads(store.run("events", "--json", *options).stdout)
    return [event for event in listed["events"] if event["event"] == "limit"]


def trail(store):
    return next(store.state.rglob("events")).read_text()


def test_largest_directories_by_name(store):
    store.run("quota", "set", store.path, "-B", "100M")
    root = store.mount()
    for name, blocks in (("data/runs", 9000), ("data/raw", 5000), ("data/logs", 4000), ("data/notes", 10), ("etc", 3)):
        (root / name).mkdir(parents=True)
        with open(root / name / "file", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, blocks * BLOCK)
    with open(root / "data" / "runs" / "more", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 4000 * BLOCK)
    wait_until(lambda: events(store), what="an event")
    event = events(store)[0]
    assert "80 %" in event["text"]
    assert event["largest"] == ["data/runs", "data/raw", "data/logs"]
    numbers = [str(os.stat(root / name).st_ino) for name in event["largest"]]
    assert event["text"].endswith("inodes " + ", ".join(numbers))
    assert not any(name in trail(store) for name in ("runs", "raw", "logs"))
    shown = store.run("events").stdout
    assert "    largest: data/runs, data/raw, data/logs\n" in shown


def test_what_was_renamed_or_removed_since(store):
    store.run("quota", "set", store.path, "-B", "10M")
    root = store.mount()
    for name in ("a", "b"):
        (root / name).mkdir()
        (root / name / "file").write_bytes(bytes(1100 * BLOCK))
    wait_until(lambda: events(store), what="an event")
    (root / "a").rename(root / "x\nü")
    assert sorted(events(store)[0]["largest"]) == ["b", "x\nü"]
    assert "x?" in store.run("events").stdout
    (root / "b" / "file").unlink()
    (root / "b").rmdir()
    assert events(store)[0]["largest"] == ["x\nü"]
    store.unmount()
    assert "largest" not in events(store)[0]


def test_inodes_have_their_own(store):
    store.run("quota", "set", store.path, "-I", "100")
    root = store.mount()
    for name, files in (("many", 70), ("few", 10)):
        (root / name).mkdir()
        for i in range(files):
            (root / name / str(i)).touch()
    (root / "few" / "big").write_bytes(bytes(500 * BLOCK))
    wait_until(lambda: events(store), what="an event")
    assert events(store)[0]["largest"][0] == "many"
