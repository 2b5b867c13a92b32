"""CEL, the escape hatch of `when:`; it knows the one vocabulary of rules, and JSON in and yes or no out.

`Expression.compile("event.issue.number > 7")` is type-checked when the configuration is loaded. Evaluation is
bounded by the vendor (10,000 steps, linear regular expressions); what it can't bear is taken out beforehand.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from itertools import chain
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings

from orchestrator.errors import OperatorError

MAX_DEPTH = 200
"""Deeper payloads are an error: measured, 100,000 levels crash the vendor's process."""

BECAUSE = 300
"""Characters of the vendor's own words that are kept."""

FUNCTIONS = re.findall(
    r"\w+",
    "all charAt contains double duration endsWith exists exists_one filter format getDate getDayOfWeek getFullYear "
    "getHours getMinutes getMonth getSeconds has indexOf int join lastIndexOf lowerAscii map matches quote replace "
    "reverse size split startsWith string strings substring timestamp trim type upperAscii",
)

SHOWN = 100
"""Characters of the expression that an error draws."""

PROBLEM = re.compile(
    r"^(?:[A-Z_]+: )*<input>:(?P<line>-?\d+):(?P<column>-?\d+): (?P<said>[^\n]*)", re.MULTILINE
)
UNKNOWN = re.compile(r"undeclared reference to '(?P<name>[^']*)'")
EXPECTING = re.compile(r"^Syntax error: | expecting .*$")
ENDS = "mismatched input '<EOF>'"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an expression; line and column count from 1 within its own text."""

    line: int
    column: int
    message: str


class ExpressionError(OperatorError):
    """A CEL expression can't be compiled; the text has a caret under each place."""

    def __init__(self, text: str, problems: Sequence[Problem]) -> None:
        self.text = text
        self.problems = tuple(problems)
        super().__init__(
            "\n".join(
                f"{problem.line}:{problem.column}: {problem.message}\n{drawn}"
                for problem, drawn in self.drawn()
            )
        )

    def drawn(self) -> list[tuple[Problem, str]]:
        """Each problem with its line of the text, and a caret under the place."""
        return [(problem, _drawn(self.text, problem)) for problem in self.problems]


_VARIABLES: Mapping[str, cel.Type] = {
    "event": cel.Type.DYN,
    "headers": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    "id": cel.Type.STRING,
    "source": cel.Type.STRING,
    "doorbell.type": cel.Type.STRING,  # `type` alone is taken by CEL itself; the container finds ours first
    "subject": cel.Type.DYN,
    "actor": cel.Type.DYN,
}
_ENVIRONMENT = cel.NewEnv(
    variables=_VARIABLES, container="doorbell", extensions=[ext_strings.ExtStrings()]
)
_SCOPE = ("event", "source", "type", "subject", "actor", "id", "headers")
_CALL_VARIABLES: Mapping[str, cel.Type] = {
    "args": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "tool": cel.Type.STRING,
    "effect": cel.Type.STRING,
}
_CALLS = cel.NewEnv(variables=_CALL_VARIABLES, extensions=[ext_strings.ExtStrings()])


@dataclass(frozen=True, slots=True)
class Values:
    """The values that expressions are asked of, converted once for all of them; those too deep are none."""

    activation: cel.Activation | None

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> "Values":
        """The values of `event source type subject actor id headers`."""
        if _deeper(scope, MAX_DEPTH):
            return cls(None)
        named = {"doorbell.type" if name == "type" else name: scope[name] for name in scope}
        return cls(_ENVIRONMENT.Activation(_clean(named)))

    @classmethod
    def of_call(cls, args: Mapping[str, Any], tool: str, effect: str) -> "Values":
        """The values of `args tool effect`."""
        if _deeper(args, MAX_DEPTH):
            return cls(None)
        return cls(_CALLS.Activation(_clean({"args": dict(args), "tool": tool, "effect": effect})))


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression over `event source type subject actor id headers`."""

    text: str
    _compiled: cel.Expression = field(repr=False, compare=False)

    @classmethod
    def compile(cls, text: str) -> "Expression":
        """The type-checked expression. Raises `ExpressionError`."""
        return _expression(text)

    @classmethod
    def of_calls(cls, text: str) -> "Expression":
        """The type-checked expression over `args tool effect`, a tool call's. Raises `ExpressionError`."""
        return _of_calls(text)

    def holds(self, values: Values) -> tuple[bool, str]:
        """Whether it holds, and why not where it couldn't be answered ("" otherwise)."""
        if values.activation is None:
            return False, f"the event is nested deeper than {MAX_DEPTH} levels"
        try:
            value = self._compiled.eval(activation=values.activation)
        except RuntimeError as error:
            return False, str(error).removeprefix("INVALID_ARGUMENT: ")[:BECAUSE]
        plain = value.value()
        if plain is True or plain is False:
            return plain, ""
        kind = value.type().name()
        if kind == "ERROR":
            return False, str(value.value())[:BECAUSE]
        return False, f"expected a yes or no, got {kind.lower()}"


