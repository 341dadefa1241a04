"""Many workspaces by one process: idle ones cost little, and none suffers from another."""
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness import FAILED, Store, USAGE, wait_until
from processes import Child

MANY = int(os.environ.get("RIAD_TEST_MANY", "80"))  # scripts/nightly asks for 200
SANITIZED = int(os.environ.get("RIAD_TEST_SECONDS", "180")) > 180  # scripts/nightly --sanitize: memory says nothing
HANGS = 120     # seconds that the store of one workspace does not answer


@pytest.fixture(scope="module")
def crowd(binary, base):
    """A store with many workspaces, not mounted."""
    store = Store(binary, base)
    store.init()
    store.run("workspace", "create", store.path, *(f"w{number}" for number in range(MANY)))
    store.directory = store.make_directory(store.base / ("long" * 50))  # so that what is said of all is long
    yield store
    store.remove()


def test_many_names_at_once(store):
    """All or none, as far as names go; each is made as if it were alone."""
    made = json.loads(store.run("workspace", "create", store.path, "a", "b", "c", "-B", "1M", "--json").stdout)["workspaces"]
    assert [item["workspace"] for item in made] == ["a", "b", "c"]
    listed = json.loads(store.run("workspace", "list", store.path, "--json").stdout)["workspaces"]
    assert {item["workspace"]: item["id"] for item in listed if item["workspace"] != "home"} == {item["workspace"]: item["id"] for item in made}
    assert {item["bytes_limit"] for item in listed if item["workspace"] != "home"} == {1 << 20}
    for names in (["d", "e", "a"], ["d", "e", "d"], ["d", "e", "a/b"]):
        result = store.run("workspace", "create", store.path, *names, code=None)
        assert result.returncode in (FAILED, USAGE) and result.stderr
    assert len(json.loads(store.run("workspace", "list", store.path, "--json").stdout)["workspaces"]) == 4


def test_many_processes_change_the_catalog_at_once(store):
    """Each change is there after it, nobody has to try again, and nothing is said of the others (O3)."""
    names = [f"p{number}" for number in range(6)]
    events = len(json.loads(store.run("events", "--json").stdout)["events"])
    for command in (["workspace", "create", store.path], ["quota", "set", store.path, "-B", "3M", "-w"]):
        started = [subprocess.Popen([*store.user.prefix(), store.binary, *command, name], env=store.environment(),
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for name in names]
        said = [process.communicate(timeout=60)[1] for process in started]
        assert [process.returncode for process in started] == [0] * len(names), said
        assert said == [""] * len(names)
    listed = json.loads(store.run("workspace", "list", store.path, "--json").stdout)["workspaces"]
    limits = {item["workspace"]: item["bytes_limit"] for item in listed}
    assert limits == {**{name: 3 << 20 for name in names}, "home": limits["home"]}
    kinds = [event["event"] for event in json.loads(store.run("events", "--json").stdout)["events"][events:]]
    assert kinds.count("workspace-created") == kinds.count("limit-set") == len(names)
    assert set(kinds) == {"workspace-created", "limit-set", "unlocked"}


def end_all(crowd):
    for pid in crowd.hosts():
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not crowd.hosts() and not crowd.all_mounts(), 60, "all to be unmounted")


@pytest.fixture(params=["uring", "nouring"])
def mounted(request, crowd, slow_store):
    crowd.mount("--all", "-o", request.param, prefix=slow_store.prefix())
    if request.param == "uring" and crowd.mounts()[0]["transport"] != "io-uring":
        end_all(crowd)  # or the tests after it would find its mount points taken
        pytest.skip("the kernel does not offer FUSE over io_uring")
    yield crowd
    slow_store.quick()
    end_all(crowd)


def figures(pid):
    """Threads and resident MiB of a process."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines())
    return int(lines["Threads"]), int(lines["VmRSS"].split()[0]) / 1024


def test_idle_ones_cost_little(mounted):
    """200 are to take less than 64 threads and 500 MiB, by either way of requests."""
    pid, = mounted.hosts()
    mounts = mounted.mounts()
    assert len(mounts) == MANY + 1
    for mount in mounts:
        (Path(mount["directory"]) / "file").write_bytes(b"x" * 10000)
    wait_until(lambda: figures(pid)[0] <= 24, 90, f"threads to leave; there are {figures(pid)[0]}")
    time.sleep(3)  # rounds of all jobs
    # Where others compute, rounds take long, and more threads come for some seconds.
    wait_until(lambda: figures(pid)[0] <= 24, 90, f"threads to leave; there are {figures(pid)[0]}")
    threads, resident = figures(pid)
    print(f"{len(mounts)} workspaces: {threads} threads, {resident:.0f} MiB resident")
    assert threads <= 64
    assert resident < 60 + 2.2 * len(mounts) or SANITIZED
    for mount in mounts:
        assert (Path(mount["directory"]) / "file").read_bytes() == b"x" * 10000


def test_a_long_answer(mounted):
    """Longer than a request may be: all are told of, in a table too, and each can be unmounted."""
    assert len(mounted.run("status").stdout.splitlines()) == MANY + 2
    mounted.unmount(mounted.directory / f"w{MANY - 1}")
    assert len(mounted.mounts()) == MANY


def test_few_descriptors_are_raised(crowd):
    """The soft limit of a login is 1024 at most places; the hard one is the admin's word."""
    limited = ["prlimit", "--nofile=256:4096"]
    crowd.mount("--all", prefix=limited)
    try:
        assert len(crowd.mounts()) == MANY + 1
    finally:
        crowd.run("lock")
        wait_until(lambda: not crowd.hosts(), 60, "the process to end")


