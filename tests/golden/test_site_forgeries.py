"""What a storage, a removed member and a removed node can put into a site's store, and what riad-dump makes of it. Each forgery is made
of the golden store, beside the same by somebody who may: that one is believed, so the forgery is well made."""
import base64
from dataclasses import replace
from pathlib import Path

import pytest

import golden_site
import reader
from dump import Dump
from reader import Sealer, dump, le

SOURCE = Path(__file__).parent / "site-v1"
DAMAGED = 15


class Forger:
    """Has the project's keys of all epochs, and the keys of both nodes; `tell` runs riad-dump."""

    def __init__(self, opened):
        self.opened, self.secrets = opened, opened.secrets
        self.code = opened.write_secret("code", self.secrets["alice"]["recovery_code"])
        session = reader.open_session(opened.store, self.secrets["root"], self.code, "acme")
        self.session, self.workspace, self.keys = session, session.workspace(), session.workspace().keys
        self.workspace.load_history()
        self.at = session.load(self.workspace)[1].at
        self.directory = opened.store / "ws" / self.workspace.id.hex()
        self.symlink = next(iter(session.tree().targets))

    def seed(self, node):
        """The key file's second key signs."""
        return base64.b64decode(self.secrets["nodes"][node])[56:88]

    def run(self, command, *options, code=0):
        """What it writes; it must not warn of anything unless it fails."""
        return Dump(self.opened.store, "--site-root", self.secrets["root"], "--recovery-file", self.code, *options,
                    workspace="acme").run(command, code=code)

    def append(self, number, data):
        with open(self.directory / "log" / f"{number:016x}", "ab") as file:
            file.write(data)

    def names(self, folder):
        return sorted(int(path.name, 16) for path in (self.directory / folder).iterdir())

    def drop(self, folder, after):
        """Files that are younger."""
        for number in self.names(folder):
            if number > after:
                (self.directory / folder / f"{number:016x}").unlink()

    def relink(self, at, sealer):
        """A change that everybody sees: another target of the one symlink."""
        return sealer.change(at, body=le(self.symlink, 8) + le(6, 2) + b"forged")


@pytest.fixture
def forger(binary, base):
    opened = golden_site.Opened(SOURCE, base, binary, None)
    yield Forger(opened)
    opened.remove()


@pytest.mark.parametrize("epoch, believed", [(3, True), (2, False), (1, False)])
def test_a_change_with_the_key_of_before(forger, epoch, believed):
    """K2: dave has the key of epoch 1 for ever."""
    forger.append(forger.at.segment, forger.relink(forger.at, Sealer(forger.keys, epoch)))
    assert believed == (b"-> forged" in forger.run("ls", code=0 if believed else DAMAGED))


@pytest.mark.parametrize("epoch, code", [(1, DAMAGED), (2, 0)])
def test_what_came_after_an_epoch_is_missed(forger, epoch, code):
    """The storage takes away all that was written since, and the heartbeats: behind the last end only a node's own mark could miss it. And
    dave goes on from there, in a segment of his time."""
    known = forger.keys.ends[epoch]
    for folder in "log", "ckpt":
        forger.drop(folder, known.segment)
    for beat in forger.directory.glob("term/*.beat"):
        beat.unlink()
    forger.run("ls", code=code)
    last = forger.workspace.segment("log", max(forger.names("log")))
    place = replace(known, segment=last.number, offset=last.size)
    forger.append(last.number, forger.relink(place, Sealer(forger.keys, epoch)))
    forger.run("ls", "--no-checkpoint", code=DAMAGED)


def test_an_end_that_was_not_registered(forger):
    """The next one's stands for it."""
    ends = dict(forger.keys.ends)
    assert [forger.keys.end(epoch) for epoch in (1, 2, 3)] == [ends[1], ends[2], None]
    del forger.keys.ends[1]
    assert [forger.keys.end(epoch) for epoch in (1, 2, 3)] == [ends[2], ends[2], None]


