"""Rounds of works on peers."""
import os
import platform
import statistics
import sys
import time

from . import system
from .works import WORKS


def measure_once(materials, peer, names, figures, title):
    peer.setup()
    for name in names:
        if peer.only and name not in peer.only:
            continue
        system.drop_caches()
        value = WORKS[name].function(materials, peer)
        print(f"{title} {peer.name:18} {name:22} {'-' if value is None else f'{value:9.3f}'}", file=sys.stderr, flush=True)
        if value is not None:
            figures[name][peer.name].append(value)
    peer.teardown()


def measure(peers, materials, names, rounds):
    """Medians: {work: {peer: figure}}."""
    figures = {name: {peer.name: [] for peer in peers} for name in names}
    for number in range(rounds):
        # Round by round and rotated, so that a drift of the machine hits all alike.
        first = number % len(peers)
        for peer in peers[first:] + peers[:first]:
            measure_once(materials, peer, names, figures, f"round {number + 1}")
    return {name: {peer: statistics.median(values) for peer, values in row.items() if values} for name, row in figures.items()}


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {"processors": os.cpu_count(), "model": model, "kernel": platform.release(),
            "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20, "date": time.strftime("%Y-%m-%d")}
