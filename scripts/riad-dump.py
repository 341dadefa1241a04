#!/usr/bin/python3
"""Reads a riad store without riad: an independent second reader, written from docs/FORMAT.md alone.

It never writes to the store and holds no local state, so it cannot notice that a store was rolled back as a whole.
Of a site's store (--site-root) it shows what the user whose secret it is given is a member of.
The sections follow those of the page. Exit codes: 1 other, 2 usage, 10 wrong secret, 11 not a store, 12 too new, 15 damage.
"""

import argparse
import base64
import binascii
import errno
import getpass
import hashlib
import hmac
import itertools
import json
import os
import re
import stat
import struct
import sys
import tarfile
import time
from dataclasses import dataclass, field, fields, replace

import zstandard
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MIB = 1 << 20
NONE64 = 2**64 - 1
FEATURE_SITE = 1  # of riad.json: FORMAT 2
FEATURE_INODE_FLAGS, FEATURE_ACLS = 1, 2  # of segments: FORMAT 5.4
INODE_FLAGS = ("immutable", "append", "nodump", "noatime")  # as star names them
ZERO_HASH = bytes(32)


class Refusal(Exception):
    code = 1


class WrongSecret(Refusal):
    code = 10


class NotStore(Refusal):
    code = 11


class TooNew(Refusal):
    code = 12


class Damage(Refusal):
    code = 15


class Forgery(Damage):
    """Sealed with the key of an epoch that had ended: not a torn record, whoever wrote it."""


def insist(condition, message, kind=Damage):
    if not condition:
        raise kind(message)


def warn(message):
    print(f"riad-dump: {message}", file=sys.stderr)


# ---- 1. Conventions ----


class Decoder:
    """Takes values from the front of some bytes; finish() refuses what is left over."""

    def __init__(self, data, what):
        self.data, self.at, self.what = data, 0, what

    def take(self, size):
        insist(size <= len(self.data) - self.at, f"{self.what}: a length leaves the object")
        self.at += size
        return self.data[self.at - size : self.at]

    def integer(self, size, signed=False):
        return int.from_bytes(self.take(size), "little", signed=signed)

    def u8(self):
        return self.integer(1)

    def u16(self):
        return self.integer(2)

    def u32(self):
        return self.integer(4)

    def u64(self):
        return self.integer(8)

    def id(self):
        return self.take(16)

    def hash(self):
        return self.take(32)

    def b16(self, low=0, high=0xFFFF):
        return self.bounded(self.u16(), low, high)

    def b32(self, low=0, high=MIB):
        return self.bounded(self.u32(), low, high)

    def bounded(self, size, low, high):
        insist(low <= size <= high, f"{self.what}: a length of {size} is out of range")
        return self.take(size)

    def within(self, value, low, high):
        insist(low <= value <= high, f"{self.what}: the value {value} is out of range")
        return value

    def zero(self, size):
        insist(not any(self.take(size)), f"{self.what}: reserved bytes are not zero")

    def time(self):
        return self.integer(8, signed=True), self.within(self.u32(), 0, 999_999_999)

    def end(self):
        return End(self.u64(), self.u64(), self.u32(), self.u64(), self.hash())

    def extensions(self):
        """{tag: value}; those that the caller does not know may be skipped."""
        inner, last, found = Decoder(self.b32(), self.what), -1, {}
        while not inner.empty():
            tag = inner.u16()
            insist(tag > last, f"{self.what}: extensions out of order")
            insist(tag < 0x8000, f"{self.what}: needs extension {tag:#x}", TooNew)
            found[tag] = inner.b32()
            last = tag
        return found

    def empty(self):
        return self.at == len(self.data)

    def finish(self):
        insist(self.empty(), f"{self.what}: trailing bytes")


@dataclass(frozen=True)
class End:
    """A place in the history: behind change (term, number), whose chain hash it gives."""

    segment: int = 0
    offset: int = 0
    term: int = 0
    number: int = 0
    chain: bytes = ZERO_HASH

    def __str__(self):
        return f"segment {self.segment:016x} offset {self.offset} change {self.term}.{self.number} chain {self.chain.hex()}"


def le(value, size):
    return value.to_bytes(size, "little")


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def mac(key, data):
    return hmac.digest(key, data, "sha256")


