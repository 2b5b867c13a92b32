"""What tests of several directories share: one Postgres for all that ask for it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.postgres import Postgres, installed

# A busy machine is no failure: what must be fast is measured elsewhere.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

# Nobody is reached over TLS but by contexts of a test's own, and every HTTP client that is made would read the system's
# authorities anew: 30 ms and more, thousands of times.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).parent / "support" / "nobody.pem")  # noqa: TID251 - for clients and children


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with installed() as server:
        yield server
