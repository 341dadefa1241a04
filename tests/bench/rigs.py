"""Storage that is far away, for the stores to lie on. Each rig is a context: of a directory that the stores' data end in, and one for its state; it gives a Rig."""
import contextlib
import os
import subprocess
from pathlib import Path
from typing import Callable, NamedTuple

from . import system
from .goals import GLUSTER, LATENCY
from .system import ROOT, run

ADDRESS = "192.0.2.1"  # for documentation, so nobody's; GlusterFS takes no loopback address
START_SECONDS = 60


class Rig(NamedTuple):
    mount: Path
    renew: Callable = lambda: None  # nothing is cached by its client any more
    calls: Callable = None          # how many there were so far, if it counts them


PEERS = {LATENCY: ["plain", "riad", "riad-local", "securefs", "gocryptfs"], GLUSTER: ["plain", "riad", "securefs", "gocryptfs"]}
WORKS = ["unpack", "copy", "find_warm", "find_cold", "read_tree_cold", "remove", "create_4k", "create_4k_by_4"]
VALUES = {LATENCY: 0.5, GLUSTER: 1}  # milliseconds; bricks, each a replica of the others


def parse(text):
    """NAME[=VALUE]: the name and the value; ValueError."""
    name, _, value = text.partition("=")
    if name not in VALUES:
        raise ValueError(f"no such rig: {name}; there are {' and '.join(VALUES)}")
    number = float(value) if value else VALUES[name]
    if number < 0 or (name == GLUSTER and number not in (1, 2, 3)):
        raise ValueError(f"not a value for {name}: {value}")
    return name, number


@contextlib.contextmanager
def latency(milliseconds, data, state):
    program = system.compile_fuse(state / "latency-shim", sorted((ROOT / "tests/latency").glob("*.c")))
    mount = state / "mount"
    mount.mkdir()
    with subprocess.Popen([*system.with_descriptors(program), str(milliseconds), data, mount], stdout=subprocess.PIPE) as shim:
        try:
            if shim.stdout.readline() != b"mounted\n":
                raise SystemExit("bench: the latency shim did not mount")
            yield Rig(mount, calls=lambda: calls_of(mount))
        finally:
            subprocess.run(["umount", "-l", str(mount)], stderr=subprocess.DEVNULL, check=False)
            shim.terminate()


def calls_of(mount):
    lines = (mount / ".calls").read_text(encoding="ascii").splitlines()
    return int(dict(line.split() for line in lines)["total"])


def has_attributes(directory):
    """A brick keeps trusted.* ones."""
    try:
        os.setxattr(directory, "trusted.riad-bench", b"1")
        os.removexattr(directory, "trusted.riad-bench")
        return True
    except OSError:
        return False


def gluster_command(*arguments):
    return subprocess.run(["gluster", "--mode=script", *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def hide_machine(state):
    """Where GlusterFS keeps what it knows: of this run only. The namespace is its own."""
    run("mount", "-t", "tmpfs", "riad-bench", "/run")
    for name in ("lib/glusterd", "log/glusterfs"):
        directory = state / name
        directory.mkdir(parents=True)
        run("mount", "--bind", directory, Path("/var") / name)
    Path("/run/gluster").mkdir()
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo")


def start_volume(bricks, data):
    paths = [data / f"brick{number}" for number in range(bricks)]
    for path in paths:
        path.mkdir()
    replicas = ["replica", bricks] if bricks > 1 else []
    run("gluster", "--mode=script", "volume", "create", "bench", *replicas, *[f"{ADDRESS}:{path}" for path in paths], "force")
    run("gluster", "--mode=script", "volume", "start", "bench")


def mount_volume(mount):
    run("glusterfs", f"--volfile-server={ADDRESS}", "--volfile-id=bench", mount)
    system.wait_until(lambda: os.path.ismount(mount), START_SECONDS, "the volume to be mounted")


@contextlib.contextmanager
def gluster(bricks, data, state):
    if not has_attributes(data):
        raise SystemExit(f"bench: {data} has no extended attributes (trusted.*), which GlusterFS needs: give --store a directory on a disk")
    hide_machine(state)
    mount = state / "mount"
    mount.mkdir()

    def renew():
        run("umount", mount)
        system.wait_until(lambda: not system.pids_with(mount), START_SECONDS, "the end of GlusterFS's client")
        mount_volume(mount)

    with subprocess.Popen(["glusterd", "--no-daemon", "--log-level", "WARNING"]) as server:
        try:
            system.wait_until(lambda: gluster_command("volume", "list"), START_SECONDS, "glusterd to answer")
            start_volume(int(bricks), data)
            mount_volume(mount)
            yield Rig(mount, renew)
        finally:
            subprocess.run(["umount", "-l", str(mount)], stderr=subprocess.DEVNULL, check=False)
            gluster_command("volume", "stop", "bench", "force")
            server.terminate()


def start(text):
    """The context of place.prepare."""
    name, value = parse(text)
    context = {LATENCY: latency, GLUSTER: gluster}[name]
    return lambda data, state: context(value, data, state)
