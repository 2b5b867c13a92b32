"""H3: a server that wants client credentials gets a token of the issuer that was configured, and of no other."""

import asyncio
from dataclasses import replace

import pytest

from orchestrator.agent.hands.definitions import Answered, HandsUnreachable
from orchestrator.secrets import Secret
from tests.support.lab import ask, reaching, text
from tests.support.oauth import SECRET, guarded


async def test_h3_a_token_is_fetched_once_and_shown_by_every_call_after_it():
    async with guarded(scope="tickets") as (server, app), reaching(server) as hands:
        await hands.discover("crm")
        await ask(hands, "crm", "whoami")
        await ask(hands, "crm", "whoami")

    assert (len(app.tokens), app.calls) == (1, 2)
    assert app.asked[0]["grant_type"] == ["client_credentials"]
    assert app.asked[0]["scope"] == ["tickets"]
    assert app.asked[0]["resource"] == [server.url]


async def test_h3_a_token_that_is_no_longer_good_is_replaced_and_the_call_made_once():
    async with guarded() as (server, app), reaching(server) as hands:
        await ask(hands, "crm", "whoami")
        app.good.clear()
        assert isinstance(await ask(hands, "crm", "whoami"), Answered)

    assert (len(app.tokens), app.calls) == (2, 2)


async def test_h3_calls_with_a_token_do_not_wait_for_each_other():
    async with guarded() as (server, app), reaching(server) as hands:
        await hands.discover("crm")
        app.held = asyncio.Event()
        async with asyncio.timeout(20):
            said = await asyncio.gather(*(ask(hands, "crm", "together") for _ in range(3)))

    assert [text(one) for one in said] == ["together"] * 3


async def test_h3_calls_that_find_their_token_bad_together_fetch_one():
    async with guarded() as (server, app), reaching(server) as hands:
        await hands.discover("crm")
        app.good.clear()
        app.held = asyncio.Event()
        await asyncio.gather(*(ask(hands, "crm", "together") for _ in range(3)))

    assert len(app.tokens) == 2


async def test_h3_the_token_outlives_the_connection():
    async with guarded() as (server, app), reaching(server, idle_timeout=0.05) as hands:
        await hands.discover("crm")
        await asyncio.sleep(0.3)
        await hands.discover("crm")

    assert len(app.tokens) == 1


async def test_a7_no_answer_tells_the_token_or_the_clients_secret():
    async with guarded() as (server, _), reaching(server) as hands:
        assert text(await ask(hands, "crm", "whoami")) == "you showed [secret oauth token]"
    async with guarded() as (server, _):
        wrong = replace(server.oauth, client_secret=Secret("env:CRM", "another-hunter"))
        async with reaching(replace(server, oauth=wrong)) as hands:
            with pytest.raises(HandsUnreachable) as unreachable:
                await hands.discover("crm")
    assert "Token exchange failed (401)" in str(unreachable.value)
    assert "another-hunter" not in str(unreachable.value)


async def test_h3_the_secret_goes_to_no_other_issuer_than_the_one_that_was_configured():
    async with guarded() as (server, app), guarded() as (_, stranger):
        app.issuer = stranger.url
        async with reaching(server) as hands:
            with pytest.raises(HandsUnreachable, match="issuer"):
                await hands.discover("crm")

    assert (app.asked, stranger.asked) == ([], [])


async def test_h3_an_authorization_server_that_refuses_is_told_in_words_and_nothing_was_done():
    async with guarded() as (server, app), reaching(server) as hands:
        await hands.discover("crm")
        app.good.clear()
        app.refuses = True
        outcome = await ask(hands, "crm", "whoami")

    assert "no token could be fetched: Token exchange failed (401)" in text(outcome)
    assert SECRET not in text(outcome)
    assert app.calls == 0
