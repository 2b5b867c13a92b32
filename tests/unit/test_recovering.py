"""What GitHub delivered while we were down comes after all, once, through the ordinary door."""

from datetime import timedelta

from orchestrator.inbox.inbox import EntryState
from orchestrator.recovery.gaps import Recovered
from tests.support.recovery import DOWN, HOUR, issue, road, without_bytes

SOON = timedelta(minutes=2)


async def test_d2_after_an_outage_exactly_what_was_missed_comes_and_the_second_time_nothing(
    tmp_path,
):
    async with road(tmp_path) as there:
        first = await there.peer.happen("issues", issue(1))
        missed = await there.miss(*range(2, 9))
        there.later(SOON)

        assert await there.recovering.step() == 7
        assert await there.kept() == [first, *missed]
        assert there.recovering.total == Recovered(found=7, reinjected=7)

        asked = there.peer.asked.copy()
        assert await there.recovering.step() == 0
        assert await there.again().step() == 0
        assert there.peer.asked["show"] == asked["show"] == 7
        assert await there.inbox.head() == 8


async def test_d1_what_comes_after_all_was_verified_and_read_like_any_other_and_says_when_it_was_sent(
    tmp_path,
):
    async with road(tmp_path) as there:
        (guid,) = await there.miss(7)
        sent_at = there.peer.clock
        there.later(HOUR)
        await there.recovering.step()

        (entry,) = await there.inbox.find(guid)

    assert (entry.type, entry.subject, entry.state) == (
        "issues.opened",
        "acme/api#7",
        EntryState.RECEIVED,
    )
    assert entry.received_at == sent_at + HOUR
    assert entry.headers["doorbell-delivered-at"] == sent_at.isoformat()
    assert entry.body == there.peer.write(issue(7))
    assert [line["outcome"] for line in there.lines.of("delivery")] == ["accepted"]


async def test_d3_an_age_that_is_claimed_from_outside_is_not_let_in(tmp_path):
    async with road(tmp_path) as there:
        there.peer.extra = {"doorbell-delivered-at": "2020-01-01T00:00:00+00:00"}
        guid = await there.peer.happen("issues", issue(7))

        (entry,) = await there.inbox.find(guid)

    assert "doorbell-delivered-at" not in entry.headers


async def test_pages_are_followed_by_their_cursor_to_the_end(tmp_path):
    async with road(tmp_path) as there:
        there.peer.page = 3
        missed = await there.miss(*range(1, 9))
        there.later(SOON)

        assert await there.recovering.step() == 8
        assert await there.kept() == missed
        assert there.peer.asked["list"] == 3


async def test_a_later_pass_looks_back_no_further_than_the_one_before(tmp_path):
    async with road(tmp_path) as there:
        there.peer.page = 2
        await there.miss(*range(1, 9))
        there.later(HOUR)
        await there.recovering.step()
        listed = there.peer.asked["list"]
        (guid,) = await there.miss(9)
        there.later(SOON)

        assert await there.recovering.step() == 1
        assert (await there.kept())[-1] == guid
        assert there.peer.asked["list"] - listed == 1


async def test_what_github_may_still_be_delivering_is_left_alone(tmp_path):
    async with road(tmp_path) as there:
        missed = await there.miss(1)

        there.later(timedelta(seconds=59))
        assert await there.recovering.step() == 0
        there.later(timedelta(seconds=1))
        assert await there.recovering.step() == 1
        assert await there.kept() == missed


async def test_what_somebody_acknowledged_before_this_inbox_began_is_another_inboxs(tmp_path):
    async with road(tmp_path) as there:
        await acknowledged_elsewhere(there, tmp_path / "old", 1)
        failed = await there.miss(2)
        there.later(SOON)

        assert await there.recovering.step() == 1
        assert await there.kept() == failed


async def test_what_an_inbox_lost_that_was_restored_from_yesterday_comes_back(tmp_path):
    async with road(tmp_path) as there:
        kept = await there.peer.happen("issues", issue(1))
        there.later(HOUR)
        lost = await acknowledged_elsewhere(there, tmp_path / "lost", 2)
        there.later(SOON)

        assert await there.recovering.step() == 1
        assert await there.kept() == [kept, lost]


async def acknowledged_elsewhere(there, directory, number):
    directory.mkdir()
    async with road(directory) as other:
        there.hook.url, ours = other.hook.url, there.hook.url
        guid = await there.peer.happen("issues", issue(number))
        there.hook.url = ours
    return guid


