"""Whether a value fits a stranger's schema: patterns by RE2, nothing fetched, and always an answer."""

from typing import Any

import pytest

from orchestrator.agent.hands.fitting import faults
from orchestrator.agent.tools import builtins, elicited
from orchestrator.rules.operators import OperatorValueError, asking
from orchestrator.rules.rule import Operator


def said(schema: dict[str, Any], value: Any) -> list[str]:
    return [error.message for error in faults(schema, value)]


BACKTRACKING = "^(a+)+$"
LONG = "a" * 100_000 + "!"
"""What a backtracking matcher would still be at when the sun is cold; RE2 reads it once."""


def test_a_pattern_is_matched_in_time_that_grows_with_the_text():
    assert len(said({"pattern": BACKTRACKING}, LONG)) == 1
    assert said({"pattern": BACKTRACKING}, LONG[:-1]) == []


def test_a_class_of_letters_is_not_taken_for_ascii_where_the_server_may_mean_more():
    assert said({"pattern": r"^\w+$"}, "Müller") == []
    assert len(said({"pattern": r"^\w+$"}, "a b")) == 1
    assert len(said({"pattern": "^[a-z]+$"}, "Müller")) == 1


def test_references_that_multiply_at_every_level_of_a_value_come_to_an_end():
    again = {"$ref": "#/$defs/a"}
    deeper = {"properties": {"x": {"allOf": [again] * 20}}}
    value: dict[str, Any] = {}
    for _ in range(8):
        value = {"x": value}

    found = said({"properties": {"x": again}, "$defs": {"a": deeper}}, value)

    assert found == ["the schema leads through it too often to be checked"]


def test_names_are_matched_in_time_that_grows_with_the_name():
    named = {"patternProperties": {BACKTRACKING: {"type": "integer"}}}
    assert said(named, {LONG: "x"}) == []
    assert said(named, {"aa": "x"}) == ["'x' is not of type 'integer'"]
    assert len(said({**named, "additionalProperties": False}, {LONG: "x"})) == 1
    assert said({**named, "unevaluatedProperties": False}, {LONG: "x"}) == []
    assert said({"allOf": [named], "unevaluatedProperties": False}, {LONG: "x"}) == []


def test_a_pattern_that_re2_cannot_read_is_left_to_the_server():
    assert said({"pattern": "^(?!x)"}, "x") == []
    named: dict[str, Any] = {"patternProperties": {"^(?!x)": {"type": "integer"}}}
    assert said({**named, "additionalProperties": False}, {"x": "y"}) == []


def test_a_pattern_ends_where_the_text_does():
    assert said({"pattern": "^a$"}, "a\n") != []
    assert said({"pattern": "^a$"}, 1) == []


def test_what_is_not_named_is_told_or_judged():
    closed = {
        "properties": {"a": {}},
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
    }
    assert said(closed, {"a": 1, "x-b": 2}) == []
    assert said(closed, {"b": 1}) == ["Additional properties are not allowed ('b' was unexpected)"]
    assert said({"additionalProperties": {"type": "string"}}, {"b": 1}) == [
        "1 is not of type 'string'"
    ]
    assert said({"properties": {"a": {}}, "unevaluatedProperties": False}, {"b": 1}) != []
    assert said(closed, "no object") == []


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        ({"$ref": "#/properties/gone"}, 1, "refers to what it doesn't have"),
        ({"$ref": "http://127.0.0.1:9/schema"}, 1, "refers to what it doesn't have"),
        ({"$ref": "#"}, 1, "refers to itself"),
        ({"multipleOf": 0.5}, 10**400, "a number"),
        ({"multipleOf": 0.5}, float("nan"), "a number"),
    ],
)
def test_a_schema_that_cannot_be_followed_is_a_fault_and_no_crash(schema, value, words):
    [one] = said(schema, value)
    assert words in one


def test_a_dynamic_reference_is_not_followed():
    assert said({"$dynamicRef": "http://127.0.0.1:9/schema"}, 1) == []


def patterns(node: Any) -> list[str]:
    match node:
        case dict():
            own = [node["pattern"]] if isinstance(node.get("pattern"), str) else []
            return [*own, *(one for value in node.values() for one in patterns(value))]
        case list():
            return [one for value in node for one in patterns(value)]
        case _:
            return []


OURS = sorted({*patterns(dict(builtins.BUILT_INS)), *elicited.PATTERNS.values()})


@pytest.mark.parametrize("pattern", OURS)
def test_our_own_patterns_are_never_left_to_anybody(pattern):
    try:
        asking(Operator.REGEX, pattern)
    except OperatorValueError as error:
        pytest.fail(str(error))
