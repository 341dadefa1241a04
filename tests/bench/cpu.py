"""How much processor time something took: of the client, of the processes that serve it, of the kernel's own threads.

The client is what the bench started and waited for. A server's time is that of all its threads, also of those that ended. The kernel's threads (writing back, journals,
completions) work for everybody, so on a machine that is not quiet others' work is in it. What interrupts took is in none of the three.
"""
import os
import resource
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
SETTLED_SECONDS, SETTLE_MAX_SECONDS = 0.5, 20  # a server's work may go on after the call returned: it counts, up to this


def fields(pid):
    """Of /proc/PID/stat, from the state on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
    except OSError:
        return None


def of_process(pid):
    found = fields(pid)
    return (int(found[11]) + int(found[12])) / TICKS if found else 0.0


def of_kernel():
    """Threads of the kernel are the children of process 2. In a pid namespace, as on a rig, there are none to see."""
    if Path("/proc/2/comm").read_text(encoding="ascii") != "kthreadd\n":
        return 0.0
    total = 0
    for entry in Path("/proc").iterdir():
        found = fields(entry.name) if entry.name.isdigit() else None
        if found and found[1] == "2":
            total += int(found[11]) + int(found[12])
    return total / TICKS


def of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def of_all(pids):
    return sum(of_process(pid) for pid in pids)


def settle(pids):
    """Waits until the servers do nothing more."""
    end, before, since = time.monotonic() + SETTLE_MAX_SECONDS, of_all(pids), time.monotonic()
    while time.monotonic() < end and time.monotonic() - since < SETTLED_SECONDS:
        time.sleep(0.05)
        now = of_all(pids)
        if now - before > 1.5 / TICKS:
            before, since = now, time.monotonic()


def measured(function, pids):
    """Gives what the function gives, and the seconds of processor time that it cost."""
    client, served, kernel = of_children(), of_all(pids), of_kernel()
    result = function()
    client = of_children() - client
    settle(pids)
    return result, client + of_all(pids) - served + of_kernel() - kernel
