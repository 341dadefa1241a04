"""The golden stores: stores of every format that was ever frozen. This riad and riad-dump read each, exactly as it was, for ever."""
import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from dump import Dump
from harness import Store
from manifest import describe

VERSIONS = sorted(path.name for path in Path(__file__).parent.glob("v*") if path.is_dir())
WORKSPACES = [(version, name) for version in VERSIONS
              for name in json.loads((Path(__file__).parent / version / "manifest.json").read_text(encoding="utf-8"))]
every_version = pytest.mark.parametrize("version", VERSIONS)
every_workspace = pytest.mark.parametrize("version, workspace", WORKSPACES)


def test_there_is_one():
    assert "v1" in VERSIONS


@pytest.fixture
def golden(binary, base, version):
    """A copy of the store, new to this node."""
    source = Path(__file__).parent / version
    store = Store(binary, base, passphrase=(source / "passphrase").read_text(encoding="utf-8").removesuffix("\n"))
    subprocess.run(["tar", "-xf", source / "store.tar", "-C", store.base, "--no-same-owner"], check=True)
    store.manifest = json.loads((source / "manifest.json").read_text(encoding="utf-8"))
    store.recovery_file = store.write_secret("recovery", (source / "recovery-code").read_text(encoding="utf-8"))
    yield store
    store.remove()


def assert_same(found, manifest):
    assert found.keys() == manifest.keys()
    for path, entry in manifest.items():
        assert found[path] == entry, path


def contents(path):
    return {file.relative_to(path): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.mark.root  # its files belong to several users
@every_workspace
def test_mount(golden, workspace):
    top = golden.mount("-w", workspace)
    assert_same(describe(top), golden.manifest[workspace])
    golden.unmount()
    golden.mount("-w", workspace)
    assert_same(describe(top), golden.manifest[workspace])
    golden.unmount()
    golden.fsck()


@pytest.mark.root
@every_workspace
def test_mount_with_recovery_code(golden, workspace):
    os.unlink(golden.passphrase_file)
    top = golden.mount("-w", workspace, "--recovery-file", golden.recovery_file)
    assert_same(describe(top), golden.manifest[workspace])


@pytest.mark.root
@every_workspace
def test_mount_read_only(golden, workspace):
    before = contents(golden.path)
    top = golden.mount("-w", workspace, "-o", "ro")
    assert_same(describe(top), golden.manifest[workspace])
    golden.unmount()
    after = contents(golden.path)
    for path in before.keys() - {path for path in before if path.suffix == ".beat"}:
        assert after[path] == before[path], path


@every_version
def test_fsck(golden):
    golden.fsck()


@pytest.mark.parametrize("version", ["v1"])
def test_limits(golden):
    """The last entry of the catalog for a workspace counts."""
    shown = {}
    for workspace in golden.manifest:
        golden.mount("-w", workspace)
        status = golden.status()
        shown[workspace] = (status["bytes_limit"], status["inodes_limit"])
        golden.unmount()
    assert shown == {"home": (2 << 30, 5000), "project-Ω": (32 << 20, 200)}


@pytest.mark.parametrize("secret", ["passphrase", "recovery"])
@every_workspace
def test_dump(golden, workspace, secret):
    given = {"passphrase": ("--passphrase-file", golden.passphrase_file), "recovery": ("--recovery-file", golden.recovery_file)}
    Dump(golden.path, *given[secret], workspace=workspace).check(golden.manifest[workspace])


@every_workspace
def test_dump_of_the_whole_log(golden, workspace):
    """Without the checkpoints, which hold the same again."""
    dump = Dump(golden.path, "--no-checkpoint", "--passphrase-file", golden.passphrase_file, workspace=workspace)
    dump.check(golden.manifest[workspace])


@every_version
def test_secrets_of_before_are_refused(golden):
    old = golden.write_secret("old", "the first passphrase, given up")
    Dump(golden.path, "--passphrase-file", old, workspace="home").run("ls", code=10)
    golden.mount(code=10, passphrase_file=old)


@pytest.mark.root
@every_workspace
def test_dump_after_changes(golden, workspace):
    """What this riad adds to an old store is read by the second reader as well."""
    top = golden.mount("-w", workspace)
    (top / "new").mkdir()
    for number in range(20):
        (top / "new" / str(number)).write_bytes(random.Random(number).randbytes(number * 3000))
    victim = next(path for path in sorted(top.iterdir()) if path.is_file() and path.stat().st_size > 1000)
    with open(victim, "r+b", buffering=0) as file:
        os.pwrite(file.fileno(), b"changed", 500)
    os.setxattr(victim, "user.new", b"new")
    shutil.copyfile(victim, top / "new" / "copy")
    for name in sorted(os.listdir(top))[:3]:
        if name != "new" and (top / name).is_file():
            os.rename(top / name, top / "new" / f"renamed {name}")
    after = describe(top)
    assert after != golden.manifest[workspace]
    golden.unmount()
    golden.fsck()
    Dump(golden.path, "--passphrase-file", golden.passphrase_file, workspace=workspace).check(after)
