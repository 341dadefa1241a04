"""Passphrase and recovery code; and that nothing of what is stored shows."""
import json
import os
import random
import subprocess
import time
from pathlib import Path

import pytest

import trees
from harness import PASSPHRASE, WRONG_SECRET


def contains(top, needle):
    """Files below top that hold the bytes, or whose name does."""
    found = []
    for folder, directories, files in os.walk(top):
        for name in files:
            path = os.path.join(folder, name)
            if needle in os.fsencode(name) or os.path.isfile(path) and needle in Path(path).read_bytes():
                found.append(path)
        found += [name for name in directories if needle in os.fsencode(name)]
    return found


def test_store_tells_nothing(store, mount):
    rng = random.Random(3)
    needles = [f"needle{rng.getrandbits(64):016x}".encode() for _ in range(6)]
    name, directory, content, target, xattr_name, xattr_value = (needle.decode() for needle in needles)
    (mount / directory).mkdir()
    (mount / directory / name).write_text(content * 1000, encoding="utf-8")
    (mount / "small").write_text(content, encoding="utf-8")
    (mount / "big").write_bytes((content * 100000).encode())
    os.symlink(target, mount / "link")
    os.setxattr(mount / "small", f"user.{xattr_name}", xattr_value.encode())
    store.run("workspace", "create", store.path, "workspace" + needles[0].decode())
    store.run("sync", mount)
    for when in ("mounted", "unmounted"):
        for needle in [*needles, PASSPHRASE.encode(), store.recovery_code.encode()]:
            assert contains(store.path, needle) == [], when
        # The local state keeps names, targets and values sealed too, and no secret.
        for needle in [*needles, PASSPHRASE.encode(), store.recovery_code.encode()]:
            assert contains(store.state, needle) == [], when
        if when == "mounted":
            store.unmount()


def test_real_tree_shows_nowhere(store, mount, base):
    """grep -r of the store for every longer name and for lines of the contents of a real tree."""
    tar = base / "secrets.tar"
    trees.real_tar(tar, most_files=600, most_bytes=8 << 20)
    trees.unpack(tar, base / "secrets-plain")
    trees.unpack(tar, mount / "tree")
    names, lines = set(), set()
    for folder, _, files in os.walk(base / "secrets-plain"):
        for name in files:
            names.add(name)
            path = os.path.join(folder, name)
            if os.path.islink(path):
                continue
            with open(path, "rb") as file:
                lines |= {line.strip() for line in file.read(20000).splitlines() if len(line.strip()) > 30}
    names = {name.encode() for name in names if len(name) >= 9}
    assert len(names) > 200 and len(lines) > 1000
    store.unmount()
    patterns = store.base / "patterns"
    patterns.write_bytes(b"\n".join(sorted(names) + sorted(lines)[:5000]))
    grep = ["grep", "-r", "-a", "-F", "-l", "-f", str(patterns)]
    environment = {**os.environ, "LC_ALL": "C"}
    assert subprocess.run([*grep, base / "secrets-plain"], stdout=subprocess.DEVNULL, env=environment, check=False).returncode == 0
    for place in (store.path, store.state):
        found = subprocess.run([*grep, place], stdout=subprocess.PIPE, text=True, env=environment, check=False)
        assert found.returncode == 1, found.stdout


def test_no_secret_in_the_process_list(store, mount):
    pid = store.hosts()[0]
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    assert PASSPHRASE.encode() not in command and b"riad" in command
    if os.geteuid() == 0:  # an undumpable process shows its environment to root only
        assert PASSPHRASE.encode() not in Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.root
def test_no_core_dump_and_locked(store, mount):
    pid = store.hosts()[0]
    limits = Path(f"/proc/{pid}/limits").read_text(encoding="utf-8")
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    dumpable = os.stat(f"/proc/{pid}/mem").st_uid == 0
    assert core.split()[4] == "0" or dumpable


