"""The programs that work in the guest's riad mount, and what must be left of their work behind a power cut.

Each does step after step: 1, 2, 3 ... What a step writes comes from the seed and its number alone. `step` says whether all up to it is
durable when it returns; `check` finds out how many steps are there, whole and in order, and insists on `least` to `most` of them."""
import functools
import hashlib
import os
import random
import sqlite3
import subprocess

import acts

PAGE = 4096
PIECE = 48 << 10  # goes to the log; more than 64 KiB at a time to a data segment
BIG_PIECE = 320 << 10


def write(path, data, *, sync=True, size=PIECE):
    """The data in pieces of that size; the last is what is left."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        for start in range(0, len(data), size):
            piece = data[start:start + size]
            assert os.write(fd, piece) == len(piece)
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)


def sync_directory(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Program:
    def __init__(self, top, seed):
        self.top, self.seed, self.place = top, seed, top / self.name

    def chance(self, number):
        return random.Random(f"{self.seed}/{self.name}/{number}")

    @functools.lru_cache(maxsize=2000)
    def data(self, number, least, most):
        rng = self.chance(number)
        return rng.randbytes(rng.randrange(least, most))

    def close(self):
        """Lets go of the mount."""

    def insist(self, found, least, most):
        assert least <= found, f"step {found} is the last that is there, step {least} was durable"
        assert found <= most, f"step {found} is there, step {most} was not begun"
        return found


class Logger(Program):
    """Appends a record to a file and syncs it; each 200 records begin a new file."""
    name = "logger"
    records = 200

    def __init__(self, top, seed):
        super().__init__(top, seed)
        self.fd = None

    def path(self, number):
        return self.place / f"log.{(number - 1) // self.records:04d}"

    def record(self, number):
        return self.data(number, 20, 6000)

    def open(self, number):
        self.place.mkdir(exist_ok=True)
        is_new = not self.path(number).exists()
        self.fd = os.open(self.path(number), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        if is_new:
            sync_directory(self.place)

    def step(self, number):
        if self.fd is None or (number - 1) % self.records == 0:
            self.close()
            self.open(number)
        record = self.record(number)
        assert os.write(self.fd, record) == len(record)
        os.fdatasync(self.fd)
        return True

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
        self.fd = None

    def check(self, least, most):
        """What a write that was not synced has left may end at a page: the kernel sends it so."""
        there = b"".join(path.read_bytes() for path in sorted(self.place.glob("log.*")))
        at, number = 0, 0
        while at < len(there):
            record = self.record(number + 1)
            piece = there[at:at + len(record)]
            assert piece == record[:len(piece)], f"record {number + 1} has other bytes"
            if len(piece) < len(record):
                assert len(there) % PAGE == 0, f"record {number + 1} ends after {len(piece)} of {len(record)} bytes"
                break
            at, number = at + len(record), number + 1
        return self.insist(number, least, most)


class Database(Program):
    """Transactions of SQLite, each of which is durable when it returns."""

    def __init__(self, top, seed):
        super().__init__(top, seed)
        self.connection = None

    def open(self):
        self.place.mkdir(exist_ok=True)
        self.connection = sqlite3.connect(self.place / "base.db", isolation_level=None, timeout=60)
        for pragma in self.pragmas:
            self.connection.execute(f"pragma {pragma}").fetchall()

    def step(self, number):
        if self.connection is None:
            self.open()
        run, data = self.connection.execute, self.data(number, 50, 3000)
        run("begin immediate")
        run("create table if not exists record (number integer primary key, data blob)")
        run("create table if not exists total (bytes integer)")
        if number == 1:
            run("insert into total values (0)")
        run("insert into record values (?, ?)", (number, data))
        run("update total set bytes = bytes + ?", (len(data),))
        run("commit")
        if number == 1:
            sync_directory(self.place)
            sync_directory(self.top)
        return True

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def check(self, least, most):
        if least == 0 and not (self.place / "base.db").exists():
            return 0
        self.connection = sqlite3.connect(self.place / "base.db", isolation_level=None)
        try:
            return self.check_tables(least, most)
        except sqlite3.Error as error:
            raise AssertionError(f"SQLite: {error}") from error
        finally:
            self.close()

    def check_tables(self, least, most):
        run = self.connection.execute
        answer = run("pragma integrity_check").fetchall()
        assert answer == [("ok",)], answer
        if not run("select name from sqlite_master where name = 'total'").fetchall():
            return self.insist(0, least, most)
        rows = run("select number, data from record order by number").fetchall()
        for expected, (number, data) in enumerate(rows, 1):
            assert number == expected, f"transaction {expected} is missing, {number} is there"
            assert data == self.data(number, 50, 3000), f"transaction {number} has other bytes"
        assert run("select bytes from total").fetchone()[0] == sum(len(data) for _, data in rows), "half of a transaction"
        return self.insist(len(rows), least, most)


class DatabaseWal(Database):
    name = "sqlite-wal"
    pragmas = ("journal_mode = wal", "synchronous = full", "wal_autocheckpoint = 60")


class DatabaseTruncate(Database):
    """With `delete` and `full` SQLite promises no durability: it does not sync the removal of the journal."""
    name = "sqlite-truncate"
    pragmas = ("journal_mode = truncate", "synchronous = full")


class DatabaseDelete(Database):
    name = "sqlite-delete"
    pragmas = ("journal_mode = delete", "synchronous = extra")


class Git(Program):
    """A commit a step, with all of git's syncs; behind every other one what git does not sync: the names it has given."""
    name = "git"
    files = 7

    def git(self, *arguments, given=None):
        environment = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "guest",
                       "GIT_AUTHOR_EMAIL": "guest@localhost", "GIT_COMMITTER_NAME": "guest", "GIT_COMMITTER_EMAIL": "guest@localhost"}
        result = subprocess.run(["git", "-C", self.place, *arguments], env=environment, input=given, check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert result.returncode == 0, f"git {' '.join(arguments)}: {result.stdout.decode(errors='replace')[-600:]}"
        return result.stdout

    def make(self):
        self.place.mkdir()
        self.git("init", "-q", "-b", "main", "--template=")
        for setting, value in (("core.fsync", "all"), ("core.fsyncMethod", "fsync"), ("gc.auto", "0"), ("maintenance.auto", "false")):
            self.git("config", setting, value)

    def text(self, number):
        return self.data(number, 100, 12000)

    def step(self, number):
        if number == 1:
            self.make()
        (self.place / f"file{number % self.files}").write_bytes(self.text(number))
        self.git("add", "-A")
        self.git("commit", "-q", "-m", str(number))
        if number % 2:
            return False
        for directory in (".git/refs/heads", ".git", "."):
            sync_directory(self.place / directory)
        return True

    def check(self, least, most):
        if least == 0 and not (self.place / ".git/refs/heads/main").exists():
            return 0
        self.git("fsck", "--full", "--strict", "--no-dangling")
        subjects = [int(line) for line in self.git("log", "--format=%s", "main").split()]
        assert subjects == list(range(len(subjects), 0, -1)), f"commits are missing: {subjects}"
        for number in subjects[:self.files]:
            there = self.git("cat-file", "blob", f"main:file{number % self.files}")
            assert there == self.text(number), f"commit {len(subjects)} has a wrong file{number % self.files}"
        return self.insist(len(subjects), least, most)


class Names(Program):
    """A file that is replaced as a whole, and, in turn, new directories with files and links, synced by their directories."""
    name = "names"

    def __init__(self, top, seed):
        super().__init__(top, seed)
        self.riad = "riad"

    def text(self, number):
        return f"{number}\n".encode() + self.data(number, 0, 9000)

    def step(self, number):
        self.place.mkdir(exist_ok=True)
        if number % 2:
            write(self.place / "current.new", self.text(number))
            (self.place / "current.new").rename(self.place / "current")
        else:
            made = self.place / f"made{number}"
            made.mkdir()
            write(made / "file", self.text(number), sync=False)
            (made / "file").chmod(0o640)
            os.link(made / "file", made / "link")
            os.symlink("file", made / "symlink")
            sync_directory(made)
        if number % 10 == 0:
            subprocess.run([self.riad, "sync", self.place], check=True, stdout=subprocess.DEVNULL)
        else:
            sync_directory(self.place)
        return True

    def check_made(self, number):
        made = self.place / f"made{number}"
        assert (made / "file").read_bytes() == self.text(number), f"{made.name}/file has other bytes"
        assert os.readlink(made / "symlink") == "file" and os.path.samefile(made / "file", made / "link")
        assert (made / "file").stat().st_mode & 0o777 == 0o640

    def check(self, least, most):
        current = self.place / "current"
        if least == 0 and not current.exists():
            return 0
        number = int(current.read_bytes().split(b"\n", 1)[0])
        assert current.read_bytes() == self.text(number), f"{current.name} is not whole"
        made = sorted(int(path.name[4:]) for path in self.place.glob("made*"))
        for even in range(2, least + 1, 2):
            self.check_made(even)
        assert number % 2 and number <= most and number >= (least if least % 2 else least - 1), (number, least, most)
        assert made == list(range(2, len(made) * 2 + 1, 2)), f"directories are missing: {made}"
        return self.insist(max([number, *made]), least, most)


class Acts(Program):
    """Creates, writes, truncations, renames and removals that nobody syncs, but for an fsync now and then: a prefix of them is there."""
    name = "acts"
    syncs = True

    def __init__(self, top, seed):
        super().__init__(top, seed)
        self.tree, self.number, self.digests = {}, 0, [self.digest({})]

    def digest(self, tree):
        contents = [(name, data and hashlib.sha256(data).digest()) for name, data in sorted(tree.items())]
        return hashlib.sha256(repr(contents).encode()).digest()

    def next(self):
        """The next act that can be done; the tree is what it will be then."""
        self.number += 1
        rng = self.chance(self.number)
        while True:
            act = acts.choose(rng)
            after = acts.apply(self.tree, act)
            if after is not None:
                self.tree = after
                return act

    def step(self, number):
        self.place.mkdir(exist_ok=True)
        act = self.next()
        acts.perform(self.place, act, sync=self.syncs)
        return self.syncs and acts.is_synced(act)

    def check(self, least, most):
        while self.number < most:
            self.next()
            self.digests.append(self.digest(self.tree))
        there = acts.found(self.place) if least or self.place.exists() else {}
        fitting = [number for number in range(most + 1) if self.digests[number] == self.digest(there)]
        assert fitting, f"what is there was never so: {[(name, data and len(data)) for name, data in sorted(there.items())]}"
        return self.insist(min(fitting, key=lambda number: (number < least, number > most)), least, most)


class Unsynced(Acts):
    """The same, and nobody ever syncs."""
    name = "unsynced"
    syncs = False


class Big(Program):
    """Writes three files anew in turn, some MiB each, or removes one; each fourth time an fsync follows. Every other one
    fills the log."""
    name = "big"
    files = 3

    def path(self, number):
        return self.place / f"big{number % self.files}"

    def contents(self, number):
        """None: the step removes the file."""
        return None if number % 11 == 10 or number < 1 else self.data(number, 200 << 10, 3 << 20)

    def step(self, number):
        self.place.mkdir(exist_ok=True)
        data = self.contents(number)
        if data is None:
            self.path(number).unlink()
        else:
            write(self.path(number), data, sync=False, size=BIG_PIECE if number % 2 else PIECE)
        if number % 4 == 0:
            sync_directory(self.place)
        return number % 4 == 0

    def fits(self, there, last, most):
        """Is it what the step left, or the next one half done? The kernel sends whole pages."""
        for number in range(last - self.files + 1, last + 1):
            is_next = last < most and (last + 1 - number) == self.files
            data, expected = there[number % self.files], self.contents(number)
            new = self.contents(last + 1) if is_next else None
            if data != expected and (None in (new, data) or len(data) % PAGE or not new.startswith(data)):
                return False
        return True

    def check(self, least, most):
        there = {slot: self.path(slot).read_bytes() if self.path(slot).exists() else None for slot in range(self.files)}
        for last in range(most, -1, -1):
            if self.fits(there, last, most):
                return self.insist(last, least, most)
        raise AssertionError(f"no step left files of {[data and len(data) for data in there.values()]} bytes, or these bytes")


QUIET = (Unsynced, Big)
ALL = (Logger, DatabaseWal, DatabaseTruncate, DatabaseDelete, Git, Names, Acts, *QUIET)
