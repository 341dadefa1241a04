"""Work by real programs: an archive that is unpacked, built and removed, git, SQLite."""
import hashlib
import os
import shutil
import sqlite3
import tarfile
from contextlib import closing

from crew import Worker, Wrong
from files import clear


def digest(data):
    return hashlib.sha256(data).hexdigest()


def make_archive(root, folder):
    """A tar of the checkout's sources, what is in it, and what a part of it compiles to."""
    archive, known = folder / "tree.tar", {}
    with tarfile.open(archive, "w") as tar:
        for top in ("src", "include", "docs", "tests/unit"):
            for path in sorted((root / top).rglob("*")):
                if path.is_file():
                    tar.add(path, str(path.relative_to(root)))
                    known[str(path.relative_to(root))] = digest(path.read_bytes())
    return archive, known


class Archive(Worker):
    """tar, find, gcc, ar, du, rm: a step each time. What is compiled must be what was compiled the time before."""
    name, pace = "archive", 1.0
    STEPS = ("unpack", "look", "build", "copy", "look", "remove")

    def __init__(self, place, scratch, seed, archive, known):
        super().__init__(place, scratch, seed)
        self.archive, self.known, self.step, self.built = archive, known, 0, None

    def act(self):
        getattr(self, self.STEPS[self.step])()
        self.step = (self.step + 1) % len(self.STEPS)

    def unpack(self):
        self.run("tar", "-xf", self.archive, "-C", self.place)

    def look(self):
        found = {}
        for folder, _, names in os.walk(self.place):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    found[os.path.relpath(path, self.place)] = digest(file.read())
        there = {name: value for name, value in found.items() if not name.startswith(("built/", "copied/"))}
        if there != self.known:
            wrong = sorted(name for name in {*there, *self.known} if there.get(name) != self.known.get(name))
            raise Wrong(f"{self.place}: {len(wrong)} files are not what was unpacked, such as {wrong[:5]}")
        if any(found[name] != self.known[name.split("/", 1)[1]] for name in found if name.startswith("copied/")):
            raise Wrong(f"{self.place}/copied: not what was copied")

    def build(self):
        built = self.place / "built"
        shutil.rmtree(built, ignore_errors=True)
        built.mkdir()
        sources = sorted((self.place / "src" / "base").glob("*.c"))[:6]
        self.run("gcc", "-c", "-w", "-D_GNU_SOURCE", "-I../include", *(f"../src/base/{path.name}" for path in sources), cwd=built)
        self.run("ar", "rcD", "base.a", *(f"{path.stem}.o" for path in sources), cwd=built)
        made = digest((built / "base.a").read_bytes())
        if self.built not in (None, made):
            raise Wrong(f"{built}/base.a: built of the same sources, it is another one")
        self.built = made

    def copy(self):
        self.run("cp", "-a", self.place / "src", self.place / "docs", self.folder("copied"))
        self.run("du", "-s", self.place)
        self.run("find", self.place, "-newermt", "2100-01-01")

    def folder(self, name):
        shutil.rmtree(self.place / name, ignore_errors=True)
        (self.place / name).mkdir()
        return self.place / name

    def remove(self):
        self.run("rm", "-rf", *self.place.iterdir())

    def recover(self):
        """What was done before is there; what was being done is done again."""
        done = self.STEPS[self.step]
        if done in ("unpack", "remove"):
            clear(self.place)
            self.step = 0
        elif done != "look":
            shutil.rmtree(self.place / ("built" if done == "build" else "copied"), ignore_errors=True)
            self.look()


