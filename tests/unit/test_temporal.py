"""What everything that Temporal carries is written and read with, and what it costs."""

from temporalio.contrib.pydantic import pydantic_data_converter

from orchestrator.temporal import PayloadConverter
from workflows.messages import Entry, Kind


def test_what_is_carried_is_written_and_read_as_by_pydantic() -> None:
    stock = pydantic_data_converter.payload_converter
    value = Entry(decision_id="dec_1", event_id="evt_1", kind=Kind.EVENT)
    [ours], [theirs] = PayloadConverter().to_payloads([value]), stock.to_payloads([value])

    assert ours == theirs
    assert PayloadConverter().from_payloads([ours], [Entry]) == [value]


def test_what_was_made_of_a_type_is_shared_by_all_runs_of_a_process() -> None:
    """Each run has a converter of its own, and to read the type of what it starts with takes longer than its work."""
    one, other = PayloadConverter(), PayloadConverter()

    assert one.converters[b"json/plain"] is other.converters[b"json/plain"]
