"""The process behind a mount: status, unmount, sync, quota, several workspaces, signals, users, loss of the local state."""
import errno
import json
import os
import random
import re
import signal
import socket
import stat
import subprocess
import time

import pytest

import trees
from harness import BLOCK, DAMAGED, FAILED, NOT_MOUNTED, OWNED, User, as_user, mounted_at, raises_errno, wait_until


def fill(path, text="x"):
    path.write_text(text, encoding="utf-8")
    return path


def test_status(store, mount):
    fill(mount / "file", "x" * 10000)
    status = store.status()
    assert status["workspace"] == "home" and status["directory"] == str(mount) and status["store"] == str(store.path)
    assert status["state"] == "running" and status["event"] == "" and status["pid"] == store.hosts()[0]
    assert re.fullmatch(r"[0-9a-f]{32}", status["id"]) and status["term"] == 1
    assert (status["bytes_used"], status["inodes_used"]) == (4 * BLOCK, 2)
    assert (status["bytes_limit"], status["inodes_limit"]) == (0, 0)
    assert status["changes"] >= status["changes_durable"] >= 0
    for key in ("appends", "append_bytes", "syncs", "segments", "index_commits", "replayed_changes", "checkpoints"):
        assert status["log"][key] >= 0
    assert status["requests"]["WRITE"] >= 1
    table = store.run("status").stdout
    assert "home" in table and str(mount) in table and "running" in table
    assert "home" in store.run("status", mount).stdout and "home" in store.run("status", store.path).stdout
    store.unmount()
    assert store.mounts() == [] and "Nothing" in store.run("status").stdout
    store.mount()
    assert store.status()["term"] == 2


def test_df_and_mount_table(store, mount):
    lines = subprocess.run(["df", "--output=source,fstype,target", mount], stdout=subprocess.PIPE, text=True, check=True)
    assert lines.stdout.splitlines()[1].split() == ["riad:home", "fuse.riad", str(mount)]
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        options = next(line for line in mounts if f" {mount} " in line)
    assert "nosuid" in options and "nodev" in options and "default_permissions" in options


def test_unmount_returns_when_all_is_durable(store, mount):
    for number in range(300):
        (mount / str(number)).write_bytes(b"u" * 3000)
    pid = store.hosts()[0]
    store.unmount()
    assert not mounted_at(mount) and os.listdir(mount) == []
    # Whatever happens to the node now, the store has it all.
    store.forget_state()
    store.mount()
    assert len(os.listdir(mount)) == 300
    wait_until(lambda: pid not in store.hosts(), 5, "the end of the process")
    store.unmount(code=0)
    store.unmount(code=NOT_MOUNTED)


def test_unmount_by_others(store, mount):
    """umount(8) and fusermount3 end it in order too."""
    fill(mount / "file")
    pid = store.hosts()[0]
    subprocess.run(["umount", mount] if os.geteuid() == 0 else ["fusermount3", "-u", mount], check=True)
    wait_until(lambda: pid not in store.hosts(), 10, "the end of the process")
    store.fsck()
    store.mount()
    assert os.listdir(mount) == ["file"]


def test_lazy_unmount(store, mount):
    file = open(mount / "file", "w", encoding="utf-8")
    process = subprocess.Popen([store.binary, "unmount", "--lazy", mount], env=store.environment())
    wait_until(lambda: not mounted_at(mount), 10, "the mount to be detached")
    file.write("written after the detachment")
    file.close()
    assert process.wait(20) == 0
    store.mount()
    assert (mount / "file").read_text(encoding="utf-8") == "written after the detachment"


def figures(shown):
    return {name: shown[name] for name in ("workspace", "bytes_used", "bytes_limit", "inodes_used", "inodes_limit")}


