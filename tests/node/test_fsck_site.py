"""riad fsck at a site: riadd's worker checks and repairs what is not open, with the keys of whoever asks, and tells her alone."""
import json
import os
import shutil
import signal
import subprocess

import pytest

from harness import DAMAGED, DONE, FAILED, NOT_PERMITTED, OWNED, WRONG_SECRET, wait_until
from projects import acme, alice, bob, carol, daemon, dave, kinds, other, project, shared  # noqa: F401
from sites import Daemon, Person
from tampering import damage_changes, flip

pytestmark = pytest.mark.root
ACCOUNTS = 4
HANGS = 60


def fsck(person, *options, code=DONE):
    """{workspace: what was told of it}"""
    result = person.signed("fsck", "--json", *options, code=code)
    return {told["workspace"]: told for told in json.loads(result.stdout)["workspaces"]}


def identifier(person, name, kind):
    return next(item["id"] for item in person.json("workspace", "list")["workspaces"] if (item["workspace"], item["kind"]) == (name, kind))


def directory_of(site, person, name="acme", kind="project"):
    return site.store / "ws" / identifier(person, name, kind)


def lock(person, name="acme"):
    person.lock(name)
    wait_until(lambda: not project(person, name)["open"], 30, "the project to close")


def lose_all_but_the_log(site, folder):
    shutil.rmtree(site.first.state / "ws" / folder.name)
    for path in (folder / "ckpt").iterdir():
        path.unlink()


def make_many(site, shared, alice, person, count):
    """So many files in a directory, by a segment of the log of their own; of the project nothing but the log is left."""
    lock(alice)
    alice.unlock()
    person.shell(f"umask 022; mkdir {shared}/many; for i in $(seq {count}); do echo $i > {shared}/many/$i; done")
    lock(alice)
    folder = directory_of(site, alice)
    lose_all_but_the_log(site, folder)
    return folder


def test_what_is_whole_is_told_to_be(site, shared, alice, bob):
    home = alice.account.name
    lock(alice)
    found = fsck(alice, code=OWNED)  # her home is open
    assert set(found) == {"acme"} and found["acme"]["damage"] == 0 and found["acme"]["findings"] == []
    alice.unlock()
    alice.shell(f"echo mine > {alice.home}/file")
    alice.run("lock")
    wait_until(lambda: not os.path.ismount(alice.home) and not os.path.ismount(shared), 30, "all to close")
    found = fsck(alice)
    assert set(found) == {"acme", home} and not any(told["damage"] for told in found.values())
    assert found[home]["inodes"] == 2 and found["acme"]["inodes"] == 6
    assert set(fsck(alice, "-w", home)) == set(fsck(alice, "-w", "home")) == {home} and set(fsck(alice, "-w", identifier(alice, "acme", "project"))) == {"acme"}
    assert "`riad workspace list`" in alice.signed("fsck", "-w", "nothing", code=FAILED).stderr
    assert kinds(site).count("checked") == 6 and "repaired" not in kinds(site)
    plain = alice.signed("fsck", "-w", home).stdout
    assert plain.startswith(f"{home}: clean: ")
    alice.unlock()
    assert alice.shell(f"cat {alice.home}/file {shared}/keep") == "mine\nkeep\n"


def test_what_is_open_is_refused(shared, alice):
    refused = alice.signed("fsck", "--json", code=OWNED)
    assert "riad lock" in refused.stderr and json.loads(refused.stdout)["workspaces"] == []
    assert alice.shell(f"cat {shared}/keep") == "keep\n"


def test_who_may(site, shared, alice, bob, carol, dave):
    bob.run("lock", "home")
    wait_until(lambda: not os.path.ismount(bob.home), 30, "his home to close")
    lock(alice)
    for member in bob, carol:
        assert "managers" in member.signed("fsck", "-w", "acme", code=NOT_PERMITTED).stderr
        assert "managers" in member.signed("fsck", "--repair", "-w", "acme", code=NOT_PERMITTED).stderr
    assert set(fsck(bob, code=NOT_PERMITTED)) == {bob.account.name}  # hers is checked all the same
    assert "no workspace `acme` of yours" in dave.signed("fsck", "-w", "acme", code=FAILED).stderr
    wrong = site.write_secret("wrong", "no passphrase of anybody")
    wrong.chmod(0o644)
    alice.run("fsck", "--passphrase-file", wrong, code=WRONG_SECRET)
    assert set(fsck(alice, "-w", "acme")) == {"acme"}


