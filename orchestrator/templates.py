"""Templates that only an operator writes; it knows JSON in and text or a value out, and no clock, file or code.

`Template.parse("{{ event.issue.number }}").render({"event": ...})` is 7, not "7": a template that is one
expression keeps its type. A null or missing value is a `TemplateError`, never the word "None".
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import minijinja

from orchestrator.errors import OperatorError

MAX_OUTPUT = 1_000_000
"""Characters one template may give."""

MAX_DEPTH = 200
"""Deeper values are null to a template, so that a hostile payload can't exhaust the stack."""

FUEL = 50_000
"""Steps one template may take; about ten thousand rounds of a loop."""

QUOTE = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
QUOTED = re.compile(QUOTE, re.DOTALL)
CODE = rf"(?:{QUOTE}|[^'\"])*?"
BLOCK = re.compile(
    rf"\{{\{{(?P<expression>{CODE})\}}\}}|\{{%(?P<statement>{CODE})%\}}|\{{#.*?#\}}", re.DOTALL
)
REMEMBERED = 32_768
"""Parsed templates. Thousands of rules have a few each, and are asked in turn: of too few, none would ever be found."""

INNERMOST = re.compile(r"\[[^\[\]{}]*\]|\{[^\[\]{}]*\}")
FILTER = re.compile(r"\|\s*([A-Za-z_]\w*)")
# What these make of null is a word, a zero or nothing, or they print Python; ours below say no instead.
UNWANTED = tuple(
    re.findall(
        r"\w+",
        "abs bool capitalize e escape filesizeformat float format indent int items join lines lower pluralize "
        "pprint replace safe string striptags title trim truncate upper urlencode wordwrap",
    )
)
GLOBALS = ("cycler", "debug", "dict", "joiner", "namespace")


class TemplateError(OperatorError):
    """A template can't be read, or does not fit the event it was rendered with; `line` is within its text."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


def _present(value: Any) -> Any:
    if value is None or (isinstance(value, list) and None in value):
        raise TemplateError("the value is null; write `| default(...)` or ask for it under `when:`")
    return value


def _word(value: Any) -> str:
    match _present(value):
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case _:
            raise TemplateError(
                f"a {type(value).__name__} can't stand in text; write `| tojson` or `| join(', ')`"
            )


def _default(value: Any = None, instead: Any = "") -> Any:
    """The vendor's leaves null alone; to us null and missing are one."""
    return instead if value is None else value


def _number(value: Any) -> int:
    return int(_present(value))


def _join(values: Any, between: str = "") -> str:
    return between.join(_word(value) for value in _present(values))


FILTERS: Mapping[str, Callable[..., Any]] = {
    "d": _default,
    "default": _default,
    "int": _number,
    "join": _join,
    "lower": lambda value: _word(value).lower(),
    "replace": lambda value, old, new: _word(value).replace(_word(old), _word(new)),
    "string": _word,
    "title": lambda value: _word(value).title(),
    "trim": lambda value: _word(value).strip(),
    "upper": lambda value: _word(value).upper(),
}
KNOWN_FILTERS = frozenset(FILTERS) | frozenset(
    re.findall(
        r"\w+",
        "attr batch chain count dictsort first groupby last length list map max min reject rejectattr reverse "
        "round select selectattr slice sort split sum tojson unique zip",
    )
)


def _environment() -> minijinja.Environment:
    made = minijinja.Environment(
        undefined_behavior="strict",
        fuel=FUEL,
        auto_escape_callback=lambda _name: None,
        finalizer=_word,
        keep_trailing_newline=True,
        pycompat=False,
    )
    for name in UNWANTED:
        made.remove_filter(name)
    for name in GLOBALS:
        made.remove_global(name)
    for name, filter_ in FILTERS.items():
        made.add_filter(name, filter_)
    return made


_ENVIRONMENT = _environment()


