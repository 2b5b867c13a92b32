"""What a playbook's text and inputs are; it knows Markdown with front matter, and neither files nor YAML.

The inputs that a rule hands over may come from a stranger's event: `admitted` lets in only what the playbook
declared, so that nothing but slugs, numbers and yes or no can ever stand in the prose.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from orchestrator.errors import OperatorError
from orchestrator.templates import Template, TemplateError
from workflows.playbook import InputType, Playbook

SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""What a `slug` input may be: an owner, a repository, a branch without slashes; no blank, so no sentence."""

FENCE = "---"


class InputError(OperatorError):
    """A rule hands a playbook what it did not declare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """A playbook file, taken apart; lines count from 1. `matter` is None where the file has no front matter."""

    matter: str | None
    matter_line: int
    prose: str
    prose_line: int


def split(text: str) -> Pages:
    """The front matter between the first two lines of `---`, and the prose after it."""
    lines = text.removeprefix("\ufeff").splitlines()
    closing = next((at for at, line in enumerate(lines) if at and line.rstrip() == FENCE), None)
    if not lines or lines[0].rstrip() != FENCE or closing is None:
        return Pages(matter=None, matter_line=1, prose=text, prose_line=1)
    return Pages(
        matter="\n".join(lines[1:closing]) + "\n",
        matter_line=2,
        prose="\n".join(lines[closing + 1 :]).rstrip() + "\n",
        prose_line=closing + 2,
    )


def digest_of(text: str) -> str:
    """The name of exactly this text, whatever its line ends."""
    return sha256("\n".join(text.splitlines()).encode(errors="replace")).hexdigest()


def prose_flaws(prose: str, inputs: Mapping[str, InputType]) -> Iterator[tuple[int, str]]:
    """What may not stand in the prose (anything but `with.x`, and of those no text), with its line from 1."""
    if not prose.strip():
        yield 1, "expected instructions in prose below the front matter, got none"
        return
    try:
        paths = Template.parse(prose).paths
    except TemplateError as error:
        yield error.line, str(error)
        return
    for path in sorted(paths):
        line = prose.partition(path)[0].count("\n") + 1 if path in prose else 1
        yield from ((line, said) for said in _path_flaws(path, inputs))


def _path_flaws(path: str, inputs: Mapping[str, InputType]) -> Iterator[str]:
    root, _, rest = path.partition(".")
    name = rest.partition(".")[0]
    if root != "with" or not name:
        yield f"only inputs may stand in the prose, as {{{{ with.name }}}}; got {path!r}"
    elif name not in inputs:
        yield f"the prose uses with.{name}, which is not among the inputs"
    elif inputs[name] is InputType.TEXT:
        yield (
            f"with.{name} is text and may be a stranger's words: it may not stand in the prose "
            "(the model sees it in the event block)"
        )


def admitted(playbook: Playbook, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs, each proved to be of its declared type.

    Raises `InputError` for one that is missing, undeclared or of another type.
    """
    strange = sorted(inputs.keys() - playbook.inputs.keys())
    missing = sorted(playbook.inputs.keys() - inputs.keys())
    if strange or missing:
        raise InputError(
            f"playbook {playbook.name!r} expects inputs {sorted(playbook.inputs)}: "
            f"missing {missing}, not declared {strange}"
        )
    return {name: _fitting(name, kind, inputs[name]) for name, kind in playbook.inputs.items()}


def fits(kind: InputType, value: Any) -> bool:
    """Whether a value is of this type."""
    match kind:
        case InputType.SLUG:
            return isinstance(value, str) and SLUG.fullmatch(value) is not None
        case InputType.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        case InputType.BOOLEAN:
            return isinstance(value, bool)
        case InputType.TEXT:
            return isinstance(value, str)


def _fitting(name: str, kind: InputType, value: Any) -> Any:
    if not fits(kind, value):
        # Not the value: it may be a stranger's text, and this message reaches Temporal's history.
        raise InputError(
            f"input {name!r}: expected {MEANING[kind]}, got {type(value).__name__} that is none"
        )
    return value


MEANING: Mapping[InputType, str] = {
    InputType.SLUG: "a slug (letters, digits, `.`, `_`, `-`, at most 100)",
    InputType.INTEGER: "a whole number",
    InputType.BOOLEAN: "true or false",
    InputType.TEXT: "a text",
}
