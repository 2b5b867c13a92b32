"""The whole configuration as one checked value; it knows no file system. `load.py` makes it from files."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.configuration.document import Document
from orchestrator.configuration.locks import Lock
from orchestrator.configuration.people import Person
from orchestrator.configuration.tokens import Token
from orchestrator.errors import Mistake
from orchestrator.rules.caps import Allowance
from orchestrator.rules.rule import Rule
from orchestrator.rules.rulebook import Page
from orchestrator.servers import Server
from orchestrator.sources.source import Source
from workflows.playbook import Playbook


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What stood in the files: the sound parts usable, the mistakes and warnings beside them.

    `digest` names exactly these texts. A rule with a mistake is not in `rules`; the sound ones are, and of the others
    `unsound` says what they would be `on`, as far as anybody can tell. `shut` are the sources whose secret is unset:
    nobody can ring them, though they can be read. `others` stand in no file and can be read: they are built in, or gone
    since while deliveries of theirs are kept. `lock` is None where nobody locked the tools. `documents` know where
    things stand; `texts` are the files', by the path that a person can open.
    """

    digest: str
    sources: Mapping[str, Source]
    servers: Mapping[str, Server]
    playbooks: Mapping[str, Playbook]
    rules: tuple[Rule, ...]
    unsound: tuple[Page, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    warnings: tuple[Mistake, ...] = ()
    shut: Mapping[str, Source] = field(default_factory=dict)
    others: Mapping[str, Source] = field(default_factory=dict)
    allowance: Allowance = field(default_factory=Allowance)
    people: Mapping[str, Person] = field(default_factory=dict)
    tokens: Mapping[str, Token] = field(default_factory=dict)
    lock: Lock | None = None
    documents: Mapping[str, Document] = field(default_factory=dict, repr=False, compare=False)
    texts: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def readable(self) -> dict[str, Source]:
        """Every source whose deliveries can be read, whether or not it may ring."""
        return {**self.others, **self.shut, **self.sources}
