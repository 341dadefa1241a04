"""Stores and mounts for the mounted tests: what they make is found, ended and removed again, whatever happens."""
import errno
import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import traceback
from pathlib import Path

PASSPHRASE = "correct horse battery staple"
BLOCK = 4096

DONE, FAILED, USAGE = 0, 1, 2
WRONG_SECRET, NOT_A_STORE, TOO_NEW, LOCKED, OWNED, DAMAGED = 10, 11, 12, 13, 14, 15
OVER_LIMIT, NOT_PERMITTED, NOT_EMPTY, ALREADY_MOUNTED, NO_FUSE, NOT_MOUNTED = 16, 17, 18, 19, 20, 21


class User:
    """Whom riad runs as. Without a name: whoever runs the tests."""

    def __init__(self, name=None):
        import pwd
        entry = pwd.getpwnam(name) if name else pwd.getpwuid(os.geteuid())
        self.name, self.uid, self.gid = entry.pw_name, entry.pw_uid, entry.pw_gid

    @property
    def is_other(self):
        return self.uid != os.geteuid()

    def prefix(self):
        if not self.is_other:
            return []
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]

    def own(self, path):
        if self.is_other:
            os.chown(path, self.uid, self.gid)


def mounted_at(path):
    """The type of what is mounted exactly there, None if nothing is."""
    found = None
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            left, right = line.split(" - ", 1)
            point = left.split(" ")[4].encode("latin-1", "surrogateescape").decode("unicode_escape")
            if point == str(path):
                found = right.split(" ")[0]
    return found


def detach(path):
    """Takes a mount away, dead or alive, busy or not."""
    for _ in range(8):
        if not mounted_at(path):
            return
        commands = [["fusermount3", "-u", "-z", str(path)]]
        if os.geteuid() == 0:
            commands = [["umount", "-l", str(path)]]
        for command in commands:
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def is_riad(pid):
    """Is it a living riad? One whose last thread ended is none, even if nobody reaped it yet."""
    try:
        name, rest = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").split("(", 1)[1].rsplit(")", 1)
        ended = rest.split()[0] in "ZX" and len(os.listdir(f"/proc/{pid}/task")) == 1
    except OSError:
        return False
    return name.startswith("riad") and not ended


def wait_until(condition, seconds=10, what="a condition"):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain for {what}"
        time.sleep(0.01)


