"""Promise P7 across kill -9: eight processes fill and free a workspace at its limit, riad is killed at any moment, and the usage is
the sum over the inodes again. RIAD_TEST_LIMIT_KILLS (10) says how often, RIAD_TEST_LIMIT_SEED the first seed."""
import json
import os
import random
import time

import pytest

import trees
from fillers import Restless
from harness import BLOCK, detach, wait_until
from processes import Child

KILLS = int(os.environ.get("RIAD_TEST_LIMIT_KILLS", "10"))
SEED = int(os.environ.get("RIAD_TEST_LIMIT_SEED", "1"))
KILLS_OF_A_STORE = 10
LIMIT_BLOCKS, LIMIT_INODES, PROCESSES = 4000, 80, 8


def work_and_kill(store, rng):
    """Returns how often the limit was met."""
    places = [store.directory / f"p{number}" for number in range(PROCESSES)]
    for place in places:
        place.mkdir(exist_ok=True)
    children = [Child(Restless(place, rng.random()).go_on) for place in places]
    end = time.monotonic() + rng.uniform(0.05, 0.6)
    while time.monotonic() < end:
        blocks, inodes = store.usage()
        assert blocks <= LIMIT_BLOCKS and inodes <= LIMIT_INODES
    store.kill(directory=False)
    refused = 0
    for child in children:
        status = child.wait()
        # Who stored into a map that is gone was killed by SIGBUS.
        refused += child.result() if os.WIFEXITED(status) else 0
        child.end()
    detach(store.directory)
    return refused


def assert_recounted(store):
    """riad's figure is the sum over a walk, the count of `riad quota check`, and fsck's own of the unmounted store."""
    store.mount()
    wait_until(lambda: store.usage() == trees.walk_usage(store.directory), 5,
               f"the usage {store.usage()} to be the sum {trees.walk_usage(store.directory)}")
    blocks, inodes = store.usage()
    assert blocks <= LIMIT_BLOCKS and inodes <= LIMIT_INODES
    store.run("quota", "check", store.directory)
    store.unmount()
    checked = json.loads(store.run("fsck", "--json", "-q", store.path, timeout=300).stdout)
    [found] = checked["workspaces"]
    assert (found["bytes_used"] // BLOCK, found["inodes"], found["damage"]) == (blocks, inodes, 0)


@pytest.mark.parametrize("first", range(0, KILLS, KILLS_OF_A_STORE))
def test_usage_is_the_sum_after_a_kill(make_store, first):
    store, refused = make_store("-B", str(LIMIT_BLOCKS * BLOCK), "-I", str(LIMIT_INODES)), 0
    for number in range(first, min(first + KILLS_OF_A_STORE, KILLS)):
        print(f"seed {SEED + number}")
        store.mount()
        refused += work_and_kill(store, random.Random(SEED + number))
        assert_recounted(store)
    assert refused > 0, "the limit was never met"
    store.forget_state()
    store.mount()
    assert store.usage() == trees.walk_usage(store.directory)
