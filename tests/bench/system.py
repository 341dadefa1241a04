"""Commands, processes and the kernel's switches, as the bench needs them."""
import contextlib
import os
import resource
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RING = Path("/sys/module/fuse/parameters/enable_uring")
MIB, GIB = 1 << 20, 1 << 30


def run(*command, **options):
    """Runs a command that must succeed; its output is kept for the message if it does not."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options)
    if done.returncode != 0:
        raise SystemExit(f"bench: {' '.join(map(str, command))} failed ({done.returncode}):\n{done.stdout.decode(errors='replace')}")
    return done.stdout.decode(errors="replace")


def timed(function):
    began = time.monotonic()
    function()
    return time.monotonic() - began


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"bench: waited {seconds} s in vain for {what}")
        time.sleep(0.02)


def drop_caches():
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")


def drop_inodes():
    """What the kernel knows of files and names; the pages of files that are open stay."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("2\n", encoding="ascii")


def install(option):
    """The packages of scripts/install-dependencies for this; nothing happens if they are there."""
    run(ROOT / "scripts/install-dependencies", option)


def build():
    """A release build of this checkout."""
    directory = ROOT / "build-bench"
    again = ["--reconfigure"] if (directory / "build.ninja").exists() else []  # sources may have come or gone
    run("meson", "setup", "--buildtype=release", *again, directory, ROOT)
    run("ninja", "-C", directory, "riad")
    return directory / "riad"


def compile_fuse(target, sources, *options):
    """A FUSE program that is no part of riad's build."""
    flags = run("pkg-config", "--cflags", "--libs", "fuse3").split()
    run("gcc", "-O2", "-pthread", "-D_GNU_SOURCE", *options, *sources, "-o", target, *flags)
    return target


def with_descriptors(program):
    """For those that hold one of each file that the kernel knows: as many as the system gives; if it gives no more, as many as this process may have."""
    most = Path("/proc/sys/fs/nr_open").read_text(encoding="ascii").strip()
    for limit in (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1]):
        command = ["prlimit", f"--nofile={limit}:{limit}"]
        if subprocess.run([*command, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            break
    return [*command, program]


def git(*arguments):
    """Without anybody's settings, and without work that goes on behind it."""
    return run("git", "-c", "safe.directory=*", "-c", "gc.auto=0", "-c", "maintenance.auto=false", *arguments, env=dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null"))


def pids_with(argument):
    """Processes that have it in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(argument).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            pass
    return [pid for pid in found if pid != os.getpid()]


def of_status(pid, name):
    """A size of /proc/PID/status in MiB, or None if there is no such process any more."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name + ":")), None)


@contextlib.contextmanager
def ring():
    """Lets the kernel offer FUSE over io_uring, where it can. Gives whether it does."""
    if not RING.exists():
        yield False
        return
    before = RING.read_text(encoding="ascii")
    RING.write_text("Y", encoding="ascii")
    try:
        yield True
    finally:
        RING.write_text(before, encoding="ascii")