def test_quota(store, mount):
    fill(mount / "file", "x" * 5000)
    store.run("quota", "set", store.path, "-B", "1.5G", "-I", "2k")
    shown = json.loads(store.run("quota", "show", "--json", mount).stdout)
    assert figures(shown) == {"workspace": "home", "bytes_used": 3 * BLOCK, "bytes_limit": 3 << 29, "inodes_used": 2,
                              "inodes_limit": 2000} and shown["open"]
    text = store.run("quota", "show", mount).stdout
    assert "1.50 GiB" in text and "2000" in text and "12.0 KiB" in text
    assert figures(json.loads(store.run("quota", "show", "--json", store.path).stdout)) == figures(shown)
    store.run("quota", "set", store.path, "-I", "none")
    store.unmount()
    shown = json.loads(store.run("quota", "show", "--json", store.path).stdout)
    assert shown["bytes_limit"] == 3 << 29 and shown["inodes_limit"] == 0
    assert not shown["open"] and shown["bytes_used"] == 3 * BLOCK  # as it was when it was mounted


@pytest.mark.parametrize("text, count", [("4096", 1), ("1K", 1), ("8191", 1), ("12k", 3), ("1M", 256), ("0.5MiB", 128),
                                         ("1T", 1 << 28)])
def test_sizes(make_store, text, count):
    store = make_store("-B", text)
    store.mount()
    assert os.statvfs(store.directory).f_blocks == count


def test_several_workspaces(store):
    store.run("workspace", "create", store.path, "project", "-B", "1M", "-I", "10")
    store.run("workspace", "create", store.path, "project", code=FAILED)
    listed = json.loads(store.run("workspace", "list", "--json", store.path).stdout)["workspaces"]
    assert {(entry["workspace"], entry["kind"], entry["bytes_limit"], entry["inodes_limit"]) for entry in listed} == \
        {("home", "home", 0, 0), ("project", "project", 1 << 20, 10)}
    table = store.run("workspace", "list", store.path).stdout
    assert "project" in table and "1.00 MiB" in table
    store.mount("--all")
    home, project = store.directory / "home", store.directory / "project"
    store.directories += [home, project]
    assert len(store.hosts()) == 1 and len(store.mounts()) == 2
    fill(home / "file", "home's")
    fill(project / "file", "project's")
    assert os.statvfs(project).f_blocks == 256
    with raises_errno(errno.EDQUOT):
        (project / "big").write_bytes(b"x" * (2 << 20))
    os.unlink(project / "big")
    (home / "big").write_bytes(b"x" * (2 << 20))
    store.mount("-w", "project", directory=store.make_directory(store.base / "other"), code=OWNED)
    store.unmount(project)
    assert [mount["workspace"] for mount in store.mounts()] == ["home"]
    store.mount("-w", "project", directory=store.base / "other")
    assert fill(store.base / "other" / "second") and (store.base / "other" / "file").read_text(encoding="utf-8") == "project's"
    assert len(store.hosts()) == 2
    store.unmount(home)
    store.unmount(store.base / "other")
    store.fsck()
    store.fsck("-w", "project")
    store.mount("--all")
    assert (home / "file").read_text(encoding="utf-8") == "home's"
    store.unmount(home)
    store.unmount(project)
    assert store.hosts() == [] or wait_until(lambda: not store.hosts(), 5, "the end of the process") is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_foreground_and_signals(store, number):
    process = subprocess.Popen([store.binary, "mount", "-f", store.path, store.directory], env=store.environment(),
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: mounted_at(store.directory) and store.mounts(), 20, "the mount")
    fill(store.directory / "file", "kept")
    process.send_signal(number)
    assert process.wait(20) == 0
    assert not mounted_at(store.directory)
    store.fsck()
    store.mount()
    assert (store.directory / "file").read_text(encoding="utf-8") == "kept"


def test_terminated_while_files_are_open(store, mount):
    """A shutdown does not wait for programs: what they wrote until then is durable."""
    file = open(mount / "file", "wb", buffering=0)
    file.write(b"until then")
    pid = store.hosts()[0]
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not mounted_at(mount), 20, "the unmount")
    try:
        file.close()
    except OSError:
        pass
    wait_until(lambda: pid not in store.hosts(), 20, "the end of the process")
    store.mount()
    assert (mount / "file").read_bytes() == b"until then"


