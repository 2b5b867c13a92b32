"""The senders we know by name: `scheme: github` in `sources.yaml` means one of these; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.signatures.github import GithubScheme
from orchestrator.signatures.scheme import Scheme
from orchestrator.signatures.standard_webhooks import StandardWebhooksScheme
from orchestrator.sources.github import GithubDialect
from orchestrator.sources.source import Dialect
from orchestrator.sources.standard_webhooks import StandardWebhooksDialect

MIB: Final = 1024 * 1024
DEFAULT_MAX_BODY: Final = MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Everything about a sender but its name and its secrets. `max_body` is in bytes."""

    scheme: Scheme
    dialect: Dialect
    max_body: int
    dedupe_body: bool


PRESETS: Final[Mapping[str, Preset]] = {
    # GitHub sends nothing over 25 MB, and its delivery id is not signed: equal bytes are the same delivery.
    "github": Preset(
        scheme=GithubScheme(), dialect=GithubDialect(), max_body=25 * MIB, dedupe_body=True
    ),
    "standard-webhooks": Preset(
        scheme=StandardWebhooksScheme(),
        dialect=StandardWebhooksDialect(),
        max_body=DEFAULT_MAX_BODY,
        dedupe_body=False,
    ),
}
