"""What tests of several directories share: one Postgres for all that ask for it."""

from collections.abc import Iterator

import pytest

from tests.support.postgres import Postgres, installed


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with installed() as server:
        yield server
