"""Open a conversation: choose the playbook, discover and curate its tools, freeze the prompt. It asks no model."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from orchestrator.agent.conversation import frozen as pins
from orchestrator.agent.conversation import prompt, retold, stepping
from orchestrator.agent.conversation.frozen import Frozen
from orchestrator.agent.conversation.prompted import begins_with
from orchestrator.agent.hands.definitions import canonical
from orchestrator.agent.means import Means, event
from orchestrator.agent.text.untrusted import event_shown
from orchestrator.agent.tools.offers import offers, without
from orchestrator.agent.tools.toolset import curate
from orchestrator.configuration.bounds import bounds_of
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.locks import content
from orchestrator.database import Transaction
from orchestrator.errors import PersonError
from orchestrator.inbox.inbox import Decision
from orchestrator.ledger import artifacts, conversations, slots, turns
from orchestrator.ledger.conversations import Conversation, Opening
from orchestrator.ledger.losses import Heard
from orchestrator.ledger.slots import Wish
from orchestrator.playbooks import admitted, rendered_reads
from orchestrator.rules.rule import Trust
from orchestrator.rules.steps import are_called, steps_in, tools_of
from orchestrator.rules.trust import is_known
from orchestrator.sources.source import OPERATOR
from orchestrator.templates import Template, render_tree
from workflows.messages import Opened, OpenRequest, RunRef, RunState
from workflows.own_tools import BUILT_INS
from workflows.playbook import Playbook, Stage

FULL: Final = "has no slot free: it begins when a run of this rule has ended"


async def begin(means: Means, request: OpenRequest) -> RunRef:
    """Number the conversation of this decision; asked again, the same one."""
    decision = await means.inbox.decision(request.entry.decision_id)
    entry = await means.inbox.entry(request.entry.event_id)
    if decision is None or entry is None:
        # Nothing can be opened, and nothing is gained by trying for ever; the run goes on with what comes next.
        return RunRef(run_id="")
    opening = Opening(
        workflow_id=request.workflow_id,
        decision_id=decision.id,
        event_id=decision.event_id,
        # What came between an event and its redelivery is past: a wait of the new run must not find it.
        position=max(entry.position, decision.again or 0),
        rule=decision.rule,
        playbook=decision.playbook or "",
        key=decision.key or decision.event_id,
        source=entry.source,
        stage=decision.stage or Stage.PREVIEW,
        scripted=means.scripted and not are_called(decision.playbook),
        configuration=decision.configuration,
    )
    wish = await _wish(means, decision, request.workflow_id)
    begun = await means.ledger.write(_begun, opening, wish, means.now())
    return RunRef(run_id=begun.run_id, held=begun.reason if conversations.is_held(begun) else "")


async def _wish(means: Means, decision: Decision, workflow_id: str) -> Wish | None:
    """What it asks for where its rule is limited; it is the last where others of its rule are held in the inbox."""
    bounds = await bounds_of(means.ledger, means.configuration(), decision.cause)
    if bounds.concurrent is None:
        return None
    return Wish(
        rule=decision.cause,
        most=bounds.concurrent,
        workflow_id=workflow_id,
        decision_id=decision.id,
        event_id=decision.event_id,
        last=bool(
            await means.inbox.hasten(decision.cause, 1, datetime.fromtimestamp(means.now(), UTC))
        ),
    )


def _begun(connection: Transaction, opening: Opening, wish: Wish | None, at: float) -> Conversation:
    there = conversations.by_decision(connection, opening.decision_id)
    asks = wish is not None and (there is None or conversations.is_held(there))
    if asks and wish is not None and not slots.enter(connection, wish, at):
        # It is a run from now on: people see what it waits for, and may call it off.
        return conversations.begin(connection, opening, at, f"rule {opening.rule!r} {FULL}")
    return conversations.begin(connection, opening, at)


async def prepare(means: Means, run_id: str) -> Opened:
    """Freeze what the conversation is made of, once. Raises PersonError or OperatorError: somebody must mend."""
    conversation = await means.ledger.read(conversations.one, run_id)
    if conversation.frozen is None:
        await _freeze(means, conversation)
    return await opened(means, run_id)


async def is_open(means: Means, run_id: str) -> bool:
    """Whether there is such a conversation, with its prompt pinned."""
    conversation = await means.ledger.read(conversations.find, run_id)
    return conversation is not None and conversation.frozen is not None


async def opened(means: Means, run_id: str) -> Opened:
    """What the run must know of a frozen conversation."""
    conversation, frozen = await frozen_of(means, run_id)
    # Limits are live: a cap that was raised in the file counts from the next look on.
    playbook = means.configuration().playbooks.get(conversation.playbook)
    return Opened(
        run_id=run_id,
        playbook=conversation.playbook,
        model=frozen.model,
        stage=Stage(conversation.stage),
        budget=playbook.budget if playbook else frozen.budget,
        tools=pins.cards(frozen),
        notice=" ".join(_notices(conversation, frozen)),
    )


async def frozen_of(means: Means, run_id: str) -> tuple[Conversation, Frozen]:
    """A conversation and its pin."""
    return await means.ledger.read(_frozen, run_id)


def _notices(conversation: Conversation, frozen: Frozen) -> Iterator[str]:
    if conversation.scripted:
        yield "scripted model: no real model is asked"
    yield from frozen.notices


def trust_of(configuration: Configuration, rule: str) -> Trust:
    """Whom a rule trusts now; where it is gone from the files, whom a rule trusts that says nothing."""
    found = next((one for one in configuration.rules if one.name == rule), None)
    return Trust() if found is None else found.trust


def _frozen(connection: Transaction, run_id: str) -> tuple[Conversation, Frozen]:
    conversation = conversations.one(connection, run_id)
    artifact = artifacts.get(connection, conversation.frozen or "")
    if artifact is None:
        raise PersonError(
            f"run {run_id!r} has no pinned prompt; cancel it and send its event again"
        )
    return conversation, pins.load(artifact.body)


async def _freeze(means: Means, conversation: Conversation) -> None:
    configuration = await asyncio.to_thread(means.configuration)
    # Mending servers.yaml must be enough for a run that is resumed.
    means.hands.learn(configuration.servers)
    decision = await means.inbox.decision(conversation.decision_id)
    if decision is None:
        raise PersonError(f"decision {conversation.decision_id!r} is no longer in the inbox")
    began: list[str] = []
    if are_called(conversation.playbook):
        frozen = await _stepped(
            means, conversation.run_id, conversation.playbook, decision, configuration
        )
    else:
        playbook = _sound(configuration, conversation.playbook)
        frozen = await _pinned(means, conversation, playbook, decision, configuration)
        begins = await begins_with(means, playbook, frozen.inputs, conversation.run_id)
        if begins is not None:
            frozen = replace(frozen, prompt=begins.digest, notices=(*frozen.notices, begins.notice))
            began = [begins.block]
    _, happened = await event(means, conversation.event_id)
    by_hand = happened.source == OPERATOR
    trust = trust_of(configuration, conversation.rule)
    trusted = by_hand or is_known(trust, happened)
    frozen = replace(frozen, trusted=trusted, subject=happened.subject or "")
    rung = f"Rule {conversation.rule!r} was rung by this event."
    words = " ".join(("A person started this run by hand." if by_hand else rung, *frozen.notices))
    shown = event_shown(happened, frozen.text, means.redact(), prompt.EVENT_LIMIT)
    block = prompt.event_block(shown, words, trusted=trusted)
    again = await retold.before(means, conversation, frozen.text, trust)
    said = [means.listings.last(tool.server, tool.name) for tool in frozen.tools]
    definitions = [content(canonical(one)) for one in said if one is not None]
    opening = "\n\n".join((*began, block, *again.blocks))
    await means.ledger.write(
        _pin, conversation, frozen, definitions, opening, again.events, means.now()
    )


def _sound(configuration: Configuration, name: str) -> Playbook:
    playbook = configuration.playbooks.get(name)
    if playbook is None:
        raise PersonError(f"there is no sound playbook {name!r}; run `doorbell check`")
    return playbook


async def _stepped(
    means: Means, run_id: str, title: str, decision: Decision, configuration: Configuration
) -> Frozen:
    steps = steps_in(decision.with_)
    found = await offers(means, run_id, tools_of(steps))
    return Frozen(
        version=pins.VERSION,
        playbook=title,
        playbook_digest="",
        model=stepping.NO_MODEL,
        max_tokens=0,
        budget=stepping.budget_of(steps),
        system="",
        tools=stepping.toolset(steps, found.discovered, configuration.servers),
        steps=steps,
    )


async def _pinned(
    means: Means,
    conversation: Conversation,
    playbook: Playbook,
    decision: Decision,
    configuration: Configuration,
) -> Frozen:
    scope = {"with": admitted(playbook, decision.with_)}
    found = await offers(
        means, conversation.run_id, playbook.tools, playbook.optional, playbook.on_drift
    )
    there = without(playbook, found.silent)
    tools = curate(
        there,
        found.discovered,
        configuration.servers,
        {name: render_tree(dict(arguments), scope) for name, arguments in there.bind.items()},
        found.dropped,
    )
    prose = means.redact().text(str(Template.parse(playbook.prose).render(scope)))
    return Frozen(
        version=pins.VERSION,
        playbook=playbook.name,
        playbook_digest=playbook.digest,
        model=playbook.model,
        max_tokens=playbook.max_tokens,
        budget=playbook.budget,
        system=prompt.system(prose, Stage(conversation.stage)),
        sources=tuple(sorted(configuration.sources)),
        tools=tools,
        built_ins=BUILT_INS,
        text=playbook.text,
        screening=playbook.screening,
        waits=dict(playbook.waits),
        inputs=scope["with"],
        notices=found.notices,
        reads=rendered_reads(playbook, scope["with"]),
    )


def _pin(
    connection: Transaction,
    conversation: Conversation,
    frozen: Frozen,
    definitions: Sequence[bytes],
    block: str,
    heard: Sequence[Heard],
    at: float,
) -> None:
    # Named by its tool's hash: so that a difference can be shown when its server says something else one day.
    for definition in definitions:
        artifacts.put(connection, definition, artifacts.DEFINITION, at)
    digest = artifacts.put(connection, pins.dump(frozen), "application/json", at)
    turns.note(connection, conversation.run_id, 1, 0, block)
    for one in heard:
        conversations.hear(
            connection, conversation.run_id, one.event_id, one.position, "retold", at
        )
    conversations.freeze(connection, conversation.run_id, digest, frozen.model)
    conversations.record(connection, conversation.run_id, RunState.RUNNING, "", None, at)
