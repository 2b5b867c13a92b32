"""What a rehearsal is of: a kept event, the decision as today's files make it, the earlier run; it starts nothing."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.agent.means import BUILT_IN
from orchestrator.cli.inputs import typed
from orchestrator.cli.naming import event_named, run_named
from orchestrator.cli.recounting import account
from orchestrator.configuration.configuration import Configuration
from orchestrator.database import Transaction
from orchestrator.dispatch.decide import PERSON, Known, decide, decision_id
from orchestrator.errors import OperatorError
from orchestrator.events import Event
from orchestrator.inbox.inbox import Action, Decision, Entry, EntryState, event_of
from orchestrator.ledger import calls, conversations
from orchestrator.ledger.calls import Call
from orchestrator.ledger.conversations import Conversation
from orchestrator.playbooks import admitted
from orchestrator.rehearsal.runs import Account
from orchestrator.rules.load import closest
from orchestrator.sources.authors import author_in
from orchestrator.stores import Stores
from workflows.playbook import Playbook, Stage

REHEARSAL: Final = "rehearsal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody asked for, as it was typed; `recording` is the run whose answers are replayed, if it was named."""

    playbook: str
    event: str
    given: Sequence[str] = ()
    against: str | None = None
    replay: bool = False
    recording: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that a rehearsal begins with; with `recording` (a run's id) reads are answered by `answers`."""

    configuration: Configuration
    playbook: Playbook
    entry: Entry
    decision: Decision
    earlier: Account | None
    recording: str | None = None
    answers: Sequence[Call] = field(default_factory=tuple)

    @property
    def run_id(self) -> str:
        """The id of the run that is rehearsed; the first conversation of its workflow."""
        return conversations.run_id_of(self.decision.workflow_id or "", 1)


async def scene_of(stores: Stores, configuration: Configuration, wanted: Wanted) -> Scene:
    """The scene. Raises OperatorError where there is none, and exits where a name fits nothing."""
    playbook = _playbook(configuration, wanted.playbook)
    entry = await event_named(stores, wanted.event)
    if entry.state in {EntryState.PRUNED, EntryState.QUARANTINED}:
        raise OperatorError(f"event {entry.id} can't be rehearsed: it is {entry.state}")
    earlier = await _earlier(stores, entry, wanted)
    recording = await _recording(stores, earlier, wanted)
    made = await _made_before(stores, entry, earlier, playbook.name)
    return Scene(
        configuration=configuration,
        playbook=playbook,
        entry=entry,
        decision=_decision(_event(configuration, entry), configuration, playbook, made, wanted),
        earlier=None if earlier is None else await stores.ledger.read(account, earlier.run_id),
        recording=None if recording is None else recording.run_id,
        answers=()
        if recording is None
        else await stores.ledger.read(calls.of_run, recording.run_id),
    )


def _playbook(configuration: Configuration, name: str) -> Playbook:
    known = configuration.playbooks
    if name not in known:
        raise OperatorError(f"there is no sound playbook {name!r}{closest(name, known)}")
    return known[name]


async def _earlier(stores: Stores, entry: Entry, wanted: Wanted) -> Conversation | None:
    """The run that was named, if only for its answers, or else the newest that this event opened with this playbook."""
    named = wanted.against or wanted.recording
    if named is not None:
        return _whole(await run_named(stores, named))
    opened = await stores.ledger.read(_opened_by, entry.id)
    mine = [one for one in opened if one.playbook == wanted.playbook and one.pruned_at is None]
    return max(mine, key=lambda one: one.opened_at, default=None)


def _whole(found: Conversation) -> Conversation:
    if found.pruned_at is not None:
        raise OperatorError(f"run {found.run_id} was pruned: what it called and read is gone")
    return found


def _opened_by(connection: Transaction, event_id: str) -> list[Conversation]:
    reached = conversations.by_events(connection, [event_id]).values()
    found = [conversations.one(connection, run_id) for run_id in set(reached)]
    return [one for one in found if one.event_id == event_id]


async def _recording(
    stores: Stores, earlier: Conversation | None, wanted: Wanted
) -> Conversation | None:
    """The run whose answers stand for those of servers; None where these are asked themselves."""
    if not wanted.replay:
        return None
    found = earlier if wanted.recording is None else await run_named(stores, wanted.recording)
    if found is None:
        said = "there is no earlier run whose reads could be replayed"
        raise OperatorError(f"{said}: name one (--reads replay RUN), or rehearse with --reads live")
    return _whole(found)


async def _made_before(
    stores: Stores, entry: Entry, earlier: Conversation | None, playbook: str
) -> Decision | None:
    """How this event was decided for this playbook once: by the earlier run's decision, or the newest other one."""
    decided = (await stores.inbox.decisions([entry.id])).get(entry.id, [])
    starts = [one for one in decided if (one.action, one.playbook) == (Action.START, playbook)]
    of_run = [one for one in starts if earlier and one.id == earlier.decision_id]
    return next(iter([*of_run, *reversed(starts)]), None)


def _event(configuration: Configuration, entry: Entry) -> Event:
    dialect = BUILT_IN.get(entry.source)
    if dialect is None:
        source = configuration.readable().get(entry.source)
        if source is None:
            raise OperatorError(
                f"source {entry.source!r} of event {entry.id} is no longer configured; put it back into sources.yaml"
            )
        dialect = source.dialect
    data = dialect.read(entry.headers, entry.body).data
    return event_of(entry, data, author_in(dialect, data))


def _decision(
    event: Event,
    configuration: Configuration,
    playbook: Playbook,
    made: Decision | None,
    wanted: Wanted,
) -> Decision:
    """To open a preview of this playbook: as a rule of today says, or as it was decided, or as inputs were typed."""
    found = _today(event, configuration, playbook.name) or made
    before: Mapping[str, Any] = {} if found is None else found.with_
    workflow_id = f"{REHEARSAL}~{REHEARSAL}{secrets.token_hex(6)}"
    return Decision(
        id=decision_id(event.id, REHEARSAL),
        event_id=event.id,
        cause=PERSON if found is None else found.cause,
        rule=REHEARSAL if found is None else found.rule,
        action=Action.START,
        reason=REHEARSAL,
        playbook=playbook.name,
        with_=admitted(playbook, {**before, **typed(playbook.inputs, wanted.given)}),
        key=event.id if found is None else found.key,
        stage=Stage.PREVIEW,
        workflow_id=workflow_id,
        lane=workflow_id,
    )


def _today(event: Event, configuration: Configuration, playbook: str) -> Decision | None:
    """What a rule of today's files makes of the event, if one runs this playbook on it."""
    rules = [rule for rule in configuration.rules if rule.playbook == playbook]
    known = Known(rules=rules, waits=(), own_actors=frozenset(), runs={}, configuration="")
    decided = decide(event, 0, known)
    return next((one for one in decided if one.action is Action.START), None)
