"""How long a wait may last, in the model's words."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agent.tools.builtins import WAITING
from orchestrator.agent.tools.toolset import complaints
from orchestrator.agent.waiting.registering import DEFAULT, LONGEST, duration


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("45s", timedelta(seconds=45)),
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
        ("30d", LONGEST),
        ("31d", LONGEST),
        ("99999h", LONGEST),
    ],
)
def test_a_span_is_read_and_thirty_days_at_most(text, span):
    assert duration(text) == span


@pytest.mark.parametrize(
    "text", ["", "soon", "7", "d", "-1d", "1.5h", "7D", "7d ", "123456s", "٣d"]
)
def test_what_can_not_be_read_is_a_week(text):
    assert duration(text) == duration(DEFAULT) == timedelta(days=7)


@given(st.text())
def test_whatever_the_model_says_a_wait_has_an_end(text):
    assert timedelta(0) <= duration(text) <= LONGEST


@given(st.from_regex(WAITING["input_schema"]["properties"]["timeout"]["pattern"], fullmatch=True))
def test_what_the_tool_takes_is_understood(text):
    given_ = {"events": ["a/b"], "reason": "x", "timeout": text}

    assert complaints("wait", WAITING["input_schema"], given_) is None
    assert duration(text) > timedelta(0)


@pytest.mark.parametrize("text", ["0m", "-1d", "soon", "7", "123456s", "30m\n", "30 m", ""])
def test_what_is_no_span_is_answered_before_anything_waits(text):
    given_ = {"events": ["a/b"], "reason": "x", "timeout": text}

    assert complaints("wait", WAITING["input_schema"], given_) is not None
