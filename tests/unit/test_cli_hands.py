"""`doorbell hands`: how the servers fare, and a call of a person's that the audit keeps."""

import json
import sys
import time
from getpass import getuser

import pytest
from click.testing import CliRunner

from orchestrator.cli.main import main
from orchestrator.ledger import standings
from orchestrator.ledger.audit import digest_of
from orchestrator.ledger.standings import Fared
from tests.support.builders import comment
from tests.support.configurations import SOUND
from tests.support.installed import Installed
from tests.support.lab import SUPPORT, lines

SERVERS = f"""\
old:
  command: [{sys.executable}, {SUPPORT / "old_lab_server.py"}, LOG]
  tools: {{hello: {{effect: read}}, refuses: {{effect: write}}}}
gone:
  command: [no-such-program]
"""


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    servers = SOUND["servers.yaml"] + SERVERS.replace("LOG", str(tmp_path / "lab.log"))
    for name, text in (SOUND | {"servers.yaml": servers}).items():
        path = tmp_path / "doorbell.d" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    there = Installed(tmp_path / "state")
    there.only_kept(comment("evt_1"))
    return there


@pytest.fixture
def log(tmp_path):
    return tmp_path / "lab.log"


# list ------------------------------------------------------------------------------------------


def test_o2_a_server_is_shown_with_protocol_tools_tokens_and_latency(there):
    (row,) = there.told("hands", "list", "old")

    assert (row["server"], row["transport"], row["protocol"]) == ("old", "stdio", "2024-11-05")
    assert (row["identity"], row["well"], row["drift"]) == ("old 0.1", True, {})
    assert "hello" in row["tools"]
    assert row["tokens"] == sum(row["tools"].values()) > 0
    assert 0 < row["latency_seconds"] < row["opened_seconds"]
    shown = there.doorbell("hands", "list", "old").stdout
    assert "2024-11-05" in shown
    assert "not locked" in shown


def test_o2_a_server_that_is_named_is_shown_with_its_tools_and_their_arguments(there):
    row, old = there.told("hands", "list", "github", "old")
    shown = " ".join(there.doorbell("hands", "list", "github").stdout.split())

    assert row["arguments"]["list_label"] == {"owner": True, "repo": True}
    assert row["arguments"]["issue_read"]["page"] is False
    assert old["arguments"]["hello"] == {}
    assert "arguments, those with ? may be left out" in shown
    assert "github.issue_read" in shown
    assert "page?" in shown


def test_o2_a_server_that_can_not_be_reached_is_named_and_fails_the_command(there):
    result = there.doorbell("hands", "list", "gone")

    assert result.exit_code == 1
    assert "unreachable" in result.stdout
    assert "expected a program named 'no-such-program'" in result.stderr


def test_o2_what_a_worker_leaves_alone_is_told_with_its_last_error(there):
    now = time.time()
    fared = Fared(
        server="old",
        worker="host:7",
        state="open",
        failures=5,
        error="its process ended",
        until=now + 30,
        at=now,
    )
    there.write(standings.put, fared)
    result = there.doorbell("hands", "list", "old", "--json")

    (row,) = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (row["well"], row["left_alone"][0]["worker"]) == (False, "host:7")
    assert 0 < row["left_alone"][0]["again_in_seconds"] <= 30
    there.write(
        standings.put,
        Fared(
            server="old", worker="host:7", state="closed", failures=0, error=None, until=now, at=now
        ),
    )
    assert there.told("hands", "list", "old")[0]["well"]


def test_h2_a_server_that_is_not_what_was_locked_is_told(there, tmp_path):
    rule = SOUND["rules/triage.yaml"] + (
        "hello: {on: github/issues.opened, call: [{tool: old.hello, args: {}}]}\n"
    )
    (tmp_path / "doorbell.d" / "rules" / "triage.yaml").write_text(rule)
    CliRunner().invoke(main, ["lock"])
    lock = tmp_path / "doorbell.d" / "tools.lock"
    kept = json.loads(lock.read_text())
    kept["servers"]["old"]["identity"] = "somebody else"
    lock.write_text(json.dumps(kept))
    result = there.doorbell("hands", "list", "old")

    assert result.exit_code == 1
    assert "server 'old' calls itself" in result.stderr


@pytest.mark.parametrize("words", [("list", "odl"), ("call", "odl.hello")])
def test_o2_a_server_that_nobody_configured_is_named_with_its_nearest(there, words):
    result = there.doorbell("hands", *words)

    assert result.exit_code == 2
    assert "no server is named 'odl' in servers.yaml; did you mean 'old'" in result.output


# call ------------------------------------------------------------------------------------------


def test_o2_a_read_is_made_at_once_and_the_audit_has_it_as_that_persons(there):
    result = there.doorbell("hands", "call", "old.hello")

    assert (result.exit_code, result.stdout) == (0, "good day\n")
    rows = there.told("audit")
    assert [(row["who"], row["outcome"]) for row in rows] == [
        (getuser(), "sent"),
        (getuser(), "done"),
    ]
    assert rows[1]["run_id"] is None
    assert rows[1]["arguments"] == digest_of("{}")
    assert rows[0]["call_id"] == rows[1]["call_id"]
    assert there.told("audit", "--verify")["ok"]


def test_o2_what_may_change_something_is_not_sent_without_a_yes(there, log):
    result = there.doorbell("hands", "call", "old.breaks_schema")
    assert result.exit_code == 2
    assert "may change something (write-once" in result.output
    assert "repeat with --yes" in result.output
    assert "tools/call" not in lines(log)

    told = there.told("hands", "call", "old.breaks_schema", "--yes")
    assert (told["outcome"], told["content"][0]["text"]) == ("done", "it acted")


def test_o2_a_refusal_of_the_server_fails_the_command(there):
    result = there.doorbell("hands", "call", "old.refuses", "{}", "--yes")

    assert result.exit_code == 1
    assert "no such issue" in result.stdout
    assert there.told("audit")[-1]["outcome"] == "failed"


def test_o2_without_an_installation_a_read_goes_and_a_write_does_not(there, tmp_path):
    elsewhere = Installed(tmp_path / "elsewhere")

    assert elsewhere.doorbell("hands", "call", "old.hello").stdout == "good day\n"
    result = elsewhere.doorbell("hands", "call", "old.refuses", "--yes")
    assert result.exit_code == 2
    assert "there is no installation" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("old.helo",), "has no tool 'helo'; did you mean 'hello'"),
        (("old",), "expected SERVER.TOOL"),
        (("old.hello", "{"), "expected the arguments as JSON"),
        (("old.hello", "[1]"), "expected the arguments as a JSON object"),
    ],
)
def test_o2_a_call_that_makes_no_sense_is_refused_in_words(there, words, said):
    result = there.doorbell("hands", "call", *words)

    assert result.exit_code == 2
    assert said in result.output


def test_o2_a_server_that_is_away_is_told_and_nothing_was_sent(there):
    result = there.doorbell("hands", "call", "gone.x", "--yes")

    assert result.exit_code == 2
    assert "could not connect" in result.output
