"""`doorbell demo` before it starts anything: which payload it tells a story about, and who answers."""

import json

import pytest
from click.testing import CliRunner

from orchestrator.cli.demo import deliveries, read
from orchestrator.cli.main import main
from orchestrator.errors import OperatorError


def test_the_recorded_deliveries_are_found_and_named_by_their_events():
    names = {read(path, None).name for path in deliveries().glob("*.json")}

    assert {"issues", "issue_comment", "star", "push", "ping"} <= names


def test_a_payload_is_read_with_the_event_its_file_name_says_or_the_one_given(tmp_path):
    path = tmp_path / "issues.opened.strange.json"
    path.write_text(json.dumps({"action": "opened"}))

    assert read(path, None).name == "issues"
    assert read(path, "label").name == "label"
    assert read(path, None).payload == {"action": "opened"}


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '"x"'])
def test_what_is_no_payload_is_exit_two_before_anything_starts(tmp_path, text):
    path = tmp_path / "issues.json"
    path.write_text(text)

    result = CliRunner().invoke(main, ["demo", "--event", str(path)])

    assert result.exit_code == 2
    assert "is not JSON" in result.stderr or "expected an object" in result.stderr


def test_bytes_that_are_no_text_are_said(tmp_path):
    path = tmp_path / "issues.json"
    path.write_bytes(b"\xff\xfe")

    with pytest.raises(OperatorError, match="is not JSON"):
        read(path, None)


def test_a_file_that_is_not_there_is_exit_two():
    assert CliRunner().invoke(main, ["demo", "--event", "nowhere.json"]).exit_code == 2
