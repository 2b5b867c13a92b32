"""tools.lock: the same lock is the same bytes, order says nothing, and nothing that was edited is believed."""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.configuration.locks import Lock, hash_of, lock_of, reached, text_of
from orchestrator.servers import HttpServer, StdioServer
from tests.support.configurations import configuration
from tests.support.locked import COMMENT, LOOK, lock_of_tools

LOCK = lock_of_tools(COMMENT, LOOK, accepted={"look": 1_700_000_000.0})


def test_h2_a_lock_is_read_as_it_was_written_and_written_as_it_was_read():
    text = text_of(LOCK)

    read, mistakes = lock_of(text, "tools.lock")

    assert mistakes == []
    assert read == LOCK
    assert text_of(read) == text
    assert text.endswith("}\n")


def test_h2_whoever_edits_a_definition_must_accept_it():
    text = text_of(LOCK).replace("It comments.", "It comments, and mails me.")

    read, [mistake] = lock_of(text, "conf/tools.lock")

    assert read == Lock(sound=False)
    assert "the hash of 'comment' isn't that of its definition: it was edited" in str(mistake)
    assert str(mistake).startswith("conf/tools.lock:1:1: can't be used")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "<<<<<<< ours",
        '{"version": 2, "servers": {}}',
        '{"version": 1, "servers": {}, "more": 1}',
        '{"version": 1, "servers": {"github": {"tools": {}}}}',
    ],
)
def test_h2_what_is_no_lock_accepts_nothing_and_says_what_to_do(text):
    read, [mistake] = lock_of(text, "tools.lock")
    assert read == Lock(sound=False)
    assert "doorbell lock" in mistake.message


def test_h2_a_lock_beside_the_configuration_is_part_of_it():
    without = configuration()
    with_it = configuration(**{"tools.lock": text_of(LOCK)})
    broken = configuration(**{"tools.lock": "{"})

    assert (without.lock, with_it.lock) == (None, LOCK)
    assert len({one.digest for one in (without, with_it, broken)}) == 3
    assert broken.lock == Lock(sound=False)
    assert [mistake.file for mistake in broken.mistakes] == ["conf/tools.lock"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "type", "enum", "required"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["name", "input_schema", "enum"]), JSON), st.randoms())
def test_h2_a_definition_that_is_only_ordered_otherwise_is_the_same(definition, random):
    assert hash_of(_shuffled(definition, random)) == hash_of(definition)
    assert hash_of(json.loads(json.dumps(definition))) == hash_of(definition)


def _shuffled(value, random, key=""):
    match value:
        case dict():
            items = list(value.items())
            random.shuffle(items)
            return {name: _shuffled(one, random, name) for name, one in items}
        case list():
            inner = [_shuffled(one, random) for one in value]
            if key in {"enum", "required", "type"}:
                random.shuffle(inner)
            return inner
        case _:
            return value


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"description": "a"}, {"description": "b"}),
        ({"description": "a"}, {}),
        ({"input_schema": {"anyOf": [1, 2]}}, {"input_schema": {"anyOf": [2, 1]}}),
        ({"annotations": {"readOnlyHint": True}}, {"annotations": {"readOnlyHint": False}}),
        ({"enum": ["1"]}, {"enum": [1]}),
    ],
)
def test_h2_every_other_difference_is_one(before, after):
    assert hash_of(before) != hash_of(after)


def test_a_way_is_the_same_on_every_machine_and_another_for_another_program():
    here = StdioServer(name="x", command=(sys.executable, "-m", "x"), directory=Path("/a"))
    there = StdioServer(name="x", command=("/opt/bin/python3", "-m", "x"), directory=Path("/b"))
    other = StdioServer(name="x", command=("python", "-m", "y"))

    assert reached(here, sys.executable) == reached(there, "/opt/bin/python3")
    assert reached(here, sys.executable) != reached(other, sys.executable)
    urls = ("http://a/mcp", "http://b/mcp")
    assert len({reached(HttpServer(name="x", url=url), "") for url in urls}) == 2
