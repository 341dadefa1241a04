"""Many small files: a source tree unpacked, copied, searched, read and removed, and creates."""
import os

from .system import run, timed
from .works import work

CREATORS = 4


@work()
def unpack(materials, peer):
    target = peer.mount_point / "tree"
    target.mkdir()
    materials.archive.read_bytes()  # from memory: the disk under the archive is nobody's merit
    return timed(lambda: run("tar", "-xf", materials.archive, "-C", target))


@work(needs=["unpack"], unit="MiB")
def memory(_materials, peer):
    return peer.memory()


@work(needs=["unpack"])
def copy(_materials, peer):
    return timed(lambda: run("cp", "-a", peer.mount_point / "tree", peer.mount_point / "copy"))


def find(peer):
    run("find", peer.mount_point / "tree", "-newermt", "2100-01-01")


@work(needs=["unpack"])
def find_warm(_materials, peer):
    find(peer)
    return timed(lambda: find(peer))


@work(needs=["unpack"])
def find_cold(_materials, peer):
    peer.remount()
    return timed(lambda: find(peer))


@work(needs=["unpack"])
def read_tree_cold(_materials, peer):
    peer.remount()
    return timed(lambda: run("sh", "-c", f"tar -cf - -C {peer.mount_point} tree | cat > /dev/null"))


@work(needs=["copy"])
def remove(_materials, peer):
    return timed(lambda: run("rm", "-rf", peer.mount_point / "copy"))


def make_files(target, first, last, block):
    for number in range(first, last):
        fd = os.open(target / f"f{number}", os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
        os.write(fd, block)
        os.close(fd)


@work()
def create_4k(materials, peer):
    target = peer.mount_point / "small"
    target.mkdir()
    block = os.urandom(4096)
    return timed(lambda: make_files(target, 0, materials.sizes.small_files, block))


def create_crowd(target, files, block):
    """Processes, as threads of Python would wait for each other."""
    share, children = files // CREATORS, []
    for number in range(CREATORS):
        pid = os.fork()
        if pid == 0:
            try:
                make_files(target, number * share, (number + 1) * share, block)
                os._exit(0)
            finally:
                os._exit(1)
        children.append(pid)
    if any([os.waitpid(pid, 0)[1] for pid in children]):
        raise SystemExit("bench: a process that makes files failed")


@work()
def create_4k_by_4(materials, peer):
    """As many files as create_4k, by four threads of control in one directory."""
    target = peer.mount_point / "crowd"
    target.mkdir()
    block = os.urandom(4096)
    return timed(lambda: create_crowd(target, materials.sizes.small_files, block))
