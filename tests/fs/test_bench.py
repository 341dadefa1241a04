"""`riad bench`: what it measures, and that nothing of it stays."""
import json
import os
import signal
import subprocess

import pytest

from harness import DONE, FAILED, NOT_PERMITTED, OVER_LIMIT, USAGE, wait_until

STEPS = {"create": 2000, "stat": 2000, "read_small": 2000, "remove": 2000, "write": 256, "read": 256, "random_read": 5000,
         "random_write": 5000, "fsync": 200}


def steps_of(store, *arguments, **more):
    answer = json.loads(store.run("bench", "--json", *arguments, **more).stdout)
    return answer, {step["name"]: step for step in answer["steps"]}


def test_a_mount_is_measured_and_left_as_it_was(store):
    top = store.mount()
    folder = top / "folder"
    folder.mkdir()
    before = store.usage()
    answer, steps = steps_of(store, folder)
    assert list(steps) == list(STEPS)
    assert (answer["directory"], answer["mount"], answer["workspace"]) == (str(folder), str(top), "home")
    assert answer["transport"] == store.status()["transport"]
    for name, step in steps.items():
        assert 0 < step["operations"] <= STEPS[name] and step["messages"] == sum(step["requests"].values())
        assert 0 < step["median_seconds"] <= step["percentile_99_seconds"] <= step["seconds"]
    assert steps["remove"]["requests"]["UNLINK"] == steps["create"]["operations"]
    create = steps["create"]
    assert create["requests"]["MKNOD"] == create["operations"] and create["bytes"] == create["operations"] * 4096
    assert create["messages"] <= 5.2 * create["operations"] and create["store_calls"] <= 0.1 * create["operations"]
    assert steps["stat"]["messages"] < 1.1 * create["operations"]
    assert steps["read_small"]["messages"] < 10
    assert steps["write"]["store_calls"] >= steps["write"]["operations"]  # each piece goes to the store
    assert steps["fsync"]["requests"]["FSYNC"] == steps["fsync"]["operations"]
    assert os.listdir(folder) == []
    wait_until(lambda: store.usage() == before, 10, "the usage of before")
    store.unmount()
    store.fsck()


def test_the_table_and_another_directory(store):
    top = store.mount()
    lines = store.run("bench", cwd=top).stdout.splitlines()
    assert lines[0].split()[-2:] == ["MESSAGES", "CALLS"] and len(lines) == 1 + len(STEPS) + 2
    assert lines[-2] == f"Workspace home, mounted on {top} ({store.status()['transport']})."
    assert "warm" in lines[-1]
    elsewhere = store.base / "elsewhere"
    elsewhere.mkdir()
    store.user.own(elsewhere)
    answer, steps = steps_of(store, elsewhere)
    assert "mount" not in answer and list(steps) == list(STEPS) and "messages" not in steps["create"]
    assert os.listdir(elsewhere) == []


def test_what_has_no_room_is_refused(make_store):
    for option, amount, word in ("-B", "200M", "room for"), ("-I", "2000", "inodes"):
        store = make_store(option, amount)
        top = store.mount()
        before = store.status()["changes"]
        assert word in store.run("bench", top, code=OVER_LIMIT).stderr
        assert os.listdir(top) == [] and store.status()["changes"] == before


def start(store, *arguments, **options):
    """Runs it until its directory is there."""
    process = subprocess.Popen([store.binary, "bench", *arguments, store.directory], env=store.environment(), text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **{"stderr": subprocess.PIPE, **options})
    wait_until(lambda: os.listdir(store.directory) or process.poll() is not None, 20, "the bench's directory")
    assert process.poll() is None, process.communicate()
    assert os.listdir(store.directory)[0].startswith(".riad-bench-")
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_it_takes_its_directory_along(store, number):
    top = store.mount()
    process = start(store, preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))  # as if no nohup(1) were around the tests
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == -number and out == "" and err == "riad: interrupted\n"
    assert os.listdir(top) == []


def test_a_limit_that_is_reached_meanwhile(store):
    top = store.mount()
    process = start(store)
    process.send_signal(signal.SIGSTOP)  # else it may be done before the limit is set
    store.run("quota", "set", store.path, "-B", "1M")
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == OVER_LIMIT and "Disk quota exceeded" in err
    assert os.listdir(top) == []


def test_progress_is_for_terminals(store):
    store.mount()
    master, slave = os.openpty()
    process = start(store, stderr=slave)
    os.close(slave)
    shown = b""
    while b"2 of 9: stat them" not in shown:
        shown += os.read(master, 1000)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    os.close(master)


def test_wrong_use(store, unprivileged):
    store.mount(*store.for_all)
    store.run("bench", "one", "two", code=USAGE)
    assert "No such file" in store.run("bench", store.base / "none", code=FAILED).stderr
    if unprivileged.is_other:
        store.directory.chmod(0o755)
        state = store.base / "state-of-another"
        state.mkdir(mode=0o700)
        unprivileged.own(state)
        result = store.run("bench", store.directory, state=state, user=unprivileged, code=NOT_PERMITTED)
        assert "cannot make a directory in" in result.stderr
    assert store.run("bench", "--help", code=DONE).stdout.startswith("Usage: riad bench [DIR]\n")
    assert os.listdir(store.directory) == []