def test_an_end_that_is_another(forger):
    """The log has another change of the number with which the epoch ended."""
    ends = forger.keys.ends
    ends[2] = replace(ends[2], chain=bytes(32))
    whole = dump.Checkpoint(0, dump.End(), dump.Tree(), 0)
    with pytest.raises(dump.Damage, match="epoch 2 did not end with this change"):
        dump.Replay(forger.workspace, whole).run()


def test_a_change_behind_the_end_of_its_epoch(forger):
    """In a segment in which records of that epoch may lie: had it ended one change earlier."""
    ends, places = forger.keys.ends, {}

    class Recorded(dump.Replay):
        def check_epoch_end(self):
            places[self.at.number] = self.at
            super().check_epoch_end()
    whole = dump.Checkpoint(0, dump.End(), dump.Tree(), 0)
    Recorded(forger.workspace, whole).run()
    ends[1] = replace(places[ends[1].number - 1], segment=ends[1].segment)
    with pytest.raises(dump.Forgery, match="behind the end of its epoch 1"):
        dump.Replay(forger.workspace, replace(whole, tree=dump.Tree())).run()


def test_data_of_before_where_it_may_not_lie(forger):
    """Data has no number: the segment tells (4.1)."""
    tree, ends = forger.session.tree(), forger.keys.ends
    _, inode = dump.lookup(tree, "/data")
    b"".join(dump.Content(forger.workspace).pieces(tree, inode))
    ends[1] = replace(ends[1], segment=min(forger.names("log")))
    with pytest.raises(dump.Forgery, match="sealed under epoch 1"):
        b"".join(dump.Content(forger.workspace).pieces(tree, inode))


@pytest.mark.parametrize("epoch", [3, 1])
def test_a_segment_with_the_key_of_before(forger, epoch):
    """One that would be the youngest: of epoch 3 it takes the log over, of epoch 1 it is not there."""
    number, sealer = forger.at.segment + 7, Sealer(forger.keys, epoch)
    header = sealer.header(1, number, forger.at)
    forger.append(number, header + forger.relink(forger.at, sealer))
    assert (b"-> forged" in forger.run("ls")) == (epoch == 3)


def test_a_segment_begun_behind_the_end(forger):
    """Its id alone would do."""
    known, number = forger.keys.ends[2], forger.at.segment + 7
    forger.keys.ends.clear()
    forger.append(number, Sealer(forger.keys, 1).header(1, number, forger.at))
    forger.workspace.segment("log", number).header()
    forger.keys.ends[1] = replace(known, segment=number, number=forger.at.number + 1)
    forger.workspace.segment("log", number).header()
    forger.keys.ends[1] = replace(known, segment=number, number=forger.at.number)
    with pytest.raises(dump.Forgery, match="begun after its epoch 1 ended"):
        forger.workspace.segment("log", number).header()


@pytest.mark.parametrize("epoch, seen", [(3, True), (2, False)])
def test_a_checkpoint_with_the_key_of_before(forger, epoch, seen, capsys):
    """It is none; a broken one of the current epoch is one that is ignored."""
    header = Sealer(forger.keys, epoch).header(3, forger.at.segment + 9, dump.End())
    (forger.directory / "ckpt" / f"{forger.at.segment + 9:016x}").write_bytes(header)
    checkpoint, _ = forger.session.load(forger.workspace)
    assert checkpoint.number < forger.at.segment + 9
    assert ("ignored" in capsys.readouterr().err) == seen
    forger.run("verify", code=DAMAGED if seen else 0)


@pytest.mark.parametrize("epoch, believed", [(3, True), (2, False)])
def test_a_closed_heartbeat_with_the_key_of_before(forger, epoch, believed):
    """It could have the log be damaged, by a number that was never reached."""
    beat = forger.directory / "term" / f"{forger.at.term:08x}.beat"
    beat.write_bytes(Sealer(forger.keys, epoch).beat(forger.at.term, forger.at.number + 5))
    forger.run("ls", code=DAMAGED if believed else 0)


