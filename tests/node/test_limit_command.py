"""The program that hears of limits which were passed."""
import pytest

from harness import DONE, wait_until
from projects import enrolled
from sites import Daemon

pytestmark = pytest.mark.root
ACCOUNTS = 1


@pytest.fixture
def heard(site):
    """What was said: (kind, name, sentence) each."""
    path = site.first.directory / "heard"
    path.touch()
    path.chmod(0o666)
    program = site.first.directory / "hear"
    program.write_text(f"#!/bin/sh\nprintf '%s|%s|%s|%s\\n' \"$1\" \"$2\" \"$3\" $(id -u) >> {path}\nsleep 30\n", encoding="utf-8")
    program.chmod(0o755)
    return lambda: [line.split("|") for line in path.read_text(encoding="utf-8").splitlines()]


def test_who_is_named_hears_of_limits(site, daemon_binary, accounts, heard):
    daemon = Daemon(site.first, daemon_binary, "[events]", f"limit-command = {site.first.directory}/hear")
    try:
        daemon.start()
        alice = enrolled(daemon, accounts[0], "alice")
        name = alice.account.name
        daemon.node.run("quota", "set", name, "-b", "1M", "-B", "2M", code=DONE)
        alice.shell(f"head -c 1200k /dev/zero > {alice.home}/file")
        wait_until(lambda: heard(), 20, "the command to be started")
        kind, workspace, sentence, uid = heard()[0]
        assert (kind, workspace) == ("limit", name) and sentence.startswith("space: the soft limit is passed: ") and "; from 20" in sentence
        assert uid == str(site.first.state.stat().st_uid)
        alice.shell(f"head -c 3M /dev/zero > {alice.home}/more 2>/dev/null", code=1)
        wait_until(lambda: len(heard()) >= 4, 20, "the others")
        said = [sentence for _, _, sentence, _ in heard()]
        assert any("80 %" in text for text in said) and any("95 %" in text for text in said) and any("refused" in text for text in said)
        events = [event["text"] for event in site.first.events() if event["event"] == "limit"]
        assert sorted(events) == sorted(said)
        assert [event["text"] for event in alice.json("events")["events"] if event["event"] == "limit"] == events
    finally:
        daemon.remove()


def test_a_program_that_is_not_there_harms_nobody(site, daemon_binary, accounts):
    daemon = Daemon(site.first, daemon_binary, "[events]", "limit-command = /nonexistent/program")
    try:
        daemon.start()
        alice = enrolled(daemon, accounts[0], "alice")
        daemon.node.run("quota", "set", alice.account.name, "-b", "1M", code=DONE)
        alice.shell(f"head -c 2M /dev/zero > {alice.home}/file")
        wait_until(lambda: [event for event in site.first.events() if event["event"] == "limit"], 20, "the event")
        alice.shell(f"cat {alice.home}/file | wc -c")
    finally:
        daemon.remove()


def test_it_is_an_absolute_path(site, daemon_binary):
    Daemon(site.first, daemon_binary, "[events]", "limit-command = mail").start(code=1)
