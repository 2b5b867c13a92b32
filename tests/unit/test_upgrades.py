"""What an older version carried over is read whole by this one; what a newer one wrote is refused in words."""

import json
from pathlib import Path

import pytest

from orchestrator import temporal
from workflows import upgrades
from workflows.carried import SCHEMA, Carried, RunInput
from workflows.upgrades import NewerProgram, run_of, upgraded

CONVERTER = temporal.CONVERTER.payload_converter
WRITTEN = Path(__file__).parents[1] / "temporal" / "histories"
FILES = sorted(WRITTEN.glob("carried_v*.json"))


def through(value, kind):
    return CONVERTER.from_payload(CONVERTER.to_payload(value), kind)


def read(path):
    """What the version before wrote, and what this one makes of it."""
    given = through(json.loads(path.read_text()), RunInput)
    return given.carried, through(upgraded(given.carried), Carried)


def kept(written, again):
    """As much of a document as stood in another one."""
    if isinstance(written, dict):
        return {name: kept(value, again.get(name)) for name, value in written.items()}
    if isinstance(written, list):
        return [kept(*pair) for pair in zip(written, again, strict=True)]
    return again


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a5_every_field_that_an_older_version_carried_is_kept(path):
    written, carried = read(path)
    left = {name: value for name, value in written.items() if name != "schema"}

    assert kept(left, through(carried, dict)) == left
    assert carried.schema == SCHEMA


def test_every_schema_that_was_ever_written_has_a_file_and_a_step():
    assert [path.stem for path in FILES] == [f"carried_v{n}" for n in range(1, SCHEMA + 1)]
    assert sorted(upgrades.UPGRADERS) == list(range(1, SCHEMA))


def test_the_open_conversation_is_named_outside_its_state():
    _, carried = read(FILES[0])

    assert carried.conversation is not None
    assert carried.run_id == carried.conversation.run_id


def test_a_state_without_a_conversation_names_none():
    assert run_of(upgraded({"mailbox": []})) == ""
    assert run_of(None) == ""


def test_what_this_version_wrote_is_left_as_it_is():
    written = through(Carried(run_id="5a1f95b87d5d.1"), dict)

    assert upgraded(written) == written


def test_what_a_newer_program_wrote_is_refused_with_what_to_do():
    with pytest.raises(NewerProgram, match=f"expected a state of schema {SCHEMA} or before"):
        upgraded({"schema": SCHEMA + 1, "run_id": "5a1f95b87d5d.1"})
