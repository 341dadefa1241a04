"""riadd with real accounts: who may do what, what a worker's death costs, and what the storage cannot do."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from harness import DAMAGED, DONE, FAILED, NOT_MOUNTED, NOT_PERMITTED, OWNED, USAGE, WRONG_SECRET, wait_until
from sites import Account, Daemon, Person, Site, control, copy_tree

pytestmark = pytest.mark.root
ACCOUNTS = 3


@pytest.fixture
def daemon(site, daemon_binary):
    made = Daemon(site.first, daemon_binary, "[policy]", "home-bytes = 50M", "home-inodes = 1k")
    yield made.start()
    made.remove()


@pytest.fixture
def alice(daemon, accounts):
    return Person(daemon, accounts[0], "alice's passphrase")


@pytest.fixture
def bob(daemon, accounts):
    return Person(daemon, accounts[1], "bob's passphrase")


def test_a_person_enrols_and_works(site, daemon, alice, bob):
    told = alice.enroll()
    assert told["directory"] == str(alice.home) and len(told["recovery_code"]) == 63
    alice.shell(f"echo hello > {alice.home}/file && mkdir {alice.home}/folder && chmod 755 {alice.home}/folder")
    info = alice.home.stat()
    assert (info.st_uid, info.st_gid, info.st_mode & 0o7777) == (alice.account.uid, alice.account.gid, 0o700)
    # Whoever is not let in by the modes stays outside; whoever is, comes in: the mount is for everybody.
    bob.shell(f"cat {alice.home}/file", code=1)
    alice.shell(f"chmod 711 {alice.home}; chmod 644 {alice.home}/file")
    assert bob.shell(f"cat {alice.home}/file") == "hello\n"
    bob.shell(f"echo bob > {alice.home}/file", code=2)
    options, = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(alice.home) in line]
    assert {"nosuid", "nodev"} <= set(options[5].split(",")) and {"default_permissions", "allow_other"} <= set(options[-1].split(","))
    limit = os.statvfs(alice.home)
    assert limit.f_blocks * limit.f_frsize == 50 << 20 and limit.f_files == 1000
    alice.shell(f"head -c 60M /dev/zero > {alice.home}/big", code=1)
    assert (alice.home / "big").stat().st_blocks * 512 <= 50 << 20


def test_locked_is_locked(site, daemon, alice):
    alice.enroll()
    alice.shell(f"echo secret words > {alice.home}/file")
    alice.lock()
    assert list(alice.home.iterdir()) == []  # also for root
    assert "secret words" not in subprocess.run(["grep", "-ra", "secret words", site.store], capture_output=True, text=True, check=False).stdout
    alice.run("unlock", "--passphrase-file", site.write_secret("wrong", "wrong"), code=FAILED)  # not hers to read
    wrong = Person(daemon, alice.account, "guess")
    wrong.unlock(code=WRONG_SECRET)
    assert list(alice.home.iterdir()) == []
    alice = Person(daemon, alice.account, "alice's passphrase")
    alice.unlock()
    assert alice.shell(f"cat {alice.home}/file") == "secret words\n"
    kinds = [event["event"] for event in site.first.events()]
    assert kinds.count("unlocked") == 2 and kinds.count("unlock-failed") == 1 and kinds.count("user-enrolled") == 1


def test_each_sees_and_locks_her_own(site, daemon, alice, bob):
    alice.enroll()
    bob.enroll()
    assert [mount["directory"] for mount in alice.json("status")["mounts"]] == [str(alice.home)]
    assert len(site.first.json("status")["mounts"]) == 2
    bob.run("unmount", alice.home, code=NOT_MOUNTED)
    bob.run("sync", alice.home, code=NOT_MOUNTED)
    alice.run("sync", alice.home)
    site.first.run("lock")  # root means its own, and has none
    assert len(site.first.json("status")["mounts"]) == 2
    bob.lock()
    assert [mount["directory"] for mount in site.first.json("status")["mounts"]] == [str(alice.home)]
    site.first.run("unmount", alice.home)
    assert site.first.json("status")["mounts"] == []


def test_users_are_told_apart(site, daemon, alice, bob):
    alice.enroll()
    assert "already" in alice.run("user", "enroll", "--passphrase-file", alice.secret, code=FAILED).stderr
    bob.run("unlock", "--passphrase-file", bob.secret, code=NOT_PERMITTED)
    bob.enroll()
    users = {user["user"]: user for user in bob.json("user", "list")["users"]}
    assert set(users) == {alice.account.name, bob.account.name}
    assert users[alice.account.name]["uid"] == alice.account.uid
    shown, = alice.json("user", "show", alice.account.name)["users"]
    assert shown == users[alice.account.name] and shown["fingerprint"] != users[bob.account.name]["fingerprint"]
    alice.run("user", "show", "nobody-such", code=FAILED)


def test_a_disabled_user_is_locked_out_and_loses_nothing(site, daemon, alice, bob):
    alice.enroll()
    bob.enroll()
    alice.shell(f"echo kept > {alice.home}/file")
    bob.run("user", "disable", alice.account.name, code=NOT_PERMITTED)
    site.first.run("user", "disable", alice.account.name)
    wait_until(lambda: list(alice.home.iterdir()) == [], 10, "her home to be locked")
    alice.unlock(code=NOT_PERMITTED)
    assert len(site.first.json("status")["mounts"]) == 1
    site.first.run("user", "enable", alice.account.name)
    alice.unlock()
    assert alice.shell(f"cat {alice.home}/file") == "kept\n"


def test_root_sets_limits_without_a_key(site, daemon, alice, bob):
    alice.enroll()
    bob.enroll()
    alice.shell(f"head -c 10M /dev/zero > {alice.home}/file")
    listed = {item["workspace"]: item for item in site.first.json("workspace", "list")["workspaces"]}
    assert set(listed) == {alice.account.name, bob.account.name}
    mine, = alice.json("workspace", "list")["workspaces"]
    assert mine == listed[alice.account.name] and mine["open"] and mine["bytes_used"] >= 10 << 20 and mine["bytes_limit"] == 50 << 20
    alice.run("quota", "set", "-w", alice.account.name, "-B", "1G", code=NOT_PERMITTED)
    site.first.run("quota", "set", "-w", alice.account.name, "-B", "12M")
    alice.shell(f"head -c 3M /dev/zero > {alice.home}/more", code=1)  # at once, while it is open
    alice.lock()
    assert "-" in site.first.run("workspace", "list").stdout
    alice.unlock()
    assert os.statvfs(alice.home).f_blocks * os.statvfs(alice.home).f_frsize == 12 << 20
    site.first.run("quota", "set", "-w", mine["id"], "-B", "none", "-I", "2k")
    changed, = alice.json("workspace", "list")["workspaces"]
    assert (changed["bytes_limit"], changed["inodes_limit"]) == (0, 2000)
    site.first.run("quota", "set", "-w", "nobody-such", "-B", "1G", code=FAILED)
    site.first.run("quota", "set", "-B", "1G", code=USAGE)
    assert [event["event"] for event in site.first.events()].count("limit-set") == 2


def test_a_recycled_uid_inherits_nothing(site, daemon, alice):
    """The account is removed, and its number goes to somebody else."""
    account = Account(9)
    try:
        carol = Person(daemon, account, "carol's passphrase")
        carol.enroll()
        carol.lock()
        subprocess.run(["usermod", "--login", account.name + "new", account.name], check=True, capture_output=True)
        account.name += "new"
        carol.unlock(code=NOT_PERMITTED)
        assert control(carol, "own")["exit"] == NOT_PERMITTED and control(carol, "workspaces")["workspaces"] == []
        assert "already" in carol.run("user", "enroll", "--passphrase-file", carol.secret, code=FAILED).stderr
        site.first.run("user", "disable", account.name[:-3])
        newcomer = Person(daemon, account, "another passphrase")
        newcomer.enroll()
        assert list(newcomer.home.iterdir()) == []
    finally:
        account.remove()


def test_who_guesses_has_to_wait(site, daemon, alice, bob):
    alice.enroll()
    alice.lock()
    bob.enroll()
    alice.secret.write_text("a guess\n")
    for _ in range(20):
        alice.unlock(code=WRONG_SECRET)
    for _ in range(2):
        assert "wait for 1 s" in alice.unlock(code=FAILED).stderr
    bob.lock()
    bob.unlock()  # others need not
    time.sleep(1.1)
    alice.unlock(code=WRONG_SECRET)
    assert "wait for 2 s" in alice.unlock(code=FAILED).stderr
    time.sleep(2.1)
    alice = Person(daemon, alice.account, "alice's passphrase")
    for _ in range(3):  # it is forgotten
        alice.unlock()
        alice.lock()
    assert [event["event"] for event in site.first.events()].count("unlock-failed") == 21


def test_new_secrets(site, daemon, alice):
    told = alice.enroll()
    alice.lock()
    code = Person(daemon, alice.account, told["recovery_code"])
    code.secret = code.secret.rename(code.secret.with_name("recovery"))
    alice = Person(daemon, alice.account, "alice's passphrase")
    alice.run("unlock", "--recovery-file", code.secret)
    alice.lock()
    fresh = Person(daemon, alice.account, "a new passphrase")
    fresh.secret = fresh.secret.rename(fresh.secret.with_name("fresh"))
    alice.run("passwd", "--recovery-file", code.secret, "--new-passphrase-file", fresh.secret)
    Person(daemon, alice.account, "alice's passphrase").unlock(code=WRONG_SECRET)
    alice.run("unlock", "--passphrase-file", fresh.secret)
    alice.lock()
    again = alice.json("recovery", "--passphrase-file", fresh.secret)
    alice.run("unlock", "--recovery-file", code.secret, code=WRONG_SECRET)
    assert again["recovery_code"] != told["recovery_code"]


def test_a_worker_that_dies_is_started_again(site, daemon, alice, bob):
    """With what it had open; what was acknowledged is there (P1)."""
    alice.enroll()
    bob.enroll()
    bob.lock()
    alice.shell(f"for i in $(seq 50); do echo $i > {alice.home}/file$i; done")
    before = daemon.worker()
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: daemon.worker() not in (None, before), 30, "another worker")
    wait_until(lambda: alice.json("status")["mounts"] != [], 30, "her home to come back")
    assert alice.shell(f"cat {alice.home}/file50; ls {alice.home} | wc -l") == "50\n50\n"
    assert list(bob.home.iterdir()) == []  # what was locked stays so
    assert "was killed by signal 9" in daemon.log.read_text()
    alice.lock()
    alice.unlock()


def test_the_end_does_not_wait_for_users(site, daemon, alice):
    alice.enroll()
    holder = subprocess.Popen([*alice.account.prefix(), "sh", "-c", "echo words > file; exec sleep 1000 3< file"], cwd=alice.home)
    try:
        wait_until(lambda: (alice.home / "file").exists() and (alice.home / "file").stat().st_size == 6, 10, "the file")
        begun = time.monotonic()
        daemon.stop()
        assert time.monotonic() - begun < 20
        daemon.start()
        alice.unlock()
        assert alice.shell(f"cat {alice.home}/file") == "words\n"
    finally:
        holder.kill()
        holder.wait()


def test_one_riadd_a_directory(site, daemon, daemon_binary, alice):
    second = subprocess.run([daemon_binary, "--foreground", "--config", daemon.node.config], capture_output=True, text=True, check=False,
                            timeout=30, env=site.first.environment())
    assert second.returncode == OWNED and "another riadd" in second.stderr
    alice.enroll()


def test_wrong_keys_take_nobodys_room(site, daemon, alice, bob):
    """Hundreds of keys that lead nowhere, from one user: others unlock, and her own right one is taken too."""
    alice.enroll()
    bob.enroll()
    bob.lock()
    flood = ("import socket,os,sys\nfor i in range(300):\n s=socket.socket(socket.AF_UNIX)\n s.connect(sys.argv[1])\n"
             " s.sendall(b'RIAK'+b'\\1\\0\\0\\0'+os.urandom(16)+b'\\1\\0\\0\\0'+os.urandom(32))\n assert b'error' in s.recv(9999)")
    clients = [subprocess.Popen([*alice.account.prefix(), "/usr/bin/python3", "-c", flood, str(daemon.node.directory / "run/keys")], cwd="/")
               for _ in range(2)]
    bob.unlock()
    assert [client.wait(120) for client in clients] == [0, 0]
    alice.lock()
    alice.unlock()
    lines = Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines()
    assert [int(line.split()[1]) < 1024 for line in lines if line.startswith("VmLck")] == [True]


def test_the_end_is_orderly(site, daemon, alice):
    alice.enroll()
    alice.shell(f"echo words > {alice.home}/file")
    daemon.stop()
    assert list(alice.home.iterdir()) == []
    daemon.start()
    alice.unlock()
    assert alice.shell(f"cat {alice.home}/file") == "words\n"


def test_a_monitor_that_dies_takes_all_along(site, daemon, alice):
    alice.enroll()
    alice.shell(f"echo words > {alice.home}/file")
    daemon.kill()
    daemon.start()
    alice.unlock()  # over the dead mount that was left, if one was
    assert alice.shell(f"cat {alice.home}/file") == "words\n"


def test_in_use_is_told(site, daemon, alice):
    alice.enroll()
    holder = subprocess.Popen([*alice.account.prefix(), "sleep", "1000"], cwd=alice.home)
    try:
        time.sleep(0.3)
        refused = alice.lock(code=FAILED)
        assert "in use" in refused.stderr and str(holder.pid) in refused.stderr
        alice.lock("--force")
        assert list(alice.home.iterdir()) == []
    finally:
        holder.kill()
        holder.wait()


def ask(path, data, wait=10):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(wait)
        client.connect(str(path))
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        reply = b""
        try:
            while chunk := client.recv(65536):
                reply += chunk
        except ConnectionResetError:
            pass
        return reply


def test_hostile_messages(site, daemon, alice):
    """P9: to both sockets; afterwards it serves as before."""
    told = alice.enroll()
    run = daemon.node.directory / "run"
    for data in (b"", b"\n", b"{}\n", b"[" * 60000 + b"\n", b"\0" * 100, b'{"version":1,"op":"enrol"}\n',
                 b'{"version":1,"op":"enrol","user":"00","workspace":"00","roster":"zz","wrap":"0"}\n',
                 b'{"version":1,"op":"set-user","user":7,"disabled":"x"}\n', b'{"version":1,"op":"replace-user","user":"' + b"ab" * 3000 + b'"}\n',
                 b'{"version":1,"op":"unmount","directory":["/"]}\n', b'{"version":1,"op":"reserve-project","name":"../x","bytes_limit":-1}\n',
                 b'{"version":1,"op":"make-project","workspace":"' + b"0" * 32 + b'","roster":"00","wrap":"00"}\n',
                 b'{"version":1,"op":"set-members","workspace":"' + b"0" * 32 + b'","previous":"zz","entries":"","wraps":7}\n',
                 b'{"version":1,"op":"set-expiry","workspace":"x","expires":"soon","grace_seconds":99999999999}\n',
                 b'{"version":1,"op":"delete-workspace","workspace":{},"confirm":[]}\n', b'{"version":1,"op":"members"}\n',
                 b'{"version":1,"op":"group-users","group":"a/b"}\n', b'{"version":1,"op":"events","since":{}}\n'):
        assert b'"ok": true' not in ask(run / "control", data).replace(b'":', b'": ') or b'"events"' in data
    refused = (b"", b"RIAK", b"RIAK" + b"\1\0\0\0" + b"\0" * 52, b"XXXX" + b"\0" * 56, b"RIAK" + b"\2\0\0\0" + b"\1" * 52,
               b"RIAK" + b"\1\0\0\0" + os.urandom(16) + b"\1\0\0\0" + os.urandom(32), os.urandom(5000),
               b"RIAK" + b"\1\0\0\0" + os.urandom(16) + b"\x40\0\0\0" + os.urandom(2048), b"RIAK" + b"\1\0\0\0" + os.urandom(16) + b"\x41\0\0\0" +
               os.urandom(2080), b"RIAK" + b"\1\0\0\0" + os.urandom(16) + b"\2\0\0\0" + os.urandom(32))
    for data in refused:
        assert b'"ok": true' not in ask(run / "keys", data).replace(b'":', b'": ')
    ident = bytes.fromhex(site.first.json("status")["mounts"][0]["id"])
    wrong = json.loads(ask(run / "keys", b"RIAK" + b"\1\0\0\0" + ident + b"\1\0\0\0" + os.urandom(32)))
    assert not wrong["ok"]  # root is no user; and the key is wrong
    assert daemon.worker() and "killed" not in daemon.log.read_text()
    alice.shell(f"echo still > {alice.home}/file")
    assert told["directory"] == str(alice.home)


def give_key(person, ident, key):
    probe = ("import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
             "s.sendall(b'RIAK'+b'\\1\\0\\0\\0'+bytes.fromhex(sys.argv[2])+b'\\1\\0\\0\\0'+bytes.fromhex(sys.argv[3]))\nprint(s.recv(9999).decode())")
    result = subprocess.run([*person.account.prefix(), "/usr/bin/python3", "-c", probe, str(person.daemon.node.directory / "run/keys"), ident,
                             key.hex()], capture_output=True, text=True, check=True, timeout=30, cwd="/")
    return json.loads(result.stdout)


def test_a_wrong_key_opens_nothing(site, daemon, alice):
    """Of one's own workspace: the roster's commitment tells (K2)."""
    alice.enroll()
    ident = alice.json("status")["mounts"][0]["id"]
    alice.lock()
    told = give_key(alice, ident, os.urandom(32))
    assert told["exit"] == WRONG_SECRET and list(alice.home.iterdir()) == []
    alice.unlock()


def test_nobody_enrols_with_anothers_files(site, daemon, alice, bob):
    alice.enroll()
    own = control(alice, "own")
    workspace, = own["workspaces"]
    files = {"user": own["user"], "workspace": workspace["id"], "roster": workspace["roster"], "wrap": workspace["wrap"]}
    assert control(bob, "enrol", **files)["exit"] == NOT_PERMITTED  # it is her name
    bob.enroll()
    his = control(bob, "own")
    assert his["user"] != own["user"] and his["workspaces"][0]["id"] != workspace["id"]
    assert not control(bob, "replace-user", user=own["user"])["ok"]
    assert not control(alice, "replace-user", user=his["user"])["ok"]
    assert control(alice, "replace-user", user=own["user"])["ok"]
    # With files of her own, and somebody else's home.
    carol = Account("e")
    try:
        person = Person(daemon, carol, "carol's passphrase")
        person.enroll()
        hers = control(person, "own")
        site.first.run("user", "disable", carol.name)
        for change in ({"workspace": workspace["id"], "roster": workspace["roster"], "wrap": workspace["wrap"]}, {"wrap": workspace["wrap"]}):
            mixed = {"user": hers["user"], "workspace": hers["workspaces"][0]["id"], "roster": hers["workspaces"][0]["roster"],
                     "wrap": hers["workspaces"][0]["wrap"], **change}
            assert control(person, "enrol", **mixed)["exit"] == DAMAGED
    finally:
        carol.remove()


def test_a_key_alone_opens_nothing_for_others(site, daemon, alice, bob):
    """Who has the right root key, and is no member (any more), is refused by the roster."""
    alice.enroll()
    bob.enroll()
    ident = [mount["id"] for mount in alice.json("status")["mounts"]][0]
    alice.lock()
    told = give_key(bob, ident, os.urandom(32))
    assert told["exit"] == NOT_PERMITTED and "no member" in told["error"]
    assert list(alice.home.iterdir()) == []


def test_enrolment_can_be_closed(site, daemon, alice):
    daemon.stop()
    daemon.node.config.write_text(daemon.node.config.read_text() + "enroll = no\n")  # ends in [policy]
    daemon.start()
    assert "ask an admin" in alice.run("user", "enroll", "--passphrase-file", alice.secret, code=NOT_PERMITTED).stderr


def test_the_policy_is_read_again(site, daemon, alice, bob, accounts):
    good = daemon.node.config.read_text()
    alice.enroll()
    for text, said in ((good + "what = ever\n", "nothing was changed"), (good.replace("50M", "70M") + "enroll = no\n", "took over")):
        daemon.node.config.write_text(text)
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: said in daemon.log.read_text(), 10, "the configuration to be read")
    bob.run("user", "enroll", "--passphrase-file", bob.secret, code=NOT_PERMITTED)
    daemon.node.config.write_text(good.replace("50M", "70M"))
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.log.read_text().count("took over") == 2, 10, "the configuration to be read")
    bob.enroll()
    limits = [os.statvfs(person.home).f_blocks * os.statvfs(person.home).f_frsize >> 20 for person in (alice, bob)]
    assert limits == [50, 70]


def test_without_riadd(site, daemon, alice):
    daemon.stop()
    for command in (["unlock"], ["user", "list"], ["user", "enroll"]):
        assert "riadd does not run here" in alice.run(*command, code=FAILED).stderr


def test_a_node_that_was_removed_serves_no_more(site, daemon, alice):
    second = site.node("login2")
    site.add(second)
    alice.enroll()
    daemon.stop()
    second.run("node", "remove", "login1", "--recovery-file", site.code)
    daemon.start(code=NOT_PERMITTED)
    assert "no node of the site" in daemon.log.read_text()


def test_a_node_that_is_removed_while_it_runs(site, daemon, daemon_binary, alice, bob, accounts):
    """It serves nobody from then on, writes nothing that would end the catalog for all, and the others go on."""
    second = site.node("login2")
    site.add(second)
    other = Daemon(second, daemon_binary)
    try:
        other.start()
        alice.enroll()
        alice.lock()
        second.run("node", "remove", "login1", "--recovery-file", site.code)
        assert "no node of the site" in bob.run("user", "enroll", "--passphrase-file", bob.secret, code=NOT_PERMITTED).stderr
        alice.unlock(code=NOT_PERMITTED)
        there = Person(other, accounts[1], "bob's passphrase")
        there.enroll()
        second.run("node", "remove", "login1", "--recovery-file", site.code)  # again: what it signed meanwhile, if anything
        assert len(second.json("user", "list")["users"]) == 2
    finally:
        other.remove()


def test_a_removed_nodes_workspaces_go_on(site, daemon, daemon_binary, alice, accounts):
    """It owned them for many terms, and its disk is lost."""
    second = site.node("login2")
    site.add(second)
    alice.enroll()
    for number in range(4):
        alice.shell(f"echo {number} >> {alice.home}/file")
        alice.lock()
        alice.unlock()
    alice.lock()
    daemon.stop()
    site.first.lose_disk()
    second.run("node", "remove", "login1", "--recovery-file", site.code)
    other = Daemon(second, daemon_binary)
    try:
        other.start()
        there = Person(other, accounts[0], "alice's passphrase")
        there.unlock()
        assert there.shell(f"cat {there.home}/file") == "0\n1\n2\n3\n"
    finally:
        other.remove()


def test_a_removed_nodes_key_makes_no_more_terms(site, daemon, daemon_binary, alice, accounts):
    """Who has stolen its disk goes on with a copy of the store, and puts what comes of it beside what is there."""
    second = site.node("login2")
    site.add(second)
    alice.enroll()
    alice.shell(f"echo one > {alice.home}/file")
    alice.lock()
    daemon.stop()
    stolen = site.copy()
    second.run("node", "remove", "login1", "--recovery-file", site.code)
    other = Daemon(second, daemon_binary)
    try:
        other.start()
        other.stop()
        current = site.copy()
        site.put_back(stolen)
        daemon.start()
        alice.unlock()
        alice.shell(f"echo two > {alice.home}/file; sync {alice.home}/file")
        alice.lock()
        daemon.stop()
        thief = site.copy()
        site.put_back(current)
        workspace, = (site.store / "ws").iterdir()
        for folder in "term", "log", "data", "ckpt":
            for path in (thief / "ws" / workspace.name / folder).iterdir():
                if not (workspace / folder / path.name).exists():
                    copy_tree(path, workspace / folder / path.name)
        other.start()
        there = Person(other, accounts[0], "alice's passphrase")
        there.unlock()
        assert there.shell(f"cat {there.home}/file") == "one\n"
        there.shell(f"echo three > {there.home}/file")
        there.lock()
        there.unlock()
        assert there.shell(f"cat {there.home}/file") == "three\n"
    finally:
        other.remove()


def test_two_nodes_share_a_store(site, daemon, daemon_binary, alice, accounts):
    second = site.node("login2")
    site.add(second)
    other = Daemon(second, daemon_binary)
    try:
        other.start()
        alice.enroll()
        alice.shell(f"echo one > {alice.home}/file")
        there = Person(other, accounts[0], "alice's passphrase")
        alice.lock()
        there.unlock()
        assert there.shell(f"cat {there.home}/file; echo two > {there.home}/file") == "one\n"
        owned = alice.unlock(code=None)
        assert owned.returncode != DONE and "another" in owned.stderr
        there.lock()
        alice.unlock()
        assert alice.shell(f"cat {alice.home}/file") == "two\n"
    finally:
        other.remove()


def test_who_started_it_is_told(site, daemon, daemon_binary):
    """The service manager waits for the word (Type=notify), and shows why it ended."""
    daemon.stop()
    path = site.base / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(30)
        environment = {**site.first.environment(), "NOTIFY_SOCKET": str(path)}
        told = subprocess.Popen([daemon_binary, "--foreground", "--config", site.first.config], env=environment, stderr=subprocess.DEVNULL)
        assert b"READY=1" in listener.recv(4096)
        second = subprocess.run([daemon_binary, "--foreground", "--config", site.first.config], env=environment, capture_output=True,
                                text=True, check=False, timeout=30)
        assert second.returncode == OWNED and b"STATUS=another riadd" in listener.recv(4096)
        told.terminate()
        assert told.wait(60) == DONE


def test_configurations(site, daemon, daemon_binary):
    def check(code):
        return subprocess.run([daemon_binary, "--check-config", "--config", daemon.node.config], capture_output=True, text=True,
                              check=False, timeout=30).returncode == code
    good = daemon.node.config.read_text()
    assert check(DONE)
    for line in ("[mount]\nhome = relative", "[policy]\nenroll = maybe", "[policy]\nhome-bytes = much", "[mount]\nlock-idle = soon",
                 "[mount]\nhome = /a/%n/b", "[what]\nis = this"):
        daemon.node.config.write_text(good + line + "\n")
        assert check(FAILED), line
    daemon.node.config.write_text(good)
    daemon.node.config.chmod(0o666)
    assert check(NOT_PERMITTED)
    daemon.node.config.chmod(0o644)
    assert subprocess.run([daemon_binary, "nonsense"], capture_output=True, check=False, timeout=30).returncode == USAGE


def test_the_worker_has_given_up_what_it_can(site, daemon, service, alice):
    alice.enroll()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{daemon.worker()}/status").read_text().splitlines())
    assert set(status["Uid"].split()) == {str(service.uid)} and set(status["Gid"].split()) == {str(service.gid)}
    assert status["Groups"].split() in ([], [str(service.gid)])
    assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}
    limits = Path(f"/proc/{daemon.worker()}/limits").read_text()
    assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core")] == [["0", "0"]]
    assert {path.stat().st_uid for path in site.store.rglob("*")} == {service.uid}
    # The node's key is root's alone.
    key = daemon.node.directory / "node.key"
    assert (key.stat().st_uid, key.stat().st_mode & 0o777) == (0, 0o600)
    # root's own commands write as that user, too.
    site.add(site.node("login2"))
    assert {path.stat().st_uid for path in site.store.rglob("*")} == {service.uid}


def test_a_site_by_root_alone(binary, base, daemon_binary, accounts):
    """Without a user of its own, for a try: the worker stays root, and has no capabilities less; the sandbox holds."""
    with tempfile.TemporaryDirectory(prefix="root-", dir=base) as directory:
        os.chmod(directory, 0o755)
        daemon = Daemon(Site(binary, Path(directory)).first, daemon_binary)
        try:
            person = Person(daemon.start(), accounts[0], "a passphrase")
            person.enroll()
            person.shell(f"echo words > {person.home}/file; cat {person.home}/file")
            status = dict(line.split(":", 1) for line in Path(f"/proc/{daemon.worker()}/status").read_text().splitlines())
            assert status["Seccomp"].strip() == "2"
            daemon.stop()
        finally:
            daemon.remove()


class TestTheStorage:
    """Its admin edits, swaps and brings back; each is refused, and named in the trail."""

    @staticmethod
    def refused(site, person, code=DAMAGED):
        before = len(site.first.events())
        result = person.unlock(code=None)
        assert result.returncode == code, result.stderr
        assert list(person.home.iterdir()) == [] if person.home.exists() else True
        return [event for event in site.first.events()[before:] if event["event"] in ("refused", "unlock-failed", "problem")]

    def test_swapped_public_keys(self, site, daemon, alice, bob):
        """bob's file under alice's name: she would wrap and sign with his keys."""
        alice.enroll()
        bob.enroll()
        alice.lock()
        files = sorted((site.store / "user").iterdir(), key=lambda path: path.stat().st_mtime_ns)[-2:]
        files[0].write_bytes(files[1].read_bytes())
        result = alice.unlock(code=None)
        assert result.returncode in (DAMAGED, WRONG_SECRET)

    def test_another_wrap(self, site, daemon, alice, bob):
        alice.enroll()
        bob.enroll()
        alice.lock()
        bob.lock()
        wraps = list((site.store / "ws").glob("*/wrap/*"))
        first, second = wraps[0].read_bytes(), wraps[1].read_bytes()
        wraps[0].write_bytes(second)
        wraps[1].write_bytes(first)
        alice.unlock(code=DAMAGED)
        bob.unlock(code=DAMAGED)

    def test_an_edited_roster(self, site, daemon, alice):
        alice.enroll()
        alice.lock()
        roster, = (site.store / "ws").glob("*/roster")
        content = bytearray(roster.read_bytes())
        content[len(content) // 2] ^= 1
        roster.write_bytes(content)
        alice.unlock(code=DAMAGED)

    def test_an_edited_catalog(self, site, daemon, alice):
        alice.enroll()
        alice.lock()
        batch = sorted((site.store / "catalog").iterdir())[-1]
        daemon.stop()
        content = bytearray(batch.read_bytes())
        content[100] ^= 1
        batch.write_bytes(content)
        daemon.start(code=DAMAGED)
        assert site.first.events()[-1]["event"] == "refused" and "the catalog" in site.first.events()[-1]["text"]

    def test_an_older_everything(self, site, daemon, alice, bob):
        alice.enroll()
        alice.shell(f"echo one > {alice.home}/file")
        alice.lock()
        daemon.stop()
        before = site.copy()
        daemon.start()
        bob.enroll()
        bob.lock()
        daemon.stop()
        site.put_back(before)
        daemon.start(code=DAMAGED)
        assert "rolled back" in daemon.log.read_text()
        assert "older than this node has seen" in site.first.events()[-1]["text"]

    def test_an_older_workspace(self, site, daemon, alice):
        """The catalog is as it was; the log is not: below the node's mark."""
        alice.enroll()
        alice.shell(f"echo one > {alice.home}/file")
        alice.lock()
        workspace, = (site.store / "ws").iterdir()
        copy_tree(workspace, site.base / "older")
        alice.unlock()
        alice.shell(f"echo two > {alice.home}/file; for i in $(seq 20); do echo $i > {alice.home}/$i; done")
        alice.lock()
        shutil.rmtree(workspace)
        copy_tree(site.base / "older", workspace)
        found = self.refused(site, alice)
        assert found

    def test_another_workspaces_segments(self, site, daemon, alice, bob):
        alice.enroll()
        bob.enroll()
        for person in (alice, bob):
            person.shell(f"echo {person.account.name} > {person.home}/file")
            person.lock()
        one, two = (site.store / "ws").iterdir()
        for segment in (one / "log").iterdir():
            target = two / "log" / segment.name
            if target.exists():
                target.write_bytes(segment.read_bytes())
        shutil.rmtree(daemon.node.directory / "state" / "ws")  # else the index answers
        codes = [person.unlock(code=None).returncode for person in (alice, bob)]
        assert sorted(codes) == [DONE, DAMAGED]

    def test_a_term_that_no_node_signed(self, site, daemon, alice, daemon_binary):
        """Another site's node claims the workspace: its term is void."""
        alice.enroll()
        alice.shell(f"echo words > {alice.home}/file")
        alice.lock()
        workspace, = (site.store / "ws").iterdir()
        terms = sorted(path for path in (workspace / "term").iterdir() if "." not in path.name)
        forged = bytearray(terms[-1].read_bytes())
        forged[-1] ^= 1
        (workspace / "term" / f"{int(terms[-1].name, 16) + 1:08x}").write_bytes(forged)
        alice.unlock()
        assert alice.shell(f"cat {alice.home}/file") == "words\n"