class Plain(dict[str, Any]):
    """Values as templates may see them: JSON's own types, no deeper than they can bear. Made once, used often.

    `rendered` is what templates gave with them: the keys of many rules are the same text.
    """

    def __init__(self, values: Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__(values)
        self.rendered: dict[str, str | float | bool] = {}

    @classmethod
    def of(cls, scope: Mapping[str, Any], names: Iterable[str] | None = None) -> "Plain":
        """The values of a scope, or those of its names. Raises `TemplateError` for what is not JSON."""
        wanted = scope if names is None else names
        return cls((name, _json(scope[name], MAX_DEPTH)) for name in wanted if name in scope)


@dataclass(frozen=True, slots=True)
class Template:
    """One parsed template: `names` are the variables it uses, `paths` the same with their dots."""

    text: str
    expression: str | None
    names: frozenset[str]
    paths: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """The template of this text.

        Raises `TemplateError`, which says the line where it is broken.
        """
        return _parsed(text)

    @property
    def literal(self) -> bool:
        """Whether nothing is filled in: the text stands for itself."""
        return BLOCK.search(self.text) is None

    def render(self, scope: Mapping[str, Any]) -> Any:
        """The value of a lone expression with its type, else text.

        Raises `TemplateError` where something is null or missing, too long or endless.
        """
        plain = scope if isinstance(scope, Plain) else Plain.of(scope, self.names)
        if self.text in plain.rendered:
            return plain.rendered[self.text]
        value = self._checked({name: plain[name] for name in self.names if name in plain})
        if not isinstance(value, list | dict):
            # Those could be changed by whoever gets them.
            plain.rendered[self.text] = value
        return value

    def _checked(self, values: Mapping[str, Any]) -> Any:
        try:
            return self._rendered(values)
        except TemplateError as error:
            raise TemplateError(f"{self._shown()}: {error}") from None
        except minijinja.TemplateError as error:
            raise TemplateError(f"{self._shown()}: {_said(error)}") from None
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
        ):
            raise TemplateError(
                f"{self._shown()}: it doesn't fit the values it was given"
            ) from None

    def _rendered(self, values: Mapping[str, Any]) -> Any:
        if self.expression is None:
            return _capped(_ENVIRONMENT.render_str(self.text, **values))
        value = _ENVIRONMENT.eval_expr(self.expression, **values)
        if value is None:
            raise TemplateError("the value is null or missing")
        return _capped(_json(value, MAX_DEPTH))

    def _shown(self) -> str:
        return self.text if len(self.text) <= 80 else f"{self.text[:77]}..."  # noqa: PLR2004 - a line


def render_tree(value: Any, scope: Mapping[str, Any]) -> Any:
    """The same value with every string in its lists and maps rendered as a template."""
    match value:
        case str():
            return Template.parse(value).render(scope)
        case Mapping():
            return {key: render_tree(item, scope) for key, item in value.items()}
        case list() | tuple():
            return [render_tree(item, scope) for item in value]
        case _:
            return value


def templates_of(value: Any) -> list[Template]:
    """Every template in nested lists and maps. Raises `TemplateError` for the first broken one."""
    match value:
        case str():
            return [Template.parse(value)]
        case Mapping():
            return [template for item in value.values() for template in templates_of(item)]
        case list() | tuple():
            return [template for item in value for template in templates_of(item)]
        case _:
            return []


@lru_cache(maxsize=REMEMBERED)
def _parsed(text: str) -> Template:
    names = _undeclared(text, nested=False)
    _refuse_unwanted(text)
    return Template(text, _lone_expression(text), names, _undeclared(text, nested=True))


def _undeclared(text: str, *, nested: bool) -> frozenset[str]:
    try:
        found = _ENVIRONMENT.undeclared_variables_in_str(text, nested=nested)
    except minijinja.TemplateError as error:
        raise TemplateError(_said(error), error.line or 1) from None
    return frozenset(found) - {"range"}


def _has_slice(code: str) -> bool:
    """Whether there is `[1:2]`: the vendor doesn't tell which names stand in one, so nobody could check them."""
    while found := INNERMOST.search(code):
        if found[0].startswith("[") and ":" in found[0]:
            return True
        code = f"{code[: found.start()]}_{code[found.end() :]}"
    return False


def _refuse_unwanted(text: str) -> None:
    for block in BLOCK.finditer(text):
        code = QUOTED.sub("''", block["expression"] or block["statement"] or "")
        if _has_slice(code):
            raise TemplateError("a slice such as [1:2] is not supported: write `| first` or `[0]`")
        if "~" in code:
            raise TemplateError("`~` is not supported: write the expressions beside each other")
        for name in FILTER.findall(code):
            if name not in KNOWN_FILTERS:
                raise TemplateError(
                    f"unknown filter {name!r}; known: {' '.join(sorted(KNOWN_FILTERS))}"
                )


def _lone_expression(text: str) -> str | None:
    trimmed = text.strip()
    if not (trimmed.startswith("{{") and trimmed.endswith("}}")):
        return None
    inner = trimmed[2:-2].removeprefix("-").removesuffix("-")
    try:
        # Only one whole expression fits between parentheses; `a }} {{ b` does not.
        _ENVIRONMENT.undeclared_variables_in_str(f"{{% if ({inner}\n) %}}{{% endif %}}")
    except minijinja.TemplateError:
        return None
    return inner


def _said(error: minijinja.TemplateError) -> str:
    # The rest of the vendor's text lists the variables' values: payload, perhaps secret.
    return str(error).partition("\n")[0].partition(" (in <")[0]


def _capped(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MAX_OUTPUT:
        raise TemplateError(f"it gave {len(value)} characters; at most {MAX_OUTPUT} are allowed")
    return value


def _json(value: Any, depth: int) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return str(value)
        case dict() | Mapping() if depth:
            return {str(key): _json(item, depth - 1) for key, item in value.items()}
        case list() | tuple() if depth:
            return [_json(item, depth - 1) for item in value]
        case dict() | Mapping() | list() | tuple():
            return None
        case _:
            raise TemplateError(f"it gave a {type(value).__name__}, which is not JSON")
