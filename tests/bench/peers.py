"""The file systems under test. Each has a store, a mount point, and a directory of its own for what is not shared storage."""
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from . import system
from .system import run

PASSWORD = "bench"
EXAMPLE = Path("/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c")
UNMOUNT_SECONDS = 300  # cryfs writes what it holds when it is unmounted


class Peer:
    """A plain directory: on a rig, of the rig's own mount."""

    name = "plain"
    fuse = False
    only = None      # the works that it is measured at, if not all
    local = False    # its store is not on the rig, whatever the others' are

    def __init__(self, place):
        self.place = place
        self.base = place.local / self.name
        self.store = (place.local if self.local else place.stores) / f"{self.name}.store"
        self.mount_point = self.base / "mount"
        self.figures = {}  # what one work measured for another one to tell

    @classmethod
    def available(cls):
        return True

    def setup(self):
        self.__init__(self.place)
        self.remove()
        self.store.mkdir(parents=True)
        self.mount_point.mkdir(parents=True)
        self.create()
        self.mount()

    def create(self):
        pass

    def mount(self):
        self.mount_point = self.store

    def unmount(self):
        if not self.fuse:
            return
        run("fusermount3", "-u", self.mount_point)
        # Whoever goes on writing after that would do so in another one's time.
        system.wait_until(lambda: not self.pids(), UNMOUNT_SECONDS, f"the end of {self.name}'s process")

    def remount(self):
        """Cold: nothing of the mount is cached anywhere."""
        self.unmount()
        if not self.local:
            self.place.renew()
        system.drop_caches()
        self.mount()

    def teardown(self):
        self.unmount()
        self.remove()

    def remove(self):
        for directory in (self.base, self.store):
            shutil.rmtree(directory, ignore_errors=True)

    def abandon(self):
        """After a failure: whatever state it is in."""
        if self.fuse:
            subprocess.run(["umount", "-l", str(self.mount_point)], stderr=subprocess.DEVNULL, check=False)
            end = time.monotonic() + 10
            while self.pids() and time.monotonic() < end:
                time.sleep(0.05)
            for pid in self.pids():
                os.kill(pid, 9)

    def wait_mounted(self):
        system.wait_until(lambda: os.path.ismount(self.mount_point), 30, f"{self.name} to be mounted")

    def pids(self):
        """The processes that serve the mount."""
        return system.pids_with(self.mount_point) if self.fuse else []

    def memory(self):
        """RSS in MiB of the process that serves the mount, or None."""
        sizes = [system.of_status(pid, "VmRSS") or 0 for pid in self.pids()]
        return max(sizes) if sizes else None


class FusePeer(Peer):
    fuse = True
    program = None  # that has to be there
    password = PASSWORD + "\n"

    @classmethod
    def available(cls):
        return shutil.which(cls.program or cls.name) is not None

    def password_file(self):
        path = self.base / "pass"
        path.write_text(PASSWORD, encoding="ascii")
        path.chmod(0o600)
        return path


class Riad(FusePeer):
    """As it mounts by itself: by the ring where the kernel offers it."""

    name = "riad"
    binary = None
    options = ()

    @classmethod
    def available(cls):
        return True

    def environment(self):
        return dict(os.environ, RIAD_STATE_DIR=str(self.base / "state"), RIAD_PASSPHRASE_FILE=str(self.base / "pass"))

    def command(self, *arguments):
        return run(self.binary, *arguments, env=self.environment())

    def create(self):
        self.password_file()
        self.command("init", self.store)

    def mount(self):
        self.command("mount", self.store, self.mount_point, *self.options)

    def unmount(self):
        self.command("unmount", self.mount_point)
        system.wait_until(lambda: not self.pids(), UNMOUNT_SECONDS, "the end of riad's process")

    def key_seconds(self):
        """What the making of a key of the passphrase takes alone."""
        return min(system.timed(lambda: self.command("workspace", "list", self.store)) for _ in range(3))

    def counters(self):
        return json.loads(self.command("status", "--json"))["mounts"][0]


class RiadDevice(Riad):
    """riad by /dev/fuse, as where the kernel has no ring."""

    name = "riad-device"
    options = ("-o", "nouring")


class RiadLocal(Riad):
    """riad with its store beside the rig: what it takes without the rig's latency."""

    name = "riad-local"
    local = True
    only = ("unpack", "create_4k", "create_4k_by_4")


class Securefs(FusePeer):
    name = "securefs"

    def create(self):
        run("securefs", "create", "--pass", PASSWORD, "-r", "1", self.store)

    def mount(self):
        run("securefs", "mount", "-b", "--pass", PASSWORD, self.store, self.mount_point)
        self.wait_mounted()


class Gocryptfs(FusePeer):
    name = "gocryptfs"

    def create(self):
        run("gocryptfs", "-q", "-init", "-scryptn", "10", "-passfile", self.password_file(), self.store)

    def mount(self):
        run("gocryptfs", "-q", "-passfile", self.base / "pass", self.store, self.mount_point)
        self.wait_mounted()


class Encfs(FusePeer):
    name = "encfs"

    def mount(self):
        run("encfs", "--standard", "--stdinpass", self.store, self.mount_point, input=self.password.encode())
        self.wait_mounted()


class Cryfs(FusePeer):
    name = "cryfs"

    def mount(self):
        environment = dict(os.environ, CRYFS_FRONTEND="noninteractive", CRYFS_NO_UPDATE_CHECK="true", CRYFS_LOCAL_STATE_DIR=str(self.base / "state"))
        run("cryfs", self.store, self.mount_point, input=self.password.encode(), env=environment)
        self.wait_mounted()


class Passthrough(FusePeer):
    """libfuse's own example (low level), without encryption: what a FUSE mirror costs."""

    name = "passthrough"
    options = ""

    @classmethod
    def available(cls):
        return EXAMPLE.exists() and shutil.which("gcc") is not None

    def mount(self):
        target = self.place.local / "passthrough_ll"
        if not target.exists():
            system.compile_fuse(target, [EXAMPLE], "-DHAVE_STATX", "-DPACKAGE_VERSION=\"3.14\"")
        run(*system.with_descriptors(target), "-o", f"source={self.store}{self.options}", self.mount_point)
        self.wait_mounted()


class PassthroughCached(Passthrough):
    """The same, told to keep pages when a file is opened again: its default drops them. For warm reads."""

    name = "passthrough-cached"
    options = ",cache=always"
    only = ("write_1g", "read_1g_cold", "read_1g_warm")


PEERS = [Peer, Passthrough, PassthroughCached, Riad, RiadDevice, RiadLocal, Securefs, Gocryptfs, Encfs, Cryfs]
DEFAULT_PEERS = ["plain", "passthrough", "passthrough-cached", "riad", "securefs", "gocryptfs", "encfs", "cryfs"]
ENCRYPTING = ("securefs", "gocryptfs", "encfs", "cryfs")
SYNCING = ("securefs", "gocryptfs", "encfs")  # cryfs makes no sync of its files when a program asks for one (strace: none for 11 fsyncs)
