"""A site in a temporary directory: its store, and machines that are, or want to be, its nodes."""
import json
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

from harness import DONE, is_riad, wait_until


def copy_tree(source, target):
    """With owners."""
    subprocess.run(["cp", "-a", source, target], check=True)


class Node:
    """One machine: a configuration, a key and a local state of its own."""

    def __init__(self, site, name):
        self.site, self.name = site, name
        self.directory = site.base / name
        self.directory.mkdir(mode=0o755)
        self.config = self.directory / "riadd.conf"
        self.state = self.directory / "state"
        if site.service:
            self.state.mkdir(mode=0o700)
            os.chown(self.state, site.service.uid, site.service.gid)

    def environment(self):
        drop = ("RIAD_STATE_DIR", "XDG_STATE_HOME", "RIAD_PASSPHRASE_FILE")
        return {**{key: value for key, value in os.environ.items() if key not in drop}, "RIAD_CONFIG": str(self.config),
                "RIAD_STATE_DIR": str(self.state), "HOME": str(self.directory)}

    def run(self, *arguments, code=DONE, prefix=(), state=None, **more):
        environment = {**self.environment(), **({"RIAD_STATE_DIR": str(state)} if state else {})}
        result = subprocess.run([*prefix, self.site.binary, *map(str, arguments)], env=environment, stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, check=False, timeout=60, **more)
        assert code in (None, result.returncode), f"riad {arguments} gave {result.returncode}:\n{result.stdout}{result.stderr}"
        return result

    def json(self, *arguments, **more):
        return json.loads(self.run(*arguments, "--json", **more).stdout)

    def join(self):
        return self.json("node", "join", self.site.store, self.site.root, *self.site.as_service())["node"]

    def events(self):
        return self.json("events")["events"]

    def lose_disk(self):
        shutil.rmtree(self.directory)
        self.directory.mkdir(mode=0o755)


class Site:
    def __init__(self, binary, base, service=None):
        self.binary, self.base, self.service = binary, base, service
        self.store = base / "store"
        self.first = Node(self, "login1")
        made = self.first.json("site", "init", self.store, "--name", "login1", *self.as_service())
        self.root = made["root"]
        self.code = self.write_secret("code", made["recovery_code"])

    def as_service(self):
        return ["--user", self.service.name] if self.service else []

    def write_secret(self, name, text):
        path = self.base / name
        path.write_text(text + "\n", encoding="ascii")
        path.chmod(0o600)
        return path

    def node(self, name):
        return Node(self, name)

    def add(self, node, by=None):
        return (by or self.first).json("node", "add", node.name, node.join(), "--recovery-file", self.code)

    def nodes(self, by=None):
        return {node["node"]: "removed" if node["removed"] else "node" for node in (by or self.first).json("node", "list")["nodes"]}

    def copy(self):
        """As a storage snapshot has it."""
        path = self.base / f"copy{len(list(self.base.glob('copy*')))}"
        copy_tree(self.store, path)
        return path

    def put_back(self, copy):
        shutil.rmtree(self.store)
        copy_tree(copy, self.store)


# useradd and groupadd take the number behind the highest: those of the golden site's accounts (59341 on) stay free.
LOW_IDS = ("-K", "UID_MAX=59000", "-K", "GID_MAX=59000")


def make_group(name):
    subprocess.run(["groupadd", *LOW_IDS, name], check=True, capture_output=True)


class Account:
    """A real account of this machine, made for the tests."""

    def __init__(self, number):
        self.name = self.group = f"riadtest{os.getpid() % 100000}x{number}"
        subprocess.run(["useradd", *LOW_IDS, "--no-create-home", "--home-dir", "/nonexistent", self.name], check=True, capture_output=True)
        entry = pwd.getpwnam(self.name)
        self.uid, self.gid = entry.pw_uid, entry.pw_gid

    def prefix(self):
        return ["setpriv", "--reuid", str(self.uid), "--regid", str(self.gid), "--clear-groups", "--"]

    def remove(self):
        subprocess.run(["pkill", "-9", "-u", str(self.uid)], check=False, capture_output=True)
        subprocess.run(["userdel", self.name], check=False, capture_output=True)
        subprocess.run(["groupdel", self.group], check=False, capture_output=True)  # userdel leaves that of one who was renamed


