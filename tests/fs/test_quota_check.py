"""`riad quota check`: what limits are about, counted anew in a mounted workspace."""
import json
import os
import sqlite3
import threading
import time

from harness import BLOCK, DAMAGED, DONE, NOT_MOUNTED


def tamper(store, *statements):
    """What is kept is wrong, as if riad had miscounted."""
    store.unmount()
    path = next((store.state).rglob("index.db"))
    with sqlite3.connect(path) as database:
        for statement in statements:
            database.execute(statement)
    database.close()
    store.mount()


def check(store, *options, code=DONE):
    return json.loads(store.run("quota", "check", "--json", *options, store.directory, code=code).stdout)


def populate(root):
    for i in range(20):
        (root / f"file-{i}").write_bytes(bytes(BLOCK * i))
    (root / "folder").mkdir()
    os.setxattr(root / "file-3", "user.name", b"x" * 5000)


def test_all_is_counted_right(store):
    root = store.mount()
    populate(root)
    assert check(store) == {"directory": str(root), "miscounts": 0, "repaired": False, "found": []}
    assert "all is counted right" in store.run("quota", "check", root).stdout
    store.run("quota", "check", store.base, code=NOT_MOUNTED)


def test_wrong_sums_are_found_and_mended(store):
    root = store.mount()
    populate(root)
    right = store.usage()
    tamper(store, "UPDATE meta SET blocks = blocks + 7, inodes = inodes - 2", "UPDATE owner SET blocks = blocks + 3 WHERE subject = 2",
           "DELETE FROM owner WHERE subject = 3")
    assert store.usage() == (right[0] + 7, right[1] - 2)
    found = check(store, code=DAMAGED)
    assert found["miscounts"] == 3 and sorted(item["kind"] for item in found["found"]) == ["group", "user", "workspace"]
    assert {item["bytes_kept"] - item["bytes_counted"] for item in found["found"]} == {7 * BLOCK, 3 * BLOCK, -right[0] * BLOCK}
    text = store.run("quota", "check", root, code=DAMAGED).stdout
    assert "--repair mends it" in text and "workspace: kept as" in text
    assert check(store, "--repair")["repaired"]
    assert check(store)["miscounts"] == 0 and store.usage() == right
    store.unmount()
    store.fsck()


def test_a_wrong_charge_is_mended_by_a_change(store):
    """So it stays mended when the index is lost."""
    root = store.mount()
    populate(root)
    right = store.usage()
    inode = os.stat(root / "file-5").st_ino
    tamper(store, f"UPDATE inode SET blocks = 100 WHERE inode = {inode}")
    found = check(store, code=DAMAGED)["found"]
    assert [(item["kind"], item["id"]) for item in found if item["kind"] == "inode"] == [("inode", inode)]
    check(store, "--repair")
    assert check(store)["miscounts"] == 0 and store.usage() == right
    assert os.stat(root / "file-5").st_blocks * 512 == 5 * BLOCK
    store.unmount()
    store.forget_state()
    store.mount()
    assert check(store)["miscounts"] == 0 and store.usage() == right


def test_who_writes_goes_on_and_is_counted(store):
    root = store.mount()
    populate(root)
    tamper(store, "UPDATE meta SET blocks = blocks + 7", "UPDATE owner SET inodes = inodes + 5")
    going, done = True, 0

    def write():
        nonlocal done
        while going:
            (root / f"new-{done % 50}").write_bytes(bytes(BLOCK * (done % 9)))
            done += 1
    writer = threading.Thread(target=write)
    writer.start()
    try:
        checks, end = 0, time.monotonic() + 60
        while (checks < 5 or done <= 50) and time.monotonic() < end:
            check(store, "--repair", code=None)
            checks += 1
    finally:
        going = False
        writer.join()
    assert done > 50 and check(store)["miscounts"] == 0
    entries = [root, *root.rglob("*")]
    assert store.usage() == (sum(os.lstat(path).st_blocks for path in entries) * 512 // BLOCK, len(entries))
