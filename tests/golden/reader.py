"""scripts/riad-dump.py as a module, and what somebody with keys could make for it: records, heartbeats and envelopes."""
import argparse
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PATH = Path(__file__).resolve().parents[2] / "scripts" / "riad-dump.py"


def load():
    spec = importlib.util.spec_from_file_location("riad_dump", PATH)
    module = sys.modules["riad_dump"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


dump = load()
le = dump.le


def open_session(store, root, recovery_file, workspace, no_checkpoint=False):
    options = {"store": store, "site_root": root, "user": None, "recovery_file": recovery_file, "workspace": workspace,
               "no_checkpoint": no_checkpoint}
    return dump.Session(argparse.Namespace(**options))


def time():
    return bytes(12)


def b32(data):
    return le(len(data), 4) + data


def end(value):
    return le(value.segment, 8) + le(value.offset, 8) + le(value.term, 4) + le(value.number, 8) + value.chain


@dataclass
class Sealer:
    """Whoever has an epoch's keys, and may write to the storage."""

    keys: object
    epoch: int
    stream: bytes = b"a stream, opened"
    counter: int = 0

    def record(self, kind, purpose, body):
        """A record of any type but data, of the next counter of the stream."""
        plain = b32(body)
        plain += bytes(-len(plain) % 64)
        header = b"RIAR\x01\x01" + le(kind, 1) + le(1, 1) + bytes(4) + le(self.epoch, 4) + self.keys.workspace + self.stream
        header += le(self.counter, 8) + le(len(plain), 4) + bytes(4)
        cipher = self.keys.stream(purpose, self.stream, self.epoch)
        record = header + cipher.encrypt(bytes(4) + le(self.counter, 8), plain, header)
        self.counter += 1
        return record + le(dump.xxh64(record), 8)

    def header(self, kind, number, previous):
        """The first record of a segment: kind 1 log, 3 checkpoint."""
        body = le(kind, 1) + le(number, 8) + end(previous) + time() + bytes(12) + b32(b"")
        return self.record(dump.HEADER, {1: "change", 3: "checkpoint"}[kind], body)

    def change(self, at, operation=9, body=b""):
        """The change behind that place: one operation, by default a symlink put."""
        content = le(at.term, 4) + le(at.number + 1, 8) + at.chain + le(at.number, 8) + time() + bytes(8 + 4)
        return self.record(dump.CHANGE, "change", content + le(1, 4) + le(operation, 1) + le(0, 1) + b32(body))

    def beat(self, term, last):
        """Of a term that ended with that change."""
        raw = b"RIAB\x01\x01" + bytes(2) + le(term, 4) + bytes(4) + le(9, 8) + le(last, 8)
        return raw + dump.mac(self.keys.subkey("beat", self.epoch, 32), self.keys.workspace + raw)


def sign(store, magic, body, seed):
    """An envelope."""
    private, label = Ed25519PrivateKey.from_private_bytes(seed), dump.LABELS[magic]
    signed = magic + b"\x01\x01" + bytes(2 + 12) + store.id + store.json_hash + b32(body)
    signature = private.sign(label + b"\0" + signed)
    key = dump.key_id(public_of(private))
    return signed + le(1, 2) + key + le(len(label), 2) + label + le(64, 2) + signature


def public_of(private):
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def user_file(store, user, secret, seed):
    """One with a slot for a recovery code of these 32 bytes, and keys made of the seed."""
    publics = public_of(X25519PrivateKey.from_private_bytes(seed)) + public_of(Ed25519PrivateKey.from_private_bytes(seed))
    opening = le(2, 1) + le(0, 1) + le(1, 4) + time() + le(2, 1) + bytes(1 + 8) + le(32, 2) + bytes(32)
    out = dump.hkdf(secret, bytes(32), b"riad/v1/slot" + store.id + user + le(2, 1), 64)
    opening += out[32:] + bytes(12)
    associated = b"riad/v1/slot" + store.id + user + le(1, 4) + publics + opening
    sealed = dump.AESGCM(out[:32]).encrypt(bytes(12), seed + seed, associated)
    slot = opening + le(len(sealed), 2) + sealed
    return sign(store, b"RIAU", user + time() + le(0, 2) + le(1, 4) + publics + le(1, 2) + slot + b32(b""), seed)
