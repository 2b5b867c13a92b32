"""`doorbell mcp --url`: an assistant at a desk talks to an installation elsewhere, and may do what its token is for."""

import asyncio

import pytest
from mcp import Client
from mcp.server.subscriptions import InMemorySubscriptionBus

from orchestrator.assistant.answering import Answering
from orchestrator.assistant.pushing import Heard
from orchestrator.assistant.server import server_of
from orchestrator.cli import mcp
from orchestrator.configuration.tokens import Scope
from orchestrator.console.remote import Remote
from tests.support.api import ALICE, APPROVES, OPERATES, READS, answering
from tests.support.builders import RUN, comment, rule
from tests.support.installed import Installed


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = Installed(tmp_path / "state")
    there.only_kept(comment("evt_1"))
    there.began("evt_1")
    return there


@pytest.mark.parametrize(
    ("token", "said", "expected"),
    [
        (READS, (), {"read"}),
        (OPERATES, (), {"read", "operate"}),
        (ALICE, (), {"read", "approve"}),
        (APPROVES, (), {"read", "operate", "approve"}),
        (APPROVES, ("read",), {"read"}),
        (APPROVES, ("operate",), {"read", "operate"}),
        (READS, ("approve",), {"read"}),
    ],
)
def test_a6_an_assistant_may_do_what_its_token_is_for_and_less_where_that_is_said(
    there, token, said, expected
):
    with answering(there, deciding=False) as api:
        found = asyncio.run(mcp.scopes_of(Remote(url=api.url, token=token), said))

    assert found == {Scope(one) for one in expected}


def test_o2_an_assistant_finds_and_cancels_a_run_elsewhere_in_the_name_of_its_token(there):
    async def spoken(api):
        console = Remote(url=api.url, token=OPERATES)
        answers = Answering(lambda _ctx: console, lambda: "0123abcd")
        server = server_of(answers, set(Scope), "0", InMemorySubscriptionBus(), Heard())
        async with Client(server) as client:
            found = await client.call_tool("find_runs", {"state": "running"})
            cancelled = await client.call_tool("cancel_run", {"run": RUN})
            paused = await client.call_tool("pause_rule", {"rule": "nope"})
            consent = await client.call_tool("approve", {"code": "AAAAAAAAAA"})
        return [(one.is_error, one.content[0].text) for one in (found, cancelled, paused, consent)]

    with answering(there, rule()) as api:
        found, cancelled, paused, consent = asyncio.run(spoken(api))

    assert (found[0], RUN in found[1]) == (False, True)
    assert (cancelled[0], "run.cancel by token:worker" in cancelled[1]) == (False, True)
    assert (paused[0], "refused: there is no rule 'nope'" in paused[1]) == (True, True)
    assert (consent[0], "with the scope 'approve'" in consent[1]) == (True, True)