def hkdf_expand(key, info, size):
    out = block = b""
    for i in range(1, (size + 31) // 32 + 1):
        block = mac(key, block + info + bytes([i]))
        out += block
    return out[:size]


def hkdf(secret, salt, info, size):
    return hkdf_expand(mac(salt, secret), info, size)


def gcm_open(key, nonce, sealed, associated, what):
    try:
        return AESGCM(key).decrypt(nonce, sealed, associated)
    except InvalidTag:
        raise Damage(f"{what}: does not open") from None


def check_features(ro_compat, incompat, what, known=0):
    """ro_compat ones need no refusal: this program only reads."""
    insist(incompat & ~known == 0, f"{what}: needs unknown features {incompat & ~known:#x}", TooNew)


# ---- 2. Files ----


def open_regular(path):
    """A descriptor; never follows a link and never waits on a FIFO that somebody put in the store."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        insist(error.errno != errno.ELOOP, f"{path}: a symbolic link")
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Damage(f"{path}: not a regular file")
    return descriptor


def read_file(path, limit):
    try:
        with open(open_regular(path), "rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise Damage(f"{path}: missing") from None
    insist(len(data) <= limit, f"{path}: larger than {limit} bytes")
    return data


def hex_names(directory, digits):
    """The files of a directory that are named by so many digits. A missing directory holds none."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    return sorted(name for name in names if re.fullmatch(f"[0-9a-f]{{{digits}}}", name))


class Store:
    """riad.json, and the directory it is in."""

    def __init__(self, path):
        self.path = path
        try:
            raw = read_file(self.file("riad.json"), 65536)
        except (Damage, NotADirectoryError):
            raise NotStore(f"{path}: not a riad store: it has no riad.json") from None
        self.json_hash = sha256(raw)
        self.id = self.parse(raw)

    def file(self, *names):
        return os.path.join(self.path, *names)

    def parse(self, raw):
        try:
            value = json.loads(raw, object_pairs_hook=unique_pairs)
            format_, bits = value["format"], [value[key] for key in ("compat", "ro_compat", "incompat")]
            store_id = value["store"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise NotStore(f"{self.path}: riad.json is not that of a store") from None
        numbers = all(type(number) is int and 0 <= number < 2**32 for number in [format_, *bits])
        insist(numbers and format_ >= 1, f"{self.path}: riad.json holds wrong numbers", NotStore)
        insist(format_ == 1, f"{self.path}: format {format_} is newer than 1", TooNew)
        check_features(bits[1], bits[2], "riad.json", FEATURE_SITE)
        self.is_site = bool(bits[2] & FEATURE_SITE)
        named = isinstance(store_id, str) and re.fullmatch("[0-9a-f]{32}", store_id)
        insist(named, f"{self.path}: riad.json has no store id", NotStore)
        return bytes.fromhex(store_id)


def unique_pairs(pairs):
    insist(len(dict(pairs)) == len(pairs), "riad.json: a member is there twice", NotStore)
    return dict(pairs)


# ---- 3. Envelopes ----

LABELS = {
    b"RIAU": b"riad/v1/user",
    b"RIAO": b"riad/v1/roster",
    b"RIAT": b"riad/v1/term",
    b"RIAC": b"riad/v1/catalog",
    b"RIAS": b"riad/v1/site",
}
ENVELOPE_LIMIT = MIB + 1024


class Envelope:
    def __init__(self, store, raw, magic, what):
        self.raw, self.what, self.label = raw, what, LABELS[magic]
        source = Decoder(raw, what)
        insist(source.take(4) == magic, f"{what}: wrong magic")
        check_format(source)
        source.zero(2)
        _, ro_compat, incompat = source.u32(), source.u32(), source.u32()
        insist(source.id() == store.id and source.hash() == store.json_hash, f"{what}: belongs to another store")
        check_features(ro_compat, incompat, what)
        self.body = source.b32(high=MIB)
        self.signed = raw[: source.at]
        insist(source.u16() == 1, f"{what}: unknown signature algorithm", TooNew)
        self.key_id = source.hash()
        insist(source.b16() == self.label, f"{what}: wrong label")
        self.signature = source.b16(64, 64)
        source.finish()

    def verify_by(self, publics):
        """One of these keys has to have signed it; returns which."""
        public = next((public for public in publics if self.key_id == key_id(public)), None)
        insist(public, f"{self.what}: signed by somebody else")
        self.verify(public)
        return public

    def verify(self, public):
        insist(self.key_id == key_id(public), f"{self.what}: signed by somebody else")
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(self.signature, self.label + b"\0" + self.signed)
        except InvalidSignature:
            raise Damage(f"{self.what}: the signature is wrong") from None

    def hash(self):
        return sha256(self.label, self.raw)

    def decoder(self):
        return Decoder(self.body, self.what)


def check_format(source):
    format_, suite = source.u8(), source.u8()
    insist(format_ >= 1 and suite >= 1, f"{source.what}: format or suite 0")
    insist(format_ == 1 and suite == 1, f"{source.what}: format {format_}, suite {suite} are unknown", TooNew)


def key_id(public):
    return sha256(b"riad/v1/key-id", public)


def load_envelope(store, path, magic):
    return Envelope(store, read_file(path, ENVELOPE_LIMIT), magic, path)


# ---- 3.1 User ----

KIND_NAMES = {1: "passphrase", 2: "recovery code", 3: "key file"}


@dataclass
class Secret:
    """What the user gave to open a slot of that kind: a passphrase, or 32 bytes."""

    kind: int
    value: bytes


@dataclass
class Slot:
    kind: int
    generation: int
    created: tuple
    kdf: int
    log2_n: int
    r: int
    p: int
    salt: bytes
    commitment: bytes
    nonce: bytes
    opening: bytes  # the slot's bytes from kind to nonce
    sealed: bytes


def parse_slot(source):
    start = source.at
    kind = source.within(source.u8(), 1, 3)
    source.zero(1)
    values = [source.u32(), source.time(), source.u8(), source.u8(), source.u32(), source.u32()]
    _, _, kdf, log2_n, r, p = values
    if kind == 1:
        insist(kdf == 1 and 15 <= log2_n <= 20 and r == 8 and 1 <= p <= 4, f"{source.what}: a slot's scrypt is out of bounds")
    else:
        insist((kdf, log2_n, r, p) == (2, 0, 0, 0), f"{source.what}: a slot's key derivation does not fit its kind")
    values += [source.b16(32, 32), source.hash(), source.take(12)]
    opening = source.data[start : source.at]
    return Slot(kind, *values, opening, source.b16(80, 80))


class User:
    def __init__(self, store, name):
        self.store = store
        path = store.file("user", name)
        self.envelope = load_envelope(store, path, b"RIAU")
        source = self.envelope.decoder()
        self.id = source.id()
        insist(self.id.hex() == name, f"{path}: named for another user")
        self.created, self.name = source.time(), source.b16(high=255)
        insist(0 not in self.name, f"{path}: a zero in the name")
        self.generation = source.within(source.u32(), 1, 2**32 - 1)
        self.x25519, self.ed25519 = source.take(32), source.take(32)
        self.slots = [parse_slot(source) for _ in range(source.within(source.u16(), 1, 16))]
        source.extensions()
        source.finish()
        self.private = None

    def unlock(self, secret):
        """True if the secret opens one of the slots; then the private key is known and the envelope verified."""
        for slot in self.slots:
            if slot.kind == secret.kind and self.open_slot(slot, secret):
                return True
        return False

    def open_slot(self, slot, secret):
        info = b"riad/v1/slot" + self.store.id + self.id + le(slot.kind, 1)
        out = hkdf(stretch(slot, secret), slot.salt, info, 64)
        if not hmac.compare_digest(out[32:], slot.commitment):
            return False
        publics = le(self.generation, 4) + self.x25519 + self.ed25519
        associated = b"riad/v1/slot" + self.store.id + self.id + publics + slot.opening
        plain = gcm_open(out[:32], slot.nonce, slot.sealed, associated, f"{self.envelope.what}: slot")
        self.adopt(plain[:32], plain[32:])
        return True

    def adopt(self, x25519, ed25519):
        private, signing = X25519PrivateKey.from_private_bytes(x25519), Ed25519PrivateKey.from_private_bytes(ed25519)
        publics = [key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) for key in (private, signing)]
        insist(publics == [self.x25519, self.ed25519], f"{self.envelope.what}: the public keys are not those of the private ones")
        self.envelope.verify(publics[1])
        self.private = private


def stretch(slot, secret):
    if slot.kind != 1:
        return secret.value
    # 128 N r bytes of memory, and some more for OpenSSL's own sums.
    cost = {"n": 1 << slot.log2_n, "r": slot.r, "p": slot.p, "maxmem": (128 * 8 << slot.log2_n) + 64 * MIB}
    return hashlib.scrypt(secret.value, salt=slot.salt, dklen=32, **cost)


def parse_recovery_code(text):
    wrong = WrongSecret("that is not a recovery code: mistyped?")
    try:
        raw = base64.b32decode(re.sub(r"[\s-]", "", text.decode("ascii")).upper())
    except (ValueError, binascii.Error):
        raise wrong from None
    if len(raw) != 35 or sha256(b"riad/v1/recovery", raw[:32])[:3] != raw[32:]:
        raise wrong
    return raw[:32]


def unlock(store, names, secret):
    """The first of these users whom the secret opens."""
    users = [User(store, name) for name in names]
    insist(users, f"{store.path}: no user file")
    for user in users:
        if user.unlock(secret):
            return user
    raise WrongSecret(f"wrong {KIND_NAMES[secret.kind]}")


# ---- 3.2 Roster, 3.3 wraps ----

MANAGER, WRITER, READER = 1, 2, 3
ROLE_NAMES = {MANAGER: "manager", WRITER: "writer", READER: "reader"}


@dataclass
class Member:
    user: bytes
    role: int
    x25519: bytes
    ed25519: bytes
    wrap_hash: bytes


def parse_member(source):
    return Member(source.id(), source.within(source.u8(), 1, 3), source.take(32), source.take(32), source.hash())


@dataclass
class Epoch:
    """What a create or epoch entry of the roster says of the root key that it begins."""

    commitment: bytes
    sealed_name: bytes
    sealed_previous: bytes = b""


class Roster:
    """The chain of a workspace's members; `owner` is the public key that has to have signed its first entry."""

    def __init__(self, store, workspace, owner):
        self.store, self.workspace = store, workspace
        self.path = store.file("ws", workspace.hex(), "roster")
        self.owner = owner
        self.hashes, self.members, self.groups, self.epochs = [], {}, {}, {}
        self.roles = []  # after each entry: {member: role}
        source = Decoder(read_file(self.path, 16 * MIB), self.path)
        insist(not source.empty(), f"{self.path}: empty")
        while not source.empty():
            what = f"{self.path} entry {len(self.hashes)}"
            self.add(Envelope(store, source.b32(high=ENVELOPE_LIMIT), b"RIAO", what))

    def add(self, envelope):
        envelope.verify_by(self.managers() if self.hashes and self.store.is_site else [self.owner])
        source = envelope.decoder()
        insist(source.id() == self.workspace, f"{envelope.what}: of another workspace")
        place = (source.u64(), source.hash())
        insist(place == (len(self.hashes), self.head()), f"{envelope.what}: not the next of the chain")
        self.time, kind = source.time(), source.within(source.u8(), 1, 4)
        insist((kind == 1) == (not self.hashes), f"{envelope.what}: create belongs first, and only there")
        member = (self.create, self.put, self.remove, self.begin_epoch)[kind - 1](source)
        extensions = source.extensions()
        source.finish()
        if kind == 2:
            self.groups[member] = parse_group(extensions, envelope.what)
        insist(self.managers(), f"{envelope.what}: leaves no manager")
        self.hashes.append(envelope.hash())
        self.roles.append({user: member.role for user, member in self.members.items()})

    def managers(self):
        return [member.ed25519 for member in self.members.values() if member.role == MANAGER]

    def create(self, source):
        self.kind = source.within(source.u8(), 1, 2)
        self.epoch = source.within(source.u32(), 1, 1)
        self.epochs[1] = Epoch(source.hash(), source.b16(high=336))
        return self.put(source)

    def put(self, source):
        member = parse_member(source)
        self.members[member.user] = member
        insist(len(self.members) <= 4096, f"{source.what}: too many members")
        return member.user

    def remove(self, source):
        member = source.id()
        insist(self.members.pop(member, None), f"{source.what}: removes nobody")
        self.groups.pop(member, None)
        return member

    def begin_epoch(self, source):
        self.epoch = source.within(source.u32(), self.epoch + 1, min(self.epoch + 1, 64))
        self.epochs[self.epoch] = Epoch(source.hash(), source.b16(high=336), source.b16(48, 48))
        wraps = [(source.id(), source.hash()) for _ in range(source.within(source.u32(), 1, 4096))]
        insist([user for user, _ in wraps] == sorted(self.members), f"{source.what}: its wraps are not those of the members, in their order")
        for user, wrap_hash in wraps:
            self.members[user] = replace(self.members[user], wrap_hash=wrap_hash)

    def head(self):
        return self.hashes[-1] if self.hashes else ZERO_HASH

    def roots(self, user):
        """The root key of each epoch: the last one's is wrapped for the user, and opens those before it, one by one."""
        roots = {self.epoch: self.unwrap(user)}
        for epoch in range(self.epoch, 1, -1):
            key = hkdf(roots[epoch], self.workspace, b"riad/v1/previous-root" + le(epoch, 4), 32)
            what = f"{self.path}: the root of epoch {epoch - 1}"
            roots[epoch - 1] = gcm_open(key, bytes(12), self.epochs[epoch].sealed_previous, self.workspace + le(epoch, 4), what)
        for epoch, root in roots.items():
            commitment = hkdf(root, self.workspace, b"riad/v1/commit", 32)
            committed = hmac.compare_digest(commitment, self.epochs[epoch].commitment)
            insist(committed, f"{self.path}: the root of epoch {epoch} is not the one committed to")
        return roots

    def unwrap(self, user):
        """The root key of the last epoch."""
        member = self.members.get(user.id)
        insist(member, f"{self.path}: the user is not a member", Refusal)
        insist((member.x25519, member.ed25519) == (user.x25519, user.ed25519), f"{self.path}: other public keys than the user's")
        path = self.store.file("ws", self.workspace.hex(), "wrap", f"{user.id.hex()}-{self.epoch:08x}")
        raw = read_file(path, 4096)
        insist(sha256(b"riad/v1/wrap", raw) == member.wrap_hash, f"{path}: not the wrap that the roster names")
        return open_wrap(self.store, self.workspace, self.epoch, user, Decoder(raw, path))


def parse_group(extensions, what):
    """Extension 1 of a member put: the group of accounts through which she is a member; None without it."""
    return account_name(extensions[1], what) if 1 in extensions else None


def account_name(name, what):
    """As 3.5, kind 4, has names of accounts."""
    wrong = any(byte <= 0x20 or byte == 0x7F for byte in name) or set(name) & set(b"/:") or name[:1] in (b".", b"-")
    insist(1 <= len(name) <= 64 and not wrong, f"{what}: not a name of an account")
    return name


def open_wrap(store, workspace, epoch, user, source):
    what, recipient = source.what, key_id(user.x25519)
    insist(source.take(4) == b"RIAW", f"{what}: wrong magic")
    check_format(source)
    source.zero(2)
    insist((source.id(), source.u32()) == (workspace, epoch), f"{what}: of another workspace or epoch")
    insist((source.u16(), source.u16(), source.u16()) == (0x20, 1, 2), f"{what}: unknown HPKE suite", TooNew)
    source.zero(2)
    insist(source.hash() == recipient, f"{what}: for another key")
    associated = source.data[: source.at]
    enc, sealed = source.b16(32, 32), source.b16(48, 48)
    source.finish()
    info = b"riad/v1/wrap" + store.id + workspace + le(epoch, 4) + recipient
    try:
        key, nonce = hpke_receive(user.private, user.x25519, enc, info)
    except ValueError:
        raise Damage(f"{what}: a public key without entropy") from None
    return gcm_open(key, nonce, sealed, associated, what)


def hpke_receive(private, public, enc, info):
    """RFC 9180 base mode, DHKEM(X25519, HKDF-SHA256) with AES-256-GCM: key and nonce of the first message."""
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"
    dh = private.exchange(X25519PublicKey.from_public_bytes(enc))
    shared = hpke_expand(kem, hpke_extract(kem, b"", b"eae_prk", dh), b"shared_secret", enc + public, 32)
    context = b"\0" + hpke_extract(suite, b"", b"psk_id_hash", b"") + hpke_extract(suite, b"", b"info_hash", info)
    secret = hpke_extract(suite, shared, b"secret", b"")
    return hpke_expand(suite, secret, b"key", context, 32), hpke_expand(suite, secret, b"base_nonce", context, 12)


def hpke_extract(suite, salt, label, material):
    return mac(salt or ZERO_HASH, b"HPKE-v1" + suite + label + material)


def hpke_expand(suite, key, label, info, size):
    return hkdf_expand(key, size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, size)


# ---- 3.4 Terms ----


class Term:
    def __init__(self, authority, roster, number):
        directory = authority.store.file("ws", roster.workspace.hex(), "term")
        envelope = load_envelope(authority.store, os.path.join(directory, f"{number:08x}"), b"RIAT")
        envelope.verify_by(authority.term_signers(roster.workspace, number))
        source = envelope.decoder()
        insist(source.id() == roster.workspace, f"{envelope.what}: of another workspace")
        self.number, self.previous = source.u32(), source.u32()
        insist(self.number == number and self.previous < number, f"{envelope.what}: wrong number")
        self.node, self.boot, self.end = source.id(), source.id(), source.end()
        insist(source.hash() in roster.hashes, f"{envelope.what}: made for another roster")
        self.epoch, self.time = source.within(source.u32(), 1, roster.epoch), source.time()
        source.extensions()
        source.finish()
        insist(self.previous or self.end == End(), f"{envelope.what}: the first term follows something")
        self.what, self.beat_path = envelope.what, os.path.join(directory, f"{number:08x}.beat")

    def heartbeat(self, keys):
        """(count, closed cleanly, number of the last change then), or None if there is none that was made with the key."""
        try:
            raw = read_file(self.beat_path, 64)
        except Damage:
            return None
        source = Decoder(raw, self.beat_path)
        insist(source.take(4) == b"RIAB" and source.u8() == 1, f"{source.what}: not a heartbeat")
        flags = source.within(source.u8(), 0, 1)
        source.zero(2)
        insist(source.u32() == self.number, f"{source.what}: of another term")
        source.zero(4)
        count = source.u64()
        last = source.u64()
        epoch = self.beat_epoch(keys, raw)
        insist(epoch, f"{source.what}: not authentic")
        source.hash()
        insist(flags == 1 or last == 0, f"{source.what}: names a last change though the term goes on")
        return (count, flags == 1, last) if keys.end(epoch) is None else (count, False, 0)

    def beat_epoch(self, keys, raw):
        """The epoch that was current when it was written: the one that the term began in, or a later one."""
        for epoch in range(max(keys.roots), self.epoch - 1, -1):
            if hmac.compare_digest(raw[32:], mac(keys.subkey("beat", epoch, 32), keys.workspace + raw[:32])):
                return epoch
        return None


def load_terms(authority, roster):
    """The terms that verify, by number, and the numbers of those that do not: they are void."""
    terms, void = {}, []
    for name in hex_names(authority.store.file("ws", roster.workspace.hex(), "term"), 8):
        number = int(name, 16)
        try:
            terms[number] = Term(authority, roster, number)
        except Damage as error:
            warn(f"void: {error}")
            void.append(number)
    return terms, void


def follow_history(terms):
    """From the current term back to the first; returned oldest first."""
    history, number = [], max(terms, default=0)
    while number:
        insist(number in terms, f"term {number:08x} is missing from the history")
        history.insert(0, terms[number])
        number = terms[number].previous
    for older, newer in zip(history, history[1:]):
        grown = newer.end.segment >> 32 == older.number and newer.end.number >= older.end.number
        insist(grown or newer.end == older.end, f"{newer.what}: its end is not in the history before it")
    return history


# ---- 3.5 Catalog ----


@dataclass
class Account:
    """A user of a site (kind 4)."""

    uid: int
    active: bool
    generation: int
    x25519: bytes
    ed25519: bytes
    name: bytes


@dataclass
class Registered:
    """A roster as the nodes have registered it (kind 5)."""

    entries: int
    head: bytes
    roles: dict  # member: role


@dataclass
class Catalog:
    site: bool
    workspaces: dict = field(default_factory=dict)  # id: (kind, live, owner), in the order of their first entries
    limits: dict = field(default_factory=dict)  # (subject kind, subject): eight numbers
    expiries: dict = field(default_factory=dict)  # workspace: (seconds since 1970 or 0, grace in seconds)
    accounts: dict = field(default_factory=dict)  # user: Account
    rosters: dict = field(default_factory=dict)  # workspace: Registered
    names: dict = field(default_factory=dict)  # workspace: name
    ends: dict = field(default_factory=dict)  # workspace: {epoch: End}
    grants: dict = field(default_factory=dict)  # (subject kind, subject): {workspace: (bytes, inodes)}
    clocks: dict = field(default_factory=dict)  # (subject kind, subject): since when its soft limits are passed: bytes, inodes
    bounds: dict = field(default_factory=dict)  # Ed25519 key of a node: {workspace: the last of its terms that counts}
    heads: dict = field(default_factory=lambda: {0: ZERO_HASH})  # number that follows a batch: hash of the batch
    next: int = 0

    def add(self, envelope):
        source = envelope.decoder()
        place = (source.u64(), source.hash())
        insist(place == (self.next, self.heads[self.next]), f"{envelope.what}: not the next of the chain")
        source.time()
        count = source.within(source.u32(), 1, 4096)
        for _ in range(count):
            self.apply(*parse_item(source))
        source.extensions()
        source.finish()
        self.next += count
        self.heads[self.next] = envelope.hash()

    def apply(self, kind, skippable, body):
        if kind not in CATALOG_KINDS:
            insist(skippable, f"{body.what}: unknown kind {kind}", TooNew)
            return
        action, of_sites = CATALOG_KINDS[kind]
        insist(self.site or not of_sites, f"{body.what}: belongs into a site's store")
        action(self, body)
        body.finish()

    def known(self, body, workspace, live=False):
        insist(workspace in self.workspaces, f"{body.what}: of an unknown workspace")
        insist(not live or self.workspaces[workspace][1], f"{body.what}: of a deleted workspace")
        return workspace

    def workspace(self, body):
        workspace, values = body.id(), (body.within(body.u8(), 1, 2), body.within(body.u8(), 1, 2) == 1, body.id())
        insist(workspace not in self.names or values[0] == PROJECT, f"{body.what}: a project becomes a home")
        self.workspaces[workspace] = values
        self.check_name(body, workspace)

    def limit(self, body):
        subject = (body.within(body.u8(), 1, 3), body.b16())
        if subject[0] > 1:
            insist(self.site and len(subject[1]) == 4, f"{body.what}: of no user or group")
        elif subject[1]:  # without one: of those that will be made
            self.known(body, subject[1])
        self.limits[subject] = tuple(body.u64() for _ in range(4)) + (body.u32(), body.u32())

    def subject(self, body):
        subject = (body.within(body.u8(), 2, 3), body.take(4))
        insist(subject in self.limits, f"{body.what}: of a user or group without a limit")
        return subject

    def grant(self, body):
        subject, workspace = self.subject(body), self.known(body, body.id())
        self.grants.setdefault(subject, {})[workspace] = (body.u64(), body.u64())

    def clock(self, body):
        subject, clock = self.subject(body), (body.u64(), body.u64())
        insist(max(clock) <= 2**63 - 2**32, f"{body.what}: a time too far")
        self.clocks[subject] = clock

    def expiry(self, body):
        workspace, expiry = self.known(body, body.id()), (body.u64(), body.u32())
        insist(expiry[0] <= 2**63 - 2**32, f"{body.what}: an expiry too far")
        self.expiries[workspace] = expiry

    def account(self, body):
        user, uid, active = body.id(), body.u32(), body.within(body.u8(), 1, 2) == 1
        generation = body.within(body.u32(), 1, 2**32 - 1)
        account = Account(uid, active, generation, body.take(32), body.take(32), account_name(body.b16(), body.what))
        for other in [found for number, found in self.accounts.items() if number != user]:
            both = account.active and other.active and (account.uid == other.uid or account.name == other.name)
            insist(not both, f"{body.what}: two active users have one uid or name")
        self.accounts[user] = account

    def roster(self, body):
        workspace, entries, head = self.known(body, body.id(), live=True), body.u64(), body.hash()
        before = self.rosters[workspace].entries if workspace in self.rosters else 0
        insist(entries > before, f"{body.what}: the roster did not grow")
        members = [(body.id(), body.within(body.u8(), 1, 3)) for _ in range(body.within(body.u32(), 1, 4096))]
        users = [user for user, _ in members]
        insist(users == sorted(set(users)), f"{body.what}: members out of order")
        self.rosters[workspace] = Registered(entries, head, dict(members))
        insist(MANAGER in self.rosters[workspace].roles.values(), f"{body.what}: no manager")

    def name(self, body):
        workspace = self.known(body, body.id(), live=True)
        insist(self.workspaces[workspace][0] == PROJECT and workspace not in self.names, f"{body.what}: a name for a home, or a second one")
        self.names[workspace] = account_name(body.b16(), body.what)
        self.check_name(body, workspace)

    def check_name(self, body, workspace):
        live = [self.names[other] for other in self.names if self.workspaces[other][1]]
        insist(self.names.get(workspace) is None or live.count(self.names[workspace]) <= 1, f"{body.what}: two workspaces have one name")

    def epoch_end(self, body):
        workspace, epoch = self.known(body, body.id(), live=True), body.within(body.u32(), 1, 64)
        ends = self.ends.setdefault(workspace, {})
        insist(epoch > max(ends, default=0), f"{body.what}: ends epoch {epoch} after a later one")
        term, number, segment = body.u32(), body.u64(), body.u64()
        ends[epoch] = End(segment, 0, term, number, body.hash())

    def term_bound(self, body):
        bounds, workspace = self.bounds.setdefault(body.take(32), {}), self.known(body, body.id())
        insist(workspace not in bounds, f"{body.what}: bounds a key twice")
        bounds[workspace] = body.u32()
        insist(sum(workspace in found for found in self.bounds.values()) <= 4096, f"{body.what}: too many bounds")


HOME, PROJECT = 1, 2
CATALOG_KINDS = {  # what takes it, and whether only a site's store has it
    1: (Catalog.workspace, False),
    2: (Catalog.limit, False),
    3: (Catalog.expiry, False),
    4: (Catalog.account, True),
    5: (Catalog.roster, True),
    6: (Catalog.name, True),
    7: (Catalog.epoch_end, False),
    8: (Catalog.term_bound, True),
    9: (Catalog.grant, True),
    10: (Catalog.clock, True),
}


def parse_item(source):
    """An entry of the catalog or an operation of a change: kind, whether it may be skipped, body."""
    kind, flags = source.u8(), source.within(source.u8(), 0, 1)
    return kind, flags == 1, Decoder(source.b32(), f"{source.what} (kind {kind})")


def load_catalog(store, signers):
    """signers: {Ed25519 key: the number from which on its batches do not count, or None}."""
    catalog = Catalog(store.is_site)
    for name in hex_names(store.file("catalog"), 16):
        path, number = store.file("catalog", name), int(name, 16)
        insist(number == catalog.next, f"{path}: entry {catalog.next} should come here")
        envelope = load_envelope(store, path, b"RIAC")
        envelope.verify_by([public for public, until in signers.items() if until is None or number < until])
        catalog.add(envelope)
    return catalog


# ---- 3.6 Site ----


@dataclass
class Node:
    name: bytes
    x25519: bytes
    ed25519: bytes
    removed: tuple | None = None  # the catalog's next number and last hash then


class Site:
    """The list of a site's nodes, as its root signed it."""

    def __init__(self, store, root):
        self.root, self.nodes, self.next, self.head = root, {}, 0, ZERO_HASH
        for name in hex_names(store.file("site"), 16):
            path = store.file("site", name)
            insist(int(name, 16) == self.next, f"{path}: entry {self.next} should come here")
            envelope = load_envelope(store, path, b"RIAS")
            envelope.verify(root)
            self.add(envelope)
        insist(self.nodes, f"{store.path}: no list of nodes")

    def add(self, envelope):
        source = envelope.decoder()
        insist((source.u64(), source.hash()) == (self.next, self.head), f"{envelope.what}: not the next of the chain")
        source.time()
        kind = source.within(source.u8(), 1, 3)
        insist((kind == 1) == (self.next == 0), f"{envelope.what}: create belongs first, and only there")
        if kind == 1:
            self.root_user = source.id()
        if kind == 3:
            self.remove(source)
        else:
            self.put(source)
        source.extensions()
        source.finish()
        self.next, self.head = self.next + 1, envelope.hash()

    def put(self, source):
        number, node = source.id(), Node(source.b16(1, 64), source.take(32), source.take(32))
        insist(re.fullmatch(rb"[A-Za-z0-9._-]+", node.name), f"{source.what}: not a name of a node")
        used = {self.root, *(other.ed25519 for other in self.nodes.values())}
        insist(number not in self.nodes and node.ed25519 not in used, f"{source.what}: an id or key that was used before")
        present = [other.name for other in self.nodes.values() if not other.removed]
        insist(node.name not in present, f"{source.what}: two nodes have one name")
        insist(len(self.nodes) < 4096, f"{source.what}: too many nodes")
        self.nodes[number] = node

    def remove(self, source):
        node, place = self.nodes.get(source.id()), (source.u64(), source.hash())
        insist(node, f"{source.what}: removes nobody")
        insist(place[0] or place[1] == ZERO_HASH, f"{source.what}: a hash of nothing")
        insist(not node.removed or node.removed[0] <= place[0], f"{source.what}: removed again, before it was")
        node.removed = place
        insist(not all(other.removed for other in self.nodes.values()), f"{source.what}: no node is left")

    def load_catalog(self, store):
        """What was signed by nodes, each as long as it was one: the chain has to pass through where it was when one was removed."""
        nodes = self.nodes.values()
        catalog = load_catalog(store, {node.ed25519: node.removed and node.removed[0] for node in nodes})
        for node in nodes:
            passed = not node.removed or catalog.heads.get(node.removed[0]) == node.removed[1]
            insist(passed, f"{store.path}: not the catalog that there was when node {printable(node.name)} was removed")
        return catalog


def parse_key_text(text):
    """The public key of a site's root, as people copy it."""
    wrong = Refusal("that is not the key of a site's root: mistyped?")
    try:
        raw = base64.b32decode(re.sub(r"[\s-]", "", text).upper())
    except (ValueError, binascii.Error):
        raise wrong from None
    if len(raw) != 35 or sha256(b"riad/v1/key-text", raw[:32])[:3] != raw[32:]:
        raise wrong
    return raw[:32]


def key_text(public):
    return base64.b32encode(public + sha256(b"riad/v1/key-text", public)[:3]).decode()


# ---- Whose signatures count ----


class Owner:
    """A personal store: everything is signed by its one user."""

    def __init__(self, store, secret):
        self.store, self.user = store, unlock(store, hex_names(store.file("user"), 32), secret)
        self.catalog = load_catalog(store, {self.user.ed25519: None})

    def mine(self):
        """The workspaces that the user is a member of."""
        return [workspace for workspace, (_, live, _) in self.catalog.workspaces.items() if live]

    def roster(self, workspace):
        return Roster(self.store, workspace, self.user.ed25519)

    def term_signers(self, _workspace, _number):
        return [self.user.ed25519]

    @staticmethod
    def name(_workspace):
        """In clear; nothing is here."""
        return None


class Members:
    """A site's store: its root signs the list of nodes, nodes the catalog and terms, users their rosters."""

    def __init__(self, store, secret, root, user):
        self.store, self.site = store, Site(store, root)
        self.catalog = self.site.load_catalog(store)
        self.user = unlock(store, self.candidates(user), secret)
        account = self.catalog.accounts[self.user.id]
        same = (account.generation, account.x25519, account.ed25519) == (self.user.generation, self.user.x25519, self.user.ed25519)
        insist(same, f"{self.user.envelope.what}: the site's nodes know other keys of this user")

    def candidates(self, wanted):
        """The user files that the secret may open: those of the site's users, who may have lost theirs."""
        names = {user.hex(): account for user, account in self.catalog.accounts.items()}
        chosen = [name for name, account in names.items() if wanted in (None, name, os.fsdecode(account.name))]
        insist(chosen, f"{self.store.path}: no such user of the site", Refusal)
        return sorted(set(chosen) & set(hex_names(self.store.file("user"), 32)))

    def mine(self):
        return [workspace for workspace, (_, live, _) in self.catalog.workspaces.items() if live and self.is_mine(workspace)]

    def is_mine(self, workspace):
        """The roster may have gone on since it was registered. One that is damaged is of interest to its members alone."""
        registered, (_, _, owner) = self.catalog.rosters.get(workspace), self.catalog.workspaces[workspace]
        if not os.path.lexists(self.store.file("ws", workspace.hex(), "roster")):
            return registered is not None and self.user.id in registered.roles
        try:
            return self.user.id in self.roster(workspace).members
        except Damage:
            return self.user.id in (registered.roles if registered else (owner,))

    def roster(self, workspace):
        owner = self.catalog.accounts.get(self.catalog.workspaces[workspace][2])
        insist(owner, f"workspace {workspace.hex()}: its owner is no user of the site")
        roster = Roster(self.store, workspace, owner.ed25519)
        registered = self.catalog.rosters.get(workspace)
        if registered:
            insist(len(roster.hashes) >= registered.entries, f"{roster.path}: older than the one that is registered")
            found = (roster.hashes[registered.entries - 1], roster.roles[registered.entries - 1])
            insist(found == (registered.head, registered.roles), f"{roster.path}: another one than the one that is registered")
        return roster

    def term_signers(self, workspace, number):
        return [node.ed25519 for node in self.site.nodes.values() if self.may_sign(node, workspace, number)]

    def may_sign(self, node, workspace, number):
        """A removed node is bounded when it is in the catalog's first workspace, the last to be registered: in what is newer it has no terms."""
        bounds = self.catalog.bounds.get(node.ed25519, {})
        bounded = node.removed and next(iter(self.catalog.workspaces)) in bounds
        return not bounded or number <= bounds.get(workspace, 0)

    def name(self, workspace):
        return self.catalog.names.get(workspace)


# ---- 4. Keys ----


class Keys:
    """Of all epochs of a workspace; `ends` are those that the catalog names, by epoch."""

    def __init__(self, workspace, roots, ends):
        self.workspace, self.roots, self.ends, self.cache = workspace, roots, ends, {}

    def end(self, epoch):
        """The first end of that epoch or of a later one, behind which nothing counts that is sealed under it; None: it goes on."""
        return next((end for number, end in sorted(self.ends.items()) if number >= epoch), None)

    def subkey(self, purpose, epoch, size):
        insist(epoch in self.roots, f"epoch {epoch} is unknown")
        return hkdf(self.roots[epoch], self.workspace, b"riad/v1/" + purpose.encode() + le(epoch, 4), size)

    def stream(self, purpose, stream, epoch):
        if (purpose, stream, epoch) not in self.cache:
            info = b"riad/v1/stream" + self.workspace + le(epoch, 4) + le(1, 1)
            key = hkdf(self.subkey(purpose, epoch, 32), stream, info, 32)
            self.cache[purpose, stream, epoch] = AESGCM(key)
        return self.cache[purpose, stream, epoch]

    def workspace_name(self, epoch, sealed):
        try:
            plain = AESSIV(self.subkey("label", epoch, 64)).decrypt(sealed, [b"riad/v1/label"])
        except (InvalidTag, ValueError):
            raise Damage("the workspace's name does not open") from None
        source = Decoder(plain, "workspace name")
        insist(len(plain) % 64 == 0 and source.u8() == 1, "workspace name: wrong padding")
        name = source.b16(1, 255)
        insist(0 not in name, "workspace name: a zero in it")
        insist(len(plain) - source.at < 64, "workspace name: too much padding")
        source.zero(len(plain) - source.at)
        return name


# ---- 5. Records ----

CHANGE, DATA, FRAME, HEADER = 1, 2, 3, 4
PURPOSES = {"log": "change", "data": "data", "ckpt": "checkpoint"}
HELD = {"log": (CHANGE, DATA), "data": (DATA,), "ckpt": (FRAME,)}
OVERHEAD = 64 + 16 + 8
LENGTH_LIMITS = {CHANGE: 262_208, DATA: 2 * MIB, FRAME: 2 * MIB, HEADER: 4096}


def padme(n):
    if n < 2:
        return n
    exponent = n.bit_length() - 1
    bits = exponent - exponent.bit_length()
    return round_up(n, 1 << max(bits, 0))


def round_up(n, unit):
    return -(-n // unit) * unit


@dataclass
class Record:
    offset: int
    size: int
    type: int
    epoch: int
    stream: bytes
    counter: int
    raw: bytes

    def tag(self):
        return self.raw[-24:-8]


class Segment:
    """A file of records in log/, data/ or ckpt/."""

    def __init__(self, store, keys, kind, number):
        self.keys, self.kind, self.number = keys, kind, number
        self.path = store.file("ws", keys.workspace.hex(), kind, f"{number:016x}")
        try:
            self.descriptor = open_regular(self.path)
        except FileNotFoundError:
            raise Damage(f"{self.path}: missing") from None
        self.size = os.fstat(self.descriptor).st_size

    def __del__(self):
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)

    def read(self, offset, size):
        data = os.pread(self.descriptor, size, offset)
        insist(len(data) == size, f"{self.path}: ends within what is at {offset}")
        return data

    def record(self, offset):
        """What is at the offset, if it has the form of a record; nothing is opened yet."""
        source = Decoder(self.read(offset, 64), f"{self.path} at {offset}")
        insist(source.take(6) == b"RIAR\x01\x01", f"{source.what}: no record")
        type_, padding = source.u8(), source.u8()
        expected = HELD[self.kind] if offset else (HEADER,)
        insist(type_ in expected, f"{source.what}: type {type_} is out of place")
        source.zero(4)
        epoch, workspace, stream, counter = source.u32(), source.id(), source.id(), source.u64()
        length = source.within(source.u32(), 16, LENGTH_LIMITS[type_])
        source.zero(4)
        insist(padding == (2 if type_ in (DATA, FRAME) else 1), f"{source.what}: wrong padding")
        insist(workspace == self.keys.workspace, f"{source.what}: of another workspace")
        insist(counter < 2**32 and epoch, f"{source.what}: wrong counter or epoch")
        size = length + OVERHEAD
        return Record(offset, size, type_, epoch, stream, counter, self.read(offset, size))

    def open(self, record):
        """The plaintext of a record, authentic."""
        purpose = "data" if record.type == DATA else PURPOSES[self.kind]
        cipher = self.keys.stream(purpose, record.stream, record.epoch)
        try:
            plain = cipher.decrypt(bytes(4) + le(record.counter, 8), record.raw[64:-8], record.raw[:64])
        except InvalidTag:
            raise Damage(f"{self.path} at {record.offset}: does not open") from None
        self.check_epoch(record)
        return plain

    def check_epoch(self, record):
        """4.1: who has left still has the keys of the epochs that have ended, and may be friends with the storage."""
        end = self.keys.end(record.epoch)
        counts = end is None or self.kind != "ckpt" and self.number <= end.segment
        insist(counts, f"{self.path} at {record.offset}: sealed under epoch {record.epoch}, which had ended", Forgery)

    def body(self, record):
        """The body of any record but a data record."""
        what = f"{self.path} at {record.offset}"
        plain = self.open(record)
        source = Decoder(plain, what)
        body = source.b32(high=2 * MIB)
        padded = round_up(padme(source.at), 16) if record.type == FRAME else round_up(source.at, 64)
        insist(len(plain) == padded, f"{what}: wrong amount of padding")
        source.zero(padded - source.at)
        return Decoder(body, what)

    def header(self):
        """Opens the first record; returns (previous, the record)."""
        record = self.record(0)
        insist(record.counter == 0, f"{self.path}: the header is not the first of its stream")
        source = self.body(record)
        kind, number, previous = source.u8(), source.u64(), source.end()
        insist(kind == {"log": 1, "data": 2, "ckpt": 3}[self.kind], f"{self.path}: a segment of another kind")
        insist(number == self.number, f"{self.path}: named for another segment")
        insist(self.kind == "log" or previous == End(), f"{self.path}: only a log segment follows another")
        end = self.keys.end(record.epoch)
        insist(end is None or self.kind != "log" or previous.number < end.number, f"{self.path}: begun after its epoch {record.epoch} ended", Forgery)
        source.time()
        _, ro_compat, incompat = source.u32(), source.u32(), source.u32()
        check_features(ro_compat, incompat, self.path, FEATURE_INODE_FLAGS | FEATURE_ACLS)
        source.extensions()
        source.finish()
        return previous, record

    def change(self, record):
        return self.parse(record, self.body(record))

    def parse(self, record, body):
        """The change in an opened record: it has to lie before the end of its epoch."""
        change, end = parse_change(self.keys, body), self.keys.end(record.epoch)
        what = f"{self.path} at {record.offset}"
        insist(end is None or change.number <= end.number, f"{what}: change {change.number} is behind the end of its epoch {record.epoch}", Forgery)
        return change

    def valid_after(self, offset):
        """The records at or after an offset that open, wherever they begin: their sizes are multiples of 8."""
        carry = 64 * 1024
        for base in range(round_up(offset, 8), self.size, carry):
            window = os.pread(self.descriptor, carry + 4, base)
            for match in re.finditer(b"RIAR", window):
                if match.start() % 8 == 0 and match.start() < carry and (record := self.try_open(base + match.start())):
                    yield record

    def is_zero_from(self, offset):
        """What was written ahead of a log."""
        step = 64 * 1024
        return not any(any(os.pread(self.descriptor, step, base)) for base in range(offset, self.size, step))

    def try_open(self, offset):
        try:
            record = self.record(offset)
            self.open(record)
            return record
        except Damage:
            return None


# ---- 5.2 Data records ----


@dataclass(frozen=True)
class Identity:
    inode: int
    generation: int
    offset: int
    length: int


def parse_data(plain, what):
    """(identity, bytes) of an opened data record."""
    source = Decoder(plain, what)
    inode, generation, length, offset = source.u64(), source.u32(), source.within(source.u32(), 1, 65536), source.u64()
    source.zero(8)
    insist(len(plain) == 32 + round_up(padme(length), 16), f"{what}: wrong amount of padding")
    data = source.take(length)
    source.zero(len(plain) - source.at)
    return Identity(inode, generation, offset, length), data


# ---- 5.3 Changes ----


@dataclass
class Change:
    term: int
    number: int
    previous: bytes
    durable: int
    chain: bytes
    items: list


def parse_change(keys, source):
    insist(len(source.data) <= 256 * 1024, f"{source.what}: the change is too long")
    term, number, previous, durable = source.u32(), source.u64(), source.hash(), source.u64()
    insist(durable < number, f"{source.what}: knows a later change to be durable")
    source.time()
    source.u64()
    source.zero(4)
    items = [parse_item(source) for _ in range(source.within(source.u32(), 0, 4096))]
    source.finish()
    return Change(term, number, previous, durable, sha256(b"riad/v1/chain", keys.workspace, source.data), items)


@dataclass(frozen=True)
class Dentry:
    inode: int
    type: int
    name: bytes


@dataclass
class Tree:
    """The rows of a workspace, and the operations on them."""

    inodes: dict = field(default_factory=dict)
    dentries: dict = field(default_factory=dict)  # parent: {cookie: Dentry}
    xattrs: dict = field(default_factory=dict)  # inode: {name: value}
    extents: dict = field(default_factory=dict)  # inode: {offset: Extent}
    targets: dict = field(default_factory=dict)
    next_inode: int = 1

    def apply(self, kind, skippable, body, in_checkpoint=False):
        if kind not in OPERATIONS:
            insist(skippable, f"{body.what}: unknown operation {kind}", TooNew)
            return
        insist(in_checkpoint or kind != 10, f"{body.what}: workspace put outside of a checkpoint")
        OPERATIONS[kind](self, body)
        body.finish()

    def inode_put(self, body):
        inode = parse_inode(body)
        self.inodes[inode.number] = inode
        self.next_inode = max(self.next_inode, inode.number + 1)

    def inode_remove(self, body):
        number = body.u64()
        for rows in (self.inodes, self.xattrs, self.targets, self.extents):
            rows.pop(number, None)

    def dentry_put(self, body):
        parent, cookie, inode = body.u64(), body.u64(), body.u64()
        type_, name = body.u8(), body.b16(1, 255)
        insist(type_ in (1, 2, 4, 6, 8, 10, 12), f"{body.what}: unknown type of entry")
        insist(name not in (b".", b"..") and not set(name) & {0, 0x2F}, f"{body.what}: not a name")
        self.dentries.setdefault(parent, {})[cookie] = Dentry(inode, type_, name)

    def dentry_remove(self, body):
        self.remove(self.dentries, body.u64(), body.u64())

    def xattr_put(self, body):
        inode, name = body.u64(), body.b16(1, 255)
        self.xattrs.setdefault(inode, {})[name] = body.b32(high=65536)

    def xattr_remove(self, body):
        self.remove(self.xattrs, body.u64(), body.b16(1, 255))

    def extent_put(self, body):
        inode, extent = parse_extent(body)
        self.extents.setdefault(inode, {})[extent.offset] = extent

    def extent_clear(self, body):
        inode, low, high = body.u64(), body.u64(), body.u64()
        for offset in [offset for offset in self.extents.get(inode, ()) if low <= offset < high]:
            self.remove(self.extents, inode, offset)

    def symlink_put(self, body):
        inode = body.u64()
        self.targets[inode] = body.b16(1, 4095)

    def workspace_put(self, body):
        self.next_inode = body.u64()

    @staticmethod
    def remove(rows, outer, inner):
        """An empty inner table goes too, so that equal trees compare equal."""
        if outer in rows:
            rows[outer].pop(inner, None)
            if not rows[outer]:
                del rows[outer]

    def live_extents(self, inode):
        """The extents of an inode in order, without those that a truncation has already declared gone."""
        extents, end = [], 0
        for offset, extent in sorted(self.extents.get(inode.number, {}).items()):
            insist(offset >= end, f"inode {inode.number}: extents overlap at {offset}")
            end = offset + extent.length
            if offset < inode.truncate_mark:
                extents.append(extent)
        return extents


OPERATIONS = {
    1: Tree.inode_put,
    2: Tree.inode_remove,
    3: Tree.dentry_put,
    4: Tree.dentry_remove,
    5: Tree.xattr_put,
    6: Tree.xattr_remove,
    7: Tree.extent_put,
    8: Tree.extent_clear,
    9: Tree.symlink_put,
    10: Tree.workspace_put,
}


# ---- 6. Rows ----


@dataclass
class Inode:
    number: int
    generation: int
    mode: int
    nlink: int
    uid: int
    gid: int
    flags: int
    rdev: int
    size: int
    blocks: int
    atime: tuple
    mtime: tuple
    ctime: tuple
    btime: tuple
    parent: int
    next_cookie: int
    version: int
    birth: int
    truncate_mark: int
    xattr_bytes: int

    def is_directory(self):
        return stat.S_ISDIR(self.mode)


ACL_NAMES = {b"system.posix_acl_access": "access", b"system.posix_acl_default": "default"}
ACL_TAGS = {1: ("user", False), 2: ("user", True), 4: ("group", False), 8: ("group", True), 16: ("mask", False), 32: ("other", False)}


def parse_acl(value, what):
    """6.3: (tag, permissions, id) each, in the one order."""
    source = Decoder(value, f"{what}: access control list")
    insist(source.u32() == 2, f"{source.what}: of an unknown version")
    entries = []
    while not source.empty():
        tag, permissions, number = source.u16(), source.within(source.u16(), 0, 7), source.u32()
        insist(tag in ACL_TAGS, f"{source.what}: unknown tag {tag}")
        insist((number == 2**32 - 1) != ACL_TAGS[tag][1], f"{source.what}: wrong id")
        entries.append((tag, permissions, number))
    tags = [tag for tag, _, _ in entries]
    single = [tag for tag in tags if not ACL_TAGS[tag][1]]
    insist(tags == sorted(tags) and single in ([1, 4, 32], [1, 4, 16, 32]), f"{source.what}: entries missing, doubled or out of order")
    insist(len(single) == 4 or len(tags) == 3, f"{source.what}: has no mask")
    return entries


def acl_mode(entries):
    """What st_mode shows of them; the mask, where there is one, stands for the group."""
    bits = {tag: permissions for tag, permissions, _ in entries}
    return bits[1] << 6 | bits.get(16, bits[4]) << 3 | bits[32]


def acl_text(entries):
    def line(tag, permissions, number):
        name, named = ACL_TAGS[tag]
        rights = "".join(letter if permissions & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
        return f"{name}:{number if named else ''}:{rights}\n"
    return "".join(line(*entry) for entry in entries)


def parse_inode(source):
    number = source.within(source.u64(), 1, NONE64 - 1)
    generation = source.within(source.u32(), 1, 1)
    mode, nlink, uid, gid = source.within(source.u32(), 0, 0o177777), source.u32(), source.u32(), source.u32()
    insist(stat.S_IFMT(mode) >> 12 in (1, 2, 4, 6, 8, 10, 12), f"{source.what}: unknown type of inode")
    flags = source.within(source.u32(), 0, 15)
    rdev, size, blocks = source.u64(), source.within(source.u64(), 0, 2**62), source.u64()
    times = [source.time() for _ in range(4)]
    parent, next_cookie, version, birth, mark = (source.u64() for _ in range(5))
    insist(next_cookie >= 3 if stat.S_ISDIR(mode) else next_cookie == 0, f"{source.what}: wrong next cookie")
    xattr_bytes = source.u32()
    source.zero(4)
    plain = (number, generation, mode, nlink, uid, gid, flags, rdev, size, blocks)
    return Inode(*plain, *times, parent, next_cookie, version, birth, mark, xattr_bytes)


@dataclass
class Extent:
    offset: int
    length: int
    unwritten: bool
    unit: int
    skip: int
    segment: int
    position: int
    run_length: int
    birth_inode: int
    birth_generation: int
    birth_offset: int
    birth: int
    tags: bytes

    def records(self):
        """(file offset, identity, tag) of each record of the run."""
        for i in range(len(self.tags) // 16):
            start = i << self.unit
            length = min(1 << self.unit, self.run_length - start)
            identity = Identity(self.birth_inode, self.birth_generation, self.birth_offset + start, length)
            yield self.position + i * ((1 << self.unit) + 120), identity, self.tags[16 * i : 16 * i + 16]


def parse_extent(source):
    inode, offset, length = source.u64(), source.u64(), source.u64()
    insist(1 <= length and offset + length <= 2**62, f"{source.what}: the extent leaves the file")
    unwritten = source.within(source.u8(), 1, 2) == 2
    unit = source.u8()
    source.zero(2)
    run = [source.u32(), source.u64(), source.u64(), source.u32(), source.u64(), source.u32(), source.u64()]
    birth, tags = source.u64(), source.b16(high=64 * 16)
    if unwritten:
        insist(not unit and not any(run) and not tags, f"{source.what}: an unwritten extent has a run")
    else:
        skip, run_length = run[0], run[3]
        insist(12 <= unit <= 16 and skip < 1 << unit, f"{source.what}: wrong unit or skip")
        insist(skip + length <= run_length, f"{source.what}: the extent leaves its run")
        insist(len(tags) == 16 * (round_up(run_length, 1 << unit) >> unit), f"{source.what}: wrong number of tags")
    return inode, Extent(offset, length, unwritten, unit, *run, birth, tags)


# ---- 7. Checkpoints ----


@dataclass
class Checkpoint:
    number: int
    end: End
    tree: Tree
    rows: int


class CheckpointReader:
    def __init__(self, segment, roster):
        self.segment, self.roster, self.tree, self.rows = segment, roster, Tree(), 0
        self.digest = ZERO_HASH
        _, header = segment.header()
        index, offset, last = 0, header.size, False
        while not last:
            record = segment.record(offset)
            place = (record.stream, record.epoch, record.counter)
            insist(place == (header.stream, header.epoch, index + 1), f"{segment.path} at {offset}: not the next frame")
            last = self.frame(segment.body(record), index)
            offset, index = offset + record.size, index + 1
        insist(offset == segment.size, f"{segment.path}: trailing bytes")
        insist(self.epoch == header.epoch, f"{segment.path}: the manifest is of another epoch")
        self.check_manifest()

    def frame(self, source, index):
        insist(source.u32() == index, f"{source.what}: wrong frame number")
        last, codec = source.within(source.u8(), 0, 1) == 1, source.within(source.u8(), 0, 1)
        length = source.within(source.u32(), 0, MIB)
        raw = decompress(codec, source.b32(high=2 * MIB), length, source.what)
        source.finish()
        content = Decoder(raw, source.what)
        if index == 0:
            self.manifest(content)
        elif last:
            self.final(content)
        else:
            self.operations(content)
        self.digest = sha256(b"riad/v1/checkpoint", self.digest, raw)
        insist(not last or index > 0, f"{source.what}: a checkpoint without a final frame")
        return last

    def manifest(self, content):
        self.end, self.epoch, head = content.end(), content.u32(), content.hash()
        insist(head in self.roster.hashes, f"{content.what}: made for another roster")
        content.time()
        self.next_inode, self.inodes, self.blocks = content.u64(), content.u64(), content.u64()
        content.extensions()
        content.finish()

    def operations(self, content):
        while not content.empty():
            self.tree.apply(*parse_item(content), in_checkpoint=True)
            self.rows += 1

    def final(self, content):
        summary = (content.u64(), content.hash())
        insist(summary == (self.rows, self.digest), f"{content.what}: does not conclude the frames before it")
        content.finish()

    def check_manifest(self):
        tree = self.tree
        usage = (len(tree.inodes), sum(inode.blocks for inode in tree.inodes.values()))
        insist(usage == (self.inodes, self.blocks), f"{self.segment.path}: the manifest's usage is not that of the rows")
        insist(tree.next_inode <= self.next_inode, f"{self.segment.path}: the manifest's next inode is taken")
        tree.next_inode = self.next_inode

    def result(self):
        return Checkpoint(self.segment.number, self.end, self.tree, self.rows)


def decompress(codec, payload, length, what):
    if codec == 0:
        insist(len(payload) == length, f"{what}: wrong raw length")
        return payload
    try:
        declared = zstandard.frame_content_size(payload)
        insist(declared in (-1, length), f"{what}: wrong raw length")
        raw = zstandard.ZstdDecompressor().decompress(payload, max_output_size=length, allow_extra_data=False)
    except zstandard.ZstdError:
        raise Damage(f"{what}: does not decompress") from None
    insist(len(raw) == length, f"{what}: wrong raw length")
    return raw


# ---- 8. Reading a store ----


class Workspace:
    def __init__(self, authority, user, workspace):
        self.authority, self.store, self.id = authority, authority.store, workspace
        self.roster = authority.roster(workspace)
        self.keys = Keys(workspace, self.roster.roots(user), authority.catalog.ends.get(workspace, {}))
        self.name = self.keys.workspace_name(self.roster.epoch, self.roster.epochs[self.roster.epoch].sealed_name)

    def load_history(self):
        self.terms, self.void = load_terms(self.authority, self.roster)
        self.history = follow_history(self.terms)
        self.numbers = {term.number for term in self.history}

    def names(self, kind):
        return [int(name, 16) for name in hex_names(self.store.file("ws", self.id.hex(), kind), 16)]

    def segment(self, kind, number):
        return Segment(self.store, self.keys, kind, number)

    def end_of_term(self, number):
        """Where the next term of the history says that this one's records end; None for the current term."""
        return next((term.end for term in self.history if term.number > number), None)

    def on_history(self, end):
        if end == End():
            return True
        if end.segment >> 32 not in self.numbers:
            return False
        limit = self.end_of_term(end.segment >> 32)
        if limit is None or end.number < limit.number:
            return limit is None or (end.segment, end.offset) <= (limit.segment, limit.offset)
        return change_of(end) == change_of(limit)

    def load_checkpoint(self, number):
        checkpoint = CheckpointReader(self.segment("ckpt", number), self.roster).result()
        insist(self.on_history(checkpoint.end), f"checkpoint {number:016x}: not on the history")
        return checkpoint

    def newest_checkpoint(self):
        """The newest that verifies, else one of an empty tree."""
        for number in reversed(self.names("ckpt")):
            try:
                return self.load_checkpoint(number)
            except Forgery:
                continue  # of an epoch that has ended: so is every one that was made before
            except Damage as error:
                warn(f"ignored: {error}")
        return Checkpoint(0, End(), Tree(), 0)

    def open_end(self):
        """The log's last segment and where its records end: nowhere (None) in the last term's youngest segment."""
        last = self.history[-1] if self.history else None
        for segment in self.youngest_segments():
            if self.has_header(segment):
                return segment.number, None
        end = last.end if last else End()
        return end.segment, end

    def youngest_segments(self):
        """The last term's log segments, youngest first."""
        last = self.history[-1].number if self.history else 0
        return [self.segment("log", number) for number in reversed(self.names("log")) if number >> 32 == last]

    @staticmethod
    def has_header(segment):
        try:
            segment.header()
            return True
        except Damage:
            return False

    def closed_number(self):
        """The last change of the last term, if that was closed; else 0."""
        try:
            beat = self.history[-1].heartbeat(self.keys) if self.history else None
        except Damage:
            return 0
        return beat[2] if beat else 0

    def log_step(self, number, end):
        """A segment of the history, found backwards through the end that its successor names."""
        segment = self.segment("log", number)
        previous, header = segment.header()
        if previous.segment >> 32 != number >> 32:
            first = next(term for term in self.history if term.number == number >> 32)
            insist(previous == first.end, f"{segment.path}: does not begin where its term does")
        insist(previous.segment < number, f"{segment.path}: follows itself")
        return LogStep(segment, previous, header.size, end)


@dataclass
class LogStep:
    segment: Segment
    previous: End
    begin: int
    end: End | None


class Replay:
    """Applies the log behind a checkpoint to its tree."""

    def __init__(self, workspace, checkpoint):
        self.workspace, self.tree, self.at = workspace, checkpoint.tree, checkpoint.end
        self.walked = 0  # where the last segment's records stop verifying

    def run(self):
        self.check_epoch_end()
        for step in self.path():
            number, begin = step.segment.number, step.begin
            if number == self.at.segment:
                begin = max(begin, self.at.offset)
            else:
                self.insist_at(step.previous, step.segment)
            self.at = replace(self.at, segment=number, offset=begin)
            self.replay(step.segment, begin, step.end)
        self.check_tail()
        return self

    def path(self):
        """From the log's end back to where the checkpoint ends; returned oldest first."""
        path, (number, end) = [], self.workspace.open_end()
        while end is None or (end.segment, change_of(end)) != (self.at.segment, change_of(self.at)):
            insist(number >= self.at.segment and number, "the log and the checkpoint do not meet")
            path.insert(0, self.workspace.log_step(number, end))
            if number == self.at.segment:
                break
            end = path[0].previous
            number = end.segment
        return path

    def insist_at(self, end, segment):
        insist(change_of(end) == change_of(self.at), f"{segment.path}: another change than its neighbour or term says is at its edge")

    def replay(self, segment, offset, end):
        insist(offset <= segment.size, f"{segment.path}: ends before the checkpoint does")
        while end is None or offset < end.offset:
            try:
                record = segment.record(offset)
                body = segment.body(record) if record.type == CHANGE else None
            except Forgery:
                raise
            except Damage:
                break
            offset += record.size
            if body:
                self.apply(segment, offset, segment.parse(record, body))
        self.walked = offset
        if end:
            insist(offset == end.offset, f"{segment.path}: damaged at {offset}")
            self.insist_at(end, segment)

    def check_tail(self):
        """What a power cut tore off holds no change that knew a lost one to be durable; a closed term and an epoch's end say what was."""
        last = self.workspace.closed_number()
        last = max([last, *(end.number for end in self.workspace.keys.ends.values())])
        insist(self.at.number >= last, f"the log ends with change {self.at.number}, but change {last} was durable")
        for segment in self.workspace.youngest_segments():
            if segment.number < self.at.segment:
                break
            known, walked = (self.at.offset, self.walked) if segment.number == self.at.segment else (0, 0)
            for record in segment.valid_after(known):
                in_order = record.type == DATA and record.offset < walked
                durable = segment.change(record).durable if record.type == CHANGE else 0
                whole = in_order or durable <= self.at.number
                insist(whole, f"{segment.path}: damaged before {record.offset}")

    def apply(self, segment, offset, change):
        place = (change.term, change.number, change.previous)
        insist(place == (segment.number >> 32, self.at.number + 1, self.at.chain), f"{segment.path} before {offset}: not the next change")
        for item in change.items:
            self.tree.apply(*item)
        self.at = End(segment.number, offset, change.term, change.number, change.chain)
        self.check_epoch_end()

    def check_epoch_end(self):
        """The change with which an epoch ended is the one that the catalog names."""
        for epoch, end in self.workspace.keys.ends.items():
            same = end.number != self.at.number or change_of(end) == change_of(self.at)
            insist(same, f"epoch {epoch} did not end with this change {self.at.number}")


def change_of(end):
    return end.term, end.number, end.chain


class Content:
    """The bytes of files."""

    def __init__(self, workspace):
        self.workspace, self.segments = workspace, {}

    def segment(self, number):
        if number not in self.segments:
            if len(self.segments) >= 64:
                self.segments.clear()
            kind = "data" if os.path.lexists(self.workspace.store.file("ws", self.workspace.id.hex(), "data", f"{number:016x}")) else "log"
            self.segments[number] = self.workspace.segment(kind, number)
        return self.segments[number]

    def record(self, number, position, identity, tag):
        """The bytes of one record of a run, if it is the very one that the extent names."""
        segment = self.segment(number)
        record, what = segment.record(position), f"{segment.path} at {position}"
        insist(record.type == DATA and hmac.compare_digest(record.tag(), tag), f"{what}: not the record that the extent names")
        found, data = parse_data(segment.open(record), what)
        insist(found == identity, f"{what}: data of another place")
        return data

    def extent(self, extent):
        """The bytes of a data extent, record by record."""
        low, high, start = extent.skip, extent.skip + extent.length, 0
        for position, identity, tag in extent.records():
            if start < high and start + identity.length > low:
                data = self.record(extent.segment, position, identity, tag)
                yield data[max(low - start, 0) : high - start]
            start += identity.length

    def part(self, part):
        left = part.length
        for piece in self.extent(part.extent):
            yield piece[:left]
            left = max(left - len(piece), 0)

    def span(self, low, high, parts):
        """A file from low to high; all of the parts lie there, and what they do not cover is zeros."""
        at = low
        for part in parts:
            yield from zeros(part.offset - at)
            yield from self.part(part)
            at = part.offset + part.length
        yield from zeros(high - at)

    def pieces(self, tree, inode):
        return self.span(0, inode.size, data_parts(tree, inode))


@dataclass
class Part:
    """What of a data extent lies within the file's size."""

    offset: int
    length: int
    extent: Extent


def data_parts(tree, inode):
    extents = [extent for extent in tree.live_extents(inode) if not extent.unwritten and extent.offset < inode.size]
    return [Part(extent.offset, min(extent.length, inode.size - extent.offset), extent) for extent in extents]


def zeros(count):
    block = bytes(min(count, MIB))
    while count > 0:
        yield block[:count]
        count -= len(block)


class PieceFile:
    """What tarfile reads a file from."""

    def __init__(self, pieces):
        self.pieces, self.rest = pieces, b""

    def read(self, size):
        while len(self.rest) < size and (piece := next(self.pieces, None)) is not None:
            self.rest += piece
        data, self.rest = self.rest[:size], self.rest[size:]
        return data


# ---- The tree as paths ----


def find_inode(tree, number, path):
    insist(number in tree.inodes, f"{printable(path)}: its inode {number} is missing")
    return tree.inodes[number]


def entries(tree, number):
    """The entries of a directory by name."""
    rows = sorted(tree.dentries.get(number, {}).values(), key=lambda dentry: dentry.name)
    for one, other in zip(rows, rows[1:]):
        insist(one.name != other.name, f"inode {number}: {printable(one.name)} is there twice")
    return rows


def lookup(tree, path):
    """(path, inode) of a path; symbolic links are not followed."""
    parts = [part for part in os.fsencode(path).split(b"/") if part not in (b"", b".")]
    insist(1 in tree.inodes or parts, "the workspace has no root yet", Refusal)
    number, seen = 1, b""
    for part in parts:
        found = [dentry.inode for dentry in entries(tree, number) if dentry.name == part]
        insist(found, f"{path}: no such file or directory", Refusal)
        number, seen = found[0], seen + b"/" + part
    return seen or b"/", find_inode(tree, number, seen)


def walk(tree, path, inode):
    """Yields (path, inode) of everything from there downwards, parents first."""
    pending, seen = [(path, inode)], set()
    while pending:
        path, inode = pending.pop()
        yield path, inode
        if inode.is_directory():
            insist(inode.number not in seen, f"{printable(path)}: a directory that is reached twice")
            seen.add(inode.number)
            below = [(path.rstrip(b"/") + b"/" + dentry.name, dentry.inode) for dentry in entries(tree, inode.number)]
            pending += [(name, find_inode(tree, number, name)) for name, number in reversed(below)]


def printable(name):
    """Bytes that could confuse a terminal or a line-oriented reader, and the backslash, as octal escapes."""
    return re.sub(rb"[\0-\x1f\x7f\\]", lambda match: b"\\%03o" % match[0][0], name).decode("utf-8", "surrogateescape")


def decimal(moment):
    """A time as a decimal number of seconds: -1 s and 1 ns are -0.999999999."""
    total = moment[0] * 10**9 + moment[1]
    return "-" * (total < 0) + "%d.%09d" % divmod(abs(total), 10**9)


def stamp(moment):
    seconds, nanoseconds = moment
    if not 0 <= seconds < 253402300800:
        return f"@{decimal(moment)}"
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"


# ---- Commands ----


def run_ls(session):
    tree = session.tree()
    if not tree.inodes and session.options.path == "/":
        return
    for path, inode in walk(tree, *lookup(tree, session.options.path)):
        line = f"{stat.filemode(inode.mode)} {inode.nlink} {inode.uid} {inode.gid} {inode.size} {stamp(inode.mtime)} {printable(path)}"
        if stat.S_ISLNK(inode.mode):
            line += " -> " + printable(tree.targets.get(inode.number, b""))
        session.write(os.fsencode(line + "\n"))


def run_cat(session):
    tree = session.tree()
    _, inode = lookup(tree, session.options.path)
    insist(stat.S_ISREG(inode.mode), f"{session.options.path}: not a regular file", Refusal)
    for piece in Content(session.workspace()).pieces(tree, inode):
        session.write(piece)


def run_tar(session):
    tree, content, linked = session.tree(), Content(session.workspace()), {}
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path, inode in walk(tree, *lookup(tree, "/")):
            if stat.S_ISSOCK(inode.mode):
                warn(f"{printable(path)}: a socket, left out")
                continue
            member = tar_member(tree, path, inode, linked)
            archive.addfile(member, PieceFile(tar_pieces(tree, inode, content, member)) if member.isreg() else None)


def tar_pieces(tree, inode, content, member):
    """What the archive holds for a file. One with holes becomes a sparse member (PAX 1.0): its data behind a map of it."""
    spans = tar_spans(data_parts(tree, inode), inode.size)
    held = sum(high - low for low, high, _ in spans)
    if held == inode.size:
        return content.pieces(tree, inode)
    numbers = [number for low, high, _ in spans for number in (low, high - low)] + [inode.size, 0]
    places = b"".join(b"%d\n" % number for number in [len(numbers) // 2, *numbers])
    places += bytes(-len(places) % tarfile.BLOCKSIZE)
    sparse = {"major": "1", "minor": "0", "name": member.name, "realsize": str(inode.size)}
    member.pax_headers.update({f"GNU.sparse.{key}": value for key, value in sparse.items()})
    member.size = len(places) + held
    return itertools.chain([places], *(content.span(*span) for span in spans))


def tar_spans(parts, size):
    """[low, high, parts]: where a file has data, in whole blocks of a tar, because GNU tar reads no others."""
    spans = []
    for part in parts:
        low = part.offset // tarfile.BLOCKSIZE * tarfile.BLOCKSIZE
        if not spans or low > spans[-1][1]:
            spans.append([low, low, []])
        spans[-1][1] = min(round_up(part.offset + part.length, tarfile.BLOCKSIZE), size)
        spans[-1][2].append(part)
    return spans


TAR_TYPES = {8: tarfile.REGTYPE, 4: tarfile.DIRTYPE, 10: tarfile.SYMTYPE, 1: tarfile.FIFOTYPE, 2: tarfile.CHRTYPE, 6: tarfile.BLKTYPE}


def tar_member(tree, path, inode, linked):
    member = tarfile.TarInfo(os.fsdecode(b"." + path).rstrip("/"))
    member.type, member.mode = TAR_TYPES[inode.mode >> 12], inode.mode & 0o7777
    member.uid, member.gid = inode.uid, inode.gid
    member.pax_headers = {"mtime": decimal(inode.mtime), **tar_xattrs(tree.xattrs.get(inode.number, {}), path)}
    if inode.flags:
        member.pax_headers["SCHILY.fflags"] = ",".join(name for bit, name in enumerate(INODE_FLAGS) if inode.flags >> bit & 1)
    if member.isreg():
        member.size = inode.size
    elif member.issym():
        member.linkname = os.fsdecode(tree.targets.get(inode.number, b""))
    elif member.isdev():
        member.devmajor, member.devminor = os.major(inode.rdev), os.minor(inode.rdev)
    if inode.number in linked and not inode.is_directory():
        member.type, member.size, member.linkname = tarfile.LNKTYPE, 0, linked[inode.number]
    linked[inode.number] = member.name
    return member


def tar_xattrs(attributes, path):
    """As GNU tar keeps them: what a keyword cannot hold is escaped, and access control lists are texts of their own."""
    headers = {}
    for name, value in attributes.items():
        if name in ACL_NAMES:
            headers[f"SCHILY.acl.{ACL_NAMES[name]}"] = acl_text(parse_acl(value, printable(path)))
            continue
        try:
            keyword = "SCHILY.xattr." + name.decode().replace("%", "%25").replace("=", "%3D")
        except UnicodeDecodeError:
            warn(f"{printable(path)}: the extended attribute {printable(name)} has no name for a tar, left out")
            continue
        headers[keyword] = value.decode("utf-8", "surrogateescape")
    return headers


def run_info(session):
    print(f"store {session.store.id.hex()}")
    print(f"user {session.user.id.hex()} generation {session.user.generation} created {stamp(session.user.created)}")
    for slot in session.user.slots:
        print(f"  slot {KIND_NAMES[slot.kind]} generation {slot.generation} created {stamp(slot.created)}")
    if session.store.is_site:
        show_site(session.authority)
    for (kind, subject), limit in session.catalog.limits.items():
        name = str(int.from_bytes(subject, "little")) if kind > 1 else subject.hex() or "default"
        print(f"limit {['workspace', 'user', 'group'][kind - 1]} {name} {' '.join(map(str, limit))}")
        for workspace, grant in session.catalog.grants.get((kind, subject), {}).items():
            print(f"  grant {workspace.hex()} {' '.join(map(str, grant))}")
        if any(session.catalog.clocks.get((kind, subject), ())):
            print(f"  over since {' '.join(map(str, session.catalog.clocks[kind, subject]))}")
    for workspace, expiry in session.catalog.expiries.items():
        print(f"expiry {workspace.hex()} {' '.join(map(str, expiry))}")
    for workspace, (kind, live, owner) in session.catalog.workspaces.items():
        print(f"workspace {workspace.hex()} {['home', 'project'][kind - 1]} {'live' if live else 'deleted'} owner {owner.hex()}")
    for workspace in session.authority.mine():
        if session.options.workspace is None or session.workspace().id == workspace:
            show_workspace(session, session.open_workspace(workspace))


def show_site(authority):
    print(f"site root {key_text(authority.site.root)} user {authority.site.root_user.hex()}")
    for number, node in authority.site.nodes.items():
        print(f"node {number.hex()} {printable(node.name)}{f' removed at {node.removed[0]}' if node.removed else ''}")
        for workspace, last in authority.catalog.bounds.get(node.ed25519, {}).items():
            print(f"  its terms of {workspace.hex()} count up to {last}")
    for user, account in authority.catalog.accounts.items():
        print(f"account {user.hex()} {printable(account.name)} uid {account.uid} {'active' if account.active else 'disabled'}")
    for workspace, name in authority.catalog.names.items():
        print(f"name {workspace.hex()} {printable(name)}")


def show_members(roster):
    for user, member in roster.members.items():
        group = f" as one of {printable(roster.groups[user])}" if roster.groups.get(user) else ""
        print(f"  member {user.hex()} {ROLE_NAMES[member.role]}{group}")


def run_list(session):
    """The workspaces that the user is a member of."""
    for number in session.authority.mine():
        workspace = session.open_workspace(number)
        roster = workspace.roster
        role = ROLE_NAMES[roster.members[session.user.id].role]
        print(f"{number.hex()} {['home', 'project'][roster.kind - 1]} {role} epoch {roster.epoch} {printable(workspace.name)}")


def show_workspace(session, workspace):
    print(f"workspace {workspace.id.hex()} name {printable(workspace.name)} members {len(workspace.roster.members)}")
    show_members(workspace.roster)
    for epoch, end in workspace.keys.ends.items():
        print(f"  epoch {epoch} ended with change {end.term}.{end.number} and segment {end.segment:016x}")
    workspace.load_history()
    for term in workspace.terms.values():
        place = "" if term.number in workspace.numbers else " (not in the history)"
        beat = term.heartbeat(workspace.keys)
        beating = "no heartbeat" if beat is None else f"heartbeat {beat[0]}{' closed' if beat[1] else ''}"
        print(f"  term {term.number} previous {term.previous} node {term.node.hex()} {stamp(term.time)} {beating}{place}")
    for kind in ("log", "data", "ckpt"):
        for number in workspace.names(kind):
            print(f"  {kind} {number:016x} {workspace.segment(kind, number).size} bytes")
    checkpoint, replay = session.load(workspace)
    print(f"  checkpoint {checkpoint.number:016x} {checkpoint.rows} rows" if checkpoint.number else "  no checkpoint used")
    print(f"  position {replay.at}")
    blocks = sum(inode.blocks for inode in replay.tree.inodes.values())
    print(f"  usage {len(replay.tree.inodes)} inodes {blocks} blocks, next inode {replay.tree.next_inode}")


def run_verify(session):
    for workspace in session.authority.mine():
        if session.options.workspace is None or session.workspace().id == workspace:
            Verifier(session, workspace).run()


# ---- verify ----

PRIMES = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)


def rotate(value, bits):
    return (value << bits | value >> (64 - bits)) & NONE64


def xxh64_round(accumulator, lane):
    return rotate((accumulator + lane * PRIMES[1]) & NONE64, 31) * PRIMES[0] & NONE64


def xxh64(data):
    """XXH64 with seed 0."""
    p1, p2, p3, p4, p5 = PRIMES
    whole, result = len(data) // 32 * 32, p5
    if whole:
        a, b, c, d = (p1 + p2) & NONE64, p2, 0, -p1 & NONE64
        for lanes in struct.iter_unpack("<4Q", data[:whole]):
            a, b, c, d = (xxh64_round(*pair) for pair in zip((a, b, c, d), lanes))
        result = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) & NONE64
        for value in (a, b, c, d):
            result = ((result ^ xxh64_round(0, value)) * p1 + p4) & NONE64
    result, rest = (result + len(data)) & NONE64, data[whole:]
    words = len(rest) // 8 * 8
    for (lane,) in struct.iter_unpack("<Q", rest[:words]):
        result = (rotate(result ^ xxh64_round(0, lane), 27) * p1 + p4) & NONE64
    rest = rest[words:]
    if len(rest) >= 4:
        result = (rotate(result ^ int.from_bytes(rest[:4], "little") * p1 & NONE64, 23) * p2 + p3) & NONE64
        rest = rest[4:]
    for byte in rest:
        result = rotate(result ^ byte * p5 & NONE64, 11) * p1 & NONE64
    result = (result ^ result >> 33) * p2 & NONE64
    result = (result ^ result >> 29) * p3 & NONE64
    return result ^ result >> 32


class Verifier:
    """Opens every record of a workspace and checks that its rows agree with one another."""

    def __init__(self, session, workspace):
        self.session, self.id = session, workspace
        self.records = self.checked = 0

    def attempt(self, action, *arguments):
        """Runs one check; damage is told and counted, so that the others still run."""
        try:
            return action(*arguments)
        except Damage as error:
            warn(f"damage: {error}")
            self.session.damages += 1
            return None

    def expect(self, condition, message):
        self.attempt(insist, condition, message)

    def run(self):
        self.workspace = self.attempt(self.session.open_workspace, self.id)
        if self.workspace is None:
            return
        self.attempt(self.workspace.load_history)
        if not hasattr(self.workspace, "numbers"):
            return
        for term in self.workspace.terms.values():
            self.attempt(term.heartbeat, self.workspace.keys)
        loaded = self.attempt(self.session.load, self.workspace)
        self.walk_segments()
        if loaded:
            self.check_tree(loaded[1].tree)
            self.attempt(self.compare, loaded[1])
        print(f"workspace {self.id.hex()}: {self.records} records, {self.checked} of them through extents")

    def walk_segments(self):
        ends = self.log_ends()
        for kind in ("log", "data", "ckpt"):
            for number in self.checkpoints() if kind == "ckpt" else self.workspace.names(kind):
                if kind == "log" and number not in ends:
                    warn(f"log segment {number:016x} is void or behind a gap: not read")
                else:
                    self.attempt(self.walk, self.workspace.segment(kind, number), ends.get(number) if kind == "log" else None)
        for number in self.checkpoints():
            self.attempt(self.workspace.load_checkpoint, number)

    def checkpoints(self):
        """Those that may count: not those of epochs that have ended, which lie there until others take their place."""
        counting = []
        for number in self.workspace.names("ckpt"):
            try:
                self.workspace.segment("ckpt", number).header()
            except Forgery:
                continue
            except Damage:
                pass  # the caller finds it, too, and tells
            counting.append(number)
        return counting

    def log_ends(self):
        """{log segment: its end or None}, as far back as there are any."""
        ends, (number, end) = {}, self.workspace.open_end()
        present = self.workspace.names("log")
        while number in present and number not in ends:
            ends[number] = end
            step = self.attempt(self.workspace.log_step, number, end)
            number, end = (step.previous.segment, step.previous) if step else (0, None)
        return ends

    def walk(self, segment, end):
        offset, stop = 0, end.offset if end else segment.size
        while offset < stop:
            try:
                offset += self.record(segment, offset)
            except Damage as error:
                follower = next(segment.valid_after(offset + 8), None)
                if end is None and (follower is None or segment.kind == "log"):
                    if segment.kind == "log" and segment.is_zero_from(offset):
                        return
                    warn(f"{segment.path}: {segment.size - offset} bytes at its end are no records, or torn off")
                    return
                self.complain(segment, offset, error)
                offset = follower.offset if follower else stop

    def complain(self, segment, offset, error):
        """A data segment may hold garbage where a write failed; what matters in it is checked through extents."""
        if segment.kind == "data" and offset > 0:
            warn(f"{error} (harmless unless an extent needs it)")
        else:
            self.expect(False, str(error))

    def record(self, segment, offset):
        record = segment.record(offset)
        if record.type == DATA:
            parse_data(segment.open(record), f"{segment.path} at {offset}")
        elif record.type == CHANGE:
            segment.change(record)
        elif offset == 0:
            segment.header()
        else:
            segment.body(record)
        self.expect(le(xxh64(record.raw[:-8]), 8) == record.raw[-8:], f"{segment.path} at {offset}: the XXH64 is wrong")
        self.records += 1
        return record.size

    def compare(self, replay):
        """If the log is there from its beginning, replaying it all has to give the same tree."""
        oldest = min(self.log_ends(), default=0)
        if oldest and self.workspace.segment("log", oldest).header()[0] == End():
            whole = Replay(self.workspace, Checkpoint(0, End(), Tree(), 0)).run()
            for column in fields(Tree):
                same = getattr(whole.tree, column.name) == getattr(replay.tree, column.name)
                self.expect(same, f"the checkpoint's {column.name} are not those of the log")

    def check_tree(self, tree):
        links = {}
        for parent, rows in tree.dentries.items():
            self.attempt(entries, tree, parent)
            for cookie, dentry in rows.items():
                self.check_dentry(tree, parent, cookie, dentry)
                links[dentry.inode] = links.get(dentry.inode, 0) + 1
        for rows in (tree.xattrs, tree.extents, tree.targets):
            for number in rows.keys() - tree.inodes.keys():
                self.expect(False, f"inode {number} is missing, but other rows of it are there")
        root = tree.inodes.get(1)
        self.expect(not tree.inodes or root and root.is_directory(), "there is no root directory")
        for inode in tree.inodes.values():
            self.attempt(self.check_inode, tree, inode, links.get(inode.number, 0))

    def check_dentry(self, tree, parent, cookie, dentry):
        what = f"entry {cookie} of inode {parent}"
        directory, inode = tree.inodes.get(parent), tree.inodes.get(dentry.inode)
        self.expect(directory and directory.is_directory(), f"{what}: is not in a directory")
        self.expect(inode and inode.mode >> 12 == dentry.type, f"{what}: inode {dentry.inode} is missing or of another type")
        self.expect(not directory or 3 <= cookie < directory.next_cookie, f"{what}: the cookie is out of range")
        if inode and inode.is_directory():
            self.expect(inode.parent == parent, f"{what}: inode {dentry.inode} has another parent")

    def check_inode(self, tree, inode, links):
        what, live = f"inode {inode.number}", tree.live_extents(inode)
        if inode.is_directory():
            expected = 1 if inode.nlink and inode.number != 1 else 0
        else:
            expected = inode.nlink
        self.expect(links == expected, f"{what}: {links} entries, {expected} expected")
        self.expect(inode.number < tree.next_inode, f"{what}: the next inode's number is not above it")
        self.expect(stat.S_ISLNK(inode.mode) == (inode.number in tree.targets), f"{what}: symbolic link and target do not match")
        self.expect(stat.S_ISREG(inode.mode) or not live, f"{what}: has extents")
        attributes = sum(len(name) + len(value) for name, value in tree.xattrs.get(inode.number, {}).items())
        self.expect(attributes == inode.xattr_bytes, f"{what}: {attributes} bytes of extended attributes, it says {inode.xattr_bytes}")
        for name in ACL_NAMES.keys() & tree.xattrs.get(inode.number, {}).keys():
            self.attempt(self.check_acl, inode, name, tree.xattrs[inode.number][name])
        blocks = charged_blocks(inode, live, attributes)
        self.expect(blocks == inode.blocks, f"{what}: {blocks} blocks, it says {inode.blocks}")
        for extent in live:
            self.attempt(self.check_extent, extent)

    def check_acl(self, inode, name, value):
        what, entries = f"inode {inode.number}", parse_acl(value, f"inode {inode.number}")
        if ACL_NAMES[name] == "default":
            self.expect(inode.is_directory(), f"{what}: a default list, and no directory")
            return
        self.expect(len(entries) > 3, f"{what}: its access list says no more than a mode")
        self.expect(acl_mode(entries) == inode.mode & 0o777, f"{what}: mode and access list do not agree")

    def check_extent(self, extent):
        content = Content(self.workspace)
        for place in extent.records() if not extent.unwritten else ():
            content.record(extent.segment, *place)
            self.checked += 1


def charged_blocks(inode, live, attributes):
    touched, after = 0, 0  # `after` is the first block that is not counted yet
    for extent in live:
        first, last = extent.offset // 4096, (extent.offset + extent.length - 1) // 4096
        touched += max(last + 1 - max(first, after), 0)
        after = last + 1
    fixed = stat.S_ISDIR(inode.mode) or stat.S_ISLNK(inode.mode)
    return touched + fixed + round_up(attributes, 4096) // 4096


# ---- Command line ----


class Session:
    """What the command line named, opened as far as needed."""

    def __init__(self, options):
        self.options, self.damages = options, 0
        self.store = Store(options.store)
        self.authority = self.open_authority()
        self.user, self.catalog = self.authority.user, self.authority.catalog
        self.chosen = None

    def open_authority(self):
        """What there is to be known of a site is not from its store: its root's key (K3)."""
        root = self.options.site_root
        insist(not self.store.is_site or root, f"{self.store.path}: the store of a site: give the key of its root with --site-root", Refusal)
        insist(self.store.is_site or not root, f"{self.store.path}: not the store of a site", Refusal)
        if not self.store.is_site:
            return Owner(self.store, read_secret(self.options))
        return Members(self.store, read_secret(self.options), parse_key_text(root), self.options.user)

    def write(self, data):
        sys.stdout.buffer.write(data)

    def open_workspace(self, workspace):
        return Workspace(self.authority, self.user, workspace)

    def workspace(self):
        if self.chosen is None:
            self.chosen = self.choose()
        return self.chosen

    def choose(self):
        wanted, mine = self.options.workspace, self.authority.mine()
        if wanted is None:
            insist(len(mine) == 1, f"the store has {len(mine)} workspaces: name one with --workspace", Refusal)
            return self.open_workspace(mine[0])
        named = {self.authority.name(workspace): workspace for workspace in mine}
        if wanted in [workspace.hex() for workspace in mine]:
            return self.open_workspace(bytes.fromhex(wanted))
        if os.fsencode(wanted) in named:
            return self.open_workspace(named[os.fsencode(wanted)])
        for workspace in mine:
            try:
                opened = self.open_workspace(workspace)
            except Damage as error:
                warn(f"passed over: {error}")
                continue
            if opened.name == os.fsencode(wanted):
                return opened
        raise Refusal(f"no workspace {wanted}")

    def load(self, workspace):
        """(the checkpoint used, the replay behind it)"""
        empty = Checkpoint(0, End(), Tree(), 0)
        checkpoint = empty if self.options.no_checkpoint else workspace.newest_checkpoint()
        return checkpoint, Replay(workspace, checkpoint).run()

    def tree(self):
        self.workspace().load_history()
        return self.load(self.workspace())[1].tree


def read_secret(options):
    if options.recovery_file:
        return Secret(2, parse_recovery_code(read_file(options.recovery_file, 4096)))
    if options.key_file:
        key = read_file(options.key_file, 4096)
        insist(len(key) == 32, f"{options.key_file}: not a key file: it has to hold exactly 32 bytes", WrongSecret)
        return Secret(3, key)
    if options.passphrase_file:
        return Secret(1, read_file(options.passphrase_file, 65536).removesuffix(b"\n"))
    return Secret(1, os.fsencode(getpass.getpass("Passphrase: ")))


COMMANDS = {"list": run_list, "ls": run_ls, "cat": run_cat, "info": run_info, "tar": run_tar, "verify": run_verify}


def parse_options():
    parser = argparse.ArgumentParser(description="Reads a riad store without riad.")
    secret = parser.add_mutually_exclusive_group()
    secret.add_argument("--passphrase-file", metavar="F", help="one newline at its end is not part of the passphrase")
    secret.add_argument("--recovery-file", metavar="F", help="a file with the recovery code")
    secret.add_argument("--key-file", metavar="F", help="the key file")
    parser.add_argument("--site-root", metavar="KEY", help="for a site's store: the public key of its root, as its nodes' configuration has it")
    parser.add_argument("--user", metavar="NAME|ID", help="for a site's store: whose secret it is; otherwise it is tried with every user's file")
    parser.add_argument("--workspace", metavar="NAME|ID", help="needed if there are several")
    parser.add_argument("--no-checkpoint", action="store_true", help="replay the whole log")
    parser.add_argument("store", metavar="STORE")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the workspaces that the user is a member of")
    listing = commands.add_parser("ls", help="mode, links, uid, gid, size, mtime and path of everything below PATH")
    listing.add_argument("path", nargs="?", default="/", metavar="PATH")
    commands.add_parser("cat", help="the content of a file").add_argument("path", metavar="PATH")
    commands.add_parser("info", help="what the store holds")
    commands.add_parser("tar", help="the tree as a tar archive")
    commands.add_parser("verify", help="open every record and check that the rows agree")
    return parser.parse_args()


def main():
    try:
        session = Session(parse_options())
        COMMANDS[session.options.command](session)
        sys.stdout.flush()
        insist(not session.damages, f"{session.damages} damages")
    except Refusal as error:
        warn(error)
        return error.code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        warn(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
