"""`prompt:` of a playbook: which prompt of which server a conversation begins with; it asks no server."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from orchestrator.configuration.keys import Shape, Words
from orchestrator.templates import templates_of
from workflows.playbook import InputType, Prompt


class PromptShape(Shape):
    """`prompt:`: `name` is `server:name`, `with` its arguments, templates over the inputs."""

    name: Words
    with_: Mapping[str, str | int | bool] = Field(default_factory=dict, alias="with")


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Prompting = Annotated[PromptShape, BeforeValidator(_named)]
"""A name alone stands for a prompt without arguments."""


def prompt_of(shape: PromptShape | None) -> Prompt | None:
    """The prompt that is meant; None where none is."""
    if shape is None:
        return None
    server, _, name = shape.name.partition(":")
    return Prompt(server=server, name=name, arguments=dict(shape.with_))


def texts_in(value: Any, inputs: Mapping[str, InputType]) -> Iterator[str]:
    """Why a template may not say what is asked of a server: it has a text, and that may be a stranger's words."""
    for path in sorted(path for template in templates_of(value) for path in template.paths):
        if inputs.get(path.split(".")[1]) is InputType.TEXT:
            yield f"{path} is text and may be a stranger's words: it may not say what is asked for"
