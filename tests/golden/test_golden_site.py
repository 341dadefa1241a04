"""The golden store of a site: two nodes, one of them removed, four users, and a project of three epochs. make-site-v1 made it, once,
with the riad and riadd of its day; riad-dump and this riadd read it for ever, each user's share with her secret and no other's."""
import json
from pathlib import Path

import pytest

import golden_site
import sites
from dump import Dump
from manifest import describe

SOURCE = Path(__file__).parent / "site-v1"
MANIFESTS = json.loads((SOURCE / "manifest.json").read_text(encoding="utf-8"))  # homes by the names of their users, and the project
ROLES = {"alice": "manager", "bob": "writer", "carol": "reader"}
SHARES = [(person, workspace) for person in ("alice", "bob", "carol", "dave") for workspace in ("home", "acme")
          if workspace == "home" or person in ROLES]


@pytest.fixture
def service():
    """Whom riadd's worker becomes."""
    account = sites.Account("gs")
    yield account
    account.remove()


@pytest.fixture
def golden(binary, base):
    """A copy of the store, read by riad-dump alone."""
    opened = golden_site.Opened(SOURCE, base, binary, None)
    yield opened
    opened.remove()


def dump(golden, person, *options, workspace=None, secret="recovery"):
    """As this person; a recovery code opens at once, a passphrase costs what users pay."""
    text = golden.secrets[person]["recovery_code" if secret == "recovery" else "passphrase"]
    given = (f"--{secret}-file", golden.write_secret(f"{person}-{secret}", text))
    return Dump(golden.store, "--site-root", golden.secrets["root"], *given, *options, workspace=workspace)


def manifest(person, workspace):
    return MANIFESTS[person if workspace == "home" else workspace]


@pytest.mark.parametrize("person, workspace", SHARES)
def test_dump(golden, person, workspace):
    dump(golden, person, workspace=workspace).check(manifest(person, workspace))


@pytest.mark.parametrize("person", ROLES)
def test_dump_of_the_whole_log(golden, person):
    """Of all epochs, without the checkpoint, which is of the last."""
    dump(golden, person, "--no-checkpoint", workspace="acme").check(MANIFESTS["acme"])


@pytest.mark.parametrize("person", ["alice", "dave"])
def test_dump_with_a_passphrase(golden, person):
    """Also tried with the files of users who are not named; the name says whose it is."""
    for options in (), ("--user", f"golden-{person}"):
        found = dump(golden, person, *options, workspace="home", secret="passphrase").run("ls")
        assert found == dump(golden, person, workspace="home").run("ls")
    dump(golden, person, "--user", "golden-carol", secret="passphrase").run("list", code=10)
    dump(golden, person, "--user", "golden-nobody", secret="passphrase").run("list", code=1)


@pytest.mark.parametrize("person", ["alice", "bob", "carol", "dave"])
def test_each_has_her_share(golden, person):
    """dave was removed from the project; nobody has the keys of another's home, or of a project that is deleted or not made yet."""
    listed = dict(line.decode().split(" ", 1) for line in dump(golden, person).run("list").splitlines())
    project = [f"project {ROLES[person]} epoch 3 acme"] if person in ROLES else []
    assert list(listed.values()) == ["home manager epoch 1 home", *project]
    others = {path.name for path in (golden.store / "ws").iterdir()} - listed.keys()
    for workspace in [*others, "gone", "reserved"]:
        dump(golden, person, workspace=workspace).run("ls", code=1)


def test_what_the_site_is(golden):
    """Nodes, bounds, users, names, epochs and members, as the store has them."""
    lines = [line.decode().strip() for line in dump(golden, "alice").run("info").splitlines()]

    def of(word):
        return [line for line in lines if line.startswith(word + " ")]
    assert [line.split(" ", 2)[2] for line in of("node")] == ["login1", "login2 removed at 20"]
    assert len(of("its")) == 5
    assert {" ".join(line.split()[2:]) for line in of("account")} == {f"golden-{name} uid {uid} active" for name, uid in golden_site.NAMES.items()}
    assert [line.split()[2] for line in of("name")] == ["acme", "gone", "reserved"]
    assert [line.split()[1] for line in of("epoch")] == ["1", "2"]
    assert [line.split(" ", 2)[2] for line in of("member")] == ["manager", "manager", "writer", "reader as one of golden-team"]
    assert [line.split()[2:] for line in of("expiry")] == [["32503593600", "1209600"]]


def test_the_root_is_not_from_the_store(golden):
    """K3: without its key, or with another, nothing is believed."""
    code = golden.write_secret("code", golden.secrets["alice"]["recovery_code"])
    Dump(golden.store, "--recovery-file", code).run("list", code=1)
    other = "XPDDPKNAC252IDEHDOMRNCW4WFTUZ3F5YN4MZAMV4NWCMJJDHX6E67BB"
    Dump(golden.store, "--site-root", other, "--recovery-file", code).run("list", code=15)
    Dump(golden.store, "--site-root", other[:-1] + "A", "--recovery-file", code).run("list", code=1)


def test_the_roots_code_opens_nothing(golden):
    code = golden.write_secret("code", golden.secrets["root_recovery_code"])
    Dump(golden.store, "--site-root", golden.secrets["root"], "--recovery-file", code).run("list", code=10)


# --- riadd ---


@pytest.fixture
def accounts():
    if not golden_site.are_free():
        pytest.skip("accounts of this machine have the names or ids of the golden store's")
    with golden_site.Accounts() as made:
        yield made


@pytest.fixture
def daemon(binary, daemon_binary, base, service):
    opened = golden_site.Opened(SOURCE, base, binary, service)
    made = sites.Daemon(opened.node(), daemon_binary, *golden_site.POLICY)
    yield made.start()
    made.remove()
    opened.remove()


def assert_same(top, expected):
    found = describe(top)
    assert found.keys() == expected.keys()
    for path, entry in expected.items():
        assert found[path] == entry, path


@pytest.mark.root
@pytest.mark.parametrize("first", ["alice", "bob"])
def test_riadd(daemon, accounts, first):
    """A node that knows nothing but its key opens it for each; what a writer adds is read by the second reader as well."""
    site = daemon.node.site
    persons, top = golden_site.people(daemon, accounts, site.secrets), daemon.project / "acme"
    for name in sorted(persons, key=lambda name: name != first):
        persons[name].unlock()
        assert_same(persons[name].home, MANIFESTS[name])
    assert_same(top, MANIFESTS["acme"])
    for name, person in persons.items():
        person.shell(f"ls {top}", code=0 if name in ROLES else 2)
        person.shell(f"echo {name} >> {top}/papers/draft", code=0 if name in ("alice", "bob") else 2)
    persons["alice"].signed("member", "remove", "acme", accounts["carol"].name)
    persons["bob"].shell(f"umask 022; mkdir {top}/new; echo later > {top}/new/file; sync {top}/new/file")
    after = describe(top)
    assert after != MANIFESTS["acme"]
    daemon.stop()
    for name in "alice", "bob":
        dump(site, name, workspace="acme").check(after)
    dump(site, "carol", workspace="acme").run("ls", code=1)
