"""Ask people and let their words count, once each: a run's local activities, which answer in values and never raise.

What a person consents to is bound to a digest; other arguments are another digest, and must pass what the model's had
to pass. Who speaks is proved again from the bytes that were signed, under the roles of this moment.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from orchestrator.agent.calling import once
from orchestrator.agent.calling.consented import policy_for
from orchestrator.agent.conversation import frozen as pins
from orchestrator.agent.conversation.frozen import Frozen
from orchestrator.agent.conversation.opening import frozen_of, is_open
from orchestrator.agent.means import Means, event
from orchestrator.agent.text.screening import secret_in
from orchestrator.agent.tools import consent, questions
from orchestrator.agent.tools.arguments import as_said
from orchestrator.agent.tools.toolset import Tool, check_arguments, no_room
from orchestrator.agent.waiting.coming import ON_ITS_WAY
from orchestrator.agent.waiting.registering import duration
from orchestrator.configuration.people import ANYBODY, speaker, unmatched
from orchestrator.database import Transaction
from orchestrator.errors import PersonError, SenderError
from orchestrator.inbox.inbox import Decision
from orchestrator.ledger import approvals, calls, causes, inputs
from orchestrator.ledger.approvals import Approval, Said
from orchestrator.ledger.calls import Call
from orchestrator.telemetry.words import Approving
from workflows.approvals import Asked, Asking, Expired, Expiring, Heeded, Standing, Word
from workflows.messages import CallState, ToolCall
from workflows.own_tools import ASK
from workflows.playbook import Approve, OnTimeout

REFUSED: Final = Approving.REFUSED
COUNTED: Final[Mapping[Standing, Approving]] = {
    Standing.APPROVED: Approving.APPROVED,
    Standing.DENIED: Approving.DENIED,
    Standing.ANSWERED: Approving.ANSWERED,
}
"""What is counted of a word that counts; of any other, that it was refused."""

QUESTION: Final = "7d"
LOOKED_AT: Final = 50
NOT_HERE: Final = Heeded(approval_id="", standing=Standing.CLOSED, late=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """A word with all that is needed to judge it: `edited` are the arguments it wants, with their digest.

    `changes` are what somebody wants other than it was asked. `refusal` says why it doesn't count.
    """

    said: Said
    word: str
    why: str = ""
    answer: Any = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    edited: Mapping[str, Any] | None = None
    digest: str = ""
    refusal: str = ""


async def ask(means: Means, asking: Asking) -> Asked:
    """Open the request about a call; asked again, the same one, unless it expired and may be put once more."""
    conversation, frozen = await frozen_of(means, asking.run_id)
    call = await means.ledger.read(calls.one, asking.run_id, asking.call_id)
    policy = _question(call) if call.alias == ASK else policy_for(means, conversation, frozen, call)
    strangers = list(unmatched(policy.by, means.configuration().people))
    if call.alias == ASK and (strangers or call.state is CallState.REFUSED):
        return await _nobody(means, call, strangers)
    tool = _tool(frozen, call)
    digest = consent.digest(
        tool, means.configuration().servers.get(call.server), call, call.arguments
    )
    ttl = policy.ttl if asking.seconds is None else min(policy.ttl, asking.seconds)
    now = means.now()
    wish = Approval(
        approval_id="",
        code="",
        run_id=call.run_id,
        workflow_id=conversation.workflow_id,
        call_id=call.call_id,
        number=1,
        tool="" if call.alias == ASK else f"{call.server}.{call.tool}",
        digest=digest,
        by=policy.by,
        on_timeout=policy.on_timeout,
        standing=Standing.OPEN,
        asked_at=now,
        expires_at=now + ttl,
    )
    opened = await means.ledger.write(_opened, wish)
    if opened.asked_at == now:
        means.counts.approval(Approving.ASKED)
    return _asked(opened, now)


async def heed(means: Means, word: Word) -> Heeded:
    """Let a word count, if its request is open, it came in time, and whoever says it may."""
    decision = await means.inbox.decision(word.entry.decision_id)
    said = await means.ledger.read(approvals.said, word.entry.decision_id)
    if decision is None or said is None or not await is_open(means, word.run_id):
        return NOT_HERE
    _, frozen = await frozen_of(means, word.run_id)
    heard, before = await _heard(means, frozen, decision, said), said.became
    heeded = await means.ledger.write(_heeded, heard, means.now())
    if before is None:
        means.counts.approval(COUNTED.get(heeded.standing, REFUSED) if not heeded.late else REFUSED)
    if heeded.call is None:
        return heeded
    cards = {card.alias: card for card in pins.cards(frozen)}
    return replace(heeded, card=cards.get(heeded.call.alias))


async def expire(means: Means, expiring: Expiring) -> Expired:
    """End a request whose time is up; it stays open while a word that came in time is on its way."""
    approval = await means.ledger.read(approvals.one, expiring.approval_id)
    if approval.standing is Standing.OPEN and not await _coming(means, approval):
        await means.ledger.write(_expired, approval, means.now())
        means.counts.approval(Approving.EXPIRED)
    return Expired(standing=(await means.ledger.read(approvals.one, approval.approval_id)).standing)


async def flagged(means: Means, run_id: str, made: ToolCall) -> ToolCall:
    """The call of a proposal, with whether people must consent before it is made."""
    conversation, frozen = await frozen_of(means, run_id)
    call = await means.ledger.read(calls.one, run_id, made.call_id)
    tool = _tool(frozen, call)
    live = means.configuration().playbooks.get(conversation.playbook)
    asks = tool is not None and consent.wanted(tool, live, call.arguments) is not None
    return replace(made, approve=asks)


async def _nobody(means: Means, call: Call, strangers: list[str]) -> Asked:
    """A question to people who aren't there would wait to its end."""
    text = f"Nobody was asked: {'; '.join(strangers)}."
    result = once.answer_words(CallState.REFUSED, text)
    await means.ledger.write(calls.finish, call.run_id, call.call_id, result, means.now())
    return Asked(
        approval_id="",
        call_id=call.call_id,
        code="",
        standing=Standing.CLOSED,
        wants="",
        seconds=0.0,
    )


