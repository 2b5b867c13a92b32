"""The whole configuration as one checked value; it knows no file system. `load.py` makes it from files."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.errors import Mistake
from orchestrator.rules.rule import Rule
from orchestrator.servers import Server
from orchestrator.sources.source import Source
from workflows.playbook import Playbook


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What stood in the files: the sound parts usable, the mistakes and warnings beside them.

    `digest` names exactly these texts. A rule with a mistake is not in `rules`; the sound ones are.
    """

    digest: str
    sources: Mapping[str, Source]
    servers: Mapping[str, Server]
    playbooks: Mapping[str, Playbook]
    rules: tuple[Rule, ...]
    mistakes: tuple[Mistake, ...] = ()
    warnings: tuple[Mistake, ...] = ()
