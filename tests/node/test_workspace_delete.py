"""A workspace is deleted for ever: asked twice, its keys first, cut short and ended later."""
import json
import os
import shutil

import pytest

from harness import DAMAGED, DONE, FAILED, OWNED, USAGE
from test_prompts import Terminal


def names(store):
    return {entry["workspace"] for entry in json.loads(store.run("workspace", "list", "--json", store.path).stdout)["workspaces"]}


def id_of(store, name="project"):
    listed = json.loads(store.run("workspace", "list", "--json", store.path).stdout)["workspaces"]
    return next(entry["id"] for entry in listed if entry["workspace"] == name)


@pytest.fixture
def filled(store):
    """A store with a file in `home` and one in `project`, nothing mounted."""
    store.run("workspace", "create", store.path, "project")
    for name in ("project", "home"):
        store.mount("-w", name)
        (store.directory / "file").write_text(name, encoding="utf-8")
        store.unmount()
    return store


def check_home(store):
    store.fsck()
    store.mount()
    assert (store.directory / "file").read_text(encoding="utf-8") == "home"
    store.unmount()


def test_it_is_gone_and_the_others_are_not(filled):
    workspace = id_of(filled)
    state = filled.state / "ws" / workspace
    assert state.is_dir() and os.listdir(filled.path / "ws" / workspace / "wrap")
    done = json.loads(filled.run("workspace", "delete", filled.path, "project", "--confirm", "project", "--json").stdout)
    assert done == {"workspace": "project", "id": workspace, "deleted": True}
    assert not (filled.path / "ws" / workspace).exists() and not state.exists()
    assert names(filled) == {"home"}
    filled.mount("-w", "project", code=FAILED)
    filled.run("workspace", "delete", filled.path, "project", "--confirm", "project", code=FAILED)
    check_home(filled)
    # Its name is free again, for another workspace.
    filled.run("workspace", "create", filled.path, "project")
    filled.mount("-w", "project")
    assert os.listdir(filled.directory) == []


def test_on_a_terminal_it_asks_twice(filled):
    for first, second in (("no", None), ("project", "project"), ("project", "delete home")):
        terminal = Terminal(filled, "workspace", "delete", filled.path, "project", "--passphrase-file", filled.passphrase_file)
        terminal.answer("Type its name: ", first)
        if second:
            terminal.answer("Type `delete project`: ", second)
        assert terminal.end() == FAILED and "nothing was deleted" in terminal.screen
    check_home(filled)
    filled.mount("-w", "project")
    assert (filled.directory / "file").read_text(encoding="utf-8") == "project"
    filled.unmount()
    terminal = Terminal(filled, "workspace", "delete", filled.path, "project", "--passphrase-file", filled.passphrase_file)
    terminal.answer("Type its name: ", "project")
    assert "8.00 KiB in 2 inodes" in terminal.screen
    terminal.answer("Type `delete project`: ", "delete project")
    assert terminal.end() == DONE and names(filled) == {"home"}


def test_a_script_names_it_twice(filled):
    filled.run("workspace", "delete", filled.path, "project", code=USAGE, start_new_session=True)
    result = filled.run("workspace", "delete", filled.path, "project", "--confirm", "home", code=USAGE)
    assert "nothing was deleted" in result.stderr
    filled.run("workspace", "delete", filled.path, "nobody", "--confirm", "nobody", code=FAILED)
    assert names(filled) == {"home", "project"}


def test_a_mounted_one_stays(filled):
    filled.mount("-w", "project")
    filled.run("workspace", "delete", filled.path, "project", "--confirm", "project", code=OWNED)
    # Nor from another machine, which sees the owner's heartbeat.
    filled.run("workspace", "delete", filled.path, "project", "--confirm", "project", code=OWNED, state=filled.other_state())
    assert (filled.directory / "file").read_text(encoding="utf-8") == "project"
    filled.unmount()


@pytest.mark.parametrize("cut", ["keys", "catalog"])
def test_cut_short_it_is_ended_by_its_id(filled, cut):
    """What a crash leaves after each step."""
    workspace = id_of(filled)
    directory = filled.path / "ws" / workspace
    copy = filled.base / "copy"
    shutil.copytree(directory, copy)
    if cut == "keys":
        for wrap in (directory / "wrap").iterdir():
            wrap.unlink()
        assert names(filled) == {"home", ""}
        filled.mount("-w", "project", code=DAMAGED)
    else:
        filled.run("workspace", "delete", filled.path, "project", "--confirm", "project")
        shutil.copytree(copy, directory)
        shutil.rmtree(directory / "wrap")
    filled.run("workspace", "delete", filled.path, workspace, "--confirm", workspace)
    assert not directory.exists() and names(filled) == {"home"}
    check_home(filled)


def test_a_damaged_one_can_go(filled):
    """Its keys open, its log does not."""
    workspace = id_of(filled)
    filled.forget_state()
    for segment in (filled.path / "ws" / workspace / "log").iterdir():
        os.truncate(segment, 100)
    for checkpoint in (filled.path / "ws" / workspace / "ckpt").iterdir():
        checkpoint.unlink()
    result = filled.run("workspace", "delete", filled.path, "project", "--confirm", "project")
    assert "cannot be opened" in result.stderr
    assert names(filled) == {"home"}


def put_first(directory):
    """A directory deeper than riad's own, before all others in the listing."""
    for number in range(1000):
        top = directory / f"strange{number}"
        top.mkdir()
        if os.listdir(directory)[0] == top.name:
            (top / "b" / "c" / "d" / "e" / "f").mkdir(parents=True)
            return top
        top.rmdir()
    raise AssertionError("this file system lists new names last")


def test_the_keys_go_first(filled):
    """What cannot be removed keeps nobody's keys: it is ended by the id that the message tells."""
    workspace = id_of(filled)
    directory = filled.path / "ws" / workspace
    strange = put_first(directory)
    result = filled.run("workspace", "delete", filled.path, "project", "--confirm", "project", code=FAILED)
    assert "cut short" in result.stderr and f"delete STORE {workspace}" in result.stderr
    assert (directory / "roster").exists() and not list(directory.glob("wrap/*")) and names(filled) == {"home"}
    shutil.rmtree(strange)
    filled.run("workspace", "delete", filled.path, workspace, "--confirm", workspace)
    assert not directory.exists()
