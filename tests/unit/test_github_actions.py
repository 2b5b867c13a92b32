"""The table of GitHub's actions knows every event that is recognised, and every delivery that was recorded."""

import json
from pathlib import Path

import pytest

from orchestrator.sources.github_actions import ACTIONS
from orchestrator.sources.github_shapes import SHAPES

DELIVERIES = Path(__file__).parents[1] / "deliveries" / "github"
OWN_WORDS = {"repository_dispatch", "content_reference"}
"""One names its own action, of the other GitHub no longer says which there were."""


def test_every_event_but_two_has_its_actions():
    assert SHAPES.keys() - ACTIONS.keys() == OWN_WORDS


@pytest.mark.parametrize("path", sorted(DELIVERIES.glob("*.json")), ids=lambda path: path.stem)
def test_a_recorded_delivery_has_an_action_of_its_event(path):
    action = json.loads(path.read_bytes()).get("action")
    known = ACTIONS[path.name.partition(".")[0]]

    assert action in known if known else action is None
