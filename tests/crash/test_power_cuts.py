"""Which moments of a recording tests/power tries, and what it tears. Its virtual machine is for nights; what it chooses is checked here."""
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "power"))

import cuts  # noqa: the path is set above
import layout  # noqa
import writes  # noqa

MARKER, WRITE, FLUSH = "marker", "write", "flush"
#         0      1      2       3      4      5       6      7      8      9      10     11
ENTRIES = WRITE, FLUSH, MARKER, WRITE, FLUSH, MARKER, FLUSH, FLUSH, WRITE, WRITE, FLUSH, WRITE
FLUSHES = [5, 7, 8, 11]  # behind the store's marker; between 7 and 8 there is nothing


class Recording(cuts.Recording):
    """As if it had been read from a file."""

    def __init__(self, entries):
        self.log = SimpleNamespace(entries=entries, flushes=[number for number, kind in enumerate(entries) if kind == FLUSH])
        self.markers = [(number, {"done": 1, "sure": 1}) for number, kind in enumerate(entries) if kind == MARKER]
        self.first = self.markers[0][0] + 1


@pytest.mark.parametrize("subsets", (0, 1, 3))
def test_every_flush_is_cut_at_once_and_so_many_times_behind(subsets):
    recording = Recording(ENTRIES)
    chosen = cuts.choose_every(recording, subsets, 1)
    assert [cut.position for cut in chosen if cut.position == cut.flushed] == FLUSHES == recording.flushes()
    assert chosen[0].position == 3 and chosen[0].flushed == 2  # just when the store was made
    behind = [cut for cut in chosen[1:] if cut.position != cut.flushed]
    # Just behind the store (flushed: 2) there is one place, before the flush that makes it 5.
    assert [cut.flushed for cut in behind] == [flushed for flushed in (2, 5, 8, 11) for _ in range(subsets)]
    places = {2: {4}, 5: {6}, 8: {9, 10}, 11: {12}}
    assert all(cut.position in places[cut.flushed] for cut in behind)
    assert len({cut.seed for cut in chosen}) == len(chosen)


def test_all_places_behind_a_flush_are_tried_some_time():
    chosen = [cut for seed in range(40) for cut in cuts.choose_every(Recording(ENTRIES), 1, seed)]
    assert {cut.position for cut in chosen if cut.position != cut.flushed} == {3, 4, 6, 9, 10, 12}


def test_a_sample_is_as_large_as_asked_for():
    recording = Recording(ENTRIES * 50)
    chosen = cuts.choose(recording, 40, 1)
    assert len(chosen) == 40
    at_flushes = [cut.position for cut in chosen[:20]]
    assert len(set(at_flushes)) == 20 and set(at_flushes) <= set(recording.flushes())
    assert all(recording.first <= cut.position and cut.flushed <= cut.position for cut in chosen)


@pytest.mark.parametrize("most", (1, 7, 50, 1000))
def test_each_round_goes_evenly_through_the_recording(most):
    """One cut of each stretch, all stretches equally long."""
    chosen = cuts.choose_every(Recording(ENTRIES * 50), 1, 1)
    rounds = cuts.in_rounds(chosen, most, 1)
    assert sorted(cut.seed for cuts_of_round in rounds for cut in cuts_of_round) == sorted(cut.seed for cut in chosen)
    places = {cut: place for place, cut in enumerate(chosen)}  # they are in the recording's order
    for cuts_of_round in rounds:
        assert len(cuts_of_round) <= most
        assert [places[cut] // len(rounds) for cut in cuts_of_round] == list(range(len(cuts_of_round)))


def test_no_cut_at_all_is_no_round_with_one():
    assert [cut for cuts_of_round in cuts.in_rounds([], 50, 1) for cut in cuts_of_round] == []


@pytest.mark.parametrize("part", (layout.STORE, layout.STATE))
@pytest.mark.parametrize("block", (1024, 4096))
def test_ext4s_superblock_is_never_torn(part, block):
    """With blocks of 1 KiB it is the second one."""
    blocks = [writes.Entry(0, part[0] + at, block, 0) for at in range(0, 4 * block, block)]
    superblock = 1024 // block
    assert [number for number, entry in enumerate(blocks) if not writes.can_tear(entry)] == [superblock]
    for loss in writes.LOSSES:
        kept = [loss(random.Random(seed), list(enumerate(blocks))) for seed in range(100)]
        assert all(sectors.get(superblock) is None for sectors in kept)