async def test_the_oldest_is_rung_first_and_a_redelivery_is_no_second_event(tmp_path):
    async with road(tmp_path) as there:
        missed = await there.miss(1, 2, 3)
        there.later(SOON)
        await there.miss_again(missed[1], 2)
        there.later(SOON)

        assert await there.recovering.step() == 3
        assert await there.kept() == missed


async def test_a_redelivery_of_something_old_is_as_old_as_its_first_attempt(tmp_path):
    async with road(tmp_path) as there:
        (guid,) = await there.miss(1)
        sent_at = there.peer.clock
        there.recovering.looked_at = there.peer.clock + HOUR
        there.later(3 * HOUR)
        await there.miss_again(guid, 1)
        there.later(SOON)

        assert await there.recovering.step() == 1
        (entry,) = await there.inbox.find(guid)

    assert entry.headers["doorbell-delivered-at"] == sent_at.isoformat()


async def test_d3_the_same_bytes_under_another_guid_are_no_gap_and_are_not_fetched_again(tmp_path):
    async with road(tmp_path) as there:
        await there.peer.happen("issues", issue(1))
        await there.miss(1)
        there.later(SOON)

        assert await there.recovering.step() == 0
        assert await there.recovering.step() == 0
        assert there.peer.asked["show"] == 1
        assert await there.inbox.head() == 1


async def test_what_is_older_than_catch_up_is_kept_and_counted_as_too_old(tmp_path):
    async with road(tmp_path, catch_up=HOUR) as there:
        await there.miss(1)
        there.later(2 * HOUR)
        await there.miss(2)
        there.later(SOON)

        await there.recovering.step()

        assert there.recovering.total == Recovered(found=2, reinjected=1, too_old=1)
        assert await there.inbox.head() == 2


async def test_what_cannot_be_rebuilt_is_asked_for_again_and_comes_by_the_front_door(tmp_path):
    async with road(tmp_path) as there:
        there.peer.write = without_bytes
        missed = await there.miss(1)
        there.later(SOON)

        assert await there.recovering.step() == 1
        assert there.recovering.total == Recovered(found=1, asked_again=1)
        assert await there.kept() == missed
        assert await there.recovering.step() == 0


async def test_github_is_asked_again_three_times_half_an_hour_apart_and_then_it_is_given_up(
    tmp_path,
):
    async with road(tmp_path) as there:
        there.peer.write = without_bytes
        await there.miss(1)
        there.hook.url = DOWN
        for _ in range(20):
            there.later(timedelta(minutes=10))
            await there.again().step()
            await there.recovering.step()

        assert there.peer.asked["again"] == 3
        assert there.recovering.total.failed == 1
        (line,) = [line for line in there.lines.of("recovery.failed") if "delivery_id" in line][:1]
        assert "redeliver it at GitHub" in line["reason"]


async def test_what_cannot_be_rebuilt_and_is_older_than_catch_up_is_not_asked_for(tmp_path):
    async with road(tmp_path, catch_up=HOUR) as there:
        there.peer.write = without_bytes
        await there.miss(1)
        there.later(2 * HOUR)

        await there.recovering.step()

        assert there.peer.asked["again"] == 0
        assert there.recovering.total == Recovered(found=1, too_old=1)
        assert await there.recovering.step() == 0


async def test_what_our_door_refuses_is_told_once_and_not_asked_for(tmp_path):
    async with road(tmp_path) as there:
        there.hook.url, ours = DOWN, there.hook.url
        await there.peer.happen("issues", {"action": "opened", "sender": {"id": 1}})
        there.hook.url = ours
        there.later(SOON)

        assert await there.recovering.step() == 1
        assert await there.recovering.step() == 0
        assert there.recovering.total == Recovered(found=1, failed=1)
        assert there.peer.asked["again"] == 0


async def test_d5_while_our_door_defers_what_was_missed_waits_and_nothing_is_lost(tmp_path):
    async with road(tmp_path) as there:
        missed = await there.miss(1, 2)
        there.later(SOON)
        there.limit[0] = 0

        assert await there.recovering.step() == 0
        assert "our own door answered 503" in there.recovering.error
        there.limit[0] = None
        assert await there.recovering.step() == 2
        assert await there.kept() == missed
        assert there.recovering.error is None


async def test_a_form_hook_and_an_old_secret_are_rebuilt_too(tmp_path):
    async with road(tmp_path) as there:
        there.hook.content_type = "form"
        missed = await there.miss(1)
        there.later(SOON)

        await there.recovering.step()

        assert await there.kept() == missed
        assert there.recovering.total == Recovered(found=1, reinjected=1)
