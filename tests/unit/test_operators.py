import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.operators import (
    OperatorValueError,
    asks,
    is_glob,
    like,
    refuse_unfit,
    same,
)
from orchestrator.rules.rule import Operator

TEXTS = st.text(alphabet=st.characters(codec=None))


@pytest.mark.parametrize(
    ("operator", "expected", "values", "held"),
    [
        ("eq", 7, [7], True),
        ("eq", 7, [7.0], True),
        ("eq", 7, ["7"], False),
        ("eq", 1, [True], False),
        ("eq", True, [1], False),
        ("eq", None, [None], True),
        ("eq", None, [], False),
        ("eq", "a", ["A"], False),
        ("eq", "a", ["b", "a"], True),
        ("ne", "a", ["b"], True),
        ("ne", "a", ["b", "a"], False),
        ("ne", "a", [], True),
        ("in", ("a", 1), [1], True),
        ("in", ("a", 1), [True], False),
        ("in", ("a", 1), [], False),
        ("none", ("a", "b"), ["c"], True),
        ("none", ("a", "b"), ["c", "b"], False),
        ("none", ("a", "b"), [["c", "b"]], False),
        ("none", "a", [], True),
        ("has", "a", [["b", "a"]], True),
        ("has", "a", ["a"], True),
        ("has", "a", ["xax"], False),
        ("has", "a", [], False),
        ("gt", 3, [4], True),
        ("gt", 3, [3], False),
        ("ge", 3, [3], True),
        ("lt", 3, ["2"], False),
        ("lt", 3, [True], False),
        ("le", "2026-01-02", ["2026-01-01"], True),
        ("exists", True, [None], True),
        ("exists", True, [], False),
        ("exists", False, [], True),
        ("exists", False, [1], False),
        ("glob", "acme/*", ["acme/api/x.y"], True),
        ("glob", "acme/*", ["Acme/api"], False),
        ("glob", "a?c", ["abc"], True),
        ("glob", "renovate[bot]*", ["renovate[bot]"], True),
        ("glob", "renovate[bot]*", ["renovateb"], False),
        ("glob", ("x*", "a*"), ["abc"], True),
        ("glob", "*", [7], False),
        ("regex", r"^v\d+$", ["v12"], True),
        ("regex", "b", ["abc"], True),
        ("regex", "b", [7], False),
    ],
)
def test_operators_ask_what_they_say(operator, expected, values, held):
    assert asks(Operator(operator), expected, values) is held


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("eq", [1]),
        ("ne", {"a": 1}),
        ("in", "a"),
        ("in", []),
        ("none", []),
        ("has", {}),
        ("gt", True),
        ("lt", None),
        ("exists", "yes"),
        ("glob", 7),
        ("glob", ["a", 1]),
        ("regex", "("),
        ("regex", 7),
        ("regex", "(?=a)"),
    ],
)
def test_a_value_an_operator_can_not_work_with_is_refused(operator, expected):
    with pytest.raises(OperatorValueError, match="expect"):
        refuse_unfit(Operator(operator), expected)


def test_a_hostile_text_costs_linear_time():
    assert asks(Operator.REGEX, "^(a+)+$", ["a" * 50_000 + "b"]) is False
    assert like("a" * 50_000 + "b", "*a*a*a*a*a*c") is False
    assert like("a" * 50_000 + "b", "*a?a*a?a*c") is False


PIECES = st.lists(st.sampled_from(["a", "b", "ab", "*", "?", "/", "ä", "\n", ""]), max_size=8)


@given(PIECES.map("".join), PIECES.map("".join))
def test_a_glob_is_what_it_is_letter_by_letter(pattern, text):
    assert like(text, pattern) is _fits(pattern, text)


def _fits(pattern, text):
    if not pattern:
        return not text
    if pattern[0] == "*":
        return _fits(pattern[1:], text) or (bool(text) and _fits(pattern, text[1:]))
    return bool(text) and pattern[0] in {"?", text[0]} and _fits(pattern[1:], text[1:])


@given(TEXTS)
def test_a_text_fits_itself_and_the_star(text):
    assert like(text, "*")
    assert like(text, "?" * len(text)) or any(0xD800 <= ord(each) < 0xE000 for each in text)
    assert is_glob(text) or like(text, text)


@given(st.lists(TEXTS | st.integers() | st.floats() | st.booleans() | st.none(), max_size=3))
def test_no_value_makes_an_operator_raise(values):
    for operator, expected in (
        (Operator.EQ, "a"),
        (Operator.GT, 1),
        (Operator.LE, "a"),
        (Operator.GLOB, "a*"),
        (Operator.REGEX, "a+"),
        (Operator.HAS, ("a", 1)),
        (Operator.NONE, "a"),
        (Operator.IN, (1, None)),
    ):
        assert asks(operator, expected, values) in {True, False}


@given(TEXTS | st.integers() | st.booleans() | st.none())
def test_ne_is_the_opposite_of_eq(value):
    assert asks(Operator.NE, value, [value]) is not asks(Operator.EQ, value, [value])


def test_lists_and_mappings_are_compared_by_type_too():
    assert same([1, {"a": True}], (1, {"a": True}))
    assert not same([1, {"a": True}], (1, {"a": 1}))
    assert not same({"a": 1}, {"b": 1})