def test_passphrase_by_descriptor(store):
    reader, writer = os.pipe()
    os.write(writer, PASSPHRASE.encode() + b"\n")
    os.close(writer)
    store.mount("--passphrase-fd", str(reader), pass_fds=[reader])
    os.close(reader)


def test_passphrase_with_odd_bytes(make_store):
    for text in ("ünïcödé ☂", " leading and trailing ", "x" * 1000, "-rf"):
        store = make_store(init=False)
        store.write_secret("passphrase", text)
        store.init()
        store.mount()
        store.unmount()
        if text.strip() != text:
            store.mount(passphrase_file=store.write_secret("stripped", text.strip()), code=WRONG_SECRET)


def test_change_of_the_passphrase(store, mount):
    (mount / "file").write_text("kept", encoding="utf-8")
    store.unmount()
    new = store.write_secret("new", "a new one")
    store.run("passwd", store.path, "--new-passphrase-file", new)
    store.mount(code=WRONG_SECRET)
    store.mount(passphrase_file=new)
    assert (mount / "file").read_text(encoding="utf-8") == "kept"
    store.unmount()
    store.run("passwd", store.path, "--new-passphrase-file", store.passphrase_file, code=WRONG_SECRET)
    store.run("passwd", store.path, "--new-passphrase-file", store.passphrase_file, passphrase_file=new)
    store.mount()


def test_change_while_mounted(store, mount):
    new = store.write_secret("new", "a new one")
    store.run("passwd", store.path, "--new-passphrase-file", new)
    (mount / "file").write_text("goes on", encoding="utf-8")
    store.unmount()
    store.mount(passphrase_file=new)
    assert (mount / "file").read_text(encoding="utf-8") == "goes on"


def test_recovery_code(store, mount):
    (mount / "file").write_text("kept", encoding="utf-8")
    store.unmount()
    first = store.write_secret("first", store.recovery_code)
    store.mount("--recovery-file", first)
    store.unmount()
    typed = store.write_secret("typed", store.recovery_code.lower().replace("-", " "))
    store.mount("--recovery-file", typed)
    store.unmount()
    reissued = json.loads(store.run("recovery", store.path, "--json").stdout)["recovery_code"]
    assert reissued != store.recovery_code and len(reissued.replace("-", "")) == 56
    store.mount("--recovery-file", first, code=WRONG_SECRET)
    store.mount("--recovery-file", store.write_secret("second", reissued))
    assert (mount / "file").read_text(encoding="utf-8") == "kept"
    store.unmount()
    store.mount()


def test_lost_passphrase(store):
    """The recovery code sets a new passphrase, and can issue a new code."""
    code = store.write_secret("code", store.recovery_code)
    new = store.write_secret("new", "after the loss")
    store.run("passwd", store.path, "--recovery-file", code, "--new-passphrase-file", new)
    store.mount(code=WRONG_SECRET)
    store.mount(passphrase_file=new)
    store.unmount()
    store.run("recovery", store.path, "--recovery-file", code, "--json")
    store.mount("--recovery-file", code, code=WRONG_SECRET)


def test_unlocking_takes_its_time(store):
    """scrypt: guessing is dear, for the right and the wrong passphrase alike."""
    wrong = store.write_secret("wrong", "guess")
    start = time.monotonic()
    store.run("workspace", "list", store.path, passphrase_file=wrong, code=WRONG_SECRET)
    assert time.monotonic() - start > 0.05


def test_stores_differ(make_store):
    """Two stores of one passphrase share no slot, key or id."""
    first, second = make_store(), make_store()
    assert first.recovery_code != second.recovery_code
    twin = second.copy()
    for path in (first.path / "user").iterdir():
        for victim in (twin.path / "user").iterdir():
            victim.unlink()
        (twin.path / "user" / path.name).write_bytes(path.read_bytes())
    result = twin.mount(code=None)
    assert result.returncode != 0 and result.stderr.strip()
