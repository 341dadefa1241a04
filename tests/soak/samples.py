"""What is measured, a line of CSV each time, and what it must not be in the end."""
import csv
import os
import statistics
import time
from pathlib import Path

COLUMNS = ("time", "seconds", "phase", "subject", "process", "pid", "rss_kib", "descriptors", "threads", "store_bytes", "state_bytes",
           "used_bytes", "probes", "latency_median_ms", "latency_worst_ms")
MIB = 1 << 20

# How much more the last third of what is judged may have than the first, by medians; and what nothing may ever have.
# Memory goes up in steps: a heap that was needed once is kept, 32 MiB of it at most (mallopt in command_mount.c).
GROWTH = {"rss_kib": 32 * 1024, "descriptors": 16, "threads": 8}
MOST = {"rss_kib": 400 * 1024, "descriptors": 400, "threads": 64}
WARM = 0.4           # of the run is not judged for growth, two hours at most: caches fill
WARM_MOST = 7200
SHORT = 900          # seconds: of a shorter run growth is not judged at all
MEDIAN_MS = 250      # of all probes: made, written, synced, read, removed
SLOW_MS = 2000       # at most one in a hundred takes longer
WORST_MS = 30000
# Of each workspace: the store at rest is so many times what files count, and has so much for the open segments, logs and checkpoints.
DISK_FACTOR, DISK_ROOM = 1.35, 160 * MIB
STATE_MOST = 352 * MIB  # its index, a WAL of 256 MiB and the spool


def of_process(pid):
    """rss_kib, descriptors, threads; what may not be looked at is None."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines())
    try:
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    except PermissionError:
        descriptors = None
    return int(lines["VmRSS"].split()[0]), descriptors, int(lines["Threads"])


class Samples:
    def __init__(self, path):
        self.start, self.rows, self.latencies = time.monotonic(), [], {}
        self.file = open(path, "w", encoding="utf-8", newline="")
        self.writer = csv.DictWriter(self.file, COLUMNS)
        self.writer.writeheader()

    def take(self, subject, phase):
        """A row for each process of the subject."""
        milliseconds = [seconds * 1000 for _, seconds in subject.crew.seconds()]
        self.latencies.setdefault(subject.name, []).extend(milliseconds)
        store, state, used = subject.disks()
        for process, pid in subject.processes().items():
            rss, descriptors, threads = of_process(pid)
            row = {"time": int(time.time()), "seconds": round(time.monotonic() - self.start, 1), "phase": phase, "subject": subject.name,
                   "process": process, "pid": pid, "rss_kib": rss, "descriptors": descriptors, "threads": threads, "store_bytes": store,
                   "state_bytes": state, "used_bytes": used, "probes": len(milliseconds),
                   "latency_median_ms": round(statistics.median(milliseconds), 2) if milliseconds else "",
                   "latency_worst_ms": round(max(milliseconds), 1) if milliseconds else ""}
            self.rows.append(row)
            self.writer.writerow(row)
        self.file.flush()

    def of(self, subject, process):
        return [row for row in self.rows if (row["subject"], row["process"]) == (subject, process)]

    def names(self):
        return list(dict.fromkeys((row["subject"], row["process"]) for row in self.rows))


def middle(rows, column):
    return statistics.median(row[column] for row in rows)


def judge_growth(name, rows, seconds):
    """Of one process that lived all the time: (what is checked, figures, is it right)."""
    if seconds < SHORT:
        return
    rows = [row for row in rows if row["seconds"] > min(WARM * seconds, WARM_MOST)]
    third = len(rows) // 3
    for column, most in GROWTH.items():
        if third < 5 or rows[0][column] is None:
            yield f"{name}: {column} does not grow", "too few samples", rows and rows[0][column] is None
            continue
        first, last = middle(rows[:third], column), middle(rows[-third:], column)
        yield f"{name}: {column} grows by {most} at most", f"{first:.0f} -> {last:.0f}", last - first <= most


def judge_process(name, rows, seconds):
    if len({row["pid"] for row in rows}) == 1:
        yield from judge_growth(name, rows, seconds)
    for column, most in MOST.items():
        worst = max(row[column] or 0 for row in rows)
        yield f"{name}: {column} is {most} at most", f"{worst}", worst <= most


def judge_latency(name, milliseconds):
    if len(milliseconds) < 20:
        yield f"{name}: probes", f"{len(milliseconds)}", False
        return
    times = sorted(milliseconds)
    slow = times[int(len(times) * 0.99)]
    yield f"{name}: half of the probes take {MEDIAN_MS} ms at most", f"{statistics.median(times):.1f} of {len(times)}", statistics.median(times) <= MEDIAN_MS
    yield f"{name}: 99 of 100 take {SLOW_MS} ms at most", f"{slow:.0f}", slow <= SLOW_MS
    yield f"{name}: each takes {WORST_MS} ms at most", f"{times[-1]:.0f}", times[-1] <= WORST_MS
    third = len(milliseconds) // 3
    first, last = statistics.median(milliseconds[:third]), statistics.median(milliseconds[-third:])
    yield f"{name}: the last probes take 3 times the first at most", f"{first:.1f} -> {last:.1f} ms", last <= 3 * first + 20


def judge_disks(name, rows, workspaces):
    resting = [row for row in rows if row["phase"] == "rest"]
    room, most = DISK_ROOM * workspaces, STATE_MOST * workspaces
    excess = max((row["store_bytes"] - DISK_FACTOR * row["used_bytes"] for row in resting), default=0)
    yield (f"{name}: the store at rest is {DISK_FACTOR} times its files and {room // MIB} MiB at most",
           f"{excess / MIB:+.0f} MiB beside the factor, {len(resting)} rests", bool(resting) and excess <= room)
    state = max(row["state_bytes"] for row in rows)
    yield f"{name}: the local state is {most // MIB} MiB at most", f"{state / MIB:.0f}", state <= most


def judge(samples, subjects, seconds):
    for subject, process in samples.names():
        name = subject if subject == process else f"{subject}, {process}"
        yield from judge_process(name, samples.of(subject, process), seconds)
    for subject in subjects:
        rows = [row for row in samples.rows if row["subject"] == subject.name]
        if rows:
            yield from judge_latency(subject.name, samples.latencies[subject.name])
            yield from judge_disks(subject.name, rows, subject.WORKSPACES)
