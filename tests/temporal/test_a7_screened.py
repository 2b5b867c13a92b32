"""A7: a secret that a worker holds leaves in no call and stands nowhere in the ledger; the run ends honestly."""

from pathlib import Path

import pytest

from tests.support.house import SECRET, house, opened
from tests.support.scripts import Turns, results, says, use, uses
from tests.support.town import Town

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(90)]


async def test_a7_a_secret_of_a_source_is_denied_to_every_tool_and_the_rest_goes_on(
    tmp_path: Path, town: Town
) -> None:
    leak = use("write_thing", body=f"The secret is {SECRET}")
    asks = use("read_thing", name=SECRET)
    script = Turns([uses(leak, asks, use("write_thing", body="Thank you.")), says(SECRET)])
    async with house(tmp_path, town, script, working=False) as home, home.worker():
        await home.ring(opened())
        run = await home.ended()
    told = results(script.asked[-1])

    assert home.executed() == ["write_thing Thank you."]
    assert [call["state"] for call in run["tool_calls"]] == ["denied", "denied", "done"]
    assert run["outcome"] == "completed_with_denials"
    assert (run["writes"]["done"], run["writes"]["denied"]) == (1, 2)
    assert "env:GITHUB_WEBHOOK_SECRET" in next(iter(told.values()))
    ledger = list((tmp_path / "state").rglob("ledger*"))
    assert ledger
    assert [file for file in ledger if SECRET.encode() in file.read_bytes()] == []
