"""The console of an installation elsewhere, over its REST API; it knows addresses, and decides nothing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import httpx2

from orchestrator.console.problems import fault_of
from orchestrator.console.questions import (
    MOST,
    AcceptNamespace,
    Act,
    Approval,
    Approvals,
    Call,
    DeadLetters,
    Delivery,
    Event,
    Events,
    Log,
    LostRuns,
    OfOneRun,
    OfRuns,
    OfTheHouse,
    OfTheInbox,
    Playbooks,
    Prune,
    Question,
    Refusals,
    Rule,
    Rules,
    Run,
    Runs,
    Shown,
    Spend,
    Status,
    Why,
    Word,
)
from orchestrator.errors import AskerError, Fault, OperatorError

PLACE: Final = "/api/v1"
PATIENCE: Final = 30.0
"""Seconds for an answer, beside those that a word waits for."""

Params = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """See `questions.Console`. `url` is the door's, such as https://doorbell.example.com."""

    url: str
    token: str = field(repr=False)

    async def ask(self, question: Question) -> Any:
        """The answer; of a list as much as is asked for, in as many pages. Raises AskerError, or OperatorError."""
        if isinstance(question, Events | Runs):
            return await self._pages(question)
        path, params = place_of(question)
        return await self._told("GET", path, params)

    async def say(self, word: Word) -> Shown:
        """What came of it. Raises AskerError, or OperatorError."""
        path, body = said_at(word)
        headers = {} if word.once is None else {"idempotency-key": word.once}
        wait = math.ceil(word.patience)
        answered = await self._told(
            "POST", path, {"wait": wait}, body, headers, PATIENCE + word.patience
        )
        return dict(answered)

    async def act(self, act: Act) -> Shown:
        """What was done. Raises AskerError, or OperatorError."""
        path, body = done_at(act)
        return dict(await self._told("POST", path, {}, body, patience=2 * PATIENCE))

    async def me(self) -> Shown:
        """Whose token it is, and what for. Raises AskerError, or OperatorError."""
        return dict(await self._told("GET", "/me", {}))

    async def _pages(self, question: Events | Runs) -> Shown:
        name = "events" if isinstance(question, Events) else "runs"
        found: list[Any] = []
        before = question.before
        while True:
            left = min(question.limit - len(found), MOST)
            path, params = place_of(replace(question, before=before, limit=left))
            page = await self._told("GET", path, params)
            found, before = found + page[name], page["next"]
            if before is None or len(found) >= question.limit:
                return {name: found, "next": before}

    async def _told(
        self,
        method: str,
        path: str,
        params: Params,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
    ) -> Any:
        shown = {"authorization": f"Bearer {self.token}", **(headers or {})}
        asked = {name: one for name, one in params.items() if one is not None}
        address = f"{self.url.rstrip('/')}{PLACE}{path}"
        try:
            async with httpx2.AsyncClient(timeout=patience) as client:
                answer = await client.request(
                    method, address, params=asked, headers=shown, json=body
                )
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            said = str(error) or type(error).__name__
            raise OperatorError(f"nobody answers at {self.url}: {said}") from error
        return _read(self.url, answer)


def _read(url: str, answer: httpx2.Response) -> Any:
    try:
        told: Any = answer.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        said = f"what answers at {url} is no doorbell: {answer.status_code}, no JSON object"
        raise OperatorError(said)
    if answer.is_success:
        return told
    if isinstance(told.get("receipt"), dict):
        return told["receipt"]
    fault = fault_of(told)
    if fault is None and answer.status_code == httpx2.codes.NOT_FOUND:
        raise AskerError(Fault.NO_SUCH, f"nothing is at {answer.url}")
    if fault is None:
        raise OperatorError(f"{url} answered {answer.status_code}: {told.get('detail')}")
    raise AskerError(fault, str(told.get("detail")))


def place_of(question: Question) -> tuple[str, Params]:
    """Where a question is asked, and with which parameters."""
    match question:
        case Events() | Event() | Delivery() | Why() | Refusals() | DeadLetters():
            return _of_the_inbox(question)
        case Runs() | Run() | Log() | Call() | LostRuns() | Approvals() | Approval():
            return _of_runs(question)
        case Rules() | Rule() | Playbooks() | Spend() | Status():
            return _of_the_house(question)


def _of_the_inbox(question: OfTheInbox) -> tuple[str, Params]:
    match question:
        case Events():
            return "/events", {
                "source": question.source,
                "type": question.type,
                "is": question.stand,
                "since": _moment(question.since),
                "until": _moment(question.until),
                "before": question.before,
                "after": question.after,
                "limit": question.limit,
                "decisions": None if question.decisions else "false",
            }
        case Event():
            return f"/events/{_safe(question.event)}", {}
        case Delivery():
            return f"/events/{_safe(question.event)}/delivery", {}
        case Why():
            return f"/events/{_safe(question.event)}/why", {}
        case Refusals():
            return "/refusals", {"source": question.source, "limit": _page(question.limit)}
        case DeadLetters():
            return "/dead-letters", {"limit": _page(question.limit)}


def _of_runs(question: OfRuns) -> tuple[str, Params]:
    match question:
        case Runs():
            return "/runs", {
                "state": question.state,
                "rule": question.rule,
                "playbook": question.playbook,
                "key": question.key,
                "before": question.before,
                "limit": question.limit,
            }
        case Run() | Log() | Call():
            return _of_one_run(question), {}
        case LostRuns():
            return "/lost-runs", {"limit": _page(question.limit)}
        case Approvals():
            every = "true" if question.every else "false"
            return "/approvals", {"every": every, "limit": _page(question.limit)}
        case Approval():
            return f"/approvals/{_safe(question.code)}", {}


def _of_one_run(question: OfOneRun) -> str:
    place = f"/runs/{_safe(question.run)}"
    match question:
        case Run():
            return place
        case Log():
            return f"{place}/log"
        case Call():
            return f"{place}/calls/{_safe(question.call)}"


def _of_the_house(question: OfTheHouse) -> tuple[str, Params]:
    match question:
        case Rules():
            return "/rules", {}
        case Rule():
            return f"/rules/{_safe(question.rule)}", {}
        case Playbooks():
            return "/playbooks", {}
        case Spend():
            return "/spend", {"day": None if question.day is None else question.day.isoformat()}
        case Status():
            return "/status", {}


def said_at(word: Word) -> tuple[str, Any]:
    """Where a word is said, and the body it has."""
    noun, _, verb = word.kind.partition(".")
    named = _safe(word.named)
    match noun, verb:
        case "run", "start":
            return "/runs", {"playbook": word.named, **word.more}
        case "run", ("approve" | "deny" | "answer"):
            return f"/approvals/{named}/{verb}", dict(word.more)
        case "run", "retry":
            return f"/runs/{named}/{verb}", dict(word.more)
        case _:
            places = {"run": "runs", "event": "events", "decision": "dead-letters"}
            return f"/{places.get(noun, f'{noun}s')}/{named}/{verb}", None


def done_at(act: Act) -> tuple[str, Any]:
    """Where an act is done, and the body it has."""
    match act:
        case Prune():
            keep = None if act.keep is None else f"{int(act.keep.total_seconds())}s"
            return "/events/prune", {"keep": keep, "dry_run": act.dry_run}
        case AcceptNamespace():
            return "/lost-runs/accept", None


def _page(limit: int) -> int:
    if limit > MOST:
        said = f"expected a limit of at most {MOST} for this list over HTTP, got {limit}"
        raise AskerError(Fault.UNREADABLE, said)
    return limit


def _safe(name: str) -> str:
    return quote(name, safe="")


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
