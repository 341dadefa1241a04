"""The list of works. A module works_*.py adds its own by the decorator; a work gives seconds, or what its unit says, or None if it is not for this peer."""
from typing import Callable, NamedTuple

WORKS = {}


class Work(NamedTuple):
    function: Callable  # of the materials and a peer
    needs: tuple        # works that have to be done with it in the same mount
    unit: str


class Sizes(NamedTuple):
    """How much each work does."""

    folders: tuple = ("fs", "include", "kernel", "mm")  # of the kernel's source: some 9,000 files
    small_files: int = 4000
    big_mib: int = 1024
    stream_mib: int = 64
    random_calls: int = 5000
    random_syncs: int = 300
    transactions: int = 500
    modules: int = 2000
    growth_step: int = 10_000


TRIAL = Sizes(("mm",), 200, 32, 2, 100, 10, 20, 100, 1000)


def work(needs=(), unit="s"):
    def add(function):
        WORKS[function.__name__] = Work(function, tuple(needs), unit)
        return function
    return add


def complete(wanted):
    """The works with those that they need, in the order of the list: later ones use what earlier ones left."""
    names = set()

    def take(name):
        if name not in names:
            names.add(name)
            for other in WORKS[name].needs:
                take(other)

    for name in wanted:
        take(name)
    return [name for name in WORKS if name in names]
