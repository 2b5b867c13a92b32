"""Values for tests of the heart, the road and the ledger: each whole and plausible, changed where a test says so."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestrator.agent.conversation.frozen import VERSION, Frozen
from orchestrator.agent.model import Claude
from orchestrator.agent.tools.toolset import Tool
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.files import Files
from orchestrator.database import Database
from orchestrator.demo.messages import messages_app
from orchestrator.demo.wire import Fault
from orchestrator.demo.wire import Reply as Scripted
from orchestrator.dispatch.awaited import Wanted
from orchestrator.dispatch.decide import Known
from orchestrator.events import Actor, Event
from orchestrator.inbox import schema as inbox_schema
from orchestrator.inbox.inbox import Arrival
from orchestrator.inbox.sql import SqlInbox
from orchestrator.ledger import calls, configurations
from orchestrator.ledger import migrations as ledger_migrations
from orchestrator.ledger.conversations import Opening
from orchestrator.ledger.shortfalls import Payer
from orchestrator.ledger.turns import Charge
from orchestrator.ledger.waits import Wait
from orchestrator.rules.rule import All, Rule
from orchestrator.secrets import Secret
from orchestrator.sources.operator import NAMES, operator_source
from orchestrator.sources.presets import PRESETS
from orchestrator.sources.source import Source
from tests.support.asgi import serving
from tests.support.blanks import inbox_file, ledger_file
from workflows.messages import Opened, Spent, ToolCall, ToolCard
from workflows.playbook import Budget, Effect, Stage

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
AT = NOW.timestamp()
KEY = "issue:acme/api#7"
MODEL = "claude-sonnet-5-5"
RUN = "0123456789ab.1"
WORKFLOW = "triage:issue:acme-api-7~0123456789ab"
MARK = f"<!-- doorbell:{RUN}.1.0 -->"
"""What our write of the first turn ends in, when nothing of ours caused it."""
OPERATOR_SOURCE = operator_source(Secret("env:OPERATOR", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))


def event(**changes: Any) -> Event:
    values = {
        "id": "evt_1",
        "source": "github",
        "delivery_id": "d1",
        "type": "issue_comment.created",
        "subject": "acme/api#7",
        "actor": Actor(id="1", login="ann"),
        "keys": (KEY,),
        "received_at": NOW,
        "headers": {},
        "data": {"action": "created", "issue": {"number": 7}, "comment": {"body": "It fails."}},
    }
    return Event(**values | changes)


def rule(name: str = "triage", **changes: Any) -> Rule:
    values = {
        "id": name,
        "name": name,
        "on": ("github/*",),
        "when": All(()),
        "playbook": "triage",
        "key": KEY,
    }
    return Rule(**values | changes)


def wanted(**changes: Any) -> Wanted:
    values = {
        "wait_id": "wait_1",
        "run_id": RUN,
        "workflow_id": WORKFLOW,
        "rule": "triage",
        "playbook": "triage",
        "patterns": ("github/issue_comment.*",),
        "key": KEY,
        "since": 4,
        "deadline_at": AT + 60,
    }
    return Wanted(**values | changes)


def known(*rules: Rule, **changes: Any) -> Known:
    values = {"waits": [], "own_actors": frozenset(), "runs": {}, "configuration": "sha"}
    return Known(rules=rules, **values | changes)


def card(alias: str = "github__look", effect: Effect = Effect.READ, **changes: Any) -> ToolCard:
    server, _, name = alias.partition("__")
    return ToolCard(**{"alias": alias, "server": server, "name": name, "effect": effect} | changes)


def tool_call(alias: str = "github__look", call_id: str = "c1", **changes: Any) -> ToolCall:
    return ToolCall(call_id=call_id, alias=alias, **changes)


def opened(*tools: ToolCard, **changes: Any) -> Opened:
    values = {
        "run_id": RUN,
        "playbook": "triage",
        "model": MODEL,
        "stage": Stage.LIVE,
        "budget": Budget(),
    }
    return Opened(tools=tools, **values | changes)


def spent(usd: str = "0", tokens: int = 0) -> Spent:
    return Spent(usd=Decimal(usd), input_tokens=tokens)


def tool(
    name: str = "comment", effect: Effect = Effect.WRITE_ONCE, server: str = "github", **rest: Any
) -> Tool:
    schema = {
        "type": "object",
        "properties": {"body": {"type": "string"}},
        "required": ["body"],
        "additionalProperties": False,
    }
    definition = {
        "name": f"{server}__{name}",
        "description": "It comments.",
        "input_schema": schema,
    }
    values = {"alias": definition["name"], "definition": definition, "max": 1, "tokens": 40}
    return Tool(server=server, name=name, effect=effect, **values | rest)


def frozen(*tools: Tool, **changes: Any) -> Frozen:
    values = {
        "version": VERSION,
        "playbook": "triage",
        "playbook_digest": "p1",
        "model": MODEL,
        "max_tokens": 4_000,
        "budget": Budget(),
        "system": "You triage issues.",
        "sources": ("github", "my-source", "s_1"),
    }
    return Frozen(tools=tools, **values | changes)


def opening(decision_id: str = "dec_1", **changes: Any) -> Opening:
    values = {
        "workflow_id": WORKFLOW,
        "event_id": "evt_1",
        "position": 1,
        "rule": "triage",
        "playbook": "triage",
        "key": KEY,
        "source": "github",
        "stage": "live",
        "scripted": True,
        "configuration": "sha",
    }
    return Opening(decision_id=decision_id, **values | changes)


def intent(call_id: str = "c1", **changes: Any) -> calls.Intent:
    values = {
        "position": 0,
        "alias": "github__comment",
        "server": "github",
        "tool": "comment",
        "effect": Effect.WRITE_ONCE,
        "arguments": {"body": "Hello"},
    }
    return calls.Intent(call_id=call_id, **values | changes)


def charge(usd: str | None = "0.01", tokens: int = 100) -> Charge:
    price = None if usd is None else Decimal(usd)
    return Charge(usd=price, input_tokens=tokens, output_tokens=10, cached_tokens=5)


def payer(**changes: Any) -> Payer:
    values = {"run_id": RUN, "rule": "triage", "actor": "github:1", "named": "github:ann"}
    return Payer(**values | {"caps": "{}"} | changes)


def wait(wait_id: str = "wait_1", **changes: Any) -> Wait:
    values = {
        "run_id": RUN,
        "workflow_id": WORKFLOW,
        "call_id": "w1",
        "patterns": ("github/issue_comment.*",),
        "key": KEY,
        "since": 0,
        "opened_at": AT,
        "deadline_at": AT + 3600,
        "state": "open",
        "event_id": None,
    }
    return Wait(wait_id=wait_id, **values | changes)


def source(preset_name: str = "github", own_actors: frozenset[str] = frozenset()) -> Source:
    preset = PRESETS[preset_name]
    return Source(
        name="github",
        scheme=preset.scheme,
        secrets=(),
        dialect=preset.dialect,
        max_body=preset.max_body,
        dedupe_body=preset.dedupe_body,
        own_actors=own_actors,
    )


def configuration(*rules: Rule) -> Configuration:
    return Configuration(digest="sha", sources={}, servers={}, playbooks={}, rules=rules)


def comment(receipt: str, number: int = 7, login: str = "ann", text: str = "It fails.") -> Arrival:
    """A comment on issue `number`, as GitHub rings for it."""
    data = {
        "action": "created",
        "issue": {"number": number},
        "comment": {"body": text, "receipt": receipt},
        "repository": {"full_name": "acme/api"},
        "sender": {"id": len(login), "login": login, "type": "User"},
    }
    return github(receipt, "issue_comment", data)


def word(receipt: str, kind: str, run_id: str) -> Arrival:
    """What a person said about a run, as the CLI rings for it."""
    data = {"type": f"run.{kind}", "run": run_id, "by": "ann"}
    return arrival(receipt, OPERATOR_SOURCE, {"webhook-id": f"d-{receipt}"}, data)


def order(receipt: str, said: str, named: str) -> Arrival:
    """What a person said about the inbox itself, such as `rule.pause`."""
    data = {"type": said, NAMES[said]: named, "by": "ann"}
    return arrival(receipt, OPERATOR_SOURCE, {"webhook-id": f"d-{receipt}"}, data)


def github(receipt: str, name: str, data: Any) -> Arrival:
    """Any event of GitHub's."""
    headers = {"x-github-event": name, "x-github-delivery": f"d-{receipt}"}
    return arrival(receipt, source(), headers, data)


