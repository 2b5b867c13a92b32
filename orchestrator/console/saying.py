"""Brings a person's word to the inbox and tells what came of it; the word is a signed delivery like any other."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator import views
from orchestrator.configuration.configuration import Configuration
from orchestrator.console.naming import event_named, letter_named, request_named, run_named
from orchestrator.console.outcome import Outcome, looked
from orchestrator.console.questions import Shown, Word
from orchestrator.dispatch.retrying import RETRY
from orchestrator.dispatch.starting import START
from orchestrator.errors import AskerError, Fault, OperatorError
from orchestrator.playbooks import InputError, admitted
from orchestrator.rules.load import closest
from orchestrator.sources.operator import NAMES
from orchestrator.sources.source import OPERATOR
from orchestrator.stores import Stores
from workflows.messages import CallState, RunState

UNDONE: Final = frozenset({CallState.INTENDED, CallState.SENT, CallState.PENDING})
"""How an applied call stands that is under way, or whose run was lost: applied again, it goes on."""

LOOK: Final = 0.05
LONGEST: Final = 30.0
"""Seconds that anybody may wait for what comes of a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Who says a word. `person` is whom a token proved; one that `operates` speaks for the command line too."""

    by: str
    person: str | None = None
    operates: bool = True

    def told(self) -> Shown:
        """What stands of it in the word."""
        if self.person is None:
            return {"by": self.by}
        return {"by": self.by, "person": self.person, "operates": self.operates}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """What the door answered."""

    status: int
    told: Mapping[str, Any]


Ring = Callable[[str, bytes], Awaitable[Rung]]
"""Signs a word of the source `operator` under this delivery id and rings our own door with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """How words get to the inbox, and who says them."""

    stores: Stores
    configuration: Callable[[], Configuration]
    ring: Ring
    voice: Voice
    new_id: Callable[[], str]

    async def say(self, word: Word) -> Shown:
        """Record the word, and wait for what comes of it. Raises AskerError, or OperatorError."""
        identity = self._identity(word)
        named = await self._named(word, again=await self._said_before(word, identity))
        more = self._begin(word) if word.kind == START else word.more
        said = {**more, "type": word.kind, NAMES[word.kind]: named, **self.voice.told()}
        event = _recorded(await self.ring(identity, json.dumps(said).encode()))
        outcome, waited = Outcome(kind=word.kind, event=event, named=named), 0.0
        outcome = await looked(self.stores, outcome)
        while not outcome.over and waited < min(word.patience, LONGEST):
            await asyncio.sleep(LOOK)
            waited += LOOK
            outcome = await looked(self.stores, outcome)
        return outcome.told()

    def _identity(self, word: Word) -> str:
        if word.once is None:
            return f"said-{self.new_id()}"
        # Another person's word under the same key is another word.
        digest = hashlib.sha256(f"{self.voice.by}\0{word.once}".encode()).hexdigest()
        return f"once-{digest[:32]}"

    async def _said_before(self, word: Word, identity: str) -> bool:
        return word.once is not None and bool(await self.stores.inbox.seen(OPERATOR, [identity]))

    async def _named(self, word: Word, *, again: bool) -> str:
        """The whole id or name that is meant. Raises AskerError."""
        match word.kind:
            case "run.approve" | "run.deny" | "run.answer":
                return (await request_named(self.stores, word.named)).code
            case "run.resume" | "run.cancel" | "run.apply" | "run.retry":
                return await self._run(word, again=again)
            case "event.redeliver":
                return (await event_named(self.stores, word.named)).id
            case "decision.retry" | "decision.discard" if not again:
                return (await letter_named(self.stores, word.named)).id
            case _:
                return word.named

    def _begin(self, word: Word) -> Mapping[str, Any]:
        known = self.configuration().playbooks
        if word.named not in known:
            said = f"there is no sound playbook {word.named!r}{closest(word.named, known)}"
            raise AskerError(Fault.NO_SUCH, said)
        key = word.more.get("key")
        if key is not None and not all(key.partition(":")):
            raise AskerError(Fault.UNREADABLE, f"expected a key such as issue:7, got {key!r}")
        try:
            inputs = admitted(known[word.named], word.more.get("with", {}))
        except InputError as error:
            raise AskerError(Fault.UNREADABLE, str(error)) from error
        return {**word.more, "with": inputs}

    async def _run(self, word: Word, *, again: bool) -> str:
        found = await run_named(self.stores, word.named)
        verb = word.kind.removeprefix("run.")
        if again or word.kind == RETRY:
            return found.run_id
        if verb == "apply":
            shown = await self.stores.ledger.read(views.run, found.run_id, None, "")
            refuse_if_nothing_to_apply(shown)
        elif found.state is RunState.ENDED:
            ended = f"run {found.run_id} has ended ({found.outcome}): there is nothing to {verb}"
            raise AskerError(Fault.TOO_LATE, ended)
        elif verb == "resume" and found.state is not RunState.PARKED:
            # Kept for later, it would let a run go on that parks for another reason by then.
            said = f"run {found.run_id} is {found.state}, not parked: there is nothing to resume"
            raise AskerError(Fault.TOO_LATE, said)
        return found.run_id


def refuse_if_nothing_to_apply(run: Shown) -> None:
    """Raise AskerError where no proposal of a run is left."""
    if not to_apply(run):
        proposed = any(call["state"] == CallState.PROPOSED for call in run["tool_calls"])
        said = _applied(run) if proposed else "it has proposed nothing"
        raise AskerError(Fault.TOO_LATE, f"run {run['id']}: there is nothing to apply, {said}")


def _applied(run: Shown) -> str:
    """That all has been applied, and which of it came to nothing."""
    said, well = "what it proposed has been applied", {CallState.DONE, *UNDONE}
    undone = [
        f"{call['server']}.{call['tool']}: {call['state']}"
        for call in run["tool_calls"]
        if call["turn"] == 0 and call["state"] not in well
    ]
    if not undone:
        return said
    log, again = f"`doorbell runs log {run['id']}`", f"`doorbell runs retry {run['id']} --again`"
    return f"{said} ({', '.join(undone)}); {log} says why, {again} begins anew"


def to_apply(run: Shown) -> list[Shown]:
    """The proposals that nobody has applied; an applied one stands beside its proposal, at turn 0."""
    applied = {
        call["id"].rpartition(":")[0]
        for call in run["tool_calls"]
        if call["turn"] == 0 and call["state"] not in UNDONE
    }
    proposed = (call for call in run["tool_calls"] if call["state"] == CallState.PROPOSED)
    return [call for call in proposed if call["id"] not in applied]


def _recorded(rung: Rung) -> str:
    """The event that records a word. Raises AskerError where the door did not keep it."""
    told = rung.told
    match rung.status, told.get("status"):
        case 202, "quarantined":
            said = "expected the same word again under the same Idempotency-Key, got another one"
            raise AskerError(Fault.KEY_REUSED, said)
        case 202, _:
            return str(told.get("duplicate_of") or told["event"])
        case 503, _:
            raise AskerError(Fault.BUSY, "the inbox can't be written now; nothing was recorded")
        case ((400 | 413), _):
            raise AskerError(Fault.UNREADABLE, f"the door refused the word: {told.get('detail')}")
        case status, _:
            raise OperatorError(f"the door answered {status}: {dict(told)}")
