"""P1 under load: several processes work, each tells what it is about to do and what was acknowledged, riad is killed with -9 at any
moment, and after the next mount nothing that was acknowledged is missing, and nothing is there that was never asked for.
RIAD_TEST_KILLS (20) says how often, RIAD_TEST_KILL_SEED the first seed."""
import os
import pickle
import random
import time

import pytest

from acts import apply, choose, difference, found, perform
from harness import detach
from processes import Child

KILLS = int(os.environ.get("RIAD_TEST_KILLS", "20"))
SEED = int(os.environ.get("RIAD_TEST_KILL_SEED", "1"))
KILLS_OF_A_STORE, PROCESSES = 10, 6


class Worker:
    """Acts at random and writes what it does into a file that no crash here takes."""

    def __init__(self, place, record, tree, seed):
        self.place, self.record, self.tree, self.rng = place, record, tree, random.Random(seed)

    def go_on(self):
        with open(self.record, "wb", buffering=0) as record:
            while True:
                act = choose(self.rng)
                after = apply(self.tree, act)
                if after is None:
                    continue
                record.write(pickle.dumps(("begun", act)))
                try:
                    perform(self.place, act)
                except OSError:
                    return 0
                record.write(pickle.dumps(("done",)))
                self.tree = after


def acknowledged(record, tree):
    """The tree after all that was acknowledged, what was begun behind that, and how many acts these were."""
    begun, count = None, 0
    with open(record, "rb") as file:
        while file.peek(1):
            kind, *act = pickle.load(file)
            if kind == "begun":
                begun = act[0]
            else:
                tree, begun, count = apply(tree, begun), None, count + 1
    return tree, begun, count


def work_and_kill(store, trees, seed):
    """Returns how many acts were acknowledged."""
    rng, total = random.Random(seed), 0
    places = [store.directory / f"p{number}" for number in range(PROCESSES)]
    children = []
    for number, place in enumerate(places):
        place.mkdir(exist_ok=True)
        children.append(Child(Worker(place, store.base / f"record{number}", trees[number], rng.random()).go_on))
    time.sleep(rng.uniform(0.05, 0.8))
    store.kill(directory=False)
    for child in children:
        child.wait()
        child.end()
    detach(store.directory)
    store.mount()
    for number, place in enumerate(places):
        tree, begun, count = acknowledged(store.base / f"record{number}", trees[number])
        there, total = found(place), total + count
        assert there in (tree, apply(tree, begun) if begun else tree), (seed, begun, difference(tree, there))
        trees[number] = there
    return total


@pytest.mark.parametrize("first", range(0, KILLS, KILLS_OF_A_STORE))
def test_what_was_acknowledged_is_there(make_store, first):
    store, trees, total = make_store(), [{} for _ in range(PROCESSES)], 0
    store.mount()
    for number in range(first, min(first + KILLS_OF_A_STORE, KILLS)):
        total += work_and_kill(store, trees, SEED + number)
    assert total > 100 * KILLS_OF_A_STORE // 10
    print(f"{total} acts were acknowledged")
    store.unmount()
    store.fsck()
