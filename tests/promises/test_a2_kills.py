"""A2: whatever await its process dies at, a write happens at most once, and what is told of it is true.

Sixteen deaths here; `python -m tests.bench.kills_of_a_write` is the proof, with two hundred.
"""

from pathlib import Path

import pytest

from tests.support.killing import Write, killing, wrong

DEATHS = 16


@pytest.mark.timeout(180)
async def test_a2_a_process_that_dies_at_any_await_of_a_write_leaves_no_second_and_no_lost_one(
    tmp_path: Path,
) -> None:
    async with killing(tmp_path) as subject:
        steps = await subject.steps()
        for number in range(1, len(steps) + 1, max(1, len(steps) // DEATHS)):
            await subject.kill(number, again=len(steps) // 2 if number % 2 else None)
        writes = await subject.counted()

    assert [f"{write.place}: {why}" for write in writes if (why := wrong(write))] == []
    # It really died before the write had left, and after it.
    assert {write.had for write in writes} == {0, 1}
    assert {write.told for write in writes} == {"done", "unknown"}


@pytest.mark.parametrize(
    ("told", "words", "happened", "said"),
    [
        ("done", "", 1, ""),
        ("done", "", 0, "said to be done, and happened 0 times"),
        ("done", "", 2, "it happened twice"),
        ("unknown", "It may have taken effect.", 1, ""),
        ("unknown", "It may have taken effect.", 0, ""),
        ("unknown", "Something went wrong.", 0, "nobody was told"),
        ("refused", "", 1, "said to be refused, and happened 1 times"),
    ],
)
def test_the_judge_finds_what_would_be_wrong(
    told: str, words: str, happened: int, said: str
) -> None:
    write = Write(
        run_id="r.1",
        number=1,
        place="",
        state="sent",
        had=0,
        told=told,
        words=words,
        happened=happened,
    )

    assert said in wrong(write)
    assert bool(said) == bool(wrong(write))
