"""GitHub's published description judges what recovery asks and what its stand-in answers."""

from datetime import timedelta

import pytest

from orchestrator.recovery.github import Denied, Unknown, connected
from orchestrator.secrets import Secret
from tests.support.github_hooks import TOKEN, github_hooks
from tests.support.github_openapi import Judge
from tests.support.recovery import DOWN, issue, without_bytes

PLACES = ("/repos/acme/api", "/orgs/acme")
UNDESCRIBED = frozenset({304, 401})
"""Answers that GitHub gives everywhere and describes once, apart from each operation."""


@pytest.fixture(scope="module")
def judge():
    return Judge()


@pytest.mark.parametrize("place", PLACES)
async def test_every_question_and_every_answer_is_one_github_describes(judge, place):
    async with github_hooks() as peer, connected(peer.url, place, Secret("env:T", TOKEN)) as api:
        peer.page = 2
        hook = await api.create(DOWN, "hush", ["issues", "ping"])
        assert [one.id for one in await api.hooks()] == [hook]
        for number in (1, 2, 3):
            await peer.happen("issues", issue(number), place)
        first = await api.page(hook)
        second = await api.page(hook, first.cursor)
        assert [len(first.attempts), len(second.attempts), second.cursor] == [2, 1, None]
        assert await api.page(hook, etag=first.etag) is None
        recorded = await api.recorded(hook, first.attempts[0].id)
        assert recorded.headers["x-github-event"] == "issues"
        peer.write = without_bytes
        await api.again(hook, first.attempts[0].id)
        assert (await api.page(hook)).attempts[0].redelivery
        peer.clock += timedelta(days=4)
        with pytest.raises(Unknown, match="422"):
            await api.again(hook, first.attempts[0].id)
        with pytest.raises(Unknown, match="404"):
            await api.page(7)
        await api.remove(hook)
        await api.remove(hook)
        assert await api.hooks() == []
        held = hold_against(judge, peer)

    assert held == 12


async def test_a_wrong_token_is_refused_and_never_repeated():
    async with (
        github_hooks() as peer,
        connected(peer.url, PLACES[0], Secret("env:T", "ghp_Wrong")) as api,
    ):
        with pytest.raises(Denied) as error:
            await api.hooks()

    assert "env:T is wrong or has expired" in str(error.value)
    assert "ghp_Wrong" not in str(error.value)


async def test_more_hooks_than_a_page_are_all_listed():
    async with (
        github_hooks() as peer,
        connected(peer.url, PLACES[0], Secret("env:T", TOKEN)) as api,
    ):
        for number in range(101):
            peer.hook(f"https://example.com/{number}")

        assert len(await api.hooks()) == 101
        assert peer.asked["hooks"] == 2


def hold_against(judge, peer):
    described = [
        (request, response)
        for request, response in peer.recorded.exchanges
        if response.status_code not in UNDESCRIBED
    ]
    for request, response in described:
        judge.check_request(request)
        if response.status_code != 404:
            judge.check_response(request, response)
    return len(described)