def _question(call: Call) -> Approve:
    to = call.arguments.get("to") or [ANYBODY]
    span = duration(str(call.arguments.get("timeout", QUESTION)))
    return Approve(by=tuple(str(one) for one in to), ttl=span.total_seconds())


def _tool(frozen: Frozen, call: Call) -> Tool | None:
    return next((tool for tool in frozen.tools if tool.alias == call.alias), None)


def _opened(connection: Transaction, wish: Approval) -> Approval:
    before = approvals.of_call(connection, wish.run_id, wish.call_id)
    if before is not None and _is_overdue(before, wish.asked_at):
        approvals.settle(connection, before, Standing.EXPIRED, wish.asked_at)
        before = approvals.one(connection, before.approval_id)
    if before is not None and not _may_be_put_again(connection, before):
        return before
    number = 1 if before is None else before.number + 1
    approval_id, code = approvals.named(wish.run_id, wish.call_id, number, wish.digest)
    named = replace(wish, approval_id=approval_id, code=code, number=number)
    return approvals.open_request(connection, named)


def _may_be_put_again(connection: Transaction, before: Approval) -> bool:
    """Whether it expired and its call waits on: its run was parked for that, or nobody's run waits for it."""
    expired = before.standing is Standing.EXPIRED
    return expired and _call(connection, before).state is CallState.PENDING


def _is_overdue(approval: Approval, at: float) -> bool:
    """Whether its time is up and no run is there to say so: it is about a proposal that somebody applied."""
    mine = approval.standing is Standing.OPEN and approval.call_id.endswith(calls.APPLIED)
    return mine and approval.expires_at < at


