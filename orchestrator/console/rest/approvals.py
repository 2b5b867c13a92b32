"""Routes about what runs ask people."""

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, JSONBody

from orchestrator.configuration.tokens import Scope
from orchestrator.console.questions import LIMIT, Approval, Approvals, Word
from orchestrator.console.rest import saying, shapes
from orchestrator.console.rest.asking import (
    Asker,
    Desk,
    Limit,
    Named,
    Once,
    Wait,
    question,
    word,
)


def approval_routes(desk: Desk) -> list[HTTPRouteHandler]:
    """What is asked."""

    @question("/approvals", "listApprovals")
    async def list_approvals(
        request: Asker, *, every: FromQuery[bool] = False, limit: Limit = LIMIT
    ) -> shapes.Approvals:
        found: shapes.Approvals = await desk.ask(request, Approvals(every=every, limit=limit))
        return found

    @question("/approvals/{code:str}", "showApproval")
    async def show_approval(request: Asker, code: Named) -> shapes.WholeApproval:
        shown: shapes.WholeApproval = await desk.ask(request, Approval(code=code))
        return shown

    return [list_approvals, show_approval]


def answer_routes(desk: Desk) -> list[HTTPRouteHandler]:
    """A person's yes, no or answer."""

    @word("/approvals/{code:str}/approve", "approve", Scope.APPROVE)
    async def approve(
        request: Asker,
        code: Named,
        data: JSONBody[saying.Consent | None] = None,
        wait: Wait = 5,
        once: Once = None,
    ) -> Response[saying.Receipt]:
        more = {"args": data.args} if data is not None and data.args else {}
        said = Word(kind="run.approve", named=code, more=more, once=once, patience=wait)
        return await desk.say(request, said)

    @word("/approvals/{code:str}/deny", "deny", Scope.APPROVE)
    async def deny(
        request: Asker,
        code: Named,
        data: JSONBody[saying.Denial | None] = None,
        wait: Wait = 5,
        once: Once = None,
    ) -> Response[saying.Receipt]:
        more = {"why": data.why} if data is not None and data.why else {}
        said = Word(kind="run.deny", named=code, more=more, once=once, patience=wait)
        return await desk.say(request, said)

    @word("/approvals/{code:str}/answer", "answer", Scope.APPROVE)
    async def answer(
        request: Asker, code: Named, data: JSONBody[saying.Reply], wait: Wait = 5, once: Once = None
    ) -> Response[saying.Receipt]:
        more = {"answer": data.answer}
        said = Word(kind="run.answer", named=code, more=more, once=once, patience=wait)
        return await desk.say(request, said)

    return [approve, deny, answer]
