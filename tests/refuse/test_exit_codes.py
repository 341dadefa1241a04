"""What cannot start says why and exits with its documented code."""
import json
import os
import shutil
import subprocess
import time

import pytest

from harness import (ALREADY_MOUNTED, DAMAGED, FAILED, NO_FUSE, NOT_A_STORE, NOT_EMPTY, NOT_MOUNTED, OWNED, TOO_NEW, USAGE,
                     WRONG_SECRET, detach, mounted_at)


@pytest.fixture(scope="module")
def made(make_store_in_session):
    """A store that the tests here do not change."""
    return make_store_in_session()


def test_wrong_usage(made):
    for arguments in ([], ["nonsense"], ["mount"], ["mount", made.path], ["init"], ["mount", "--bogus", made.path, made.directory],
                      ["quota"], ["quota", "set", made.path], ["quota", "set", made.path, "-B", "lots"],
                      ["quota", "set", made.path, "-I", "-5"], ["mount", made.path, made.directory, "-o", "suid"],
                      ["mount", made.path, made.directory, "-o", "nosuchoption"], ["init", made.base / "x", "-B", "1Q"],
                      ["workspace", "create", made.path, "a/b"], ["unmount"], ["unmount", "a", "b"], ["fsck"],
                      ["mount", made.path, made.directory, "--passphrase-fd", "x"]):
        made.run(*arguments, code=USAGE)
    assert not mounted_at(made.directory) and not (made.base / "x").exists()


def test_help(made):
    for arguments in (["--help"], ["mount", "--help"], ["quota", "set", "--help"], ["--version"]):
        assert made.run(*arguments).stdout


def test_wrong_passphrase(made):
    wrong = made.write_secret("wrong", "not the passphrase")
    for arguments in (["mount", made.path, made.directory], ["fsck", made.path], ["workspace", "list", made.path],
                      ["quota", "set", made.path, "-B", "1G"], ["recovery", made.path]):
        result = made.run(*arguments, passphrase_file=wrong, code=WRONG_SECRET)
        assert "passphrase" in result.stderr
    assert not mounted_at(made.directory)


def test_secrets_that_are_none(made):
    made.run("mount", made.path, made.directory, passphrase_file=made.write_secret("empty", ""), code=USAGE)
    made.run("mount", made.path, made.directory, passphrase_file=made.base / "missing", code=FAILED)
    made.run("mount", made.path, made.directory, passphrase_file=made.write_secret("long", "x" * 5000), code=USAGE)
    made.run("mount", made.path, made.directory, "--recovery-file", made.write_secret("code", "ABCDEFG-HIJKLMN"),
             code=WRONG_SECRET)
    other = "-".join(["AAAAAAA"] * 8)
    made.run("mount", made.path, made.directory, "--recovery-file", made.write_secret("code", other), code=WRONG_SECRET)
    made.run("mount", made.path, made.directory, "--key-file", made.write_secret("key", "short"), code=USAGE)


def test_no_store(made):
    (made.base / "empty-dir").mkdir(exist_ok=True)
    (made.base / "file").write_text("x", encoding="utf-8")
    for path in ("empty-dir", "missing", "file", "mnt"):
        result = made.run("mount", made.base / path, made.directory, code=NOT_A_STORE)
        assert path in result.stderr
    made.run("fsck", made.base / "empty-dir", code=NOT_A_STORE)


def test_store_in_a_directory_that_is_not_empty(made):
    (made.base / "full").mkdir(exist_ok=True)
    (made.base / "full" / "file").write_text("x", encoding="utf-8")
    made.run("init", made.base / "full", code=NOT_EMPTY)
    made.run("init", made.path, code=NOT_EMPTY)
    assert os.listdir(made.base / "full") == ["file"]


def test_mount_point_that_is_not_empty(made):
    full = made.make_directory(made.base / "full-mnt")
    (full / "file").write_text("x", encoding="utf-8")
    result = made.mount(directory=full, code=NOT_EMPTY)
    assert str(full) in result.stderr
    made.mount(directory=made.base / "missing", code=FAILED)
    made.mount(directory=full / "file", code=FAILED)


@pytest.mark.parametrize("change", [{"format": 2}, {"format": 4000000000}, {"incompat": 2}, {"incompat": 3}, {"incompat": 1 << 31}])
def test_newer_format(store, change):
    description = json.loads((store.path / "riad.json").read_text(encoding="utf-8"))
    (store.path / "riad.json").chmod(0o600)
    (store.path / "riad.json").write_text(json.dumps({**description, **change}), encoding="utf-8")
    result = store.mount(code=TOO_NEW)
    assert "newer" in result.stderr
    store.fsck(code=TOO_NEW)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{\"format\": 1}", "{\"format\": \"1\"}", "x" * 100000, "\0\0\0"])
def test_description_that_is_none(store, text):
    (store.path / "riad.json").chmod(0o600)
    (store.path / "riad.json").write_text(text, encoding="utf-8")
    result = store.mount(code=None)
    assert result.returncode in (NOT_A_STORE, DAMAGED) and result.stderr.strip()


