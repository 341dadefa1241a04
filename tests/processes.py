"""Child processes of tests: they run a Python function, answer, wait, and may be killed in the middle."""
import os
import pickle
import select
import signal
import time
import traceback
from pathlib import Path


class Child:
    """A forked child that runs function(*arguments). Its result is asked for with result(); what it tells on the way by
    `say` (its first argument if `talks`), with hear()."""
    living = []

    def __init__(self, function, *arguments, talks=False):
        reader, writer = os.pipe()
        self.name = getattr(function, "__qualname__", "") + repr([getattr(cell.cell_contents, "__name__", "")
                                                                   for cell in getattr(function, "__closure__", None) or ()])
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            run(function, arguments, writer, talks)
        os.close(writer)
        self.source, self.status = os.fdopen(reader, "rb"), None
        Child.living.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def hear(self, seconds=20):
        """The next thing that the child said; raises what it raised."""
        ready, _, _ = select.select([self.source], [], [], seconds)
        assert ready, f"the child said nothing for {seconds} s; it is in state {self.state()}, {self.where()}"
        kind, value = pickle.load(self.source)
        if kind == "error" and isinstance(value, tuple):
            raise OSError(*value)
        assert kind == "said", value
        return value

    def where(self):
        """What it runs and where it is, as far as the kernel tells: for messages."""
        told = [getattr(self, "name", "")]
        for name in ("syscall", "wchan", "stack"):
            try:
                told.append(Path(f"/proc/{self.pid}/{name}").read_text(encoding="utf-8").strip().replace("\n", " "))
            except OSError:
                pass
        return "; ".join(told)

    def is_silent(self, seconds):
        return not select.select([self.source], [], [], seconds)[0]

    def result(self, seconds=20):
        value = self.hear(seconds)
        self.wait(seconds)
        return value

    def send(self, number):
        os.kill(self.pid, number)

    def wait(self, seconds=20):
        """The wait status; fails if the child has not ended by then."""
        end = time.monotonic() + seconds
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
                break
            assert time.monotonic() < end, f"the child has not ended after {seconds} s; it is in state {self.state()}"
            time.sleep(0.002)
        return self.status

    def kill(self, seconds=5):
        """SIGKILL; fails if the child survives it for that long, that is, hangs in the kernel."""
        if self.status is None:
            self.send(signal.SIGKILL)
        return self.wait(seconds)

    def end(self):
        if self.status is None:
            self.send(signal.SIGKILL)
            self.wait(30)
        self.source.close()
        Child.living.remove(self)

    def state(self):
        """R, S, D, T, Z ... as ps(1) shows it."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
        except OSError:
            return "gone"

    def is_blocked(self):
        return self.state() in "SD"


def run(function, arguments, writer, talks):
    out = os.fdopen(writer, "wb", buffering=0)

    def say(value):
        out.write(pickle.dumps(("said", value)))

    try:
        answer = ("said", function(say, *arguments) if talks else function(*arguments))
    except OSError as error:
        answer = ("error", (error.errno, str(error)))
    except BaseException:  # noqa: the parent reports it
        answer = ("error", traceback.format_exc())
    try:
        out.write(pickle.dumps(answer))
    finally:
        os._exit(0)


def in_child(function, *arguments, seconds=20):
    """The result of function(*arguments) in a process of its own."""
    with Child(function, *arguments) as child:
        return child.result(seconds)
