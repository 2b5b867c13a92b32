"""Words for people: nothing of a stranger's text reaches the terminal but what can be printed."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from orchestrator import tell
from orchestrator.dispatch.decide import OURSELVES


def drawn(what, width=160):
    out = io.StringIO()
    Console(file=out, width=width).print(what)
    return out.getvalue()


@given(st.text(st.characters(codec=None)))
def test_every_text_becomes_printable(text):
    assert tell.plain(text).isprintable()


@given(st.text(st.characters(exclude_categories=["C", "Z"])))
def test_a_printable_text_stays_as_it_is(text):
    assert tell.plain(text) == text


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        ("open", "open"),
        ("a\nb", r"a\nb"),
        (None, "null"),
        (7, "7"),
        ({"a": ["ü"]}, '{"a": ["ü"]}'),
        ("x" * 61, "x" * 59 + "…"),
    ],
)
def test_a_value_is_one_line_cut_to_size(given_, shown):
    assert tell.value(given_) == shown


def test_a_long_list_is_cut_after_a_few():
    assert tell.shape(["a", "b", "c"], most=2) == "a, b +1"
    assert tell.shape(["a", "b"], most=2) == "a, b"


def test_a_column_that_must_stay_whole_is_never_wrapped_or_cut():
    row = ("evt_" + "0" * 16, "x" * 300)
    shown = drawn(tell.table(("id", "text"), [row], whole={"id"}), width=30)

    assert "evt_" + "0" * 16 in shown
    assert shown.count("x") == 301


def test_a_cell_is_text_and_not_markup():
    assert "[/red]" in drawn(tell.table(("a", "b"), [("[/red]", Text("styled", "red"))]))


def test_what_was_done_comes_before_what_was_not():
    ignored, started = {"action": "ignore", "rule": "a", "trace": []}, {"action": "start"}

    assert tell.nearest([ignored, started]) == [started]
    assert tell.nearest([]) == []


def line(path, *, held=True):
    return {"path": path, "operator": "eq", "expected": 1, "actual": 2, "held": held}


def test_of_what_was_not_done_the_nearest_is_told():
    far = {"action": "ignore", "rule": "far", "trace": [line("on", held=False)]}
    near = {"action": "ignore", "rule": "near", "trace": [line("on"), line("when.a", held=False)]}
    ours = {"action": "ignore", "rule": OURSELVES, "trace": []}

    assert tell.nearest([near, far]) == [near]
    assert tell.nearest([near, far, ours]) == [ours]
