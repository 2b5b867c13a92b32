"""The steps of a `call:`: rendered for one event, carried by its decision, read again as they were."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.steps import (
    OnError,
    Step,
    are_called,
    rendered,
    steps_in,
    title_of,
    tools_of,
)
from orchestrator.templates import TemplateError
from tests.support.builders import event

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet="ab {}%é"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=8,
)


def step(tool="github.issue_write", **args):
    return Step(tool=tool, args=args)


def test_templates_are_filled_in_with_their_types():
    (made,) = steps_in(
        rendered([step(number="{{ event.issue.number }}", l=["x"])], event().scope())
    )

    assert made.args == {"number": 7, "l": ["x"]}


def test_what_an_event_lacks_is_an_error_and_never_a_word():
    with pytest.raises(TemplateError):
        rendered([step(number="{{ event.nothing }}")], event().scope())


@given(JSON, st.sampled_from(OnError))
def test_a_decision_carries_what_an_event_said_whatever_that_is(value, on_error):
    """Strangers' text that looks like a template is never filled in a second time."""
    one = Step(tool="github.a", args={"x": "{{ event.x | default(0) }}"}, on_error=on_error)
    given = json.loads(json.dumps(rendered([one], {"event": {"x": value}})))

    expected = 0 if value is None else value
    assert steps_in(given) == (Step(tool="github.a", args={"x": expected}, on_error=on_error),)


def test_tools_are_named_once_by_their_servers():
    steps = [step("a.x"), step("b.y.z"), step("a.w"), step("a.x")]

    assert tools_of(steps) == {"a": ("x", "w"), "b": ("y.z",)}


def test_a_title_names_a_few_tools_and_no_playbook_can_have_it():
    steps = [step(f"lab.t{n}") for n in range(5)]

    assert title_of(steps) == "call: lab.t0, lab.t1, lab.t2 +2"
    assert title_of([step(), step()]) == "call: github.issue_write"
    assert are_called(title_of(steps))
    assert not are_called("call")
    assert not are_called(None)
