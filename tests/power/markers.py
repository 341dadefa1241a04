"""What programs in the guest were told, as sectors of the recorded disk: so it is known for each moment of the recording.

A marker is written behind the page cache and without a flush. A flush would make durable what riad should have."""
import json
import mmap
import os
import time

from layout import SECTOR, SLOTS


class Marker:
    """Tells of one program. All that a marker says was so before it is on the disk."""

    def __init__(self, device, slot, name):
        assert slot < SLOTS
        self.fd = os.open(device, os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
        self.place, self.name, self.page = slot * SECTOR, name, mmap.mmap(-1, mmap.PAGESIZE)

    def tell(self, done, sure):
        """Steps up to `done` have returned, and the next may have begun; those up to `sure` are durable."""
        text = json.dumps({"name": self.name, "done": done, "sure": sure, "time": time.monotonic()}).encode()
        self.page[:SECTOR] = text.ljust(SECTOR, b"\0")
        assert os.pwritev(self.fd, [memoryview(self.page)[:SECTOR]], self.place) == SECTOR


def read(data):
    """The markers that a write to their area is: of several programs, if the guest's kernel has merged what lay side by side."""
    for at in range(0, len(data), SECTOR):
        if data[at:at + 1] == b"{":
            yield json.loads(data[at:at + SECTOR].rstrip(b"\0"))
