"""One Temporal server, one lab and one nursery for all tests of this directory that ask for them."""

from collections.abc import Iterator

import pytest

from tests.support import town as shared


@pytest.fixture(scope="session")
def town() -> Iterator[shared.Town]:
    with shared.town() as built:
        yield built
