"""CEL, the escape hatch of `when:`; it knows the one vocabulary of rules, and JSON in and yes or no out.

`Expression.compile("event.issue.number > 7")` is type-checked when the configuration is loaded. Evaluation is
bounded by the vendor (10,000 steps, linear regular expressions); what it can't bear is taken out beforehand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings

from orchestrator.errors import OperatorError

MAX_DEPTH = 200
"""Deeper payloads are an error: measured, 100,000 levels crash the vendor's process."""

BECAUSE = 300
"""Characters of the vendor's own words that are kept."""


class ExpressionError(OperatorError):
    """A CEL expression can't be compiled; the text has the vendor's caret under the place."""


class _TooDeep(Exception):
    pass


_ENVIRONMENT = cel.NewEnv(
    variables={
        "event": cel.Type.DYN,
        "headers": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
        "id": cel.Type.STRING,
        "source": cel.Type.STRING,
        "doorbell.type": cel.Type.STRING,  # `type` alone is taken by CEL itself; the container finds ours first
        "subject": cel.Type.DYN,
        "actor": cel.Type.DYN,
    },
    container="doorbell",
    extensions=[ext_strings.ExtStrings()],
)


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression over `event source type subject actor id headers`."""

    text: str
    _compiled: cel.Expression = field(repr=False, compare=False)

    @classmethod
    def compile(cls, text: str) -> "Expression":
        """The type-checked expression. Raises `ExpressionError`."""
        try:
            compiled = _ENVIRONMENT.compile(scrub(text))
        except RuntimeError as error:
            raise ExpressionError(_said(error)) from None
        kind = compiled.return_type().name()
        if kind not in {"BOOL", "DYN"}:
            raise ExpressionError(f"expected a yes or no, but {text!r} gives {kind.lower()}")
        return cls(text, compiled)

    def holds(self, scope: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether it holds, and why not where it couldn't be answered ("" otherwise)."""
        try:
            value = self._compiled.eval(data=_clean(_named(scope), MAX_DEPTH))
        except _TooDeep:
            return False, f"the event is nested deeper than {MAX_DEPTH} levels"
        except RuntimeError as error:
            return False, _said(error)
        kind = value.type().name()
        if kind == "ERROR":
            return False, str(value.value())[:BECAUSE]
        if kind != "BOOL":
            return False, f"expected a yes or no, got {kind.lower()}"
        return bool(value.value()), ""


def scrub(text: str) -> str:
    """The text without what the vendor cuts at or chokes on: U+0000 and lone surrogates become U+FFFD."""
    clean = text.replace("\0", "\ufffd")
    return (
        clean
        if clean.isascii()
        else clean.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def _named(scope: Mapping[str, Any]) -> dict[str, Any]:
    return {"doorbell.type" if name == "type" else name: value for name, value in scope.items()}


def _clean(value: Any, depth: int) -> Any:
    match value:
        case str():
            return scrub(value)
        case Mapping() | list() | tuple() if not depth:
            raise _TooDeep
        case Mapping():
            return {scrub(str(key)): _clean(item, depth - 1) for key, item in value.items()}
        case list() | tuple():
            return [_clean(item, depth - 1) for item in value]
        case _:
            return value


def _said(error: RuntimeError) -> str:
    text = str(error).removeprefix("INVALID_ARGUMENT: ").removesuffix(" [INVALID_ARGUMENT]")
    return (
        text.removeprefix("ERROR: ")
        .replace("<input>:", "")
        .replace(" (in container 'doorbell')", "")
        .strip()
    )
