"""A site with a project of several members, for the tests that use it: fixtures, and what one asks of it."""
import subprocess

import pytest

from sites import Daemon, Person


@pytest.fixture
def daemon(site, daemon_binary):
    made = Daemon(site.first, daemon_binary, "[policy]", "projects = users", "project-bytes = 40M", "project-inodes = 2k")
    yield made.start()
    made.remove()


@pytest.fixture
def other(site, daemon_binary):
    """Another node of the site."""
    node = site.node("login2")
    site.add(node)
    made = Daemon(node, daemon_binary)
    yield made.start()
    made.remove()


def enrolled(daemon, account, name):
    person = Person(daemon, account, f"{name}'s passphrase")
    person.enroll()
    return person


@pytest.fixture
def alice(daemon, accounts):
    return enrolled(daemon, accounts[0], "alice")


@pytest.fixture
def bob(daemon, accounts):
    return enrolled(daemon, accounts[1], "bob")


@pytest.fixture
def carol(daemon, accounts):
    return enrolled(daemon, accounts[2], "carol")


@pytest.fixture
def dave(daemon, accounts):
    return enrolled(daemon, accounts[3], "dave")


@pytest.fixture
def acme(daemon, alice):
    """A project of alice's, of herself alone."""
    alice.signed("workspace", "create", "acme")
    return daemon.project / "acme"


@pytest.fixture
def shared(acme, alice, bob, carol, dave):
    """bob is a writer of it and carol a reader; dave is nobody."""
    for person, role in (bob, "writer"), (carol, "reader"):
        alice.signed("member", "add", "acme", person.account.name, "--role", role)
    alice.shell(f"umask 022; cd {acme}; mkdir papers; echo first > papers/draft; echo keep > keep; ln -s keep link; mkfifo pipe")
    return acme


def project(person, name="acme"):
    found = [item for item in person.json("workspace", "list")["workspaces"] if item["workspace"] == name and item["kind"] == "project"]
    return found[0] if found else None


def roles(person, name="acme"):
    return {member["user"]: member["role"] for member in person.json("member", "list", name)["members"]}


def kinds(site):
    return [event["event"] for event in site.first.events()]


def attempt(person, command):
    """What is said when it does not go; it must not."""
    result = subprocess.run([*person.account.prefix(), "sh", "-c", command], cwd="/", capture_output=True, text=True, check=False)
    assert result.returncode != 0, (command, result.stdout)
    return result.stderr


def attempt_code(person, command):
    return subprocess.run([*person.account.prefix(), "sh", "-c", command], cwd="/", capture_output=True, check=False).returncode
