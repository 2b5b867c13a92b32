"""Routes about rules, sources, money and the installation as a whole."""

from datetime import date
from typing import Annotated, Literal

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from orchestrator.configuration.tokens import Scope
from orchestrator.console.questions import Playbooks, Rule, Rules, Spend, Status, Word
from orchestrator.console.rest import saying, shapes
from orchestrator.console.rest.asking import (
    Asker,
    Desk,
    Named,
    Once,
    Wait,
    question,
    word,
)

Verb = Literal["pause", "unpause"]


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

    verbs: tuple[Verb, ...] = ("pause", "unpause")
    words = [_about(desk, verb) for _about in (_about_a_rule, _about_a_source) for verb in verbs]
    return [list_rules, show_rule, *words]


def _about_a_rule(desk: Desk, verb: Verb) -> HTTPRouteHandler:
    @word(f"/rules/{{rule:str}}/{verb}", f"{verb}Rule", Scope.OPERATE)
    async def say(
        request: Asker, rule: Named, wait: Wait = 5, once: Once = None
    ) -> Response[saying.Receipt]:
        said = Word(kind=f"rule.{verb}", named=rule, once=once, patience=wait)
        return await desk.say(request, said)

    return say


def _about_a_source(desk: Desk, verb: Verb) -> HTTPRouteHandler:
    @word(f"/sources/{{source:str}}/{verb}", f"{verb}Source", Scope.OPERATE)
    async def say(
        request: Asker, source: Named, wait: Wait = 5, once: Once = None
    ) -> Response[saying.Receipt]:
        said = Word(kind=f"source.{verb}", named=source, once=once, patience=wait)
        return await desk.say(request, said)

    return say


def house_routes(desk: Desk, version: str) -> list[HTTPRouteHandler]:
    """What can be started, money, how it stands, and who asks."""

    @question("/playbooks", "listPlaybooks")
    async def list_playbooks(request: Asker) -> shapes.Playbooks:
        playbooks: shapes.Playbooks = await desk.ask(request, Playbooks())
        return playbooks

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

    return [list_playbooks, show_spend, show_status, who_am_i]
