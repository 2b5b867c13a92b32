"""What a playbook's text and inputs are; it knows Markdown with front matter, and neither files nor YAML.

The inputs that a rule hands over may come from a stranger's event: `admitted` lets in only what the playbook
declared, so that nothing but slugs, numbers and yes or no can ever stand in the prose.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from typing import Any, Final
from urllib.parse import unquote

from orchestrator.errors import OperatorError
from orchestrator.templates import Template, TemplateError
from workflows.playbook import InputType, Playbook

SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""What a `slug` input may be: an owner, a repository, a branch without slashes; no blank, so no sentence."""

FENCE = "---"

READ: Final = "resources/read"
"""What the reading of a resource is called where tools are called by name; no playbook may list such a tool."""

PROMPT: Final = "prompts/get"
"""What the asking for a prompt is called there."""

MOST_READS: Final = 20
MEMBER: Final = re.compile(r"\{([^{}]*)\}")
PLAIN: Final = r"(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+"
RESERVED: Final = r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"
"""What `{name}` and `{+name}` of a URI template expand to (RFC 6570, 3.2.2 and 3.2.3)."""


def resource_of(said: str) -> tuple[str, str]:
    """The server and the URI in `server:uri`."""
    server, _, uri = said.partition(":")
    return server, uri


def rendered_reads(playbook: Playbook, inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """What a playbook allows to read, with these inputs filled in. Raises `TemplateError`."""
    return tuple(str(Template.parse(said).render({"with": inputs})) for said in playbook.read)


def may_read(allowed: Iterable[str], wanted: str) -> bool:
    """Whether `server:uri` is one of those allowed, or what one of their templates expands to."""
    server, uri = resource_of(wanted)
    return _stays(uri) and any(
        of == server and _pattern(template).fullmatch(uri) is not None
        for of, template in map(resource_of, allowed)
    )


def template_flaw(uri: str) -> str | None:
    """What is wrong with a URI or a template of URIs, its inputs filled in; None where nothing is."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", uri) is None:
        return f"expected server:uri, such as docs:file:///handbook.md; got {uri!r} as the URI"
    if not all(re.fullmatch(r"\+?[A-Za-z_]\w*", name) for name in MEMBER.findall(uri)):
        return f"expected only {{name}} and {{+name}} in a template of URIs, got {uri!r}"
    return "braces that don't match" if set("{}") & set(MEMBER.sub("", uri)) else None


def _pattern(template: str) -> re.Pattern[str]:
    pieces = MEMBER.split(template)
    return re.compile(
        "".join(
            (RESERVED if piece.startswith("+") else PLAIN) if at % 2 else re.escape(piece)
            for at, piece in enumerate(pieces)
        )
    )


def _stays(uri: str) -> bool:
    """Whether no part of it climbs out of where it stands, however often that is written in percents."""
    for _ in range(4):
        parts = re.split(r"[/\\?#]", uri)
        if {".", ".."} & set(parts) or not uri.isprintable():
            return False
        uri, before = unquote(uri), uri
        # An escaped slash would make two parts of what the template gave one place.
        if uri == before:
            return True
        if uri.count("/") + uri.count("\\") > before.count("/") + before.count("\\"):
            return False
    return False


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
        near = get_close_matches(name, sorted(inputs), n=1, cutoff=0.6)
        hint = f"; did you mean 'with.{near[0]}'?" if near else ""
        yield f"the prose uses with.{name}, which is not among the inputs{hint}"
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
