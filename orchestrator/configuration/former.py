"""Sources that are gone from the files, as an older configuration had them: to read what they rang; pure."""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from orchestrator.configuration import document as yaml
from orchestrator.configuration.files import SOURCES, kept_files
from orchestrator.configuration.sources import sources_of
from orchestrator.sources.source import Source


def former_of(contents: Iterable[bytes], known: Iterable[str]) -> dict[str, Source]:
    """The sources of kept configurations, the newest first, that aren't among the known names.

    No secret of theirs is looked up: nobody rings them any more.
    """
    found: dict[str, Source] = {}
    read, present = set[str](), set(known)
    for content in contents:
        text = kept_files(Path(), content).texts.get(SOURCES, "")
        if text not in read:
            read.add(text)
            found = {**_sources(text), **found}
    return {name: source for name, source in found.items() if name not in present}


def _sources(text: str) -> Mapping[str, Source]:
    found = sources_of(yaml.read(SOURCES, text), {}, _nothing)
    return {**found.shut, **found.things}


def _nothing(path: PurePath) -> str | None:  # noqa: ARG001 - no file of a secret is read
    return None