def test_requests_that_wait_leave_room_for_others(mounted, slow_store):
    """Also more of them than the process serves at once: their number is bounded, and the rest is told so."""
    mounts = {mount["workspace"]: mount for mount in mounted.mounts()}
    stuck = Path(mounts["w0"]["directory"])
    (stuck / "file").write_bytes(b"x")
    slow_store.slow("sync", HANGS, where=f"/ws/{mounts['w0']['id']}/")
    command = [*mounted.user.prefix(), mounted.binary, "sync", stuck]
    syncs = [subprocess.Popen(command, env=mounted.environment(), stderr=subprocess.PIPE, text=True) for _ in range(20)]
    try:
        ended = lambda: [sync for sync in syncs if sync.poll() is not None]
        wait_until(lambda: len(ended()) >= 12, 30, "those that are too many to be refused")
        assert all(sync.returncode == FAILED and "too many requests" in sync.stderr.read() for sync in ended())
        begun = time.monotonic()
        assert len(mounted.mounts()) == len(mounts)
        assert time.monotonic() - begun < 20
        assert len(ended()) == 12  # the others wait still
    finally:
        slow_store.quick()
        codes = [sync.wait(60) for sync in syncs]
    assert sorted(codes) == [0] * 8 + [FAILED] * 12


def test_a_closing_that_hangs_holds_up_no_other(mounted, slow_store):
    """One is being unmounted, and its store does not answer: others are unmounted, and their keys forgotten, all the same."""
    mounts = {mount["workspace"]: mount for mount in mounted.mounts()}
    stuck, other = (Path(mounts[name]["directory"]) for name in ("w0", "w1"))
    for directory in (stuck, other):
        (directory / "file").write_bytes(b"x")
    slow_store.slow("sync", HANGS, where=f"/ws/{mounts['w0']['id']}/")
    closing = subprocess.Popen([*mounted.user.prefix(), mounted.binary, "unmount", stuck], env=mounted.environment())
    try:
        wait_until(lambda: not os.path.ismount(stuck), 20, "it to be gone")
        begun = time.monotonic()
        mounted.unmount(other)
        assert time.monotonic() - begun < 20 and closing.poll() is None
        assert not {"w0", "w1"} & {mount["workspace"] for mount in mounted.mounts()}
    finally:
        slow_store.quick()
    assert closing.wait(60) == 0


def test_one_that_hangs_holds_up_no_other(mounted, slow_store):
    """Its store does not answer: it waits, with its clients and jobs; the others do not notice."""
    mounts = {mount["workspace"]: mount for mount in mounted.mounts()}
    stuck, others = Path(mounts["w0"]["directory"]), [Path(mounts[f"w{number}"]["directory"]) for number in range(1, 6)]

    def sync_for_ever(number):
        with open(stuck / f"sync{number}", "wb", buffering=0) as file:
            while True:
                file.write(b"x")
                os.fsync(file.fileno())

    def work(folder):
        worst, end = 0, time.monotonic() + 3
        while time.monotonic() < end:
            begun = time.monotonic()
            with open(folder / "file", "wb", buffering=0) as file:
                file.write(b"y" * 5000)
                os.fsync(file.fileno())
            os.rename(folder / "file", folder / "renamed")
            worst = max(worst, time.monotonic() - begun)
        return worst

    slow_store.slow("sync", HANGS, where=f"/ws/{mounts['w0']['id']}/")
    children = [Child(sync_for_ever, number) for number in range(20)]
    wait_until(lambda: all(child.is_blocked() for child in children), 15, "all of them to wait")
    begun = time.monotonic()
    mounted.run("sync", others[0])
    assert time.monotonic() - begun < 20
    workers = [Child(work, folder) for folder in others]
    took = [worker.result(60) for worker in workers]
    assert max(took) < 20, took  # on a machine that is very busy
    assert all(mounts[name]["event"] == "" for name in mounts)
    for child in children:
        child.send(signal.SIGKILL)
    slow_store.quick()
    for child in [*children, *workers]:
        child.end()
    assert {mount["state"] for mount in mounted.mounts()} == {"running"}


def test_a_process_that_does_not_answer_is_told_of(store):
    """What it has mounted is not known: for a table, for JSON, and for who asks for its directory; others are shown, with exit 1."""
    store.run("workspace", "create", store.path, "second")
    store.mount()
    other = store.mount("-w", "second", directory=store.make_directory(store.base / "second"))
    stopped = next(mount for mount in store.mounts() if mount["workspace"] == "home")
    os.kill(stopped["pid"], signal.SIGSTOP)
    try:
        for arguments in ([], ["--json"]):
            result = store.run("status", *arguments, code=FAILED)
            assert f"process {stopped['pid']} does not answer" in result.stderr and str(other) in result.stdout
        result = store.run("status", other, "--json")
        assert [mount["workspace"] for mount in json.loads(result.stdout)["mounts"]] == ["second"]
        store.run("status", stopped["directory"], code=FAILED)
    finally:
        os.kill(stopped["pid"], signal.SIGCONT)
    assert len(store.mounts()) == 2
