"""What the store lies on in the guest: a disk of the machine, or a kernel NFS server that is stopped and started again."""
import ctypes
import os
import subprocess
import time
from pathlib import Path

from console import run, say, wait_until

THREADS = 8
GRACE_SECONDS = 10  # the least that the server takes
DOWN_SECONDS, UP_SECONDS = 2, 5
ANSWER_SECONDS = 60


def mount(source, target, kind, options=""):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(*(str(word).encode() for word in (source, target, kind)), 0, options.encode()) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), f"mount -t {kind} -o {options} {source} {target}")


class Local:
    """The store lies on a disk of the machine."""

    def start(self):
        mount("/dev/vda3", "/state", "ext4", "discard")
        mount("/dev/vda2", "/store", "ext4", "discard")

    def meanwhile(self, left):
        time.sleep(min(0.5, left))

    def end(self):
        run("umount", "/store")
        run("umount", "/state")


class Nfs:
    """The machine mounts what it exports itself (sync); the server is stopped, with all that it knows of its clients, and started."""
    options = "vers=4.2,hard,addr=127.0.0.1,clientaddr=127.0.0.1"

    def __init__(self):
        self.restarts = 0

    def start(self):
        mount("/dev/vda3", "/state", "ext4", "discard")
        mount("/dev/vda2", "/export", "ext4", "discard")
        mount("nfsd", "/proc/fs/nfsd", "nfsd")
        for name in ("nfsv4leasetime", "nfsv4gracetime"):
            Path("/proc/fs/nfsd", name).write_text(str(GRACE_SECONDS), encoding="ascii")
        run("exportfs", "-r")
        run("rpc.mountd", "-N", "3")
        self.serve(THREADS)
        mount("127.0.0.1:/", "/store", "nfs4", self.options)
        say("NFS is mounted:", self.options)

    def serve(self, threads):
        run("rpc.nfsd", "-N", "3", "-V", "4.2", str(threads))

    def meanwhile(self, left):
        """Once: up, down, up."""
        if left < DOWN_SECONDS + UP_SECONDS:
            time.sleep(left)
            return
        time.sleep(UP_SECONDS)
        self.serve(0)
        time.sleep(DOWN_SECONDS)
        self.serve(THREADS)
        self.restarts += 1
        begun = time.monotonic()
        wait_until(self.answers, ANSWER_SECONDS, "riad status")
        say(f"the NFS server was started again ({self.restarts}), riad status answered {time.monotonic() - begun:.1f} s later")

    def answers(self):
        """While the store is away riad answers when it can, and the command does not wait for that."""
        return subprocess.run(["riad", "status", "/work"], stdout=subprocess.DEVNULL, check=False).returncode == 0

    def end(self):
        run("umount", "/store")
        self.serve(0)
        wait_until(lambda: run("umount", "/export", check=False).returncode == 0, ANSWER_SECONDS, "the server to let go of the store")
        run("umount", "/state")


class OldNfs(Nfs):
    """An older protocol: files are neither allocated nor copied by the server."""
    options = "vers=4.1,hard,addr=127.0.0.1,clientaddr=127.0.0.1"


ALL = {"local": Local, "nfs": Nfs, "nfs4.1": OldNfs}