def test_caller_is_let_go(store):
    """riad mount returns, although its output is a pipe, and keeps no directory busy."""
    result = subprocess.run(["sh", "-c", f'cd {store.base} && "$@" 2>&1 | cat', "sh", store.binary, "mount", store.path,
                             store.directory], env=store.environment(), stdout=subprocess.PIPE, timeout=60, check=True)
    store.pids |= set(store.hosts())
    assert result.stdout == b"" and mounted_at(store.directory)
    assert os.readlink(f"/proc/{store.hosts()[0]}/cwd") == "/" if os.geteuid() == 0 else True


def test_descriptors_and_sizes_stay_bounded(store, mount):
    """Thousands of files do not cost descriptors, and memory stays small."""
    pid = store.hosts()[0]
    before = len(os.listdir(f"/proc/{pid}/fd")) if os.access(f"/proc/{pid}/fd", os.R_OK) else None
    for number in range(3000):
        (mount / f"file{number}").write_bytes(b"d" * 2000)
    for number in range(3000):
        (mount / f"file{number}").read_bytes()
    if before is None:
        pytest.skip("the process keeps its descriptors to itself")
    assert len(os.listdir(f"/proc/{pid}/fd")) < before + 40
    with open(f"/proc/{pid}/status", encoding="utf-8") as lines:
        resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    assert resident < 200 * 1024


def test_mount_options_add_up(store):
    """As with mount(8): no -o takes back another one."""
    store.mount("-o", "ro", "-o", "noexec,noatime")
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        options = next(line.split()[5].split(",") for line in lines if line.split()[4] == str(store.directory))
    assert {"ro", "noexec", "noatime"} <= set(options)
    result = store.run("mount", store.path, store.directory, "-o", "ro", "-o", "noexec," * 600, code=2)
    assert "too long" in result.stderr


@pytest.mark.root
def test_allow_other(make_store, strangers):
    (first, gid), (second, other_gid) = strangers
    closed, opened = make_store(), make_store()
    closed.mount()
    opened.mount("-o", "allow_other")
    for top in (closed.directory, opened.directory):
        os.chmod(top, 0o777)
    with raises_errno(errno.EACCES):
        as_user(first, gid, os.listdir, closed.directory)
    as_user(first, gid, fill, opened.directory / "mine", "of the first")
    info = os.stat(opened.directory / "mine")
    assert (info.st_uid, info.st_gid) == (first, gid)
    assert as_user(second, other_gid, (opened.directory / "mine").read_text, "utf-8") == "of the first"
    with raises_errno(errno.EACCES):
        as_user(second, other_gid, fill, opened.directory / "mine")
    opened.remount("-o", "allow_other")
    assert os.stat(opened.directory / "mine").st_uid == first


def test_unprivileged_user(make_store, unprivileged):
    """The newcomer's way: no root anywhere, from init to fsck."""
    store = make_store("-B", "1M", user=unprivileged)
    top = store.mount()

    def act():
        assert os.stat(top).st_uid == os.geteuid() and stat.S_IMODE(os.stat(top).st_mode) == 0o700
        (top / "dir").mkdir()
        fill(top / "dir" / "file", "mine")
        os.rename(top / "dir" / "file", top / "file")
        with raises_errno(errno.EDQUOT):
            (top / "big").write_bytes(b"x" * (2 << 20))
        os.unlink(top / "big")
        return os.listdir(top)

    def run(function):
        return as_user(unprivileged.uid, unprivileged.gid, function) if unprivileged.is_other else function()

    assert sorted(run(act)) == ["dir", "file"]
    if unprivileged.is_other:  # not even root may look in without allow_other
        with raises_errno(errno.EACCES):
            os.listdir(top)
    pid = store.hosts()[0]
    assert os.stat(f"/proc/{pid}").st_uid in (unprivileged.uid, 0)
    store.kill()
    store.mount()
    assert sorted(run(lambda: os.listdir(top))) == ["dir", "file"]
    store.unmount()
    store.forget_state()
    store.mount()
    assert run(lambda: (top / "file").read_text(encoding="utf-8")) == "mine"
    store.unmount()
    store.fsck()
    for folder in (store.path, store.state):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


