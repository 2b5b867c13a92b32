"""A configuration directory on disk with fixtures, and requests as files, for commands that ask rules."""

import json
from pathlib import Path

from tests.support.configurations import PLAYBOOK, SECRETS, SERVERS, SOURCES

ISSUE = {
    "action": "opened",
    "owner": "acme",
    "number": 7,
    "issue": {"number": 7, "title": "It fails", "state": "open", "author_association": "NONE"},
    "repository": {"id": 1, "full_name": "acme/api"},
    "sender": {"id": 1, "login": "ann", "type": "User"},
}
RULE = """\
triage:
  on: github/issues.opened
  when:
    issue.state: open
    any:
      - {issue.number: {lt: 100}}
      - {issue.author_association: OWNER}
  run: triage
  with: {owner: "{{ event.owner }}", number: "{{ event.number }}"}
  key: "issue:{{ event.number }}"
"""
TESTED = """\
  tests:
    - {event: fixtures/opened.http, expect: {match: true, key: "issue:7", action: run, with: {number: 7}}}
    - event: fixtures/late.http
      expect: {match: false, failed: when.any}
"""


def request(payload=ISSUE, *, event="issues", path="/hooks/github", **headers):
    """A delivery of GitHub's as a file, not signed."""
    said = {"x-github-event": event, "x-github-delivery": "d-1"}
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\n" for name, value in said.items())
    return f"POST {path} HTTP/1.1\n{head}\n{json.dumps(payload)}"


def written(root: Path, **texts: str) -> Path:
    """A sound configuration in a directory; `rules__x_yaml` names another file of it."""
    late = {**ISSUE, "number": 700, "issue": {**ISSUE["issue"], "number": 700}}
    given = {
        "sources.yaml": SOURCES,
        "servers.yaml": SERVERS,
        "playbooks/triage.md": PLAYBOOK,
        "rules/triage.yaml": RULE + TESTED,
        "fixtures/opened.http": request(),
        "fixtures/late.http": request(late),
    } | {_path(name): text for name, text in texts.items()}
    for name, text in given.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def _path(name: str) -> str:
    stem, _, suffix = name.replace("__", "/").rpartition("_")
    return f"{stem}.{suffix}"


def secrets(monkeypatch) -> None:
    """Set the secrets that the configuration names."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
