"""What people say to what a run asked them: on the command line, or in a comment whose first line is the word.

    /approve ABCDEFGHIJ
    /deny ABCDEFGHIJ that label is for releases
    /answer ABCDEFGHIJ yes

Pure: it recognises a word, and says what becomes of it. A comment that names a request is consumed by it, whoever
wrote it; any other comment is no business of ours, for other programs listen to `/approve` as well.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.configuration.people import Speaker
from orchestrator.dispatch.decide import PERSON, decision_id
from orchestrator.dispatch.ours import newest_text
from orchestrator.events import Event
from orchestrator.inbox.inbox import Action, Decision, DecisionState
from orchestrator.ledger.approvals import Approval
from orchestrator.sources.source import OPERATOR
from workflows.approvals import Standing
from workflows.messages import Kind

IN_A_COMMENT: Final = "doorbell:answer"
"""The cause of a decision about a comment."""

WORDS: Final[Mapping[str, str]] = {
    "run.approve": "approve",
    "run.deny": "deny",
    "run.answer": "answer",
}
SAID: Final = re.compile(
    r"/(?P<word>approve|deny|answer)[ \t]+(?P<code>[A-Za-z2-7]{10})(?:[ \t]+(?P<rest>[^\n]*))?"
)
MOST_WHY: Final = 500
MOST_ANSWER: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A word and the code of the request that it names; `args` are what an approver wants changed."""

    word: str
    code: str
    why: str = ""
    answer: Any = None
    args: Mapping[str, Any] | None = None


def answer_in(event: Event) -> Answer | None:
    """The word that an event is, if it is one; nothing about who says it."""
    if event.source == OPERATOR:
        return _by_hand(event)
    lines = newest_text(event.data).strip().splitlines()
    found = SAID.fullmatch(lines[0].rstrip()) if lines else None
    if found is None:
        return None
    rest = (found["rest"] or "").strip()
    answers = found["word"] == "answer"
    return Answer(
        word=found["word"],
        code=found["code"].upper(),
        why="" if answers else rest[:MOST_WHY],
        answer=rest[:MOST_ANSWER] if answers else None,
    )


def refusal_of(
    approval: Approval | None, answer: Answer, who: Speaker | None, ours: str | None
) -> str:
    """Why a word doesn't count; empty when its run is to hear it."""
    if approval is None:
        return f"nobody was asked anything under the code {answer.code!r}"
    if ours is not None:
        return f"{answer.word} {approval.code}: {ours}"
    if who is None:
        return f"{answer.word} {approval.code}: whoever says it isn't in people.yaml, or is a bot"
    why = short_of(approval, who)
    return f"{answer.word} {approval.code}: {why}" if why else ""


def short_of(approval: Approval, who: Speaker) -> str:
    """Why the word of somebody we know doesn't count; empty when its run is to hear it."""
    if not who.names & {*approval.by}:
        return f"{who.said} may not: expected {' or '.join(approval.by)}"
    if approval.standing is not Standing.OPEN:
        return f"too late, it is {approval.standing}"
    return ""


def heard(
    event: Event, approval: Approval, answer: Answer, who: Speaker, again: int | None = None
) -> Decision:
    """The decision that brings the word to its run."""
    cause = _cause(event)
    said = {"why": answer.why, "answer": answer.answer, "args": answer.args}
    return Decision(
        id=decision_id(event.id, cause, again or 0),
        event_id=event.id,
        cause=cause,
        rule="",
        action=Action.CONTROL,
        reason=f"recorded: {answer.word} {approval.code} by {who.said}, for run {approval.run_id}",
        workflow_id=approval.workflow_id,
        # A person's word must pass a mailbox that is full.
        lane=f"{approval.workflow_id}!person",
        wait_id=approval.approval_id,
        with_={
            "run": approval.run_id,
            "kind": Kind.ANSWER.value,
            "word": answer.word,
            **{name: given for name, given in said.items() if given not in (None, "")},
        },
        again=again,
    )


def unheard(event: Event, reason: str, again: int | None = None) -> Decision:
    """The decision about a word that doesn't count."""
    cause = _cause(event)
    return Decision(
        id=decision_id(event.id, cause, again or 0),
        event_id=event.id,
        cause=cause,
        rule="",
        action=Action.IGNORE,
        reason=reason,
        state=DecisionState.SETTLED,
        again=again,
    )


def _cause(event: Event) -> str:
    return PERSON if event.source == OPERATOR else IN_A_COMMENT


def _by_hand(event: Event) -> Answer | None:
    word = WORDS.get(event.type)
    if word is None:
        return None
    given = event.data
    args = given.get("args")
    return Answer(
        word=word,
        code=str(given.get("code", "")).upper(),
        why=str(given.get("why", ""))[:MOST_WHY],
        answer=given.get("answer"),
        args=args if isinstance(args, Mapping) else None,
    )
