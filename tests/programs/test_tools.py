"""Editors, terminals, logins: swap files, sockets, permissions that are looked at closely."""
import os
import pty
import signal
import stat
import sys
import threading
import time
from pathlib import Path

import pytest

from commands import ALL_THERE, FOR_USERS, find, needs, run, start
from harness import wait_until

VIM = ("vim.tiny", "vim.basic", "vim")
VIM_OPTIONS = ["-u", "NONE", "-i", "NONE", "-N", "-X"]


class Terminal:
    """A program that has a terminal; what it prints is dropped."""

    def __init__(self, *command, cwd):
        self.master, slave = pty.openpty()
        self.process = start(*command, cwd=cwd, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        threading.Thread(target=self.drain, daemon=True).start()

    def drain(self):
        try:
            while os.read(self.master, 65536):
                pass
        except OSError:
            pass

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        self.process.kill()
        self.process.wait(10)


@needs(VIM)
def test_vim(place, shared):
    """What was typed and never written is recovered from the swap file after a kill, and after a remount."""
    path, swap = place / "file.txt", place / ".file.txt.swp"
    path.write_text("old\n" * 2000, encoding="utf-8")
    editor = Terminal(find(*VIM), *VIM_OPTIONS, "-c", "set updatetime=20 swapsync=fsync", path, cwd=place)
    try:
        wait_until(swap.exists, 30, "the swap file")
        editor.type("ggO" + "typed, never written " * 3 + "\x1b" + "Glast line \x1b")
        wait_until(lambda: b"typed, never written" in swap.read_bytes(), 30, "what was typed, in the swap file")
        time.sleep(0.2)
    finally:
        editor.end()
    assert path.read_text(encoding="utf-8") == "old\n" * 2000
    shared.remount()
    # Without a terminal, vim prints what it finds and goes on.
    again = run(find(*VIM), *VIM_OPTIONS, "-es", "-V1", "-c", "qa!", path, cwd=place, code=None)
    assert "E325" in again or "swap file" in again.lower(), again
    run(find(*VIM), *VIM_OPTIONS, "-es", "-r", "-c", "wq!", path, cwd=place)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("typed, never written typed") and lines[1] == "old" and len(lines) == 2001


def test_locks_of_programs(place):
    """flock and fcntl locks exclude between processes."""
    program = ("import fcntl, os, sys\nfor _ in range(50):\n"
               "    with open(sys.argv[1], 'r+') as file:\n"
               "        getattr(fcntl, sys.argv[2])(file, fcntl.LOCK_EX)\n"
               "        value = int(file.read() or 0)\n        file.seek(0)\n        file.write(str(value + 1))\n        file.flush()\n")
    for kind in ("flock", "lockf"):
        (place / kind).touch()
        running = [start(sys.executable, "-c", program, place / kind, kind, cwd=place) for _ in range(4)]
        assert [process.wait(60) for process in running] == [0] * 4
        assert (place / kind).read_text(encoding="utf-8") == "200"


@needs("tmux")
def test_tmux(place):
    """A server whose socket is on the mount: clients find it, modes keep others out, and a stale socket is replaced."""
    path = place / "socket"

    def tmux(*arguments, code=0):
        return run(find("tmux"), "-S", path, "-f", "/dev/null", *arguments, cwd=place, code=code, TERM="screen")

    try:
        tmux("new-session", "-d", "-s", "first", "-x", "80", "-y", "24", "/bin/sh")
        assert stat.S_ISSOCK(path.stat().st_mode) and stat.S_IMODE(path.stat().st_mode) & 0o007 == 0
        tmux("send-keys", "-t", "first", "echo $((6 * 7)) >answer && mv answer written", "Enter")
        wait_until((place / "written").exists, 30, "what was typed")
        assert (place / "written").read_text(encoding="utf-8") == "42\n"
        tmux("new-window", "-t", "first", "-n", "second")
        assert tmux("list-windows", "-F", "#{window_name}", "-t", "first").splitlines()[1] == "second"
        server = int(tmux("display-message", "-p", "#{pid}"))
        os.kill(server, signal.SIGKILL)
        wait_until(lambda: tmux("list-sessions", code=None).startswith(("no server", "error connecting")), 10, "the end")
        assert path.is_socket()
        tmux("new-session", "-d", "-s", "again", "/bin/sh")
        assert tmux("list-sessions", "-F", "#{session_name}") == "again\n"
    finally:
        tmux("kill-server", code=None)


class Login:
    """A real sshd, which serves one connection over a pipe, run by a user who is not root and has a home on the mount."""

    def __init__(self, top, user):
        self.top, self.home, self.user = top, top / "home", user
        self.keys = self.home / ".ssh" / "authorized_keys"
        (self.home / ".ssh").mkdir(parents=True, mode=0o700)
        self.home.chmod(0o755)
        for key in ("key", "host"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", top / key, cwd=top)
        self.keys.write_text((top / "key.pub").read_text(encoding="utf-8"), encoding="utf-8")
        self.keys.chmod(0o600)
        for path in (self.home, self.home / ".ssh", self.keys, top / "host"):
            user.own(path)
        (top / "passwd").write_text(f"tester:x:{user.uid}:{user.gid}::{self.home}:/bin/sh\n", encoding="utf-8")
        (top / "group").write_text(f"tester:x:{user.gid}:\n", encoding="utf-8")
        (top / "config").write_text(f"HostKey {top}/host\nStrictModes yes\nUsePAM no\nPidFile none\nLogLevel VERBOSE\n"
                                    "AuthenticationMethods publickey\n", encoding="utf-8")

    def try_it(self, command, code=0, key="key"):
        server = ["env", f"LD_PRELOAD={WRAPPER[0]}", f"NSS_WRAPPER_PASSWD={self.top}/passwd", f"NSS_WRAPPER_GROUP={self.top}/group",
                  find("sshd"), "-i", "-e", "-f", self.top / "config"]
        return run("ssh", "-F", "none", "-o", f"ProxyCommand={' '.join(map(str, [*self.user.prefix(), *server]))}",
                   "-o", f"UserKnownHostsFile={self.top}/known", "-o", "StrictHostKeyChecking=accept-new", "-o", "BatchMode=yes",
                   "-o", "IdentitiesOnly=yes", "-i", self.top / key, "tester@riad", command, cwd=self.top, code=code, SSH_AUTH_SOCK="")


WRAPPER = [str(path) for path in Path("/usr/lib").glob("*/libnss_wrapper.so")]


@pytest.mark.skipif(not WRAPPER and not ALL_THERE, reason="needs libnss-wrapper")
@needs("ssh", "ssh-keygen", "sshd")
def test_login_with_a_key(store, unprivileged):
    """sshd takes authorized_keys only if nobody else may write it, nor the directories above it; ssh likewise its key."""
    top = store.mount(*FOR_USERS)
    top.chmod(0o711)
    login = Login(top, unprivileged)
    assert str(login.home) in login.try_it("pwd; cat >file </dev/null; touch ~/was-here")
    assert (login.home / "was-here").stat().st_uid == unprivileged.uid
    for path, bad, good in ((login.keys, 0o602, 0o644), (login.keys.parent, 0o702, 0o700), (login.home, 0o757, 0o755)):
        path.chmod(bad)
        assert f"bad ownership or modes for {'file' if path == login.keys else 'directory'} {path}" in login.try_it("true", code=255)
        path.chmod(good)
        login.try_it("true")
    if unprivileged.is_other:
        os.chown(login.keys, 12345, 12345)
        assert f"bad ownership or modes for file {login.keys}" in login.try_it("true", code=255)
        unprivileged.own(login.keys)
    (top / "key").chmod(0o644)
    assert "UNPROTECTED PRIVATE KEY FILE" in login.try_it("true", code=255)
    (top / "key").chmod(0o600)
    store.remount(*FOR_USERS)
    login.try_it("true")


# stress-ng's file-system stressors and how many operations of each. Left out: what FUSE does not have (fiemap, verity), those of
# which a single operation is tens of thousands of requests (link, symlink, xattr), and those that walk or sync all other file
# systems of the machine (getdent, io).
STRESSORS = {
    "access": 40, "chattr": 10, "chdir": 1, "chmod": 20, "chown": 100, "copy-file": 10, "dentry": 300, "dir": 100, "dirdeep": 1000,
    "dirmany": 400, "dnotify": 60, "dup": 60, "fallocate": 10, "fcntl": 500, "file-ioctl": 200, "filename": 20, "flock": 10000, "fsize": 20,
    "fstat": 300, "hdd": 200, "inotify": 1, "iomix": 150, "lease": 300, "lockf": 2000, "lockofd": 10000,
    "mknod": 150, "mmap": 1, "msync": 150, "open": 1000, "readahead": 300, "rename": 300, "revio": 2000, "seek": 50, "sendfile": 1000,
    "splice": 10000, "sync-file": 5, "touch": 500, "utime": 300}
SIZES = {"chdir-dirs": "500", "dir-dirs": "500", "dirdeep-dirs": "2", "dirdeep-inodes": "300", "fallocate-bytes": "4m", "hdd-bytes": "4m",
         "iomix-bytes": "4m", "mmap-bytes": "1m", "msync-bytes": "1m", "readahead-bytes": "4m", "revio-bytes": "4m", "seek-size": "1m",
         "sendfile-size": "64k", "sync-file-bytes": "4m"}


@needs("stress-ng")
def test_stress(place):
    """All of them at once, each verifying what it has done."""
    options = [word for name, count in STRESSORS.items() for word in (f"--{name}", "1", f"--{name}-ops", count)]
    options += [word for name, size in SIZES.items() for word in (f"--{name}", size)]
    output = run("stress-ng", *options, "--fstat-dir", place, "--mmap-file", "-t", "100", "--verify", "--metrics", "--temp-path", place, cwd=place, seconds=150)
    assert "successful run completed" in output and " fail: " not in output, output
    lines = [line.split()[3:] for line in output.splitlines() if " metrc: " in line]
    done = {words[0]: int(words[1]) for words in lines if len(words) == 9 and words[1].isdigit()}
    short = {name: done.get(name) for name, count in STRESSORS.items() if done.get(name, 0) < count}
    assert not short, f"{short} were not finished:\n{output}"
    assert os.listdir(place) == []
