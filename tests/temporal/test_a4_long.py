"""A4: a run whose conversation outgrows its model goes on to its end, and history and state stay small meanwhile.

`python -m tests.bench.long_run` does the same with 500 turns.
"""

from pathlib import Path

import pytest

from tests.support.house import Files, house, opened
from tests.support.long_talk import MARKERS, RESULT, ReadsOn, left_by, playbook
from tests.support.town import Town
from workflows import parking

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(180)]

TURNS = 40
WINDOW = 60_000


async def test_a4_a_run_outgrows_its_model_and_goes_on_over_continue_as_new(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "HISTORY_LIMIT", 150)
    script = ReadsOn(TURNS, [])
    files = Files(playbook=playbook(TURNS))
    async with house(tmp_path, town, script, files, window=WINDOW) as home:
        await home.ring(opened(note="MARK-OF-PAYLOAD"))
        run = await home.ended()
        left = await left_by(home.client, run["workflow_id"])
    assert (run["outcome"], run["turns"]) == ("completed", TURNS)
    assert len(home.executed("read_thing")) == TURNS - 1
    assert max(script.asked) < WINDOW * 4
    assert sum(script.asked) > TURNS * RESULT
    assert left.parts > 2
    print(f"history: {len(left.history) / TURNS:.0f} bytes a turn; state: {max(left.carried)}")  # noqa: T201
    assert len(left.history) / TURNS < 3_000
    assert max(left.carried) < 4_000
    assert [marker for marker in MARKERS if marker.encode() in left.history] == []
