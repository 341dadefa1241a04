"""The root of a site, and its nodes: whom a machine believes, and that the store cannot talk it into more."""
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from harness import DAMAGED, DONE, FAILED, NOT_A_STORE, NOT_PERMITTED, USAGE, WRONG_SECRET
from sites import Site


@pytest.fixture
def site(binary, base):
    path = Path(tempfile.mkdtemp(prefix="site-", dir=base))
    yield Site(binary, path)
    shutil.rmtree(path)


def test_a_site_is_made(site):
    told = site.first.json("site", "show")
    assert told["store"] == str(site.store) and told["root"] == site.root and told["node"] == "login1"
    assert re.fullmatch(r"[A-Z2-7]{4}(-[A-Z2-7]{4}){3}", told["fingerprint"])
    assert site.nodes() == {"login1": "node"}
    assert (site.first.directory / "node.key").stat().st_mode & 0o777 == 0o600
    events = site.first.events()
    assert [event["event"] for event in events] == ["site-created"]
    again = site.first.run("site", "init", site.base / "another", code=FAILED)
    assert "is there already" in again.stderr and not (site.base / "another").exists()


def test_the_configurations_directory_is_made(site):
    """As /etc/riad, which no package has made."""
    config = site.base / "etc" / "riadd.conf"
    made = site.first.json("site", "init", site.base / "second", "--config", config)
    assert made["config"] == str(config) and (config.parent / "node.key").exists()
    assert site.first.json("site", "show", "--config", config)["root"] == made["root"]


def test_the_code_is_shown_once_and_written_nowhere(site):
    code = site.code.read_text(encoding="ascii").strip()
    for path in [*site.store.rglob("*"), *site.first.directory.rglob("*")]:
        if path.is_file():
            content = path.read_bytes()
            assert code.encode() not in content and code.replace("-", "").encode() not in content


def test_nodes_join_and_leave(site):
    second = site.node("login2")
    token = second.join()
    assert second.json("site", "show")["node"] is None
    added = site.first.json("node", "add", "login2", token, "--recovery-file", site.code)
    assert second.json("site", "show")["node"] == "login2"
    listed = {node["node"]: node for node in second.json("node", "list")["nodes"]}
    assert listed["login2"]["fingerprint"] == added["fingerprint"] and listed["login2"]["self"] and not listed["login1"]["self"]
    # A node that was added can do all that the first can: here, to remove that one.
    second.run("node", "remove", "login1", "--recovery-file", site.code)
    assert site.nodes(second) == {"login1": "removed", "login2": "node"}
    assert site.first.json("site", "show")["node"] is None
    last = second.run("node", "remove", "login2", "--recovery-file", site.code, code=NOT_PERMITTED)
    assert "the last node" in last.stderr
    assert [event["event"] for event in second.events()] == ["node-removed"]
    assert "node-added" in [event["event"] for event in site.first.events()]


def test_a_node_whose_disk_is_lost_is_replaced(site):
    second = site.node("login2")
    site.add(second)
    old = (second.directory / "node.key").read_bytes()
    second.lose_disk()
    site.first.run("node", "remove", "login2", "--recovery-file", site.code)
    site.add(second)
    assert second.json("site", "show")["node"] == "login2"
    assert [node["removed"] for node in second.json("node", "list")["nodes"] if node["node"] == "login2"] == [True, False]
    # Who found the disk is no node any more, and its key cannot be added again.
    (second.directory / "node.key").write_bytes(old)
    assert second.json("site", "show")["node"] is None
    second.config.unlink()
    refused = site.first.run("node", "add", "login3", second.join(), "--recovery-file", site.code, code=FAILED)
    assert "already" in refused.stderr


def test_joining_twice_tells_the_same(site):
    second = site.node("login2")
    token = second.join()
    assert "is there already" in second.run("node", "join", site.store, site.root, code=FAILED).stderr
    second.config.unlink()
    assert second.join() == token


def test_only_the_code_of_the_root_adds(site):
    second = site.node("login2")
    token = second.join()
    other = site.write_secret("other", "-".join(["AAAAAAA"] * 8))
    assert "no recovery code" in site.first.run("node", "add", "login2", token, "--recovery-file", other, code=WRONG_SECRET).stderr
    with tempfile.TemporaryDirectory(dir=site.base) as directory:
        elsewhere = Site(site.binary, Path(directory))
        site.first.run("node", "add", "login2", token, "--recovery-file", elsewhere.code, code=WRONG_SECRET)
    assert site.nodes() == {"login1": "node"}
    assert site.first.events()[-1]["event"] == "unlock-failed"


def test_a_new_code_ends_the_old_one(site):
    old = site.code
    told = site.first.json("site", "recovery", "--recovery-file", old)
    site.code = site.write_secret("new-code", told["recovery_code"])
    site.first.run("node", "add", "login2", site.node("login2").join(), "--recovery-file", old, code=WRONG_SECRET)
    site.add(site.node("login3"))
    assert "login3" in site.nodes()


