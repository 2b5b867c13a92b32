"""`call:` of a rule as steps, and what is wrong with it; it knows which servers are configured, and asks none."""

from collections.abc import Collection, Iterator
from typing import Final

from orchestrator.configuration.document import Place
from orchestrator.configuration.rates import OF_EVENTS
from orchestrator.configuration.shapes import RuleShape, StepShape
from orchestrator.errors import Flaw
from orchestrator.rules.load import closest
from orchestrator.rules.steps import Step
from workflows.flow import Mode

OF_CALLS: Final = OF_EVENTS | {"concurrent"}
"""Keys of `limits:` that mean something where no model is paid."""


def steps_of(shape: RuleShape) -> tuple[Step, ...]:
    """The steps that a sound `call:` means; none where the rule does something else."""
    return tuple(
        Step(tool=one.tool, args=dict(one.args), on_error=one.on_error) for one in shape.call or ()
    )


def mode_of(shape: RuleShape) -> Mode:
    """How events of one key meet: nobody listens in a run without a model, so calls stand in line."""
    said = "mode" in shape.flow.model_fields_set
    return Mode.QUEUE if shape.call is not None and not said else shape.flow.mode


def call_flaws(shape: RuleShape, servers: Collection[str], at: Place) -> Iterator[Flaw]:
    """Everything wrong with it that the shape doesn't say, but for its templates."""
    for index, step in enumerate(shape.call or ()):
        yield from _tool(step, servers, (*at, "call", index, "tool"))
    if "with_" in shape.model_fields_set:
        said = "'with' is what a playbook is given; give each call its `args:`"
        yield Flaw((*at, "with"), said, key=True)
    if "mode" in shape.flow.model_fields_set and shape.flow.mode is Mode.SIGNAL:
        said = "'signal' tells a model what else came, and a `call:` has none"
        yield Flaw((*at, "flow", "mode"), f"{said}: expected queue, single, supersede or parallel")
    for key in sorted(shape.limits.model_fields_set - OF_CALLS):
        said = f"{key!r} is about what a model costs and means nothing beside `call:`: remove it"
        yield Flaw((*at, "limits", key), said, key=True)


def _tool(step: StepShape, servers: Collection[str], at: Place) -> Iterator[Flaw]:
    server, dot, tool = step.tool.partition(".")
    if not dot or not server or not tool:
        yield Flaw(at, f"expected server.tool, such as github.issue_write, got {step.tool!r}")
    elif "*" in step.tool or "?" in step.tool or "{{" in step.tool:
        yield Flaw(at, f"expected a tool's own name, got the pattern {step.tool!r}")
    elif server not in servers:
        yield Flaw(at, f"unknown server {server!r}{closest(server, servers)}")
