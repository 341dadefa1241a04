"""Acts on the names of one directory, drawn by chance, and what becomes of it: {name: contents, or None for a directory}."""
import os

NAMES = 8
PAGE = 4096


def apply(tree, act):
    """What becomes of the tree; None: it cannot be done."""
    kind, name, *rest = act
    after, there = dict(tree), tree.get(name, "")
    if kind == "create":
        return None if name in tree else {**after, name: b""}
    if kind == "mkdir":
        return None if name in tree else {**after, name: None}
    if kind == "rmdir":
        return None if there is not None else {key: value for key, value in after.items() if key != name}
    if not isinstance(there, bytes):
        return None
    if kind == "write":
        offset, data = rest
        after[name] = (there[:offset].ljust(offset, b"\0") + data + there[offset + len(data):])
    elif kind == "truncate":
        after[name] = there[:rest[0]].ljust(rest[0], b"\0")
    elif kind == "unlink":
        del after[name]
    elif kind == "rename":
        if tree.get(rest[0], b"") is None or rest[0] == name:
            return None
        after[rest[0]] = after.pop(name)
    return after


def is_synced(act):
    """Is it followed by an fsync?"""
    return act[0] == "write" and act[2] % 7 == 0


def perform(place, act, sync=True):
    kind, name, *rest = act
    path = place / name
    if kind == "create":
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    elif kind == "mkdir":
        path.mkdir()
    elif kind == "rmdir":
        path.rmdir()
    elif kind == "unlink":
        path.unlink()
    elif kind == "rename":
        path.rename(place / rest[0])
    elif kind == "truncate":
        os.truncate(path, rest[0])
    elif kind == "write":
        fd = os.open(path, os.O_WRONLY)
        try:
            assert os.pwrite(fd, rest[1], rest[0]) == len(rest[1])
            if sync and is_synced(act):
                os.fsync(fd)
        finally:
            os.close(fd)


def choose(rng):
    """A write is of one page: the kernel sends longer ones in several."""
    name, other = (f"n{rng.randrange(NAMES)}" for _ in range(2))
    kind = rng.choice(["create", "write", "write", "write", "truncate", "rename", "unlink", "mkdir", "rmdir"])
    if kind == "write":
        offset = rng.randrange(0, 20) * PAGE + rng.randrange(0, PAGE // 2)
        return kind, name, offset, rng.randbytes(rng.randrange(1, PAGE // 2))
    return (kind, name, rng.randrange(0, 90000)) if kind == "truncate" else (kind, name, other) if kind == "rename" else (kind, name)


def found(place):
    return {path.name: None if path.is_dir() else path.read_bytes() for path in place.iterdir()}


def difference(expected, there):
    return {name: (expected.get(name, "nothing"), there.get(name, "nothing")) for name in {*expected, *there}
            if expected.get(name, "nothing") != there.get(name, "nothing")}
