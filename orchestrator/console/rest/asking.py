"""What all routes have in common: how one asks, says and does, and what a request may look like."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.openapi import ResponseSpec
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from orchestrator.configuration.tokens import Scope, Token
from orchestrator.console.problems import CONTENT_TYPE
from orchestrator.console.questions import MOST, Act, Console, Question, Shown, Word
from orchestrator.console.rest.saying import Problem, Receipt

SCOPE: Final = "scope"
"""Under this name a route says what its asker's token must be for."""

PRINTABLE: Final = "^[^\\x00-\\x1f\\x7f]*$"
LONGEST_NAME: Final = 200

Asker = Request[Token, Any, State]
Named = Annotated[
    str,
    PathParameter(
        min_length=1, max_length=LONGEST_NAME, pattern=PRINTABLE, description="An id or a name."
    ),
]
Begun = Annotated[
    str,
    PathParameter(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=PRINTABLE,
        description="An id, or the beginning of one that fits nothing else.",
    ),
]
Text = Annotated[str | None, QueryParameter(max_length=LONGEST_NAME, pattern=PRINTABLE)]
Before = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=PRINTABLE,
        description="The `next` of the page before.",
    ),
]
Limit = Annotated[int, QueryParameter(ge=1, le=MOST, description="How many at most.")]
Wait = Annotated[
    int, QueryParameter(ge=0, le=30, description="Seconds to wait for what comes of the word.")
]
Once = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        max_length=LONGEST_NAME,
        pattern=PRINTABLE,
        required=False,
        description="Said twice under the same key it is one word.",
    ),
]

_SAID: Final[Mapping[int, str]] = {
    400: "The question can't be read",
    401: "No token that is known",
    403: "The token is not for that",
    404: "There is no such thing",
    409: "It names more than one, comes too late, or changed nothing",
    413: "The body is too large",
    503: "It can't be answered now",
}


class Refused(Exception):
    """A word was recorded and decided against; carries its receipt."""

    def __init__(self, receipt: Shown) -> None:
        super().__init__(receipt["reason"])
        self.receipt = receipt


@dataclass(frozen=True, slots=True)
class Desk:
    """Where requests are answered: `console` is whom the holder of a token talks to."""

    console: Callable[[Token], Console]

    async def ask(self, request: Asker, question: Question) -> Any:
        """The answer. Raises AskerError."""
        return await self.console(request.user).ask(question)

    async def say(self, request: Asker, word: Word) -> Response[Receipt]:
        """The receipt: 200 when it was accepted, 202 while nobody has decided. Raises AskerError or Refused."""
        receipt: Any = await self.console(request.user).say(word)
        if receipt["accepted"] is False:
            raise Refused(receipt)
        return Response(receipt, status_code=202 if receipt["accepted"] is None else 200)

    async def act(self, request: Asker, act: Act) -> Any:
        """What was done. Raises AskerError."""
        return await self.console(request.user).act(act)


def question(path: str, operation: str) -> get:
    """A route that answers one."""
    specs = _specs(400, 401, 404, 409, 503)
    return get(
        path,
        operation_id=operation,
        summary=_summary(operation),
        responses=specs,
        opt={SCOPE: Scope.READ},
    )


def word(path: str, operation: str, scope: Scope) -> post:
    """A route that takes one."""
    recorded = ResponseSpec(Receipt, description="Recorded, not decided yet")
    return _post(path, operation, scope, {**_specs(*_SAID), 202: recorded})


def deed(path: str, operation: str) -> post:
    """A route by which something is done at once."""
    return _post(path, operation, Scope.OPERATE, _specs(400, 401, 403, 413, 503))


def _post(path: str, operation: str, scope: Scope, specs: dict[int, ResponseSpec]) -> post:
    return post(
        path,
        operation_id=operation,
        summary=_summary(operation),
        responses=specs,
        opt={SCOPE: scope},
        status_code=200,
    )


def _summary(operation: str) -> str:
    return re.sub("[A-Z]", lambda found: f" {found[0].lower()}", operation).capitalize()


def _specs(*statuses: int) -> dict[int, ResponseSpec]:
    return {
        status: ResponseSpec(
            Problem, description=_SAID[status], media_type=CONTENT_TYPE, generate_examples=False
        )
        for status in statuses
    }
