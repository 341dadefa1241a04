"""The two ways of requests, for tests that go both: FUSE over io_uring where the kernel offers it, and /dev/fuse."""
from pathlib import Path

import pytest

RING = Path("/sys/module/fuse/parameters/enable_uring")


def offered():
    return RING.exists() and RING.read_text(encoding="ascii").strip() == "Y"


@pytest.fixture(params=["uring", "nouring"])
def option(request):
    """What -o is told."""
    if request.param == "uring" and not offered():
        pytest.skip("the kernel does not offer FUSE over io_uring")
    return request.param