def scrub(text: str) -> str:
    """The text without what the vendor cuts at or chokes on: U+0000 and lone surrogates become U+FFFD."""
    clean = text.replace("\0", "\ufffd")
    try:
        if not clean.isascii():
            clean.encode()
    except UnicodeEncodeError:
        return clean.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return clean


@lru_cache(maxsize=4096)
def _expression(text: str) -> Expression:
    return _compiled(text, _ENVIRONMENT, _SCOPE)


@lru_cache(maxsize=1024)
def _of_calls(text: str) -> Expression:
    return _compiled(text, _CALLS, tuple(_CALL_VARIABLES))


def _compiled(text: str, environment: cel.Env, known: Sequence[str]) -> Expression:
    try:
        compiled = environment.compile(scrub(text))
    except RuntimeError as error:
        raise ExpressionError(text, list(_problems(text, str(error), known))) from None
    kind = compiled.return_type().name()
    if kind not in {"BOOL", "DYN"}:
        said = f"expected a yes or no, but {text!r} gives {kind.lower()}"
        raise ExpressionError(text, [Problem(1, 1, said)])
    return Expression(text, compiled)


def _deeper(value: Any, most: int) -> bool:
    """Whether anything stands deeper than so many levels, whatever the depth: no level costs a frame."""
    level: list[Any] = [value]
    for _ in range(most + 1):
        level = list(chain.from_iterable(_inside(each) for each in level))
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterator[Any]:
    items = value.values() if isinstance(value, dict) else value
    return (each for each in items if isinstance(each, dict | list | tuple))


def _clean(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return scrub(value)
    if kind is dict:
        return {scrub(str(key)): _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if kind is list or kind is tuple else value


def _problems(text: str, said: str, known: Sequence[str]) -> Iterator[Problem]:
    lines = text.split("\n")
    found = [match for match in PROBLEM.finditer(said) if int(match["line"]) > 0]
    if not found:
        yield Problem(1, 1, said.partition("\n")[0].partition(" [")[0])
    for match in found:
        number, column = int(match["line"]), int(match["column"])
        words = match["said"].removesuffix(" [INVALID_ARGUMENT]")
        words = EXPECTING.sub("", words).replace(" (in container 'doorbell')", "")
        unknown = UNKNOWN.search(words)
        if unknown is not None:
            line = lines[number - 1] if number <= len(lines) else ""
            yield Problem(
                number, _start(line, column, unknown["name"]), _unknown(unknown["name"], known)
            )
        else:
            ends = words.startswith(ENDS)
            yield Problem(number, column, "it ends too early" if ends else words)


def _unknown(name: str, known: Sequence[str]) -> str:
    """The vendor shows the whole path; what isn't known is its first word."""
    word = name.lstrip(".").partition(".")[0]
    near = get_close_matches(word, (*known, *FUNCTIONS), n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {' '.join(known)}"
    return f"undeclared reference to {name!r}; {hint}"


def _start(line: str, column: int, name: str) -> int:
    """Where the name begins: the vendor points at the last dot of a path, and at the bracket of a call."""
    before = (0, len(name.rpartition(".")[0]), len(name))
    starts = (column - back for back in before)
    return next((at for at in starts if at > 0 and line[at - 1 :].startswith(name)), column)


def _drawn(text: str, problem: Problem) -> str:
    """The problem's line and a caret under its place, both cut to what a terminal shows."""
    lines = text.split("\n")
    line = lines[problem.line - 1] if problem.line <= len(lines) else ""
    cut = max(0, problem.column - SHOWN // 2)
    caret = " " * (problem.column - 1 - cut) + "^"
    return f" | {line[cut : cut + SHOWN]}\n | {caret}"