def test_mounted_already(store, mount):
    store.mount(code=ALREADY_MOUNTED)
    other = store.make_directory(store.base / "other")
    result = store.mount(directory=other, code=OWNED)
    assert "home" in result.stderr or "own" in result.stderr
    store.run("init", mount, code=None)
    (mount / "file").write_text("still alive", encoding="utf-8")
    store.unmount()
    store.mount(directory=other)


def test_fsck_of_a_mounted_store(store, mount):
    store.fsck(code=OWNED)


def test_other_node_while_the_first_lives(store, mount):
    """Another state directory is another node. It is refused while the first lives, and takes over after its death."""
    other, state = store.make_directory(store.base / "other"), store.other_state()
    (mount / "file").write_text("from the first", encoding="utf-8")
    start = time.monotonic()
    result = store.mount(directory=other, state=state, code=OWNED)
    assert "node" in result.stderr or "own" in result.stderr
    assert time.monotonic() - start < 60
    with open(mount / "second", "w", encoding="utf-8") as file:
        file.write("goes on")
        file.flush()
        os.fsync(file.fileno())  # P2: what was not synced stays with its node
    store.kill()
    end = time.monotonic() + 60
    while store.run("mount", store.path, other, state=state, code=None).returncode == OWNED:
        assert time.monotonic() < end, "the dead node's lease does not lapse"
        time.sleep(1)
    assert (other / "file").read_text(encoding="utf-8") == "from the first"
    assert (other / "second").read_text(encoding="utf-8") == "goes on"
    (other / "third").write_text("from the second", encoding="utf-8")
    store.mount(code=OWNED)  # the first node comes back while the second owns it
    store.unmount(other, state=state)
    store.mount()
    assert sorted(os.listdir(mount)) == ["file", "second", "third"]


def test_orderly_handover_needs_no_wait(store, mount):
    """After an unmount another node may mount at once."""
    (mount / "file").write_text("x", encoding="utf-8")
    store.unmount()
    start = time.monotonic()
    store.mount(state=store.other_state())
    assert time.monotonic() - start < 5 and os.listdir(mount) == ["file"]
    store.unmount(state=store.base / "state2")
    store.mount()
    assert os.listdir(mount) == ["file"]


def test_unmount_of_nothing(made):
    result = made.unmount(code=NOT_MOUNTED)
    assert "mounted" in result.stderr
    made.run("unmount", made.base / "missing", code=NOT_MOUNTED)
    made.run("sync", made.directory, code=NOT_MOUNTED)
    made.run("status", made.directory, code=NOT_MOUNTED)


def test_unmount_while_files_are_open(store, mount):
    with open(mount / "file", "w", encoding="utf-8") as file:
        result = store.unmount(code=FAILED)
        assert "open" in result.stderr
        file.write("still works")
    store.unmount()
    store.mount()
    assert (mount / "file").read_text(encoding="utf-8") == "still works"


@pytest.mark.root
def test_fuse_not_there(made):
    result = made.run("mount", made.path, made.directory, code=NO_FUSE,
                      prefix=["unshare", "-m", "sh", "-c", 'mount --bind /dev/null /dev/fuse && exec "$@"', "sh"])
    assert "fuse" in result.stderr.lower()


@pytest.mark.root
def test_fuse_closed_to_users(make_store, unprivileged, base):
    """/dev/fuse is 0600 where no udev runs: riad says so, and how to mend it."""
    store = make_store(user=unprivileged)
    node = base / "closed-fuse"
    subprocess.run(["mknod", "-m", "600", node, "c", "10", "229"], check=True)
    result = store.run("mount", store.path, store.directory, code=NO_FUSE,
                       prefix=["unshare", "-m", "sh", "-c", f'mount --bind {node} /dev/fuse && exec "$@"', "sh"])
    assert "chmod 666 /dev/fuse" in result.stderr


def test_no_workspace_of_that_name(made):
    result = made.mount("-w", "nosuch", code=FAILED)
    assert "nosuch" in result.stderr


@pytest.mark.root
def test_foreign_state_directory(made, unprivileged):
    """A state directory of somebody else could feed riad an index: refused."""
    state = made.other_state("foreign")
    state.mkdir()
    unprivileged.own(state)
    result = made.run("mount", made.path, made.directory, state=state, code=None)
    assert result.returncode in (FAILED, 17) and "state" in result.stderr


@pytest.mark.root
def test_store_without_permission(made, unprivileged):
    secret, state = made.base / "users-secret", made.base / "users-state"
    shutil.copy(made.passphrase_file, secret)
    state.mkdir(exist_ok=True)
    for path in (secret, state):
        unprivileged.own(path)
    result = made.run("mount", made.path, made.directory, user=unprivileged, state=state, passphrase_file=secret, code=None)
    assert result.returncode not in (0, WRONG_SECRET) and result.stderr.strip()


def test_read_only_mount(store, mount):
    (mount / "file").write_text("x", encoding="utf-8")
    store.unmount()
    store.mount("-o", "ro")
    assert (mount / "file").read_text(encoding="utf-8") == "x"
    with pytest.raises(OSError):
        (mount / "second").touch()
    detach(mount)
