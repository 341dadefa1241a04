"""riad quota at a site: what admins set, what new homes and projects get, and who sees what."""
import csv
import json
import re
import signal
import socket
import time

import pytest

from crowd import enrol_crowd

from harness import BLOCK, DONE, FAILED, NOT_PERMITTED, USAGE, wait_until
from projects import acme, alice, bob, carol, daemon, dave, shared  # noqa: F401
from sites import Person, control

pytestmark = pytest.mark.root
ACCOUNTS = 4
MIB = 1 << 20


def figures(row):
    soft = row["soft"]
    return soft["bytes_limit"], row["bytes_limit"], soft["inodes_limit"], row["inodes_limit"], soft["bytes_grace_seconds"]


def limits(site):
    return {row["workspace"]: figures(row) for row in site.first.json("quota", "report")["workspaces"]}


def set_quota(site, *arguments, code=DONE, **more):
    return site.first.run("quota", "set", *arguments, code=code, **more)


def count_batches(site):
    return len(list((site.store / "catalog").iterdir()))


def test_several_at_once(site, acme, alice, bob):
    before, events = count_batches(site), len(site.first.events())
    set_quota(site, alice.account.name, "acme", "-w", bob.account.name, "-b", "20M", "-B", "30M", "-i", "100", "-t", "1d")
    assert count_batches(site) == before + 1
    assert [event["event"] for event in site.first.events()[events:]] == ["limit-set"] * 3
    assert set(limits(site).values()) >= {(20 * MIB, 30 * MIB, 100, 0, 86400), (20 * MIB, 30 * MIB, 100, 2000, 86400)}
    refused = set_quota(site, alice.account.name, "nobody-such", "-B", "40M", code=FAILED)
    assert "no workspace `nobody-such`" in refused.stderr
    above = set_quota(site, bob.account.name, alice.account.name, "-B", "10M", code=USAGE)
    assert "above the hard one" in above.stderr and count_batches(site) == before + 1
    identity = {row["workspace"]: row["id"] for row in site.first.json("quota", "report")["workspaces"]}["acme"]
    set_quota(site, identity, "-B", "33M")
    assert limits(site)["acme"][1] == 33 * MIB


def test_only_admins_set(site, alice, bob):
    for arguments in ([alice.account.name, "-B", "1G"], ["-w", alice.account.name, "-b", "1G"], ["--default", "-B", "1G"]):
        assert "only admins" in alice.run("quota", "set", *arguments, code=NOT_PERMITTED).stderr
    assert control(alice, "set-limits", limits=[{"workspace": bob.account.name, "bytes_limit": 1}])["exit"] == NOT_PERMITTED
    assert control(alice, "set-limits", limits=[], check=True)["exit"] == NOT_PERMITTED


def test_what_new_ones_get(site, daemon, alice, accounts):
    """The policy wins where it says something: here, of projects that users make."""
    set_quota(site, "--default", "-b", "60M", "-B", "70M", "-i", "3k", "-t", "2d")
    alice.signed("workspace", "create", "hers")
    site.first.run("workspace", "create", "reserved", "--manager", alice.account.name)
    site.first.run("workspace", "create", "named", "--manager", alice.account.name, "-B", "9M", "-I", "none")
    got = limits(site)
    assert got[alice.account.name] == (0, 0, 0, 0, 0)
    assert got["hers"] == (40 * MIB, 40 * MIB, 2000, 2000, 2 * 86400)
    assert got["reserved"] == (60 * MIB, 70 * MIB, 3000, 0, 2 * 86400)
    assert got["named"] == (9 * MIB, 9 * MIB, 3000, 0, 2 * 86400)
    assert "would be above" in set_quota(site, "--default", "-B", "1M", code=USAGE).stderr
    text = site.first.config.read_text()
    site.first.config.write_text(text + "home-bytes = 50M\n")
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "took over" in daemon.log.read_text(), 10, "the policy")
    newcomer = Person(daemon, accounts[1], "a newcomer's passphrase")
    newcomer.enroll()
    assert limits(site)[newcomer.account.name] == (50 * MIB, 50 * MIB, 3000, 0, 2 * 86400)


