"""Runs the guest with a disk whose writes qemu records, in the order in which the guest was told that they were done."""
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import layout

LOG_SIZE = 16 << 30  # of a file without blocks
START_SECONDS = 600  # at most, beside its work: it has no processor of its own


def make_disk(path):
    with open(path, "wb") as disk:
        disk.write(layout.partition_table())
        disk.truncate(layout.DISK_SIZE)
    for (first, size), label in ((layout.STORE, "store"), (layout.STATE, "state")):
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-L", label, "-E", f"offset={first},lazy_itable_init=0,lazy_journal_init=0",
                        path, f"{size // 1024}k"], check=True, stdout=subprocess.DEVNULL)


def qemu(kernel, initial, disk, log, settings):
    files = {"disk-file": disk, "log-file": log}
    nodes = [{"driver": "file", "node-name": name, "filename": str(path), "cache": {"no-flush": True}, "discard": "unmap"}
             for name, path in files.items()]
    nodes.append({"driver": "blklogwrites", "node-name": "disk", "file": "disk-file", "log": "log-file", "log-sector-size": layout.SECTOR,
                  "discard": "unmap"})
    append = " ".join(["console=ttyS0", "quiet", "panic=-1", *(f"{name}={value}" for name, value in settings.items())])
    return ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
            "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1536", "-kernel", str(kernel), "-initrd", str(initial),
            "-append", append, *(word for node in nodes for word in ("-blockdev", json.dumps(node))),
            "-device", "virtio-blk-pci,drive=disk"]


def follow(process, console, seconds, shown):
    """Copies what the guest's console says. Returns whether it said DONE."""
    end = time.monotonic() + seconds
    with open(console, "wb") as copy:
        os.set_blocking(process.stdout.fileno(), False)
        while process.poll() is None and time.monotonic() < end:
            text = process.stdout.read() or b""
            copy.write(text)
            shown(text)
            time.sleep(0.05)
        copy.write(process.stdout.read() or b"")
    assert process.poll() is not None, f"the guest did not end within {seconds:.0f} s"


def record(kernel, initial, work, settings, shown=lambda text: None):
    """Leaves `before` (the disk as the guest found it), `log`, `console` and `settings` in the directory."""
    disk, log, console = (Path(work, name) for name in ("disk", "log", "console"))
    make_disk(disk)
    subprocess.run(["cp", "--sparse=always", disk, Path(work, "before")], check=True)
    with open(log, "wb") as file:
        file.truncate(LOG_SIZE)
    command = qemu(kernel, initial, disk, log, settings)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            follow(process, console, float(settings["seconds"]) + START_SECONDS, shown)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
    told = console.read_text(encoding="utf-8", errors="replace")
    assert process.returncode == 0 and "DONE" in told and "FAILED" not in told, f"the guest failed:\n{told[-4000:]}"
    Path(work, "settings").write_text(json.dumps(settings), encoding="ascii")
    return told
