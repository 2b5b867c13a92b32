"""The source of what a person says: each word names its one thing, and nothing else is said."""

import json

import pytest

from orchestrator.errors import Malformed
from orchestrator.events import Actor
from orchestrator.sources.operator import NAMES, OperatorDialect

HEADERS = {"webhook-id": "o1"}


def read(**said):
    return OperatorDialect().read(HEADERS, json.dumps(said).encode())


@pytest.mark.parametrize(("said", "what"), NAMES.items())
def test_a_word_is_about_one_thing_and_names_who_says_it(said, what):
    reading = read(type=said, by="ann", **{what: "it"})

    assert (reading.type, reading.subject, reading.keys) == (said, "it", (f"{what}:it",))
    assert (reading.actor, reading.delivery_id) == (Actor(login="ann"), "o1")
    assert what in OperatorDialect().publishes


@pytest.mark.parametrize("said", NAMES)
@pytest.mark.parametrize("given", [{}, {"by": "ann"}, {"by": "ann", "other": "it"}])
def test_a_word_without_its_thing_or_its_speaker_is_malformed(said, given):
    with pytest.raises(Malformed):
        read(type=said, **given)


@pytest.mark.parametrize("said", ["rule.erase", "", None, 7, ["rule.pause"], "run"])
def test_a_word_that_nobody_knows_is_malformed_and_the_known_ones_are_told(said):
    with pytest.raises(Malformed, match=r"rule\.pause"):
        read(type=said, by="ann", rule="triage")