class Store:
    """One store with its state directory, passphrase file and mounts."""
    living = []  # all that were not yet removed, for the watchdog
    for_all = ("-o", "allow_other") if os.geteuid() == 0 else ()  # mount options for several users

    def __init__(self, binary, base, user=None, passphrase=PASSPHRASE):
        self.binary, self.user = str(binary), user or User()
        self.base = Path(tempfile.mkdtemp(prefix="store-", dir=base)).resolve()
        self.base.chmod(0o711)
        self.user.own(self.base)
        self.path, self.state, self.directory = self.base / "store", self.base / "state", self.base / "mnt"
        self.passphrase_file = self.write_secret("passphrase", passphrase)
        self.extra_states, self.directories, self.pids = [], [], set()
        self.make_directory(self.directory)
        self.recovery_code = None
        Store.living.append(self)

    # --- files beside the store ---
    def write_secret(self, name, text):
        path = self.base / name
        path.write_text(text + "\n", encoding="utf-8")
        path.chmod(0o600)
        self.user.own(path)
        return path

    def make_directory(self, path):
        path.mkdir(exist_ok=True)
        self.user.own(path)
        self.directories.append(path)
        return path

    def other_state(self, name="state2"):
        """A state directory of its own makes another node of it."""
        path = self.base / name
        self.extra_states.append(path)
        return path

    # --- commands ---
    def environment(self, state=None, passphrase_file=None):
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("RIAD", "XDG_"))}
        return {**keep, "HOME": str(self.base), "RIAD_STATE_DIR": str(state or self.state),
                "RIAD_PASSPHRASE_FILE": str(passphrase_file or self.passphrase_file)}

    def run(self, *arguments, code=DONE, state=None, passphrase_file=None, timeout=120, prefix=(), user=None, **more):
        """Runs riad and insists on its exit code; None accepts any."""
        command = [*prefix, *(user or self.user).prefix(), self.binary, *map(str, arguments)]
        more.setdefault("stdin", subprocess.DEVNULL)
        result = subprocess.run(command, env=self.environment(state, passphrase_file), timeout=timeout, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **more)
        if code is not None:
            assert result.returncode == code, (f"{' '.join(command)} gave {result.returncode} instead of {code}:\n"
                                               f"{result.stdout}{result.stderr}")
            assert code == DONE or (result.stderr + result.stdout).strip(), f"{' '.join(command)} failed without a word"
        return result

    def init(self, *options):
        result = self.run("init", self.path, *options, "--json")
        self.recovery_code = json.loads(result.stdout)["recovery_code"]
        return self

    def mount(self, *options, directory=None, state=None, code=DONE, store=None, **more):
        directory = directory or self.directory
        if os.environ.get("RIAD_TEST_MOUNT_OPTIONS"):
            options = (*options, "-o", os.environ["RIAD_TEST_MOUNT_OPTIONS"])
        result = self.run("mount", store or self.path, directory, *options, code=code, state=state, **more)
        self.pids |= set(self.hosts(state))
        return result if code != DONE else directory

    def unmount(self, directory=None, state=None, code=DONE):
        return self.run("unmount", directory or self.directory, state=state, code=code)

    def remount(self, *options):
        self.unmount()
        return self.mount(*options)

    def fsck(self, *options, code=DONE, state=None):
        result = self.run("fsck", "-q", self.path, *options, code=code, state=state, timeout=300)
        return result

    def mounts(self, state=None):
        return json.loads(self.run("status", "--json", state=state).stdout)["mounts"]

    def status(self, state=None):
        mounts = self.mounts(state)
        assert len(mounts) == 1, mounts
        return mounts[0]

    def usage(self):
        """(blocks, inodes) in use, as riad says."""
        status = self.status()
        return status["bytes_used"] // BLOCK, status["inodes_used"]

    def control(self, operation, directory=None):
        """One request to the control socket of the mount (docs/CONTROL.md)."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(self.state / "run" / f"{self.hosts()[0]}.sock"))
            request = {"version": 1, "op": operation, "directory": str(directory or self.directory)}
            client.sendall(json.dumps(request).encode() + b"\n")
            reply = client.makefile(encoding="utf-8").readline()
        return json.loads(reply)

    # --- processes ---
    def hosts(self, state=None):
        """Process ids that hold a control socket in the state directory."""
        run = Path(state or self.state) / "run"
        try:
            return [int(path.stem) for path in run.glob("*.sock") if is_riad(int(path.stem))]
        except OSError:
            return []

    def kill(self, state=None, directory=None):
        """kill -9 of the process, and nothing else; leaves a dead mount, which is then taken away."""
        pids = self.hosts(state)
        assert pids, "there is no process to kill"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not is_riad(pid), 30, f"the end of process {pid}")
        if directory is not False:
            detach(directory or self.directory)

    def forget_state(self, state=None):
        shutil.rmtree(state or self.state)

    def kill_all(self):
        for state in [self.state, *self.extra_states]:
            self.pids |= set(self.hosts(state))
        for pid in self.pids:
            if is_riad(pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def remove(self):
        for directory in self.all_mounts():
            detach(directory)
        self.kill_all()
        for directory in self.all_mounts():
            detach(directory)
        if self in Store.living:
            Store.living.remove(self)
        shutil.rmtree(self.base, ignore_errors=True)

    def all_mounts(self):
        points = []
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                point = line.split(" ")[4]
                if point == str(self.base) or point.startswith(str(self.base) + "/"):
                    points.append(point.encode("latin-1", "surrogateescape").decode("unicode_escape"))
        return sorted(points, reverse=True)

    # --- copies, to damage them ---
    def copy(self):
        """The same store and state, not mounted, in a place of its own."""
        twin = Store(self.binary, self.base.parent, self.user)
        shutil.copytree(self.path, twin.path, symlinks=True)
        if self.state.exists():
            shutil.copytree(self.state, twin.state, symlinks=True, ignore=shutil.ignore_patterns("run"))
            twin.state.chmod(0o700)
        shutil.copy(self.passphrase_file, twin.passphrase_file)
        twin.recovery_code = self.recovery_code
        return twin

    def workspace(self):
        """The directory of the only workspace in the store."""
        found = list((self.path / "ws").iterdir())
        assert len(found) == 1
        return found[0]


def as_user(uid, gid, function, *arguments, groups=()):
    """Calls the function in a child process with other ids; returns its result or raises its OSError."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            os.setgroups(list(groups))
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            answer = (True, function(*arguments))
        except OSError as error:
            answer = (False, (error.errno, str(error)))
        except BaseException:  # noqa: the parent reports it
            answer = (False, (0, traceback.format_exc()))
        with os.fdopen(writer, "wb") as out:
            pickle.dump(answer, out)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as source:
        done, value = pickle.load(source)
    os.waitpid(child, 0)
    if not done and value[0]:
        raise OSError(*value)
    assert done, value[1]
    return value


class raises_errno:
    """with raises_errno(errno.EDQUOT): ..."""

    def __init__(self, *numbers):
        self.numbers = numbers

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        names = " or ".join(errno.errorcode[number] for number in self.numbers)
        assert kind is not None, f"no error, where {names} was due"
        if not issubclass(kind, OSError):
            return False
        got = errno.errorcode.get(error.errno, error.errno)
        assert error.errno in self.numbers, f"{got} ({error}), where {names} was due"
        return True
