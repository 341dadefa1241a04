"""Whether the goals were reached."""
from typing import NamedTuple

from .goals import DEVICE_ALLOWANCE, FASTER, GOALS
from .works import WORKS

TOLD = ("riad", "riad-device")


class Verdict(NamedTuple):
    subject: str     # whom it is about
    work: str
    wanted: str
    against: str     # the peer that was the best, or whose figure is missing
    found: float     # None if it was not measured
    is_reached: bool


def best(row, peers):
    """The best one that was measured; None if there is none."""
    measured = [name for name in peers if row.get(name)]
    return min(measured, key=row.get) if measured else None


def allowance(subject, ring, work):
    is_device = subject == "riad-device" or not ring
    return DEVICE_ALLOWANCE if is_device and WORKS[work].unit == "s" else 1


def judge(goal, subject, row, ring):
    factor = allowance(subject, ring, goal.work)
    peer = best(row, goal.peers)
    wanted = f"speed >= {goal.limit / factor:.3g}" if goal.relation == FASTER else f"takes <= {goal.limit * factor:.3g}"
    if peer is None or not row.get(subject):
        return Verdict(subject, goal.work, wanted, peer or (goal.peers[0] if len(goal.peers) == 1 else f"best of {len(goal.peers)} peers"), None, False)
    ratio = row[subject] / row[peer]
    if goal.relation == FASTER:
        return Verdict(subject, goal.work, wanted, peer, 1 / ratio, 1 / ratio * factor >= goal.limit)
    return Verdict(subject, goal.work, wanted, peer, ratio, ratio <= goal.limit * factor)


def verdicts(figures, rig="", ring=True):
    """In the order of the goals; those of works that were not measured at all are left out."""
    return [judge(goal, subject, figures[goal.work], ring)
            for subject in TOLD for goal in GOALS
            if goal.rig == rig and subject in figures.get(goal.work, {})]
