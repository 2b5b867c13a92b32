"""The configuration directory as one checked value; it knows how the parts fit, each part reads itself.

All mistakes are found at once, and none of them is fatal here: what is sound stands in the `Configuration`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from orchestrator.configuration import document as yaml
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.document import Document
from orchestrator.configuration.files import (
    LIMITS,
    LOCK,
    PEOPLE,
    SERVERS,
    SOURCES,
    TOKENS,
    Files,
    files_of,
)
from orchestrator.configuration.forwards import Secrets
from orchestrator.configuration.limits import allowance_of
from orchestrator.configuration.locks import Lock, lock_of
from orchestrator.configuration.people import Person, people_of
from orchestrator.configuration.playbooks import playbook_of, prose_flaws_of
from orchestrator.configuration.rates import EVERYTHING, second_backstops
from orchestrator.configuration.rules import Surroundings, rules_of
from orchestrator.configuration.servers import servers_of
from orchestrator.configuration.shaping import Found
from orchestrator.configuration.sources import FoundSources, sources_of
from orchestrator.configuration.subscribed import unreachable
from orchestrator.configuration.tokens import Token, tokens_of
from orchestrator.errors import Flaw, Mistake
from orchestrator.playbooks import resource_of, split
from orchestrator.rules.caps import Allowance
from orchestrator.rules.rule import Rule
from orchestrator.rules.rulebook import Page, Rulebook
from orchestrator.secrets import ReadFile
from orchestrator.servers import Server
from orchestrator.sources.authors import vouches
from workflows.playbook import Playbook

F = TypeVar("F", bound=Found[Any])


def load(directory: Path, environment: Mapping[str, str], read_file: ReadFile) -> Configuration:
    """The configuration in a directory; its mistakes are in it, not raised."""
    return configured(files_of(directory), environment, read_file)


def configured(files: Files, environment: Mapping[str, str], read_file: ReadFile) -> Configuration:
    """The configuration in these texts."""
    secrets = Secrets(environment=environment, read_file=read_file)
    reading = _Reading(files, secrets)
    sources = reading.sources()
    # A secret that is unset here, as in CI, must not make a stranger of anybody in people.yaml.
    vouching = {name: vouches(dialect) for name, dialect in sources.dialects.items()}
    servers = reading.servers(sources, vouching)
    allowance = reading.allowance()
    people = reading.people(vouching)
    tokens = reading.tokens(people)
    playbooks = reading.playbooks(servers, people)
    lock = reading.lock()
    rules = reading.rules(_around(sources, vouching, servers, playbooks, secrets))
    return Configuration(
        digest=files.digest(),
        sources=sources.things,
        servers=servers.things,
        playbooks=playbooks.things,
        rules=Rulebook(rules),
        unsound=tuple(reading.unsound),
        mistakes=tuple(sorted(set(reading.mistakes))),
        warnings=tuple(sorted(set(reading.warnings))),
        shut=sources.shut,
        allowance=allowance,
        people=people.things,
        tokens=tokens.things,
        lock=lock,
        documents=reading.documents,
        texts={files.named(name): text for name, text in files.texts.items()},
    )


def _around(
    sources: FoundSources,
    vouching: Mapping[str, bool],
    servers: Found[Server],
    playbooks: Found[Playbook],
    secrets: Secrets,
) -> Surroundings:
    return Surroundings(
        sources=frozenset(sources.names),
        publishes={name: one.publishes for name, one in sources.dialects.items()},
        playbooks=playbooks.things,
        playbook_names=frozenset(playbooks.names),
        vouching=vouching,
        secrets=secrets,
        servers=frozenset(servers.things),
        server_names=frozenset(servers.names),
    )


class _Reading:
    """One pass over the files, collecting what is wrong."""

    def __init__(self, files: Files, secrets: Secrets) -> None:
        self.mistakes: list[Mistake] = list(files.mistakes)
        self.warnings: list[Mistake] = list(files.warnings)
        self._files = files
        self._environment, self._read_file = secrets.environment, secrets.read_file
        self.documents: dict[str, Document] = {}
        self.unsound: list[Page] = []

    def sources(self) -> FoundSources:
        document = self._document(SOURCES)
        return self._noted(SOURCES, sources_of(document, self._environment, self._read_file))

    def servers(self, sources: FoundSources, vouching: Mapping[str, bool]) -> Found[Server]:
        ringing = {**dict.fromkeys(sources.names, False), **vouching}
        document = self._document(SERVERS)
        found = servers_of(document, self._files, self._environment, self._read_file, ringing)
        self._note(SOURCES, unreachable(sources.subscribing, found.things, found.names))
        return self._noted(SERVERS, found)

    def allowance(self) -> Allowance:
        allowance, flaws = allowance_of(self._document(LIMITS), unread=self._unread(LIMITS))
        self._note(LIMITS, flaws)
        return allowance

    def people(self, vouching: Mapping[str, bool]) -> Found[Person]:
        proving = [name for name, sure in vouching.items() if sure]
        return self._noted(PEOPLE, people_of(self._document(PEOPLE), proving))

    def tokens(self, people: Found[Person]) -> Found[Token]:
        return self._noted(TOKENS, tokens_of(self._document(TOKENS), people.things))

    def playbooks(self, servers: Found[Server], people: Found[Person]) -> Found[Playbook]:
        read = {
            PurePosixPath(name).stem: self._playbook(name, servers.names, people.things)
            for name in self._files.texts
            if name.startswith("playbooks/")
        }
        usable = {
            name: playbook
            for name, playbook in read.items()
            if playbook is not None and _reached(playbook) <= servers.things.keys()
        }
        return Found(things=usable, names=set(read))

    def lock(self) -> Lock | None:
        """What is locked; nothing where there is no such file, and no tool where it can't be read."""
        text = self._files.texts.get(LOCK)
        if text is None:
            return Lock(sound=False) if self._unread(LOCK) else None
        lock, mistakes = lock_of(text, self._files.named(LOCK))
        self.mistakes += mistakes
        return lock

    def rules(self, around: Surroundings) -> tuple[Rule, ...]:
        rules: list[Rule] = []
        taken: dict[str, str] = {}
        for name in self._files.texts:
            if name.startswith("rules/"):
                found = self._noted(name, rules_of(self._document(name), around))
                self.unsound += found.unsound
                rules += [rule for rule in found.things.values() if self._fresh(name, rule, taken)]
        directory = self._files.root / "rules"
        unread = [one.file for one in self._files.mistakes if Path(one.file).parent == directory]
        self.unsound += [Page(name=file, on=EVERYTHING) for file in unread]
        return self._with_one_backstop(rules)

    def _document(self, name: str) -> Document:
        """The document of a file; one that isn't there is empty, and a mistake where it is needed."""
        text = self._files.texts.get(name)
        if text is None:
            found = Document(file=self._files.named(name), value={})
            if name == SOURCES and not self.mistakes:
                said = "expected this file: it says who may ring"
                self.mistakes.append(found.mistake(Flaw((), said)))
        else:
            found = yaml.read(self._files.named(name), text)
            self.mistakes += found.mistakes
        self.documents[name] = found
        return found

    def _unread(self, name: str) -> bool:
        """Whether a file stands there that nobody could read."""
        return any(mistake.file == self._files.named(name) for mistake in self._files.mistakes)

    def _noted(self, name: str, found: F) -> F:
        self._note(name, found.flaws, found.warnings)
        return found

    def _note(self, name: str, flaws: Iterable[Flaw], warnings: Iterable[Flaw] = ()) -> None:
        document = self.documents[name]
        self.mistakes += [document.mistake(flaw) for flaw in flaws]
        self.warnings += [document.mistake(flaw) for flaw in warnings]

    def _playbook(
        self, name: str, servers: set[str], people: Mapping[str, Person]
    ) -> Playbook | None:
        text, file = self._files.texts[name], self._files.named(name)
        pages = split(text)
        if pages.matter is None:
            said = "expected front matter: a line `---`, keys, another line `---`, then the prose"
            self.mistakes.append(Mistake(file=file, line=1, column=1, message=said))
            return None
        document = yaml.read(file, pages.matter, first_line=pages.matter_line)
        self.documents[name] = document
        self.mistakes += document.mistakes
        if document.value is None and document.mistakes:
            return None
        playbook, flaws = playbook_of(
            PurePosixPath(name).stem, text, document, pages.prose, servers, people
        )
        self._note(name, flaws)
        prose = prose_flaws_of(document, pages.prose)
        self.mistakes += [
            Mistake(file=file, line=pages.prose_line + line - 1, column=1, message=said)
            for line, said in prose
        ]
        return None if prose else playbook

    def _with_one_backstop(self, rules: list[Rule]) -> tuple[Rule, ...]:
        second = second_backstops(rules)
        self.mistakes += [
            document.mistake(flaw)
            for rule, flaw in second
            for document in self.documents.values()
            if document.file == rule.file
        ]
        return tuple(rule for rule in rules if rule not in [beside for beside, _ in second])

    def _fresh(self, file: str, rule: Rule, taken: dict[str, str]) -> bool:
        """Whether nobody before has the rule's name or id: a run's identity hangs on it."""
        where = f"{rule.file}:{rule.line}"
        for word in dict.fromkeys((rule.name, rule.id)):
            if word in taken:
                said = f"the rule {word!r} is already at {taken[word]}: names and ids must differ"
                self._note(file, [Flaw((rule.name,), said, key=True)])
                self.unsound.append(Page(name=rule.name, on=rule.on))
                return False
        taken.update(dict.fromkeys((rule.name, rule.id), where))
        return True


def _reached(playbook: Playbook) -> set[str]:
    """The servers a playbook can't do without."""
    prompted = [] if playbook.prompt is None else [playbook.prompt.server]
    return {*playbook.tools, *(resource_of(said)[0] for said in playbook.read), *prompted}
