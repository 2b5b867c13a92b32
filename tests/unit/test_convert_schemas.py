"""Input schemas, repaired for the Messages API."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestrator.agent.hands.schemas import repair

EMPTY = {"type": "object", "properties": {}}
EXPLOSIVE = {
    **{f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 9} for n in range(30)},
    "d30": {"properties": {"a": {}}},
}


def argument(schema: Any, **definitions: Any) -> dict[str, Any]:
    return {"properties": {"a": schema}, "$defs": definitions}


def nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(depth):
        inner = {"properties": {"a": inner}}
    return inner


@pytest.mark.parametrize(
    "schema", [None, True, {}, {"type": "object"}, {"$schema": "x", "$id": "y"}]
)
def test_nothing_is_an_object_without_arguments(schema):
    assert repair(schema) == EMPTY


def test_a_sound_schema_stays_as_it_is():
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}, "id": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
        "$defs": {"A": {"type": "string", "enum": ["$id"]}},
    }
    assert repair(schema) == schema


@pytest.mark.parametrize("combinator", ["anyOf", "oneOf"])
def test_alternatives_at_the_top_become_one_object_that_requires_neither(combinator):
    schema = {
        combinator: [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"b": {"type": "string"}}, "additionalProperties": False},
        ]
    }
    merged = repair(schema)
    assert set(merged["properties"]) == {"a", "b"}
    assert merged["required"] == []
    assert combinator not in merged
    assert "additionalProperties" not in merged


def test_everything_that_all_of_requires_is_required():
    schema = {
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "allOf": [{"properties": {"b": {"type": "string"}}, "required": ["b"]}],
    }
    assert repair(schema)["required"] == ["a", "b"]


def test_one_argument_with_two_shapes_may_have_either():
    branches = [{"properties": {"kind": {"const": kind}}} for kind in ("x", "y", "x")]
    assert repair({"oneOf": branches})["properties"]["kind"] == {
        "anyOf": [{"const": "x"}, {"const": "y"}]
    }


def test_a_reference_at_the_top_is_followed():
    schema = {
        "$ref": "#/$defs/Args",
        "$defs": {"Args": {"type": "object", "properties": {"a": {}}, "required": ["a"]}},
    }
    assert repair(schema)["properties"] == {"a": {}}


def test_a_schema_that_contains_itself_ends():
    assert repair({"$ref": "#", "properties": {"a": {}}})["properties"] == {"a": {}}
    assert repair({"anyOf": [{"$ref": "#"}], "properties": {"a": {}}})["properties"] == {"a": {}}


def test_a_schema_made_to_explode_is_read_in_linear_time():
    assert repair({"$ref": "#/$defs/d0", "$defs": EXPLOSIVE})["properties"] == {"a": {}}


def test_older_drafts_are_said_in_newer_words():
    schema = {
        "type": ["object", "null"],
        "properties": {
            "pair": {"items": [{"type": "string"}, {"type": "integer"}]},
            "positive": {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
            "natural": {"type": "integer", "minimum": 0, "exclusiveMinimum": False},
        },
    }
    properties = repair(schema)["properties"]
    assert properties["pair"] == {"prefixItems": [{"type": "string"}, {"type": "integer"}]}
    assert properties["positive"] == {"type": "integer", "exclusiveMinimum": 0}
    assert properties["natural"] == {"type": "integer", "minimum": 0}


def test_an_optional_argument_the_api_cannot_name_is_left_out():
    assert repair({"properties": {"$filter": {}, "top": {}}})["properties"] == {"top": {}}


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ("string", "expected a JSON Schema object"),
        ({"type": "array"}, "expected arguments of type 'object'"),
        ({"properties": [1]}, "expected properties to be a mapping"),
        ({"properties": {"a": {"type": "text"}}}, "not a valid JSON Schema at"),
        ({"properties": {"a": {"$ref": "https://example.com/x"}}}, "reference inside the schema"),
        ({"properties": {"a": {"$ref": "#/$defs/Nobody"}}}, "reference inside the schema"),
        ({"properties": {"a": {"$ref": "#anchor"}}}, "reference inside the schema"),
        ({"properties": {"$a": {}}, "required": ["$a"]}, "a name the Messages API refuses"),
        ({"properties": {"default": {"$ref": "#/$defs/Nobody"}}}, "reference inside the schema"),
        (argument({"$ref": "#/$defs/A"}, A={"$ref": "#/$defs/A"}), "leads only to itself"),
        (argument({"$ref": "#/$defs/A"}, A={"not": {"$ref": "#/$defs/A"}}), "leads only to itself"),
        (
            argument({"items": {"$ref": "#/$defs/A"}}, A={"anyOf": [{"$ref": "#/$defs/A"}]}),
            "to itself",
        ),
        (argument({"$ref": "#/$defs/d0"}, **EXPLOSIVE), "multiply beyond what can be checked"),
        (nested(3000), "nested too deeply"),
        (
            argument({"$ref": "#/properties/a/default", "default": {"type": "text"}}),
            "not a valid JSON",
        ),
    ],
)
def test_what_cannot_be_repaired_says_why(schema, why):
    with pytest.raises(ValueError, match=why):
        repair(schema)


def test_an_argument_that_refers_to_another_stands_alone():
    schema = {
        "properties": {
            "owner": {"type": "string", "pattern": "^a"},
            "repo": {"$ref": "#/properties/owner"},
            "more": {"items": {"$ref": "#/properties/repo"}},
        }
    }
    repaired = repair(schema)
    owner = {"type": "string", "pattern": "^a"}
    assert repaired["properties"] == {
        "owner": owner,
        "repo": {"$ref": "#/$defs/properties_owner"},
        "more": {"items": {"$ref": "#/$defs/properties_repo"}},
    }
    assert repaired["$defs"] == {
        "properties_owner": owner,
        "properties_repo": {"$ref": "#/$defs/properties_owner"},
    }
    assert repair(repaired) == repaired


def test_arguments_inside_arguments_are_the_whole_ones():
    repaired = repair({"properties": {"a": {}, "inner": {"$ref": "#"}}, "required": ["a"]})
    assert repaired["properties"]["inner"] == {"$ref": "#/$defs/arguments"}
    assert repaired["$defs"]["arguments"] == {
        "properties": {"a": {}, "inner": {"$ref": "#/$defs/arguments"}},
        "required": ["a"],
    }


@pytest.mark.parametrize(
    "reference", ["#/properties/b/anyOf/1", "#/$defs/x%3Cy%3E", "#/$defs/A/items"]
)
def test_a_reference_may_lead_anywhere_inside(reference):
    integer = {"type": "integer"}
    other = {"anyOf": [{"type": "string"}, integer]}
    repaired = repair(
        {
            "properties": {"a": {"$ref": reference}, "b": other},
            "$defs": {"x<y>": integer, "A": {"items": integer}, "properties_b_anyOf_1": {}},
        }
    )
    name = repaired["properties"]["a"]["$ref"].removeprefix("#/$defs/")
    assert repaired["$defs"][name] == integer


def test_a_schema_may_contain_itself_where_the_value_does():
    tree = {"type": "object", "properties": {"left": {"$ref": "#/$defs/T"}}}
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/T"}}, "$defs": {"T": tree}}
    assert repair(schema) == schema


@pytest.mark.parametrize("pattern", [r"^\p{L}+$", r"(?<y>\d{4})", "a{1,99999999999}", "("])
def test_h3_a_pattern_in_another_language_is_told_and_left_to_the_server(pattern):
    schema = {"type": "string", "description": "A name.", "pattern": pattern}
    assert repair({"properties": {"a": schema}})["properties"]["a"] == {
        "type": "string",
        "description": f"A name. Pattern: {pattern}",
    }


def test_h3_names_by_a_pattern_in_another_language_leave_the_schema_open():
    named = {"patternProperties": {r"^\p{L}$": {}, "^x-": {}}, "additionalProperties": False}
    assert repair({"properties": {"a": named}})["properties"]["a"] == {
        "patternProperties": {"^x-": {}},
        "additionalProperties": True,
    }


@pytest.mark.parametrize("words", ["", "long " * 20_000])
def test_a_wrong_schema_is_refused_each_time_and_a_mended_one_is_not(words):
    wrong = {"properties": {"a": {"type": "text", "description": words}}}
    for _ in range(2):
        with pytest.raises(ValueError, match=r"at \$\.properties\.a\.type: 'text' is not"):
            repair(wrong)
    mended = {"type": "string", "description": words}
    assert repair({"properties": {"a": mended}})["properties"] == {"a": mended}


LEAVES = st.sampled_from(
    [
        {},
        {"type": "string"},
        {"const": 1},
        {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
    ]
)
OBJECTS = st.fixed_dictionaries(
    {"type": st.just("object")},
    optional={
        "properties": st.dictionaries(st.sampled_from(["a", "b", "$c"]), LEAVES),
        "required": st.lists(st.sampled_from(["a", "b"]), unique=True),
        "additionalProperties": st.booleans(),
    },
)
SCHEMAS = st.recursive(
    OBJECTS,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            key: st.lists(inner, min_size=1, max_size=3) for key in ("anyOf", "allOf", "oneOf")
        },
    ),
    max_leaves=8,
)


@given(SCHEMAS)
def test_a_repaired_schema_is_valid_and_needs_no_more_repair(schema):
    repaired = repair(schema)
    Draft202012Validator.check_schema(repaired)
    assert not {"anyOf", "allOf", "oneOf", "$ref"} & set(repaired)
    assert repair(repaired) == repaired
