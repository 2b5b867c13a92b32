from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.expressions import Expression, ExpressionError, Values, scrub

SCOPE = {
    "event": {},
    "id": "evt_1",
    "source": "github",
    "type": "issues.opened",
    "subject": None,
    "actor": None,
    "headers": {},
}


def holds(text, **scope):
    return Expression.compile(text).holds(Values.of({**SCOPE, **scope}))


def test_the_whole_vocabulary_is_there():
    text = (
        "event.n == 1 && id == 'evt_1' && source == 'github' && type == 'issues.opened' "
        "&& subject == null && actor == 'ann' && headers['x-a'] == 'b'"
    )

    assert holds(text, event={"n": 1}, actor="ann", headers={"x-a": "b"}) == (True, "")


def test_type_is_the_event_and_still_the_function():
    assert holds("type(event.n) == int && type.startsWith('issues.')", event={"n": 1}) == (True, "")


def test_string_functions_are_there():
    assert holds("event.x.lowerAscii() == 'a'", event={"x": "A"}) == (True, "")


@pytest.mark.parametrize(
    "text", ["evnt.x == 1", "event.x.endWith('a')", "1 +", "", "source == 1", "(" * 5000]
)
def test_a_mistake_is_found_when_it_is_compiled(text):
    with pytest.raises(ExpressionError):
        Expression.compile(text)


def test_the_error_points_at_the_place():
    with pytest.raises(ExpressionError, match=r"1:1: undeclared reference to 'evnt.x'") as caught:
        Expression.compile("evnt.x == 1")

    assert str(caught.value).endswith("did you mean 'event'?\n | evnt.x == 1\n | ^")


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("event.a.endWith('a')", [(1, 9, "did you mean 'endsWith'?")]),
        ("source == 'a' ||\n  typ == 'b'", [(2, 3, "did you mean 'type'?")]),
        ("foo(1) && evnt.x == 2", [(1, 1, "known: event"), (1, 11, "did you mean 'event'?")]),
        ("event.x ==", [(1, 11, "ends too early")]),
        ("event.a[", [(1, 9, "ends too early")]),
        ("", [(1, 1, "ends too early")]),
        ("'é' == b", [(1, 8, "undeclared")]),
        ("size(1)", [(1, 5, "no matching overload")]),
        ("headers == 1", [(1, 9, "no matching overload")]),
        ("source", [(1, 1, "expected a yes or no")]),
        ("(" * 5000, [(1, 1, "recursion")]),
        ("x == '<input>:9:9: '", [(1, 1, "undeclared reference to 'x'")]),
    ],
)
def test_every_mistake_has_its_place(text, problems):
    with pytest.raises(ExpressionError) as caught:
        Expression.compile(text)

    found = caught.value.problems
    assert [(problem.line, problem.column) for problem in found] == [at[:2] for at in problems]
    for problem, (*_, said) in zip(found, problems, strict=True):
        assert said in problem.message
    assert max(map(len, str(caught.value).splitlines())) < 200


@given(st.text(max_size=30) | st.text(alphabet="event.xid()[]&|=!<>'\"\n 12", max_size=30))
def test_no_text_is_worse_than_a_mistake(text):
    with suppress(ExpressionError):
        Expression.compile(text)


def test_values_are_converted_once_for_all_expressions():
    values = Values.of({**SCOPE, "event": {"n": 1}})

    assert Expression.compile("event.n == 1").holds(values) == (True, "")
    assert Expression.compile("event.n == 2").holds(values) == (False, "")


@pytest.mark.parametrize("text", ["1 + 1", "source", "headers"])
def test_what_is_no_yes_or_no_is_refused(text):
    with pytest.raises(ExpressionError, match="yes or no"):
        Expression.compile(text)


@pytest.mark.parametrize(
    ("text", "event", "because"),
    [
        ("event.x == 1", {}, "not found"),
        ("event.x == 1", None, "SELECT"),
        ("event.x == 1", {"x": 2**70}, "out of range"),
        ("event.x", {"x": 1}, "yes or no"),
        ("event.x.matches('(')", {"x": "a"}, "regular expression"),
        (
            "event.x.all(i, event.x.all(j, event.x.all(k, i + j + k < 999)))",
            {"x": [1] * 60},
            "budget",
        ),
    ],
)
def test_what_can_not_be_answered_does_not_hold_and_says_why(text, event, because):
    held, said = holds(text, event=event)

    assert not held
    assert because.lower() in said.lower()


def test_text_is_not_cut_at_a_null_character():
    assert holds("event.x == 'a'", event={"x": "a\0b"}) == (False, "")
    assert holds("event.x == 'a\ufffdb'", event={"x": "a\0b"}) == (True, "")


def test_deep_payloads_are_answered_not_crashed():
    deep = {}
    inner = deep
    for _ in range(100_000):
        inner["a"] = {}
        inner = inner["a"]

    held, because = holds("event.a == 1", event=deep)

    assert not held
    assert "deeper" in because


@given(st.text(alphabet=st.characters(codec=None)))
def test_scrubbed_text_is_what_the_vendor_can_bear(text):
    clean = scrub(text)

    assert "\0" not in clean
    clean.encode("utf-8")
    assert scrub(clean) == clean


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(alphabet=st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(event=JSON)
def test_every_payload_is_answered(event):
    for text in ("event.a.b == 1 || event.x", "event.exists(x, x == 'a')", "event == event"):
        held, because = holds(text, event=event)
        assert isinstance(held, bool)
        assert isinstance(because, str)
