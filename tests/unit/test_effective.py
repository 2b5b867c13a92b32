"""Frozen and live, as a decision over values: what may still be called of what was pinned."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.agent.calling.revoked import Live, effective
from orchestrator.agent.hands.definitions import definition_hash
from tests.support.builders import tool
from tests.support.locked import COMMENT, SERVER, lock_of_tools
from workflows.playbook import Allowed, Effect, Playbook, WriteLimit

ARGUMENTS = {"body": "Hello"}
PINNED = tool(hash=definition_hash(COMMENT))
LABELS = {"labels": Allowed(values=("bug",))}


def playbook(**changes: Any) -> Playbook:
    values = {
        "digest": "p2",
        "model": "m",
        "max_tokens": 1,
        "inputs": {},
        "tools": {"github": ("comment",)},
    }
    return Playbook(name="triage", **values | changes)


def limited(**changes: Any) -> Playbook:
    return playbook(writes={"github.comment": WriteLimit(**changes)})


def test_what_is_in_force_as_it_was_pinned_allows_the_call():
    live = Live(arguments=ARGUMENTS, playbook=playbook(), server=SERVER)
    assert effective(PINNED, live) is None


def test_without_its_playbook_what_was_pinned_holds():
    assert effective(PINNED, Live(arguments=ARGUMENTS, before=9)) is None


@pytest.mark.parametrize(
    ("live", "words"),
    [
        (Live(arguments={}, playbook=playbook(tools={"github": ("look",)})), "taken off"),
        (Live(arguments={}, playbook=playbook(tools={})), "github.comment was taken off"),
        (Live(arguments={}, drift="it is in quarantine"), "it is in quarantine"),
        (Live(arguments={}, playbook=limited(max=2), before=2), "may be called 2 times in a run"),
        (Live(arguments={}, playbook=playbook(), before=1), "may be called 1 times in a run"),
        (
            Live(arguments={"labels": ["bug", "x"]}, playbook=limited(args=LABELS)),
            "- labels: expected one of 'bug', got 'x'",
        ),
        (Live(arguments={}, locked=lock_of_tools(COMMENT).tool("github", "comment")), ""),
    ],
)
def test_what_is_not_allowed_any_more_is_told_in_words(live, words):
    assert words in str(effective(replace(PINNED, hash="another"), live))


def test_a_pinned_policy_holds_even_where_the_file_no_longer_says_so():
    live = Live(arguments={"labels": "x"}, playbook=playbook())
    assert "the playbook doesn't allow this" in str(effective(tool(args=LABELS), live))


def test_an_amount_that_has_a_bound_now_must_be_given_by_a_call_of_before():
    bounded = limited(args={"body": Allowed(at_most=5), "elsewhere": Allowed(at_most=5)})
    said = str(effective(PINNED, Live(arguments={}, playbook=bounded)))
    assert "- body: expected a number of at most 5, got nothing" in said
    assert "elsewhere" not in said


def test_a_read_tool_that_counts_as_a_write_now_is_not_called():
    read = tool("look", effect=Effect.READ, max=None)
    server = replace(SERVER, effects={"look": Effect.WRITE_ONCE})
    live = Live(arguments={}, playbook=playbook(tools={"github": ("look",)}), server=server)
    assert "counts as write-once now" in str(effective(read, live))
    weaker = replace(SERVER, effects={"comment": Effect.READ})
    assert effective(PINNED, Live(arguments=ARGUMENTS, server=weaker)) is None


def test_a_read_tool_has_no_most():
    read = tool("look", effect=Effect.READ, max=None)
    live = Live(arguments={}, playbook=playbook(tools={"github": ("look",)}), before=99)
    assert effective(read, live) is None


def test_arguments_must_fit_the_definition_that_a_person_accepted_since():
    schema = {"properties": {"body": {"type": "string"}, "to": {}}, "required": ["to"]}
    newer = replace(COMMENT, input_schema=schema)
    live = Live(arguments=ARGUMENTS, locked=lock_of_tools(newer).tool("github", "comment"))
    assert "'to' is a required property" in str(effective(PINNED, live))
    assert effective(PINNED, replace(live, arguments={**ARGUMENTS, "to": "x"})) is None
