"""A tick as a delivery: what it says, that it is the same however often it rings, and which rule hears it."""

import json
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from orchestrator.dispatch.decide import decide
from orchestrator.dispatch.late import too_late
from orchestrator.errors import Malformed, Refused
from orchestrator.events import Event
from orchestrator.inbox.inbox import Action, event_of
from orchestrator.rules.rule import Trust
from orchestrator.rules.rulebook import Rulebook
from orchestrator.rules.trust import guards, is_known
from orchestrator.schedules.ringing import Ringing
from orchestrator.secrets import Secret
from orchestrator.sources.schedule import ScheduleDialect, schedule_source, tick
from tests.support.builders import inbox_at, known, rule
from tests.support.clocks import SECRET, now, ringing, scheduled
from workflows.tick import Clock, Due

NOW = datetime(2026, 11, 23, 6, 0, 1, tzinfo=UTC)
DUE = datetime(2026, 11, 23, 6, tzinfo=UTC)


def rung(rule_id="nightly", zone="Europe/Berlin", now=NOW):
    return tick(
        SECRET,
        now,
        rule=rule_id,
        cron="0 7 * * *",
        zone=zone,
        scheduled_for=DUE,
        previous=DUE - timedelta(days=1),
    )


def event(rule_id="nightly"):
    signed = rung(rule_id)
    reading = ScheduleDialect().read(signed.headers, signed.body)
    return Event(
        id="evt_1",
        source="schedule",
        delivery_id=reading.delivery_id,
        type=reading.type,
        subject=reading.subject,
        actor=reading.actor,
        keys=reading.keys,
        received_at=NOW,
        headers=signed.headers,
        data=reading.data,
    )


def test_a_tick_says_whose_it_is_for_when_and_since_when():
    signed = rung()
    reading = ScheduleDialect().read(signed.headers, signed.body)

    assert (reading.type, reading.subject, reading.actor) == ("tick.nightly", "nightly", None)
    assert reading.keys == ("schedule:nightly",)
    assert reading.delivery_id == "nightly@2026-11-23T06:00:00+00:00"
    assert reading.data == {
        "rule": "nightly",
        "cron": "0 7 * * *",
        "zone": "Europe/Berlin",
        "scheduled_for": "2026-11-23T06:00:00+00:00",
        "previous": "2026-11-22T06:00:00+00:00",
    }


def test_d3_the_same_tick_is_the_same_delivery_whatever_its_file_says_by_now():
    first, second = rung(), rung(zone="UTC", now=NOW + timedelta(minutes=3))
    read = ScheduleDialect().read

    assert first.body != second.body
    assert read(first.headers, first.body).lasting == read(second.headers, second.body).lasting


def test_d1_only_who_has_the_secret_of_the_state_directory_can_tick():
    source, signed = schedule_source(Secret("file:s", SECRET)), rung()
    verify, secrets = source.scheme.verify, [SECRET.encode()]

    verify(signed.headers, signed.body, secrets, NOW)
    with pytest.raises(Refused):
        verify(signed.headers, signed.body.replace(b"nightly", b"hourly!"), secrets, NOW)
    with pytest.raises(Refused):
        verify(signed.headers, signed.body, [b"whsec_" + b"A" * 32], NOW)
    with pytest.raises(Refused):
        verify(signed.headers, signed.body, [], NOW)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"rule": 7}', b'{"rule": ""}'])
def test_what_names_no_rule_is_no_tick(body):
    with pytest.raises(Malformed):
        ScheduleDialect().read({"webhook-id": "x"}, body)


def test_a_tick_without_an_id_is_none():
    with pytest.raises(Malformed):
        ScheduleDialect().read({}, json.dumps({"rule": "nightly"}).encode())


def test_only_the_rule_named_is_asked_however_wide_the_globs_of_others_are():
    wide = [rule("all", on=("*/*",)), rule("any", on=("*",)), rule("s", on=("sched*/tick.*",))]
    book = Rulebook([scheduled("nightly"), scheduled("weekly"), *wide])

    assert [one.rule.name for one in book.concerned("schedule", "tick.nightly")] == ["nightly"]
    assert [one.rule.name for one in book.concerned("schedule", "tick.weekly")] == ["weekly"]
    assert list(book.concerned("schedule", "tick.gone")) == []


def test_r1_a_tick_of_a_rule_that_is_gone_starts_nothing_and_says_why():
    (decision,) = decide(event("gone"), 1, known(scheduled("nightly"), rule("last", backstop=True)))

    assert (decision.action, decision.reason) == (Action.IGNORE, "no match: on (2 rules)")


def test_two_rules_with_schedules_do_not_wake_each_other():
    both = known(scheduled("nightly"), scheduled("weekly"))

    for name in ("nightly", "weekly"):
        acted = [one for one in decide(event(name), 1, both) if one.action is Action.START]
        assert [one.rule for one in acted] == [name]


def test_guards_against_strangers_do_not_shut_out_the_clock():
    trusts = [
        Trust(associations=frozenset({"OWNER"})),
        Trust(allow=frozenset({"ann"})),
        Trust(deny=frozenset({"ann"})),
    ]
    for trust, own in product(trusts, (frozenset(), frozenset({"bot"}))):
        assert guards(scheduled("nightly", trust=trust), event(), own) == ()
        assert is_known(trust, event())


async def test_a_tick_that_waited_over_an_hour_for_its_service_is_kept_and_starts_nothing(tmp_path):
    ticks = {
        minutes: Due(
            clock=Clock(rule="nightly", cron="0 7 * * *", zone="Europe/Berlin", form=1),
            scheduled_for=DUE.isoformat(),
            rang_at=(now() - timedelta(minutes=minutes)).isoformat(),
        )
        for minutes in (50, 70)
    }
    for minutes, due in ticks.items():
        (tmp_path / str(minutes)).mkdir()
        with inbox_at(tmp_path / str(minutes)) as inbox:
            async with ringing(inbox) as door:
                kept = await Ringing(door, SECRET, now).ring(due)
            entry = await inbox.entry(kept.event)
        late = too_late(event_of(entry, {}), schedule_source().catch_up)

        assert (late is None) is (minutes == 50)
        assert late is None or late.startswith("came 2 hours late: older than catch_up 1 hour")
