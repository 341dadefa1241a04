"""What a riad of this machine finds on a disk behind a power cut."""
import hashlib
import os
import random
import shutil
import stat
import subprocess

from harness import Store

import layout
import programs

NODE_LOST_EVERY = 25  # cuts: another node waits 20 s for an owner that shows no life


class Machine(Store):
    """The disk's two file systems, mounted, with the store and the state that the guest made."""

    def __init__(self, binary, base, disk):
        super().__init__(binary, base)
        try:
            self.mount_disk(disk)
        except BaseException:
            self.remove()
            raise
        self.path, self.state = self.base / "disk-store/store", self.base / "disk-state/state"
        self.extra_states = [self.state]

    def mount_disk(self, disk):
        for (first, size), name in ((layout.STORE, "disk-store"), (layout.STATE, "disk-state")):
            (self.base / name).mkdir()
            options = f"loop,offset={first},sizelimit={size}"
            subprocess.run(["mount", "-t", "ext4", "-o", options, disk, self.base / name], check=True)

    def lose_index(self):
        """All that is there but for the name of the node."""
        if not self.state.exists():
            return
        for path in self.state.iterdir():
            if path.name != "node":
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def lose_node(self):
        shutil.rmtree(self.state, ignore_errors=True)


def digest(top):
    """Of all names, kinds, modes and contents."""
    found = hashlib.sha256()
    for folder, directories, files in os.walk(top):
        directories.sort()
        for name in sorted([*directories, *files]):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            found.update(repr((path, status.st_mode, status.st_nlink, status.st_mtime_ns)).encode())
            if stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    found.update(file.read())
    return found.hexdigest()


def check_program(program, top, of):
    """Returns the last step that is there."""
    program.top, program.place = top, top / program.name
    try:
        return program.check(of.least(), of.most())
    except (AssertionError, OSError, ValueError) as error:
        known = f"step {of.sure} was synced, {of.old} done long before, {of.done} done"
        raise AssertionError(f"{program.name}: {type(error).__name__}: {error} ({known})") from error


def check_programs(top, known, seed, cache):
    """Returns how long before the cut the first step was done that is lost, in seconds."""
    now, lost = max(of.history[-1][1] for of in known.values()), 0.0
    for program in programs.ALL:
        of = known.get(program.name)
        if of:
            found = check_program(cache.setdefault(program.name, program(top, seed)), top, of)
            lost = max([lost, *(now - time for done, time in of.history if done > found)])
    return lost


def write_on(top):
    path = top / "behind the cut"
    programs.write(path, b"written\n" * 1000)
    programs.sync_directory(top)
    path.rename(top / "behind")


def choose_loss(cut):
    """Of the local state: what the cut left is there; or its index and marks are lost, too; or all of it."""
    rng = random.Random(f"{cut.seed}/state")
    if rng.randrange(NODE_LOST_EVERY) == 0:
        return Machine.lose_node
    return Machine.lose_index if rng.random() < 0.3 else None


def check(machine, cut, known, seed, cache):
    """Raises AssertionError if a promise is broken. Returns the age of the oldest step that was lost."""
    loss = choose_loss(cut)
    if loss:
        loss(machine)
    if loss is not Machine.lose_node:
        machine.fsck()
    machine.mount()
    lost = check_programs(machine.directory, known, seed, cache)
    write_on(machine.directory)
    machine.run("quota", "check", machine.directory)
    before = digest(machine.directory)
    machine.unmount()
    machine.forget_state()
    machine.mount()
    assert digest(machine.directory) == before, "made anew from the store alone, it is not what it was"
    machine.unmount()
    machine.fsck()
    return lost
