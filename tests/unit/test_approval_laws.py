"""A6: in whatever order people, clocks and ends meet a request, one of them settles it, and its call goes once."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.agent.calling.consented import unconsented
from orchestrator.inbox.inbox import Decision
from orchestrator.ledger import conversations
from tests.support.builders import AT, RUN
from tests.support.consent import HOUR, Office, office_at
from workflows.approvals import Standing
from workflows.messages import CallState, Outcome, RunState

LEFT = {
    Standing.OPEN: CallState.PENDING,
    Standing.APPROVED: CallState.INTENDED,
    Standing.DENIED: CallState.DENIED,
    Standing.EXPIRED: CallState.DENIED,
    Standing.CLOSED: CallState.REFUSED,
}
"""How its call stands, by how the request does."""

WORDS = ("approve", "edit", "misfit", "deny", "stranger")
ACTS = st.lists(st.sampled_from([*WORDS, *WORDS, "expire", "time", "end", "ask"]), max_size=9)


async def decided(office: Office, code: str) -> dict[str, Decision]:
    """One of each word, all said and decided about before any is taken."""
    said = {
        "approve": await office.hand("approve", code),
        "edit": await office.hand("approve", code, args={"body": "Bye"}),
        "misfit": await office.hand("approve", code, args={"body": 7}),
        "deny": await office.comment(f"/deny {code}"),
        "stranger": await office.comment(f"/approve {code}", login="stranger"),
    }
    return {word: (await office.decided(receipt))[0] for word, receipt in said.items()}


async def play(office: Office, acts: list[str]) -> None:
    words = await decided(office, (await office.ask()).code)
    settled = Standing.OPEN
    for act in acts:
        match act:
            case "expire":
                await office.expire()
            case "time":
                office.pass_by(HOUR + 1)
            case "ask":
                await office.ask()
            case "end":
                ended = (RUN, RunState.ENDED, "", Outcome.CANCELLED, AT)
                await office.ledger.write(conversations.record, *ended)
            case "stranger":
                pass
            case word:
                await office.take(words[word])
        settled = await holds(office, settled)


async def holds(office: Office, before: Standing) -> Standing:
    """What is true after every step; where the request stands now."""
    request, call = await office.request(), await office.call()
    assert before in {Standing.OPEN, request.standing}
    assert call.state is LEFT[request.standing]
    assert (await unconsented(office.means, call) is None) is (
        request.standing is Standing.APPROVED
    )
    became = [said.became for said in await office.words()]
    assert became.count("approved") == (request.standing is Standing.APPROVED)
    assert became.count("denied") == (request.standing is Standing.DENIED)
    return request.standing


@given(ACTS)
@settings(max_examples=12, deadline=None)
def test_a6_one_end_and_one_call_in_any_order(acts):
    with tempfile.TemporaryDirectory() as directory, office_at(Path(directory)) as office:
        asyncio.run(play(office, acts))
