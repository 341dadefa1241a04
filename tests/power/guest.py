"""What runs in the guest: makes a store, mounts it, has the programs work, with a kill of riad and an unmount in between. Its console
says DONE in the end, or why it failed."""
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import programs
import scenarios
from console import run, say, wait_until
from markers import Marker

WORK, STORE, STATE = Path("/work"), Path("/store/store"), Path("/state/state")
SECRET = Path("/tmp/passphrase")
# The command does not wait for a riad that waits for its store: then it is asked again.
CLEAN = ("sh", "-c", f"until riad gc {WORK}; do sleep 1; done")


class Worker:
    """A process that does a program's steps, as long as there is a file that lets it go on."""

    def __init__(self, slot, program, seed):
        self.program = program(WORK, seed)
        self.slot, self.go, self.paused = slot, Path(f"/tmp/go.{program.name}"), Path(f"/tmp/paused.{program.name}")
        self.paused.touch()
        self.pid = os.fork()
        if self.pid == 0:
            self.live()

    def live(self):
        try:
            self.go_on()
        except BaseException:
            say(f"FAILED: {self.program.name}", traceback.format_exc())
        os._exit(1)

    def go_on(self):
        marker, number, sure = Marker("/dev/vda1", self.slot, self.program.name), 0, 0
        while True:
            if not self.go.exists():
                self.pause(number)
            marker.tell(number, sure)
            number += 1
            if self.program.step(number):
                sure = number

    def pause(self, number):
        self.program.close()
        if number:
            say(f"{self.program.name}: {number} steps")
        self.paused.touch()
        while not self.go.exists():
            time.sleep(0.02)
        self.paused.unlink()

    def has_ended(self):
        return os.waitpid(self.pid, os.WNOHANG)[0] != 0


class Session:
    def __init__(self, seed, seconds, scenario):
        self.seed, self.seconds, self.scenario, self.workers = seed, seconds, scenario, []
        os.environ.update(RIAD_STATE_DIR=str(STATE), RIAD_PASSPHRASE_FILE=str(SECRET), HOME="/tmp")

    def make_store(self):
        SECRET.write_text("correct horse battery staple\n", encoding="ascii")
        SECRET.chmod(0o600)
        run("riad", "init", STORE, "-B", "256M", "-I", "100k", stdout=subprocess.DEVNULL)
        Marker("/dev/vda1", 0, "store").tell(1, 1)
        say("the store is made")

    def kill(self):
        """Who was killed before has left a socket, too."""
        for pid in [int(path.stem) for path in (STATE / "run").glob("*.sock")]:
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGKILL)
        run("umount", "-l", WORK)
        say("killed")

    def unmount(self):
        run(*CLEAN, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        say("cleaned")
        run("riad", "unmount", WORK)
        say("unmounted")

    def work(self, chosen, seconds):
        """These programs go on for so long, and pause then."""
        chosen = [worker for worker in self.workers if type(worker.program) in chosen]
        for worker in chosen:
            worker.go.touch()
        cleaner = subprocess.Popen(CLEAN, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.scenario.meanwhile(max(0, end - time.monotonic()))
            assert not any(worker.has_ended() for worker in self.workers), "a program has failed"
        for worker in chosen:
            worker.go.unlink()
        wait_until(lambda: all(worker.paused.exists() for worker in chosen), 120, "the programs to pause")
        assert cleaner.wait(120) == 0, "riad gc has failed"

    def run(self):
        self.scenario.start()
        self.make_store()
        self.workers = [Worker(slot, program, self.seed) for slot, program in enumerate(programs.ALL, 1)]
        for chosen, leave in PHASES:
            run("riad", "mount", STORE, WORK)
            say("mounted")
            self.work(chosen, self.seconds / len(PHASES))
            leave(self)
        for worker in self.workers:
            os.kill(worker.pid, signal.SIGKILL)
        self.scenario.end()


# What nobody syncs has a time of its own: there are few flushes then, and much for a power cut to take.
PHASES = ((programs.ALL, Session.kill), (programs.QUIET, Session.kill), (programs.ALL, Session.unmount), (programs.ALL, Session.unmount))


def main():
    scenario, seed, seconds = (os.environ[name] for name in ("scenario", "seed", "seconds"))
    try:
        Session(int(seed), float(seconds), scenarios.ALL[scenario]()).run()
    except BaseException:
        say("FAILED:", traceback.format_exc())
        sys.exit(1)
    say("DONE")


if __name__ == "__main__":
    main()
