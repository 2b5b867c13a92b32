"""A call that its server answers with questions: each round of them is kept, and then the same call is made once more.

Its server says that it has done nothing yet; so the call counts as not sent until it leaves again, under its own key.
One that asked in the middle of a call may have done some of it: that is asked again only if it may be repeated. An
attempt of an earlier round can't send any more: its number is too low.
"""

from dataclasses import dataclass, replace
from typing import Final

from orchestrator.agent.calling import eliciting
from orchestrator.agent.calling.eliciting import Read
from orchestrator.agent.hands.definitions import Asks, Responses
from orchestrator.agent.means import Means
from orchestrator.database import Transaction
from orchestrator.ledger import calls, inputs
from orchestrator.ledger.calls import Call, Result
from orchestrator.ledger.inputs import Input
from workflows.messages import CallState
from workflows.playbook import Approve

MOST: Final = 10
"""Rounds of one call; a server that asks on and on is left alone."""
LONGEST_STATE: Final = 256 * 1024

NOT_HERE: Final = "nobody waits here for what people would say to it"
TOO_OFTEN: Final = f"it has asked {MOST} times"
TOO_LONG: Final = f"what it wants back has more than {LONGEST_STATE} characters"
WANTS: Final = (
    "Its server wanted something of people before it did anything, and can't have it: {why}. As far as it says, nothing"
    " was done. Try without what needs input, or another tool."
)


MADE_DO: Final = (
    "In the middle of this call its server asked people something. Nobody can be asked then, and the call can't be made"
    " again when somebody has answered. It was told that nobody answers, and made do with that:"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A result on its way into the ledger, with the whole of it for the artifact store."""

    result: Result
    full: bytes = b""
    media_type: str = "text/plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One attempt of a call. `number` counts all of them, `nth` those of its round; `responses` go along with it."""

    number: int
    nth: int
    responses: Responses | None = None
    wanted: tuple[Input, ...] = ()


async def trial(means: Means, call: Call, nth: int, after: int) -> Trial:
    """The attempt of the round that the call is in; with what people have said, the call may leave again.

    `after` are the attempts of a run that was lost.
    """
    return await means.ledger.write(_trial, means, call, nth, after)


async def begun(means: Means, call: Call, trial_: Trial, asks: Asks) -> str | None:
    """Put what the server asks to people; why that can't be, in words, else None: then see how the call stands."""
    found = await eliciting.read(means, call, asks.requests)
    why = _hopeless(call, asks, found)
    if why is not None:
        return WANTS.format(why=why)
    by = await eliciting.policy(means, call)
    asked = await means.ledger.write(_begun, call, trial_, asks, found, by, means.now())
    if asked is None:
        return WANTS.format(why=TOO_OFTEN)
    eliciting.counted(means, asked)
    return None


def made_do(kept: Kept) -> Kept:
    """A server's answer, behind a word on what it asked and was not told."""
    words = {"type": "text", "text": MADE_DO}
    return replace(kept, result=replace(kept.result, content=[words, *kept.result.content]))


def is_asking(connection: Transaction, call: Call) -> bool:
    """Whether the call waits for what people say to its server's questions, and not for their consent."""
    pending = call.state is CallState.PENDING
    return pending and inputs.last_round(connection, call.run_id, call.call_id) is not None


def waits(connection: Transaction, call: Call) -> bool:
    """Whether people have yet to answer what its server asked last."""
    last = inputs.last_round(connection, call.run_id, call.call_id)
    return last is not None and eliciting.is_open(connection, call, last.round)


def _trial(connection: Transaction, means: Means, call: Call, nth: int, after: int) -> Trial:
    last = inputs.last_round(connection, call.run_id, call.call_id)
    if last is None:
        return Trial(number=after + nth, nth=nth)
    inputs.resume(connection, call.run_id, call.call_id)
    known = eliciting.responses(connection, means, call, last.round)
    given = {one.key: response for one, response in known}
    return Trial(
        number=last.attempt + nth,
        nth=nth,
        responses=Responses(given=given, state=last.state),
        wanted=tuple(one for one, _ in known),
    )


def _hopeless(call: Call, asks: Asks, found: Read) -> str | None:
    if call.call_id.endswith(calls.APPLIED):
        return NOT_HERE
    if len(asks.state or "") > LONGEST_STATE:
        return TOO_LONG
    return eliciting.unanswerable(found)


def _begun(
    connection: Transaction,
    call: Call,
    trial_: Trial,
    asks: Asks,
    found: Read,
    by: tuple[Approve, str | None],
    at: float,
) -> int | None:
    """How many people's questions it came to; None where the server has asked too often."""
    inputs.told(connection, trial_.wanted, at)
    last = inputs.last_round(connection, call.run_id, call.call_id)
    if last is not None and last.round >= MOST:
        return None
    number = inputs.begin_round(
        connection,
        call.run_id,
        call.call_id,
        trial_.number,
        asks.state,
        at,
        untouched=asks.answered is None,
    )
    return 0 if number is None else eliciting.ask(connection, call, number, found, by, at)
