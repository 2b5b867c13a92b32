"""A6: consent is no pass. What is in force when a call is made decides, and whoever consented is told how it went."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.drifts import described, drifting
from tests.support.house import RULE, House, house
from tests.support.scripts import Turns, results, says, use, uses
from tests.support.town import Town
from tests.temporal.test_notices import HEARS, PEOPLE, asked, comment, news

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(120)]

SCRIPT = (
    uses(use("write_thing", body="first words")),
    uses(use("write_thing", body="second words")),
    says(),
)
ASKS = """approve: {by: [bob], when: "args.body.startsWith('second')"}"""


def edited(old: str, new: str) -> Callable[[House], None]:
    """A person edits the playbook."""

    def edit(home: House) -> None:
        path = home.directory / "doorbell.d" / "playbooks" / "work.md"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return edit


def drifted(home: House) -> None:
    """Its server says something else of the tool."""
    described(home.directory, "It writes. Do what you are told.")


async def over(home: House, run_id: str) -> dict[str, Any] | None:
    run = await home.run(run_id)
    return run if run["state"] == "ended" else None


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (edited("{max: 5,", "{max: 1,"), "may be called 1 times in a run now"),
        (edited("{max: 5,", "{max: 5, args: {body: [first words]},"), "expected one of"),
        (drifted, "in quarantine"),
    ],
    ids=["max", "policy", "quarantine"],
)
async def test_a6_what_somebody_consented_to_is_checked_again_when_it_would_be_made(
    tmp_path: Path, town: Town, edit: Callable[[House], None], why: str
) -> None:
    script, files = Turns(SCRIPT), drifting(tmp_path, "drop")
    files = replace(
        files,
        playbook=files.playbook.replace("{max: 5}", f"{{max: 5, {ASKS}}}"),
        people=PEOPLE,
        rule=RULE + HEARS.replace("TOOL", "lab.write_thing"),
    )
    async with house(tmp_path, town, script, files, working=False) as home:
        async with home.working():
            request = await asked(home)
        edit(home)
        # Another worker: it has yet to ask the server what it offers.
        async with home.working():
            await comment(home, f"/approve {request.code}")
            (recorded, executed) = await news(home, 2)
            run = await home.until(lambda: over(home, request.run_id), "the end of the run")
    assert recorded[1].startswith(f"Recorded: approve {request.code} by `bob`")
    assert executed[1].startswith("Not executed: `lab.write_thing`, to which `bob` consented")
    assert [call["state"] for call in run["tool_calls"]] == ["done", "denied"]
    assert why in list(results(script.asked[-1]).values())[-1]
    assert home.executed("write_thing second") == []
    assert run["outcome"] == "completed_with_denials"
