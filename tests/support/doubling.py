"""Local activities that each really run twice: what the first attempt returned is lost after it has committed.

async with doubled(home) as ran:
    ...                             # `ran` counts the attempts that were lost, by activity
await home.stores.ledger.read(portrait)
"""

import ast
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import literal, select
from temporalio import activity, client, worker
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput
from typing_extensions import override

from orchestrator import temporal
from orchestrator.database import Transaction
from orchestrator.ledger.schema import LEDGER
from tests.support.house import House
from tests.support.town import ROOT

TOLD = {
    *("state", "standing", "outcome", "how", "became", "word", "stop", "effect"),
    *("number", "turn", "ordinal", "call_id", "tool", "attempt", "is_error", "hops", "again"),
}
"""The columns that are the same in two runs of one story: no ids, no times, no texts with either."""


class LostResult(Exception):
    """What Temporal is told instead of the result of an attempt that did its work."""


class Twice(client.Interceptor, worker.Interceptor):
    """Loses the result of the first attempt of every local activity."""

    def __init__(self, ran: Counter[str]) -> None:
        self.ran = ran

    @override
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Losing(next, self.ran)


class _Losing(ActivityInboundInterceptor):
    def __init__(self, inner: ActivityInboundInterceptor, ran: Counter[str]) -> None:
        super().__init__(inner)
        self.ran = ran

    @override
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        result, info = await super().execute_activity(input), activity.info()
        if info.is_local and info.attempt == 1:
            self.ran[info.activity_type] += 1
            raise LostResult(info.activity_type)
        return result


@asynccontextmanager
async def doubled(home: House) -> AsyncIterator[Counter[str]]:
    """A worker inside this test that does everything local twice."""
    ran, address = Counter[str](), home.town.temporal.address
    home.client = await temporal.connect(address, "default", interceptors=[Twice(ran)])
    async with home.working():
        yield ran


def portrait(connection: Transaction) -> Counter[tuple[Any, ...]]:
    """How many rows of each kind every table of the ledger holds."""
    found = Counter[tuple[Any, ...]]()
    for table in LEDGER.sorted_tables:
        kept = [column for column in table.columns if column.name in TOLD]
        for row in connection.execute(select(literal(table.name), *kept)):
            found[tuple(row)] += 1
    return found


def local_activities() -> set[str]:
    """The names of all that a run asks for by a local activity, as its code says."""
    files = (ROOT / "workflows").glob("*.py")
    return {name for file in files for name in _named(file)}


def _named(file: Path) -> set[str]:
    calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    return {
        call.args[0].attr
        for call in calls
        if _is_local(call.func) and isinstance(call.args[0], ast.Attribute)
    }


def _is_local(called: ast.expr) -> bool:
    match called:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name == "local"
        case _:
            return False
