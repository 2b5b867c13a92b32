"""The configuration directory as one checked value; it knows how the parts fit, each part reads itself.

All mistakes are found at once, and none of them is fatal here: what is sound stands in the `Configuration`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

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
from orchestrator.configuration.rates import second_backstops
from orchestrator.configuration.rules import Surroundings, rules_of
from orchestrator.configuration.servers import servers_of
from orchestrator.configuration.sources import sources_of
from orchestrator.configuration.subscribed import unreachable
from orchestrator.configuration.tokens import tokens_of
from orchestrator.errors import Flaw, Mistake
from orchestrator.playbooks import resource_of, split
from orchestrator.rules.rule import Rule
from orchestrator.rules.rulebook import Rulebook
from orchestrator.secrets import ReadFile
from orchestrator.sources.authors import vouches
from workflows.playbook import Playbook


def load(directory: Path, environment: Mapping[str, str], read_file: ReadFile) -> Configuration:
    """The configuration in a directory; its mistakes are in it, not raised."""
    return configured(files_of(directory), environment, read_file)


def configured(files: Files, environment: Mapping[str, str], read_file: ReadFile) -> Configuration:
    """The configuration in these texts."""
    reading = _Reading(files)
    sources = sources_of(reading.document(SOURCES, "who may ring"), environment, read_file)
    reading.note(SOURCES, sources.flaws, sources.warnings)
    vouching = {
        name: name in sources.things and vouches(sources.things[name].dialect)
        for name in sources.names
    }
    servers = servers_of(reading.document(SERVERS, None), files, environment, read_file, vouching)
    reading.note(SERVERS, servers.flaws, servers.warnings)
    reading.note(SOURCES, unreachable(sources.subscribing, servers.things, servers.names))
    unread = any(mistake.file == files.named(LIMITS) for mistake in files.mistakes)
    allowance, flaws = allowance_of(reading.document(LIMITS, None), unread=unread)
    reading.note(LIMITS, flaws)
    proving = [name for name, sure in vouching.items() if sure]
    people = people_of(reading.document(PEOPLE, None), proving)
    reading.note(PEOPLE, people.flaws)
    tokens = tokens_of(reading.document(TOKENS, None), people.things)
    reading.note(TOKENS, tokens.flaws)
    playbooks, playbook_names = reading.playbooks(
        servers.names, frozenset(servers.things), people.things
    )
    lock = reading.lock()
    around = Surroundings(
        sources=frozenset(sources.names),
        publishes=sources.publishes,
        playbooks=playbooks,
        playbook_names=playbook_names,
        vouching={name: vouching[name] for name in sources.things},
        secrets=Secrets(environment=environment, read_file=read_file),
        servers=frozenset(servers.things),
        server_names=frozenset(servers.names),
    )
    return Configuration(
        digest=files.digest(),
        sources=sources.things,
        servers=servers.things,
        playbooks=playbooks,
        rules=Rulebook(reading.rules(around)),
        mistakes=tuple(sorted(set(reading.mistakes))),
        warnings=tuple(sorted(set(reading.warnings))),
        shut=sources.shut,
        allowance=allowance,
        people=people.things,
        tokens=tokens.things,
        lock=lock,
        documents=reading.documents,
    )


class _Reading:
    """One pass over the files, collecting what is wrong."""

    def __init__(self, files: Files) -> None:
        self.mistakes: list[Mistake] = list(files.mistakes)
        self.warnings: list[Mistake] = list(files.warnings)
        self._files = files
        self.documents: dict[str, Document] = {}

    def document(self, name: str, needed: str | None) -> Document:
        """The document of a file; one that isn't there is empty, and a mistake where it is needed."""
        text = self._files.texts.get(name)
        if text is None:
            found = Document(file=self._files.named(name), value={})
            if needed and not self.mistakes:
                self.mistakes.append(
                    found.mistake(Flaw((), f"expected this file: it says {needed}"))
                )
        else:
            found = yaml.read(self._files.named(name), text)
            self.mistakes += found.mistakes
        self.documents[name] = found
        return found

    def lock(self) -> Lock | None:
        """What is locked; nothing where there is no such file, and no tool where it can't be read."""
        file = self._files.named(LOCK)
        text = self._files.texts.get(LOCK)
        if text is None:
            unread = any(mistake.file == file for mistake in self.mistakes)
            return Lock(sound=False) if unread else None
        lock, mistakes = lock_of(text, file)
        self.mistakes += mistakes
        return lock

    def note(self, name: str, flaws: Iterable[Flaw], warnings: Iterable[Flaw] = ()) -> None:
        document = self.documents[name]
        self.mistakes += [document.mistake(flaw) for flaw in flaws]
        self.warnings += [document.mistake(flaw) for flaw in warnings]

    def playbooks(
        self, servers: Iterable[str], sound: frozenset[str], people: Mapping[str, Person]
    ) -> tuple[dict[str, Playbook], frozenset[str]]:
        known = frozenset(servers)
        read = {
            PurePosixPath(name).stem: self._playbook(name, known, people)
            for name in self._files.texts
            if name.startswith("playbooks/")
        }
        usable = {
            name: playbook
            for name, playbook in read.items()
            if playbook is not None and _reached(playbook) <= sound
        }
        return usable, frozenset(read)

    def _playbook(
        self, name: str, servers: frozenset[str], people: Mapping[str, Person]
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
        self.note(name, flaws)
        prose = prose_flaws_of(document, pages.prose)
        self.mistakes += [
            Mistake(file=file, line=pages.prose_line + line - 1, column=1, message=said)
            for line, said in prose
        ]
        return None if prose else playbook

    def rules(self, around: Surroundings) -> tuple[Rule, ...]:
        rules: list[Rule] = []
        taken: dict[str, str] = {}
        for name in self._files.texts:
            if name.startswith("rules/"):
                found = rules_of(self.document(name, None), around)
                self.note(name, found.flaws, found.warnings)
                rules += [rule for rule in found.things.values() if self._fresh(name, rule, taken)]
        return self._with_one_backstop(rules)

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
                self.note(file, [Flaw((rule.name,), said, key=True)])
                return False
        taken.update(dict.fromkeys((rule.name, rule.id), where))
        return True


def _reached(playbook: Playbook) -> set[str]:
    """The servers a playbook can't do without."""
    prompted = [] if playbook.prompt is None else [playbook.prompt.server]
    return {*playbook.tools, *(resource_of(said)[0] for said in playbook.read), *prompted}
