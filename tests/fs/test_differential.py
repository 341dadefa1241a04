"""The same random operations on a mount and on ext4 (tests/differential): no result, errno, attribute or tree may differ."""
import os
import shutil
import struct
from pathlib import Path

import pytest

from differential.driver import Difference, Pair, ext4_directory

LENGTH = 5000
SEEDS_OF_ROOT, SEEDS_OF_USER = (1, 2, 3), (4, 5)


@pytest.fixture(scope="module")
def engine(base):
    """Built beside riad; here, where every user can reach it."""
    return shutil.copy(Path(os.environ["RIAD"]).parent / "differential", base / "differential")


@pytest.fixture
def other(base):
    with ext4_directory(base) as path:
        if path is None:
            pytest.skip("there is no ext4 here, and none to be made")
        yield path


def check_after_remounts(store, pair, trees, *options):
    store.remount(*options)
    for directories in trees:
        pair.compare_trees(directories, "after a remount")
    store.unmount()
    store.forget_state()
    store.mount(*options)
    for directories in trees:
        pair.compare_trees(directories, "after the local state was lost")
    store.unmount()
    store.fsck()


@pytest.mark.root
def test_as_several_users(make_store, base, engine, other):
    store = make_store()
    pair = Pair(engine, store.mount("-o", "allow_other"), other, base)
    trees = [pair.run(seed, LENGTH) for seed in SEEDS_OF_ROOT]
    never = [kind for kind, counts in pair.tally.items() if counts["done"] == 0]
    assert len(pair.tally) > 50 and not never, f"no seed made these succeed: {never}"
    check_after_remounts(store, pair, trees, "-o", "allow_other")


def test_as_a_user(make_store, unprivileged, base, engine, other):
    store = make_store(user=unprivileged)
    unprivileged.own(other)
    pair = Pair(engine, store.mount(), other, base, unprivileged.prefix())
    check_after_remounts(store, pair, [pair.run(seed, LENGTH) for seed in SEEDS_OF_USER])


def test_a_difference_is_found_and_shrunk(base, engine, other):
    """Two directories of ext4, one with a default access control list: what is made there has other modes."""
    tops = [other / "listed", other / "plain"]
    for path in tops:
        path.mkdir()
    entries = [(1, 7), (4, 0), (32, 0)]
    packed = b"".join(struct.pack("<HHi", *entry, -1) for entry in entries)
    os.setxattr(tops[0], "system.posix_acl_default", struct.pack("<I", 2) + packed)
    pair = Pair(engine, *tops, base)
    with pytest.raises(Difference) as caught:
        pair.run(1, 300)
    report = str(caught.value)
    assert "seed 1, 300 operations" in report and "\nShrunk to 1 operations" in report, report
    lines = report[report.index("in FILE:\n") + len("in FILE:\n"):].splitlines()
    assert "signature: " in pair.replay(lines)
