"""The words of an event as rules and templates see them."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.events import Actor, event_id
from tests.support.builders import event


def test_the_scope_has_exactly_the_one_vocabulary():
    happened = event(data={"a": 1}, headers={"x-id": "7"})

    assert happened.scope() == {
        "event": {"a": 1},
        "id": "evt_1",
        "source": "github",
        "type": "issue_comment.created",
        "subject": "acme/api#7",
        "actor": "ann",
        "headers": {"x-id": "7"},
    }


@pytest.mark.parametrize(
    ("actor", "named"),
    [
        (None, None),
        (Actor(id="1"), "1"),
        (Actor(login="ann"), "ann"),
        (Actor(id="1", login="ann"), "ann"),
        (Actor(), None),
    ],
)
def test_an_actor_goes_by_the_login_else_the_id(actor, named):
    assert event(actor=actor).scope()["actor"] == named


def test_an_event_can_not_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        event().source = "stripe"


def test_the_headers_of_a_scope_are_a_copy():
    headers = {"a": "1"}
    event(headers=headers).scope()["headers"]["b"] = "2"

    assert headers == {"a": "1"}


def test_a_later_event_has_a_later_id_whatever_was_drawn():
    at = datetime(2026, 11, 21, tzinfo=UTC)

    assert event_id(at, b"\xff" * 6) == "evt_6b00df00ffffffffffff"
    assert event_id(at, b"\xff" * 6) < event_id(at + timedelta(seconds=1), b"\x00" * 6)
