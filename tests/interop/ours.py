"""Our servers, called by clients that aren't ours: tools that answer at once, and tasks that webhooks end."""

import asyncio
import tempfile
from pathlib import Path

from tests.interop.clients import ordinary, told, with_tasks
from tests.interop.houses import ALL
from tests.interop.table import Row, short

STEP = 0.05


def tried(_house, places, _names):
    """A row for each of our servers and each client."""
    return asyncio.run(_all(places))


async def _all(places):
    rows = []
    for house in ALL:
        with tempfile.TemporaryDirectory(prefix="doorbell-interop-") as directory:
            async with house(Path(directory)) as one:
                rows += [await _at_once(one, peer) for peer in ordinary(places)]
                if one.later is not None:
                    rows += [await _later(one, peer) for peer in with_tasks(places)]
    return rows


async def _at_once(one, peer):
    said = await told(peer, one.target, one.call.tool, one.call.arguments)
    return _row(one, peer, one.call, said, "at once")


async def _later(one, peer):
    later = one.later
    before = later.made()
    calling = asyncio.create_task(told(peer, one.target, later.call.tool, later.call.arguments))
    while later.made() == before and not calling.done():
        await asyncio.wait([calling], timeout=STEP)
    if not calling.done():
        await later.end()
    return _row(one, peer, later.call, await calling, "as a task")


def _row(one, peer, call, said, how):
    wrong = said.broken
    if not wrong and (said.is_error or call.hears not in said.text):
        wrong = f"expected {call.hears!r}, got {said.text!r}"
    return Row(
        who=f"our {one.name}",
        what=f"by {peer.name}",
        came=f"{call.tool} {how}: {short(said.text)}",
        wrong=wrong,
    )
