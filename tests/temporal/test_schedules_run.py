"""A rule with a schedule, from Temporal's clock to the end of its run."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.inbox.inbox import Action
from orchestrator.recovery.indoors import Late, Ring, Rung
from tests.support.clocks import clock
from tests.support.house import Files, House, house
from tests.support.scripts import Turns, says
from tests.support.town import Town

pytestmark = pytest.mark.temporal

RULES = """\
nightly:
  id: HOUSE
  on: schedule
  schedule: {cron: "0 7 16-20 11 *", zone: Europe/Berlin}
  run: work
  with: {number: "{{ event.scheduled_for | length }}"}
  trust: {associations: [OWNER]}
  stage: STAGE
weekly:
  on: schedule
  schedule: {cron: "0 7 1 1 *"}
  run: work
  with: {number: 1}
everything:
  on: "*/*"
  run: work
  with: {number: 2}
"""


def poking(home: House) -> Any:
    """What the service does after each delivery: tell the dispatcher."""

    def through(door: Ring) -> Ring:
        async def ring(late: Late) -> Rung:
            rung = await door(late)
            home.dispatcher.poke()
            return rung

        return ring

    return through


async def test_a_tick_wakes_the_rule_it_names_and_no_other_and_its_run_ends(
    tmp_path: Path, town: Town
) -> None:
    files = Files(rule=RULES)
    async with (
        house(tmp_path, town, Turns([says("a digest")]), files) as home,
        clock(home.client, home.stores.inbox, home.queue, through=poking(home)) as one,
    ):
        one.rules = home.read().rules
        assert await one.clock.look() == 2
        await one.tick(home.queue)
        (kept,) = await one.ticked(1)
        run = await home.ended()
        found = (await home.stores.inbox.decisions([kept["event"]]))[kept["event"]]

    assert (run["outcome"], run["rule"]) == ("completed", "nightly")
    acted = [one for one in found if one.action is not Action.IGNORE]
    assert [(one.rule, one.action, one.reason) for one in acted] == [
        ("nightly", Action.START, "matched")
    ]
    (beside,) = [one for one in found if one.action is Action.IGNORE]
    assert beside.reason == "no match: on (2 rules)"