class Daemon:
    """riadd on a node, all in the node's directory."""

    def __init__(self, node, program, *settings, prefix=()):
        self.node, self.program, self.process, self.prefix = node, program, None, prefix
        self.home = node.directory / "mnt" / "home"
        self.project = node.directory / "mnt" / "project"
        self.log = node.directory / "riadd.log"
        lines = ["[node]", "state = state", "run = run", "[mount]", "home = mnt/home/%n", "project = mnt/project/%n", *settings]
        node.config.write_text(node.config.read_text() + "\n".join(lines) + "\n", encoding="utf-8")

    def start(self, code=None):
        """Until it serves; code: it is to end at once, with this."""
        self.log.write_bytes(b"")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, self.program, "--foreground", "--config", self.node.config], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd="/", env=self.node.environment())
        if code is not None:
            assert self.process.wait(60) == code, self.log.read_text()
            return self
        wait_until(lambda: "ready" in self.log.read_text() or self.process.poll() is not None, 60, "riadd to serve")
        assert self.process.poll() is None, self.log.read_text()
        return self

    def worker(self):
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False).stdout.split()
        return int(found[0]) if found else None

    def stop(self, code=DONE):
        if self.process:
            self.process.terminate()
            assert self.process.wait(120) == code, self.log.read_text()
            self.process = None

    def kill(self):
        if self.process and self.process.poll() is None:
            worker = self.worker()
            self.process.kill()
            self.process.wait()
            if worker:
                wait_until(lambda: not is_riad(worker), 60, "the worker to follow")
        self.process = None

    def remove(self):
        """Nobody needs what it has: the worker is not given the time to make it durable."""
        worker = self.worker() if self.process and self.process.poll() is None else None
        if worker:
            self.process.send_signal(signal.SIGSTOP)  # or it starts another one
            os.kill(worker, signal.SIGKILL)
        self.kill()
        for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
            path = line.split()[4]
            if path.startswith(str(self.node.directory) + "/"):
                subprocess.run(["umount", "-l", path], check=False)


class Person:
    """An account that is, or wants to be, a user of the site."""

    def __init__(self, daemon, account, passphrase):
        self.daemon, self.account = daemon, account
        self.home = daemon.home / account.name
        self.secret = daemon.node.directory / f"secret-{account.name}"
        self.secret.write_text(passphrase + "\n", encoding="utf-8")
        self.secret.chmod(0o400)
        os.chown(self.secret, account.uid, account.gid)
        self.state = daemon.node.directory / f"state-{account.name}"
        self.state.mkdir(mode=0o700, exist_ok=True)
        os.chown(self.state, account.uid, account.gid)

    def run(self, *arguments, code=DONE, **more):
        return self.daemon.node.run(*arguments, code=code, prefix=self.account.prefix(), state=self.state, **more)

    def json(self, *arguments, **more):
        return json.loads(self.run(*arguments, "--json", **more).stdout)

    def enroll(self, **more):
        return self.json("user", "enroll", "--passphrase-file", self.secret, **more)

    def unlock(self, code=DONE, **more):
        return self.run("unlock", "--passphrase-file", self.secret, code=code, **more)

    def lock(self, *options, code=DONE):
        return self.run("lock", *options, code=code)

    def signed(self, *arguments, code=DONE):
        """A command that needs the user's own keys."""
        return self.run(*arguments, "--passphrase-file", self.secret, code=code)

    def shell(self, command, code=0):
        """What this person sees: the kernel enforces it."""
        result = subprocess.run([*self.account.prefix(), "sh", "-c", command], cwd="/", capture_output=True, text=True, check=False,
                                timeout=60, stdin=subprocess.DEVNULL)
        assert code in (None, result.returncode), f"{command} gave {result.returncode}: {result.stdout}{result.stderr}"
        return result.stdout


def control(person, operation, **arguments):
    """What this person's own program would send."""
    probe = ("import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\ns.sendall(sys.stdin.buffer.read())\n"
             "d=b''\nwhile not d.endswith(b'\\n'):\n c=s.recv(65536)\n d+=c\n if not c: break\nsys.stdout.write(d.decode())")
    line = json.dumps({"version": 1, "op": operation, **arguments}) + "\n"
    result = subprocess.run([*person.account.prefix(), "/usr/bin/python3", "-c", probe, str(person.daemon.node.directory / "run/control")],
                            input=line, capture_output=True, text=True, check=True, timeout=30, cwd="/")
    return json.loads(result.stdout)
