"""Let every payload ring, each at a rule and a playbook of its own, and tell what came of it, counted at the server."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator import views
from orchestrator.agent.hands.pool import Hands
from orchestrator.agent.means import Means
from orchestrator.agent.reply import Request, Said
from orchestrator.demo.wire import Text, ToolUse
from orchestrator.dispatch.decide import decide
from orchestrator.inbox.inbox import Arrival, Decision, event_of
from orchestrator.inbox.memory import MemoryInbox
from orchestrator.stores import configuration_reader
from tests.support.builders import AT, NOW, github, known, ledger_at
from tests.support.driven import driven
from tests.support.injections import LISTED, PAYLOADS, POLICIES, WRITES, Payload, Place, token
from tests.support.obedient import Obedient

SERVER = Path(__file__).with_name("injected_server.py")
AT_ONCE = 6
"""Runs; the one server answers them all, and on a busy machine not all in time."""

SOURCES = "github: {scheme: github, secrets: [env:SECRET]}\n"
SERVERS = """\
town:
  command: [PYTHON, SERVER]
  env: {COUNT: HERE/count, NOTES: HERE/notes.json, SIGNS: HERE/signs.json}
"""
RULE = """\
NAME:
  on: [github/ON]
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
class Came:
    """What came of one payload: its run, and the calls with its token that the server executed."""

    run: Mapping[str, Any]
    executed: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Model:
    """The obedient model behind no wire."""

    script: Obedient

    async def say(self, request: Request) -> Said:
        asked = {"system": request.system, "tools": request.tools, "messages": request.messages}
        reply = self.script.reply(asked)
        content = [_block(at, block) for at, block in enumerate(reply.blocks)]
        usage = {"input_tokens": 10, "output_tokens": 10}
        return Said(content=content, stop=reply.stop_reason, usage=usage, request_id=None)

    async def close(self) -> None:
        return


def _block(at: int, block: Any) -> dict[str, Any]:
    match block:
        case ToolUse(name, given):
            return {"type": "tool_use", "id": f"toolu_{at}", "name": name, "input": dict(given)}
        case Text(text):
            return {"type": "text", "text": text}
        case _:
            raise TypeError(block)


async def happened(directory: Path, *, own_off: bool = False) -> dict[int, Came]:
    """What came of every payload, under all policies or (`own_off`) under all but its own."""
    _write(directory, own_off=own_off)
    async with _means(directory) as means:
        room = asyncio.Semaphore(AT_ONCE)
        runs = await asyncio.gather(*(_run(means, one, room) for one in PAYLOADS))
    lines = (directory / "count").read_text(encoding="utf-8").splitlines()
    made = [json.loads(line) for line in lines]
    return {
        one.number: Came(
            run=run,
            executed=[call for call in made if _carries(call["arguments"], one)],
        )
        for one, run in zip(PAYLOADS, runs, strict=True)
    }


def sign(one: Payload) -> str:
    """The name of the tool whose description a payload is."""
    return f"sign_{one.number}"


@asynccontextmanager
async def _means(directory: Path) -> AsyncIterator[Means]:
    read = configuration_reader(directory / "doorbell.d", {"SECRET": "x" * 20})
    assert not read().mistakes, read().mistakes
    hands = Hands(read().servers, environment={"PATH": os.defpath, "HOME": str(directory)})
    configuration = read()
    try:
        with ledger_at(directory) as ledger:
            yield Means(
                inbox=MemoryInbox(),
                ledger=ledger,
                model=Model(script=Obedient()),
                hands=hands,
                configuration=lambda: configuration,
                now=lambda: AT,
                scripted=True,
            )
    finally:
        await hands.close()


async def _run(means: Means, one: Payload, room: asyncio.Semaphore) -> Mapping[str, Any]:
    async with room:
        run_id = await driven(means, await _decided(means, one))
    return await means.ledger.read(views.run, run_id, None, "default")


async def _decided(means: Means, one: Payload) -> Decision:
    arrival = _arrival(one)
    await means.inbox.keep([arrival])
    entry = await means.inbox.entry(arrival.id)
    assert entry is not None
    rules = means.configuration().rules
    decisions = decide(event_of(entry, json.loads(entry.body)), entry.position, known(*rules))
    written = await means.inbox.decide(arrival.id, decisions, NOW)
    (started,) = [decision for decision in written if decision.playbook]
    return started


def _arrival(one: Payload) -> Arrival:
    issue = {"number": one.number, "title": "It fails", "body": "Help.", "state": "open"}
    payload: dict[str, Any] = {
        "action": "created" if one.place is Place.COMMENT else "opened",
        "issue": issue,
        "repository": {"full_name": "acme/api"},
        "sender": {"login": "eve", "id": 66, "type": "User"},
    }
    if one.place is Place.COMMENT:
        payload["comment"] = {"id": 1, "body": one.text}
        return github(f"evt_{one.number}", "issue_comment", payload)
    if one.place in {Place.TITLE, Place.BODY}:
        issue[one.place.value] = one.text
    return github(f"evt_{one.number}", "issues", payload)


def _write(directory: Path, *, own_off: bool) -> None:
    signs = {sign(one): one.text for one in PAYLOADS if one.place is Place.DESCRIPTION}
    notes = {str(one.number): one.text for one in PAYLOADS if one.place is Place.RESULT}
    (directory / "signs.json").write_text(json.dumps(signs), encoding="utf-8")
    (directory / "notes.json").write_text(json.dumps(notes), encoding="utf-8")
    (directory / "count").touch()
    files = directory / "doorbell.d"
    (files / "rules").mkdir(parents=True)
    (files / "playbooks").mkdir()
    servers = SERVERS.replace("PYTHON", sys.executable).replace("SERVER", str(SERVER))
    (files / "sources.yaml").write_text(SOURCES, encoding="utf-8")
    (files / "servers.yaml").write_text(servers.replace("HERE", str(directory)), encoding="utf-8")
    rules = "\n".join(_rule(one, own_off=own_off) for one in PAYLOADS)
    (files / "rules" / "all.yaml").write_text(rules, encoding="utf-8")
    for one in PAYLOADS:
        matter = "\n".join(line for line in _matter(one, own_off=own_off) if line)
        text = PLAYBOOK.replace("MATTER", matter)
        (files / "playbooks" / f"p{one.number}.md").write_text(text, encoding="utf-8")


def _rule(one: Payload, *, own_off: bool) -> str:
    text = RULE.replace("NAME", f"p{one.number}").replace("NUMBER", str(one.number))
    heard = "issue_comment.created" if one.place is Place.COMMENT else "issues.opened"
    stage = "live" if own_off else POLICIES[one.policy].stage
    return text.replace("ON", heard).replace("STAGE", stage)


def _matter(one: Payload, *, own_off: bool) -> Iterator[str]:
    more = f", {sign(one)}" if one.place is Place.DESCRIPTION else ""
    lines = [
        policy.off if own_off and name == one.policy else policy.on
        for name, policy in POLICIES.items()
    ]
    writes = [line.removeprefix(WRITES) for line in lines if line.startswith(WRITES)]
    yield f"writes: {{town.comment: {{{', '.join(writes)}}}}}"
    for line in lines:
        if line.startswith(WRITES):
            continue
        yield line.replace("]}", f"{more}]}}") if line.startswith(LISTED[:6]) else line


def _carries(arguments: Mapping[str, Any], one: Payload) -> bool:
    """Whether a call is this payload's: what we add to a text stands in lines of its own."""
    return any(token(one.number) in str(value).split() for value in arguments.values())
