"""R5: what held a rule's runs holds them when the rule is gone from the files or broken there."""

from decimal import Decimal

import pytest

from orchestrator.configuration.bounds import Bounds, bounds_of
from orchestrator.rules.caps import Cap, Caps
from orchestrator.rules.limits import Limits
from tests.support.builders import configuration, kept_rules, ledger_at, rule

LIMITED = """
triage:
  on: github/issues.opened
  run: triage
  limits: {usd_per_day: 1, concurrent: 2, on_over_budget: fail}
"""
LOOSER = LIMITED.replace("usd_per_day: 1", "usd_per_day: 5")
GONE = "other: {on: github/push, run: other}"


@pytest.fixture
def ledger(tmp_path):
    with ledger_at(tmp_path) as made:
        yield made


async def bounds(ledger, *texts, rule_id="triage"):
    """The bounds of a rule that isn't in force, after these files were in force, one after the other."""
    await kept_rules(ledger, *texts)
    return await bounds_of(ledger, configuration(), rule_id)


async def test_r5_a_rule_in_force_has_the_bounds_of_its_file(ledger):
    await kept_rules(ledger, LIMITED)
    caps = Caps(day=Cap(tokens=7))
    one = rule(caps=caps, limits=Limits(concurrent=3))

    assert await bounds_of(ledger, configuration(one), "triage") == Bounds(caps=caps, concurrent=3)
    free = await bounds_of(ledger, configuration(rule()), "triage")
    assert free == Bounds(), "its limits were lifted"


@pytest.mark.parametrize("now", [GONE, LIMITED.replace("triage:", "sorting:"), "triage: [", ""])
async def test_r5_a_rule_that_left_the_files_has_those_that_it_had_last(ledger, now):
    found = await bounds(ledger, LOOSER, LIMITED, now)

    assert found.concurrent == 2
    assert found.caps.day == Cap(usd=Decimal(1))
    assert found.caps.over == "fail"


async def test_r5_a_rule_that_is_broken_has_those_that_stand_there_where_they_can_be_read(ledger):
    broken = LIMITED.replace("on:", "onn:").replace("concurrent: 2", "concurrent: 1")

    assert (await bounds(ledger, LIMITED, broken)).concurrent == 1
    unread = broken.replace("concurrent:", "concurent:")
    assert (await bounds(ledger, unread)).concurrent == 1


async def test_r5_a_rule_is_found_by_its_id_whatever_it_was_called(ledger):
    named = LIMITED.replace("triage:\n", "sorting:\n  id: triage\n")

    assert (await bounds(ledger, named, GONE)).concurrent == 2
    assert await bounds(ledger, rule_id="sorting") == Bounds()


async def test_a_cause_of_our_own_and_a_rule_that_never_was_are_bound_by_nothing(ledger):
    assert await bounds(ledger, LIMITED, rule_id="doorbell:operator") == Bounds()
    assert await bounds(ledger, rule_id="never") == Bounds()
