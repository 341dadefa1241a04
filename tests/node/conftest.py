"""Sites with real accounts, for the tests of riadd."""
import shutil
import tempfile
from pathlib import Path

import pytest

from sites import Account, Site


@pytest.fixture(scope="module")
def accounts(request):
    """As many as the module says."""
    module = request.module
    made = [Account(f"{module.__name__[-3:]}{number}") for number in range(module.ACCOUNTS)]
    yield made
    for account in made:
        account.remove()


@pytest.fixture(scope="module")
def service(request):
    """Whom the worker becomes."""
    account = Account(f"{request.module.__name__[-3:]}s")
    yield account
    account.remove()


@pytest.fixture
def site(binary, base, service):
    path = Path(tempfile.mkdtemp(prefix="riadd-", dir=base))
    path.chmod(0o755)
    yield Site(binary, path, service)
    shutil.rmtree(path)
