"""What riad is to reach, as data: verdict.py compares it with what was measured.

FASTER: riad's speed is at least so many times that of the fastest of these peers. TIME: riad takes at most so much of the time (of the processor time, of the memory) of the best of them.
Where a work is made of syncs, it is compared with those that do them. All in the same run on the same machine, and with FUSE over io_uring; over /dev/fuse riad may take 1.6 times as long.
"""
from typing import NamedTuple

from .peers import ENCRYPTING, SYNCING

FASTER, TIME = "faster", "time"
DEVICE_ALLOWANCE = 1.6
LOCAL, GLUSTER, LATENCY = "", "gluster", "latency"


class Goal(NamedTuple):
    work: str
    relation: str
    limit: float
    peers: tuple
    rig: str = LOCAL


# "The faster of pass-through and what ext4 limits": everybody's data of a big file ends on ext4, through the page cache or not.
STREAMS = ("passthrough", *ENCRYPTING)

GOALS = [
    Goal("unpack", TIME, 0.5, ("passthrough",)),
    Goal("unpack", TIME, 0.45, ("securefs",)),
    Goal("unpack", TIME, 0.15, ("gocryptfs",)),
    Goal("copy", TIME, 0.6, ("securefs",)),
    Goal("remove", TIME, 0.6, ("securefs",)),
    Goal("find_cold", TIME, 0.6, ENCRYPTING),
    Goal("read_tree_cold", TIME, 0.6, ENCRYPTING),
    Goal("find_warm", TIME, 1.5, ("plain",)),
    Goal("create_4k", FASTER, 2.5, ENCRYPTING),
    Goal("create_4k_by_4", FASTER, 2.5, ENCRYPTING),
    Goal("write_1g", FASTER, 0.95, ("passthrough", *SYNCING)),
    Goal("read_1g_cold", FASTER, 0.95, STREAMS),
    Goal("read_1g_cold", FASTER, 1.6, ("gocryptfs",)),
    Goal("read_1g_warm", FASTER, 0.9, ("passthrough-cached",)),
    Goal("random_read_4k_cold", FASTER, 0.95, ENCRYPTING),
    Goal("random_write_4k", FASTER, 3, ENCRYPTING),
    Goal("random_write_4k_fsync", FASTER, 1.05, SYNCING),
    Goal("write_4k_sequential", FASTER, 2, ENCRYPTING),
    Goal("sqlite_inserts", FASTER, 1.2, SYNCING),
    Goal("sqlite_inserts", TIME, 0.5, ("gocryptfs",)),
    Goal("git_clone_status", FASTER, 1.2, ENCRYPTING),
    Goal("git_clone_status", TIME, 0.5, ("gocryptfs",)),
    Goal("cpu_write_1g", TIME, 1, ENCRYPTING),
    Goal("cpu_read_1g", TIME, 1, ENCRYPTING),
    Goal("unpack", FASTER, 4, ("plain",), GLUSTER),
    Goal("create_4k", FASTER, 4, ("plain",), GLUSTER),
    Goal("create_4k_by_4", FASTER, 4, ("plain",), GLUSTER),
    Goal("read_tree_cold", FASTER, 2, ("plain",), GLUSTER),
    Goal("unpack", FASTER, 10, ("securefs",), GLUSTER),
    Goal("unpack", TIME, 1.5, ("riad-local",), LATENCY),
]

# scripts/bench --growth: rates at many files beside those at 10,000, and what many files may cost.
GROWTH_RATIO_MIN = 0.7
GROWTH_MEMORY_MAX_MIB = 256
GROWTH_UNLOCK_MAX_SECONDS = 1
