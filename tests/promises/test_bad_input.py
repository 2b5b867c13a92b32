"""Bad input, from outside: a running `doorbell up` over real sockets, asked and looked at as a person would.

Every refusal has its status, a problem in JSON that echoes nothing, and a line in the refusal log; no secret is
written anywhere. What can't go on says what to do, and goes on when it is mended.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import Result

from orchestrator.settings import environment
from orchestrator.signatures import github
from orchestrator.state import StateDirectory
from tests.support.installed import Installed

pytestmark = pytest.mark.temporal

PROGRAM = (sys.executable, "-m", "orchestrator")
SECRET = "the-secret-of-the-webhook"
TOKEN = "the-token-of-the-hands"
MARK = "words-of-a-stranger"
LIMIT = 26_214_400

FILES = {
    "sources.yaml": "github: {scheme: github, secrets: [env:WEBHOOK_SECRET]}\n",
    "servers.yaml": """\
time:
  command: [python, -m, mcp_server_time, --local-timezone, UTC]
  env: {TOKEN: env:HANDS_TOKEN}
""",
    "rules/note.yaml": """\
note:
  on: github/star.created
  run: note
  key: "star:{{ event.number }}"
""",
    "playbooks/note.md": """\
---
model: claude-sonnet-5-5
tools: {time: [get_current_time]}
budget: {usd: 0.10, tokens: 50k, turns: 4, tool_calls: 4}
---
Say what time it is.
""",
}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Up:
    """A running installation."""

    directory: Path
    url: str

    @property
    def state(self) -> StateDirectory:
        return StateDirectory(self.directory / "state")

    def knock(
        self, path: str, body: bytes, headers: Mapping[str, str], method: str = "POST"
    ) -> Answer:
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=20)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, told, answer.read())
        finally:
            connection.close()

    def star(self, number: int) -> str:
        """A delivery that is kept; the id of its event."""
        answer = self.knock("/hooks/github", body := starred(number), signed(body, f"d{number}"))
        assert answer.status == 202, answer
        event: str = json.loads(answer.body)["event"]
        return event

    def doorbell(self, *words: str) -> Result:
        return Installed(self.state.path).doorbell(*words)

    def told(self, *words: str) -> Any:
        return Installed(self.state.path).told(*words)

    def until(self, *words: str, holds: Any) -> Any:
        deadline = time.monotonic() + 40
        while not holds(found := self.told(*words)):
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    directory = tmp_path_factory.mktemp("bad_input")
    for name, text in FILES.items():
        path = directory / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    inherited = {name: environment()[name] for name in ("PATH", "HOME")}
    # An empty key is what a copied .env.example says: it is no key.
    told = {"WEBHOOK_SECRET": SECRET, "HANDS_TOKEN": TOKEN, "ANTHROPIC_API_KEY": ""}
    surroundings = {**inherited, **told, "PYTHONPATH": str(Path(__file__).parents[2])}
    line = [*PROGRAM, "up", "--port", "0", "--json", "--config", "conf", "--state", "state"]
    with (
        (directory / "up.log").open("wb") as log,
        subprocess.Popen(
            line, cwd=directory, env=surroundings, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said, (directory / "up.log").read_text()
            yield Up(directory, json.loads(said)["url"])
            process.terminate()
            assert process.wait(60) == 0
        finally:
            process.kill()


def starred(number: int) -> bytes:
    payload = {"action": "created", "starred_at": "2026-11-21", "number": number, "note": MARK}
    return json.dumps(payload).encode()


def signed(body: bytes, delivery: str, secret: str = SECRET, **more: str) -> dict[str, str]:
    headers = {"x-github-event": "star", "x-github-delivery": delivery}
    return {**headers, **github.sign(secret.encode(), body), **more}


def without(headers: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key != name}


BODY = starred(0)
GOOD = signed(BODY, "d0")
JUNK = b'{"note": "words-of-a-stranger"'
KNOCKS = {
    "wrong_secret": (401, "bad_signature", "github", BODY, signed(BODY, "d0", "another")),
    "changed_body": (401, "bad_signature", "github", BODY + b" ", GOOD),
    "unsigned": (401, "no_signature", "github", BODY, {"x-github-event": "star"}),
    "unknown_source": (404, "unknown_source", "nobody", BODY, GOOD),
    "not_json": (400, "malformed", "github", JUNK, signed(JUNK, "d0")),
    "no_event": (400, "malformed", "github", BODY, without(GOOD, "x-github-event")),
    "other_event": (400, "type_mismatch", "github", BODY, {**GOOD, "x-github-event": "push"}),
    "encoded": (415, "unsupported_encoding", "github", BODY, {**GOOD, "content-encoding": "gzip"}),
    "too_large": (413, "too_large", "github", b"", {**GOOD, "content-length": str(LIMIT + 1)}),
}


@pytest.mark.parametrize("name", KNOCKS)
def test_d1_d5_a_refusal_says_what_echoes_nothing_and_is_remembered_without_the_body(
    up: Up, name: str
) -> None:
    status, reason, source, body, headers = KNOCKS[name]

    answer = up.knock(f"/hooks/{source}", body, headers)

    problem = json.loads(answer.body)
    assert (answer.status, problem["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:doorbell:problem:{reason}"
    assert problem["title"]
    assert problem["detail"]
    signature = headers.get("x-hub-signature-256", MARK).encode()
    assert not [said for said in (MARK.encode(), SECRET.encode(), signature) if said in answer.body]
    refusal = up.told("events", "list", "--refused")[0]
    assert (refusal["source"], refusal["reason"]) == (source, reason)
    assert set(refusal) == {"at", "source", "reason", "detail", "headers"}
    assert set(refusal["headers"]) >= set(headers)
    assert MARK not in json.dumps(refusal)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_d5_only_post_rings(up: Up, method: str) -> None:
    answer = up.knock("/hooks/github", b"", {}, method)

    assert answer.status == 405
    assert answer.headers["allow"] == "POST"
    assert json.loads(answer.body)["type"] == "urn:doorbell:problem:method_not_allowed"


def test_a_wrong_secret_is_found_by_a_person_in_one_look(up: Up) -> None:
    up.knock("/hooks/github", BODY, signed(BODY, "d0", "another"))

    shown = " ".join(up.doorbell("events", "list", "--refused").stdout.split())
    assert "github bad_signature" in shown


def test_a7_no_secret_is_written_to_any_file_or_line(up: Up) -> None:
    up.star(1)
    up.knock("/hooks/github", BODY, signed(BODY, "d0", "another"))
    up.until("runs", "list", holds=lambda runs: any(run["state"] == "parked" for run in runs))

    kept = up.state.operator_secret()
    for path in up.directory.rglob("*"):
        if path.is_file():
            written = path.read_bytes()
            assert SECRET.encode() not in written, path
            assert TOKEN.encode() not in written, path
            assert kept.encode() not in written or path.name == "operator.secret", path
    assert (up.state.path / "operator.secret").stat().st_mode & 0o077 == 0


def test_with_no_key_the_run_parks_saying_what_to_set_and_a_person_can_say_go_on(up: Up) -> None:
    event = up.star(2)
    run_id = up.until("why", event, holds=started)["decisions"][0]["run_id"]
    parked = up.until("runs", "show", run_id, holds=lambda run: run["state"] == "parked")
    assert "set ANTHROPIC_API_KEY" in parked["reason"]
    assert parked["waiting_for"] == {"kind": "person", "reason": parked["reason"]}

    word = up.told("runs", "resume", run_id)
    taken = up.until("why", word["event"], holds=settled)

    assert taken["decisions"][0]["run_id"] == run_id
    parked = up.until("runs", "show", run_id, holds=lambda run: run["state"] == "parked")
    assert "set ANTHROPIC_API_KEY" in parked["reason"]


def test_d6_with_temporal_away_the_door_keeps_status_says_so_and_entries_wait(up: Up) -> None:
    with stopped(up.state.pids()["temporal"]):
        event = up.star(3)
        status = up.doorbell("status")
        assert status.exit_code == 1
        assert "NOT reachable: entries wait" in status.stdout
        (decision,) = up.until("why", event, holds=lambda one: one["decisions"])["decisions"]
        assert (decision["action"], decision["state"]) == ("start", "ready")
        assert up.knock("/ready", b"", {}, "GET").status == 200

    up.until("why", event, holds=started)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def started(event: Mapping[str, Any]) -> bool:
    return any(decision["run_id"] for decision in event["decisions"])


def settled(event: Mapping[str, Any]) -> bool:
    return any(
        decision["state"] in {"delivered", "settled"} and decision["run_id"]
        for decision in event["decisions"]
    )
