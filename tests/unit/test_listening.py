"""Deliveries of a hook that leads nowhere reach the door all the same, and the hook never outlives the listener."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx2
import pytest

from orchestrator.errors import OperatorError
from orchestrator.recovery.github import Denied, connected
from orchestrator.recovery.indoors import Rung, told_of
from orchestrator.recovery.listening import Listening
from orchestrator.secrets import Secret
from tests.support.github_hooks import SECRET, TOKEN, compact
from tests.support.recovery import PLACE, issue, road, source, without_bytes

URL = "https://doorbell.invalid/listen?doorbell=0123456789abcdef"


class Ear:
    """A listener on the road, and everything it told."""

    def __init__(self, there, api, http):
        self.there, self.fed, self.warned = there, asyncio.Queue(), []
        self.door = there.hook.url
        self.stopping, self.ready = asyncio.Event(), asyncio.Event()
        self.listening = Listening(
            api=api,
            url=URL,
            events=("issues",),
            source=source(there.peer, secrets=(Secret("env:S", SECRET),)),
            post=self.post,
            tell=self.fed.put_nowait,
            warn=self.warned.append,
            now=lambda: there.peer.clock,
            log=there.lines,
            every=timedelta(milliseconds=20),
        )
        self.http = http

    async def post(self, headers, body):
        try:
            answer = await self.http.post(self.door, content=body, headers=dict(headers))
        except httpx2.HTTPError as error:
            raise OperatorError("nobody answers") from error
        return Rung(status=answer.status_code, told=told_of(answer.content))

    @property
    def hook(self):
        (mine,) = [hook for hook in self.there.peer.hooks if hook.url == URL]
        return mine

    async def hears(self):
        return await asyncio.wait_for(self.fed.get(), 20)

    async def listen(self):
        await self.listening.listen(self.stopping, lambda _hook: self.ready.set())


@asynccontextmanager
async def ear(there):
    token = Secret("env:GITHUB_TOKEN", TOKEN)
    async with (
        connected(there.peer.url, PLACE, token) as api,
        httpx2.AsyncClient(timeout=30) as http,
    ):
        yield Ear(there, api, http)


@asynccontextmanager
async def listens(tmp_path):
    """A listener at work; its hook is gone afterwards."""
    async with road(tmp_path) as there:
        there.peer.hooks.clear()
        async with ear(there) as one:
            working = asyncio.create_task(one.listen())
            await asyncio.wait_for(one.ready.wait(), 20)
            yield one
            one.stopping.set()
            await asyncio.wait_for(working, 20)
            assert there.peer.hooks == []


async def test_what_github_tried_to_deliver_is_rung_here_in_order_with_the_very_bytes_it_signed(
    tmp_path,
):
    async with listens(tmp_path) as one:
        peer = one.there.peer
        assert (one.hook.secret, one.hook.events, one.hook.content_type) == (
            SECRET,
            ["issues"],
            "json",
        )
        guids = [await peer.happen("issues", issue(number)) for number in (1, 2, 3)]
        fed = [await one.hears() for _ in guids]

        assert [one_fed.attempt.guid for one_fed in fed] == guids == await one.there.kept()
        assert {one_fed.rung.told["status"] for one_fed in fed} == {"kept"}
        assert not any(one_fed.signed_by_us for one_fed in fed)
        (entry,) = await one.there.inbox.find(guids[0])
        assert entry.body == compact(issue(1))
        assert {one_try["status_code"] for one_try in one.hook.tries} == {502}


async def test_while_nothing_happens_github_is_asked_what_changed_and_counts_nothing(tmp_path):
    async with listens(tmp_path) as one:
        await one.there.peer.happen("issues", issue(1))
        await one.hears()
        await one.there.peer.until("list", one.there.peer.asked["list"] + 3)

        codes = [answer.status_code for _, answer in one.there.peer.recorded.exchanges][-2:]
        assert codes == [304, 304]
        assert one.there.peer.asked["show"] == 1


async def test_more_than_a_page_between_two_looks_is_fetched_to_its_end(tmp_path):
    async with listens(tmp_path) as one:
        one.there.peer.page = 2
        guids = [await one.there.peer.happen("issues", issue(number)) for number in range(1, 8)]
        heard = [(await one.hears()).attempt.guid for _ in guids]

        assert heard == guids


async def test_d1_what_cannot_be_rebuilt_is_signed_by_us_and_says_so(tmp_path):
    async with listens(tmp_path) as one:
        one.there.peer.write = without_bytes
        guid = await one.there.peer.happen("issues", issue(7))
        fed = await one.hears()

        assert fed.signed_by_us
        assert (fed.rung.status, await one.there.kept()) == (202, [guid])
        (entry,) = await one.there.inbox.find(guid)
        assert (entry.body, entry.subject) == (compact(issue(7)), "acme/api#7")


async def test_a_redelivery_that_somebody_asks_for_is_heard_and_is_a_duplicate(tmp_path):
    async with listens(tmp_path) as one:
        guid = await one.there.peer.happen("issues", issue(1))
        await one.hears()
        await one.there.peer.try_(one.hook, guid, "issues", issue(1), again=True)

        assert (await one.hears()).rung.told["status"] == "duplicate"
        assert await one.there.kept() == [guid]


async def test_d6_while_our_door_is_down_deliveries_wait_at_github_and_one_word_is_said(tmp_path):
    async with listens(tmp_path) as one:
        one.door, up = "http://127.0.0.1:9/hooks/github", one.door
        guids = [await one.there.peer.happen("issues", issue(number)) for number in (1, 2)]
        await one.there.peer.until("show", 3)
        assert (one.fed.empty(), len(one.warned)) == (True, 1)
        one.door = up

        assert [(await one.hears()).attempt.guid for _ in guids] == guids
        assert await one.there.kept() == guids


async def test_d5_a_door_that_defers_is_rung_again_and_one_that_refuses_is_not(tmp_path):
    async with listens(tmp_path) as one:
        one.there.limit[0] = 0
        guid = await one.there.peer.happen("issues", issue(1))
        await one.there.peer.until("show", 2)
        one.there.limit[0] = None
        assert (await one.hears()).attempt.guid == guid

        await one.there.peer.happen("issues", {"action": "opened", "sender": {"id": 1}})
        refused = await one.hears()
        assert (refused.rung.status, refused.rung.told["title"]) == (
            400,
            "The event's name does not fit its body",
        )


async def test_d2_a_door_that_stumbles_is_rung_again_three_times_and_then_the_next_one_has_its_turn(
    tmp_path,
):
    async with listens(tmp_path) as one:
        rung, post = [], one.listening.post

        async def stumbles(headers, body):
            rung.append(headers["x-github-delivery"])
            if rung.count(first) > 4 or rung[-1] != first:
                return await post(headers, body)
            return Rung(status=500, told={"title": "Internal Server Error"})

        one.listening.post = stumbles
        first, second = "", ""
        first = await one.there.peer.happen("issues", issue(1))
        second = await one.there.peer.happen("issues", issue(2))
        fed = [await one.hears(), await one.hears()]

        assert [one_fed.rung.status for one_fed in fed] == [500, 202]
        assert (rung.count(first), rung.count(second)) == (4, 1)


async def test_a_delivery_that_github_cannot_show_is_told_and_passed_over(tmp_path):
    async with listens(tmp_path) as one:
        one.there.peer.faults["show"] = [(404, {"message": "Not Found"}, {}), b"[]"]
        guids = [await one.there.peer.happen("issues", issue(number)) for number in (1, 2, 3)]
        fed = [await one.hears() for _ in guids]

        assert [one_fed.rung.status for one_fed in fed] == [0, 0, 202]
        assert [one_fed.rung.told.get("title") for one_fed in fed] == ["Not fed", "Not fed", None]


async def test_a_hook_that_a_killed_listener_left_behind_is_removed_and_nobody_elses(tmp_path):
    async with road(tmp_path) as there, ear(there) as one:
        left = there.peer.hook(URL)
        colleague = there.peer.hook("https://doorbell.invalid/listen?doorbell=fedcba9876543210")
        working = asyncio.create_task(one.listen())
        await asyncio.wait_for(one.ready.wait(), 20)

        assert left not in there.peer.hooks
        one.stopping.set()
        await asyncio.wait_for(working, 20)
        assert there.peer.hooks == [there.hook, colleague]


async def test_a_hook_whose_creation_was_answered_by_an_error_is_removed_all_the_same(tmp_path):
    async with road(tmp_path) as there, ear(there) as one:
        created = there.peer.collection

        def lost(method, *given):
            answer = created(method, *given)
            return (502, {"message": "timed out"}, {}) if method == "POST" else answer

        there.peer.collection = lost
        with pytest.raises(Exception, match="502"):
            await one.listen()

        assert there.peer.hooks == [there.hook]


async def test_a_hook_that_somebody_removes_ends_the_listening_in_words(tmp_path):
    async with road(tmp_path) as there, ear(there) as one:
        working = asyncio.create_task(one.listen())
        await asyncio.wait_for(one.ready.wait(), 20)
        there.peer.hooks.remove(one.hook)

        with pytest.raises(Denied, match="the webhook is gone"):
            await asyncio.wait_for(working, 20)


async def test_a_hook_that_cannot_be_removed_is_named_with_who_will(tmp_path):
    async with road(tmp_path) as there, ear(there) as one:
        working = asyncio.create_task(one.listen())
        await asyncio.wait_for(one.ready.wait(), 20)
        there.peer.faults["remove"] = [(500, {"message": "oops"}, {})]
        one.stopping.set()
        await asyncio.wait_for(working, 20)

    assert "the next `doorbell listen` removes it" in one.warned[-1]


async def test_d6_an_api_that_stumbles_is_asked_again_and_told_once(tmp_path):
    async with listens(tmp_path) as one:
        one.there.peer.faults["list"] = [(503, {"message": "busy"}, {}) for _ in range(3)]
        await one.there.peer.happen("issues", issue(1))

        assert (await one.hears()).rung.status == 202
        assert len(one.warned) == 1
