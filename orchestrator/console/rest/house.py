"""Routes about rules, sources, money and the installation as a whole."""

from datetime import date
from typing import Annotated

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from orchestrator.configuration.tokens import Scope
from orchestrator.console.questions import Rule, Rules, Spend, Status, Word
from orchestrator.console.rest import shapes
from orchestrator.console.rest.asking import (
    Asker,
    Desk,
    Named,
    Once,
    Wait,
    question,
    word,
)


def rule_routes(desk: Desk) -> list[HTTPRouteHandler]:
    """What answers which events, and a person's word to hold a rule or a source."""

    @question("/rules", "listRules")
    async def list_rules(request: Asker) -> shapes.Rules:
        rules: shapes.Rules = await desk.ask(request, Rules())
        return rules

    @question("/rules/{rule:str}", "showRule")
    async def show_rule(request: Asker, rule: Named) -> shapes.WholeRule:
        shown: shapes.WholeRule = await desk.ask(request, Rule(rule=rule))
        return shown

    @word("/rules/{rule:str}/pause", "pauseRule", Scope.OPERATE)
    async def pause_rule(
        request: Asker, rule: Named, wait: Wait = 5, once: Once = None
    ) -> Response[shapes.Receipt]:
        said = Word(kind="rule.pause", named=rule, once=once, patience=wait)
        return await desk.say(request, said)

    @word("/rules/{rule:str}/unpause", "unpauseRule", Scope.OPERATE)
    async def unpause_rule(
        request: Asker, rule: Named, wait: Wait = 5, once: Once = None
    ) -> Response[shapes.Receipt]:
        said = Word(kind="rule.unpause", named=rule, once=once, patience=wait)
        return await desk.say(request, said)

    @word("/sources/{source:str}/pause", "pauseSource", Scope.OPERATE)
    async def pause_source(
        request: Asker, source: Named, wait: Wait = 5, once: Once = None
    ) -> Response[shapes.Receipt]:
        said = Word(kind="source.pause", named=source, once=once, patience=wait)
        return await desk.say(request, said)

    @word("/sources/{source:str}/unpause", "unpauseSource", Scope.OPERATE)
    async def unpause_source(
        request: Asker, source: Named, wait: Wait = 5, once: Once = None
    ) -> Response[shapes.Receipt]:
        said = Word(kind="source.unpause", named=source, once=once, patience=wait)
        return await desk.say(request, said)

    return [list_rules, show_rule, pause_rule, unpause_rule, pause_source, unpause_source]


def house_routes(desk: Desk, version: str) -> list[HTTPRouteHandler]:
    """Money, how it stands, and who asks."""

    @question("/spend", "showSpend")
    async def show_spend(
        request: Asker,
        day: Annotated[
            date | None, QueryParameter(description="Which day; today if left out.")
        ] = None,
    ) -> shapes.Spend:
        spent: shapes.Spend = await desk.ask(request, Spend(day=day))
        return spent

    @question("/status", "showStatus")
    async def show_status(request: Asker) -> dict[str, object]:
        standing: dict[str, object] = await desk.ask(request, Status())
        return standing

    @question("/me", "whoAmI")
    async def who_am_i(request: Asker) -> shapes.Me:
        token = request.user
        held = {*token.scopes, Scope.READ}
        return {
            "token": token.name,
            "person": token.person,
            "scopes": sorted(str(scope) for scope in held),
            "rules": list(token.rules),
            "version": version,
        }

    return [show_spend, show_status, who_am_i]
