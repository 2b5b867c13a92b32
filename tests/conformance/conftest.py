"""Each inbox in turn, empty."""

import pytest

from tests.conformance.inboxes import IMPLEMENTATIONS


@pytest.fixture(params=IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS.keys())
def inbox(request, tmp_path, postgres):
    with request.param(tmp_path, postgres) as opened:
        yield opened
