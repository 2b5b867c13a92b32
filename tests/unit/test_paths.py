from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.paths import PathError, steps_of, values_at


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("a", ("a",)),
        ("issue.labels[*].name", ("issue", "labels", None, "name")),
        ("a[0][*]", ("a", 0, None)),
        ("[*].x", (None, "x")),
        ("a['x.y'].z", ("a", "x.y", "z")),
        ('a["q"]', ("a", "q")),
        ("x-y.z_1", ("x-y", "z_1")),
    ],
)
def test_a_path_is_read_as_steps(path, steps):
    assert steps_of(path) == steps


@pytest.mark.parametrize(
    "path", ["", ".a", "a.", "a..b", "a[", "a]", "a[*]b", "a[x]", "a.[0]", " a", "a\n"]
)
def test_what_is_no_path_is_refused(path):
    with pytest.raises(PathError, match="expected a path"):
        steps_of(path)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("a.b", [1]),
        ("a.c", []),
        ("list[*].n", [1, None]),
        ("list[1].n", [None]),
        ("list[9].n", []),
        ("a[*]", []),
        ("list.n", []),
        ("a.b.c", []),
        ("null", [None]),
    ],
)
def test_a_missing_step_gives_nothing_and_null_is_a_value(path, values):
    payload = {"a": {"b": 1}, "list": [{"n": 1}, {"n": None}, {}], "null": None}

    assert values_at(payload, path) == values


@given(st.text(max_size=30))
def test_any_text_is_a_path_or_a_path_error(text):
    with suppress(PathError):
        values_at({"a": [1]}, text)