def test_damaged_contents_are_told_by_path(site, shared, alice, bob):
    alice.shell(f"mkdir {shared}/deep; dd if=/dev/urandom of={shared}/deep/big bs=300k count=1 status=none")
    lock(alice)
    segment = max((directory_of(site, alice) / "data").iterdir())
    flip(segment, segment.stat().st_size // 2)
    found = fsck(alice, "-w", "acme", code=DAMAGED)["acme"]
    assert found["damage"] == len(found["findings"]) == 1 and found["findings"][0].startswith("/deep/big: ")
    plain = alice.signed("fsck", "-w", "acme", code=DAMAGED)
    assert "acme: /deep/big: " in plain.stdout and "acme: DAMAGED: " in plain.stdout and plain.stderr == ""
    events = json.dumps(site.first.events())
    assert "1 findings" in events and "/deep" not in events  # paths are hers alone
    found = fsck(alice, "-w", "acme", "--repair", code=DAMAGED)["acme"]
    assert found["repair"]["changes_lost"] == 0 and found["after"]["damage"] == 1  # what is not there cannot be had back
    alice.unlock()
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run([*bob.account.prefix(), "cat", shared / "deep" / "big"], check=True, capture_output=True)
    assert bob.shell(f"cat {shared}/keep") == "keep\n"


def test_a_damaged_log_is_repaired(site, daemon, shared, alice, bob, carol):
    """With the local state lost, nobody can open it; what can be read stays, and who could read it can."""
    folder = make_many(site, shared, alice, alice, 40)
    damage_changes(max((folder / "log").iterdir()), 40, 43)
    refused = alice.unlock(code=DAMAGED)
    assert "fsck --repair" in refused.stderr and not os.path.ismount(shared)
    assert fsck(alice, "-w", "acme", code=DAMAGED)["acme"]["damage"] > 0
    found = fsck(alice, "-w", "acme", "--repair", code=DAMAGED)["acme"]
    repair = found["repair"]
    assert repair["history_mended"] and repair["changes_lost"] == 3 and repair["changes_salvaged"] > 30
    assert found["after"]["damage"] == 0 and repair["findings"]
    assert fsck(alice, "-w", "acme")["acme"]["damage"] == 0 and "repaired" in kinds(site)
    alice.unlock()
    left = bob.shell(f"cat {shared}/many/* 2> /dev/null", code=None).split()
    assert len(left) >= 36 and set(left) <= {str(number) for number in range(1, 41)}
    assert carol.shell(f"cat {shared}/keep") == "keep\n"
    bob.shell(f"echo more > {shared}/papers/more")
    carol.shell(f"echo no > {shared}/papers/more", code=2)


def test_what_lost_its_name_is_the_managers(site, daemon, shared, alice, bob):
    """The change is lost that made the directory: what was in it hangs in lost+found, which is open to who had it repaired."""
    folder = make_many(site, shared, alice, bob, 9)
    damage_changes(max((folder / "log").iterdir()), 0, 1)
    found = fsck(alice, "-w", "acme", "--repair", code=DAMAGED)["acme"]
    assert found["after"]["damage"] == 0 and found["repair"]["orphans"] > 0
    alice.unlock()
    place = f"{shared}/lost+found"
    assert os.stat(place).st_uid == alice.account.uid
    bob.shell(f"ls {place}", code=2)
    assert alice.shell(f"ls {place}").split()
    alice.shell(f"chmod 1777 {place}")  # she has others take what is theirs
    bob.shell(f"mkdir {shared}/back; mv {place}/* {shared}/back/")
    kept = bob.shell(f"find {shared}/back -type f -exec cat {{}} +").split()
    assert sorted(kept) == [str(number) for number in range(1, 10)]
    lock(alice)
    assert fsck(alice, "-w", "acme")["acme"]["damage"] == 0


@pytest.fixture
def slow_daemon(site, daemon_binary, slow_store):
    made = Daemon(site.first, daemon_binary, prefix=slow_store.prefix())
    yield made.start()
    slow_store.quick()
    made.remove()


@pytest.fixture
def slow_home(slow_daemon, slow_store, accounts):
    """A home that is locked, and whose reads take long."""
    person = Person(slow_daemon, accounts[0], "somebody's passphrase")
    person.enroll()
    person.unlock()
    person.shell(f"for i in $(seq 30); do dd if=/dev/urandom of={person.home}/$i bs=300k count=1 status=none; done")
    person.run("lock")
    wait_until(lambda: not os.path.ismount(person.home), 30, "the home to close")
    slow_store.slow("read", HANGS, where="/data/")
    return person


def begin(person, *options):
    command = [*person.account.prefix(), person.daemon.node.site.binary, "fsck", *options, "--passphrase-file", person.secret]
    environment = {**person.daemon.node.environment(), "RIAD_STATE_DIR": str(person.state)}
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def is_checking(worker):
    names = subprocess.run(["ps", "-T", "-o", "comm=", "-p", str(worker)], capture_output=True, text=True, check=False).stdout.split()
    return "riad-check" in names


def test_nobody_opens_it_meanwhile(slow_daemon, slow_store, slow_home):
    check = begin(slow_home)
    wait_until(lambda: is_checking(slow_daemon.worker()), 30, "the check to begin")
    refused = slow_home.unlock(code=OWNED)
    assert "in use" in refused.stderr
    assert "another check of yours" in slow_home.signed("fsck", code=FAILED).stderr
    slow_store.quick()
    out, _ = check.communicate(timeout=60)
    assert check.returncode == DONE and "clean" in out
    slow_home.unlock()
    assert len(slow_home.shell(f"ls {slow_home.home}").split()) == 30


def test_who_goes_away_ends_it(slow_daemon, slow_store, slow_home):
    slow_store.slow("read", 2, where="/data/")  # a minute for all that there is
    check = begin(slow_home)
    wait_until(lambda: is_checking(slow_daemon.worker()), 30, "the check to begin")
    check.kill()
    check.communicate()
    wait_until(lambda: not is_checking(slow_daemon.worker()), 20, "the check to end")
    slow_store.quick()
    slow_home.unlock()


def test_the_worker_dies(slow_daemon, slow_store, slow_home):
    check = begin(slow_home, "--repair")
    wait_until(lambda: is_checking(slow_daemon.worker()), 30, "the check to begin")
    before = slow_daemon.worker()
    os.kill(before, signal.SIGKILL)
    _, told = check.communicate(timeout=60)
    assert check.returncode == FAILED and "before the check did" in told
    slow_store.quick()
    wait_until(lambda: slow_daemon.worker() not in (None, before), 30, "another worker")
    assert fsck(slow_home)[slow_home.account.name]["damage"] == 0
    slow_home.unlock()


def test_riadd_is_stopped(slow_daemon, slow_store, slow_home):
    """It does not wait for a check that would take long."""
    slow_store.slow("read", 0.3, where="/data/")
    check = begin(slow_home)
    wait_until(lambda: is_checking(slow_daemon.worker()), 30, "the check to begin")
    slow_daemon.process.terminate()
    _, told = check.communicate(timeout=60)
    assert check.returncode == FAILED and ("riadd is being stopped" in told or "before the check did" in told), told
    assert slow_daemon.process.wait(60) == DONE
    slow_daemon.process = None
    slow_store.quick()
    slow_daemon.start()
    assert fsck(slow_home)[slow_home.account.name]["damage"] == 0


def test_what_another_node_has_open_is_refused(other, shared, alice, accounts):
    there = Person(other, accounts[0], "alice's passphrase")
    refused = there.signed("fsck", "-w", "acme", code=OWNED)
    assert "in use on another machine" in refused.stderr
    lock(alice)
    assert fsck(there, "-w", "acme")["acme"]["damage"] == 0
    alice.unlock()
    assert alice.shell(f"cat {shared}/keep") == "keep\n"
