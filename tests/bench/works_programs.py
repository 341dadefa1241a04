"""What programs do: git, SQLite, Python."""
import sqlite3
import sys

from .system import git, run, timed
from .works import work


@work()
def git_clone_status(materials, peer):
    """The tree as one commit, cloned from a repository that is not on the mount, and what git says has changed."""
    target = peer.mount_point / "clone"

    def work_in_it():
        git("clone", "-q", f"file://{materials.repository}", target)
        git("-C", target, "status", "--short")

    return timed(work_in_it)


@work()
def sqlite_inserts(materials, peer):
    """Each a transaction of its own, with SQLite's defaults (a rollback journal, all of its syncs)."""
    with sqlite3.connect(peer.mount_point / "database", isolation_level=None) as database:
        database.execute("create table row(id integer primary key, text text)")

        def insert():
            for number in range(materials.sizes.transactions):
                database.execute("insert into row(text) values (?)", (f"row {number}" * 10,))

        seconds = timed(insert)
    database.close()
    return seconds


@work()
def python_import_cold(materials, peer):
    """Packages of 20 modules each, compiled before; a new interpreter imports them all."""
    run("tar", "-xf", materials.packages, "-C", peer.mount_point)
    peer.remount()
    return timed(lambda: run(sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(peer.mount_point)!r}); import bench_packages"))
