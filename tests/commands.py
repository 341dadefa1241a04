"""The programs of this machine that the tests run on a mount: where they are, and how they are run."""
import os
import shutil
import subprocess

import pytest

# Servers that scripts/test unpacked instead of installing them.
UNPACKED = os.environ.get("RIAD_TEST_SERVERS")
# scripts/test has installed everything: what is missing then is an error, not a reason to skip.
ALL_THERE = os.environ.get("RIAD_TEST_PROGRAMS") == "all"
# How root mounts for programs that must not be root. A user's programs are his own.
FOR_USERS = ["-o", "allow_other"] if os.geteuid() == 0 else []
FOLDERS = ["/usr/sbin", "/sbin", "/usr/lib/postgresql/15/bin", "/usr/lib/openssh"]


def find(*names):
    """The path of the first of the programs that there is, None if there is none."""
    places = [*os.get_exec_path(), *FOLDERS]
    if UNPACKED:
        places += [UNPACKED + folder for folder in ["/usr/bin", *FOLDERS]]
    for name in names:
        path = shutil.which(name, path=os.pathsep.join(places))
        if path:
            return path
    return None


def needs(*names):
    """Marks a test that runs these programs; a tuple among them is one of several that will do."""
    missing = [name for name in names if not find(*([name] if isinstance(name, str) else name))]
    return pytest.mark.skipif(bool(missing) and not ALL_THERE, reason=f"needs {missing}: scripts/install-dependencies")


def environment(home, **more):
    """What git and others would read of the user is left out."""
    return {**os.environ, "HOME": str(home), "LC_ALL": "C.UTF-8", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
            "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b", **more}


def command_line(command, user=None):
    """As strings, run by that user."""
    return [*(user.prefix() if user else []), *map(str, command)]


def run(*command, cwd, seconds=120, user=None, code=0, **more):
    """Runs it, insists on its exit code (None accepts any) and returns what it printed."""
    result = subprocess.run(command_line(command, user), cwd=cwd, env=environment(cwd, **more), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False, timeout=seconds)
    assert code in (None, result.returncode), f"{command} gave {result.returncode}:\n{result.stdout[-3000:]}"
    return result.stdout


def start(*command, cwd, user=None, **options):
    """Starts it; the caller waits for it. Without options its output is dropped."""
    for stream in ("stdin", "stdout", "stderr"):
        options.setdefault(stream, subprocess.DEVNULL)
    return subprocess.Popen(command_line(command, user), cwd=cwd, env=environment(cwd), **options)