def test_another_root_is_not_believed(site):
    """A store that looks the same, made by somebody else, in the place of ours (K3)."""
    with tempfile.TemporaryDirectory(dir=site.base) as directory:
        elsewhere = Site(site.binary, Path(directory))
        site.put_back(elsewhere.store)
        refused = site.first.run("site", "show", code=DAMAGED)
        assert "signed by another root" in refused.stderr
        second = site.node("login2")
        assert "not signed by that root" in second.run("node", "join", site.store, site.root, code=DAMAGED).stderr
        assert not (second.directory / "node.key").exists()
    assert site.first.run("events", "--json").stdout.count('"refused"') == 1


def test_an_older_list_is_refused(site):
    """K6: the storage brings back a node that was removed."""
    second = site.node("login2")
    site.add(second)
    before = site.copy()
    site.first.run("node", "remove", "login2", "--recovery-file", site.code)
    site.put_back(before)
    assert "rolled back" in site.first.run("node", "list", code=DAMAGED).stderr
    assert "list of nodes is older" in site.first.events()[-1]["text"]
    # A machine that has not seen the removal cannot know.
    assert site.nodes(second) == {"login1": "node", "login2": "node"}


def test_a_changed_list_is_refused(site):
    entry = site.store / "site" / "0000000000000000"
    content = bytearray(entry.read_bytes())
    for place in range(0, len(content), 7):
        content[place] ^= 4
        entry.write_bytes(content)
        assert site.first.run("node", "list", code=None).returncode not in (DONE, FAILED, USAGE)
        content[place] ^= 4
    entry.write_bytes(content)
    assert site.nodes() == {"login1": "node"}
    entry.unlink()
    assert "is missing" in site.first.run("node", "list", code=DAMAGED).stderr


def test_the_roots_file_is_needed_to_add_only(site):
    user, = (site.store / "user").iterdir()
    content = user.read_bytes()
    user.unlink()
    assert site.nodes() == {"login1": "node"}
    second = site.node("login2")
    token = second.join()
    lost = site.first.run("node", "add", "login2", token, "--recovery-file", site.code, code=None)
    assert lost.returncode != DONE and "cannot be read" in lost.stderr
    user.write_bytes(content)
    site.first.run("node", "add", "login2", token, "--recovery-file", site.code)


def test_a_site_is_no_personal_store(site, make_store):
    secret = site.write_secret("secret", "a passphrase")
    empty = site.base / "empty"
    empty.mkdir()
    for command in (["mount", site.store, empty], ["fsck", site.store], ["workspace", "list", site.store]):
        assert "is a site's store" in site.first.run(*command, "--passphrase-file", secret, code=FAILED).stderr
    personal = make_store()
    site.first.config.write_text(site.first.config.read_text().replace(str(site.store), str(personal.path)))
    assert "one person's store" in site.first.run("site", "show", code=NOT_A_STORE).stderr


def test_a_configuration_says_what_is_wrong_with_it(site):
    good = site.first.config.read_text()
    root = re.search(r"^root = (.*)$", good, re.MULTILINE).group(1)
    cases = {
        good.replace("store =", "sotre ="): r"line 6: `sotre` in section `site` is not known",
        good.replace(f"store = {site.store}", ""): "`store` is missing",
        good.replace(f"root = {root}", ""): "`root` is missing",
        good.replace(root, root[:-1] + ("A" if root[-1] != "A" else "B")): "line 9: `root` is no public key",
        good.replace(f"store = {site.store}", "store = here"): "must begin with a slash",
        good + "[node]\nstate = /a\nstate = /b\n": "`state` is there twice",
        good + "[site]\nstore = /a\n": "`store` is there twice",
        good + "what is this\n": "neither",
        good + "#" + "x" * 300 + "\n": "longer than",
    }
    for text, sentence in cases.items():
        site.first.config.write_text(text)
        result = site.first.run("site", "show", code=FAILED)
        assert re.search(sentence, result.stderr), result.stderr
    site.first.config.write_text(good)
    site.first.config.chmod(0o666)
    assert "can be written by others" in site.first.run("site", "show", code=NOT_PERMITTED).stderr
    site.first.config.chmod(0o644)
    site.first.run("site", "show")
    (site.first.directory / "node.key").chmod(0o644)
    assert "can be read by others" in site.first.run("site", "show", code=NOT_PERMITTED).stderr
    site.first.config.unlink()
    assert "riad site init" in site.first.run("site", "show", code=FAILED).stderr


def test_names_of_nodes(site):
    second = site.node("login2")
    token = second.join()
    for name in ("a b", "", "x" * 65, "\x1b[31m"):
        site.first.run("node", "add", name, token, "--recovery-file", site.code, code=USAGE)
    assert "no node's key" in site.first.run("node", "add", "login2", token[:-1] + "=", "--recovery-file", site.code, code=USAGE).stderr
    taken = site.first.run("node", "add", "login1", token, "--recovery-file", site.code, code=FAILED)
    assert "already" in taken.stderr
    assert "no node `login9`" in site.first.run("node", "remove", "login9", "--recovery-file", site.code, code=FAILED).stderr
