"""`flow:` of a rule as values, and what is wrong with it; it knows no run."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from orchestrator.configuration.document import Place
from orchestrator.configuration.shapes import FlowShape, RuleShape
from orchestrator.errors import Flaw
from workflows.flow import Coalesce, Mode

LONGEST: Final = timedelta(days=1)
"""As long as a run may wait for more: events that wait longer are better a digest."""


def coalesce_of(shape: FlowShape) -> Coalesce | None:
    """For how long a run waits for more, in seconds."""
    found = shape.coalesce
    if found is None:
        return None
    quiet, within = found.quiet.window, found.within.window
    return Coalesce(quiet=quiet.total_seconds(), within=within.total_seconds())


def flow_flaws(shape: RuleShape, at: Place) -> Iterator[Flaw]:
    """What doesn't fit together."""
    flow, place = shape.flow, (*at, "flow")
    if "mode" in flow.model_fields_set and flow.mode is not Mode.PARALLEL and _keyless(shape):
        yield Flaw(
            (*place, "mode"),
            f"{flow.mode.value!r} is about events of one key: give the rule a `key:`",
        )
    if flow.coalesce is None:
        return
    if shape.key is None or flow.mode is Mode.PARALLEL:
        said = "'coalesce' folds events of one key into one run: give the rule a `key:`, and no mode 'parallel'"
        yield Flaw((*place, "coalesce"), said, key=True)
    quiet, within = flow.coalesce.quiet, flow.coalesce.within
    if not quiet.window <= within.window <= LONGEST:
        said = f"expected at least `quiet` ({quiet.said}) and at most 1d, got {within.said!r}"
        yield Flaw((*place, "coalesce", "within"), said)


def _keyless(shape: RuleShape) -> bool:
    return shape.key is None and shape.forward is None and shape.flow.mode is not Mode.SIGNAL
