"""What is wrong with the arguments of a built-in tool beyond its schema, in words for the model; it asks nobody."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.agent.tools.questions import unsound
from orchestrator.expressions import Expression, ExpressionError
from workflows.own_tools import ASK, SLEEP, WAIT


def misfit(alias: str, given: Mapping[str, Any], sources: Sequence[str]) -> str | None:
    """Why this call of a built-in tool can't be heeded; its arguments fit the schema. None where nothing is wrong."""
    if alias == WAIT:
        return _deaf(given, sources) or _unclear(given)
    if alias == ASK:
        return unsound(given)
    return _unreal(given) if alias == SLEEP else None


def _deaf(given: Mapping[str, Any], sources: Sequence[str]) -> str | None:
    """A wait for events that nobody can send would sleep to its end."""
    strange = sorted({str(event).partition("/")[0] for event in given["events"]} - set(sources))
    if not sources or not strange:
        return None
    return f"Nobody rings as {strange[0]!r}; events come from {', '.join(sources)} (source/type)."


def _unclear(given: Mapping[str, Any]) -> str | None:
    """A condition that can't be read would hold of nothing, and the wait would sleep to its end."""
    try:
        Expression.compile(str(given.get("when", "true")))
    except ExpressionError as error:
        return f"The condition under `when` can't be read: {error}"
    return None


def _unreal(given: Mapping[str, Any]) -> str | None:
    until = str(given["until"])
    if until[-1] in "smhd":
        return None
    try:
        datetime.fromisoformat(until)
    except ValueError as error:
        return f"There is no such moment as {until!r}: {error}."
    return None
