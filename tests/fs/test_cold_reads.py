"""Reads of what is in nobody's memory: by the ring no other thread is woken for them (docs/PERFORMANCE.md)."""
import os
import random
from pathlib import Path


from transports import option  # noqa: F401

PIECE, STRIDE, COUNT = 4096, 64 << 10, 256


def forget_pages(store):
    """Unmounts, and has the kernel drop what it knows of the segments; whether a read that may not wait says so then."""
    store.unmount()
    tells = False
    for path in (store.workspace() / "data").iterdir():
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        try:
            os.preadv(fd, [bytearray(PIECE)], 0, os.RWF_NOWAIT)
        except BlockingIOError:
            tells = True
        except OSError:
            pass
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
    return tells


def waits_of(pid, name):
    """How often the threads of that name have slept."""
    waits = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text(encoding="ascii").strip() == name:
            said = (task / "status").read_text(encoding="ascii")
            waits += int(said.split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return waits


def test_at_random(store, option):
    store.mount("-o", option)
    content = random.Random(3).randbytes(STRIDE * COUNT)
    (store.directory / "file").write_bytes(content)
    tells = forget_pages(store)
    store.mount("-o", option)
    positions = [number * STRIDE + 100 for number in range(COUNT)]
    random.Random(4).shuffle(positions)
    with open(store.directory / "file", "rb", buffering=0) as file:
        assert os.pread(file.fileno(), PIECE, positions[0]) == content[positions[0]:positions[0] + PIECE]  # opens what is kept open
        before = waits_of(store.status()["pid"], "riad-fuse-slow")
        for position in positions[1:]:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            assert os.pread(file.fileno(), PIECE, position) == content[position:position + PIECE]
        woken = waits_of(store.status()["pid"], "riad-fuse-slow") - before
    if option == "uring" and tells:
        assert woken < COUNT / 8, f"{woken} times for {COUNT} reads"


def test_by_many_at_once(store, option):
    """Large and small, beside each other; each gets its own bytes."""
    store.mount("-o", option)
    content = random.Random(5).randbytes(STRIDE * COUNT)
    (store.directory / "file").write_bytes(content)
    forget_pages(store)
    store.mount("-o", option)
    readers = []
    for seed in range(8):
        reader = os.fork()
        if reader == 0:
            chance, code = random.Random(seed), 1
            try:
                with open(store.directory / "file", "rb", buffering=0) as file:
                    code = int(any(not is_right(file, content, chance) for _ in range(200)))
            finally:
                os._exit(code)
        readers.append(reader)
    assert [os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1]) for reader in readers] == [0] * 8


def is_right(file, content, chance):
    position, size = chance.randrange(len(content)), chance.choice((1, PIECE, 20_000, 300_000))
    return os.pread(file.fileno(), size, position) == content[position:position + size]
