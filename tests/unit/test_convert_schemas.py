"""Input schemas, repaired for the Messages API."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestrator.agent.hands.schemas import repair

EMPTY = {"type": "object", "properties": {}}


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
    definitions = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 9} for n in range(30)}
    definitions["d30"] = {"properties": {"a": {}}}
    assert repair({"$ref": "#/$defs/d0", "$defs": definitions})["properties"] == {"a": {}}


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
    ],
)
def test_what_cannot_be_repaired_says_why(schema, why):
    with pytest.raises(ValueError, match=why):
        repair(schema)


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
