"""Thousands of users of a site at once, as its node would have signed them into the catalog: their homes are never opened."""
import hashlib
import os
import struct
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ENTRIES = 4096  # of a batch
LABEL = b"riad/v1/catalog"


def identity(what, number):
    return hashlib.sha256(f"{what} {number}".encode()).digest()[:16]


def entry(kind, body):
    return struct.pack("<BBI", kind, 0, len(body)) + body


def entries(number, limits):
    """A user, her home, and its limits (docs/FORMAT.md 3.5, kinds 4, 1 and 2)."""
    user, home, name = identity("user", number), identity("home", number), f"crowd{number:05}".encode()
    keys = hashlib.sha256(user).digest() + hashlib.sha256(home).digest()
    yield entry(4, user + struct.pack("<IBI", 2_000_000 + number, 1, 1) + keys + struct.pack("<H", len(name)) + name)
    yield entry(1, home + struct.pack("<BB", 1, 1) + user)
    yield entry(2, struct.pack("<BH", 1, 16) + home + struct.pack("<QQQQII", *limits(number), 0, 0))


class Signer:
    """The node's key, which riadd has, and the end of its catalog."""

    def __init__(self, site):
        self.catalog = site.store / "catalog"
        self.key = Ed25519PrivateKey.from_private_bytes((site.first.directory / "node.key").read_bytes()[56:88])
        public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key_id = hashlib.sha256(b"riad/v1/key-id" + public).digest()
        self.next, self.head = 0, bytes(32)
        for path in sorted(self.catalog.iterdir()):
            data = path.read_bytes()
            self.head = hashlib.sha256(LABEL + data).digest()
            self.next = int(path.name, 16) + struct.unpack_from("<I", data, 72 + 8 + 32 + 12)[0]
        self.owner = self.catalog.stat()
        self.prefix = struct.pack("<4sBBHIII", b"RIAC", 1, 1, 0, 0, 0, 0) + self.binding(site)

    @staticmethod
    def binding(site):
        text = (site.store / "riad.json").read_bytes()
        import json
        return bytes.fromhex(json.loads(text)["store"]) + hashlib.sha256(text).digest()

    def publish(self, items):
        body = struct.pack("<Q", self.next) + self.head + struct.pack("<qI", int(time.time()), 0) + struct.pack("<I", len(items))
        body += b"".join(items) + struct.pack("<I", 0)
        signed = self.prefix + struct.pack("<I", len(body)) + body
        signature = self.key.sign(LABEL + b"\0" + signed)
        data = signed + struct.pack("<H", 1) + self.key_id + struct.pack("<H", len(LABEL)) + LABEL + struct.pack("<H", 64) + signature
        path = self.catalog / f"{self.next:016x}"
        path.write_bytes(data)
        path.chmod(0o600)
        os.chown(path, self.owner.st_uid, self.owner.st_gid)
        self.next, self.head = self.next + len(items), hashlib.sha256(LABEL + data).digest()


def enrol_crowd(site, count, limits):
    """Users crowd00000 ...; limits(number): soft and hard on bytes, soft and hard on inodes. riadd takes them over when it looks."""
    items = [item for number in range(count) for item in entries(number, limits)]
    signer = Signer(site)
    for start in range(0, len(items), ENTRIES):
        signer.publish(items[start:start + ENTRIES])
