"""riad quota report and show in a person's own store: columns, flags, grace, and what is remembered of what is not mounted."""
import csv
import json
import struct
import time

import pytest

from harness import BLOCK, DONE, NOT_A_STORE, USAGE, WRONG_SECRET

DAY = 86400
GRACE = 7 * DAY


@pytest.fixture
def several(make_store):
    store = make_store()
    store.run("workspace", "create", store.path, "one", "two", 'th,"ree')
    return store


def report(store, *options, code=DONE):
    return store.run("quota", "report", store.path, *options, code=code)


def rows(store, *options):
    return json.loads(report(store, "--json", *options).stdout)["workspaces"]


def by_name(store):
    return {row["workspace"]: row for row in rows(store)}


def remember(store, **usages):
    """As riad would: name=(bytes, inodes, bytes over since, inodes over since, when)."""
    identity = bytes.fromhex(json.loads((store.path / "riad.json").read_text())["store"])
    entries = sorted(identity + bytes.fromhex(by_name(store)[name]["id"]) + struct.pack("<5Q", *usage) for name, usage in usages.items())
    (store.state / "usage").write_bytes(b"RIADUSE1" + struct.pack("<I", len(entries)) + b"".join(entries))


def lines(text):
    found = text.splitlines()
    return {line.split()[0]: line for line in found[next(n for n, line in enumerate(found) if line.startswith("----")) + 1:]}


@pytest.fixture
def over(several):
    """one: over the soft limit on bytes for a day; two: over that on inodes for too long; home: under both."""
    now = int(time.time())
    for name in ("one", "two", "home"):
        several.run("quota", "set", several.path, name, "-b", "100K", "-B", "1M", "-i", "10", "-I", "20")
    remember(several, one=(200 << 10, 5, now - DAY - 60, 0, now - 60), two=(100 << 10, 11, 0, now - 8 * DAY, now - 60),
             home=(4096, 1, 0, 0, now - 60))
    return several


def test_columns_and_flags(over):
    text = report(over).stdout
    assert text.startswith(f"*** Report for workspace quotas of {over.path}\nBlock grace time: 7days; Inode grace time: 7days\n")
    assert "Block limits" in text and text.count("used") == text.count("soft") == text.count("hard") == 2
    found = lines(text)
    assert found["one"].split() == ["one", "+-", "200", "100", "1024", "5days", "5", "10", "20"]  # 6 days, less a minute
    assert found["two"].split() == ["two", "-+", "100", "100", "1024", "11", "10", "20", "none"]
    assert found["home"].split() == ["home", "--", "4", "100", "1024", "1", "10", "20"]
    assert found['th,"ree'].split() == ['th,"ree', "--", "?", "0", "0", "?", "0", "0"]
    assert list(found) == ["home", "one", 'th,"ree', "two"]
    human = lines(report(over, "-s").stdout)["one"].split()
    assert human[:5] == ["one", "+-", "200KiB", "100KiB", "1.00MiB"] and lines(report(over, "--human-readable").stdout)["one"].split() == human


def test_grace(over):
    now = int(time.time())
    for since, wanted in ((now - 60, "6days"), (now + 100, "7days"), (0, "7days"), (now - GRACE + 7250, "02:00"), (now - GRACE - 1, "none"),
                          (now - 5 * DAY + 100, "2days"), (1 << 62, "7days"), (1, "none")):
        remember(over, one=(200 << 10, 5, since, 0, now))
        assert lines(report(over).stdout)["one"].split()[5] == wanted, (since, wanted)
    over.run("quota", "set", over.path, "one", "-t", "30d,1d")
    remember(over, one=(200 << 10, 15, now - DAY - 10, now - DAY - 10, now))
    row = by_name(over)["one"]
    assert row["over"] and 28 * DAY < row["bytes_grace_left"] < 29 * DAY and row["inodes_grace_left"] == 0
    over.run("quota", "set", over.path, "--default", "-t", "2d,12h")
    assert "Block grace time: 2days; Inode grace time: 12:00\n" in report(over).stdout


def test_json(over):
    told = json.loads(report(over, "--json").stdout)
    assert told["store"] == str(over.path) and told["bytes_grace_seconds"] == told["inodes_grace_seconds"] == GRACE
    found = {row["workspace"]: row for row in told["workspaces"]}
    assert found["one"]["bytes_used"] == 200 << 10 and found["one"]["share"] == 2.0 and found["one"]["over"]
    assert found["one"]["soft"]["bytes_limit"] == 100 << 10 and found["one"]["inodes_grace_left"] is None
    assert found["two"]["inodes_grace_left"] == 0 and found["two"]["bytes_grace_left"] is None
    assert not found["home"]["over"] and not found["home"]["open"] and found["home"]["as_of"] < time.time()
    unknown = found['th,"ree']
    assert unknown["as_of"] is unknown["bytes_used"] is unknown["inodes_used"] is unknown["share"] is None and not unknown["over"]


