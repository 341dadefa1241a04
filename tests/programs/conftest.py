"""What the tests of real programs share."""
import shutil

import pytest

import trees


@pytest.fixture(scope="module")
def real(base):
    """A tar of real files of this machine, and the same unpacked on an ordinary file system."""
    folder = base / "real"
    folder.mkdir()
    trees.real_tar(folder / "real.tar", most_files=2500, most_bytes=40 << 20)
    trees.unpack(folder / "real.tar", folder / "plain")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def plain(base):
    """A directory on an ordinary file system."""
    path = base / "plain"
    path.mkdir()
    yield path
    shutil.rmtree(path)
