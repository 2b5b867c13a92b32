"""A1: what an older version wrote is still read: no stored structure gains a field it can't do without, or loses one.

A run may be parked for weeks: its prompt, its mailbox and its state were written by the version of that day.
"""

import dataclasses
import json

import msgspec
import pytest
from pydantic import TypeAdapter, ValidationError

from orchestrator.agent.conversation import frozen
from tests.conformance.stored import structures, today, written
from tests.support.builders import frozen as pinned
from tests.support.builders import tool
from workflows.own_tools import WAIT

STRUCTURES = structures()
WRITTEN = written()
AGAIN = "write it down with `python -m tests.conformance.stored`"
DOCUMENTS = [(name, document) for name in WRITTEN for document in WRITTEN[name].get("least", ())]


def test_everything_that_is_stored_is_written_down():
    assert set(STRUCTURES) <= set(WRITTEN), AGAIN
    for name, kind in STRUCTURES.items():
        for part, said in today(kind).items():
            missing = [one for one in said if one not in WRITTEN[name][part]]
            if part != "least":
                assert missing == [], f"{name}: {AGAIN}"


@pytest.mark.parametrize(("name", "document"), DOCUMENTS)
def test_a1_the_least_that_any_version_wrote_of_it_can_be_read(name, document):
    """A field that was added later needs a default: old documents don't have it."""
    kind = STRUCTURES[name]
    if issubclass(kind, msgspec.Struct):
        assert msgspec.json.decode(json.dumps(document), type=kind)
    else:
        assert TypeAdapter(kind).validate_json(json.dumps(document))


@pytest.mark.parametrize("name", WRITTEN)
def test_a1_no_field_or_word_that_was_written_has_gone_or_got_another_name(name):
    kind = STRUCTURES[name]
    now = today(kind)
    for part in {"fields", "words"} & set(WRITTEN[name]):
        assert set(WRITTEN[name][part]) <= set(now[part])


def test_a_field_that_was_added_without_a_default_would_be_seen():
    grown = dataclasses.make_dataclass("Entry", [("token", str), ("added", int)])

    with pytest.raises(ValidationError, match="added"):
        TypeAdapter(grown).validate_python({"token": "t"})


def test_a1_a_pin_from_before_its_sources_were_written_down_is_read_and_lets_any_source_wake():
    document = json.loads(frozen.dump(pinned(tool())))
    del document["sources"]
    old = frozen.load(json.dumps(document).encode())
    asked = {"type": "tool_use", "id": "t", "name": WAIT}
    given = {"events": ["anybody/issues.*"], "reason": "a reply"}

    assert old.sources == ()
    (plan,) = frozen.planned(old, "r.1", 1, [{**asked, "input": given}])
    assert plan.call.usable
