"""What tests of several directories share: one Postgres for all that ask for it."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.postgres import Postgres, installed

# A busy machine is no failure: what must be fast is measured elsewhere.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with installed() as server:
        yield server
