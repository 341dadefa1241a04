"""Where things are on the guest's disk: an area of markers, and two file systems."""
import struct

SECTOR = 512
MIB = 1 << 20
MARKERS = (1 * MIB, 1 * MIB)  # first byte, size
STORE = (2 * MIB, 510 * MIB)
STATE = (512 * MIB, 128 * MIB)
DISK_SIZE = 640 * MIB
SLOTS = 64  # markers of as many programs, a sector each


def partition_table():
    """The first sector of the disk: /dev/vda1 is the area of markers, vda2 the store, vda3 the local state."""
    entries = b"".join(struct.pack("<B3sB3sII", 0, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", first // SECTOR, size // SECTOR)
                       for first, size in (MARKERS, STORE, STATE))
    return bytes(446) + entries.ljust(64, b"\0") + b"\x55\xaa"
