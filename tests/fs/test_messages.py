"""What things cost: FUSE messages and calls of the store, as `riad status --json` counts them (docs/PERFORMANCE.md)."""
import errno
import io
import os
import random
import re
import signal
import subprocess
import tarfile
import time

import pytest

from harness import raises_errno
from transports import option  # noqa: F401

FILES, DIRECTORIES = 1400, 70
MOST_MESSAGES, MOST_STORE_CALLS = 11, 0.1  # a file or directory that is unpacked
CALLS_A_SECOND = 15  # whatever is written: a sync each second, the heartbeat, what upkeep looks at
# Of each opcode that remains, how many a file or directory costs at most; docs/PERFORMANCE.md has the reasons.
MOST = {"SETATTR": 3.05, "WRITE": 2.9, "GETXATTR": 2.0, "LOOKUP": 1.05, "GETATTR": 1.05, "MKNOD": 1.0, "MKDIR": 0.1}
OWN = {"FORGET", "BATCH_FORGET", "INTERRUPT"}  # the kernel's, when memory is short or a program ends: nobody waits for them
KINDS = {"open": r"openat\((?!.*O_CREAT)", "create": r"openat\(.*O_CREAT", "close": r"close\(", "read": r"preadv?2?(64)?\(",
         "write": r"pwritev?2?(64)?\(", "sync": r"f(data)?sync\(", "resize": r"f(allocate|truncate)\(",
         "stat": r"(newfstatat|fstat|fstatfs|statx)\(", "name": r"(mkdirat|linkat|renameat2?|unlinkat)\(", "list": r"getdents64\(",
         "advise": r"fadvise64\("}


