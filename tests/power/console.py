"""What the guest's programs share: words on its console, commands, waiting."""
import subprocess
import time


def say(*words):
    print(f"[{time.monotonic():7.2f}]", *words, flush=True)


def run(*command, check=True, **options):
    return subprocess.run([str(word) for word in command], check=check, **options)


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain for {what}"
        time.sleep(0.05)
