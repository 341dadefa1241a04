"""Processes that work in a mount for as long as the soak lasts: they can be made to rest, and their mount may be killed under them."""
import multiprocessing
import os
import queue
import random
import sqlite3
import subprocess
import time
import traceback
from pathlib import Path

FORK = multiprocessing.get_context("fork")
FAILURES = (OSError, sqlite3.Error, subprocess.SubprocessError)


def family(pid):
    """A process and all below it: what they run, their state, and where in the kernel they wait."""
    lines, wanted = [], {str(pid)}
    for entry in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            name, rest = (entry / "stat").read_text(encoding="utf-8").split("(", 1)[1].rsplit(")", 1)
            state, parent = rest.split()[:2]
            if entry.name in wanted or parent in wanted:
                wanted.add(entry.name)
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:200]
                where = " ".join((entry / what).read_text(encoding="utf-8").strip() for what in ("wchan", "syscall"))
                lines.append(f"{entry.name} {name} {state} {where}: {command}")
        except OSError:
            pass
    return "\n".join(lines)


class Wrong(Exception):
    """What is there is not what was written."""


class Crew:
    """The workers of one mount. Nothing of theirs is open, and no program of theirs runs, while they rest."""

    def __init__(self, name, problems):
        self.name, self.problems = name, problems
        self.resting, self.ending = FORK.Event(), FORK.Event()
        self.kills = FORK.Value("i", 0)
        self.times = FORK.Queue()  # of the probe: (when, seconds)
        self.members = []

    def start(self, worker, user=None):
        idle, acts = FORK.Event(), FORK.Value("i", 0)
        process = FORK.Process(target=work, args=(self, worker, user, idle, acts), name=f"{self.name} {worker.name}", daemon=True)
        process.start()
        self.members.append((process, idle, acts))

    def rest(self, seconds=600):
        """Waits until all have come to the end of what they are doing."""
        self.resting.set()
        end = time.monotonic() + seconds
        for process, idle, _ in self.members:
            while process.is_alive() and not idle.wait(0.2):
                if time.monotonic() > end:
                    self.problems.put(f"{process.name}: has not come to an end in {seconds} s\n{family(process.pid)}")
                    return

    def go_on(self):
        self.resting.clear()

    def mount_dies(self):
        """To be called before: whatever fails from now on fails for that reason, until they have rested."""
        with self.kills.get_lock():
            self.kills.value += 1
        self.resting.set()

    def acts(self):
        return {process.name.split()[-1]: acts.value for process, _, acts in self.members}

    def seconds(self):
        """What the probe measured since the last call."""
        found = []
        while True:
            try:
                found.append(self.times.get_nowait())
            except queue.Empty:
                return found

    def end(self):
        self.ending.set()
        self.resting.clear()
        for process, _, _ in self.members:
            process.join(600)
            if process.is_alive():
                self.problems.put(f"{process.name}: did not end")
                process.kill()
                process.join(30)

    def kill(self):
        for process, _, _ in self.members:
            if process.is_alive():
                process.kill()
            process.join(30)


def become(user):
    os.setgroups([])
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)


def rest_if_asked(crew, idle):
    while True:
        idle.clear()
        if not crew.resting.is_set() or crew.ending.is_set():
            return
        idle.set()
        while crew.resting.is_set() and not crew.ending.is_set():
            time.sleep(0.05)


def turn(crew, worker, cut, kills):
    """One act, or looking at what a kill left. True: a kill cut it."""
    try:
        if cut:
            worker.recover()
        worker.act()
    except FAILURES:
        if crew.kills.value == kills:
            raise
        return True
    return False


def work(crew, worker, user, idle, acts):
    """What the process does."""
    cut = False
    try:
        if user:
            become(user)
        os.chdir("/")
        while not crew.ending.is_set():
            rest_if_asked(crew, idle)
            if crew.ending.is_set():
                break
            kills = crew.kills.value
            cut = turn(crew, worker, cut, kills)
            acts.value += not cut
            time.sleep(worker.rng.uniform(0, worker.pace))
    except BaseException:  # noqa: whatever it is, the soak ends with it
        crew.problems.put(f"{crew.name} {worker.name} (seed {worker.seed}):\n{traceback.format_exc()}{worker.said}")
    idle.set()


class Worker:
    """One kind of work in a directory of its own. `act` does a piece of it, and `recover` is called once behind a kill that cut one."""
    name, pace = "worker", 0.4
    is_killed = False  # the mount may be, while this works

    def __init__(self, place, scratch, seed):
        self.place, self.scratch, self.seed, self.said = place, scratch, seed, ""
        self.rng = random.Random(seed)

    def act(self):
        raise NotImplementedError

    def recover(self):
        pass

    def run(self, *command, cwd=None, **variables):
        """A program that must succeed. It is a failure of the mount's, or of riad's, if it does not."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.scratch), "LC_ALL": "C", "TMPDIR": str(self.scratch), **variables}
        done = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, stdin=subprocess.DEVNULL, timeout=900,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.said = done.stdout.decode(errors="replace")[-4000:]
        done.check_returncode()
        return self.said