@pytest.fixture(scope="module")
def tree(base):
    """A tar with as many bytes a file as the sources of Linux have: half of them below 3 KiB, the mean 11 KiB."""
    path = base / "messages.tar"
    chance = random.Random(7)
    with tarfile.open(path, "w") as tar:
        for directory in range(DIRECTORIES):
            add(tar, f"tree/{directory}", None)
            for number in range(FILES // DIRECTORIES):
                add(tar, f"tree/{directory}/{number}", chance.randbytes(min(int(chance.lognormvariate(8.13, 1.55)), 400_000)))
    path.chmod(0o644)
    yield path
    path.unlink()


def add(tar, name, content):
    member = tarfile.TarInfo(name)
    member.uid, member.gid, member.mtime = os.getuid(), os.getgid(), 1_600_000_000
    member.mode, member.type, member.size = (0o755, tarfile.DIRTYPE, 0) if content is None else (0o644, tarfile.REGTYPE, len(content))
    tar.addfile(member, None if content is None else io.BytesIO(content))


class Count:
    """with Count(store) as count: ... What it took: `requests` by opcode, `store` calls by kind, `total` requests."""

    def __init__(self, store):
        self.store = store

    def read(self):
        status = self.store.status()
        return status["requests"], status["counters"]

    def __enter__(self):
        self.before = self.read()
        self.begun = time.monotonic()
        return self

    def __exit__(self, *error):
        self.seconds = time.monotonic() - self.begun
        after = self.read()
        self.requests = difference(after[0], self.before[0])
        self.calls = difference(after[1]["store_calls"], self.before[1]["store_calls"])
        self.counters = after[1]
        self.total = sum(number for opcode, number in self.requests.items() if opcode not in OWN)
        assert sum(self.requests.values()) == after[1]["requests"] - self.before[1]["requests"]


def difference(after, before):
    found = {name: count - before.get(name, 0) for name, count in after.items()}
    return {name: count for name, count in found.items() if count}


def each(counts, files):
    """As a table for a person who has to find out what became more."""
    rows = sorted(counts.items(), key=lambda row: -row[1])
    return "".join(f"\n  {name:20} {count / files:8.3f}" for name, count in rows)


def as_person(make_store, unprivileged):
    if not unprivileged.is_other:
        pytest.skip("whoever runs the tests is a person already")
    return make_store(user=unprivileged)


@pytest.fixture(params=["own", "person"])
def who(request, make_store):
    """Whose store it is, and who unpacks: whoever runs the tests (root gives files away), or a person where that is another one."""
    if request.param == "own":
        return make_store()
    return as_person(make_store, request.getfixturevalue("unprivileged"))


def unpack(store, tree):
    subprocess.run([*store.user.prefix(), "tar", "-xf", tree, "-C", store.directory], check=True)


def test_unpacking(who, tree, option):
    who.mount("-o", option)
    with Count(who) as count:
        unpack(who, tree)
    made = who.status()["inodes_used"] - 1
    assert made == FILES + DIRECTORIES + 1  # tar makes the top directory, too
    table = each(count.requests, made)
    print(f"{option}, {who.user.name}: messages {count.total / made:.2f}{table}\nstore calls in {count.seconds:.1f} s"
          f"{each(count.calls, made)}")
    assert count.total <= MOST_MESSAGES * made, f"{count.total / made:.2f} messages a file:{table}"
    for opcode in count.requests.keys() - OWN:
        number = count.requests[opcode]
        most = MOST.get(opcode, 0) * made + 10  # the kernel asks once for what is not there (OPEN, CREATE, FLUSH)
        assert number <= most, f"{opcode} is {number / made:.3f} a file, at most {most / made:.3f}:{table}"
    calls = count.calls.pop("total")
    assert 0 < calls <= MOST_STORE_CALLS * made + CALLS_A_SECOND * count.seconds, (
        f"{calls / made:.3f} store calls a file in {count.seconds:.1f} s:{each(count.calls, made)}")


def test_what_is_cached_costs_nothing(store, tree, option):
    top = store.mount("-o", option)
    unpack(store, tree)
    files = [top / "tree" / str(directory) / str(number) for directory in range(5) for number in range(20)]

    def use():
        for path in files:
            os.stat(path)
            fd = os.open(path, os.O_RDONLY)  # open() asks whether it is a terminal: an IOCTL, which no file system keeps
            os.fstat(fd)
            contents.append(os.read(fd, 1 << 20))
            os.close(fd)

    for _ in range(5):  # the kernel may drop what it has when memory is short: what riad is at fault for it is each time
        contents = []
        use()
        use()  # reading made the access times stale, as the kernel sees it: they are asked for once more
        with Count(store) as count:
            use()
            store.run("status")
            store.run("status", top)
            store.run("status", "--json", top)
        if not count.requests:
            break
    assert count.requests == {}, f"of {len(files)} files:{each(count.requests, len(files))}"
    assert contents[:100] == contents[200:] and sum(map(len, contents)) > 1 << 20
    with Count(store) as count:  # that requests are seen at all
        os.chmod(files[0], 0o600)
    assert count.requests.get("SETATTR") == 1


def test_caches_changes_and_commits_are_counted(store, tree):
    store.mount()
    before = store.status()["counters"]
    unpack(store, tree)
    after = store.status()["counters"]
    log = difference(after["log"], before["log"])
    assert FILES * 4 < log["changes"] < FILES * 12  # its making, its contents in a few writes, times, owner, mode
    assert log["records"] >= FILES and log["bytes"] > os.path.getsize(tree) * 0.9
    assert log["writes"] < FILES / 10
    assert 0 < after["index_commits"] - before["index_commits"] < FILES
    for name in ("inodes", "names", "extents"):
        hits = difference(after["caches"][name], before["caches"][name])
        assert hits["hits"] > FILES, (name, hits)
    with raises_errno(errno.ENOTEMPTY):
        os.rmdir(store.directory / "tree")
    assert store.status()["counters"]["request_errors"] == after["request_errors"] + 1
    store.remount()
    before = store.status()["counters"]
    assert before["requests"] < 20 and before["log"]["records"] == 0  # all begins with the mount
    subprocess.run(["cat", *(store.directory / "tree/1").iterdir()], stdout=subprocess.DEVNULL, check=True)
    after = store.status()["counters"]
    assert after["caches"]["files"]["hits"] > after["caches"]["files"]["misses"] > 0
    assert after["caches"]["keys"]["hits"] > 0 and after["caches"]["inodes"]["misses"] > before["caches"]["inodes"]["misses"]


class Trace:
    """strace of the process that serves a mount: every call on a file of its workspace's directory, whoever makes it, with its time."""

    def __init__(self, store):
        self.folder, self.output = store.workspace(), store.base / "trace"
        command = ["strace", "-f", "-y", "-ttt", "-qq", "-o", self.output, "-p", str(store.status()["pid"]),
                   "-e", "trace=%desc,%file", "-e", "signal=none"]
        self.process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
        time.sleep(1)
        assert self.process.poll() is None, self.process.stderr.read()

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)

    def calls(self):
        """(time, kind) of each. What is unfinished when another thread is shown is one call all the same."""
        found = []
        for line in self.output.read_text(encoding="utf-8", errors="replace").splitlines():
            parts = line.split(None, 2)
            if len(parts) == 3 and str(self.folder) in self.first_file(parts[2]):
                found.append((float(parts[1]), self.kind(parts[2])))
        return found

    @staticmethod
    def first_file(call):
        """The file the call is made on: its first descriptor, of a link or rename the one of the new name."""
        files = re.findall(r"(?:\d+|AT_FDCWD)<([^>]*)>", call.split(") = ")[0])
        if call.startswith("<...") or not files:
            return ""
        return files[-1] if call.startswith(("linkat", "renameat")) else files[0]

    @staticmethod
    def kind(call):
        return next((kind for kind, pattern in KINDS.items() if re.match(pattern, call)), call.split("(")[0])