def test_the_owner_may_change_the_mount_point_first(make_store, unprivileged):
    """The kernel asks for the root's owner before anybody needs it."""
    store = make_store(user=unprivileged)
    top = store.mount()
    if unprivileged.is_other:
        as_user(unprivileged.uid, unprivileged.gid, os.chmod, top, 0o711)
    else:
        os.chmod(top, 0o711)
    store.remount()
    mode = store.user.prefix() + ["stat", "-c", "%a", str(top)]
    assert subprocess.run(mode, check=True, stdout=subprocess.PIPE, text=True).stdout == "711\n"


def test_allow_other_of_users_needs_the_system_s_word(make_store, unprivileged):
    with open("/etc/fuse.conf", encoding="utf-8") as lines:
        if any(line.strip() == "user_allow_other" for line in lines):
            pytest.skip("/etc/fuse.conf grants it here")
    if unprivileged.uid == 0:
        pytest.skip("root needs no grant")
    store = make_store(user=unprivileged)
    result = store.mount("-o", "allow_other", code=20)
    assert "user_allow_other" in result.stderr


@pytest.mark.root
def test_one_user_s_mounts_are_hidden_from_another(make_store, unprivileged):
    store = make_store()
    store.mount()
    control = next((store.state / "run").glob("*.sock"))
    assert stat.S_IMODE(os.stat(control).st_mode) == 0o600 and stat.S_IMODE(os.stat(store.state).st_mode) == 0o700

    def connect():
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(control))

    with raises_errno(errno.EACCES):
        as_user(unprivileged.uid, unprivileged.gid, connect)


def test_who_is_turned_away_for_a_moment_asks_again(store, mount):
    """All places are taken: what is mounted does not seem not to be."""
    address = str(store.state / "run" / f"{store.hosts()[0]}.sock")
    silent = [socket.socket(socket.AF_UNIX) for _ in range(16)]
    try:
        for client in silent:
            client.connect(address)
        begun = time.monotonic()
        store.run("sync", mount)  # the silent ones lose their places after 5 s
        assert 1 < time.monotonic() - begun < 20
    finally:
        for client in silent:
            client.close()


def test_control_socket_bears_anything(store, mount):
    """P9: malformed, huge, slow and half requests; the mount and other clients go on."""
    path = next((store.state / "run").glob("*.sock"))
    rng = random.Random(9)
    slow = [socket.socket(socket.AF_UNIX) for _ in range(5)]
    for client in slow:
        client.connect(str(path))
        client.sendall(b'{"version":')
    for text in (b"\n", b"{}\n", b"[]\n", b'{"version":1}\n', b'{"version":1,"op":7}\n', b'{"version":9,"op":"status"}\n',
                 b'{"version":1,"op":"unmount"}\n', b'{"version":1,"op":"unmount","directory":"/nowhere"}\n',
                 b'{"version":1,"op":"' + b"x" * 200000 + b'"}\n', b"[" * 60000 + b"\n", rng.randbytes(5000) + b"\n", b"\0\n"):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(path))
            try:
                client.sendall(text)
                reply = client.makefile("rb").readline()
            except (ConnectionResetError, BrokenPipeError):
                continue
            assert reply == b"" or json.loads(reply).get("ok") is not True, text[:50]
    start = time.monotonic()
    assert store.status()["state"] == "running"
    assert time.monotonic() - start < 5
    for client in slow:
        client.close()
    fill(mount / "file")


def test_requests_for_what_is_not_mounted(store, mount):
    """They name a directory, and mean no other one."""
    for operation in ("sync", "unmount", "checkpoint"):
        reply = store.control(operation, directory="/nowhere")
        assert reply["ok"] is False and reply["exit"] == NOT_MOUNTED, reply
    assert store.status()["state"] == "running" and mount.is_dir()


