"""Which models are going to be switched off, or have been, by the provider's list; pure: it is told what day it is.

The list is a copy of the SDK's, whose import takes seconds; a test holds the two together.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from orchestrator.configuration.configuration import Configuration
from orchestrator.errors import Flaw, Mistake

# https://docs.anthropic.com/en/docs/resources/model-deprecations
ENDS: Final[Mapping[str, date]] = {
    "claude-1.3": date(2024, 11, 6),
    "claude-1.3-100k": date(2024, 11, 6),
    "claude-instant-1.1": date(2024, 11, 6),
    "claude-instant-1.1-100k": date(2024, 11, 6),
    "claude-instant-1.2": date(2024, 11, 6),
    "claude-2.0": date(2025, 7, 21),
    "claude-2.1": date(2025, 7, 21),
    "claude-3-sonnet-20240229": date(2025, 7, 21),
    "claude-3-opus-20240229": date(2026, 1, 5),
    "claude-3-5-haiku-20241022": date(2026, 2, 19),
    "claude-3-5-haiku-latest": date(2026, 2, 19),
    "claude-3-7-sonnet-20250219": date(2026, 2, 19),
    "claude-3-7-sonnet-latest": date(2026, 2, 19),
    "claude-opus-4-0": date(2026, 6, 15),
    "claude-opus-4-20250514": date(2026, 6, 15),
    "claude-sonnet-4-0": date(2026, 6, 15),
    "claude-sonnet-4-20250514": date(2026, 6, 15),
    "claude-mythos-preview": date(2026, 6, 30),
    "claude-sonnet-4-5": date(2026, 11, 30),
    "claude-sonnet-4-5-20250929": date(2026, 11, 30),
}


def retiring(models: Iterable[str], today: date) -> dict[str, str]:
    """What to say about those of the models that end, by model."""
    ending = {model: ENDS[model] for model in sorted(set(models)) if model in ENDS}
    return {model: _words(model, end, today) for model, end in ending.items()}


def models_retiring(configuration: Configuration, today: date) -> dict[str, str]:
    """The same for the models that sound playbooks ask."""
    return retiring([playbook.model for playbook in configuration.playbooks.values()], today)


def retiring_doubts(configuration: Configuration, today: date) -> list[Mistake]:
    """The same as warnings at the playbooks that ask these models."""
    return [
        configuration.documents[f"playbooks/{playbook.name}.md"].mistake(Flaw(("model",), words))
        for playbook in configuration.playbooks.values()
        for words in retiring([playbook.model], today).values()
    ]


def _words(model: str, end: date, today: date) -> str:
    left = (end - today).days
    if left < 0:
        return f"{model} was switched off on {end}; choose a model that is still there"
    when = {0: "today", 1: "tomorrow"}.get(left, f"in {left} days")
    return f"{model} is switched off on {end}, {when}; choose another model before"
