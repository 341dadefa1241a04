"""Rounds of works on peers."""
import os
import platform
import statistics
import sys
import time

from . import system
from .works import WORKS

BEHIND_SECONDS = 2  # what was put off goes to the store by then: its calls count too


class Record:
    """What was measured: {work: {peer: figures}}, and how many calls that took of a store that counts them."""

    def __init__(self, peers, names):
        self.figures, self.calls = ({name: {peer.name: [] for peer in peers} for name in names} for _ in range(2))

    @staticmethod
    def add(table, name, peer, value):
        if value is not None:
            table[name][peer.name].append(value)

    @staticmethod
    def medians(table):
        found = {name: {peer: statistics.median(values) for peer, values in row.items() if values} for name, row in table.items()}
        return {name: row for name, row in found.items() if row}


def do(materials, peer, name):
    """The figure, and the calls of the store."""
    system.drop_caches()
    count = None if peer.local else peer.place.calls
    before = count() if count else 0
    value = WORKS[name].function(materials, peer)
    if count:
        time.sleep(BEHIND_SECONDS)
    return value, count() - before if count else None


def measure_once(materials, peer, names, record, title):
    peer.setup()
    for name in names:
        if peer.only and name not in peer.only:
            continue
        value, calls = do(materials, peer, name)
        told = ("-" if value is None else f"{value:.3f}").rjust(9) + ("" if calls is None else f" {calls:9} calls of the store")
        print(f"{title} {peer.name:18} {name:22} {told}", file=sys.stderr, flush=True)
        record.add(record.figures, name, peer, value)
        record.add(record.calls, name, peer, calls)
    peer.teardown()


def measure(peers, materials, names, rounds):
    """Medians."""
    record = Record(peers, names)
    for number in range(rounds):
        # Round by round and rotated, so that a drift of the machine hits all alike.
        first = number % len(peers)
        for peer in peers[first:] + peers[:first]:
            measure_once(materials, peer, names, record, f"round {number + 1}")
    return {"figures": record.medians(record.figures), "calls": record.medians(record.calls)}


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {"processors": os.cpu_count(), "model": model, "kernel": platform.release(),
            "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20, "date": time.strftime("%Y-%m-%d")}
