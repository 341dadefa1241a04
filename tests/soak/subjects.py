"""What is under load: mounts of one's own, of which one is left alone and one is mounted anew and killed, and a site's riadd."""
import os
import random
import shutil
import time

from crew import Crew
from files import Blocks, Large, Names, Probe
from harness import Store, is_riad
from programs import Archive, Git, Sqlite
from sites import Account, Daemon, Person, Site


def bytes_below(*paths):
    """Allocated bytes; what goes meanwhile is not counted."""
    total = 0
    for top in paths:
        for folder, _, names in os.walk(top):
            for name in names:
                try:
                    total += os.lstat(os.path.join(folder, name)).st_blocks * 512
                except OSError:
                    pass
    return total


class Subject:
    """`acts` are what is done to it, each about so often (seconds), beside what its crew does in it."""

    def __init__(self, name, base, problems, seed):
        self.name, self.problems, self.rng, self.seed = name, problems, random.Random(seed), seed
        self.base = base / name
        self.base.mkdir(mode=0o755)
        self.crew = Crew(name, problems)
        self.acts, self.due, self.done = {}, {}, {}

    def plan(self, **acts):
        """name: seconds between two of them, about."""
        self.acts = acts
        self.due = {name: time.monotonic() + self.rng.uniform(0.3, 1) * period for name, period in acts.items()}

    def tend(self):
        """Does what is due."""
        for name, period in self.acts.items():
            if time.monotonic() >= self.due[name]:
                getattr(self, name)()
                self.done[name] = self.done.get(name, 0) + 1
                self.due[name] = time.monotonic() + self.rng.uniform(0.5, 1.5) * period

    def scratch(self, kind, user=None):
        path = self.base / f"scratch-{kind}"
        path.mkdir(mode=0o700)
        if user:
            os.chown(path, user.uid, user.gid)
        return path

    def workers(self, places, tree, user=None):
        """places: kind of work -> its directory, which is there."""
        kinds = {"blocks": Blocks, "names": Names, "large": Large, "git": Git, "sqlite": Sqlite, "archive": Archive, "probe": Probe}
        more = {"archive": tree, "probe": (self.crew.times,)}
        for kind, place in places.items():
            self.seed += 1
            scratch = self.scratch(f"{kind}-{user.name}" if user else kind, user)
            worker = kinds[kind](place, scratch, self.seed, *more.get(kind, ()))
            worker.is_killed = "killing" in self.acts
            self.crew.start(worker, user)


class Own(Subject):
    """A mount of one's own, with everything in it."""
    WORKSPACES = 1
    KINDS = ("blocks", "names", "large", "archive", "git", "sqlite", "probe")

    def __init__(self, name, base, problems, seed, binary, tree, **acts):
        super().__init__(name, base, problems, seed)
        self.store = Store(binary, self.base)
        self.store.init("-B", "3G", "-I", "200k")
        self.store.mount()
        self.plan(**acts)
        places = {kind: self.store.directory / kind for kind in self.KINDS}
        for place in places.values():
            place.mkdir()
        self.workers(places, tree)

    def processes(self):
        return {self.name: pid for pid in self.store.hosts()}

    def disks(self):
        """Bytes of the store, of the local state, and what the workspace counts."""
        return bytes_below(self.store.path), bytes_below(self.store.state), self.store.status()["bytes_used"]

    def check(self):
        event = self.store.status()["event"]
        assert not event or event.startswith("recovered"), f"{self.name}: riad tells: {event}"

    # --- what is done to it ---
    def limiting(self):
        self.store.run("quota", "set", self.store.path, "-B", f"{self.rng.randrange(2, 9)}G", "-I", f"{self.rng.randrange(100, 900)}k")

    def looking(self):
        directory = self.store.directory
        for command in (["quota", "check", directory], ["du", directory, "-d", "1"], ["events"], ["quota", "report"], ["sync", directory]):
            self.store.run(*command)

    def scrubbing(self):
        self.store.run("scrub", "-q", self.store.path)

    def cleaning(self):
        self.store.run("gc", "-q", "--no-wait", self.store.directory)

    def remounting(self):
        """Sometimes without what the node knew: after an unmount the store has all of it."""
        self.crew.rest()
        self.store.unmount()
        if self.rng.random() < 0.2:
            self.store.forget_state()
        self.store.mount()
        self.crew.go_on()

    def killing(self):
        self.crew.mount_dies()
        self.store.kill()
        self.crew.rest()
        self.store.mount()
        self.crew.go_on()

    def finish(self):
        self.crew.end()
        self.store.unmount()
        self.store.fsck()

    def remove(self):
        self.crew.kill()
        self.store.remove()


