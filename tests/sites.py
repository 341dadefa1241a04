"""A site in a temporary directory: its store, and machines that are, or want to be, its nodes."""
import json
import os
import shutil
import subprocess

from harness import DONE


class Node:
    """One machine: a configuration, a key and a local state of its own."""

    def __init__(self, site, name):
        self.site, self.name = site, name
        self.directory = site.base / name
        self.directory.mkdir(mode=0o755)
        self.config = self.directory / "riadd.conf"
        self.state = self.directory / "state"

    def environment(self):
        drop = ("RIAD_STATE_DIR", "XDG_STATE_HOME", "RIAD_PASSPHRASE_FILE")
        return {**{key: value for key, value in os.environ.items() if key not in drop}, "RIAD_CONFIG": str(self.config),
                "RIAD_STATE_DIR": str(self.state), "HOME": str(self.directory)}

    def run(self, *arguments, code=DONE, **more):
        result = subprocess.run([self.site.binary, *map(str, arguments)], env=self.environment(), stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, check=False, timeout=120, **more)
        assert code in (None, result.returncode), f"riad {arguments} gave {result.returncode}:\n{result.stdout}{result.stderr}"
        return result

    def json(self, *arguments, **more):
        return json.loads(self.run(*arguments, "--json", **more).stdout)

    def join(self):
        return self.json("node", "join", self.site.store, self.site.root)["node"]

    def events(self):
        return self.json("events")["events"]

    def lose_disk(self):
        shutil.rmtree(self.directory)
        self.directory.mkdir(mode=0o755)


class Site:
    def __init__(self, binary, base):
        self.binary, self.base = binary, base
        self.store = base / "store"
        self.first = Node(self, "login1")
        made = self.first.json("site", "init", self.store, "--name", "login1")
        self.root = made["root"]
        self.code = self.write_secret("code", made["recovery_code"])

    def write_secret(self, name, text):
        path = self.base / name
        path.write_text(text + "\n", encoding="ascii")
        path.chmod(0o600)
        return path

    def node(self, name):
        return Node(self, name)

    def add(self, node, by=None):
        return (by or self.first).json("node", "add", node.name, node.join(), "--recovery-file", self.code)

    def nodes(self, by=None):
        return {node["node"]: "removed" if node["removed"] else "node" for node in (by or self.first).json("node", "list")["nodes"]}

    def copy(self):
        """As a storage snapshot has it."""
        path = self.base / f"copy{len(list(self.base.glob('copy*')))}"
        shutil.copytree(self.store, path)
        return path

    def put_back(self, copy):
        shutil.rmtree(self.store)
        shutil.copytree(copy, self.store)
