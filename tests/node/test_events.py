"""The trail: what was done to a store is there, what an admin of the storage tries is named, and what was changed shows."""
import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from harness import DAMAGED, DONE, NOT_A_STORE, USAGE, WRONG_SECRET


def trail(store, *options, code=DONE):
    return json.loads(store.run("events", "--json", *options, code=code).stdout)


def kinds(store, *options):
    return [event["event"] for event in trail(store, *options)["events"]]


def test_what_was_done_is_there(store):
    before = len(trail(store)["events"])
    wrong = store.write_secret("wrong", "guess")
    store.run("workspace", "create", store.path, "project")
    store.run("workspace", "list", store.path, passphrase_file=wrong, code=WRONG_SECRET)
    store.run("quota", "set", store.path, "-B", "1G", "-I", "5k")
    new = store.write_secret("new", "another passphrase")
    store.run("passwd", store.path, "--new-passphrase-file", new)
    shutil.copy(new, store.passphrase_file)
    store.run("recovery", store.path, "--json")
    store.mount("-w", "project")
    (store.directory / "file").write_bytes(b"x")
    store.unmount()
    store.fsck("-w", "project")
    store.run("workspace", "delete", store.path, "project", "--confirm", "project")
    told = trail(store)
    events = [event for event in told["events"][before:]]
    assert [event["event"] for event in events if event["event"] != "unlocked"] == [
        "workspace-created", "unlock-failed", "limit-set", "key-changed", "key-changed", "mounted", "unmounted", "checked",
        "workspace-deleted"]
    assert sum(event["event"] == "unlocked" for event in events) == 7
    assert told["intact"] and told["head"]["number"] == before + 16 and told["head"]["hash"] == events[-1]["hash"]
    assert all(event["follows"] for event in told["events"])
    assert [event["number"] for event in told["events"]] == list(range(1, before + 17))
    by_kind = {event["event"]: event for event in events}
    assert by_kind["limit-set"]["text"] == "bytes: 1.00 GiB, inodes: 5000"
    assert by_kind["mounted"]["workspace"] == by_kind["workspace-deleted"]["workspace"] != by_kind["limit-set"]["workspace"]
    assert len({event["store"] for event in events}) == 1
    table = store.run("events").stdout
    assert "wrong passphrase for the store" in table and told["head"]["hash"] in table and len(table.splitlines()) == before + 18


def test_the_first_event_is_the_making(store):
    first = trail(store)["events"][0]
    assert first["event"] == "store-created" and first["number"] == 1 and first["previous"] == "0" * 64