class Shared(Subject):
    """riadd on a node, with two homes and a project, which are locked and unlocked."""
    WORKSPACES = 3
    HOMES = (("blocks", "names", "archive", "probe"), ("git", "sqlite", "large"))

    def __init__(self, name, base, problems, seed, binary, tree, program, **acts):
        super().__init__(name, base, problems, seed)
        self.accounts = [Account(f"s{number}") for number in range(3)]
        self.site = Site(binary, self.base, self.accounts[2])
        self.daemon = Daemon(self.site.first, program, "[policy]", "projects = users").start()
        self.people = [Person(self.daemon, account, f"{account.name}'s passphrase") for account in self.accounts[:2]]
        for person in self.people:
            person.enroll()
        self.project = self.make_project()
        self.plan(**acts)
        self.first_worker = self.daemon.worker()
        for person, kinds in zip(self.people, self.HOMES):
            self.workers(self.places(person, person.home, kinds), tree, person.account)
            self.workers(self.places(person, self.project, ["names"], f"-{person.account.name}"), tree, _Other(person.account))

    def make_project(self):
        owner, member = self.people
        owner.signed("workspace", "create", "soak")
        owner.signed("member", "add", "soak", member.account.name)
        return self.daemon.project / "soak"

    @staticmethod
    def places(person, top, kinds, suffix=""):
        places = {kind: top / f"{kind}{suffix}" for kind in kinds}
        for place in places.values():
            person.shell(f"mkdir {place}")
        return places

    def processes(self):
        return {"monitor": self.daemon.process.pid, "worker": self.daemon.worker() or 0}

    def disks(self):
        used = sum(item.get("bytes_used") or 0 for item in self.daemon.node.json("workspace", "list")["workspaces"])
        return bytes_below(self.site.store), bytes_below(self.daemon.node.state), used

    def check(self):
        assert self.daemon.worker() == self.first_worker and is_riad(self.first_worker), f"{self.name}: riadd's worker ended"

    # --- what is done to it ---
    def limiting(self):
        names = [account.name for account in self.accounts[:2]]
        self.daemon.node.run("quota", "set", *names, "-B", f"{self.rng.randrange(2, 9)}G", "-I", f"{self.rng.randrange(100, 900)}k")

    def looking(self):
        for person in self.people:
            for command in ("status",), ("events",), ("quota", "show"), ("workspace", "list"), ("member", "list", "soak"):
                person.run(*command)
        self.daemon.node.run("quota", "report")

    def locking(self):
        self.crew.rest()
        for person in self.people:
            person.lock()
        assert not any(os.path.ismount(path) for path in (self.project, *(person.home for person in self.people)))
        for person in self.people:
            person.unlock()
        self.crew.go_on()

    def finish(self):
        self.crew.end()
        self.daemon.stop()

    def remove(self):
        self.crew.kill()
        self.daemon.remove()
        for account in self.accounts:
            account.remove()
        shutil.rmtree(self.base, ignore_errors=True)


class _Other:
    """The same account, in another place: its scratch directory has another name."""

    def __init__(self, account):
        self.name, self.uid, self.gid = f"{account.name}-project", account.uid, account.gid
