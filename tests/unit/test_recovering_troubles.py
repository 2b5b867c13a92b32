"""Whatever GitHub answers, recovery says so, rests, and goes on; the service never hears of it."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.recovery import recorded
from orchestrator.recovery.gaps import Recovered
from orchestrator.recovery.indoors import Rung
from tests.support.recovery import DOWN, HOUR, issue, replace_recovering, road, source

SOON = timedelta(minutes=2)
BUSY = {"message": "You have exceeded a secondary rate limit", "documentation_url": ""}


async def test_a_wrong_token_is_told_to_the_operator_without_the_token_and_asked_ever_more_rarely(
    tmp_path,
):
    async with road(tmp_path) as there:
        await there.miss(1)
        there.later(SOON)
        right = there.recovering
        wrong = replace_recovering(right, source(there.peer, token="ghp_Wrong"))

        rests = []
        for _ in range(12):
            assert await wrong.step() == 0
            rests.append(wrong.rest_for)

        assert rests[0] == timedelta(seconds=15)
        assert rests == sorted(rests)
        assert rests[-1] == HOUR
        assert "env:GITHUB_TOKEN is wrong or has expired" in wrong.standing().error
        assert "ghp_Wrong" not in str(there.lines.said)
        assert there.peer.asked == {"hooks": 12}

        mended = replace_recovering(wrong, right.source)
        assert await mended.step() == 1


@pytest.mark.parametrize(
    ("status", "headers", "rest"),
    [
        (429, {"retry-after": "120"}, timedelta(minutes=2)),
        (
            403,
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795262700"},
            timedelta(minutes=3),
        ),
        (403, {"retry-after": "9999999"}, HOUR),
        (403, {}, timedelta(minutes=1)),
        (429, {"retry-after": "soon"}, timedelta(minutes=1)),
    ],
)
async def test_a_limit_that_is_reached_is_respected_as_long_as_github_asks(
    tmp_path, status, headers, rest
):
    async with road(tmp_path) as there:
        missed = await there.miss(1, 2, 3)
        there.later(SOON)
        there.peer.faults["show"] = [there.shown(1), (status, BUSY, headers)]

        assert await there.recovering.step() == 0
        assert there.recovering.rest_for == rest
        assert there.peer.asked["show"] == 2
        assert await there.kept() == missed[:1]

        assert await there.recovering.step() == 2
        assert await there.kept() == missed
        assert there.recovering.rest_for == there.recovering.recover.every


async def test_one_delivery_that_github_cannot_show_does_not_stop_those_behind_it(tmp_path):
    async with road(tmp_path) as there:
        first, *others = await there.miss(1, 2, 3)
        there.later(SOON)
        there.peer.faults["show"] = [(502, {"message": "timed out"}, {})]

        assert await there.recovering.step() == 3
        assert await there.kept() == others
        assert there.recovering.error is None
        assert await there.recovering.step() == 1
        assert await there.kept() == [*others, first]


async def test_one_over_which_our_own_door_stumbles_does_not_stop_those_behind_it(tmp_path):
    async with road(tmp_path) as there:
        first, *others = await there.miss(1, 2, 3)
        there.later(SOON)

        async def stumbles(late):
            if late.headers["x-github-delivery"] == first:
                return Rung(status=500, told={})
            return await there.ring(late)

        there.recovering.ring = stumbles
        assert await there.recovering.step() == 3
        assert await there.kept() == others
        assert there.lines.of("recovery.waits")[0]["delivery_id"] == first
        there.recovering.ring = there.ring
        assert await there.recovering.step() == 1


async def test_when_it_shows_none_at_all_the_pass_ends_and_the_next_one_begins_anew(tmp_path):
    async with road(tmp_path) as there:
        missed = await there.miss(*range(1, 7))
        there.later(SOON)
        there.peer.faults["show"] = [(500, {"message": "oops"}, {}) for _ in range(3)]

        assert await there.recovering.step() == 0
        assert there.peer.asked["show"] == 3
        assert "(oops)" in there.recovering.error
        assert await there.recovering.step() == 6
        assert await there.kept() == missed


async def test_a1_a_service_killed_in_the_middle_takes_up_what_is_left_and_nothing_twice(tmp_path):
    async with road(tmp_path) as there:
        missed = await there.miss(*range(1, 8))
        there.later(SOON)
        rung = []

        async def killed(late):
            if len(rung) == 3:
                raise KeyboardInterrupt
            rung.append(await there.ring(late))
            return rung[-1]

        there.recovering.ring = killed
        with pytest.raises(KeyboardInterrupt):
            await there.recovering.step()
        assert await there.kept() == missed[:3]

        again = there.again()
        again.ring = there.ring
        assert await again.step() == 4
        assert await there.kept() == missed


STRANGE = [
    b"",
    b"[" * 100_000,
    b'{"message": "not a list"}',
    b'["text", 7, null, {}]',
    b"\xff\xfe",
    json.dumps([{"id": -1, "guid": "", "delivered_at": "yesterday"}]).encode(),
    json.dumps([{"id": 10**30, "guid": "g", "delivered_at": 7, "status_code": "x"}]).encode(),
    json.dumps(
        [{"id": 1, "guid": "a\nb" * 10_000, "delivered_at": "2026-11-21T12:00:00Z"}]
    ).encode(),
    json.dumps([{"id": 1, "guid": "g", "delivered_at": "2026-11-21T12:00:00"}]).encode(),
    b"[" + b"1," * 5_000_000 + b"1]",
]


@pytest.mark.parametrize("body", STRANGE, ids=range(len(STRANGE)))
@pytest.mark.parametrize("kind", ["hooks", "list", "show"])
async def test_d7_an_answer_that_is_none_is_told_and_the_next_one_counts(tmp_path, kind, body):
    async with road(tmp_path) as there:
        missed = await there.miss(1)
        there.later(SOON)
        there.peer.faults[kind] = [body]

        await there.recovering.step()
        there.later(HOUR)
        await there.recovering.step()
        there.later(HOUR)
        await there.recovering.step()

        assert await there.kept() == missed


async def test_d7_a_redirect_is_not_followed_so_that_the_token_goes_to_nobody_else(tmp_path):
    async with road(tmp_path) as there:
        elsewhere = {"location": f"{there.peer.url}/elsewhere"}
        there.peer.faults["hooks"] = [(301, {"message": "Moved Permanently"}, elsewhere)]

        await there.recovering.step()

        assert there.peer.asked == {"hooks": 1}
        assert "was it renamed" in there.recovering.error


async def test_d7_a_list_that_leads_in_a_circle_ends(tmp_path):
    async with road(tmp_path) as there:
        link = {"link": f'<{there.peer.url}/x?cursor=round>; rel="next"'}
        there.peer.faults["list"] = [(200, [], link) for _ in range(50)]

        assert await there.recovering.step() == 0
        assert there.peer.asked["list"] == 2


async def test_a_hook_that_is_not_there_or_there_twice_is_told_with_what_to_do(tmp_path):
    async with road(tmp_path) as there:
        twin = there.peer.hook("https://doorbell.example.com/hooks/github/")
        await there.recovering.step()
        assert (
            f"{there.hook.id}, {twin.id}; say which it is with `recover: {{hook: ID}}`"
            in there.recovering.error
        )

        there.peer.hooks.clear()
        there.peer.hook("https://doorbell.example.com/hooks/github2")
        there.peer.hook("http://[broken/hooks/github")
        await there.recovering.step()
        assert (
            "none of 2 webhooks there has a URL that ends in /hooks/github"
            in there.recovering.error
        )


async def test_a_hook_that_is_named_is_asked_without_looking_for_it(tmp_path):
    async with road(tmp_path) as there:
        missed = await there.miss(1)
        there.later(SOON)
        named = replace_recovering(there.recovering, source(there.peer, hook=there.hook.id))

        assert await named.step() == 1
        assert await there.kept() == missed
        assert there.peer.asked["hooks"] == 0

        gone = replace_recovering(there.recovering, source(there.peer, hook=7))
        assert await gone.step() == 0
        assert f"404 (Not Found) for the webhooks of {'acme/api'!r}" in gone.error


async def test_a_hook_that_was_switched_off_is_told_because_nothing_comes_of_it(tmp_path):
    async with road(tmp_path) as there:
        there.hook.active = False
        await there.recovering.step()

    assert there.lines.of("recovery.hook_inactive") == [{"source": "github", "hook": there.hook.id}]


async def test_an_organizations_hooks_are_asked_in_their_own_place(tmp_path):
    async with road(tmp_path) as there:
        there.hook.place = "/orgs/acme"
        there.hook.url, ours = DOWN, there.hook.url
        guid = await there.peer.happen("issues", issue(1), "/orgs/acme")
        there.hook.url = ours
        there.later(SOON)
        old = there.recovering.recover
        there.recovering.recover = replace(old, place="/orgs/acme")

        assert await there.recovering.step() == 1
        assert await there.kept() == [guid]


async def test_d6_github_that_nobody_reaches_is_told_and_waited_for(tmp_path):
    async with road(tmp_path) as there:
        old = there.recovering.recover
        there.recovering.recover = replace(old, api="http://127.0.0.1:9")

        assert await there.recovering.step() == 0
        assert "127.0.0.1 can't be reached" in there.recovering.error
        assert there.recovering.standing().recovered == Recovered()


async def test_d6_a_bug_of_ours_is_logged_and_rested_after_and_the_next_pass_comes(tmp_path):
    async with road(tmp_path) as there:
        missed = await there.miss(1)
        there.later(SOON)
        one, stumbled = there.recovering, []

        async def stumbles(late):
            if not stumbled:
                stumbled.append(late)
                raise RuntimeError("a bug")
            return await there.ring(late)

        one.ring, one.recover = stumbles, replace(one.recover, every=timedelta(milliseconds=10))
        working = asyncio.create_task(one.work())
        await there.peer.until("show", 2)
        await there.peer.until("list", 3)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working

        assert there.lines.of("loop.failed") == [{"loop": "recover github"}]
        assert await there.kept() == missed


async def test_d7_a_list_without_an_end_is_read_so_far_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "MAX_PAGES", 2)
    async with road(tmp_path) as there:
        there.peer.page = 1
        missed = await there.miss(1, 2, 3, 4, 5)
        there.later(SOON)

        assert await there.recovering.step() == 3
        assert await there.kept() == missed[2:]
        assert there.lines.of("recovery.cut") == [
            {"source": "github", "hook": there.hook.id, "pages": 2}
        ]


async def test_o3_what_a_pass_did_is_counted_and_told_to_who_counts(tmp_path):
    async with road(tmp_path) as there:
        await there.miss(1, 2)
        there.later(SOON)
        told = []
        there.recovering.tell = lambda source, done: told.append((source, done))

        await there.recovering.step()
        await there.recovering.step()

        assert told == [("github", Recovered(found=2, reinjected=2))]
        assert len(there.lines.of("recovery.pass")) == 1
        assert there.recovering.standing().told() == {
            "source": "github",
            "looked_at": there.peer.clock.isoformat(),
            "error": None,
            "found": 2,
            "reinjected": 2,
            "asked_again": 0,
            "too_old": 0,
            "failed": 0,
        }