class Git(Worker):
    """Commits, packing, clones; all of it is checked by git and by what is known."""
    name, pace = "git", 1.0
    FILES, COMMITS = 40, 80

    def __init__(self, place, scratch, seed):
        super().__init__(place, scratch, seed)
        self.repository, self.known, self.next, self.commits = place / "repository", {}, None, 0

    def git(self, *arguments):
        return self.run("git", "-C", self.repository, "-c", "gc.auto=0", "-c", "user.name=soak", "-c", "user.email=soak@localhost",
                        *arguments, GIT_CONFIG_NOSYSTEM="1")

    def act(self):
        if not self.repository.is_dir() or self.commits >= self.COMMITS:
            return self.start()
        kind = self.rng.choice(["commit"] * 6 + ["pack", "look", "clone"])
        return getattr(self, kind)()

    def start(self):
        clear(self.place)
        self.known, self.next, self.commits = {}, None, 0
        self.run("git", "init", "-q", self.repository)
        self.commit()

    def commit(self):
        self.next = dict(self.known)
        for _ in range(self.rng.randrange(1, 8)):
            name = f"f{self.rng.randrange(self.FILES)}"
            self.next[name] = self.rng.randbytes(self.rng.randrange(1, 30000))
            (self.repository / name).write_bytes(self.next[name])
        self.git("add", "-A")
        self.git("commit", "-q", "-m", f"commit {self.commits}")
        self.known, self.next, self.commits = self.next, None, self.commits + 1

    def pack(self):
        self.git("gc", "-q", "--prune=now")

    def files(self):
        return {path.name: path.read_bytes() for path in self.repository.iterdir() if path.is_file()}

    def look(self):
        self.git("fsck", "--full", "--no-dangling")
        if self.git("status", "--porcelain"):
            raise Wrong(f"{self.repository}: git sees changes:\n{self.said}")
        if self.files() != self.known:
            raise Wrong(f"{self.repository}: the files are not what was committed")

    def clone(self):
        shutil.rmtree(self.place / "clone", ignore_errors=True)
        self.run("git", "clone", "-q", "--no-hardlinks", self.repository, self.place / "clone", GIT_CONFIG_NOSYSTEM="1")
        if self.git("rev-parse", "HEAD") != self.run("git", "-C", self.place / "clone", "rev-parse", "HEAD"):
            raise Wrong(f"{self.place}/clone: has another head")
        shutil.rmtree(self.place / "clone")

    def recover(self):
        """The commit that was being made is there as a whole or not at all."""
        if self.commits == 0:  # it was being made
            clear(self.place)
            return
        for lock in (self.repository / ".git").rglob("*.lock"):
            lock.unlink()
        self.git("fsck", "--full", "--no-dangling")
        self.git("reset", "-q", "--hard")
        self.git("clean", "-q", "-f", "-d")
        found = self.files()
        if found not in (self.known, self.next or self.known):
            raise Wrong(f"{self.repository}: neither the last commit nor the one that a kill cut")
        self.known, self.next = found, None


class Sqlite(Worker):
    """Transactions by a rollback journal or a WAL. What was committed is there, rows and indexes agree."""
    name, pace = "sqlite", 0.5
    ROWS, ROUNDS = 2000, 300

    def __init__(self, place, scratch, seed):
        super().__init__(place, scratch, seed)
        self.known, self.next, self.rounds = {}, None, 0

    def open(self):
        database = sqlite3.connect(self.place / "data.db", isolation_level=None, timeout=60)
        database.execute("PRAGMA synchronous=NORMAL")
        if self.is_killed:  # no map of shared memory, which would end this process (SIGBUS)
            database.execute("PRAGMA locking_mode=EXCLUSIVE")
        return database

    def act(self):
        if self.rounds % self.ROUNDS == 0:
            self.start()
        self.next = dict(self.known)
        with closing(self.open()) as database:
            database.execute("BEGIN IMMEDIATE")
            for _ in range(self.rng.randrange(1, 60)):
                self.change(database)
            database.execute("COMMIT")
        self.known, self.next, self.rounds = self.next, None, self.rounds + 1
        if self.rng.random() < 0.1:
            self.look()

    def start(self):
        clear(self.place)
        self.known, self.next = {}, None
        with closing(self.open()) as database:
            database.execute(f"PRAGMA journal_mode={self.rng.choice(['DELETE', 'WAL', 'TRUNCATE'])}")
            database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)")
            database.execute("CREATE INDEX by_body ON t (body)")
        self.rounds = 1

    def change(self, database):
        row, body = self.rng.randrange(self.ROWS), self.rng.randbytes(self.rng.randrange(10, 900))
        if self.rng.random() < 0.25:
            database.execute("DELETE FROM t WHERE id = ?", (row,))
            self.next.pop(row, None)
        else:
            database.execute("INSERT OR REPLACE INTO t VALUES (?, ?)", (row, body))
            self.next[row] = body

    def rows(self):
        with closing(self.open()) as database:
            if database.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                raise Wrong(f"{self.place}/data.db: integrity_check fails")
            return dict(database.execute("SELECT id, body FROM t"))

    def look(self):
        if self.rows() != self.known:
            raise Wrong(f"{self.place}/data.db: the rows are not what was committed")

    def recover(self):
        if self.rounds == 0 or self.rounds % self.ROUNDS == 0:
            self.rounds = 0  # it was being made
            return
        found = self.rows()
        if found not in (self.known, self.next or self.known):
            raise Wrong(f"{self.place}/data.db: neither what was committed nor what a kill cut")
        self.known, self.next = found, None
