"""Where the stores lie, and where the rest does: a temporary directory, another file system, or a rig."""
import contextlib
import shutil
import tempfile
from pathlib import Path


class Place:
    """local: mount points, local state, materials. stores: the stores."""

    def __init__(self, local, stores, renew=lambda: None, calls=None):
        self.local, self.stores, self.renew, self.calls = local, stores, renew, calls


@contextlib.contextmanager
def temporary(parent=None):
    path = Path(tempfile.mkdtemp(prefix="riad-bench-", dir=parent)).resolve()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def prepare(store=None, rig=None):
    """rig: as rigs.start gives it."""
    with temporary() as local, contextlib.ExitStack() as stack:
        stores = stack.enter_context(temporary(store)) if store else local
        if rig is None:
            yield Place(local, stores)
            return
        data, state = stores / "rig-data", local / "rig-state"
        data.mkdir()
        state.mkdir()
        started = stack.enter_context(rig(data, state))
        yield Place(local, started.mount, started.renew, started.calls)