def test_an_older_roster(forger):
    """Each beginning of it: dave would be a member again. The terms and wraps tell only of some."""
    path, raw = forger.directory / "roster", (forger.directory / "roster").read_bytes()
    cuts, at = [], 0
    while at < len(raw):
        at += 4 + int.from_bytes(raw[at : at + 4], "little")
        cuts.append(at)
    assert len(cuts) == 8 and cuts.pop() == len(raw)
    for cut in cuts:
        path.write_bytes(raw[:cut])
        with pytest.raises(dump.Damage, match="older than the one that is registered"):
            forger.session.authority.roster(forger.workspace.id)
        forger.run("ls", code=DAMAGED)


def test_another_roster(forger):
    """A manager may sign what she likes, but what is registered stays: here another entry in the last one's place."""
    path, raw, roster = forger.directory / "roster", (forger.directory / "roster").read_bytes(), forger.workspace.roster
    last = raw.rindex(b"RIAO") - 4
    bob = next(user for user, member in roster.members.items() if member.role == dump.WRITER)
    body = forger.workspace.id + le(len(roster.hashes) - 1, 8) + roster.hashes[-2] + reader.time() + le(3, 1) + bob + reader.b32(b"")
    seed = signing_seed(forger, recovery(forger.secrets["alice"]["recovery_code"]))
    path.write_bytes(raw[:last] + reader.b32(reader.sign(forger.session.store, b"RIAO", body, seed)))
    with pytest.raises(dump.Damage, match="another one than the one that is registered"):
        forger.session.authority.roster(forger.workspace.id)
    forger.run("ls", code=DAMAGED)


def test_a_roster_that_nobody_may_sign(forger):
    """An entry behind the last, by a node, or by bob, who is a writer: the chain is right, the signature is one."""
    path, raw = forger.directory / "roster", (forger.directory / "roster").read_bytes()
    roster, store = forger.workspace.roster, forger.session.store
    body = forger.workspace.id + le(len(roster.hashes), 8) + roster.head() + reader.time() + le(3, 1)
    carol = next(user for user, member in roster.members.items() if member.role == dump.READER)

    def remove_by(seed):
        path.write_bytes(raw + reader.b32(reader.sign(store, b"RIAO", body + carol + reader.b32(b""), seed)))
    remove_by(forger.seed("login1"))
    forger.run("ls", code=DAMAGED)
    for person, code in ("bob", DAMAGED), ("alice", 0):
        remove_by(signing_seed(forger, recovery(forger.secrets[person]["recovery_code"])))
        forger.run("ls", code=code)


def recovery(code):
    return dump.Secret(2, dump.parse_recovery_code(code.encode()))


def signing_seed(forger, secret):
    """Of the user whom the secret opens."""
    seeds = []

    class Seen(dump.User):
        def adopt(self, x25519, ed25519):
            seeds.append(ed25519)
            super().adopt(x25519, ed25519)
    for name in dump.hex_names(forger.opened.store / "user", 32):
        Seen(forger.session.store, name).unlock(secret)
    seed, = seeds
    return seed


@pytest.mark.parametrize("node, believed", [("login1", True), ("login2", False)])
def test_a_batch_of_a_removed_node(forger, node, believed):
    """The project is said to be deleted."""
    catalog, (kind, _, owner) = forger.session.catalog, forger.session.catalog.workspaces[forger.workspace.id]
    entry = le(1, 1) + le(0, 1) + reader.b32(forger.workspace.id + le(kind, 1) + le(2, 1) + owner)
    body = le(catalog.next, 8) + catalog.heads[catalog.next] + reader.time() + le(1, 4) + entry + reader.b32(b"")
    path = forger.opened.store / "catalog" / f"{catalog.next:016x}"
    path.write_bytes(reader.sign(forger.session.store, b"RIAC", body, forger.seed(node)))
    forger.run("ls", code=1 if believed else DAMAGED)


