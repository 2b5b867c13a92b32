"""Every reason has its published answer."""

import json

import pytest

from orchestrator.doorbell.problems import PROBLEMS, body_of
from orchestrator.errors import Reason

PUBLISHED = {400, 401, 404, 405, 408, 413, 415, 503}


@pytest.mark.parametrize("reason", Reason)
def test_d5_every_reason_has_a_status_that_says_who_must_act(reason):
    problem = json.loads(body_of(reason))

    assert problem["status"] == PROBLEMS[reason].status
    assert problem["status"] in PUBLISHED
    assert problem["type"] == f"urn:doorbell:problem:{reason}"
    assert problem["title"]
    assert problem["detail"].endswith(".")
