"""The steps of a rule's `call:`, tool calls that no model chooses; it knows their words, and calls nothing.

A decision carries them in its inputs, rendered. What stands for its playbook then says what is called
("call: github.issue_write"); no playbook's file can have such a name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from orchestrator.templates import render_tree

CALL: Final = "call: "
"""How the title of a run begins that has steps and no model."""

MOST: Final = 10
"""Steps of one rule; more of them are a program, and want one."""

SHOWN: Final = 3
"""Tools that a title names; the others are counted."""


class OnError(StrEnum):
    """What a step that fails means for those behind it."""

    END = "end"
    CONTINUE = "continue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call: `tool` is `server.tool`, `args` are templates in a rule and values in a decision."""

    tool: str
    args: Mapping[str, Any] = field(default_factory=dict)
    on_error: OnError = OnError.END

    @property
    def server(self) -> str:
        """The server that has the tool."""
        return self.tool.partition(".")[0]

    @property
    def name(self) -> str:
        """The tool's name at its server."""
        return self.tool.partition(".")[2]


def tools_of(steps: Sequence[Step]) -> dict[str, tuple[str, ...]]:
    """The tools that are called, each once, by their servers."""
    found: dict[str, dict[str, None]] = {}
    for step in steps:
        found.setdefault(step.server, {})[step.name] = None
    return {server: tuple(names) for server, names in found.items()}


def title_of(steps: Sequence[Step]) -> str:
    """What people read where a run with a model shows its playbook."""
    tools = list(dict.fromkeys(step.tool for step in steps))
    more = f" +{len(tools) - SHOWN}" if len(tools) > SHOWN else ""
    return f"{CALL}{', '.join(tools[:SHOWN])}{more}"


def are_called(title: str | None) -> bool:
    """Whether a run of this playbook's name has steps instead of a model."""
    return title is not None and title.startswith(CALL)


def rendered(steps: Sequence[Step], scope: Mapping[str, Any]) -> dict[str, Any]:
    """The steps for one event, as a decision carries them. Raises `TemplateError` where one can't be made."""
    return {
        "calls": [
            {
                "tool": one.tool,
                "args": render_tree(dict(one.args), scope),
                "on_error": one.on_error.value,
            }
            for one in steps
        ]
    }


def steps_in(given: Mapping[str, Any]) -> tuple[Step, ...]:
    """The steps that a decision carries."""
    return tuple(
        Step(tool=one["tool"], args=one["args"], on_error=OnError(one["on_error"]))
        for one in given["calls"]
    )