def test_a_catalog_of_before_a_removal(forger):
    """Where it ends the list of nodes says; what came later nobody but a node's own mark can miss."""
    removed, = [node.removed for node in forger.session.authority.site.nodes.values() if node.removed]
    batches = sorted(path for path in (forger.opened.store / "catalog").iterdir())
    for path in batches:
        if int(path.name, 16) >= removed[0]:
            path.unlink()
    forger.session.authority.site.load_catalog(forger.session.store)
    [path for path in batches if path.exists()][-1].unlink()
    with pytest.raises(dump.Damage, match="when node login2 was removed"):
        forger.session.authority.site.load_catalog(forger.session.store)


@pytest.mark.parametrize("node, believed", [("login1", True), ("login2", False)])
def test_a_term_of_a_removed_node(forger, node, believed):
    """Kind 8: an own history, which leaves the last changes out."""
    roster, term, known = forger.workspace.roster, forger.at.term + 1, forger.workspace.history[-1]
    body = forger.workspace.id + le(term, 4) + le(known.number, 4) + known.node + known.boot + reader.end(known.end)
    body += roster.head() + le(roster.epoch, 4) + reader.time() + reader.b32(b"")
    path = forger.directory / "term" / f"{term:08x}"
    path.write_bytes(reader.sign(forger.session.store, b"RIAT", body, forger.seed(node)))
    terms, void = dump.load_terms(forger.session.authority, roster)
    assert (term in terms) == believed and (term in void) != believed


def test_how_far_a_removed_nodes_terms_count(forger):
    """As far as each workspace says; of those that are newer none; of all, as long as the oldest says nothing."""
    authority, catalog = forger.session.authority, forger.session.catalog
    node, = [node for node in authority.site.nodes.values() if node.removed]
    bounds, (first, *_, newest) = catalog.bounds[node.ed25519], catalog.workspaces
    assert [authority.may_sign(node, forger.workspace.id, term) for term in (1, 2, 3)] == [True, True, False]
    assert newest not in bounds and not authority.may_sign(node, newest, 1)
    del bounds[first]
    assert authority.may_sign(node, forger.workspace.id, 3) and authority.may_sign(node, newest, 1)


def test_what_the_site_lists(forger):
    """An entry that is missing, one that a node signed, and one by which the root would remove the last node."""
    store, site, path = forger.session.store, forger.session.authority.site, forger.opened.store / "site" / f"{1:016x}"
    raw = path.read_bytes()
    path.unlink()
    with pytest.raises(dump.Damage, match="entry 1 should come here"):
        dump.Site(store, site.root)
    path.write_bytes(raw)
    body = le(3, 8) + site.head + reader.time() + le(3, 1) + next(iter(site.nodes)) + le(0, 8) + bytes(32) + reader.b32(b"")
    root = signing_seed(forger, recovery(forger.secrets["root_recovery_code"]))
    for seed, said in (forger.seed("login1"), "signed by somebody else"), (root, "no node is left"):
        (path.parent / f"{3:016x}").write_bytes(reader.sign(store, b"RIAS", body, seed))
        with pytest.raises(dump.Damage, match=said):
            dump.Site(store, site.root)
        forger.run("ls", code=DAMAGED)


def test_a_user_file_of_the_storages_own(forger):
    """It opens with the secret that it was made for, and says what it likes; the nodes know her keys."""
    store, user, secret = forger.session.store, forger.session.user.id, bytes(range(32))
    (forger.opened.store / "user" / user.hex()).write_bytes(reader.user_file(store, user, secret, b"a seed of thirty-two bytes, mine"))
    assert dump.User(store, user.hex()).unlock(dump.Secret(2, secret))
    with pytest.raises(dump.Damage, match="know other keys of this user"):
        dump.Members(store, dump.Secret(2, secret), forger.session.authority.site.root, None)
    forger.run("ls", code=10)
