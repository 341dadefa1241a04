"""Processes that the tests of databases start and kill: they print the number of each commit once it returned."""
import hashlib
import random
import sqlite3
import sys

ACCOUNTS, TOTAL = 200, 200 * 1000
KEYS = 500


def sqlite_open(path):
    db = sqlite3.connect(path, timeout=60, isolation_level=None)
    db.execute("pragma synchronous = full")
    # Small enough that a transaction is written to the file before it commits: a crash leaves something to roll back.
    db.execute("pragma cache_size = 10")
    db.execute("pragma wal_autocheckpoint = 60")
    return db


def sqlite_make(path, mode):
    db = sqlite_open(path)
    assert db.execute(f"pragma journal_mode = {mode}").fetchone()[0] == mode
    db.execute("create table accounts (id integer primary key, balance int, filler blob)")
    db.execute("create table commits (n integer primary key)")
    db.executemany("insert into accounts values (?, 1000, randomblob(500))", [(n,) for n in range(ACCOUNTS)])
    db.execute("create index balances on accounts (balance, id)")
    db.close()


def sqlite_total(db):
    return db.execute("select sum(balance) from accounts").fetchone()[0]


def sqlite(path):
    """Moves money between all accounts, transaction after transaction."""
    db = sqlite_open(path)
    number = db.execute("select coalesce(max(n), 0) from commits").fetchone()[0]
    while True:
        number += 1
        db.execute("begin immediate")
        db.execute("update accounts set filler = randomblob(500), balance = balance + iif(id % 2, ?1, -?1)", (random.randrange(100),))
        db.execute("insert into commits values (?)", (number,))
        db.execute("commit")
        print(number, flush=True)


def sqlite_reader(path):
    """Reads through a memory map until its input ends: no transaction may be seen by half."""
    db = sqlite_open(path)
    db.execute("pragma mmap_size = 67108864")
    sys.stdin = open(0, "rb", buffering=0)
    import select
    while not select.select([0], [], [], 0)[0]:
        assert sqlite_total(db) == TOTAL
        print("read", flush=True)


def lmdb_open(path, by_map):
    import lmdb
    return lmdb.open(str(path), map_size=32 << 20, writemap=by_map, subdir=True)


def lmdb_value(number):
    return b"%d " % number + hashlib.sha256(b"%d" % number).hexdigest().encode() * 10


def lmdb_check(path):
    """The number of the last commit. Every value must be the one that commits up to it have left."""
    with lmdb_open(path, False) as env, env.begin() as transaction:
        last = int(transaction.get(b"last", b"0"))
        expected = {b"key%d" % (number % KEYS): lmdb_value(number) for number in range(max(1, last - KEYS + 1), last + 1)}
        assert {key: value for key, value in transaction.cursor() if key != b"last"} == expected
    return last


def lmdb(path, by_map):
    with lmdb_open(path, by_map == "map") as env:
        with env.begin() as transaction:
            number = int(transaction.get(b"last", b"0"))
        while True:
            number += 1
            with env.begin(write=True) as transaction:
                transaction.put(b"key%d" % (number % KEYS), lmdb_value(number))
                transaction.put(b"last", b"%d" % number)
            print(number, flush=True)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
