"""A7: a stranger's text can't make an agent do more than its playbook allows, however obedient its model is.

Every payload is run twice, against real hands that count: under the policies, and with them off. Without the second
run the first would prove nothing.
"""

import asyncio
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator.agent import untrusted
from tests.support.house import Files, House, commented, house, opened
from tests.support.injections import LISTED, PAYLOADS, POLICIES, REPO, Payload, Place, token
from tests.support.obedient import Obedient
from tests.support.town import SUPPORT, Town

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(300)]

SERVERS = f"""\
town:
  command: [{sys.executable}, {SUPPORT / "injected_server.py"}]
  env: {{COUNT: COUNTED, NOTES: DIRECTORY/notes.json, SIGNS: DIRECTORY/signs.json}}
"""

RULE = """\
NAME:
  id: HOUSE
  on: [ON]
  when: {issue.number: NUMBER}
  run: NAME
  with: {number: "{{ event.issue.number }}"}
  key: "issue:{{ event.issue.number }}"
  stage: STAGE
"""

PLAYBOOK = """\
---
model: scripted-1
max_tokens: 1000
inputs: {number: integer}
MATTER
budget: {usd: 50, tokens: 3000k, turns: 20, tool_calls: 60}
---
You look after issue {{ with.number }}.
"""


@dataclass(frozen=True, kw_only=True)
class Stage(Files):
    """A rule and a playbook for each payload, under all policies, or under all but its own."""

    own_off: bool = False

    def write(self, directory: Path, counted: Path, lab: str, house: str) -> None:
        signs = {sign(one): one.text for one in PAYLOADS if one.place is Place.DESCRIPTION}
        notes = {str(one.number): one.text for one in PAYLOADS if one.place is Place.RESULT}
        directory.mkdir(parents=True)
        (directory.parent / "signs.json").write_text(json.dumps(signs))
        (directory.parent / "notes.json").write_text(json.dumps(notes))
        servers = SERVERS.replace("DIRECTORY", str(directory.parent))
        Files(
            servers=servers,
            rule="\n".join(self._rule(one, house) for one in PAYLOADS),
            playbook=PLAYBOOK.replace("MATTER", LISTED),
        ).write(directory, counted, lab, house)
        for one in PAYLOADS:
            text = PLAYBOOK.replace("MATTER", "\n".join(self._matter(one)))
            (directory / "playbooks" / f"p{one.number}.md").write_text(text, encoding="utf-8")

    def _off(self, one: Payload, name: str) -> bool:
        return self.own_off and one.policy == name

    def _matter(self, one: Payload) -> Iterator[str]:
        more = f", {sign(one)}" if one.place is Place.DESCRIPTION else ""
        for name, policy in POLICIES.items():
            line = policy.off if self._off(one, name) else policy.on
            yield line.replace("]}", f"{more}]}}") if line.startswith("tools:") else line

    def _rule(self, one: Payload, house: str) -> str:
        stage = "live" if self._off(one, one.policy) else POLICIES[one.policy].stage
        heard = "issue_comment.created" if one.place is Place.COMMENT else "issues.opened"
        said = {
            "NAME": f"p{one.number}",
            "NUMBER": str(one.number),
            "STAGE": stage,
            "ON": f"github/{heard}",
        }
        text = RULE.replace("HOUSE", f"{house}-{one.number}")
        for name, value in said.items():
            text = text.replace(name, value)
        return text


@dataclass(frozen=True, kw_only=True)
class Came:
    """What came of one payload: its run, and the calls that the server executed with its token."""

    run: Mapping[str, Any]
    executed: Sequence[Mapping[str, Any]] = field(default_factory=list)


def sign(one: Payload) -> str:
    return f"sign_{one.number}"


def event(home: House, one: Payload) -> Any:
    if one.place is Place.COMMENT:
        return home.arrival(commented(one.text, one.number), "issue_comment")
    payload = opened(one.number)
    if one.place in {Place.TITLE, Place.BODY}:
        payload["issue"][one.place.value] = one.text
    return home.arrival(payload)


async def happened(directory: Path, town: Town, files: Files) -> dict[int, Came]:
    """Let every payload ring, and wait until nothing goes on."""
    async with house(directory, town, Obedient(), files) as home, asyncio.timeout(240):
        await home.keep(*(event(home, one) for one in PAYLOADS))
        while not over(runs := await home.runs()):  # noqa: ASYNC110 - the ledger has no event for us
            await asyncio.sleep(0.2)
    executed = [json.loads(line) for line in home.executed()]
    of_number = {int(run["key"].partition(":")[2]): run for run in runs}
    return {
        one.number: Came(
            run=of_number[one.number],
            executed=[call for call in executed if carries(call["arguments"], one)],
        )
        for one in PAYLOADS
    }


def over(runs: Sequence[Mapping[str, Any]]) -> bool:
    return len(runs) == len(PAYLOADS) and all(run["state"] in {"ended", "parked"} for run in runs)


def carries(arguments: Mapping[str, Any], one: Payload) -> bool:
    said = [value for text in map(str, arguments.values()) for value in text.split()]
    known = {token(one.number)}
    return bool(known & set(said)) or arguments.get("name") == token(one.number)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, town: Town) -> dict[int, Came]:
    return asyncio.run(happened(tmp_path_factory.mktemp("guarded"), town, Stage()))


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory: pytest.TempPathFactory, town: Town) -> dict[int, Came]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(untrusted, "_UNSEEN", re.compile("(?!)"))
        directory = tmp_path_factory.mktemp("unguarded")
        return asyncio.run(happened(directory, town, Stage(own_off=True)))


def test_a7_there_are_forty_payloads_and_more() -> None:
    assert len(PAYLOADS) >= 40
    assert {one.place for one in PAYLOADS} == set(Place)
    assert {one.policy for one in PAYLOADS} == set(POLICIES)


@pytest.mark.parametrize("one", PAYLOADS, ids=lambda one: one.id)
def test_a7_no_injection_reaches_a_server_beyond_its_policy(
    one: Payload, guarded: dict[int, Came]
) -> None:
    came = guarded[one.number]
    assert not one.harmed(came.executed), came.executed
    made = [call for call in came.run["tool_calls"] if call["tool"] not in {"look", "event"}]
    assert bool(made) is one.seen, (
        "each attempt is in the ledger, and what isn't seen is no attempt"
    )
    outside = [call for call in came.executed if call["tool"] != "comment"]
    assert not outside
    assert all(call["arguments"]["repo"] == REPO for call in came.executed)


@pytest.mark.parametrize("one", PAYLOADS, ids=lambda one: one.id)
def test_a7_with_its_policy_off_the_same_injection_lands(
    one: Payload, unguarded: dict[int, Came]
) -> None:
    came = unguarded[one.number]
    assert one.harmed(came.executed), came.run


def test_h2_a_description_with_a_hidden_command_opens_no_conversation(
    guarded: dict[int, Came],
) -> None:
    hidden = [one for one in PAYLOADS if (one.policy, one.place) == ("unseen", Place.DESCRIPTION)]
    for one in hidden:
        run = guarded[one.number].run
        assert (run["state"], run["turns"]) == ("parked", 0)
        assert (
            f"the definition of town.{sign(one)} has characters that nobody sees" in run["reason"]
        )
    assert hidden
