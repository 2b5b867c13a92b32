"""`doorbell runs lost`: what Temporal no longer knew is listed, and another server is accepted only by name."""

import json

import pytest

from orchestrator.ledger import conversations, losses
from tests.support.builders import AT, RUN, comment, opening, rule
from tests.support.installed import Installed


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = Installed(tmp_path / "state")
    there.kept(comment("evt_1"), rule())
    return there


def test_each_is_listed_with_why_and_whether_it_begins_again(there):
    there.write(conversations.begin, opening(), AT)
    there.write(losses.lose, RUN, "gone", AT)

    [shown] = json.loads(there.doorbell("runs", "lost", "--json").stdout)
    people = there.doorbell("runs", "lost").stdout

    reason = "lost: gone; it had sent no write, so it begins again"
    assert shown == {"run": RUN, "at": "2026-11-21T12:00:00+00:00", "again": True, "reason": reason}
    assert reason in people


def test_without_a_service_the_server_must_be_named(there):
    result = there.doorbell("runs", "lost", "--accept")

    assert result.exit_code == 2
    assert "name the server with --temporal ADDRESS" in result.output


def test_a_server_that_is_not_there_is_not_accepted(there):
    result = there.doorbell("runs", "lost", "--accept", "--temporal", "127.0.0.1:9")

    assert result.exit_code == 2
    assert "does not answer" in result.output
