"""Whether a configuration is worse than the one in force, and what makes it so; pure, it puts nothing in force."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from orchestrator.configuration.broken import Broken, broken, rules_in
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.document import Document
from orchestrator.errors import Flaw, Mistake


def worsened(
    before: Configuration, after: Configuration, vetted: Sequence[Mistake] = ()
) -> list[Mistake]:
    """All mistakes of one that has a new one, or by an old one a rule less; none where it's no worse.

    `vetted` are mistakes that the reading doesn't find, and new ones.
    """
    mistakes = [*after.mistakes, *vetted]
    if worse(broken(mistakes, after.texts), broken(before.mistakes, before.texts)):
        return mistakes
    # A rule isn't blamed for what it runs: one that came to it makes no mistake of its own.
    known = _unusable(before)
    fallen = [one for name, one in _unusable(after).items() if name not in known]
    return [*mistakes, *fallen] if fallen else []


def worse(after: Sequence[Broken], before: Sequence[Broken]) -> bool:
    """Whether there is a mistake that wasn't there before; under another name it is another one."""
    return bool(_counted(after) - _counted(before))


def _counted(mistakes: Sequence[Broken]) -> Counter[tuple[str, str | None, str]]:
    return Counter((one.file, one.name, one.reason) for one in mistakes)


def _unusable(configuration: Configuration) -> dict[str, Mistake]:
    """The rules that stand in the files and that nobody can use, by name."""
    sound = {rule.name for rule in configuration.rules}
    return {
        name: document.mistake(Flaw((name,), _said(name), key=True))
        for file, document in configuration.documents.items()
        if file.startswith("rules/")
        for name in _names(file, document, configuration.texts)
        if name not in sound
    }


def _said(name: str) -> str:
    return f"the rule {name!r} can't be used: what it runs or calls, or its file, has a mistake"


def _names(file: str, document: Document, texts: Mapping[str, str]) -> Iterator[str]:
    if isinstance(document.value, Mapping):
        yield from document.value
    else:
        yield from rules_in({file: texts.get(document.file, "")})
