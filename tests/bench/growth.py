"""Whether riad is as fast with a million files as with ten thousand: creates, stats, lists and removes, its memory, and how soon it is unlocked.

Files are empty, a thousand in a directory. Each rate is the median of three steps of 10,000 files: the first three in a workspace with no more than that, the others at the full number. Stats are of
files anywhere in the tree in no order, lists and removes of directories anywhere in it, all when the kernel has forgotten its inodes and names: so it is riad who answers. `stat_cold` is when the pages of riad's index were
dropped too: it is read from the disk then, as after the machine was booted.
"""
import os
import random
import statistics
import sys
import time

from . import goals, system
from .peers import Riad
from .system import timed

FILES, STEPS = 1000, 3
OPERATIONS = ("create", "stat", "list", "remove")


class Tree:
    """Directories of so many files, by number."""

    def __init__(self, top, seed=1):
        self.top, self.directories, self.next = top, [], 0
        self.chance = random.Random(seed)

    def path(self, number):
        return self.top / f"d{number}"

    def create(self, directories):
        for number in range(self.next, self.next + directories):
            self.path(number).mkdir()
            fd = os.open(self.path(number), os.O_RDONLY | os.O_DIRECTORY)
            for file in range(FILES):
                os.close(os.open(f"f{file}", os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600, dir_fd=fd))
            os.close(fd)
            self.directories.append(number)
        self.next += directories

    def some(self, directories):
        return self.chance.sample(self.directories, directories)

    def know_directories(self):
        """The kernel asks for a directory once, however many of its files are asked for: that is no part of a file's rate."""
        for number in self.directories:
            os.stat(self.path(number))

    def some_files(self, files):
        """None twice: the kernel would answer itself."""
        chosen = self.chance.sample(range(len(self.directories) * FILES), files)
        return [self.path(self.directories[one // FILES]) / f"f{one % FILES}" for one in chosen]

    def stat(self, paths):
        for path in paths:
            os.stat(path)

    def list(self, numbers):
        for number in numbers:
            assert len(os.listdir(self.path(number))) == FILES, f"{self.path(number)} has not the {FILES} files that were made"

    def remove(self, numbers):
        for number in numbers:
            fd = os.open(self.path(number), os.O_RDONLY | os.O_DIRECTORY)
            for file in range(FILES):
                os.unlink(f"f{file}", dir_fd=fd)
            os.close(fd)
            os.rmdir(self.path(number))
            self.directories.remove(number)


def step(tree, directories):
    """Files a second of each operation; as many are there afterwards as before."""
    files, seconds = directories * FILES, {}

    def measure(name, function, given):
        system.drop_inodes()
        tree.know_directories()
        seconds[name] = timed(lambda: function(given))

    measure("create", tree.create, directories)
    measure("stat", tree.stat, tree.some_files(files))
    measure("list", tree.list, tree.some(directories))
    measure("remove", tree.remove, tree.some(directories))
    return {name: files / seconds[name] for name in OPERATIONS}


def rates(tree, directories, title):
    found = []
    for number in range(STEPS):
        found.append(step(tree, directories))
        print(f"{title}, step {number + 1}: " + ", ".join(f"{name} {rate:.0f}" for name, rate in found[-1].items()) + " a second", file=sys.stderr, flush=True)
    return {name: statistics.median(one[name] for one in found) for name in OPERATIONS}


def cold_stats(tree, files):
    """A second."""
    system.drop_caches()
    tree.know_directories()
    paths = tree.some_files(files)
    return files / timed(lambda: tree.stat(paths))


def memory(peer):
    pid, = peer.pids()
    return {"rss_mib": system.of_status(pid, "VmRSS"), "peak_mib": system.of_status(pid, "VmHWM")}


def unlock(peer, path):
    """From the command to the first answer."""
    peer.unmount()
    system.drop_caches()
    began = time.monotonic()
    peer.mount()
    os.stat(path)
    return time.monotonic() - began


def work(peer, files, step_files):
    directories = max(1, step_files // FILES)
    tree = Tree(peer.mount_point)
    few = rates(tree, directories, f"up to {step_files} files")
    tree.create(directories)
    few["stat_cold"] = cold_stats(tree, step_files // 4)
    tree.remove(list(tree.directories))
    more = max(0, files // FILES - directories)
    seconds = timed(lambda: tree.create(more))
    print(f"{more * FILES} files made in {seconds:.0f} s", file=sys.stderr, flush=True)
    many = rates(tree, directories, f"up to {files} files")
    tree.create(directories)
    many["stat_cold"] = cold_stats(tree, step_files // 4)
    used = memory(peer)
    unlocks = [unlock(peer, tree.path(tree.directories[0]) / "f0") for _ in range(STEPS)]
    peak = max(used["peak_mib"], memory(peer)["peak_mib"])
    return {"files": files, "few_files": step_files, "few": few, "many": many, "rss_mib": used["rss_mib"], "peak_mib": peak,
            "unlock_seconds": statistics.median(unlocks), "key_seconds": peer.key_seconds()}


def measure(where, files, step_files):
    peer = Riad(where)
    peer.setup()
    try:
        result = work(peer, files, step_files)
        peer.teardown()
        return result
    finally:
        peer.abandon()


def judged(result):
    """[(what, found, wanted, whether it was reached)]"""
    rows = []
    for name in OPERATIONS:
        ratio = result["many"][name] / result["few"][name]
        rows.append((f"{name}, of its rate at few", ratio, f">= {goals.GROWTH_RATIO_MIN}", ratio >= goals.GROWTH_RATIO_MIN))
    rows.append(("memory at most (MiB)", result["peak_mib"], f"< {goals.GROWTH_MEMORY_MAX_MIB}", result["peak_mib"] < goals.GROWTH_MEMORY_MAX_MIB))
    seconds = result["unlock_seconds"]
    rows.append(("unlocked in (s)", seconds, f"< {goals.GROWTH_UNLOCK_MAX_SECONDS}", seconds < goals.GROWTH_UNLOCK_MAX_SECONDS))
    return rows


def show(result):
    print(f"{'files a second':26}{'up to ' + str(result['few_files']):>16}{'up to ' + str(result['files']):>18}")
    for name in (*OPERATIONS, "stat_cold"):
        print(f"{name:26}{result['few'][name]:16.0f}{result['many'][name]:18.0f}")
    print(f"\nof the {result['unlock_seconds']:.2f} s until it was unlocked, the key of the passphrase took {result['key_seconds']:.2f} s; memory at rest: {result['rss_mib']:.0f} MiB")
    print(f"\n{'goal':28}{'found':>8}  wanted")
    rows = judged(result)
    for name, found, wanted, is_reached in rows:
        print(f"{name:28}{found:8.2f}  {wanted:8} {'reached' if is_reached else 'MISSED'}")
    print(f"{sum(row[3] for row in rows)} of {len(rows)} goals reached")
