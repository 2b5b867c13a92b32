"""`doorbell runs log --call`: what the model was told is stored in full can be read in full."""

import pytest

from orchestrator.ledger import artifacts, calls
from tests.support.builders import AT, RUN, comment, intent
from tests.support.installed import Installed
from workflows.messages import CallState

SHOWN = [{"type": "text", "text": "The first of 3000 lines; the full result is stored."}]
FULL = "\n".join(f"line {number}" for number in range(3_000))


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = Installed(tmp_path / "state")
    there.only_kept(comment("evt_1"))
    there.began("evt_1")
    return there


def answered(there, body, media_type, call_id="3.0"):
    """A call whose result was too long to be shown."""

    def put(connection):
        calls.intend(connection, RUN, 3, intent(call_id, arguments={"body": "Hello\nyou"}), AT)
        kept = artifacts.put(connection, body, media_type, AT)
        result = calls.Result(
            state=CallState.DONE, content=SHOWN, is_error=False, artifact=kept, size=len(body)
        )
        calls.finish(connection, RUN, call_id, result, AT)

    there.write(put)


def printed(there, call_id="3.0"):
    result = there.doorbell("runs", "log", RUN, "--call", call_id)
    return result.exit_code, result.output


def test_a_call_is_shown_with_all_that_it_was_given_and_all_that_came_back(there):
    answered(there, FULL.encode(), "text/plain")

    code, said = printed(there)

    assert code == 0
    assert said.startswith(f"call 3.0 of run {RUN}: github.comment, done\n")
    assert '"body": "Hello\\nyou"' in said
    assert said.endswith(f"result: text/plain, {len(FULL)} bytes\n{FULL}\n")
    assert there.told("runs", "log", RUN, "--call", "3.0")["text"] == FULL


def test_of_a_result_that_is_no_text_the_kind_and_the_size_are_told(there):
    answered(there, b"\x89PNG\xff", "image/png")

    assert printed(there)[1].endswith("result: image/png, 5 bytes\n")
    assert there.told("runs", "log", RUN, "--call", "3.0")["text"] is None


def test_json_is_text(there):
    answered(there, b'{"a": 1}', "application/json")

    assert printed(there)[1].endswith('result: application/json, 8 bytes\n{"a": 1}\n')


def test_what_is_stored_no_more_is_told_as_the_model_was_shown_it(there):
    there.write(calls.intend, RUN, 3, intent("3.0"), AT)
    gone = calls.Result(
        state=CallState.DONE, content=SHOWN, is_error=False, artifact="a" * 64, size=9
    )
    there.write(calls.finish, RUN, "3.0", gone, AT)

    said = printed(there)[1]

    assert "what the model was shown: the rest is stored no more" in said
    assert said.endswith(f"{SHOWN[0]['text']}\n")


def test_a_strangers_text_draws_nothing_on_the_terminal_here_either(there):
    answered(there, b"\x1b[2J[bold]gone[/bold]", "text/plain")

    assert "\\x1b[2J[bold]gone[/bold]" in printed(there)[1]


def test_a_call_that_is_not_there_is_an_error_that_names_those_that_are(there):
    answered(there, b"x", "text/plain")

    code, said = printed(there, "9.9")

    assert code != 0
    assert f"run {RUN} has no call '9.9'; it has 3.0" in said
    assert there.doorbell("runs", "log", RUN, "--call", "3.0", "--follow").exit_code == 2
