"""Databases on a mount: killed in the middle of transactions, they have what they acknowledged, and nothing by half."""
import importlib.util
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import writer
from commands import ALL_THERE, FOR_USERS, find, needs, run, start
from harness import detach, wait_until

WRITER = Path(writer.__file__)


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_sqlite_with_many_writers(place, shared, mode):
    program = ("import sqlite3, sys\n"
               "db = sqlite3.connect(sys.argv[1], timeout=60)\n"
               "for n in range(60):\n"
               "    with db: db.execute('insert into t values (?, ?, ?)', (sys.argv[2], n, sys.argv[2] * 500))\n"
               "db.close()")
    path = place / "test.db"
    db = sqlite3.connect(path)
    assert db.execute(f"pragma journal_mode={mode}").fetchone()[0] == mode
    db.execute("create table t (worker text, n int, filler text)")
    db.execute("create index i on t (worker, n)")
    db.commit()
    running = [subprocess.Popen([sys.executable, "-c", program, path, str(worker)]) for worker in range(3)]
    assert [process.wait(120) for process in running] == [0, 0, 0]
    with db:
        db.execute("delete from t where n % 3 = 0")
    db.execute("vacuum")
    db.close()
    shared.remount()
    db = sqlite3.connect(path)
    assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
    assert db.execute("select count(*), count(distinct worker) from t").fetchone() == (120, 3)
    db.close()


