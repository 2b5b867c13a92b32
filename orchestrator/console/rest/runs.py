"""Routes about runs."""

from typing import Annotated, Literal

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody, QueryParameter

from orchestrator.configuration.tokens import Scope
from orchestrator.console.questions import (
    LIMIT,
    AcceptNamespace,
    Call,
    Log,
    LostRuns,
    Run,
    Runs,
    Word,
)
from orchestrator.console.rest import saying, shapes
from orchestrator.console.rest.asking import (
    Asker,
    Before,
    Begun,
    Desk,
    Limit,
    Named,
    Once,
    Text,
    Wait,
    deed,
    question,
    word,
)
from orchestrator.dispatch.retrying import RETRY
from orchestrator.dispatch.starting import START
from workflows.messages import RunState

Verb = Literal["resume", "cancel", "apply"]


def run_routes(desk: Desk) -> list[HTTPRouteHandler]:
    """What agents did, and how to begin."""

    @question("/runs", "listRuns")
    async def list_runs(
        request: Asker,
        stands: Annotated[RunState | None, QueryParameter(name="state")] = None,
        rule: Text = None,
        playbook: Text = None,
        key: Text = None,
        before: Before = None,
        limit: Limit = LIMIT,
    ) -> shapes.Runs:
        asked = Runs(
            state=stands, rule=rule, playbook=playbook, key=key, before=before, limit=limit
        )
        runs: shapes.Runs = await desk.ask(request, asked)
        return runs

    @question("/runs/{run:str}", "showRun")
    async def show_run(request: Asker, run: Begun) -> shapes.WholeRun:
        shown: shapes.WholeRun = await desk.ask(request, Run(run=run))
        return shown

    @question("/runs/{run:str}/log", "readLog")
    async def read_log(request: Asker, run: Begun) -> shapes.Log:
        lines: shapes.Log = await desk.ask(request, Log(run=run))
        return lines

    @question("/runs/{run:str}/calls/{call:str}", "showCall")
    async def show_call(request: Asker, run: Begun, call: Named) -> shapes.WholeCall:
        shown: shapes.WholeCall = await desk.ask(request, Call(run=run, call=call))
        return shown

    return [list_runs, show_run, read_log, show_call, _beginning(desk)]


def _beginning(desk: Desk) -> HTTPRouteHandler:
    @word("/runs", "startRun", Scope.OPERATE)
    async def start_run(
        request: Asker, data: JSONBody[saying.Begin], wait: Wait = 5, once: Once = None
    ) -> Response[saying.Receipt]:
        key = {} if data.key is None else {"key": data.key}
        more = {"with": data.with_, "stage": data.stage, **key}
        said = Word(kind=START, named=data.playbook, more=more, once=once, patience=wait)
        return await desk.say(request, said)

    return start_run


def run_word_routes(desk: Desk) -> list[HTTPRouteHandler]:
    """What a person may say to a run."""

    @word("/runs/{run:str}/retry", "retryRun", Scope.OPERATE)
    async def retry_run(
        request: Asker,
        run: Begun,
        data: JSONBody[saying.Again | None] = None,
        wait: Wait = 5,
        once: Once = None,
    ) -> Response[saying.Receipt]:
        more = {"again": data is not None and data.again}
        said = Word(kind=RETRY, named=run, more=more, once=once, patience=wait)
        return await desk.say(request, said)

    verbs: tuple[Verb, ...] = ("resume", "cancel", "apply")
    return [*(_about_a_run(desk, verb) for verb in verbs), retry_run]


def _about_a_run(desk: Desk, verb: Verb) -> HTTPRouteHandler:
    @word(f"/runs/{{run:str}}/{verb}", f"{verb}Run", Scope.OPERATE)
    async def say(
        request: Asker, run: Begun, wait: Wait = 5, once: Once = None
    ) -> Response[saying.Receipt]:
        said = Word(kind=f"run.{verb}", named=run, once=once, patience=wait)
        return await desk.say(request, said)

    return say


def lost_routes(desk: Desk) -> list[HTTPRouteHandler]:
    """Runs that Temporal no longer knew, and a person's word that its server is gone for good."""

    @question("/lost-runs", "listLostRuns")
    async def list_lost_runs(request: Asker, limit: Limit = LIMIT) -> shapes.LostRuns:
        lost: shapes.LostRuns = await desk.ask(request, LostRuns(limit=limit))
        return lost

    @deed("/lost-runs/accept", "acceptNamespace")
    async def accept_namespace(request: Asker) -> saying.Accepted:
        accepted: saying.Accepted = await desk.act(request, AcceptNamespace())
        return accepted

    return [list_lost_runs, accept_namespace]
