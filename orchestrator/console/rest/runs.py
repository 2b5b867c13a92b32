"""Routes about runs."""

from typing import Annotated

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody, QueryParameter

from orchestrator.configuration.tokens import Scope
from orchestrator.console.questions import LIMIT, Log, Run, Runs, Word
from orchestrator.console.rest import shapes
from orchestrator.console.rest.asking import (
    Asker,
    Before,
    Begun,
    Desk,
    Limit,
    Once,
    Text,
    Wait,
    question,
    word,
)
from orchestrator.dispatch.retrying import RETRY
from orchestrator.dispatch.starting import START
from workflows.messages import RunState


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

    @word("/runs", "startRun", Scope.OPERATE)
    async def start_run(
        request: Asker, data: JSONBody[shapes.Begin], wait: Wait = 5, once: Once = None
    ) -> Response[shapes.Receipt]:
        key = {} if data.key is None else {"key": data.key}
        more = {"with": data.with_, "stage": data.stage, **key}
        said = Word(kind=START, named=data.playbook, more=more, once=once, patience=wait)
        return await desk.say(request, said)

    return [list_runs, show_run, read_log, start_run]


def run_word_routes(desk: Desk) -> list[HTTPRouteHandler]:
    """What a person may say to a run."""

    @word("/runs/{run:str}/resume", "resumeRun", Scope.OPERATE)
    async def resume_run(
        request: Asker, run: Begun, wait: Wait = 5, once: Once = None
    ) -> Response[shapes.Receipt]:
        said = Word(kind="run.resume", named=run, once=once, patience=wait)
        return await desk.say(request, said)

    @word("/runs/{run:str}/cancel", "cancelRun", Scope.OPERATE)
    async def cancel_run(
        request: Asker, run: Begun, wait: Wait = 5, once: Once = None
    ) -> Response[shapes.Receipt]:
        said = Word(kind="run.cancel", named=run, once=once, patience=wait)
        return await desk.say(request, said)

    @word("/runs/{run:str}/apply", "applyRun", Scope.OPERATE)
    async def apply_run(
        request: Asker, run: Begun, wait: Wait = 5, once: Once = None
    ) -> Response[shapes.Receipt]:
        said = Word(kind="run.apply", named=run, once=once, patience=wait)
        return await desk.say(request, said)

    @word("/runs/{run:str}/retry", "retryRun", Scope.OPERATE)
    async def retry_run(
        request: Asker,
        run: Begun,
        data: JSONBody[shapes.Again | None] = None,
        wait: Wait = 5,
        once: Once = None,
    ) -> Response[shapes.Receipt]:
        more = {"again": data is not None and data.again}
        said = Word(kind=RETRY, named=run, more=more, once=once, patience=wait)
        return await desk.say(request, said)

    return [resume_run, cancel_run, apply_run, retry_run]
