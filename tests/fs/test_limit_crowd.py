"""Promise P7 under contention: eight processes that fill one workspace together, by small writes, large ones and maps."""
import os

import trees
from fillers import MEGABYTE, append_until_refused, map_until_refused
from harness import BLOCK
from processes import Child
from syscalls import AT_STATX_FORCE_SYNC, statx

LIMIT = 40000  # blocks


def gently(way, *arguments):
    """With less claim to the processors than the one that watches."""
    os.nice(10)
    return way(*arguments)


def start_eight(directory):
    ways = [(append_until_refused, BLOCK)] * 3 + [(append_until_refused, MEGABYTE)] * 3 + [(map_until_refused, LIMIT * BLOCK)] * 2
    paths = [directory / str(number) for number in range(len(ways))]
    for path in paths:
        path.touch()
    return paths, [Child(gently, way, path, size) for path, (way, size) in zip(paths, ways)]


def assert_below(store, paths):
    """By riad's figure, by df, and by the sum over the files, asked for one by one as they grow."""
    blocks, _ = store.usage()
    size = os.statvfs(store.directory)
    files = sum(statx(path, AT_STATX_FORCE_SYNC).blocks for path in paths) // 8
    assert blocks <= LIMIT and size.f_blocks - size.f_bfree <= LIMIT and files + 1 <= LIMIT
    return blocks


def test_eight_processes_fill_it_to_the_block(make_store):
    store = make_store("-B", str(LIMIT * BLOCK))
    store.mount()
    paths, children = start_eight(store.directory)
    samples = []
    while any(child.is_silent(0) for child in children):
        samples.append(assert_below(store, paths))
    for child in children:
        child.result()
        child.end()
    print(f"{len(samples)} samples, {len(set(samples))} of them different")
    assert len(set(samples)) > 10, "it was not watched while it grew"
    assert LIMIT - 1 <= assert_below(store, paths) <= LIMIT
    assert store.usage() == trees.walk_usage(store.directory)
    stored = sum(os.stat(path).st_blocks > 0 for path in paths)
    assert stored == len(paths), "some had no part in it"
    store.unmount()
    store.fsck()
