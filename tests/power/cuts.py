"""Power cuts of a recording: where they are, what each leaves of the disk, and what had been acknowledged by then."""
import bisect
import json
import random
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import layout
import markers
import writes

UNSYNCED_SECONDS = 5  # P3: what was done longer ago than that is there, synced or not


@dataclass
class Known:
    """What a program had been told when the power was cut."""
    done: int = 0
    sure: int = 0
    old: int = 0  # the last step that was done 5 s before, or longer ago
    history: list = field(default_factory=list)  # (done, time) of each marker

    def least(self):
        return max(self.sure, self.old)

    def most(self):
        return self.done + 1


class Recording:
    def __init__(self, folder):
        """Nothing can be durable while the store is away: how much is lost then has no bound in time."""
        self.folder = Path(folder)
        self.settings = json.loads((self.folder / "settings").read_text(encoding="ascii"))
        self.unsynced_seconds = UNSYNCED_SECONDS if self.settings["scenario"] == "local" else float("inf")
        self.log = writes.Log(self.folder / "log")
        self.markers = list(self.read_markers())
        made = [number for number, marker in self.markers if marker["name"] == "store"]
        assert made, "no store was made in the recording"
        self.first = made[0] + 1

    def read_markers(self):
        for number, entry in enumerate(self.log.entries):
            if entry.size and not entry.flags & writes.DISCARD and entry.lies_in(layout.MARKERS):
                for marker in markers.read(self.log.bytes(entry)):
                    yield number, marker

    def flushes(self):
        """How many entries are durable after each flush, from the making of the store on."""
        return [number + 1 for number in self.log.flushes if number >= self.first]

    def known(self, position):
        """{program: Known} of the first so many writes."""
        seen = [marker for number, marker in self.markers if number < position]
        now, known = seen[-1]["time"], {}
        for marker in seen:
            of = known.setdefault(marker["name"], Known())
            of.done, of.sure = marker["done"], marker["sure"]
            of.history.append((marker["done"], marker["time"]))
            if marker["time"] <= now - self.unsynced_seconds:
                of.old = marker["done"]
        return known


@dataclass(frozen=True)
class Cut:
    position: int  # so many entries of the log had come
    flushed: int  # so many of these are durable
    seed: str

    def losses(self):
        return writes.choose_losses(random.Random(f"{self.seed}/losses"))

    def __str__(self):
        if self.position == self.flushed:
            return f"cut {self.position} (at a flush)"
        ways = [loss.__name__[5:] for loss in self.losses().values()]
        behind = self.position - self.flushed
        return f"cut {self.position} ({behind} entries behind a flush, of the store {ways[0]}, of the state {ways[1]})"


def draw(rng, places, count):
    return list(places) if len(places) <= count else rng.sample(places, count)


def cut_at(recording, positions, seed):
    """What is durable at each is what was written before the last flush."""
    flushes = [number + 1 for number in recording.log.flushes]
    return [Cut(position, flushes[bisect.bisect_right(flushes, position) - 1], f"{seed}/{position}/{number}")
            for number, position in enumerate(positions)]


def choose(recording, count, seed):
    """Two in four of them at flushes; one just when something durable was acknowledged, first of all the store itself; the others
    anywhere."""
    rng = random.Random(f"{seed}/cuts")
    acknowledged = [number + 1 for number, marker in recording.markers if marker["done"] == marker["sure"] > 0]
    positions = draw(rng, recording.flushes(), count // 2)
    positions += [recording.first, *draw(rng, acknowledged, count // 4)]
    while len(positions) < count:
        positions.append(rng.randrange(recording.first, len(recording.log.entries) + 1))
    return cut_at(recording, positions[:count], seed)


def choose_every(recording, subsets, seed):
    """Just when the store was made, and at every flush from there on; behind each of them so many cuts anywhere before the next flush."""
    rng, positions = random.Random(f"{seed}/every flush"), []
    starts = [recording.first, *recording.flushes()]
    for start, end in zip(starts, [*starts[1:], len(recording.log.entries) + 1]):
        behind = range(start + 1, end)  # the entry before `end` is the flush itself
        positions += [start, *(rng.choice(behind) for _ in range(subsets if behind else 0))]
    return cut_at(recording, positions, seed)


def in_rounds(chosen, most, seed):
    """Each round has up to so many cuts, one of each stretch of the recording, in its order: so the first rounds are as good as others."""
    rng, count = random.Random(f"{seed}/rounds"), max(1, -(-len(chosen) // most))
    ordered = sorted(chosen, key=lambda cut: cut.position)
    stretches = [rng.sample(stretch, len(stretch)) for stretch in (ordered[at:at + count] for at in range(0, len(ordered), count))]
    return [[stretch[number] for stretch in stretches if number < len(stretch)] for number in range(count)]


class Player:
    """The disk as it is durable at one flush after the other, and copies of it with what a cut left."""

    def __init__(self, recording, folder):
        self.recording, self.at, self.path = recording, 0, Path(folder, "durable")
        subprocess.run(["cp", "--sparse=always", recording.folder / "before", self.path], check=True)
        self.disk = writes.Disk(self.path)

    def advance(self, position):
        for entry in self.recording.log.entries[self.at:position]:
            if entry.size and not entry.lies_in(layout.MARKERS):
                self.disk.put(self.recording.log, entry)
        self.at = position

    def make(self, cut, path):
        """Cuts come in the order of what is durable."""
        assert cut.flushed >= self.at
        self.advance(cut.flushed)
        subprocess.run(["cp", "--sparse=always", self.path, path], check=True)
        log, disk = self.recording.log, writes.Disk(path)
        pending = [(number, log.entries[number]) for number in range(cut.flushed, cut.position) if log.entries[number].size]
        writes.survive(log, disk, pending, cut.losses(), random.Random(f"{cut.seed}/survive"))
        disk.close()
