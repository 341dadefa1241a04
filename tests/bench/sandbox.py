"""Namespaces of its own for a run on a rig: mounts, the network, processes. Whatever ends the run, nothing is left of it but temporary directories, and those are removed from outside."""
import os
import signal
import subprocess
import sys

from . import place, system

MARK = "RIAD_BENCH_SANDBOX"
UNSHARE = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]


def be_first_process():
    """Goes on in a child; process 1 of the namespace buries whoever is left to it, as some wait for that."""
    child = os.fork()
    if child == 0:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the child is told too
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def run_again(store, binary):
    """The same command inside. Gives its exit code."""
    with system.ring(), place.temporary() as local, place.temporary(store or local) as stores:
        command = [*UNSHARE, sys.executable, *sys.argv, "--riad", str(binary), "--store", str(stores)]
        inner = subprocess.Popen(command, env=dict(os.environ, TMPDIR=str(local), **{MARK: "yes"}))
        try:
            return inner.wait()
        finally:
            inner.kill()
            inner.wait()


def is_inside():
    return MARK in os.environ
