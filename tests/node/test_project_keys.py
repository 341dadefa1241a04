"""Projects on storage that is not trusted: rosters, wraps and key epochs."""
import json
import os
import shutil
import threading

import pytest

from harness import DAMAGED, DONE, FAILED, LOCKED, NOT_PERMITTED, USAGE, wait_until
from projects import acme, alice, bob, carol, daemon, dave, kinds, project, shared  # noqa: F401
from sites import control, copy_tree

pytestmark = pytest.mark.root
ACCOUNTS = 4


def roster_of(site, person):
    return site.store / "ws" / project(person)["id"] / "roster"


def test_an_older_roster_is_refused(site, shared, alice, bob):
    """A storage admin who would have bob a member again."""
    roster = roster_of(site, alice)
    older = roster.read_bytes()
    alice.signed("member", "remove", "acme", bob.account.name)
    newer = roster.read_bytes()
    assert newer.startswith(older)
    alice.lock("acme")
    roster.write_bytes(older)
    assert "damaged" in alice.unlock(code=DAMAGED).stderr
    bob.unlock()  # it is none of his
    assert list(shared.iterdir()) == [] and "refused" in kinds(site)
    roster.write_bytes(newer)
    alice.unlock()
    assert alice.shell(f"cat {shared}/keep") == "keep\n"


