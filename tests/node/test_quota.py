"""riad quota in a person's own store: soft and hard limits, grace, many at once, and what new workspaces get."""
import json

import pytest

from harness import DONE, FAILED, USAGE

GIB = 1 << 30
DAY = 86400


@pytest.fixture
def several(make_store):
    store = make_store()
    store.run("workspace", "create", store.path, "one", "two", "three")
    return store


def limits(store):
    """By the catalog: bytes soft and hard, inodes soft and hard, graces in seconds."""
    rows = json.loads(store.run("quota", "report", store.path, "--json").stdout)["workspaces"]
    return {row["workspace"]: (row["soft"]["bytes_limit"], row["bytes_limit"], row["soft"]["inodes_limit"], row["inodes_limit"],
                               row["soft"]["bytes_grace_seconds"], row["soft"]["inodes_grace_seconds"]) for row in rows}


def set_quota(store, *arguments, code=DONE, **more):
    return store.run("quota", "set", store.path, *arguments, code=code, **more)


def limit_events(store):
    return [event["text"] for event in json.loads(store.run("events", "--json").stdout)["events"] if event["event"] == "limit-set"]


def test_each_option(several):
    set_quota(several, "one", "-b", "8G", "-B", "10G", "-i", "1k", "-I", "2k", "-t", "3d")
    set_quota(several, "two", "-B", "5G", "--grace", "12h,30m")
    set_quota(several, "-w", "three", "-b", "1G")
    assert limits(several) == {"home": (0, 0, 0, 0, 0, 0), "one": (8 * GIB, 10 * GIB, 1000, 2000, 3 * DAY, 3 * DAY),
                               "two": (0, 5 * GIB, 0, 0, DAY // 2, 1800), "three": (GIB, 0, 0, 0, 0, 0)}
    set_quota(several, "one", "-b", "none", "-i", "none")  # what is not said stays
    assert limits(several)["one"] == (0, 10 * GIB, 0, 2000, 3 * DAY, 3 * DAY)
    assert len(limit_events(several)) == 4 and "soft: 8.00 GiB, 1000, grace: 259200 s" in limit_events(several)[0]


def test_several_at_once(several):
    set_quota(several, "one", "two", "-w", "home", "-B", "1G")
    assert [row[1] for row in limits(several).values()].count(GIB) == 3 and limits(several)["three"][1] == 0
    assert len(limit_events(several)) == 3
    refused = set_quota(several, "one", "nowhere", "-B", "2G", code=FAILED)
    assert "no workspace `nowhere`" in refused.stderr and limits(several)["one"][1] == GIB
    assert "named twice" in set_quota(several, "one", "one", "-B", "2G", code=USAGE).stderr
    set_quota(several, "-I", "9")  # nobody is named: the home
    assert limits(several)["home"] == (0, GIB, 0, 9, 0, 0)


def test_a_soft_limit_is_not_above_the_hard_one(several):
    assert "not above the hard one" in set_quota(several, "one", "-b", "2G", "-B", "1G", code=USAGE).stderr
    set_quota(several, "one", "-b", "1G", "-B", "2G", "-I", "5")
    for wrong in (["-b", "3G"], ["-B", "1023M"], ["-i", "6"]):
        refused = set_quota(several, "two", "one", *wrong, code=USAGE)
        assert "`one`: the soft limit would be above the hard one" in refused.stderr
    assert limits(several)["two"] == (0,) * 6 and limits(several)["one"][:4] == (GIB, 2 * GIB, 0, 5)
    set_quota(several, "one", "-b", "3G", "-B", "3G", "-i", "5")
    set_quota(several, "one", "-b", "9G", "-B", "none")


def test_wrong_options(several):
    before = limits(several)
    for wrong in ([], ["-b", "lots"], ["-i", "-1"], ["-i", "1Gi"], ["-t", "7"], ["-t", "0d"], ["-t", "7d,"], ["-t", ",7d"],
                  ["-t", "7d,3d,2d"], ["-t", "9000w"], ["--grace", "1d 1d"], ["-t"], ["--default"], ["--default", "one", "-B", "1G"],
                  ["--default", "-w", "one", "-B", "1G"], ["--from-file"], ["--from-file", "-", "-B", "1G"],
                  ["--from-file", "-", "one"], ["-s"], ["--over"]):
        set_quota(several, *wrong, code=USAGE)
    assert limits(several) == before and limit_events(several) == []


def test_a_limit_below_the_usage(make_store):
    store = make_store()
    mount = store.mount()
    (mount / "file").write_bytes(b"x" * 100000)
    set_quota(store, "-b", "4K", "-B", "8K", "-i", "1", "-I", "1")
    status = store.status()
    assert status["bytes_used"] > status["bytes_limit"] == 8192 and status["soft"]["bytes_limit"] == 4096  # at once
    with pytest.raises(OSError):
        (mount / "more").write_bytes(b"x")


def test_what_new_workspaces_get(several):
    set_quota(several, "--default", "-b", "4G", "-B", "5G", "-I", "1k", "-t", "2d")
    set_quota(several, "--default", "-i", "500")
    assert all(row == (0,) * 6 for row in limits(several).values())  # of those to come only
    several.run("workspace", "create", several.path, "four")
    several.run("workspace", "create", several.path, "five", "-B", "1G", "-I", "none")
    got = limits(several)
    assert got["four"] == (4 * GIB, 5 * GIB, 500, 1000, 2 * DAY, 2 * DAY)
    assert got["five"] == (GIB, GIB, 500, 0, 2 * DAY, 2 * DAY)  # a lower hard one takes the soft one along
    assert "of new workspaces would be" in set_quota(several, "--default", "-b", "6G", code=USAGE).stderr
    set_quota(several, "--default", "-b", "none", "-B", "none", "-i", "none", "-I", "none")
    several.run("workspace", "create", several.path, "six")
    assert limits(several)["six"][:4] == (0, 0, 0, 0)
    assert [text for text in limit_events(several) if text.startswith("of new workspaces")] == limit_events(several) != []


def test_from_file(several):
    path = several.base / "limits"
    path.write_text("# as of Monday\n\none 1G 2G 10 20  # hers\n\ttwo\t-  3G - -\r\nthree none none none none\n", encoding="utf-8")
    set_quota(several, "two", "-b", "2G")
    told = set_quota(several, "--from-file", path, "-t", "1d")
    assert "of 3 workspaces" in told.stdout
    got = limits(several)
    assert got["one"] == (GIB, 2 * GIB, 10, 20, DAY, DAY) and got["two"] == (2 * GIB, 3 * GIB, 0, 0, DAY, DAY)
    assert len(limit_events(several)) == 4
    with open(path, encoding="utf-8") as file:
        set_quota(several, "--from-file", "-", stdin=file)
    several.run("quota", "set", several.path, "--from-file", several.base / "missing", "-t", "1d", code=FAILED)


WRONG_LINES = [
    ("one 1G 2G 10", "line 3: a line is: NAME"),
    ("one 1G 2G 10 20 30", "line 3: a line is: NAME"),
    ("one lots 2G 10 20", "line 3: `lots` is no soft limit on bytes"),
    ("one 1G 2G 10 -5", "line 3: `-5` is no hard limit on inodes"),
    ("one 3G 2G 10 20", "line 3: a soft limit is not above"),
    ("one - 512M 10 20", "line 3: `one`: the soft limit would be above"),
    ("home 1G 2G 10 20", "line 3: `home` is in line 2 already"),
    ("nowhere 1G 2G 10 20", "line 3: no workspace `nowhere`"),
    ("x" * 65 + " 1G 2G 10 20", "line 3: a workspace's name has 64 bytes at most"),
]


def test_errors_name_the_line_and_set_nothing(several):
    set_quota(several, "one", "-b", "1G", "-B", "2G")
    before = limits(several)
    path = several.base / "limits"
    for line, sentence in WRONG_LINES:
        path.write_text(f"# some\nhome 1G 2G 10 20\n{line}\ntwo 1G 2G 10 20\n", encoding="utf-8")
        refused = set_quota(several, "--from-file", path, code=None)
        assert refused.returncode in (FAILED, USAGE) and f"{path}: {sentence}" in refused.stderr
    assert limits(several) == before


def test_a_file_that_is_no_text(several):
    path = several.base / "limits"
    path.write_bytes(b"home 1G 2G - -\n\0\n")
    assert "zero byte" in set_quota(several, "--from-file", path, code=USAGE).stderr
    path.write_bytes(b"")
    assert "of 0 workspaces" in set_quota(several, "--from-file", path).stdout
