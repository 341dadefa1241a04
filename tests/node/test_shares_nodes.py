"""Limits of a user whose workspaces are open on different nodes."""
import os
import threading
import time

import pytest

from harness import wait_until
from projects import acme, alice, bob, carol, daemon, dave, other, shared  # noqa: F401
from shares import MIB, Admin, admin, fill, home  # noqa: F401
from sites import Person

pytestmark = pytest.mark.root
ACCOUNTS = 4
LOOKS = 6  # seconds: each node looks every five what the others wrote


@pytest.fixture
def there(other, accounts, shared, alice, bob):
    """bob on the other node, which has the project open; his home stays where it is."""
    alice.lock("acme")
    person = Person(other, accounts[1], "bob's passphrase")
    person.unlock(code=None)
    assert os.path.ismount(other.project / "acme") and not os.path.ismount(other.home / person.account.name)
    return person


def used(*paths):
    return sum(os.lstat(path).st_blocks * 512 for path in paths if os.path.exists(path))


def before(admin, bob):
    return admin.subjects("user")[bob.account.uid]["bytes_used"]


def test_both_at_one_limit(daemon, other, there, bob, admin):
    """The sum is never above it; what is spare on one node comes to the other."""
    start = before(admin, bob)
    assert admin.set("user", bob.account.uid, bytes_limit=start + 16 * MIB)["ok"]
    time.sleep(LOOKS)
    files = [home(daemon, bob) / "one", other.project / "acme" / "two"]
    writers = [threading.Thread(target=fill, args=(person, path, None)) for person, path in zip((bob, there), files)]
    for writer in writers:
        writer.start()
    most = 0
    while any(writer.is_alive() for writer in writers):
        most = max(most, used(*files))
    for writer in writers:
        writer.join()
    assert max(most, used(*files)) <= 16 * MIB
    time.sleep(LOOKS)
    bob.shell(f"dd if=/dev/zero of={files[0]} bs=64k oflag=append conv=notrunc 2>/dev/null", code=1)
    assert 16 * MIB - 65536 <= used(*files) <= 16 * MIB
    there.shell(f"rm {files[1]}")
    time.sleep(LOOKS)
    bob.shell(f"dd if=/dev/zero of={files[0]} bs=64k oflag=append conv=notrunc 2>/dev/null", code=1)
    assert 16 * MIB - 65536 <= used(files[0]) <= 16 * MIB


def test_a_lowered_limit_binds_there(other, there, bob, admin):
    place = other.project / "acme"
    assert admin.set("user", bob.account.uid, bytes_limit=before(admin, bob) + 16 * MIB)["ok"]
    there.shell(f"head -c 1M /dev/zero > {place}/one")  # with a grant of more
    assert admin.set("user", bob.account.uid, bytes_limit=MIB)["ok"]
    time.sleep(LOOKS)
    there.shell(f"! head -c 1M /dev/zero > {place}/two")
    assert used(place / "two") == 0


def test_a_grace_ends_for_both(daemon, other, there, bob, admin):
    place, start = other.project / "acme", before(admin, bob)
    assert admin.set("user", bob.account.uid, soft={"bytes_limit": start + 8 * MIB, "bytes_grace_seconds": 9})["ok"]
    time.sleep(LOOKS)
    there.shell(f"head -c 1M /dev/zero > {place}/one")  # with a grant of more
    begin = time.time()
    bob.shell(f"head -c 10M /dev/zero > {home(daemon, bob)}/two")
    there.shell(f"head -c 64k /dev/zero > {place}/three")
    time.sleep(max(0, begin + 10 - time.time()))
    there.shell(f"! echo x > {place}/four")
    bob.shell(f"! echo x > {home(daemon, bob)}/four")
    bob.shell(f"rm {home(daemon, bob)}/two")
    clock = lambda: Admin(other).subjects("user")[bob.account.uid]["soft"]["bytes_over_since"]
    wait_until(lambda: clock() == 0, 15, "the clock to end")
    wait_until(lambda: there.shell(f"echo x > {place}/four && echo done", code=None) == "done\n", 15, "room on the other node")