class Writer:
    """A process of writer.py."""

    def __init__(self, *arguments):
        self.process = start(sys.executable, WRITER, *arguments, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        self.first = self.process.stdout.readline()
        assert self.first, self.process.stderr.read()

    def end(self, delay=None):
        """Kills it after a delay, or, without one, waits for its end. Returns the lines it has printed."""
        if delay is not None:
            time.sleep(delay)
            assert self.process.poll() is None, self.process.stderr.read()
            self.process.kill()
        rest, self.errors = self.process.communicate(timeout=60)
        return [self.first, *rest[:rest.rfind("\n") + 1].splitlines()]


def killed_writer(rng, *arguments):
    """The number of the last commit that a writer had acknowledged when it was killed."""
    return int(Writer(*arguments).end(rng.uniform(0.03, 0.12))[-1])


def check_sqlite(path, acknowledged):
    db = writer.sqlite_open(path)
    assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
    assert writer.sqlite_total(db) == writer.TOTAL
    commits = db.execute("select max(n) from commits").fetchone()[0]
    assert commits in (acknowledged, acknowledged + 1), f"{commits} are there, {acknowledged} were acknowledged"
    db.close()


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_sqlite_with_killed_writers(place, mode):
    """In each second round another process has the database open, and its shared memory mapped."""
    rng = random.Random(mode)
    path, left_over = place / "test.db", 0
    writer.sqlite_make(path, mode)
    for number in range(10):
        reader = Writer("sqlite_reader", path) if number % 2 else None
        acknowledged = killed_writer(rng, "sqlite", path)
        to_recover = Path(f"{path}-{'wal' if mode == 'wal' else 'journal'}")
        left_over += to_recover.exists() and to_recover.stat().st_size > 0
        check_sqlite(path, acknowledged)
        if reader:
            reader.process.stdin.close()
            reader.process.stdin = None
            assert len(reader.end()) > 5 and reader.process.returncode == 0, reader.errors
    assert left_over > 3, "the kills left nothing to recover"


needs_lmdb = pytest.mark.skipif(not ALL_THERE and not importlib.util.find_spec("lmdb"), reason="needs python3-lmdb")


def check_lmdb(path, acknowledged):
    # A process of its own: one process may open a database of LMDB only once.
    program = "import sys, writer; print(writer.lmdb_check(sys.argv[1]))"
    commits = int(run(sys.executable, "-c", program, path, cwd="/", PYTHONPATH=str(WRITER.parent)))
    assert commits in (acknowledged, acknowledged + 1), f"{commits} are there, {acknowledged} were acknowledged"
    return commits


@needs_lmdb
@needs("mdb_stat", "mdb_copy")
@pytest.mark.parametrize("by", ["write", "map"])
def test_lmdb(place, shared, by):
    """A database that is a memory map; by "map" it is also written through it."""
    rng = random.Random(by)
    path, copy = place / "data", place / "copy"
    commits = [check_lmdb(path, killed_writer(rng, "lmdb", path, by)) for _ in range(6)][-1]
    assert f"Entries: {min(commits, writer.KEYS) + 1}\n" in run(find("mdb_stat"), path, cwd="/")
    copy.mkdir()
    run(find("mdb_copy"), "-c", path, copy, cwd="/")
    shared.remount()
    assert check_lmdb(path, commits) == check_lmdb(copy, commits) == commits


@needs_lmdb
def test_databases_when_riad_is_killed(make_store):
    store = make_store()
    top = store.mount()
    for mode in ("delete", "wal"):
        writer.sqlite_make(top / mode, mode)
    for delay in (0.1, 0.3):
        running = {name: Writer("sqlite", top / name) for name in ("delete", "wal")}
        running |= {name: Writer("lmdb", top / name, name) for name in ("write", "map")}
        time.sleep(delay)
        store.kill(directory=False)
        acknowledged = {name: int(process.end()[-1]) for name, process in running.items()}
        assert all(process.process.returncode for process in running.values())
        detach(top)
        store.mount()
        for name, number in acknowledged.items():
            (check_sqlite if name in ("delete", "wal") else check_lmdb)(top / name, number)
    store.unmount()
    store.fsck()


class Cluster:
    """PostgreSQL with all of its files, its socket too, in a directory that is on a mount. Run by a user who is not root."""
    SETTINGS = ["listen_addresses=", "shared_buffers=4MB", "checkpoint_timeout=30s", "max_wal_size=32MB", "autovacuum_naptime=1s",
                "log_timezone=GMT", "timezone=GMT"]

    def __init__(self, top, user):
        self.top, self.user, self.data, self.process = top, user, top / "data", None
        self.acknowledged = 0
        self.run("initdb", "-D", self.data, "-k", "-A", "trust", "-U", "postgres", "--no-locale", "-E", "UTF8")

    def run(self, program, *arguments, code=0):
        return run(find(program), *arguments, cwd=self.top, user=self.user, code=code, PGHOST=str(self.top), PGUSER="postgres",
                   PGDATABASE="postgres", PGTZ="GMT")

    def start(self):
        settings = [word for setting in [*self.SETTINGS, f"unix_socket_directories={self.top}"] for word in ("-c", setting)]
        self.process = start(find("postgres"), "-D", self.data, *settings, cwd=self.top, user=self.user,
                             stderr=open(self.top.parent.parent / "postgres.log", "ab"))
        wait_until(lambda: self.process.poll() is not None or not subprocess.run(
            [find("pg_isready"), "-q", "-h", self.top], check=False).returncode, 60, "PostgreSQL")
        assert self.process.poll() is None

    def stop(self, mode):
        self.run("pg_ctl", "stop", "-D", self.data, "-m", mode, "-W")
        self.process.wait(60)

    def processes(self):
        """The server, and those that it has started."""
        found = [self.process.pid]
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                if int(status.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1]) == self.process.pid:
                    found.append(int(status.parent.name))
            except OSError:
                pass
        return found

    def kill(self, processes=()):
        """kill -9 of all of its processes."""
        processes = processes or self.processes()
        for pid in processes:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(60)
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in processes), 30, "the end of PostgreSQL")

    def sql(self, text):
        return self.run("psql", "-XAtqc", text).strip()

    def work_until(self, end):
        """Runs transactions for a while until end() ends them. Counts those that were acknowledged."""
        bench = start(find("pgbench"), "-n", "-c", "4", "-T", "60", "-h", self.top, "-U", "postgres", "postgres", cwd=self.top,
                      user=self.user, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(1)
        assert len(self.processes()) > 9 and bench.poll() is None
        end()
        output = bench.communicate(timeout=60)[0]
        done = int(output.split("number of transactions actually processed: ")[1].split()[0])
        assert bench.returncode == 2 and done > 20, output
        self.acknowledged += done

    def check(self):
        """Every acknowledged transaction is there, at most the four that were under way besides, and none by half."""
        sums = self.sql("select (select sum(abalance) from pgbench_accounts), (select sum(bbalance) from pgbench_branches),"
                        " (select sum(tbalance) from pgbench_tellers), (select sum(delta) from pgbench_history)").split("|")
        assert len(set(sums)) == 1, sums
        there = int(self.sql("select count(*) from pgbench_history"))
        assert self.acknowledged <= there <= self.acknowledged + 4, f"{there} are there, {self.acknowledged} were acknowledged"
        self.acknowledged = there
        assert self.sql("select count(*), count(distinct aid) from pgbench_accounts") == "100000|100000"


@needs("initdb", "postgres", "pgbench", "psql", "pg_amcheck", "pg_checksums")
def test_postgresql(make_store, unprivileged):
    store = make_store()
    top = store.mount(*FOR_USERS) / "pg"
    store.directory.chmod(0o711)
    top.mkdir(mode=0o700)
    unprivileged.own(top)
    cluster = Cluster(top, unprivileged)

    def kill_riad():
        processes = cluster.processes()
        store.kill(directory=False)
        cluster.kill(processes)
        detach(store.directory)
        store.mount(*FOR_USERS)

    try:
        cluster.start()
        cluster.run("pgbench", "-i", "-q", "-s", "1")
        for end in (lambda: cluster.stop("immediate"), cluster.kill, kill_riad):
            cluster.work_until(end)
            cluster.start()
            cluster.check()
        cluster.run("pg_amcheck", "--install-missing", "--heapallindexed", "--no-dependent-indexes", "-d", "postgres")
        cluster.stop("fast")
        store.remount(*FOR_USERS)
        cluster.run("pg_checksums", "--check", "-D", cluster.data)
        cluster.start()
        cluster.check()
        cluster.stop("fast")
    finally:
        if cluster.process.poll() is None:
            cluster.kill()
    store.unmount()
    store.fsck()
