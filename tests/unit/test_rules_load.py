import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.configuration.document import read as read_document
from orchestrator.rules.load import closest, condition_of
from orchestrator.rules.rule import All, Any_, Cel, Leaf, Not, Operator


def read(value):
    condition, flaws = condition_of(value, ("r", "when"))
    assert flaws == []
    return condition


def flaws(value):
    return condition_of(value, ("r", "when"))[1]


def test_a_scalar_is_equality_a_star_a_glob_a_list_one_of():
    assert read({"a.b": "x", "c": "x*", "d": [1, 2], "e": ["x*", "y"]}) == All(
        (
            Leaf("a.b", Operator.EQ, "x"),
            Leaf("c", Operator.GLOB, "x*"),
            Leaf("d", Operator.IN, (1, 2)),
            Leaf("e", Operator.GLOB, ("x*", "y")),
        )
    )


def test_an_operator_takes_a_star_at_its_word():
    assert read({"a": {"eq": "what?"}}) == All((Leaf("a", Operator.EQ, "what?"),))


def test_several_operators_all_hold():
    assert read({"a": {"gt": 1, "lt": 9}}) == All(
        (All((Leaf("a", Operator.GT, 1), Leaf("a", Operator.LT, 9))),)
    )


def test_groups_nest():
    condition = read({"any": [{"a": 1}, {"not": {"b": 2}}], "not": [{"c": 3}], "cel": "true"})

    assert condition == All(
        (
            Any_(
                (All((Leaf("a", Operator.EQ, 1),)), All((Not(All((Leaf("b", Operator.EQ, 2),))),)))
            ),
            Not(Any_((All((Leaf("c", Operator.EQ, 3),)),))),
            Cel("true"),
        )
    )


@pytest.mark.parametrize(
    ("value", "at", "said"),
    [
        ("x", (), "expected a mapping"),
        ({"a..b": 1}, ("a..b",), "expected a path"),
        ({"a": {}}, ("a",), "empty mapping"),
        ({"a": {"author": "x"}}, ("a", "author"), "a deeper field is a.author"),
        ({"a": {"regx": "x"}}, ("a", "regx"), "did you mean 'regex'"),
        ({"a": {"regex": "("}}, ("a", "regex"), "RE2"),
        ({"a": []}, ("a",), "something in it"),
        ({"any": []}, ("any",), "list of conditions"),
        ({"any": {"a": 1}}, ("any",), "list of conditions"),
        ({"any": [{"a": 1}, 3]}, ("any", 1), "expected a mapping"),
        ({"cel": 3}, ("cel",), "in quotes"),
        ({"cel": "evnt.x == 1"}, ("cel",), "undeclared reference"),
        ({"not": [{"a": {"gt": None}}]}, ("not", 0, "a", "gt"), "gt expects"),
    ],
)
def test_a_mistake_names_its_place(value, at, said):
    (flaw,) = flaws(value)

    assert flaw.at == ("r", "when", *at)
    assert said in flaw.message


def test_all_mistakes_are_found_at_once():
    assert len(flaws({"a..b": 1, "c": {"x": 1, "y": 2}, "any": [{"cel": "("}]})) == 4


def test_a_word_far_from_all_known_ones_gets_the_list():
    assert closest("zzz", ["b", "a"]) == "; known: a, b"
    assert closest("zzz", []) == "; there are none"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["any", "all", "not", "cel", "a.b", "eq", "gt", "regex", "in"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(JSON)
def test_nothing_under_when_makes_it_raise(value):
    condition_of(value, ("r", "when"))


def mistakes(text):
    document = read_document("rules/x.yaml", text)
    value = document.value["r"]["when"]
    return [document.mistake(flaw) for flaw in condition_of(value, ("r", "when"))[1]]


@pytest.mark.parametrize(
    ("line", "column", "said"),
    [
        ("cel: evnt.x == 1", 10, "undeclared reference to 'evnt.x'; did you mean 'event'?"),
        ('cel: "event.x == 1 && evnt.y"', 27, "undeclared reference to 'evnt.y'"),
        ("cel: 'event.x == 1 && evnt.y'", 27, "undeclared reference to 'evnt.y'"),
        ("not: {cel: 'true && foo(1)'}", 25, "undeclared reference to 'foo'"),
        ("a: {regex: 'x(?=y)'}", 18, "invalid perl operator: (?="),
        ("a: {regex: '[a'}", 17, "missing ]"),
        ("any: [{a: 1}, {b: {gt: [1]}}]", 28, "gt expects a number or a text, got [1]"),
        ("a..b: 1", 5, "expected a path"),
        ("a: {regx: b}", 9, "did you mean 'regex'?"),
    ],
)
def test_a_mistake_is_shown_at_its_own_column(line, column, said):
    (mistake,) = mistakes(f"r:\n  when:\n    {line}\n")

    assert (mistake.line, mistake.column) == (3, column)
    assert said in mistake.message


def test_a_mistake_deep_in_an_expression_of_several_lines_has_its_own_line():
    text = "r:\n  when:\n    cel: |\n      event.x == 1 &&\n        evnt.y == 2\n      && foo(1)\n"
    one, other = mistakes(text)

    assert [(one.line, one.column), (other.line, other.column)] == [(5, 9), (6, 10)]
    assert one.message.endswith(" |   evnt.y == 2\n |   ^")


@pytest.mark.parametrize("text", ['cel: "\\x20\\x20evnt"', "cel: >\n      evnt\n      .x"])
def test_where_the_text_is_not_in_the_file_letter_by_letter_its_beginning_is_shown(text):
    found = mistakes(f"r:\n  when:\n    {text}\n")

    assert {(mistake.line, mistake.column) for mistake in found} == {(3, 10)}
