"""Work on files by system calls, all of it known to the writer: random writes, names, and the probe of how long small things take."""
import mmap
import os
import shutil
import time

from crew import Worker, Wrong

PAGE = 4096


def different(found, known):
    """Where they differ first, for messages."""
    if len(found) != len(known):
        return f"{len(found)} bytes instead of {len(known)}"
    at = next(number for number in range(len(known)) if found[number] != known[number])
    return f"byte {at}: {found[at]} instead of {known[at]}"


class Blocks(Worker):
    """Random writes, cuts, holes, maps and clones in a few files of some MiB."""
    name, pace = "blocks", 0.1
    FILES, LARGEST = 4, 6 << 20

    def __init__(self, place, scratch, seed):
        super().__init__(place, scratch, seed)
        self.known = {}
        self.changing = None  # name, first and last byte of what the act may change

    def path(self, name):
        return self.place / name

    def act(self):
        name = f"file{self.rng.randrange(self.FILES)}"
        # A map of a mount that is killed ends its process (SIGBUS).
        maps = [] if self.is_killed else ["map"]
        kind = self.rng.choice(["write"] * 8 + ["append", "truncate", "hole", "clone", "look", "look"] + maps)
        if name not in self.known or not self.known[name]:
            kind = "append"
        getattr(self, kind)(name)
        self.changing = None

    def put(self, name, offset, data):
        known = self.known.setdefault(name, bytearray())
        if len(known) < offset:
            known.extend(bytes(offset - len(known)))
        known[offset:offset + len(data)] = data

    def write(self, name):
        offset = self.rng.randrange(min(len(self.known[name]), self.LARGEST - (1 << 18)))
        offset -= offset % PAGE if self.rng.random() < 0.5 else 0
        self.pwrite(name, offset, self.rng.randbytes(self.rng.choice([100, PAGE, PAGE, 20000, 1 << 17])))

    def append(self, name):
        size = len(self.known.get(name, b""))
        if size > self.LARGEST - (1 << 20):
            return self.truncate(name)
        return self.pwrite(name, size, self.rng.randbytes(self.rng.randrange(1, 400000)))

    def pwrite(self, name, offset, data):
        self.changing = (name, offset, offset + len(data))
        fd = os.open(self.path(name), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(fd, data[done:], offset + done)
            if self.rng.random() < 0.2:
                os.fsync(fd)
        finally:
            os.close(fd)
        self.put(name, offset, data)

    def truncate(self, name):
        known, size = self.known[name], self.rng.randrange(len(self.known[name]) + 1)
        self.changing = (name, size, len(known))
        os.truncate(self.path(name), size)
        del known[size:]

    def map(self, name):
        known = self.known[name]
        offset = self.rng.randrange(len(known))
        data = self.rng.randbytes(min(self.rng.randrange(1, 100000), len(known) - offset))
        self.changing = (name, offset, offset + len(data))
        with open(self.path(name), "r+b") as file, mmap.mmap(file.fileno(), 0) as view:
            view[offset:offset + len(data)] = data
            view.flush()
        self.put(name, offset, data)

    def hole(self, name):
        known = self.known[name]
        offset = self.rng.randrange(len(known))
        size = min(self.rng.randrange(1, 200000), len(known) - offset)
        self.changing = (name, offset, offset + size)
        self.run("fallocate", "-p", "-o", offset, "-l", size, self.path(name))
        self.put(name, offset, bytes(size))

    def clone(self, name):
        other = f"file{self.rng.randrange(self.FILES)}"
        if other == name:
            return
        self.changing = (other, 0, 1 << 62)
        self.run("cp", self.path(name), self.path(other))
        self.known[other] = bytearray(self.known[name])

    def look(self, name):
        found = self.path(name).read_bytes()
        if found != self.known[name]:
            raise Wrong(f"{self.path(name)}: {different(found, self.known[name])}")

    def recover(self):
        """Outside of what was being changed all is as it was; that becomes what is known."""
        if self.changing:
            name, start, end = self.changing
            found = self.path(name).read_bytes() if self.path(name).exists() else b""
            known = self.known.get(name, bytearray())
            common = min(len(found), len(known))
            if found[:min(start, common)] != known[:min(start, common)] or found[end:common] != known[end:common]:
                raise Wrong(f"{self.path(name)}: changed outside of bytes {start} to {end}, which a kill cut")
            if len(found) < min(start, len(known)):
                raise Wrong(f"{self.path(name)}: {len(found)} bytes are left of {len(known)}, and bytes {start} to {end} were being changed")
            self.known[name] = bytearray(found)
            self.changing = None
        for name in self.known:
            self.look(name)


class Names(Worker):
    """Small files that are made, renamed, linked and removed in a few directories."""
    name, pace = "names", 0.1
    DIRECTORIES, MOST = 8, 500

    def __init__(self, place, scratch, seed):
        super().__init__(place, scratch, seed)
        self.known, self.changing = {}, ()

    def act(self):
        for _ in range(10):
            choices = ["create"] * 5 + ["rename", "rename", "link", "remove", "remove"]
            kind = self.rng.choice(["create"] if not self.known else ["remove"] if len(self.known) > self.MOST else choices)
            getattr(self, kind)()
            self.changing = ()
        if self.rng.random() < 0.05:
            self.look()

    def fresh(self):
        folder = self.place / f"d{self.rng.randrange(self.DIRECTORIES)}"
        folder.mkdir(exist_ok=True)
        return folder / f"n{self.rng.randrange(10000)}"

    def some(self):
        return self.rng.choice(list(self.known))

    def create(self):
        path, data = self.fresh(), self.rng.randbytes(self.rng.randrange(0, 6000))
        self.changing = (path,)
        if path in self.known:  # of a link only this name is to change
            path.unlink()
        path.write_bytes(data)
        self.known[path] = data

    def rename(self):
        path, target = self.some(), self.fresh()
        if path == target:
            return
        self.changing = (path, target)
        os.rename(path, target)
        if os.path.lexists(path):  # of two links to one file, rename does nothing
            path.unlink()
        self.known[target] = self.known.pop(path)

    def link(self):
        path, target = self.some(), self.fresh()
        if target not in self.known:
            self.changing = (target,)
            os.link(path, target)
            self.known[target] = self.known[path]

    def remove(self):
        path = self.some()
        self.changing = (path,)
        path.unlink()
        del self.known[path]

    def look(self):
        found = {folder / name for folder in self.place.iterdir() for name in os.listdir(folder)}
        if found != set(self.known):
            raise Wrong(f"{self.place}: there are {sorted(map(str, found ^ set(self.known)))[:10]} too many, or too few")
        for path in self.rng.sample(sorted(self.known), min(30, len(self.known))):
            if path.read_bytes() != self.known[path]:
                raise Wrong(f"{path}: {different(path.read_bytes(), self.known[path])}")

    def recover(self):
        for path in self.changing:
            self.known.pop(path, None)
            if os.path.lexists(path):
                self.known[path] = path.read_bytes()
        self.changing = ()
        self.look()


class Large(Worker):
    """A file of some size that is written anew, or in part, again and again: so there is something to clean."""
    name, pace = "large", 4
    SIZE = 48 << 20

    def act(self):
        path, seed = self.place / "large", self.rng.randrange(1 << 30)
        data = (seed.to_bytes(8, "little") + bytes(range(256)) * 16)[:4096] * (self.SIZE // 4096)
        path.write_bytes(data)
        if path.read_bytes() != data:
            raise Wrong(f"{path}: not what was written")
        if self.rng.random() < 0.3:
            path.unlink()


class Probe(Worker):
    """How long making, writing, syncing, reading and removing a small file takes: once a second."""
    name, pace = "probe", 2.0

    def __init__(self, place, scratch, seed, times):
        super().__init__(place, scratch, seed)
        self.times = times

    def act(self):
        path, data, start = self.place / "probe", self.rng.randbytes(4096), time.monotonic()
        with open(path, "wb", buffering=0) as file:
            file.write(data)
            os.fsync(file.fileno())
        if path.read_bytes() != data:
            raise Wrong(f"{path}: not what was written")
        path.unlink()
        self.times.put((time.time(), time.monotonic() - start))

    def recover(self):
        for left in self.place.iterdir():
            left.unlink()


def clear(place):
    """Removes what is in a directory."""
    for path in place.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
