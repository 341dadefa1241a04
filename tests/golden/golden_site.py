"""The golden store of a site, for what made it and for what reads it: its accounts, and riadd on it."""
import base64
import json
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import sites

NAMES = {"alice": 59341, "bob": 59342, "carol": 59343, "dave": 59344}  # the catalog knows them by uid and name
TEAM, TEAM_ID = "golden-team", 59345  # carol is a member of the project as one of this group
# What the projects of the site may hold, and where riadd serves.
POLICY = ("[policy]", "projects = users", "home-bytes = 40M", "project-bytes = 40M", "project-inodes = 2k")


class Account(sites.Account):
    """An account whose uid and name are those of the store, not whatever is free."""

    def __init__(self, name):
        self.name, self.uid = f"golden-{name}", NAMES[name]
        self.group = self.name
        self.gid = self.uid
        subprocess.run(["groupadd", "-g", str(self.gid), self.name], check=True, capture_output=True)
        subprocess.run(["useradd", "--no-create-home", "--home-dir", "/nonexistent", "-K", "UID_MAX=65000", "-u", str(self.uid), "-g",
                        str(self.gid), self.name], check=True, capture_output=True)


def are_free():
    """Nobody else on this machine has these names and ids."""
    names = {f"golden-{name}" for name in NAMES}
    return not any(entry.pw_uid in NAMES.values() or entry.pw_name in names for entry in pwd.getpwall())


class Accounts:
    """with Accounts() as accounts: accounts["alice"], ..."""

    def __enter__(self):
        self.made = {}
        try:
            for name in NAMES:
                self.made[name] = Account(name)
            subprocess.run(["groupadd", "-g", str(TEAM_ID), "--users", self.made["carol"].name, TEAM], check=True, capture_output=True)
        except BaseException:
            self.__exit__()
            raise
        return self.made

    def __exit__(self, *_):
        subprocess.run(["groupdel", TEAM], check=False, capture_output=True)
        for account in self.made.values():
            account.remove()


def people(daemon, accounts, secrets):
    """Each with the passphrase that opens the golden store."""
    return {name: sites.Person(daemon, account, secrets[name]["passphrase"]) for name, account in accounts.items()}


class Opened:
    """A copy of the store, with the first of its nodes on this machine, whose local state is empty."""

    def __init__(self, source, base, binary, service):
        self.binary, self.service = binary, service
        self.base = Path(tempfile.mkdtemp(prefix="golden-site-", dir=base))
        self.base.chmod(0o755)
        self.store, self.secrets = self.base / "store", json.loads((source / "secrets.json").read_text(encoding="utf-8"))
        subprocess.run(["tar", "-xf", source / "store.tar", "-C", self.base, "--no-same-owner"], check=True)

    def write_secret(self, name, text):
        path = self.base / name
        path.write_text(text + "\n", encoding="utf-8")
        path.chmod(0o600)
        return path

    def node(self):
        subprocess.run(["chown", "-R", f"{self.service.uid}:{self.service.gid}", self.store], check=True)
        node = sites.Node(self, "login1")
        key = node.directory / "node.key"
        key.write_bytes(base64.b64decode(self.secrets["nodes"]["login1"]))
        key.chmod(0o600)
        node.config.write_text(f"[site]\nstore = {self.store}\nroot = {self.secrets['root']}\n[node]\nuser = {self.service.name}\n",
                               encoding="utf-8")
        os.chmod(node.config, 0o644)
        return node

    def remove(self):
        shutil.rmtree(self.base)
