"""riad alone: what many, or big, workspaces cost."""
import os
import shutil
import signal
import time

from . import system
from .peers import Riad
from .system import timed
from .works import work

FOLDERS, FILES, CROWD = 100, 1000, 200


def for_riad(function):
    def only(materials, peer):
        return function(peer) if isinstance(peer, Riad) else None
    only.__name__, only.__doc__ = function.__name__, function.__doc__
    return only


@work()
@for_riad
def unlock_100k(peer):
    """A mount of 100,000 files, from the command to the first answer, without the making of a key of the passphrase."""
    for folder in range(FOLDERS):
        (peer.mount_point / f"d{folder}").mkdir()
        for number in range(FILES):
            (peer.mount_point / f"d{folder}" / f"f{number}").touch()
    peer.unmount()
    system.drop_caches()
    key = peer.key_seconds()
    whole = timed(peer.mount) + timed(lambda: os.stat(peer.mount_point / "d50" / "f500"))
    return whole - key


CROWD_WORKS = ["crowd", "crowd_memory", "crowd_threads"]  # each leaves what the next one looks at; the last one ends it


@work(needs=CROWD_WORKS[1:])
@for_riad
def crowd(peer):
    """200 workspaces more, all mounted by one process and idle; leaves the process to be looked at."""
    peer.unmount()
    names = [f"w{number}" for number in range(CROWD)]
    peer.command("workspace", "create", peer.store, *names)
    seconds = timed(lambda: peer.command("mount", peer.store, peer.mount_point, "--all", *peer.options))
    time.sleep(10)
    return seconds


@work(needs=["crowd"], unit="MiB")
@for_riad
def crowd_memory(peer):
    return peer.memory()


@work(needs=["crowd"], unit="threads")
@for_riad
def crowd_threads(peer):
    threads = max(len(os.listdir(f"/proc/{pid}/task")) for pid in peer.pids())
    for pid in peer.pids():
        os.kill(pid, signal.SIGTERM)
    system.wait_until(lambda: not peer.pids(), 120, "the end of riad's process")
    shutil.rmtree(peer.mount_point)
    peer.mount_point.mkdir()
    peer.mount()
    return threads
