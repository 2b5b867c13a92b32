"""What holds the runs of a rule, also of one that has left the files: as was written down last; it holds nobody.

A rule that is gone, was renamed without an `id:`, or has a mistake is not in force. What it has started runs all the
same, and must not do so without any limit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.configuration import document as yaml
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.files import kept_files
from orchestrator.configuration.limits import caps_of
from orchestrator.configuration.shapes import LimitsShape
from orchestrator.configuration.shaping import NAME, entries, shaped
from orchestrator.database import Database
from orchestrator.ledger import configurations
from orchestrator.rules.caps import Caps


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one rule's runs may spend, and how many may be open at once."""

    caps: Caps = field(default_factory=Caps)
    concurrent: int | None = None


async def bounds_of(ledger: Database, configuration: Configuration, rule_id: str) -> Bounds:
    """The bounds of the rule in force, or else those that a kept configuration gave it last."""
    rule = next((one for one in configuration.rules if one.id == rule_id), None)
    if rule is not None:
        return Bounds(caps=rule.caps, concurrent=rule.limits.concurrent)
    if NAME.fullmatch(rule_id) is None:
        # A cause of our own, such as a person's word.
        return Bounds()
    found = await ledger.read(configurations.latest, partial(bounds_in, rule_id=rule_id))
    return found or Bounds()


def bounds_in(content: bytes, rule_id: str) -> Bounds | None:
    """What a kept configuration says of a rule, sound or not; None where it says nothing that can be read."""
    for name, text in kept_files(Path(), content).texts.items():
        # Reading YAML is slow, and most files are about other rules.
        if name.startswith("rules/") and rule_id in text:
            for named, value in entries(yaml.read(name, text), "rule", []):
                if isinstance(value, Mapping) and value.get("id", named) == rule_id:
                    return _bounds(value.get("limits", {}))
    return None


def _bounds(limits: Any) -> Bounds | None:
    shape, _ = shaped(LimitsShape, limits, ())
    return None if shape is None else Bounds(caps=caps_of(shape), concurrent=shape.concurrent)