def test_csv(over):
    found = {row["Workspace"]: row for row in csv.DictReader(report(over, "--csv").stdout.splitlines())}
    assert list(found) == ["home", "one", 'th,"ree', "two"] and all(None not in row and None not in row.values() for row in found.values())
    one = found["one"]
    assert (one["BlockStatus"], one["FileStatus"], one["BlockUsed"], one["BlockHardLimit"], one["FileGrace"]) == ("soft", "ok", "200", "1024", "")
    assert 5 * DAY < int(one["BlockGrace"]) <= 6 * DAY and found["two"]["FileGrace"] == "0"
    assert found['th,"ree']["BlockStatus"] == "unknown" and found['th,"ree']["BlockUsed"] == ""
    remember(over, one=(1 << 20, 1, 0, 0, 1))
    assert next(row for row in csv.DictReader(report(over, "--csv").stdout.splitlines()) if row["Workspace"] == "one")["BlockStatus"] == "hard"


def test_which_and_in_which_order(over):
    assert list(lines(report(over, "--over").stdout)) == ["one", "two"]
    assert [row["workspace"] for row in rows(over, "--sort", "used")] == ["one", "two", "home", 'th,"ree']
    assert [row["workspace"] for row in rows(over, "--sort", "share")] == ["one", "two", "home", 'th,"ree']
    assert [row["workspace"] for row in rows(over, "--sort", "name", "--workspace")] == ["home", "one", 'th,"ree', "two"]
    assert [row["workspace"] for row in rows(over, "--over", "--sort", "share")] == ["one", "two"]


def test_wrong_use(several):
    for wrong in (["--sort", "size"], ["--json", "--csv"], ["another"], ["--from-file", "-"], ["--workspace=one"], ["--user", "ann"]):
        report(several, *wrong, code=USAGE)
    several.run("quota", "report", several.base, code=NOT_A_STORE)
    other = several.write_secret("other", "not the passphrase")
    report(several, "--passphrase-file", other, code=WRONG_SECRET)
    several.run("quota", "show", "a", "b", code=USAGE)


def test_what_is_mounted_and_what_was(several):
    assert json.loads(several.run("quota", "report", "--json").stdout)["workspaces"] == []
    mount = several.mount()
    (mount / "file").write_bytes(b"x" * 5 * BLOCK)
    row, = json.loads(several.run("quota", "report", "--json").stdout)["workspaces"]  # without a secret: what is mounted
    assert (row["workspace"], row["bytes_used"], row["inodes_used"], row["open"]) == ("home", 6 * BLOCK, 2, True)
    assert by_name(several)["home"]["open"] and by_name(several)["one"]["as_of"] is None
    several.unmount()
    row = by_name(several)["home"]
    assert (row["bytes_used"], row["inodes_used"], row["open"]) == (6 * BLOCK, 2, False) and abs(row["as_of"] - time.time()) < 60
    assert not [path for path in several.path.rglob("*") if path.name == "usage"]  # P8
    (several.state / "usage").write_bytes(b"what is this")
    told = report(several, "--json")
    assert "usage: is damaged" in told.stderr and json.loads(told.stdout)["workspaces"][0]["as_of"] is None


def test_plain_words(over):
    def words(name):
        return over.run("quota", "show", over.path, "-w", name).stdout
    assert "over the soft limit of 100 KiB: 5 days left" in words("one") and "50 % left to the soft limit of 10" in words("one")
    assert "over the soft limit of 10, and its grace is over: nothing grows until 1 less is used" in words("two")
    assert "96 % left to the soft limit" in words("home") and "as it was when it was open here last" in words("home")
    assert "not known: it was never open on this machine" in words('th,"ree')
    remember(over, one=(1 << 20, 21, 1, 1, 1))
    assert "at the limit: nothing grows until something is deleted" in words("one") and "over the limit: nothing" in words("one")
    mount = over.mount()
    assert "at" not in words("home").split("\n")[0] and "98 % left" not in words("home")
    shown = json.loads(over.run("quota", "show", "--json", cwd=mount).stdout)
    assert shown["workspace"] == "home" and shown["open"] and shown["bytes_grace_left"] is None and shown["share"] == 0.1
