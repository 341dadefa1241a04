"""Limits of users and groups: who sets them, and what they are tried with."""
import pytest

from harness import DONE
from sites import control

MIB = 1 << 20


class Root:
    """An account like any other, to ask the daemon as."""

    def prefix(self):
        return []


class Admin:
    def __init__(self, daemon):
        self.daemon, self.account = daemon, Root()

    def set(self, kind, ident, **limit):
        return control(self, "set-subjects", kind=kind, subjects=[{"id": ident, **limit}])

    def subjects(self, kind):
        return {item["id"]: item for item in control(self, "subjects", kind=kind)["subjects"]}


@pytest.fixture
def admin(daemon):
    return Admin(daemon)


def home(daemon, person):
    return daemon.home / person.account.name


def fill(person, path, code=1):
    """Until there is no more; in whole blocks."""
    person.shell(f"dd if=/dev/zero of={path} bs=64k 2>/dev/null", code=code)


def run(daemon, *arguments, code=DONE):
    """The command, as root."""
    return daemon.node.run(*arguments, code=code).stdout


def told(site, kind, ident):
    return [event["text"].partition(": ")[2] for event in site.first.events() if event["event"] == "limit" and event["text"].startswith(f"{kind} {ident}: ")]