def test_from_file(site, acme, alice, bob):
    path = site.base / "limits"
    path.write_text(f"# all\n{alice.account.name} 1M 2M - 50\nacme - 3M - -\n", encoding="utf-8")
    assert "of 2 workspaces" in set_quota(site, "--from-file", path, "-t", "3d").stdout
    assert limits(site)[alice.account.name] == (MIB, 2 * MIB, 0, 50, 3 * 86400) and limits(site)["acme"][1] == 3 * MIB
    before = limits(site)
    for line, sentence in (("nobody-such 1M 2M - -", "the site has no workspace `nobody-such`"),
                           ("acme 4M - - -", "`acme`: the soft limit would be above the hard one"), ("acme 1M", "a line is: NAME")):
        path.write_text(f"{bob.account.name} - 9M - -\n{line}\n", encoding="utf-8")
        refused = set_quota(site, "--from-file", path, code=None)
        assert refused.returncode in (FAILED, USAGE) and f"{path}: line 2: {sentence}" in refused.stderr
        assert limits(site) == before
    alice.run("quota", "set", "--from-file", "/dev/null")


def test_hostile_requests(site, daemon, alice):
    for wrong in ({"bytes_limit": -1}, {"bytes_limit": "1"}, {"soft": 1}, {"soft": {"inodes_limit": 1.5}},
                  {"soft": {"bytes_grace_seconds": 1 << 32}}, {"workspace": 5}, {"workspace": None}):
        request = {"version": 1, "op": "set-limits", "limits": [{"workspace": alice.account.name, **wrong}]}
        answer = ask(daemon, request)
        assert not answer["ok"] and answer["exit"] == USAGE and answer["number"] == 0
        assert not ask(daemon, {**request, "op": "set-limit", **wrong, "limits": None})["ok"]
    assert not ask(daemon, {**request, "limits": [[], "", 7]})["ok"]
    assert ask(daemon, {**request, "limits": []})["ok"]
    for other in ({}, 7, "one"):
        assert ask(daemon, {**request, "limits": other})["exit"] == USAGE
    assert limits(site)[alice.account.name] == (0, 0, 0, 0, 0)


def ask(daemon, request):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(daemon.node.directory / "run/control"))
        client.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(client.makefile().readline())


def table(text):
    """The lines of a report: name, flags, figures."""
    lines = text.splitlines()
    ruler = next(number for number, line in enumerate(lines) if line.startswith("-----"))
    return {line.split()[0]: line.split()[1:] for line in lines[ruler + 1:]}


def test_who_sees_what(site, daemon, shared, alice, bob, carol, dave):
    """acme is alice's, bob's and carol's."""
    everything = {person.account.name for person in (alice, bob, carol, dave)} | {"acme"}
    assert set(table(site.first.run("quota", "report").stdout)) == everything
    for person, hers in ((alice, {"acme"}), (carol, {"acme"}), (dave, set())):
        hers = hers | {person.account.name}
        for command in (["quota", "report"], ["quota", "show"]):
            rows = person.json(*command)["workspaces"]
            assert {row["workspace"] for row in rows} == hers and all(row["bytes_used"] > 0 for row in rows)
        assert set(table(person.run("quota", "report").stdout)) == hers
        assert {row["workspace"] for row in control(person, "quota")["workspaces"]} == hers
        assert {row["workspace"] for row in control(person, "quota", mine=False)["workspaces"]} == hers
    assert site.first.json("quota", "show")["workspaces"] == []  # root is no user
    one = alice.json("quota", "show", alice.home)
    assert one["bytes_used"] == alice.json("quota", "show", cwd=alice.home)["bytes_used"] > 0


def test_what_is_nearest_to_its_limit_comes_first(site, acme, alice):
    set_quota(site, "acme", "-B", "1G")
    set_quota(site, alice.account.name, "-b", "1M", "-B", "10M")
    assert [row["workspace"] for row in alice.json("quota", "show")["workspaces"]] == [alice.account.name, "acme"]
    alice.shell(f"head -c 600M /dev/zero > {acme}/big; head -c 100K /dev/zero > {alice.home}/small")
    assert [row["workspace"] for row in alice.json("quota", "show")["workspaces"]] == ["acme", alice.account.name]
    text = alice.run("quota", "show").stdout
    assert "41 % left" in text and "% left to the soft limit of 1.00 MiB" in text
    alice.shell(f"head -c 2M /dev/zero > {alice.home}/more")
    assert [row["workspace"] for row in alice.json("quota", "show")["workspaces"]] == [alice.account.name, "acme"]
    assert re.search("over the soft limit of 1.00 MiB: [67] days left", alice.run("quota", "show").stdout)
    assert table(site.first.run("quota", "report", "--over").stdout)[alice.account.name][0] == "+-"


