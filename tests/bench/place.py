"""Where the stores lie, and where the rest does: a temporary directory, another file system, or a rig."""
import contextlib
import shutil
import tempfile
from pathlib import Path


class Place:
    """local: mount points, local state, materials. stores: the stores."""

    def __init__(self, local, stores, renew=lambda: None):
        self.local, self.stores, self.renew = local, stores, renew


@contextlib.contextmanager
def temporary(parent=None):
    path = Path(tempfile.mkdtemp(prefix="riad-bench-", dir=parent)).resolve()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def prepare(store=None, rig=None):
    """rig: gives, of two directories, a context of (where its mount is, how to drop what its client caches)."""
    with temporary() as local, contextlib.ExitStack() as stack:
        stores = stack.enter_context(temporary(store)) if store else local
        if rig is None:
            yield Place(local, stores)
            return
        (stores / "rig").mkdir()
        (local / "rig-state").mkdir(exist_ok=True)
        mount, renew = stack.enter_context(rig(stores / "rig", local / "rig-state"))
        yield Place(local, mount, renew)
