"""Runs the engine on a riad mount and an ext4 directory, and shrinks what differs (README.md)."""
import contextlib
import itertools
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

SECONDS_PER_RUN = 600
SHRINK_SECONDS = 90  # the tests have 180 s each


class Difference(Exception):
    """str() is the whole report."""


def is_ext4(path):
    """ext2, ext3 and ext4 have one magic number; the driver of all of them is ext4's."""
    return subprocess.run(["stat", "-f", "-c", "%t", path], stdout=subprocess.PIPE, text=True, check=True).stdout.strip() == "ef53"


@contextlib.contextmanager
def ext4_directory(base):
    """A directory on ext4: there, or on a loop device that root makes. None if neither is to be had."""
    path = Path(tempfile.mkdtemp(prefix="ext4-", dir=base))
    image = path.with_suffix(".image")
    path.chmod(0o755)
    mounted = False
    try:
        if is_ext4(path):
            yield path
            return
        if os.geteuid() == 0 and shutil.which("mkfs.ext4"):
            with open(image, "wb") as file:
                file.truncate(2 << 30)
            subprocess.run(["mkfs.ext4", "-q", "-I", "256", image], check=True)
            mounted = subprocess.run(["mount", "-o", "loop", image, path], check=False).returncode == 0
        yield path if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", path], check=False)
        image.unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)


class Pair:
    """A mount of riad and a directory of ext4. prefix: a command that makes the engine run as somebody else, who can reach it,
    both directories and scratch."""

    def __init__(self, engine, mount, other, scratch, prefix=()):
        self.engine, self.tops = str(engine), (Path(mount), Path(other))
        self.scratch, self.prefix = scratch, list(prefix)
        self.runs = 0
        self.tally = {}

    def command(self, *words):
        return subprocess.run([*self.prefix, self.engine, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="backslashreplace", timeout=SECONDS_PER_RUN, check=False)

    def directories(self):
        """Fresh ones, whose owner is who runs the engine."""
        self.runs += 1
        made = [top / str(self.runs) for top in self.tops]
        subprocess.run([*self.prefix, "mkdir", "-m", "755", *made], check=True)
        return made

    def remove(self, directories, check=True):
        """What a process left that was killed may be closed to its owner: then nobody insists."""
        subprocess.run([*self.prefix, "rm", "-rf", *directories], check=check, stderr=None if check else subprocess.DEVNULL)

    def run_in(self, directories, *words):
        """The report of a difference, None if there is none."""
        result = self.command(*words, *directories)
        assert result.returncode in (0, 1), f"the engine failed ({result.returncode}):\n{result.stdout}"
        if result.returncode == 0:
            self.count(result.stdout)
        return result.stdout if result.returncode else None

    def count(self, output):
        for kind, counts in re.findall(r"^tally: (\S+) (.*)$", output, re.M):
            tally = self.tally.setdefault(kind, {})
            for name, number in (pair.split("=") for pair in counts.split()):
                tally[name] = tally.get(name, 0) + int(number)

    def run(self, seed, operations):
        """Runs a sequence; returns the directories that hold the trees. Raises Difference with a minimal sequence that shows it."""
        directories = self.directories()
        report = self.run_in(directories, "run", seed, operations)
        if report is not None:
            self.remove(directories, check=False)
            self.fail(seed, operations, report)
        return directories

    def compare_trees(self, directories, when):
        """After a remount, say: riad's tree is still that of ext4."""
        trees = [self.command("tree", directory).stdout.splitlines() for directory in directories]
        if trees[0] != trees[1]:
            changes = [f"  riad {a}\n  ext4 {b}" for a, b in itertools.zip_longest(*trees) if a != b]
            raise Difference(f"{directories[0].name}: the trees differ {when}:\n" + "\n".join(changes[:10]))

    def replay(self, lines):
        with tempfile.NamedTemporaryFile("w", suffix=".operations", dir=self.scratch, encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
            file.flush()
            os.chmod(file.name, 0o644)
            directories = self.directories()
            try:
                return self.run_in(directories, "replay", file.name)
            finally:
                self.remove(directories, check=False)

    def fail(self, seed, operations, report):
        lines = self.command("list", seed, operations).stdout.splitlines()
        minimal, last = self.shrink(lines, report)
        listing = "\n".join(minimal)
        raise Difference(f"seed {seed}, {operations} operations: riad and ext4 differ\n{report}\n"
                         f"Shrunk to {len(minimal)} operations, which give:\n{last}\n"
                         f"To run again: tests/differential/run --replay FILE, with these lines in FILE:\n{listing}\n")

    def shrink(self, lines, report):
        """(minimal lines, their report): delta debugging, as long as the same sort of difference shows."""
        lines = until_difference(lines, report)
        for first in ([loud(line) for line in lines], lines):
            best = self.replay(first)
            if best is not None:
                break
        else:
            return lines, "no difference: it does not come again\n"
        lines = until_difference(first, best)
        end, size = time.monotonic() + SHRINK_SECONDS, len(lines) // 2
        while size and time.monotonic() < end:
            shorter, best = self.leave_out(lines, best, size, end)
            if size > 1 or len(shorter) == len(lines):
                size //= 2
            lines = shorter
        return lines, best

    def leave_out(self, lines, best, size, end):
        """Tries without each run of so many lines, from the last one on."""
        for at in range(len(lines) - size, -size, -size):
            trial = lines[:max(at, 0)] + lines[at + size:]
            found = self.replay(trial) if trial and time.monotonic() < end else None
            if found is not None and signature(found) == signature(best):
                lines, best = trial, found
        return lines, best


def until_difference(lines, report):
    match = re.search(r" at operation (\d+)", report)
    return lines[:int(match.group(1)) + 1] if match else lines


def loud(line):
    """The operation, looked at before and after."""
    return re.sub(r"^(\S+ \d+) 1", r"\1 0", line)


def signature(report):
    match = re.search(r"^signature: (.*)$", report, re.M)
    return match.group(1) if match else report
