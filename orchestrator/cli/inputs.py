"""Inputs as people type them, `NAME=VALUE`, with the types that a playbook declares; it knows no file and no event."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from orchestrator.errors import OperatorError
from orchestrator.playbooks import MEANING
from workflows.playbook import InputType

WORDS: Final = {"true": True, "false": False}


def typed(declared: Mapping[str, InputType], given: Sequence[str]) -> dict[str, Any]:
    """These inputs by name, those that are declared with their types. Raises OperatorError where one doesn't fit."""
    texts = dict(map(_pair, given))
    if len(texts) < len(given):
        raise click.UsageError("an input is given twice: name each once")
    return {name: _typed(declared.get(name), name, text) for name, text in texts.items()}


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise click.UsageError(f"expected --with NAME=VALUE, got {text!r}")
    return name, value


def _typed(kind: InputType | None, name: str, text: str) -> Any:
    match kind:
        case InputType.INTEGER:
            return _whole(name, text)
        case InputType.BOOLEAN if text in WORDS:
            return WORDS[text]
        case _:
            return text


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        said = f"input {name!r}: expected {MEANING[InputType.INTEGER]}, got {text!r}"
        raise OperatorError(said) from None
