"""One big file: written and read from end to end and at random, and what that costs of processor time."""
import os

from . import cpu
from .system import GIB, MIB, run, timed
from .works import work

BLOCK = 4096


def measured(peer, name, function):
    """The seconds; what it took of processors is kept for the work that tells it."""
    seconds, peer.figures[name] = cpu.measured(lambda: timed(function), peer.pids())
    return seconds


@work()
def write_1g(materials, peer):
    count = materials.sizes.big_mib
    return measured(peer, "cpu_write_1g", lambda: run("dd", "if=/dev/zero", f"of={peer.mount_point}/big", "bs=1M", f"count={count}", "conv=fsync"))


@work(needs=["write_1g"], unit="CPU s")
def cpu_write_1g(_materials, peer):
    return peer.figures.get("cpu_write_1g")


def read_big(peer):
    run("dd", f"if={peer.mount_point}/big", "of=/dev/null", "bs=1M")


@work(needs=["write_1g"])
def read_1g_cold(_materials, peer):
    peer.remount()
    return measured(peer, "cpu_read_1g", lambda: read_big(peer))


@work(needs=["read_1g_cold"], unit="CPU s")
def cpu_read_1g(_materials, peer):
    return peer.figures.get("cpu_read_1g")


@work(needs=["write_1g"])
def read_1g_warm(_materials, peer):
    """The second of two readings: the caches were dropped before the work."""
    read_big(peer)
    return timed(lambda: read_big(peer))


@work()
def write_4k_sequential(materials, peer):
    """64 MiB in writes of 4 KiB."""
    count = materials.sizes.stream_mib * MIB // BLOCK
    return timed(lambda: run("dd", "if=/dev/zero", f"of={peer.mount_point}/stream", "bs=4k", f"count={count}"))


def random_offsets(materials, seed, count):
    """The same in each run."""
    state, blocks = seed, min(GIB, materials.sizes.big_mib * MIB) // BLOCK
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        yield (state >> 20) % blocks * BLOCK


@work(needs=["write_1g"])
def random_read_4k_cold(materials, peer):
    peer.remount()
    fd = os.open(peer.mount_point / "big", os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    offsets = random_offsets(materials, 1, materials.sizes.random_calls)
    seconds = timed(lambda: [os.pread(fd, BLOCK, offset) for offset in offsets])
    os.close(fd)
    return seconds


def write_at(peer, offsets, sync):
    block = os.urandom(BLOCK)
    fd = os.open(peer.mount_point / "big", os.O_WRONLY)

    def write():
        for offset in offsets:
            os.pwrite(fd, block, offset)
            if sync:
                os.fsync(fd)

    seconds = timed(write)
    os.close(fd)
    return seconds


@work(needs=["write_1g"])
def random_write_4k(materials, peer):
    return write_at(peer, random_offsets(materials, 2, materials.sizes.random_calls), sync=False)


@work(needs=["write_1g"])
def random_write_4k_fsync(materials, peer):
    return write_at(peer, random_offsets(materials, 3, materials.sizes.random_syncs), sync=True)
