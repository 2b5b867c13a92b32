"""R4: a chain of runs is known by the markers it repeats and by bots that answer at once, and it ends."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.dispatch import causes as finding
from orchestrator.dispatch.decide import decide
from orchestrator.dispatch.ours import ours_because
from orchestrator.events import Actor
from orchestrator.inbox.inbox import Action
from orchestrator.ledger import causes, conversations, own_actors
from orchestrator.ledger.causes import Cause, Writing
from orchestrator.rules.rule import Trust
from tests.support.builders import (
    AT,
    MARK,
    NOW,
    RUN,
    WORKFLOW,
    comment,
    event,
    github,
    known,
    ledger_at,
    opening,
    rule,
)
from tests.support.github import delivery
from tests.support.roads import decided, road_at

SUBJECT = "acme/api#7"
FOREIGN = "ffffffffffff.9"
BOT = Actor(id="9", login="other[bot]", bot=True)
NOBODY = frozenset()


def marker(run_id=RUN, hops=0):
    return f"<!-- doorbell:{run_id}.3.{hops} -->"


def says(text, **changes):
    data = {"action": "created", "issue": {"number": 7}, "comment": {"body": text}}
    return event(**{"data": data, "subject": SUBJECT} | changes)


@pytest.fixture
def road(tmp_path):
    with road_at(tmp_path) as made:
        yield made


async def ran(road, event_id="evt_0"):
    """A conversation of ours, opened by that event."""
    begun = opening(event_id=event_id)
    found = await road.ledger.write(conversations.begin, begun, AT)
    assert found.run_id == RUN
    return found.run_id


async def wrote(road, run_id=RUN, at=AT, subject=f"github:{SUBJECT}", call="1.0", most=20):
    writing = Writing(run_id=run_id, call_id=call, subject=subject)
    return await road.ledger.write(causes.may_write, writing, most, at - 86_400, at)


async def cause(road, happened):
    return await finding.caused(road.dispatcher, happened, NOBODY)


async def test_r4_most_events_have_no_cause_of_ours(road):
    assert await cause(road, event()) == finding.Caused()


async def test_r4_a_text_that_repeats_our_marker_is_one_hop_further(road):
    await ran(road)
    found = await cause(road, says(f"> {marker(hops=1)}\n\nI agree.", id="evt_9"))

    assert found.cause == Cause(hops=2, chain=f"run {RUN} -> event evt_9")
    assert found.foreign == NOBODY


async def test_r4_a_marker_that_somebody_edited_down_does_not_shorten_the_chain(road):
    await ran(road)
    await road.ledger.write(causes.found, "evt_0", Cause(hops=3, chain="run a -> event evt_0"), AT)
    found = await cause(road, says(f"{marker(hops=0)} it says", id="evt_9"))

    assert found.cause.hops == 4
    assert found.cause.chain == f"run a -> event evt_0 -> run {RUN} -> event evt_9"


async def test_r4_what_another_installation_signed_is_not_ours_and_carries_its_hops_on(road):
    happened = says(f"Done.\n\n{marker(FOREIGN, hops=2)}")
    found = await cause(road, happened)

    assert found.foreign == {FOREIGN}
    assert found.cause.hops == 3
    assert ours_because(happened, NOBODY, found.foreign) is None
    assert ours_because(happened, NOBODY) is not None


@pytest.mark.parametrize("name", ["push", "deployment_status.created", "workflow_run.completed"])
def test_r4_where_an_event_has_no_number_writes_are_counted_on_its_repository(name):
    """Each round of a loop has a new commit, deployment or workflow run, and no text that could carry a marker."""
    data = delivery(name)
    rang = github("evt_1", name.partition(".")[0], data)

    assert rang.subject == data["repository"]["full_name"]


async def test_r4_a_bot_that_answers_at_once_on_the_same_subject_continues_the_chain(road):
    await ran(road)
    await wrote(road)
    soon = NOW + timedelta(minutes=1)

    assert (await cause(road, says("ok", actor=BOT, received_at=soon))).cause.hops == 1
    assert (await cause(road, says("ok", received_at=soon))).cause.hops == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"received_at": NOW + timedelta(hours=1)},
        {"received_at": NOW - timedelta(seconds=1)},
        {"subject": "acme/api#8"},
        {"subject": None},
        {"source": "other"},
    ],
)
async def test_r4_a_bot_elsewhere_or_at_another_time_does_not(road, changes):
    await ran(road)
    await wrote(road)

    assert (await cause(road, says("ok", actor=BOT, **changes))).cause == Cause()


async def test_r4_what_was_found_out_first_stays(road):
    await ran(road)
    happened = says(f"{marker(hops=1)} said it")
    first = await cause(road, happened)
    await road.ledger.write(causes.found, "evt_0", Cause(hops=3, chain="longer"), AT)

    assert await cause(road, happened) == first


@pytest.mark.parametrize(("hops", "action"), [(3, Action.START), (4, Action.IGNORE)])
def test_r4_further_than_the_rule_allows_nothing_starts_and_the_chain_is_told(hops, action):
    found = decide(event(), 1, known(rule(), hops=hops, chain="run a -> event b"))[0]

    assert found.action is action
    if action is Action.IGNORE:
        assert found.reason == "loop: 4 hops, at most 3: run a -> event b"
        assert (found.trace[-1].path, found.trace[-1].actual) == ("trust.max_hops", 4)


def test_r4_a_rule_may_forbid_every_echo():
    trust = Trust(max_hops=0)

    assert decide(event(), 1, known(rule(trust=trust), hops=1))[0].action is Action.IGNORE
    assert decide(event(), 1, known(rule(trust=trust)))[0].action is Action.START


@pytest.mark.parametrize("text", [MARK, marker(), f"Hello\n\n{marker(hops=12)}\n\n"])
def test_r4_markers_of_every_age_are_ours(text):
    assert ours_because(says(text), NOBODY) == f"our own write: it ends in the marker of run {RUN}"


@pytest.mark.parametrize("text", [f"> {marker()}", f"see {marker()}", f"{marker()}\nmine", "x"])
def test_r4_a_marker_that_is_quoted_is_somebody_elses_word(text):
    assert ours_because(says(text), NOBODY) is None


async def test_r4_a_chain_is_told_by_the_dispatcher_and_the_skip_is_a_decision(road):
    await ran(road)
    await road.keep(comment("e1", text=f"{marker(hops=3)} I heard you", login="ann"))
    await road.dispatcher.decide_some()

    (found,) = await decided(road, "e1")
    assert (found.action, found.reason) == (
        Action.IGNORE,
        f"loop: 4 hops, at most 3: run {RUN} -> event e1",
    )


async def test_r4_no_more_writes_on_a_subject_than_allowed_whoever_makes_them(road):
    assert [await wrote(road, f"r{n}", call="1.0", most=3) for n in range(5)] == [
        None,
        None,
        None,
        3,
        3,
    ]
    assert await wrote(road, "r9", subject="github:acme/api#8", most=3) is None


async def test_r4_a_write_that_is_tried_again_is_counted_once(road):
    assert [await wrote(road, most=1) for _ in range(3)] == [None, None, None]
    assert await wrote(road, call="2.0", most=1) == 1


async def test_r4_a_day_later_there_is_room_again(road):
    await wrote(road, most=1)

    assert await wrote(road, "r2", at=AT + 86_399, most=1) == 1
    assert await wrote(road, "r2", at=AT + 86_401, most=1) is None


async def test_r4_own_actors_that_a_server_told_are_those_of_its_sources_alone(tmp_path):
    with ledger_at(tmp_path) as ledger:
        await ledger.write(own_actors.learned, ["github"], "hands", ["41", "our-bot"], AT)

        assert await ledger.read(own_actors.of_source, "github") == {"41", "our-bot"}
        assert await ledger.read(own_actors.of_source, "billing") == NOBODY


async def test_r4_a_new_credential_does_not_make_us_forget_the_old_one(tmp_path):
    with ledger_at(tmp_path) as ledger:
        for names in (["1", "old"], ["2", "new"], ["2", "new"]):
            await ledger.write(own_actors.learned, ["github"], "hands", names, AT)

        assert await ledger.read(own_actors.of_source, "github") == {"1", "old", "2", "new"}


async def test_r4_the_dispatcher_knows_at_once_what_a_worker_learned(road):
    await road.ledger.write(own_actors.learned, ["github"], "hands", ["Learned-Bot"], AT)
    await road.keep(comment("e1", login="learned-bot"))
    await road.dispatcher.decide_some()

    assert {one.action for one in await decided(road, "e1")} == {Action.IGNORE}


def test_a_subject_is_told_apart_by_its_sender():
    assert causes.subject_of("a", "x") != causes.subject_of("b", "x")
    assert replace(Cause(), hops=1).chain == ""
    assert WORKFLOW


async def test_r4_our_own_doing_has_its_cause_for_rules_that_ask_for_it(road):
    """Known by the marker, and where nobody shows it by who did it, so soon after the write."""
    await ran(road)
    await wrote(road)
    soon = NOW + timedelta(minutes=1)
    marked = says(f"Done.\n\n{marker(hops=1)}", id="evt_8")
    own = Actor(id="41", login="ann")
    named = says("Done.", id="evt_9", actor=own, received_at=soon)

    assert (await cause(road, marked)).cause.hops == 2
    assert (await cause(road, named)).cause.hops == 0
    led = await finding.caused(road.dispatcher, replace(named, id="evt_10"), frozenset({"41"}))
    assert led.cause == Cause(hops=1, chain=f"run {RUN} -> event evt_10")


def test_r4_a_rule_that_asks_for_our_own_doings_is_held_to_its_hops():
    asking, ours = rule(trust=Trust(ignore_self=False)), says(MARK)

    assert decide(ours, 1, known(asking, hops=3))[0].action is Action.START
    assert decide(ours, 1, known(asking, hops=4, chain="run a"))[0].reason.startswith("loop: 4")


async def test_r4_who_wrote_last_on_a_subject_is_told_the_newest_first(road):
    for number in range(4):
        await wrote(road, f"r{number}", at=AT + number)
    await wrote(road, "r1", at=AT + 9, call="2.0")
    await wrote(road, "elsewhere", subject="github:acme/api#8")

    found = await road.ledger.read(causes.writers, f"github:{SUBJECT}", AT, 2)
    assert found == ["r1", "r3"]
    assert await road.ledger.read(causes.writers, f"github:{SUBJECT}", AT + 2, 9) == ["r1", "r3"]