def _asked(approval: Approval, now: float) -> Asked:
    by = " or ".join(approval.by)
    what = f"consent to {approval.tool}" if approval.tool else "an answer"
    return Asked(
        approval_id=approval.approval_id,
        call_id=approval.call_id,
        code=approval.code,
        standing=approval.standing,
        wants=f"{what} by {by}, code {approval.code}",
        seconds=max(approval.expires_at - now, 0.0),
        on_timeout=approval.on_timeout,
    )


async def _heard(means: Means, frozen: Frozen, decision: Decision, said: Said) -> _Heard:
    given = decision.with_
    heard = _Heard(
        said=said,
        word=said.word,
        why=str(given.get("why", "")),
        answer=given.get("answer"),
        changes=given.get("args") or {},
    )
    approval = await means.ledger.read(approvals.one, said.approval_id)
    refusal = await _not_theirs(means, frozen, approval, said) or _carried(means, approval, heard)
    if refusal or said.word != "approve" or not heard.changes:
        return replace(heard, refusal=refusal)
    return await _edited(means, frozen, heard, approval)


def _carried(means: Means, approval: Approval, heard: _Heard) -> str:
    """Why an answer can't go to the server that asks: what a person types there leaves this house."""
    if heard.word != "answer" or inputs.ASKS not in approval.call_id:
        return ""
    found = secret_in({"answer": heard.answer}, means.redact())
    return "" if found is None else f"{found.words}; answer without it"


async def _not_theirs(means: Means, frozen: Frozen, approval: Approval, said: Said) -> str:
    """Why this word isn't theirs to say, under the roles of now and both policies, the pinned one and that of now."""
    return await _not_among(
        means, said, [approval.by, *await _by_policies(means, frozen, approval)]
    )


async def _not_among(means: Means, said: Said, everybody: Iterable[Collection[str]]) -> str:
    """Why whoever said this is not among each of these."""
    try:
        _, happened = await event(means, said.event_id)
    except (PersonError, SenderError) as error:
        return f"it can't be read any more: {error}"
    who = speaker(happened, means.configuration().people)
    for by in everybody:
        if who is None or not consent.may_answer(who, by):
            return f"{said.person} may not: expected {' or '.join(by)}"
    return ""


async def _by_policies(means: Means, frozen: Frozen, approval: Approval) -> list[tuple[str, ...]]:
    """Who may consent to the call by each policy that asks about it; none for a question of the model's own."""
    about = approval.call_id if approval.tool else inputs.asker_of(approval.call_id)
    if about is None:
        return []
    call = await means.ledger.read(calls.one, approval.run_id, about)
    tool = _tool(frozen, call)
    live = means.configuration().playbooks.get(frozen.playbook)
    found = () if tool is None else consent.asking(tool, live, call.arguments)
    return [one.by for one in found]


async def _edited(means: Means, frozen: Frozen, heard: _Heard, approval: Approval) -> _Heard:
    changes = heard.changes
    call = await means.ledger.read(calls.one, approval.run_id, approval.call_id)
    tool = _tool(frozen, call)
    if tool is None:
        return replace(heard, refusal="a question has no arguments to change")
    bound = sorted(tool.fixed & changes.keys())
    if bound:
        return replace(heard, refusal=f"these arguments are fixed by the playbook: {bound}")
    before = as_said(call.arguments, tool.marker)
    shown = {name: value for name, value in before.items() if name not in tool.fixed}
    hops = (await means.ledger.read(causes.of_run, call.run_id)).hops
    full = {**call.arguments, **pins.completed(tool, changes, call, hops)}
    complaint = check_arguments(tool, {**shown, **changes}) or no_room(tool, full)
    if complaint is not None:
        return replace(heard, refusal=complaint)
    configuration = means.configuration()
    # Other arguments can be somebody else's to allow.
    asking = consent.asking(tool, configuration.playbooks.get(frozen.playbook), full)
    refusal = await _not_among(means, heard.said, [one.by for one in asking])
    if refusal:
        return replace(heard, refusal=f"so changed, {refusal}")
    server = configuration.servers.get(call.server)
    digest = consent.digest(tool, server, call, full)
    return replace(heard, edited=full, digest=digest)


