"""What a person at a terminal meets: prompts without echo, a code typed with slips, Ctrl-C, key files."""
import os
import pty
import select
import signal
import stat
import termios
import time

from harness import DONE, PASSPHRASE, USAGE, WRONG_SECRET


class Terminal:
    """riad with a terminal of its own; `screen` is all that it showed."""

    def __init__(self, store, *arguments):
        environment = store.environment()
        del environment["RIAD_PASSPHRASE_FILE"]
        self.screen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(store.binary, [store.binary, *map(str, arguments)], environment)

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.fd, 4096)
        except OSError:
            return False
        self.screen += data.decode(errors="replace")
        return bool(data)

    def wait_for(self, text, seconds=30):
        end = time.monotonic() + seconds
        while text not in self.screen and time.monotonic() < end:
            self.read(0.1)
        assert text in self.screen, f"no {text!r} in {self.screen!r}"

    def answer(self, prompt, line):
        self.wait_for(prompt)
        os.write(self.fd, line.encode() + b"\n")

    def end(self):
        """The exit code; negative: the signal."""
        while self.read(0.2):
            pass
        _, status = os.waitpid(self.pid, 0)
        while self.read(0.1):
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def test_a_person_sets_up_and_mounts(make_store):
    store = make_store(init=False)
    first = Terminal(store, "init", store.path)
    first.answer("New passphrase: ", "one thing")
    first.answer("again: ", "another")
    assert first.end() == USAGE and "differ" in first.screen and not store.path.exists()
    second = Terminal(store, "init", store.path)
    second.answer("New passphrase: ", "one thing")
    second.answer("again: ", "one thing")
    assert second.end() == DONE and "Recovery code" in second.screen and "one thing" not in second.screen
    wrong = Terminal(store, "mount", store.path, store.directory)
    wrong.answer("Passphrase for", "another")
    assert wrong.end() == WRONG_SECRET and "wrong passphrase" in wrong.screen
    right = Terminal(store, "mount", store.path, store.directory)
    right.answer("Passphrase for", "one thing")
    assert right.end() == DONE
    store.pids |= set(store.hosts())
    (store.directory / "file").write_text("x", encoding="utf-8")
    store.unmount()


def test_a_recovery_code_may_be_typed_in_any_way(store):
    slip = Terminal(store, "mount", "--recovery", store.path, store.directory)
    slip.answer("Recovery code for", store.recovery_code[:-1] + ("A" if store.recovery_code[-1] != "A" else "B"))
    assert slip.end() == WRONG_SECRET and "typing error" in slip.screen
    typed = Terminal(store, "mount", "--recovery", store.path, store.directory)
    typed.answer("Recovery code for", store.recovery_code.lower().replace("-", " "))
    assert typed.end() == DONE
    store.pids |= set(store.hosts())
    store.unmount()


def test_an_interrupted_prompt_leaves_the_terminal_as_it_was(store):
    terminal = Terminal(store, "recovery", store.path)
    terminal.wait_for("Passphrase for")
    assert not termios.tcgetattr(terminal.fd)[3] & termios.ECHO
    os.kill(terminal.pid, signal.SIGINT)
    end = time.monotonic() + 10
    while not termios.tcgetattr(terminal.fd)[3] & termios.ECHO and time.monotonic() < end:
        time.sleep(0.02)
    assert termios.tcgetattr(terminal.fd)[3] & termios.ECHO
    assert terminal.end() == -signal.SIGINT


def test_making_an_index_anew_is_shown(store):
    """The local state is lost: what is read instead is told while it is read, and what is said next stands on a line of its own."""
    mount = store.mount()
    for number in range(4200):  # more changes than are told of at once
        os.mknod(mount / f"f{number}")
    store.unmount()
    store.forget_state()
    terminal = Terminal(store, "mount", store.path, mount)
    terminal.answer("Passphrase for", PASSPHRASE)
    assert terminal.end() == DONE
    store.pids |= set(store.hosts())
    assert "bytes of the log read: " in terminal.screen and " %" in terminal.screen, terminal.screen
    assert terminal.screen.endswith("\n")
    assert len(os.listdir(mount)) == 4200


def test_a_key_file_opens_until_it_is_replaced(store):
    old, new = store.base / "old.key", store.base / "new.key"
    store.run("passwd", store.path, "--new-key-file", old)
    assert stat.S_IMODE(old.stat().st_mode) == 0o600 and old.stat().st_size == 32
    store.run("mount", "--key-file", old, store.path, store.directory)
    store.pids |= set(store.hosts())
    store.unmount()
    store.run("passwd", store.path, "--key-file", old, "--new-key-file", old, code=1)  # never over an existing file
    store.run("passwd", store.path, "--key-file", old, "--new-key-file", new)
    store.run("mount", "--key-file", old, store.path, store.directory, code=WRONG_SECRET)
    store.run("workspace", "list", store.path, "--key-file", new)
