"""`doorbell spend`: what a day cost, by whom, against its caps, and who waits for money."""

import re
from decimal import Decimal

import pytest

from orchestrator.ledger import conversations, reservations, shortfalls
from orchestrator.ledger.caps import Account, Scope
from orchestrator.ledger.shortfalls import Need
from orchestrator.ledger.turns import Charge
from orchestrator.rules.caps import Cap
from tests.support.builders import AT, MODEL, RUN, comment, payer
from tests.support.configurations import RULE, SOUND
from tests.support.installed import Installed
from tests.support.purses import cost, wish
from workflows.messages import RunState

DAY = "2026-11-21"
LIMITS = "usd_per_day: 50\nusd_per_actor_day: 5\n"
MONEY = RULE + "  limits: {usd_per_day: 20, usd_per_actor_day: 3}\n"


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = SOUND | {"rules/triage.yaml": MONEY, "limits.yaml": LIMITS}
    for name, text in files.items():
        path = tmp_path / "doorbell.d" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    there = Installed(tmp_path / "state")
    there.only_kept(comment("evt_1"))
    there.began("evt_1")
    there.write(shortfalls.pays, payer())
    attempt(there, 1, "0.50")
    attempt(there, 2, "0.25", settled="0.10")
    attempt(there, 3, None, settled=None)
    return there


def attempt(there, turn, usd, settled="", run_id=RUN):
    accounts = [
        (Account(scope=scope, rule=rule, actor=actor, day=DAY, zone="UTC"), Cap())
        for scope, rule, actor in (
            (Scope.RULE, "triage", ""),
            (Scope.ACTOR, "", "github:1"),
            (Scope.RULE_ACTOR, "triage", "github:1"),
            (Scope.INSTALLATION, "", ""),
        )
    ]
    there.write(reservations.begin, wish(run_id, cost(usd), *accounts, turn=turn), AT)
    if settled != "":
        charge = Charge(
            usd=None if settled is None else Decimal(settled),
            input_tokens=40,
            output_tokens=2,
            cached_tokens=0,
        )
        there.write(reservations.settle, run_id, turn, 1, charge, "settled")


def test_r5_the_day_as_json_is_all_a_program_needs(there):
    told = there.told("spend", "--day", DAY)

    usd = {"settled": 0.1, "reserved": 0.5, "assumed": 0.0}
    tokens = {"settled": 84, "reserved": 100, "assumed": 0, "cap": None}
    counted = {"tokens": tokens, "attempts": 3, "unpriced": 1}
    assert told["installation"] == {"usd": usd | {"cap": 50.0}} | counted
    assert told["rules"] == [
        {"rule": "triage", "id": "triage", "usd": usd | {"cap": 20.0}} | counted
    ]
    assert told["playbooks"] == [{"playbook": "triage", "usd": usd | {"cap": None}} | counted]
    actor = {"actor": "github:1", "name": "github:ann"}
    assert told["actors"] == [actor | {"usd": usd | {"cap": 5.0}} | counted]
    assert told["rules_by_actor"] == [
        {"rule": "triage"} | actor | {"usd": usd | {"cap": 3.0}} | counted
    ]
    assert (told["day"], told["zone"], told["parked"]) == (DAY, "UTC", [])


def test_r5_people_see_the_same(there):
    said = there.doorbell("spend", "--day", DAY).output

    assert f"{DAY} (UTC), USD" in said
    assert re.search(r"the whole installation +0\.1000 +0\.5000 +0\.0000 +50\.00 +184 +- +1", said)
    assert re.search(r"rule triage, actor github:ann +0\.1000 +0\.5000 +0\.0000 +3\.00", said)
    assert "Unpriced attempts are in no dollar" in said


def test_r5_who_is_parked_for_money_is_named_with_the_reason(there):
    need = Need(model=MODEL, input_tokens=1, kept_long=0, output_tokens=1)
    words = "rule triage: 20.00 USD per day is spent (19.97 settled, next turn up to 0.12)"
    there.write(shortfalls.record, RUN, 4, words, DAY, need, AT)
    there.write(conversations.record, RUN, RunState.PARKED, words, None, AT)

    (parked,) = there.told("spend", "--day", DAY)["parked"]
    assert (parked["run"], parked["reason"], parked["goes_on"]) == (RUN, words, False)
    assert words in there.doorbell("spend", "--day", DAY).output


def test_r5_who_stands_still_for_its_own_budget_since_is_not_said_to_go_on(there):
    need = Need(model=MODEL, input_tokens=1, kept_long=0, output_tokens=1)
    there.write(shortfalls.record, RUN, 4, "the day is spent", DAY, need, AT)
    there.write(shortfalls.release, RUN, 1, AT + 1)
    there.write(conversations.record, RUN, RunState.PARKED, "the day is spent", None, AT)
    (parked,) = there.told("spend", "--day", DAY)["parked"]
    assert parked["goes_on"]
    there.write(conversations.record, RUN, RunState.PARKED, "budget: no usd left", None, AT)

    assert there.told("spend", "--day", DAY)["parked"] == []


def test_r5_what_was_spent_before_the_zone_was_another_is_of_that_day_too(there):
    """The caps count by the moment, and so must what people see."""
    limits = there.path.parent / "doorbell.d" / "limits.yaml"
    limits.write_text(LIMITS + "zone: Europe/Berlin\n")

    told = there.told("spend", "--day", DAY)

    assert (told["zone"], told["installation"]["usd"]["settled"]) == ("Europe/Berlin", 0.1)


def test_r5_another_day_shows_its_own_and_the_caps_of_rules_that_spent_nothing(there):
    told = there.told("spend", "--day", "2026-11-20")

    assert told["installation"]["usd"]["settled"] == 0.0
    assert [(one["rule"], one["usd"]["cap"]) for one in told["rules"]] == [("triage", 20.0)]


def test_r5_without_a_day_it_is_today(there):
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", there.told("spend")["day"])


def test_what_is_no_day_is_refused(there):
    result = there.doorbell("spend", "--day", "yesterday")

    assert result.exit_code == 2
    assert "expected a day such as 2026-11-21, got 'yesterday'" in result.output