def _heeded(connection: Transaction, heard: _Heard, at: float) -> Heeded:
    """Judge a word and let it count, in one transaction; repeated, it comes to the same."""
    said = heard.said
    approval = approvals.one(connection, said.approval_id)
    call = _call(connection, approval)
    if approval.event_id == said.event_id:
        return _stands(approval, call)
    late = _late(approval, call, said)
    if late:
        approvals.became(connection, said.decision_id, f"too late: {late}")
        return replace(_stands(approval, call), late=True, call=None)
    refusal = heard.refusal or _unfit(approval, heard, call)
    if refusal:
        approvals.became(connection, said.decision_id, f"refused: {refusal}")
        return _stands(approval, call)
    _count(connection, approval, heard, at)
    return _stands(approvals.one(connection, approval.approval_id), call)


def _late(approval: Approval, call: Call, said: Said) -> str:
    if approval.standing is not Standing.OPEN:
        return f"it is {approval.standing}"
    if said.at > approval.expires_at:
        return "its time was up"
    return "" if call.state is CallState.PENDING else f"its call is {call.state}"


def _unfit(approval: Approval, heard: _Heard, call: Call) -> str:
    match heard.word, bool(approval.tool):
        case "approve", False:
            return "it is a question: answer it"
        case "answer", True:
            return "it is a request for consent: approve or deny it"
        case "answer", False:
            return questions.fitted(call.arguments, heard.answer)[1] or ""
        case _:
            return ""


def _count(connection: Transaction, approval: Approval, heard: _Heard, at: float) -> None:
    said = heard.said
    match heard.word:
        case "approve":
            if heard.edited is not None:
                approvals.edit(connection, approval, heard.edited, heard.digest)
            approvals.settle(connection, approval, Standing.APPROVED, at, said)
            approvals.release(connection, approval)
        case "deny":
            approvals.settle(connection, approval, Standing.DENIED, at, said, heard.why)
            words = consent.denied(approval, said.person, heard.why)
            _finish(connection, approval, CallState.DENIED, words, at)
        case _:
            approvals.settle(connection, approval, Standing.ANSWERED, at, said)
            answer, _ = questions.fitted(_call(connection, approval).arguments, heard.answer)
            inputs.answered(connection, approval.run_id, approval.call_id, answer)
            value = json.dumps(answer, ensure_ascii=False)
            _finish(connection, approval, CallState.DONE, f"{said.person} answers: {value}", at)
    approvals.became(
        connection, said.decision_id, str(approvals.one(connection, approval.approval_id).standing)
    )


def _stands(approval: Approval, call: Call) -> Heeded:
    made = None
    if approval.standing is Standing.APPROVED:
        made = ToolCall(call_id=call.call_id, alias=call.alias)
    return Heeded(approval_id=approval.approval_id, standing=approval.standing, call=made)


def _expired(connection: Transaction, approval: Approval, at: float) -> None:
    if not approvals.settle(connection, approval, Standing.EXPIRED, at):
        return
    if approval.on_timeout is not OnTimeout.PARK:
        state = CallState.DENIED if approval.tool else CallState.DONE
        _finish(connection, approval, state, consent.expired(approval), at)


async def _coming(means: Means, approval: Approval) -> bool:
    """Whether something that came in time may still answer it: kept but undecided, or decided and on its way."""
    undecided = await means.inbox.undecided(LOOKED_AT)
    # In this order: a word is written down before its event counts as decided.
    if any(entry.received_at.timestamp() <= approval.expires_at for entry in undecided):
        return True
    for decision_id in await means.ledger.read(approvals.untaken, approval):
        decision = await means.inbox.decision(decision_id)
        if decision is not None and decision.state in ON_ITS_WAY:
            return True
    return False


def _call(connection: Transaction, approval: Approval) -> Call:
    return calls.one(connection, approval.run_id, approval.call_id)


def _finish(
    connection: Transaction, approval: Approval, state: CallState, words: str, at: float
) -> None:
    result = once.answer_words(state, words)
    calls.finish(connection, approval.run_id, approval.call_id, result, at)