def test_usage_is_remembered(site, daemon, alice, bob):
    """In riadd's local state, and not in the store (P8)."""
    alice.shell(f"head -c 3M /dev/zero > {alice.home}/file")
    before = {row["workspace"]: row for row in site.first.json("quota", "report")["workspaces"]}[alice.account.name]
    assert before["open"] and before["bytes_used"] == 3 * MIB + BLOCK and abs(before["as_of"] - time.time()) < 60
    alice.lock()
    for _ in range(2):
        after = {row["workspace"]: row for row in site.first.json("quota", "report")["workspaces"]}[alice.account.name]
        assert not after["open"] and abs(after["as_of"] - time.time()) < 60
        assert (after["bytes_used"], after["inodes_used"]) == (before["bytes_used"], before["inodes_used"])
        assert table(site.first.run("quota", "report").stdout)[alice.account.name][1] == str(3 * 1024 + 4)
        assert "as it was when it was open here last" in alice.run("quota", "show").stdout
        daemon.stop()
        daemon.start()
    assert (site.first.state / "usage").stat().st_mode & 0o777 == 0o600
    assert not [path for path in site.store.rglob("*") if path.name == "usage"]
    daemon.stop()
    (site.first.state / "usage").write_bytes(b"RIADUSE1" + b"\xff" * 500)
    daemon.start()
    row = {row["workspace"]: row for row in site.first.json("quota", "report")["workspaces"]}[alice.account.name]
    assert row["as_of"] is None and row["bytes_used"] is None and not row["open"]
    assert table(site.first.run("quota", "report").stdout)[alice.account.name][:2] == ["--", "?"]
    assert "never open on this machine" in alice.run("quota", "show").stdout
    alice.unlock()
    wait_until(lambda: (site.first.state / "usage").stat().st_size == 12 + 72, 10, "it to be remembered anew")


def test_since_when_is_remembered_too(site, alice):
    set_quota(site, alice.account.name, "-b", "1M", "-B", "20M", "-t", "3d")
    alice.shell(f"head -c 2M /dev/zero > {alice.home}/file")
    for change in (lambda: None, alice.lock, alice.unlock):
        change()
        row, = alice.json("quota", "report", "--over")["workspaces"]
        assert abs(row["soft"]["bytes_over_since"] - time.time()) < 60 and 2 * 86400 < row["bytes_grace_left"] <= 3 * 86400
        flags, *figures_shown = table(site.first.run("quota", "report").stdout)[alice.account.name]
        assert flags == "+-" and figures_shown[3] in ("2days", "3days")
    alice.shell(f"rm {alice.home}/file")
    assert alice.json("quota", "report", "--over")["workspaces"] == []


CROWD = 10000


@pytest.fixture
def crowd(site):
    """Before riadd starts."""
    enrol_crowd(site, CROWD, lambda number: (number << 20, number << 21, number, 2 * number))


def test_ten_thousand(site, crowd, daemon):
    rows = list(csv.DictReader(site.first.run("quota", "report", "--csv").stdout.splitlines()))
    assert len(rows) == CROWD
    for number, row in enumerate(rows):
        assert row["Workspace"] == f"crowd{number:05}" and row["BlockStatus"] == row["FileStatus"] == "unknown"
        assert [int(row[name]) for name in ("BlockSoftLimit", "BlockHardLimit", "FileSoftLimit", "FileHardLimit")] == [
            number << 10, number << 11, number, 2 * number]
        assert row["BlockUsed"] == row["AsOf"] == ""
    listed = table(site.first.run("quota", "report").stdout)
    assert len(listed) == CROWD and listed["crowd00003"] == ["--", "?", "3072", "6144", "?", "3", "6"]
    told = site.first.json("quota", "report")["workspaces"]
    assert len({row["id"] for row in told}) == CROWD and told[7]["soft"]["bytes_limit"] == 7 << 20


def test_limits_of_ten_thousand(site, crowd, daemon):
    path, before = site.base / "limits", count_batches(site)
    path.write_text("".join(f"crowd{number:05} - {number + 9}T none 50k\n" for number in range(CROWD)) + "nobody 1G 2G - -\n")
    refused = set_quota(site, "--from-file", path, code=FAILED)
    assert f"line {CROWD + 1}: the site has no workspace `nobody`" in refused.stderr
    assert count_batches(site) == before and limits(site)["crowd00000"] == (0, 0, 0, 0, 0)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert f"of {CROWD} workspaces" in set_quota(site, "--from-file", path, "-t", "1d").stdout
    assert count_batches(site) <= before + 8
    got = limits(site)
    assert all(got[f"crowd{number:05}"] == (number << 20, (number + 9) << 40, 0, 50000, 86400) for number in range(CROWD))
    events = [line for line in (site.first.state / "events").read_bytes().splitlines() if b'"limit-set"' in line]
    assert len(events) == CROWD
    site.first.run("events")  # the chain of the trail is whole
    set_quota(site, "crowd00001", "-B", "9G")
    assert limits(site)["crowd00001"][1] == 9 << 30