def arrival(receipt: str, sender: Source, headers: dict[str, str], data: Any) -> Arrival:
    body = json.dumps(data).encode()
    read = sender.dialect.read(headers, body)
    return Arrival(
        id=receipt,
        source=sender.name,
        delivery_id=read.delivery_id,
        type=read.type,
        subject=read.subject,
        actor=read.actor,
        keys=read.keys,
        headers=headers,
        body=body,
        received_at=NOW,
        dedupe_body=sender.dedupe_body,
    )


@contextmanager
def ledger_at(directory: Path) -> Iterator[Database]:
    database = Database.open(ledger_file(directory / "ledger.db"), ledger_migrations.MIGRATIONS)
    try:
        yield database
    finally:
        database.close()


async def kept_rules(ledger: Database, *texts: str) -> None:
    """Configurations that were in force, one after the other, of which these are the rules."""
    for text in texts:
        files = Files(root=Path(), texts={"rules/one.yaml": text})
        before = await ledger.read(configurations.newest, 100)
        await ledger.write(configurations.came, files.content(), float(len(before)))


@contextmanager
def inbox_at(directory: Path) -> Iterator[SqlInbox]:
    database = Database.open(inbox_file(directory / "inbox.db"), inbox_schema.MIGRATIONS)
    try:
        yield SqlInbox(database)
    finally:
        database.close()


@dataclass
class Log:
    """Remembers the names of what was logged."""

    said: list[str] = field(default_factory=list)

    def _say(self, name: str, **_: Any) -> None:
        self.said.append(name)

    info = warning = error = exception = _say


@dataclass
class Says:
    """A script that always answers the same."""

    answer: Scripted | Fault

    def reply(self, request: Any) -> Scripted | Fault:  # noqa: ARG002 - it always says the same
        return self.answer


@asynccontextmanager
async def claude(answer: Scripted | Fault, key: str = "scripted") -> AsyncIterator[Claude]:
    """The real door to the model, before a server that always answers the same."""
    app = messages_app(Says(answer), now=lambda: NOW)
    async with serving(app) as url:
        model = Claude(key, url)
        try:
            yield model
        finally:
            await model.close()
