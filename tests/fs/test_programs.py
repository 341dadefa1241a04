"""Real programs do their work in a workspace, and it is still right after a remount."""
import os
import shutil
import sqlite3
import subprocess
import sys

import pytest

import trees


def run(*command, cwd, seconds=120):
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "HOME": str(cwd),
                   "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    result = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace", check=False, timeout=seconds)
    assert result.returncode == 0, f"{command}:\n{result.stdout[:2000]}"
    return result.stdout


@pytest.fixture(scope="module")
def real(base):
    """A tar of real files of this machine, and the same unpacked on an ordinary file system."""
    folder = base / "real"
    folder.mkdir()
    trees.real_tar(folder / "real.tar", most_files=2500, most_bytes=40 << 20)
    trees.unpack(folder / "real.tar", folder / "plain")
    yield folder
    shutil.rmtree(folder)


def test_tar(place, shared, real):
    trees.unpack(real / "real.tar", place / "tree")
    expected = trees.describe(real / "plain")
    trees.assert_same(expected, trees.describe(place / "tree"))
    shared.remount()
    trees.assert_same(expected, trees.describe(place / "tree"))
    run("tar", "--compare", "-f", real / "real.tar", "-C", place / "tree", cwd="/")
    shared.unmount()
    shared.forget_state()
    shared.mount()
    trees.assert_same(expected, trees.describe(place / "tree"))


LINUX = "/usr/src/linux-source-6.1.tar.xz"


@pytest.mark.skipif(not os.path.exists(LINUX), reason="needs Debian's linux-source-6.1")
def test_linux_source(place, shared, base):
    """Large parts of the kernel's sources: identical, after a remount, and after the local state is lost."""
    parts = [f"linux-source-6.1/{name}" for name in ("fs", "kernel", "net", "Documentation", "include")]
    plain = base / "linux"
    plain.mkdir()
    run("tar", "-xJf", LINUX, "-C", plain, "--no-same-owner", *parts, cwd="/", seconds=600)
    run("sh", "-c", 'tar -C "$1" -cf - . | tar -C "$2" -xf -', "sh", plain, place, cwd="/", seconds=600)

    def compare():
        assert run("diff", "-r", "--no-dereference", plain, place, cwd="/", seconds=600) == ""

    compare()
    shared.remount()
    compare()
    shared.unmount()
    shared.forget_state()
    shared.mount()
    compare()
    shutil.rmtree(plain)


def test_diff_and_cp(place, real):
    run("cp", "-a", real / "plain", place / "copy", cwd="/")
    assert run("diff", "-r", "--no-dereference", real / "plain", place / "copy", cwd="/") == ""
    run("cp", "-a", place / "copy", place / "second", cwd="/")
    assert run("diff", "-r", "--no-dereference", place / "copy", place / "second", cwd="/") == ""


@pytest.mark.skipif(not shutil.which("rsync"), reason="no rsync")
def test_rsync(place, real):
    run("rsync", "-aH", f"{real}/plain/", place / "tree", cwd="/")
    trees.assert_same(trees.describe(real / "plain"), trees.describe(place / "tree"))
    assert run("rsync", "-aHi", "--delete", f"{real}/plain/", place / "tree", cwd="/").strip() == ""
    assert run("rsync", "-aHic", "--delete", f"{real}/plain/", place / "tree", cwd="/").strip() == ""


def test_git(place, shared):
    work = place / "work"
    run("git", "init", "-q", "-b", "main", work, cwd=place)
    for round_number in range(3):
        for number in range(60):
            (work / f"file{number}").write_text(f"round {round_number}\n" * (number + 1), encoding="utf-8")
        run("git", "add", "-A", cwd=work)
        run("git", "commit", "-q", "-m", f"round {round_number}", cwd=work)
    run("git", "clone", "-q", work, place / "clone", cwd=place)
    run("git", "checkout", "-q", "-b", "side", "HEAD~1", cwd=work)
    run("git", "gc", "-q", "--aggressive", cwd=work)
    shared.remount()
    for repository in (work, place / "clone"):
        run("git", "fsck", "--full", "--strict", cwd=repository)
        assert run("git", "status", "--porcelain", cwd=repository) == ""
    assert run("git", "rev-list", "--count", "main", cwd=work).strip() == "3"


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_sqlite(place, shared, mode):
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


def test_compiler(place):
    for number in range(8):
        (place / f"part{number}.c").write_text(f"#include <stdio.h>\nint part{number}(void) {{ return {number}; }}\n",
                                               encoding="utf-8")
    (place / "main.c").write_text("#include <stdio.h>\n" + "".join(f"int part{n}(void);\n" for n in range(8)) +
                                  "int main(void) { printf(\"%d\\n\", " + " + ".join(f"part{n}()" for n in range(8)) +
                                  "); return 0; }\n", encoding="utf-8")
    for source in sorted(place.glob("*.c")):
        run("gcc", "-O1", "-c", source, "-o", source.with_suffix(".o"), cwd=place)
    run("gcc", "-o", "program", *sorted(place.glob("*.o")), cwd=place)
    assert run(place / "program", cwd=place) == "28\n"


def test_python(place, shared):
    package = place / "package"
    package.mkdir()
    (package / "__init__.py").write_text("from .inner import answer\n", encoding="utf-8")
    (package / "inner.py").write_text("answer = 6 * 7\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(place)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for _ in range(2):
        output = subprocess.run([sys.executable, "-c", "import package; print(package.answer)"], env=environment, check=True,
                                stdout=subprocess.PIPE, text=True).stdout
        assert output == "42\n" and (package / "__pycache__").is_dir()
        shared.remount()


def test_locks_of_programs(place):
    """flock and fcntl locks exclude between processes."""
    program = ("import fcntl, os, sys\nfor _ in range(50):\n"
               "    with open(sys.argv[1], 'r+') as file:\n"
               "        getattr(fcntl, sys.argv[2])(file, fcntl.LOCK_EX)\n"
               "        value = int(file.read() or 0)\n        file.seek(0)\n        file.write(str(value + 1))\n        file.flush()\n")
    for kind in ("flock", "lockf"):
        (place / kind).touch()
        running = [subprocess.Popen([sys.executable, "-c", program, place / kind, kind]) for _ in range(4)]
        assert [process.wait(60) for process in running] == [0] * 4
        assert (place / kind).read_text(encoding="utf-8") == "200"
