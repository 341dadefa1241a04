"""scripts/riad-dump.py sees of a site's store what its members see: over several epochs, terms and crashes, each with her own secret."""
import hashlib
import io
import os
import random
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness import wait_until
from projects import acme, alice, bob, carol, daemon, dave, project, shared  # noqa: F401
from shares import Admin

pytestmark = pytest.mark.root
ACCOUNTS = 4
DUMP = Path(__file__).resolve().parents[2] / "scripts" / "riad-dump.py"


def dump(site, person, *arguments, code=0):
    """Without a word beside it."""
    secret = ("--site-root", site.root, "--user", person.account.name, "--passphrase-file", person.secret)
    result = subprocess.run(["/usr/bin/python3", DUMP, *secret, *arguments], capture_output=True, check=False, timeout=120)
    assert result.returncode == code and (code or not result.stderr), result.stderr.decode(errors="replace")
    return result.stdout


def contents(top):
    """{path: hash} of the files of a mount."""
    return {str(path.relative_to(top)): hashlib.sha256(path.read_bytes()).hexdigest() for path in top.rglob("*")
            if path.is_file() and not path.is_symlink()}


def dumped(site, person):
    with tarfile.open(fileobj=io.BytesIO(dump(site, person, "--workspace", "acme", site.store, "tar"))) as archive:
        return {os.path.normpath(member.name): hashlib.sha256(archive.extractfile(member).read()).hexdigest() for member in archive
                if member.isfile()}


def change(person, top, seed):
    """Parts of files of before, and new ones; some in data segments, some in the log."""
    rng = random.Random(seed)
    person.shell(f"umask 022; touch {top}/big {top}/small-{seed}")
    for path, sizes, size in (top / "big", (200_000, 1000, 40_000), 900_000), (top / f"small-{seed}", (3000,), 1000):
        with open(path, "r+b", buffering=0) as file:
            for piece in sizes:
                os.pwrite(file.fileno(), rng.randbytes(piece), rng.randrange(size))
            os.fsync(file.fileno())


def test_epochs(site, daemon, shared, alice, bob, carol, dave):
    """Whoever is removed has nothing any more, also of what she could read."""
    for kind, account in ("user", bob.account.uid), ("group", bob.account.gid):  # with grants and clocks in the catalog
        assert Admin(daemon).set(kind, account, bytes_limit=1 << 30, soft={"bytes_limit": 1 << 16})["ok"]
    change(bob, shared, 1)
    bob.shell(f"head -c 1M /dev/zero > {shared}/own")
    info = dump(site, bob, site.store, "info").decode()
    assert info.count("\n  grant ") >= 2 and info.count("\n  over since ") == 2 and f"limit user {bob.account.uid} 65536 {1 << 30} " in info
    assert dumped_when_closed(site, daemon, shared, alice, carol)
    alice.signed("member", "remove", "acme", carol.account.name)
    change(bob, shared, 2)
    worker = daemon.worker()
    os.kill(worker, 9)
    wait_until(lambda: daemon.worker() not in (None, worker), 30, "another worker")
    wait_until(lambda: project(alice) and project(alice)["open"], 30, "the project to come back")
    change(bob, shared, 3)
    alice.signed("workspace", "rekey", "acme")
    change(alice, shared, 4)
    assert dumped_when_closed(site, daemon, shared, alice, bob)
    for person, listed in (alice, ["home", "project"]), (bob, ["home", "project"]), (carol, ["home"]), (dave, ["home"]):
        assert sorted(line.split()[1].decode() for line in dump(site, person, site.store, "list").splitlines()) == listed
    dump(site, carol, "--workspace", "acme", site.store, "ls", code=1)
    dump(site, carol, "--workspace", project_directory(site).name, site.store, "ls", code=1)
    headers = {path.read_bytes()[12] for folder in ("log", "data") for path in (project_directory(site) / folder).iterdir()}
    assert 3 in headers  # older ones are there until what they hold was sealed anew


def project_directory(site):
    found, = [path for path in (site.store / "ws").iterdir() if any((path / "data").iterdir())]
    return found


def dumped_when_closed(site, daemon, shared, *people):
    """Both readers see the same. The log alone need not do: its beginning may be gone."""
    expected = contents(shared)
    daemon.stop()
    for person in people:
        assert dumped(site, person) == expected
        dump(site, person, site.store, "verify")
    daemon.start()
    for person in people:
        person.unlock()
    return expected == contents(shared)
