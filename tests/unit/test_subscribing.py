"""Subscribing at an MCP server that isn't ours, over real sockets: asked, proved, rung, refreshed and left."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.errors import Reason
from orchestrator.recovery.indoors import Rung
from orchestrator.signatures.standard_webhooks import sign
from tests.support.event_server import NAME, tickets
from tests.support.subscribed import OLDER, SECRET, blocking, loaded, post, sources


@asynccontextmanager
async def both(directory, **more):
    async with tickets(directory) as desk, post(directory, desk.url, **more) as there:
        yield desk, there


async def test_a_source_is_subscribed_proves_its_door_and_is_rung(tmp_path):
    async with both(tmp_path) as (desk, there):
        assert await there.step() == 1
        row = await there.row()
        (known,) = desk.subscriptions()
        assert (row.id, row.reason, row.troubles) == (known["id"], None, 0)
        assert row.active_until > there.now() + timedelta(hours=20)
        assert row.due_at < row.active_until

        assert await blocking(desk.tell, "T-1", event_id="evt_1") == {
            "delivered": 1,
            "retrying": 0,
            "failed": 0,
        }
        (entry,) = await there.entries()
    assert (entry.delivery_id, entry.type, entry.subject) == ("evt_1", NAME, "T-1")
    assert entry.keys == ("ticket:T-1",)
    assert json.loads(entry.body)["data"] == {"ticket": "T-1", "project": "api"}
    assert there.outcomes() == ["subscribed"]


async def test_only_what_its_arguments_ask_for_comes(tmp_path):
    some = f"[{{name: {NAME}, arguments: {{project: web}}}}]"
    async with both(tmp_path) as (desk, there):
        there.say(sources(there.url, some))
        await there.step()
        await blocking(desk.tell, "T-1", project="api")
        await blocking(desk.tell, "T-2", project="web")
        assert [one.subject for one in await there.entries()] == ["T-2"]


async def test_a_refresh_is_the_same_subscription_with_more_time(tmp_path):
    async with both(tmp_path) as (desk, there):
        await there.step()
        first = await there.row()
        assert await there.step() == 0
        there.later = timedelta(hours=13)
        assert await there.step() == 1
        again = await there.row()
    assert (again.id, again.gaps) == (first.id, 0)
    assert again.refreshed_at > first.refreshed_at
    assert len(desk.asked) == 2
    assert there.outcomes() == ["subscribed", "refreshed"]


async def test_d3_the_same_event_twice_acts_once_whatever_message_it_comes_in(tmp_path):
    event = {"eventId": "evt_1", "name": NAME, "timestamp": "2026-11-21T12:00:00Z", "data": {}}
    async with both(tmp_path) as (desk, there):
        await there.step()
        for message, cursor in (("evt_1", "c1"), ("msg_2", "c2")):
            body = {**event, "cursor": cursor}
            assert await blocking(desk.word, body, message) == 202
        (entry,) = await there.entries()
    assert entry.duplicates == 1


async def test_d1_a_bad_signature_is_refused_by_name_and_an_unknown_subscription_comes_again(
    tmp_path,
):
    body = json.dumps({"type": "verification", "challenge": "give me this"}).encode()
    async with both(tmp_path) as (_desk, there):
        await there.step()
        forged = sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_1", body, datetime.now(UTC))
        ours = {**forged, "x-mcp-subscription-id": (await there.row()).id}
        known = await there.knock(ours, body)
        unknown = await there.knock({**forged, "x-mcp-subscription-id": "sub_other"}, body)
        nameless = await there.knock(forged, body)

        assert (known.status_code, nameless.status_code) == (401, 401)
        assert (unknown.status_code, unknown.headers["retry-after"]) == (503, "5")
        assert b"give me" not in known.content + unknown.content
        assert await there.entries() == []
        refused = [one.reason for one in await there.inbox.refusals(10)]
    assert sorted(refused) == [
        Reason.BAD_SIGNATURE,
        Reason.BAD_SIGNATURE,
        Reason.UNKNOWN_SUBSCRIPTION,
    ]


@pytest.mark.parametrize("minutes", [-6, 6])
async def test_d1_a_delivery_of_another_time_is_refused(tmp_path, minutes):
    async with both(tmp_path) as (_desk, there):
        await there.step()
        (secret, *_) = there.loaded.sources["tickets"].secrets
        body = json.dumps({"eventId": "evt_1", "name": NAME, "data": {}}).encode()
        at = datetime.now(UTC) + timedelta(minutes=minutes)
        told = await there.knock(sign(secret.reveal(), "msg_1", body, at), body)
    assert told.status_code == 401


async def test_a_larger_body_than_its_source_takes_is_refused(tmp_path):
    async with both(tmp_path) as (_desk, there):
        told = await there.knock({}, b"x" * (1024 * 1024 + 1))
    assert told.status_code == 413


async def test_terminated_is_an_event_and_asks_again_from_where_we_were(tmp_path):
    event = {"eventId": "evt_1", "name": NAME, "timestamp": "t", "data": {}, "cursor": "c7"}
    ended = {"type": "terminated", "error": {"code": -32012, "message": "Forbidden"}}
    async with both(tmp_path) as (desk, there):
        await there.step()
        await blocking(desk.word, event, "evt_1")
        assert await blocking(desk.word, ended, "msg_terminated_1") == 202
        row = await there.row()
        assert (row.reason, row.error) == ("terminated", "Forbidden (-32012)")
        assert not row.active(there.now())

        desk.answers = {"cursor": "c8"}
        assert await there.step() == 1
        row = await there.row()
        assert row.active(there.now())
        assert (row.cursor, row.gaps) == ("c8", 0)
        assert [one["cursor"] for one in desk.asked if "cursor" in one][-1] == "c7"
        assert await there.types() == [NAME, "mcp/terminated"]
        word = (await there.entries())[-1]
    assert (word.subject, word.keys) == (NAME, (f"subscription:{row.mark}",))
    assert there.outcomes() == ["subscribed", "terminated", "subscribed"]


async def test_a_server_that_ends_it_again_and_again_is_asked_more_and_more_rarely(tmp_path):
    ended = {"type": "terminated", "error": {"code": 1, "message": "no"}}
    waits = []
    async with both(tmp_path) as (desk, there):
        await there.step()
        for round_ in range(4):
            assert await blocking(desk.word, ended, f"msg_{round_}") == 202
            row = await there.row()
            waits.append(row.due_at - row.active_until)
            there.later += waits[-1] + timedelta(seconds=1)
            await there.step()
        assert waits[0] == timedelta()
        assert waits[1] < waits[2] < waits[3]
        there.later += timedelta(hours=13)
        await there.step()
        assert (await there.row()).troubles == 0


async def test_a_gap_is_an_event_with_its_cursor_and_is_counted(tmp_path):
    async with both(tmp_path) as (desk, there):
        await there.step()
        assert await blocking(desk.word, {"type": "gap", "cursor": "c9"}, "msg_gap_1") == 202
        row = await there.row()
        there.later = timedelta(hours=13)
        await there.step()
        assert await there.types() == ["mcp/gap"]
    assert (row.gaps, row.cursor) == (1, "c9")
    assert desk.asked[-1]["cursor"] == "c9"
    assert "gap" in there.outcomes()
    assert "subscription.gap" in there.log.said


async def test_what_expired_while_nobody_was_there_is_asked_again_and_told_as_a_gap(tmp_path):
    async with both(tmp_path) as (desk, there):
        await there.step()
        desk.end()
        there.later = timedelta(days=2)
        desk.events.clock = lambda: there.now().timestamp()
        await there.step()
        row, (gap,) = await there.row(), await there.entries()
        assert row.active(there.now())
    assert (gap.type, gap.subject, row.gaps) == ("mcp/gap", NAME, 1)
    assert json.loads(gap.body)["reason"] == "lapsed"


async def test_a_server_that_says_it_skipped_events_is_told_as_a_gap(tmp_path):
    async with both(tmp_path) as (desk, there):
        await there.step()
        desk.answers = {"truncated": True, "cursor": "c3"}
        there.later = timedelta(hours=13)
        await there.step()
        (gap,) = await there.entries()
    assert json.loads(gap.body)["reason"] == "truncated"
    assert json.loads(gap.body)["cursor"] == "c3"


async def test_what_is_no_longer_wanted_is_unsubscribed(tmp_path):
    async with both(tmp_path) as (desk, there):
        await there.step()
        there.say(sources(there.url, f"[{{name: {NAME}, arguments: {{project: web}}}}]"))
        assert await there.step() == 2
        (left,) = desk.subscriptions()
        assert left["arguments"] == {"project": "web"}
        there.say("{}")
        await there.step()
        assert (await there.rows(), desk.subscriptions()) == ([], [])
    assert there.outcomes().count("unsubscribed") == 2


async def test_a_mistake_in_the_file_or_an_unset_secret_ends_nothing(tmp_path):
    async with both(tmp_path) as (desk, there):
        await there.step()
        there.say(sources(there.url).replace("events:", "event:"))
        await there.step()
        there.say(sources(there.url), environment={})
        await there.step()
        assert len(desk.subscriptions()) == 1
        assert len(await there.rows()) == 1
    assert desk.left == []


async def test_a_new_secret_is_told_to_the_server_and_the_old_one_still_opens(tmp_path):
    two = "[env:TICKETS, env:TICKETS_OLD]"
    async with both(tmp_path) as (desk, there):
        there.say(sources(there.url, secrets="env:TICKETS_OLD"))
        await there.step()
        before = desk.asked[-1]["delivery"]["secret"]
        there.say(sources(there.url, secrets=two))
        await blocking(desk.tell, "T-1")
        assert await there.step() == 1
        after = desk.asked[-1]["delivery"]["secret"]
        await blocking(desk.tell, "T-2")
        assert [one.subject for one in await there.entries()] == ["T-1", "T-2"]
    assert before != after
    assert not {before, after} & {SECRET, OLDER}


async def test_two_events_of_one_server_have_secrets_of_their_own(tmp_path):
    several = f"[{{name: {NAME}}}, {{name: {NAME}, arguments: {{project: web}}}}]"
    async with both(tmp_path) as (desk, there):
        there.say(sources(there.url, several))
        assert await there.step() == 2
        secrets = {one["delivery"]["secret"] for one in desk.asked}
        assert len(secrets) == 2
        await blocking(desk.tell, "T-1", project="web")
        (entry,) = await there.entries()
    assert entry.duplicates == 1


def test_the_secrets_are_the_same_on_every_doorbell_and_another_for_every_source_and_url():
    def of(text):
        return [
            one.reveal()
            for one in loaded(text, "http://crm.example/mcp").sources.popitem()[1].secrets
        ]

    here = sources("https://a.example/hooks/tickets")
    assert of(here) == of(here)
    assert of(here) != of(here.replace("https://a.", "https://b."))
    assert of(here) != of(
        here.replace("tickets:", "cases:", 1).replace("/hooks/tickets", "/hooks/cases")
    )


async def test_s1_of_two_doorbells_one_asks_and_both_know_whose_deliveries_are_ours(tmp_path):
    async with both(tmp_path) as (desk, there), post(tmp_path, desk.url) as other:
        other.say(sources(there.url))
        did = await asyncio.gather(there.step(), other.step())
        await asyncio.gather(there.step(), other.step())
        assert (sum(did), len(desk.asked)) == (1, 1)
        row = await there.row()
        for one in (there, other):
            assert one.loaded.sources["tickets"].scheme.known == {row.id}
        there.later = other.later = timedelta(hours=13)
        await asyncio.gather(there.step(), other.step())
    assert len(desk.asked) == 2


async def test_a_doorbell_with_an_older_configuration_ends_nothing_of_a_newer_one(tmp_path):
    both_events = f"[{{name: {NAME}}}, {{name: {NAME}, arguments: {{project: web}}}}]"
    async with both(tmp_path) as (desk, old), post(tmp_path, desk.url) as new:
        await old.step()
        new.say(sources(old.url, both_events))
        await new.step()
        await old.step()
        assert len(desk.subscriptions()) == 2
        new.later = old.later = timedelta(hours=13)
        assert await old.step() == 1
        assert await new.step() == 1
    assert desk.left == []


async def test_d2_a_gap_that_our_own_door_can_not_keep_is_told_later(tmp_path):
    async with both(tmp_path) as (desk, there):
        await there.step()
        ring, rung = there.subscribing.ring, []

        async def refused(late):
            rung.append(late)
            return Rung(status=503, told={})

        there.subscribing.ring = refused
        desk.answers = {"truncated": True, "cursor": "c3"}
        there.later = timedelta(hours=13)
        await there.step()
        row = await there.row()
        assert (row.cursor, row.troubles, row.gaps) == (None, 1, 0)
        there.subscribing.ring = ring
        there.later += timedelta(minutes=1)
        await there.step()
        assert await there.types() == ["mcp/gap"]
        assert ((await there.row()).gaps, len(rung)) == (1, 1)


async def test_a_server_that_moved_is_subscribed_anew_without_the_other_ones_cursor(tmp_path):
    (tmp_path / "new").mkdir()
    async with both(tmp_path) as (desk, there), tickets(tmp_path / "new") as moved:
        desk.answers = {"cursor": "c1"}
        await there.step()
        there.say(sources(there.url), server=moved.url)
        await there.step()
        assert (len(moved.subscriptions()), moved.asked[0].get("cursor")) == (1, None)
        assert (await there.row()).gaps == 0


async def test_what_is_left_at_a_server_that_is_gone_is_left_to_expire(tmp_path):
    async with both(tmp_path) as (_desk, there):
        await there.step()
        there.say("{}", server="")
        await there.step()
        assert await there.rows() == []
    assert there.outcomes() == ["subscribed", "left"]


async def test_a_server_that_is_named_and_not_there_is_told_and_found_once_it_is(tmp_path):
    async with both(tmp_path) as (desk, there):
        there.say(sources(there.url), server="")
        await there.step()
        row = await there.row()
        assert (row.reason, row.troubles) == ("no_server", 1)
        assert there.told == [("tickets", "failed", "no_server")]
        there.say(sources(there.url), server=desk.url)
        await there.step()
        assert (await there.row()).active(there.now())


async def test_what_can_not_be_ended_is_tried_again_and_then_left(tmp_path):
    async with both(tmp_path) as (desk, there):
        await there.step()
        there.say("{}", server="http://127.0.0.1:9/mcp")
        # Where it is now is not where it was granted: nobody there knows it.
        await there.step()
        assert await there.rows() == []
        assert len(desk.subscriptions()) == 1
