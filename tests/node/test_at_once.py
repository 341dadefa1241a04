"""All that riadd's worker can be asked for, by several people at once. With the thread sanitizer (scripts/nightly --sanitize) its races show."""
import itertools
import json
import os
import signal
import socket
import threading
import time

import pytest

from harness import DONE, FAILED, LOCKED, NOT_MOUNTED
from projects import acme, alice, bob, carol, daemon, dave, other, project, roles, shared  # noqa: F401
from sites import Person

pytestmark = pytest.mark.root
ACCOUNTS = 4
MIB = 1 << 20
SECONDS = 40 if int(os.environ.get("RIAD_TEST_SECONDS", "180")) > 180 else 6  # scripts/nightly --sanitize
ANSWERED = {DONE, FAILED, LOCKED, NOT_MOUNTED}  # while others lock what one asks about


def ask(daemon, operation, **arguments):
    """As root."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(daemon.node.directory / "run/control"))
        client.sendall(json.dumps({"version": 1, "op": operation, **arguments}).encode() + b"\n")
        return json.loads(client.makefile().readline())


class Crowd:
    """Threads that each do one thing after the other until the time is over."""

    def __init__(self):
        self.end, self.threads, self.failures, self.done = time.monotonic() + SECONDS, [], [], {}

    def add(self, name, *acts):
        self.done[name] = 0
        self.threads.append(threading.Thread(target=self.work, args=(name, acts)))

    def work(self, name, acts):
        try:
            for act in itertools.cycle(acts):
                if time.monotonic() > self.end or self.failures:
                    return
                act()
                self.done[name] += 1
        except Exception as failure:  # of any kind: the test tells
            self.failures.append(f"{name}: {failure!r}")

    def run(self):
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join()
        assert self.failures == []
        assert all(self.done.values()), self.done
        print(self.done)


def asking(daemon, operation, **arguments):
    def act():
        answer = ask(daemon, operation, **arguments)
        assert answer.get("ok") or answer.get("exit") in ANSWERED, (operation, answer)
        assert answer.get("miscounts", 0) == 0, answer
    return act


def look(crowd, daemon, where, shared, alice):
    """What changes nothing that others would see."""
    crowd.add(f"site {where}", asking(daemon, "site"), asking(daemon, "reload"))
    crowd.add(f"lists {where}", *(asking(daemon, operation) for operation in ("users", "workspaces", "status", "quota", "events")))
    crowd.add(f"group {where}", asking(daemon, "group-users", group=alice.account.group), asking(daemon, "members", workspace="acme"),
              *(asking(daemon, "subjects", kind=kind) for kind in ("user", "group")))
    crowd.add(f"mount {where}", *(asking(daemon, operation, directory=str(shared)) for operation in ("sync", "checkpoint", "clean", "scrub", "recount")))
    crowd.add(f"own {where}", lambda: alice.json("quota", "show"), lambda: alice.json("workspace", "list"), lambda: alice.json("status"))


def govern(crowd, daemon, bob, dave):
    """What admins change."""
    limits = [asking(daemon, "set-limits", limits=[{"workspace": "acme", "bytes_limit": size * MIB}]) for size in (300, 400)]
    subjects = [asking(daemon, "set-subjects", kind="user", subjects=[{"id": bob.account.uid, "bytes_limit": size * MIB}]) for size in (200, 0)]
    expiry = [asking(daemon, "set-expiry", workspace="acme", expires=expires, grace_seconds=60) for expires in (int(time.time()) + 86400, 0)]
    crowd.add("limits", *limits, *subjects, *expiry)
    crowd.add("disabling", *(asking(daemon, "set-user", user=dave.account.name, disabled=off) for off in (True, False)))
    text = daemon.node.config.read_text()

    def configure(seconds):
        fresh = daemon.node.directory / "fresh.conf"
        fresh.write_text(f"{text}home-bytes = {seconds}M\n[mount]\nlock-idle = {seconds}s\n", encoding="utf-8")
        fresh.rename(daemon.node.config)  # whole: others read it
        daemon.process.send_signal(signal.SIGHUP)
        time.sleep(0.05)
    crowd.add("configuration", lambda: configure(3000), lambda: configure(4000))


def change_members(crowd, alice, bob, dave):
    def change(*arguments):
        alice.signed("member", *arguments, code=None)  # dave may be disabled just then
    crowd.add("roles", lambda: change("role", "acme", bob.account.name, "manager"), lambda: change("role", "acme", bob.account.name, "writer"),
              lambda: change("add", "acme", dave.account.name, "--role", "reader"), lambda: change("remove", "acme", dave.account.name))


def make_projects(crowd, alice):
    numbers = itertools.count()

    def make():
        name = f"project{next(numbers)}"
        alice.signed("workspace", "create", name)
        alice.shell(f"echo x > {alice.daemon.project}/{name}/file")
        alice.run("workspace", "delete", name, "--confirm", name)
        assert project(alice, name) is None
    crowd.add("projects", make)


def work(crowd, shared, alice, bob, carol):
    crowd.add("writing", lambda: bob.shell(f"cd {shared}; head -c 300k /dev/urandom > new; cat new > /dev/null; mv new newer; rm newer"))
    crowd.add("making", lambda: alice.shell(f"cd {shared}; mkdir -p d/e; echo x > d/e/f; ls -lR d > /dev/null; rm -r d"))
    crowd.add("reading", lambda: carol.shell(f"cd {shared}; cat papers/draft keep; ls -l; df . > /dev/null"))
    crowd.add("locking", lambda: carol.lock(code=None), lambda: carol.unlock())


def test_all_at_once(site, daemon, shared, alice, bob, carol, dave):
    worker, crowd = daemon.worker(), Crowd()
    look(crowd, daemon, "here", shared, alice)
    govern(crowd, daemon, bob, dave)
    change_members(crowd, alice, bob, dave)
    make_projects(crowd, alice)
    work(crowd, shared, alice, bob, carol)
    crowd.run()
    assert daemon.worker() == worker
    ask(daemon, "set-user", user=dave.account.name, disabled=False)
    assert alice.shell(f"cat {shared}/papers/draft") == "first\n"
    assert roles(alice)[carol.account.name] == "reader"


def test_two_nodes_at_once(site, daemon, other, accounts, shared, alice, bob, carol, dave):
    """Each sees what the other writes, while nodes come and go."""
    dave.lock()
    there = Person(other, accounts[3], "dave's passphrase")
    there.unlock()
    workers, crowd, numbers = (daemon.worker(), other.worker()), Crowd(), itertools.count(3)
    for name, node in ("here", daemon), ("there", other):
        look(crowd, node, name, shared, alice)
        limits = [asking(node, "set-limits", limits=[{"workspace": "acme", "bytes_limit": size * MIB}]) for size in (300, 400)]
        subjects = [asking(node, "set-subjects", kind="user", subjects=[{"id": dave.account.uid, "bytes_limit": size * MIB}]) for size in (200, 0)]
        crowd.add(f"limits {name}", *limits, *subjects)

    def come_and_go():
        node = site.node(f"login{next(numbers)}")
        site.add(node)
        site.first.run("node", "remove", node.name, "--recovery-file", site.code)
    crowd.add("nodes", come_and_go)
    change_members(crowd, alice, bob, carol)
    crowd.add("writing there", lambda: there.shell(f"cd {there.home}; head -c 300k /dev/urandom > new; rm new", code=None))
    crowd.add("locking there", lambda: there.lock(code=None), lambda: there.unlock(), lambda: time.sleep(2))
    crowd.add("writing", lambda: bob.shell(f"cd {shared}; head -c 300k /dev/urandom > new; cat new > /dev/null; mv new newer; rm newer"))
    crowd.run()
    assert (daemon.worker(), other.worker()) == workers
    assert alice.shell(f"cat {shared}/papers/draft") == "first\n"
