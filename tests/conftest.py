"""Fixtures of the mounted tests. RIAD names the binary; RIAD_TEST_USER whom unprivileged tests run as when root runs them."""
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from harness import Store, User
from processes import Child
from slow_store import SlowStore
from twins import Twins
from syscalls import filesystem_type

SECONDS_PER_TEST = int(os.environ.get("RIAD_TEST_SECONDS", "180"))  # more where sanitizers make all slow


def pytest_configure(config):
    config.addinivalue_line("markers", "root: needs root")
    # An orderly end, with finalizers, also when the script is told to stop. A shell's background job ignores SIGINT, and
    # what it starts would too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root"))


def dump_and_kill(name):
    print(f"\n{name} took longer than {SECONDS_PER_TEST} s: killing its mounts", file=sys.__stderr__, flush=True)
    for store in list(Store.living):
        for pid in store.hosts():
            for task in sorted(Path(f"/proc/{pid}/task").glob("*")):
                try:
                    where = (task / "wchan").read_text(encoding="utf-8") + " " + (task / "syscall").read_text(encoding="utf-8")
                    print(f"  thread {task.name}: {where}", file=sys.__stderr__, flush=True)
                except OSError:
                    pass
        store.kill_all()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """A hanging mount would hang the whole run: killing its process turns the hang into an error."""
    watchdog = threading.Timer(SECONDS_PER_TEST, dump_and_kill, [item.nodeid])
    watchdog.daemon = True
    watchdog.start()
    yield
    watchdog.cancel()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown():
    """Children that a failed test left would keep its mount busy, and the tests after it would fail too."""
    for child in list(Child.living):
        child.end()


@pytest.fixture(scope="session")
def base():
    """A directory that every user may pass through."""
    wanted = os.environ.get("RIAD_TEST_DIR")
    path = Path(tempfile.mkdtemp(prefix="run-", dir=wanted)).resolve()
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def binary(base):
    """riad, where every user can reach it."""
    given = os.environ.get("RIAD")
    assert given, "set RIAD to the riad binary, or run scripts/test"
    path = base / "riad"
    shutil.copy(given, path)
    path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def daemon_binary(base):
    """riadd, which lies beside riad where that was built."""
    path = base / "riadd"
    shutil.copy(Path(os.environ["RIAD"]).parent / "riadd", path)
    path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def unprivileged():
    """Who is not root: the one that runs the tests, or a user made for this run, or nobody."""
    if os.geteuid() != 0:
        return User()
    user = User(os.environ.get("RIAD_TEST_USER") or "nobody")
    probe = subprocess.run([*user.prefix(), "test", "-r", "/dev/fuse", "-a", "-w", "/dev/fuse"], check=False)
    if probe.returncode != 0:
        pytest.skip("/dev/fuse is closed to users: scripts/test opens it")
    return user


def store_maker(binary, base):
    """Yields make(init options, ...); removes what it made."""
    made = []

    def make(*options, user=None, init=True):
        store = Store(binary, base, user)
        made.append(store)
        return store.init(*options) if init else store

    yield make
    for store in made:
        store.remove()


@pytest.fixture(scope="session")
def make_store_in_session(binary, base):
    yield from store_maker(binary, base)


@pytest.fixture
def make_store(binary, base):
    """make_store(init options): as many stores as a test wants."""
    yield from store_maker(binary, base)


@pytest.fixture
def store(make_store):
    """A store without limits, not mounted."""
    return make_store()


@pytest.fixture
def mount(store):
    """The mount point of a store of this test alone; `store` gives the rest."""
    return store.mount()


@pytest.fixture(scope="module")
def shared(binary, base):
    """A store, mounted for all tests of a file; it must be clean in the end."""
    store = Store(binary, base)
    try:
        store.init()
        store.mount()
        yield store
        if store.hosts():
            store.unmount()
        store.fsck()
    finally:
        store.remove()


def own_name(request):
    return "".join(c if c.isalnum() else "-" for c in request.node.name)[:100]


@pytest.fixture
def place(shared, request):
    """An own directory in the mount that the file's tests share."""
    path = shared.directory / own_name(request)
    path.mkdir()
    return path


@pytest.fixture(scope="module")
def shared_by_user(binary, base, unprivileged):
    """As shared, run by an unprivileged user, with allow_other when root may grant it."""
    store = Store(binary, base, unprivileged)
    try:
        store.init()
        store.mount()
        yield store
        if store.hosts():
            store.unmount()
        store.fsck()
    finally:
        store.remove()


EXT4_MAGIC = 0xEF53


@pytest.fixture(scope="module")
def slow_store(base):
    if not shutil.which("gcc"):
        pytest.skip("needs gcc")
    made = SlowStore(base / "slow-store")
    yield made
    shutil.rmtree(made.folder)


@pytest.fixture(scope="session")
def ext4(base):
    """A directory on ext4: what riad is held against."""
    tried = [base, Path("/var/tmp"), Path("/tmp"), Path.home(), Path(__file__).parent]
    place = next((path for path in tried if filesystem_type(path) == EXT4_MAGIC and os.access(path, os.W_OK)), None)
    if place is None:
        pytest.skip("no ext4 to compare with")
    path = Path(tempfile.mkdtemp(prefix="ext4-", dir=place)).resolve()
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(params=["riad", "ext4"])
def either(request):
    """An own directory: every test that takes it runs on a riad mount, and on ext4 to show that what it asks is right."""
    if request.param == "riad":
        return request.getfixturevalue("place")
    path = request.getfixturevalue("ext4") / own_name(request)
    path.mkdir()
    return path


@pytest.fixture(scope="module")
def shared_by_all(binary, base):
    """As shared, for several users where root runs the tests."""
    store = Store(binary, base)
    try:
        store.init()
        store.mount(*store.for_all)
        store.directory.chmod(0o755)
        yield store
        store.unmount()
        store.fsck()
    finally:
        store.remove()


@pytest.fixture
def pair(shared_by_all, ext4, request):
    """Two own directories, in the mount and on ext4, that are to stay the same."""
    roots = [root / own_name(request) for root in (shared_by_all.directory, ext4)]
    for root in roots:
        root.mkdir()
    return Twins(*roots)


@pytest.fixture
def strangers():
    """Two (uid, gid) that are neither root nor each other."""
    nobody = pwd.getpwnam("nobody")
    return (nobody.pw_uid, nobody.pw_gid), (12345, 12345)