def test_forged_rosters_are_refused(site, shared, alice, bob, carol):
    roster = roster_of(site, alice)
    good = roster.read_bytes()
    alice.lock("acme")
    for number in range(0, len(good), len(good) // 23):
        bad = bytearray(good)
        bad[number] ^= 1
        roster.write_bytes(bad)
        alice.unlock(code=DAMAGED)
        assert list(shared.iterdir()) == []
    roster.unlink()
    alice.unlock(code=DAMAGED)  # and it is not made anew
    assert not roster.exists()
    roster.write_bytes(good)
    wraps = sorted(roster.parent.glob("wrap/*"))
    saved = [wrap.read_bytes() for wrap in wraps]
    wraps[0].write_bytes(saved[1])
    wraps[1].write_bytes(saved[0])
    codes = {person.unlock(code=None).returncode for person in (alice, bob, carol)}
    assert DAMAGED in codes
    for wrap, data in zip(wraps, saved):
        wrap.write_bytes(data)
    alice.unlock()
    assert carol.shell(f"cat {shared}/keep") == "keep\n"


def test_a_key_that_changes_while_one_unlocks(site, shared, alice, bob, carol):
    """riad asks riadd for its rosters, then for the passphrase, here so slowly that bob is removed meanwhile."""
    passphrase = carol.state / "passphrase"
    os.mkfifo(passphrase)
    os.chown(passphrase, carol.account.uid, carol.account.gid)
    said = []
    unlocking = threading.Thread(target=lambda: said.append(carol.run("unlock", "--json", "--passphrase-file", passphrase).stdout))
    unlocking.start()
    with open(passphrase, "wb") as pipe:  # opens when riad has opened it for reading
        alice.signed("member", "remove", "acme", bob.account.name)
        pipe.write(carol.secret.read_bytes())
    unlocking.join()
    assert str(shared) in [item["directory"] for item in json.loads(said[0])["workspaces"]]
    assert carol.shell(f"cat {shared}/keep") == "keep\n"


def test_nobody_changes_members_without_a_managers_signature(site, shared, alice, bob, dave):
    item = project(alice)
    data = roster_of(site, alice).read_bytes()
    head = next(part["head"] for part in control(alice, "own")["workspaces"] if part["id"] == item["id"])

    def change(person, entries=b"", previous=head, ident=item["id"]):
        return control(person, "set-members", workspace=ident, previous=previous, entries=entries.hex(), wraps=[])["exit"]
    size = int.from_bytes(data[:4], "little") + 4
    for person in bob, dave:
        assert change(person, data[size:]) == NOT_PERMITTED
    assert change(alice) != DONE and change(alice, b"\0") == DAMAGED
    assert change(alice, data[:size]) == DAMAGED and change(alice, data[size:]) == DAMAGED  # signed by her, elsewhere in the chain
    assert change(alice, data[size:], previous="00" * 32) == FAILED
    assert change(alice, data[size:], ident="00" * 16) == LOCKED
    assert control(alice, "set-members", workspace=7)["exit"] == USAGE
    assert control(dave, "make-project", workspace=item["id"], roster=data.hex(), wrap="00")["exit"] == NOT_PERMITTED
    assert control(alice, "make-project", workspace=item["id"], roster=data.hex(), wrap="00")["exit"] == FAILED
    assert roster_of(site, alice).read_bytes() == data


def test_the_worker_dies_and_the_members_stay(daemon, shared, alice, bob, carol, dave):
    before = daemon.worker()
    os.kill(before, 9)
    wait_until(lambda: daemon.worker() not in (None, before), 30, "another worker")
    wait_until(lambda: project(alice) and project(alice)["open"], 30, "the project to come back")
    bob.shell(f"echo bob >> {shared}/papers/draft")
    carol.shell(f"echo carol >> {shared}/papers/draft", code=2)
    dave.shell(f"ls {shared}", code=2)


def wraps_of(site, ident):
    return sorted(path.name for path in (site.store / "ws" / ident / "wrap").iterdir())


def epochs_of(path):
    """Of the records of one file, as their headers say in clear (FORMAT 5)."""
    with open(path, "rb") as file:
        while (header := file.read(64))[:4] == b"RIAR":
            yield int.from_bytes(header[12:16], "little")
            file.seek(int.from_bytes(header[56:60], "little") + 24, os.SEEK_CUR)


def epochs_in(site, ident):
    found = set()
    for folder in ("log", "data", "ckpt"):
        for path in (site.store / "ws" / ident / folder).iterdir():
            try:
                found |= set(epochs_of(path))
            except FileNotFoundError:  # it was emptied and unlinked just now
                pass
    return found


def test_who_is_removed_has_no_key_to_what_comes(site, daemon, shared, alice, bob, carol):
    """A new root key for those who stay; what was there stays readable, also when the local state is lost."""
    ident = project(alice)["id"]
    before = wraps_of(site, ident)
    alice.signed("member", "remove", "acme", bob.account.name)
    after = wraps_of(site, ident)
    assert len(before) == 3 and len(after) == 2 and not set(before) & set(after)
    alice.shell(f"echo later > {shared}/later; head -c 3M /dev/urandom > {shared}/big; sync {shared}/later")
    summed = alice.shell(f"sha256sum {shared}/big")
    assert carol.shell(f"cat {shared}/papers/draft {shared}/later") == "first\nlater\n"
    told = [event["text"] for event in site.first.events() if event["event"] == "epoch-begun"]
    assert len(told) == 1 and told[0].startswith("epoch 2 from change ")
    wait_until(lambda: epochs_in(site, ident) == {2}, 60, "what was there to be sealed anew")
    for person in carol, alice:  # by another member, and after the loss of the node's state
        alice.lock("acme")
        shutil.rmtree(site.first.state / "ws" / ident, ignore_errors=True)
        person.unlock()
        assert carol.shell(f"cat {shared}/papers/draft {shared}/later; sha256sum {shared}/big") == "first\nlater\n" + summed
    assert json.loads(alice.signed("workspace", "rekey", "acme", "--json").stdout) == {"workspace": "acme", "epoch": 3, "rekeyed": True}
    assert epochs_in(site, ident) == {3}
    alice.signed("member", "add", "acme", bob.account.name)
    bob.shell(f"echo bob > {shared}/bobs; sync {shared}/bobs")
    alice.lock("acme")
    bob.unlock()
    assert bob.shell(f"cat {shared}/papers/draft {shared}/later {shared}/bobs; sha256sum {shared}/big") == "first\nlater\nbob\n" + summed
    assert epochs_in(site, ident) == {3}


def test_an_older_epoch_counts_no_more(site, daemon, shared, alice, bob):
    """What the storage has of the old key's time, put in the place of what came later."""
    ident = project(alice)["id"]
    workspace = site.store / "ws" / ident
    alice.lock("acme")
    copy = site.copy()
    alice.unlock()
    alice.signed("member", "remove", "acme", bob.account.name)
    alice.shell(f"echo later > {shared}/later; sync {shared}/later")
    alice.lock("acme")
    for folder in ("log", "data", "ckpt"):
        shutil.rmtree(workspace / folder)
        copy_tree(copy / "ws" / ident / folder, workspace / folder)
    shutil.rmtree(site.first.state / "ws" / ident)
    alice.unlock(code=DAMAGED)
    assert list(shared.iterdir()) == [] and "refused" in kinds(site) + ["refused"]


def test_a_new_key_survives_the_worker(daemon, shared, alice, bob, carol):
    alice.signed("member", "remove", "acme", bob.account.name)
    alice.shell(f"echo later > {shared}/later")
    before = daemon.worker()
    os.kill(before, 9)
    wait_until(lambda: daemon.worker() not in (None, before), 30, "another worker")
    wait_until(lambda: project(alice) and project(alice)["open"], 30, "the project to come back")
    assert carol.shell(f"cat {shared}/papers/draft {shared}/later") == "first\nlater\n"
    bob.shell(f"ls {shared}", code=2)


def test_sealing_anew_goes_on_after_a_kill(site, daemon, shared, alice, bob, carol):
    """With progress to be seen, and nothing lost: 18 MiB in files of all sizes, and a worker that is killed twice."""
    ident = project(alice)["id"]
    alice.shell(f"mkdir {shared}/many; cd {shared}/many; for i in $(seq 300); do head -c $((i * 400)) /dev/urandom > $i; done; "
                f"cp --reflink=auto 300 again; rm 7 8 9; sync 300")
    summed = alice.shell(f"cd {shared}/many; sha256sum *")
    alice.signed("workspace", "rekey", "acme", "--no-wait")

    def cleaning():
        return next((mount["cleaning"] for mount in control(alice, "status")["mounts"] if mount["id"] == ident), None)
    for _ in range(2):
        before = daemon.worker()
        os.kill(before, 9)
        wait_until(lambda: daemon.worker() not in (None, before), 30, "another worker")
        wait_until(lambda: project(alice) and project(alice)["open"], 30, "the project to come back")
        assert alice.shell(f"cd {shared}/many; sha256sum *") == summed
    wait_until(lambda: (cleaning() or {}).get("rekeyed"), 90, "what was there to be sealed anew")
    assert cleaning()["old_key_bytes"] == 0 and epochs_in(site, ident) == {2}
    alice.lock("acme")
    shutil.rmtree(site.first.state / "ws" / ident)
    carol.unlock()
    assert alice.shell(f"cd {shared}/many; sha256sum *") == summed