@pytest.mark.root
def test_the_system_log_hears_it(store):
    """With the head: what is cut from the trail is known there. In a mount namespace with a log of its own."""
    log = store.base / "log"
    made = not os.path.lexists("/dev/log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(log))
        listener.settimeout(10)
        if made:
            Path("/dev/log").touch()
        try:
            store.run("workspace", "create", store.path, "project", prefix=[
                "unshare", "--mount", "--propagation", "private", "sh", "-c", f'mount --bind {log} /dev/log && exec "$@"', "sh"])
            heard = [listener.recv(4096).decode() for _ in range(2)]
        finally:
            if made:
                os.unlink("/dev/log")
    told = trail(store)["events"][-2:]
    for line, event in zip(heard, told):
        assert f"riad event {event['number']} {event['event']}: {event['text']} uid=0 store={event['store']}" in line
        assert line.rstrip("\0\n").endswith(f"head={event['hash']}") and "project" not in line.replace("a project", "")
    assert f"workspace={told[1]['workspace']}" in heard[1]
    store.run("workspace", "list", store.path)  # where there is no log, that is no error


def test_it_tells_no_names(store, mount):
    """Names are secret at rest, also in the local state (index.db has them sealed)."""
    store.run("workspace", "create", store.path, "clandestine")
    other = store.make_directory(store.base / "elsewhere")
    store.mount("-w", "clandestine", directory=other)
    (other / "hush-hush").write_bytes(b"x")
    store.unmount(other)
    raw = (store.state / "events").read_bytes()
    for secret in (b"clandestine", b"hush-hush", b"elsewhere"):
        assert secret not in raw
    assert (store.state / "events").stat().st_mode & 0o777 == 0o600


def test_which_events(store, make_store):
    """By store and by time; two stores of one state share a trail."""
    other = make_store()
    twin = store.base / "twin"
    store.run("init", twin, "--json")
    assert kinds(store, store.path) == ["store-created"] and kinds(store, twin) == ["store-created"]
    assert kinds(store) == ["store-created", "store-created"]
    assert kinds(store, "--since", "1h") == kinds(store) and kinds(store, "--since", "1999-12-31") == kinds(store)
    assert set(kinds(store, "--since", "0s")) <= {"store-created"} and kinds(store, "--since", "2099-01-01 12:30Z") == []
    assert trail(store, "--since", "2099-01-01T00:00:00Z")["head"]["number"] == 2
    for wrong in ("yesterday", "5", "-3d", "1y", "2026-13-01", "", "2026-11-27 09:30 or so"):
        store.run("events", "--since", wrong, code=USAGE)
    store.run("events", store.base, code=NOT_A_STORE)
    assert kinds(store, other.path) == []


def test_what_was_changed_shows(store):
    for _ in range(3):
        store.run("workspace", "list", store.path)
    path = store.state / "events"
    lines = path.read_text(encoding="ascii").splitlines(keepends=True)
    head = trail(store)["head"]["hash"]
    for number, changed in enumerate((
            lines[:1] + lines[2:], lines[1:], [lines[0], lines[2], lines[1], lines[3]],
            [lines[0].replace("store-created", "store-created.")] + lines[1:], lines[:2] + ["{}\n"] + lines[2:])):
        path.write_text("".join(changed), encoding="ascii")
        told = trail(store, code=DAMAGED)
        assert not told["intact"], number
        assert "chain is broken here" in store.run("events", code=DAMAGED).stdout
    # That the end was cut shows to who kept the head; so does a trail begun anew.
    path.write_text("".join(lines[:-1]), encoding="ascii")
    assert trail(store)["intact"]
    assert not [event for event in trail(store, "--head", head, code=DAMAGED)["events"] if event["hash"] == head]
    path.unlink()
    store.run("events", "--head", head, code=DAMAGED)
    path.write_text("".join(lines), encoding="ascii")
    store.run("workspace", "list", store.path)
    assert trail(store, "--head", head)["head"]["number"] == 5


def test_a_reader_of_the_trail_is_not_fooled(store):
    """What somebody put into the file does not reach the terminal as it is."""
    with open(store.state / "events", "ab") as file:
        file.write(json.dumps({"number": 2, "time": "x", "event": "\x1b[2J", "text": "\x1b]0;title\x07", "previous": "0" * 64}).encode() + b"\n")
        file.write(b"\x00\xff\n" + b"x" * 10000 + b"\n")
    shown = store.run("events", code=DAMAGED).stdout
    assert "\x1b" not in shown and "\x07" not in shown and "]0;title" in shown


# --- what the admin of the storage tries ---
def last(store):
    return trail(store)["events"][-1]


def alter(path):
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def user_file(store):
    return next((store.path / "user").iterdir())


def test_a_foreign_user_file_is_named(store, make_store):
    """Public keys swapped: another person's file in this one's place."""
    other = make_store()
    shutil.copy(user_file(other), user_file(store))
    store.mount(code=DAMAGED)
    assert last(store)["event"] == "refused" and "user file" in last(store)["text"]


def test_a_forged_limit_is_named(store):
    store.run("quota", "set", store.path, "-B", "1G")
    alter(sorted((store.path / "catalog").iterdir())[-1])
    store.mount(code=DAMAGED)
    assert last(store)["event"] == "refused" and "catalog" in last(store)["text"]


@pytest.mark.parametrize("what", ["limit", "workspace", "deletion"])
def test_an_older_catalog_is_named(store, what):
    """At once: the node that made the change has marked it."""
    store.run("workspace", "create", store.path, "project")
    shutil.copytree(store.path, store.base / "old")
    if what == "limit":
        store.run("quota", "set", store.path, "-B", "1G")
    elif what == "workspace":
        store.run("workspace", "create", store.path, "other")
    else:
        store.run("workspace", "delete", store.path, "project", "--confirm", "project")
    shutil.rmtree(store.path / "catalog")
    shutil.copytree(store.base / "old" / "catalog", store.path / "catalog")
    store.mount(code=DAMAGED)
    assert last(store)["event"] == "refused" and "rolled back" in last(store)["text"]


@pytest.mark.parametrize("what", ["roster", "wrap"])
def test_a_forged_roster_or_wrap_is_named(store, what):
    path = store.workspace() / what
    alter(next(path.iterdir()) if path.is_dir() else path)
    store.mount(code=DAMAGED)
    assert last(store)["event"] == "mount-failed" and "tampered" in last(store)["text"]


def test_damage_is_named_once(store, mount):
    (mount / "big").write_bytes(bytes(range(256)) * 8192)
    store.unmount()
    data = sorted((store.workspace() / "data").iterdir())[-1]
    alter(data)
    store.mount()
    for _ in range(100):
        with pytest.raises(OSError):
            (mount / "big").read_bytes()
    store.unmount()
    problems = [event for event in trail(store)["events"] if event["event"] == "problem"]
    assert 1 <= len(problems) <= 60 and data.name in problems[0]["text"] and "damaged or forged" in problems[0]["text"]
    assert problems[0]["workspace"] == store.workspace().name
    assert trail(store)["intact"]


def test_a_trail_that_cannot_be_written_stops_nobody(store, mount):
    """Here: no file. What was not recorded is said."""
    store.unmount()
    (store.state / "events").unlink()
    (store.state / "events").mkdir()
    store.mount()
    (mount / "file").write_bytes(b"x")
    store.unmount()
    assert "cannot be recorded" in store.run("workspace", "list", store.path).stderr
    store.run("events", code=1)