@pytest.mark.root
def test_store_calls_are_those_that_strace_sees(store, tree):
    """Each, under its kind: also those that no table of riad's knows of."""
    top = store.mount()
    trace = Trace(store)
    try:
        time.sleep(0.5)
        begin, before = quiet(store)
        unpack(store, tree)
        subprocess.run(["cat", *(top / "tree/3").iterdir()], stdout=subprocess.DEVNULL, check=True)
        assert store.control("checkpoint")["ok"]
        store.run("sync", top)
        end, after = quiet(store)
    finally:
        trace.end()
    seen = {}
    for when, kind in trace.calls():
        if begin < when < end:
            seen[kind] = seen.get(kind, 0) + 1
    counted = difference(after, before)
    counted.pop("total")
    assert counted == seen
    assert seen["write"] > 10 and seen["sync"] > 1 and seen["read"] > 0 and seen["name"] > 0


def quiet(store):
    """(time, store calls) of a moment around which the store is not called: the heartbeat comes each few seconds."""
    for _ in range(50):
        before = store.status()["counters"]["store_calls"]
        time.sleep(0.2)
        now = time.time()
        time.sleep(0.2)
        after = store.status()["counters"]["store_calls"]
        if before == after:
            return now, after
    raise AssertionError("the store is called all the time")


def test_what_nobody_uses_asks_little_of_the_store(store):
    """A node has many mounts, and the store counts each call. The heartbeat goes on: others go by it."""
    store.mount()
    quiet(store)
    beats = list((store.workspace() / "term").glob("*.beat"))
    before, begun = store.status()["counters"]["store_calls"], time.monotonic()
    first = {path: path.read_bytes() for path in beats}
    time.sleep(12)
    calls, seconds = difference(store.status()["counters"]["store_calls"], before), time.monotonic() - begun
    assert sum(calls.values()) - calls["total"] <= 3.5 * seconds + 10, calls
    assert calls["write"] >= seconds / 4 - 1 and all(path.read_bytes() != first[path] for path in beats)
