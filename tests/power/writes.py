"""What qemu's blklogwrites recorded (the format is that of Linux's dm-log-writes), and what a power cut may leave of it."""
import mmap
import struct
from dataclasses import dataclass

from layout import SECTOR, STATE, STORE

MAGIC, VERSION = 0x6A736677736872, 1
FLUSH, FUA, DISCARD = 1, 2, 4
SUPERBLOCK = 1024  # where ext4 has it, from the beginning of the file system; as many bytes long
SUPER, ENTRY = struct.Struct("<QQQI"), struct.Struct("<QQQQ")


@dataclass(frozen=True)
class Entry:
    flags: int
    first: int  # byte of the disk
    size: int
    data: int  # where the bytes lie in the log

    def lies_in(self, part):
        return part[0] <= self.first < part[0] + part[1]


class Log:
    """All that was recorded, in its order."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, version, count, sector = SUPER.unpack_from(self.map)
        assert (magic, version, sector) == (MAGIC, VERSION, SECTOR), f"{path} is no log of writes"
        self.entries = list(self.read(count))
        self.flushes = [number for number, entry in enumerate(self.entries) if entry.flags & FLUSH]

    def read(self, count):
        at = SECTOR
        for _ in range(count):
            sector, sectors, flags, _ = ENTRY.unpack_from(self.map, at)
            at += SECTOR
            size = sectors * SECTOR
            yield Entry(flags, sector * SECTOR, size, at)
            at += 0 if flags & DISCARD else size

    def bytes(self, entry, start=0, size=None):
        return self.map[entry.data + start:entry.data + (entry.size if size is None else start + size)]


class Disk:
    """A file with what a disk has."""

    def __init__(self, path):
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)

    def close(self):
        self.map.close()

    def put(self, log, entry, sectors=None):
        """The write, or those of its sectors."""
        if entry.flags & DISCARD:
            self.map[entry.first:entry.first + entry.size] = bytes(entry.size)
        elif sectors is None:
            self.map[entry.first:entry.first + entry.size] = log.bytes(entry)
        else:
            for sector in sectors:
                at = sector * SECTOR
                self.map[entry.first + at:entry.first + at + SECTOR] = log.bytes(entry, at, SECTOR)


def keep_all(_rng, pending):
    return {number: None for number, _ in pending}


def keep_none(_rng, _pending):
    return {}


def keep_some(rng, pending):
    """Whole writes by chance: so they may have been done in any order."""
    share = rng.random()
    return {number: None for number, _ in pending if rng.random() < share}


def keep_sectors(rng, pending):
    """Some writes, and of some of these some sectors."""
    kept = keep_some(rng, pending)
    for number, entry in pending:
        if number in kept and can_tear(entry) and rng.random() < 0.5:
            count = entry.size // SECTOR
            kept[number] = sorted(rng.sample(range(count), rng.randrange(count + 1)))
    return kept


def keep_torn(rng, pending):
    """All, but for the last one, of which the first sectors are there, or the last."""
    kept = keep_all(rng, pending)
    tearable = [(number, entry) for number, entry in pending if can_tear(entry)]
    if tearable:
        number, entry = tearable[-1]
        count = entry.size // SECTOR
        cut = rng.randrange(count + 1)
        kept = {other: sectors for other, sectors in kept.items() if other <= number}
        kept[number] = range(cut) if rng.random() < 0.5 else range(cut, count)
    return kept


def has_superblock(entry):
    """ext4's, of either file system: it is a block of its own, or lies in the first one where blocks are larger."""
    return any(entry.first <= part[0] + SUPERBLOCK < entry.first + entry.size for part in (STORE, STATE))


def can_tear(entry):
    """Not the block with ext4's superblock: ext4 trusts that a disk writes it whole."""
    return not entry.flags & DISCARD and entry.size > SECTOR and not has_superblock(entry)


LOSSES = (keep_all, keep_none, keep_some, keep_sectors, keep_torn)


def choose_losses(rng):
    """Of the store's file system and of the local state's, each in its own way."""
    return {STORE: rng.choice(LOSSES), STATE: rng.choice(LOSSES)}


def survive(log, disk, pending, losses, rng):
    """Puts on the disk what is left of writes that no flush followed: (number, entry) of each. Returns how many are left."""
    kept = keep_all(rng, [(number, entry) for number, entry in pending if entry.flags & FUA])
    for part, loss in losses.items():
        kept |= loss(rng, [(number, entry) for number, entry in pending if entry.lies_in(part) and number not in kept])
    for number, entry in pending:
        if number in kept:
            disk.put(log, entry, kept[number])
    return len(kept)