def test_many_unlock_at_once(site, daemon, alice, bob):
    """Also the same one, many times: all are told the same."""
    alice.enroll()
    alice.lock()
    environment = {**site.first.environment(), "RIAD_STATE_DIR": str(alice.state)}
    command = [*alice.account.prefix(), site.binary, "unlock", "--passphrase-file", alice.secret]
    clients = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(10)]
    told = [client.communicate(timeout=120) for client in clients]
    assert [client.returncode for client in clients] == [DONE] * 10, told
    assert len(site.first.json("status")["mounts"]) == 1


CROWD = int(os.environ.get("RIAD_TEST_CROWD", "12"))  # scripts/nightly asks for 100


def peak(pid):
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def idle(pid):
    """Threads and resident MiB."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines())
    return int(lines["Threads"]), int(lines["VmRSS"].split()[0]) / 1024


def test_a_crowd_unlocks_at_once(site, daemon):
    """100: no failure, and riadd's memory stays below 300 MiB. scrypt runs in each client's own process (K1)."""
    crowd = []
    try:
        for number in range(CROWD):
            crowd.append(Person(daemon, Account(f"c{number}"), f"passphrase {number}"))
            crowd[-1].enroll()
            crowd[-1].shell(f"echo {number} > {crowd[-1].home}/file")
        daemon.stop()
        daemon.start()  # peaks begin anew
        begun = time.monotonic()
        clients = [subprocess.Popen([*person.account.prefix(), site.binary, "unlock", "--passphrase-file", person.secret],
                                    env={**site.first.environment(), "RIAD_STATE_DIR": str(person.state)}, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True) for person in crowd]
        told = [client.communicate(timeout=170) for client in clients]
        took = time.monotonic() - begun
        assert [client.returncode for client in clients] == [DONE] * CROWD, told
        peaks = peak(daemon.process.pid), peak(daemon.worker())
        print(f"{CROWD} unlocked at once in {took:.1f} s; monitor {peaks[0]:.0f} MiB, worker {peaks[1]:.0f} MiB at most")
        assert sum(peaks) < max(300, 60 + 2.2 * CROWD)
        time.sleep(10)
        threads, resident = idle(daemon.worker())
        print(f"idle: {threads} threads, {resident:.0f} MiB resident in the worker")
        assert threads <= 64 and resident < 60 + 2.2 * CROWD
        for number, person in enumerate(crowd):
            assert person.shell(f"cat {person.home}/file") == f"{number}\n"
        assert len(site.first.json("status")["mounts"]) == CROWD
        before = daemon.worker()
        os.kill(before, signal.SIGKILL)  # the next one is given all keys again, more than the channel holds at once
        wait_until(lambda: daemon.worker() not in (None, before), 30, "another worker")
        wait_until(lambda: len(site.first.json("status")["mounts"]) == CROWD, 60, "all to come back")
        assert crowd[-1].shell(f"cat {crowd[-1].home}/file") == f"{CROWD - 1}\n"
    finally:
        for person in crowd:
            person.account.remove()
