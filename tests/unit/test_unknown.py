"""Arguments that a tool doesn't have are refused; in an open schema, those that look like a bound one."""

from typing import Any

import pytest

from orchestrator.agent.tools.unknown import strange

CLOSED: dict[str, Any] = {"properties": {"body": {}}}
OPEN = CLOSED | {"additionalProperties": True}
WIDE = "".join(chr(ord(sign) + 0xFEE0) for sign in "repo")


def test_what_a_tool_has_and_what_is_filled_in_may_be_given() -> None:
    assert strange(CLOSED, {"repo"}, {"body": "x", "repo": "payroll"}) == []


def test_a_name_that_the_schema_does_not_say_may_not_be_given() -> None:
    assert strange(CLOSED, (), {"body": "x", "cc": "eve"}) == ["cc"]


@pytest.mark.parametrize("word", ["additionalProperties", "patternProperties"])
def test_an_open_schema_takes_any_name(word: str) -> None:
    assert strange({**CLOSED, word: {}}, {"repo"}, {"cc": "eve"}) == []


def test_a_tool_that_says_nothing_of_its_arguments_takes_any() -> None:
    assert strange({"properties": {}}, (), {"cc": "eve"}) == []


def test_a7_a_tool_whose_arguments_are_all_bound_takes_no_other() -> None:
    assert strange({"properties": {}}, {"repo"}, {"repo": "payroll", "force": True}) == ["force"]


@pytest.mark.parametrize("name", ["REPO", WIDE, "re-po", " repo", "repo\u200b"])
def test_a7_a_name_that_looks_like_a_bound_one_is_refused_wherever_it_stands(name: str) -> None:
    assert strange(OPEN, {"repo"}, {name: "payroll"}) == [name]
    assert strange(OPEN, {"repo"}, {"params": [{"more": {name: 1}}]}) == ["params"]


@pytest.mark.parametrize("name", ["Body", "b\u043edy", "/body", "body[]"])
def test_a7_nothing_stands_beside_an_argument_that_looks_like_it(name: str) -> None:
    assert strange(OPEN, (), {"body": "fine", name: "pwned"}) == [name]


def test_a7_a_limited_argument_does_not_hide_in_an_envelope() -> None:
    given = {"params": {"body": "pwned"}}
    assert strange(OPEN, (), given, limited={"body"}) == ["params"]
    assert strange(OPEN, (), given) == []