def test_loss_of_the_local_state(store, mount, base):
    tar = base / "state-lost.tar"
    trees.real_tar(tar, most_files=800, most_bytes=15 << 20)
    trees.unpack(tar, mount / "tree")
    os.setxattr(mount / "tree", "user.a", b"value")
    os.link(mount / "tree" / "usr" / "include" / "stdio.h", mount / "link")
    expected, usage = trees.describe(mount), store.usage()
    for checkpoint in (False, True):
        if checkpoint:
            assert store.control("checkpoint")["ok"]
        fill(mount / "after", "the checkpoint, if there is one")
        os.unlink(mount / "after")
        os.utime(mount, ns=(0, expected[b"."][5]))
        store.unmount()
        store.forget_state()
        store.mount()
        trees.assert_same(expected, trees.describe(mount))
        assert store.usage() == usage and os.getxattr(mount / "tree", "user.a") == b"value"
    store.unmount()
    store.fsck()


def test_fsck(store, mount):
    (mount / "file").write_bytes(random.Random(1).randbytes(300000))
    (mount / "small").write_bytes(b"small")
    store.fsck(code=OWNED)
    store.unmount()
    report = json.loads(store.fsck("--json").stdout)["workspaces"]
    assert len(report) == 1 and report[0]["workspace"] == "home" and report[0]["findings"] == []
    assert report[0]["inodes"] == 3 and report[0]["bytes_used"] == (1 + 74 + 1) * BLOCK
    store.forget_state()
    store.fsck()
    segment = next(store.workspace().glob("data/*"))
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 2] ^= 1
    segment.write_bytes(raw)
    report = json.loads(store.fsck("--json", code=DAMAGED).stdout)["workspaces"]
    assert report[0]["damage"] >= 1 and segment.name in " ".join(report[0]["findings"])


def test_fsck_finds_an_index_that_lies(store, mount):
    """The local index is compared with the log."""
    import sqlite3
    (mount / "file").write_bytes(b"x" * 5000)
    store.unmount()
    index = next((store.state / "ws").rglob("index.db"))
    database = sqlite3.connect(index)
    tables = [name for name, in database.execute("select name from sqlite_master where type = 'table'")]
    assert "dentry" in tables, tables
    with database:
        database.execute("delete from dentry")
    database.close()
    store.fsck(code=DAMAGED)


def test_space_of_deleted_big_files_comes_back(store, mount):
    def held():
        return sum(path.stat().st_size for path in store.workspace().glob("data/*"))

    (mount / "big").write_bytes(random.Random(2).randbytes(80 << 20))
    store.run("sync", mount)
    assert held() > 80 << 20
    os.unlink(mount / "big")
    store.remount()
    wait_until(lambda: held() < 20 << 20, 20, "the store's data segments to shrink")
    store.unmount()
    store.fsck()


def test_two_stores_in_one_state_directory(make_store):
    first, second = make_store(), make_store()
    first.mount()
    second.mount(state=first.state)
    assert len(first.mounts()) == 2
    fill(first.directory / "a")
    fill(second.directory / "b")
    assert os.listdir(first.directory) == ["a"] and os.listdir(second.directory) == ["b"]
    second.unmount(state=first.state)
    assert len(first.mounts()) == 1


def test_mount_points_with_odd_names(store):
    for name in ("with space", "with,comma", "üml äut", "back\\slash", "tab\tand\nnewline"):
        directory = store.make_directory(store.base / name)
        store.mount(directory=directory)
        fill(directory / "file", name)
        assert store.status()["directory"] == str(directory)
        store.unmount(directory)


def test_relative_paths(store):
    """Paths are taken from where one stands; a mount point below the store's parent works too."""
    for arguments in (("store", "mnt"), ("./store/", "./mnt/"), ("../" + store.base.name + "/store", "mnt/.")):
        store.run("mount", *arguments, cwd=store.base)
        store.pids |= set(store.hosts())
        assert mounted_at(store.directory)
        store.run("unmount", "mnt", cwd=store.base)
    assert User().uid == os.geteuid()
