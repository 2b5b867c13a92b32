"""A5: whatever comes first of a call, its result and its event, the run is woken by an event that ends its wait."""

import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.inbox.inbox import Action
from tests.support.builders import NOW, Log, configuration, source
from tests.support.roads import RecordingRuns
from tests.support.waits import CALLBACK, awaiting
from workflows.messages import WaitEnd

UNTIL = replace(CALLBACK, until="event.deployment_status.state == 'success'")
BY_RUN = ("expect", "answered", "opened")
WORDS = {"final": ("success", 42), "step": ("in_progress", 42), "foreign": ("success", 43)}
BY_OTHERS = (*WORDS, "decide", "look")


@st.composite
def stories(draw: st.DrawFn) -> list[str]:
    """What the run does, in its order, with what others do in between."""
    story: list[str] = []
    for step in BY_RUN:
        story += [*draw(st.lists(st.sampled_from(BY_OTHERS), max_size=3)), step]
    return story + draw(st.lists(st.sampled_from(BY_OTHERS), max_size=4))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(stories())
async def test_a5_an_event_is_found_however_early_it_comes_and_no_other_one_is(
    story: list[str],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with awaiting(Path(directory), UNTIL) as there:
            dispatcher = Dispatcher(
                inbox=there.inbox,
                ledger=there.ledger,
                runs=RecordingRuns(),
                configuration=configuration,
                sources=lambda: {"github": source()},
                now=lambda: NOW,
                log=Log(),
            )
            kept: list[tuple[str, str]] = []
            expected = 0
            for number, step in enumerate([*story, "decide", "look"]):
                if step in WORDS:
                    await there.status(f"s{number:02d}", *WORDS[step])
                    kept.append((f"s{number:02d}", step))
                elif step == "decide":
                    await dispatcher.decide_some()
                elif step == "look":
                    await dispatcher.look_back_some()
                else:
                    await getattr(there, step)()
                    expected = len(kept) if step == "expect" else expected
            await _checked(there, kept, expected)


async def _checked(there, kept, expected) -> None:
    wait_id = (await there.wait()).wait_id
    decided = await there.inbox.decisions([receipt for receipt, _ in kept])
    mine = {
        receipt: [one for one in listed if one.cause == f"wait:{wait_id}"]
        for receipt, listed in decided.items()
    }
    assert all(len(listed) <= 1 for listed in mine.values())
    woken = [
        name for name, listed in mine.items() if any(one.action is Action.RESUME for one in listed)
    ]
    ends = [receipt for receipt, what in kept[expected:] if what == "final"]
    assert set(woken) <= set(ends)
    assert bool(woken) == bool(ends)
    if not woken:
        return
    assert woken[0] == ends[0]
    assert await there.end(WaitEnd.RESOLVED, woken[0])
    said = "\n".join(await there.texts())
    steps = [receipt for receipt, what in kept[expected:] if what == "step" and receipt < woken[0]]
    assert all(f"{receipt} (github/deployment_status" in said for receipt in steps)
    assert said.count("<event>") == 1
