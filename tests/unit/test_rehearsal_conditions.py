"""What is said to be impossible is: no payload holds it. What overlaps has a text that fits both."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rehearsal.conditions import clash, overlap
from orchestrator.rules.load import condition_of
from orchestrator.rules.match import match
from tests.support.builders import event, rule

VALUES = st.sampled_from([1, 2, 3, "a", "b", True, None])
NUMBERS = st.integers(0, 4)
QUESTIONS = st.one_of(
    VALUES,
    st.lists(VALUES, min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(["gt", "ge", "lt", "le"]), NUMBERS, min_size=1, max_size=2),
    st.fixed_dictionaries({"ne": VALUES}),
    st.fixed_dictionaries({"none": st.lists(VALUES, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"has": VALUES}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.sampled_from(["a*", "?", "*b"]),
)
LEAVES = st.dictionaries(st.sampled_from(["x", "y", "z[*]"]), QUESTIONS, min_size=1, max_size=3)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: (
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"not": inner})
    ),
    max_leaves=4,
)
ANYTHING = VALUES | NUMBERS | st.floats(0, 4) | st.lists(VALUES, max_size=3)
PAYLOADS = st.dictionaries(st.sampled_from(["x", "y", "z"]), ANYTHING)
GLOBS = st.text("ab*?", max_size=6)


@given(CONDITIONS, PAYLOADS)
def test_what_is_called_impossible_holds_for_no_payload(raw, payload):
    condition, flaws = condition_of(raw, ("r", "when"))

    if not flaws and clash(condition) is not None:
        assert not match(rule(when=condition), event(data=payload)).matched


@given(GLOBS, GLOBS, st.text("ab", max_size=6))
def test_globs_that_are_said_to_be_apart_share_no_text(one, other, text):
    if fnmatchcase(text, one) and fnmatchcase(text, other):
        assert overlap(one, other)


@given(GLOBS, GLOBS)
def test_overlapping_is_mutual_and_everything_overlaps_all(one, other):
    assert overlap(one, other) is overlap(other, one)
    assert overlap(one, "*")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("github/issues.opened", "github/issues.closed"),
        ("github/issues.*", "github/push"),
        ("a?", "a"),
        ("*a", "*b"),
    ],
)
def test_globs_that_no_text_fits_both_of_are_apart(one, other):
    assert not overlap(one, other)


@pytest.mark.parametrize(
    ("raw", "place", "said"),
    [
        ({"all": [{"x": 1}, {"x": 2}]}, ("when", "all", 1, "x", "eq"), "x can't be eq 2 and eq 1"),
        ({"x": {"eq": "a", "ne": "a"}}, ("when", "x", "ne"), "x can't be ne 'a' and eq 'a'"),
        (
            {"x": {"in": ["a", "b"], "glob": "c*"}},
            ("when", "x", "glob"),
            "x can't be glob 'c*' and in ('a', 'b')",
        ),
        ({"x": {"gt": 5, "lt": 3}}, ("when", "x", "lt"), "x can't be lt 3 and gt 5"),
        ({"x": {"gt": 3, "le": 3}}, ("when", "x", "le"), "x can't be le 3 and gt 3"),
        (
            {"x": {"exists": False, "regex": "a"}},
            ("when", "x", "regex"),
            "x can't be regex 'a' and exists False",
        ),
        (
            {"x": 1, "any": [{"x": 2}, {"x": {"gt": 1}}]},
            ("when", "any"),
            "no branch can ever hold",
        ),
    ],
)
def test_a_contradiction_is_told_where_it_stands(raw, place, said):
    condition, _ = condition_of(raw, ("r", "when"))

    found = clash(condition)

    assert found is not None
    assert found.place == place
    assert found.message.startswith(said)


@pytest.mark.parametrize(
    "raw",
    [
        {"all": [{"x[*].n": 1}, {"x[*].n": 2}]},
        {"x": {"ge": 3, "le": 3}},
        {"x": 1, "any": [{"x": 2}, {"y": 1}]},
        {"not": {"all": [{"x": 1}, {"x": 2}]}},
        {"x": {"exists": False, "ne": 1}},
        {},
    ],
)
def test_what_may_hold_is_not_called_impossible(raw):
    assert clash(condition_of(raw, ("r", "when"))[0]) is None
