"""Names are anybody's: what riad prints of them moves no terminal (escape sequences, also the one-character ones of C1, line ends)."""
import json
import os
import shutil
import subprocess

import pytest

from harness import DAMAGED, FAILED, USAGE, wait_until
from tampering import datas, flip

NAME = os.fsdecode(b"a\x1b]0;title\x07\x1b[2J\x7f\r\n\xc2\x9b2J\xc3\xa9")
SHOWN = "a?]0;title??[2J????2J\u00e9"


def calm(text):
    """And nothing begins a line that should not."""
    wild = [letter for letter in text if letter != "\n" and (letter < " " or "\x7f" <= letter < "\xa0")]
    assert not wild and not any(line.startswith("2J") for line in text.split("\n")), repr(text)
    return text


@pytest.fixture
def hostile(store):
    top = store.mount() / NAME
    top.mkdir()
    (top / NAME).write_bytes(os.urandom(3 << 20))
    return top


@pytest.mark.parametrize("name", ["a\x9b2J", "a\x1b[2J", "a\x7f", "a\nb"])
def test_a_workspace_is_not_named_so(store, name):
    assert "is no good name" in calm(store.run("workspace", "create", store.path, name, code=USAGE).stderr)
    assert [item["workspace"] for item in json.loads(store.run("workspace", "list", store.path, "--json").stdout)["workspaces"]] == ["home"]


def test_du(store, hostile):
    assert f"/{SHOWN}\n" in calm(store.run("du", "-d1", store.directory).stdout)


def test_the_largest_of_an_event(store, hostile):
    store.run("quota", "set", store.path, "-B", "3500K")
    (hostile / "more").write_bytes(bytes(100_000))
    wait_until(lambda: "largest" in store.run("events").stdout, what="an event")
    assert f"largest: {SHOWN}\n" in calm(store.run("events").stdout)


def test_who_keeps_it_busy(store, hostile, base):
    program = base / "s\x1b[2J\x7f"
    shutil.copy(shutil.which("sleep"), program)
    with open(hostile / NAME, "rb") as file:
        child = subprocess.Popen([program, "100"], stdin=file)
    try:
        result = store.run("unmount", store.directory, code=FAILED)
        assert f"  {child.pid} s?[2J?: open {store.directory}/a?]0;title" in calm(result.stderr)
    finally:
        child.kill()
        child.wait()
        program.unlink()


@pytest.mark.parametrize("repair", [[], ["--repair"]])
def test_what_is_damaged(store, hostile, repair):
    store.unmount()
    path = max(datas(store), key=lambda path: path.stat().st_size)
    flip(path, path.stat().st_size // 2)
    name = r"a\x1b]0;title\x07\x1b[2J\x7f\x0d\x0a\xc2\x9b2J" + "\u00e9"
    assert f"home: /{name}/{name}: " in calm(store.run("fsck", *repair, store.path, code=DAMAGED).stdout)
