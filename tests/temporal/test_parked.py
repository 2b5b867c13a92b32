"""A1, A5: a few parked runs, everything killed at once and started again: all of them come back, and wake."""

from pathlib import Path

import pytest

from tests.bench.parked import bench


@pytest.mark.temporal
@pytest.mark.timeout(150)
async def test_a1_a5_parked_runs_outlive_everything_and_wake_one_by_one_and_all_at_once(
    tmp_path: Path,
) -> None:
    told = await bench(tmp_path, 6)
    assert told.outcomes == {"completed": 6}
    assert len(told.paced) == len(told.burst) == 2
    assert all(seconds < 30 for seconds in (*told.paced, *told.burst))
