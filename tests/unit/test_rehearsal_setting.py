"""`--set path=value`: what is put at a place is found there again, and nothing else has changed."""

import json
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import OperatorError
from orchestrator.rehearsal.setting import assigned, put
from orchestrator.rules.paths import values_at

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)


@given(OBJECTS, NAMES, VALUES)
def test_what_is_put_is_found_there_and_the_rest_is_untouched(payload, name, value):
    before = deepcopy(payload)

    after = put(payload, *assigned(f"{name}={json.dumps(value)}"))

    assert values_at(after, name) == [value]
    assert {n: v for n, v in after.items() if n != name} == {
        n: v for n, v in before.items() if n != name
    }
    assert payload == before


@pytest.mark.parametrize(
    ("text", "payload", "after"),
    [
        ("a.b=7", {}, {"a": {"b": 7}}),
        ("/a/b=7", {}, {"a": {"b": 7}}),
        ("/a~1b=7", {}, {"a/b": 7}),
        ("a[0].b=x", {}, {"a": [{"b": "x"}]}),
        ("a[1]=2", {"a": [1]}, {"a": [1, 2]}),
        ("/a/0=2", {"a": [1]}, {"a": [2]}),
        ('a["b.c"]=true', {}, {"a": {"b.c": True}}),
        ("a=it's = text", {}, {"a": "it's = text"}),
        ("a=", {}, {"a": ""}),
        ('a="7"', {}, {"a": "7"}),
        ("a.b=1", {"a": None}, {"a": {"b": 1}}),
    ],
)
def test_paths_are_pointers_or_dotted_and_values_json_or_else_text(text, payload, after):
    assert put(payload, *assigned(text)) == after


@pytest.mark.parametrize(
    ("text", "payload", "said"),
    [
        ("a", {}, "expected path=value"),
        ("=1", {}, "expected path=value"),
        ("a..b=1", {}, "expected a path such as issue.labels"),
        ("a[*]=1", {"a": [1]}, r"expected one place, 'a\[\*\]' means several"),
        ("a[2]=1", {"a": [1]}, "expected an index from 0 to 1"),
        ("a.b=1", {"a": "text"}, "'b' can't be set inside"),
        ("a.b=1", {"a": [1]}, "expected an index from 0 to 1 in a list, got 'b'"),
    ],
)
def test_what_cannot_be_set_is_said(text, payload, said):
    with pytest.raises(OperatorError, match=said):
        put(payload, *assigned(text))
