"""What a server wants of people, as the protocol says it: instead of a result, or in the middle of a call.

https://modelcontextprotocol.io/specification/2026-07-28/basic/patterns/mrtr

A server of the handshake era holds its call open while it asks, and a person may take days: it is told that nobody
answers, and its call is made once more when somebody has. Then the answer is there.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mcp.client import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult, InputRequiredResult

from orchestrator.agent.hands.definitions import Answered, Asks, Outcome, Responses

MIDDLE: Final = "doorbell/middle:"
"""How our own name begins of what was asked in the middle of a call; its server has none for it."""
Redacted = Callable[[Any], Any]


def wanted(result: InputRequiredResult, redacted: Redacted) -> Asks:
    """What it wants before it does anything; its state is kept as it came, to go back so."""
    said = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    return Asks(requests=redacted(said.get("inputRequests", {})), state=result.request_state)


@dataclass(slots=True)
class Held:
    """One call that is open: the answers that are ready, and what was asked without one."""

    known: Mapping[str, Any]
    asked: dict[str, Any] = field(default_factory=dict)

    def outcome(self, ended: Outcome) -> Outcome:
        """How the call ended: with questions, where its server asked some and made do without the answers."""
        if self.asked and isinstance(ended, Answered):
            return Asks(requests=self.asked, answered=ended)
        return ended


class Middle:
    """The calls that are open on one connection, and what is asked in the middle of them."""

    def __init__(self, redacted: Redacted) -> None:
        self._redacted = redacted
        self._open: list[Held] = []

    @contextmanager
    def held(self, responses: Responses | None) -> Iterator[Held]:
        """A call is open until the block ends."""
        held = Held({} if responses is None else responses.given)
        self._open.append(held)
        try:
            yield held
        finally:
            self._open.remove(held)

    async def hear(
        self,
        context: ClientRequestContext,  # noqa: ARG002 - it doesn't say which call is meant
        params: ElicitRequestParams,
    ) -> ElicitResult:
        """Answer at once, with what is ready or that nobody answers."""
        request = _request(params)
        key = f"{MIDDLE}{_digest(request)}"
        # Of several calls nobody can tell which one asks.
        held = self._open[0] if len(self._open) == 1 else None
        if held is not None and key in held.known:
            return ElicitResult.model_validate(held.known[key])
        if held is not None:
            held.asked[key] = self._redacted(request)
        return ElicitResult(action="cancel")


def beside(responses: Responses | None) -> Responses | None:
    """What of the responses goes along with a call; the rest waits for the question."""
    if responses is None:
        return None
    given = {key: one for key, one in responses.given.items() if not key.startswith(MIDDLE)}
    return replace(responses, given=given) if given or responses.state is not None else None


def _request(params: ElicitRequestParams) -> dict[str, Any]:
    said = params.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude={"meta", "task", "elicitation_id"}
    )
    return {"method": "elicitation/create", "params": said}


def _digest(request: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:32]
