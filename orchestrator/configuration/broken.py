"""How things stand in their files, for a person to see: what is broken beside the reason; it reads no file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.errors import Mistake

SHOWN: Final = 40
"""Lines of a text that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """One mistake; `name` is the rule, source or server around it, and `text` how that stands in its file."""

    file: str
    line: int
    name: str | None
    reason: str
    text: str

    def told(self) -> dict[str, str | int | None]:
        """For programs."""
        return {
            "file": self.file,
            "line": self.line,
            "name": self.name,
            "reason": self.reason,
            "text": self.text,
        }


def broken(mistakes: Iterable[Mistake], texts: Mapping[str, str]) -> list[Broken]:
    """Every mistake with the text around it; `texts` are by the files' names in the mistakes."""
    return [_broken(mistake, texts.get(mistake.file, "")) for mistake in mistakes]


def rules_in(texts: Mapping[str, str]) -> dict[str, str]:
    """How every rule stands in its file, by name; `texts` are by the path inside the directory."""
    found: dict[str, str] = {}
    for file, text in texts.items():
        if file.startswith("rules/"):
            begins = [at for at, line in enumerate(text.splitlines(), 1) if _opens(line)]
            blocks = (block_of(text, line) for line in begins)
            found.update((name, block) for name, block in blocks if name is not None)
    return found


def _broken(mistake: Mistake, text: str) -> Broken:
    name, block = block_of(text, mistake.line) if mistake.file.endswith(".yaml") else (None, "")
    lines = text.splitlines()
    if name is None and mistake.line <= len(lines):
        block = lines[mistake.line - 1]
    return Broken(
        file=mistake.file, line=mistake.line, name=name, reason=mistake.message, text=block
    )


def block_of(text: str, line: int) -> tuple[str | None, str]:
    """The key without indentation above (or at) a line, which counts from 1, and all that stands under it."""
    lines = text.splitlines()
    begins = next((at for at in range(min(line, len(lines)) - 1, -1, -1) if _opens(lines[at])), -1)
    if begins < 0:
        return None, ""
    under = range(begins + 1, len(lines))
    ends = next((at for at in under if lines[at][:1].strip()), len(lines))
    block = "\n".join(lines[begins : min(ends, begins + SHOWN)]).rstrip()
    return lines[begins].partition(":")[0].strip("\"' "), block


def _opens(line: str) -> bool:
    return bool(line[:1].strip()) and line[0] not in "#-" and ":" in line
