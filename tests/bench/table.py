"""What was measured, as text."""
from .works import WORKS

SUBJECT = "riad"


def number(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def line(first, names, cells):
    """A row: each column as wide as its name, and as a number."""
    return f"{first:26}" + "".join(f"{cell:>{max(9, len(name)) + 2}}" for name, cell in zip(names, cells))


def title(work):
    unit = WORKS[work].unit
    return work if unit == "s" else f"{work} ({unit})"


def print_figures(figures, names):
    print(line("seconds", names, names))
    for work, row in figures.items():
        print(line(title(work), names, [number(row.get(name), 3) for name in names]))


def ratio(row, name):
    return row[SUBJECT] / row[name] if row.get(name) and row.get(SUBJECT) is not None else None


def print_ratios(figures, names):
    others = [name for name in names if name != SUBJECT]
    if SUBJECT not in names or not others:
        return
    print("\n" + line("riad / peer", others, others))
    for work, row in figures.items():
        if SUBJECT in row:
            print(line(title(work), others, [number(ratio(row, name), 2) for name in others]))


def print_calls(calls, names):
    if calls:
        print("\n" + line("calls of the store", names, names))
    for work, row in calls.items():
        print(line(work, names, [number(row.get(name), 0) for name in names]))


def print_verdicts(verdicts):
    if not verdicts:
        return
    print(f"\n{'goal':24}{'wanted':16}{'of':24}{'found':>8}")
    for one in verdicts:
        answer = "not measured" if one.found is None else "reached" if one.is_reached else "MISSED"
        name = one.work if one.subject == SUBJECT else f"{one.work} *"
        print(f"{name:24}{one.wanted:16}{one.against:24}{number(one.found, 2):>8}  {answer}")
    if any(one.subject != SUBJECT for one in verdicts):
        print("* by /dev/fuse (riad-device), which may take 1.6 times as long")
    measured = [one for one in verdicts if one.found is not None]
    print(f"{sum(one.is_reached for one in measured)} of {len(measured)} goals reached" + (f", {len(verdicts) - len(measured)} not measured" if len(measured) < len(verdicts) else ""))


def print_all(result, verdicts):
    if result["trial"]:
        print("A trial with small sizes: that it works is seen, the figures say nothing.\n")
    print_figures(result["figures"], result["peers"])
    print_ratios(result["figures"], result["peers"])
    print_calls(result["calls"], result["peers"])
    print_verdicts(verdicts)
