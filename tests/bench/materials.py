"""What the works are done with, made once: a tree as an archive and as a git repository, packages of Python."""
import functools
import shutil
import sys
from pathlib import Path

from .system import git, run

SOURCE = Path("/usr/src/linux-source-6.1.tar.xz")
MODULES_OF_PACKAGE = 20
MODULE = '''"""Module {number}."""
import collections


class Thing{number}(collections.OrderedDict):
    def method(self, first, second={number}):
        """Adds."""
        return [first + second for _ in range({number})]


TABLE = {{f"{{name}}-{number}": name for name in range(10)}}
'''


class Materials:
    def __init__(self, directory, sizes):
        self.directory, self.sizes = directory, sizes

    @functools.cached_property
    def tree(self):
        tree = self.directory / "tree"
        tree.mkdir()
        folders = [f"linux-source-6.1/{name}" for name in self.sizes.folders]
        run("tar", "-xf", SOURCE, "-C", tree, "--strip-components=1", *folders)
        return tree

    @functools.cached_property
    def archive(self):
        run("tar", "-cf", self.directory / "tree.tar", "-C", self.tree, *self.sizes.folders)
        return self.directory / "tree.tar"

    @functools.cached_property
    def repository(self):
        """Of the same files; one pack."""
        repository = self.directory / "tree.git"
        git("init", "-q", "--bare", repository)
        inside = ["--git-dir", repository, "--work-tree", self.tree]
        git(*inside, "add", "-A", "-f", ".")
        git(*inside, "-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "-q", "-m", "A tree")
        git("--git-dir", repository, "gc", "-q")
        return repository

    def make_packages(self, top):
        """bench_packages imports all of its packages, each of which imports its modules."""
        packages = max(1, self.sizes.modules // MODULES_OF_PACKAGE)
        for package in range(packages):
            folder = top / f"package{package}"
            folder.mkdir(parents=True)
            for number in range(MODULES_OF_PACKAGE):
                (folder / f"module{number}.py").write_text(MODULE.format(number=number), encoding="utf-8")
            (folder / "__init__.py").write_text("".join(f"from . import module{number}\n" for number in range(MODULES_OF_PACKAGE)), encoding="utf-8")
        (top / "__init__.py").write_text("".join(f"from . import package{number}\n" for number in range(packages)), encoding="utf-8")

    @functools.cached_property
    def packages(self):
        top = self.directory / "bench_packages"
        self.make_packages(top)
        run(sys.executable, "-m", "compileall", "-q", top)
        run("tar", "-cf", self.directory / "packages.tar", "-C", self.directory, top.name)
        shutil.rmtree(top)
        return self.directory / "packages.tar"

    def make(self, names):
        """Before anything is measured."""
        if "unpack" in names:
            self.archive  # pylint: disable=pointless-statement
        if "git_clone_status" in names:
            self.repository  # pylint: disable=pointless-statement
        if "python_import_cold" in names:
            self.packages  # pylint: disable=pointless-statement
