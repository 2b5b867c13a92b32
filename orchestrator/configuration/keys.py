"""What all shapes of our files have in common: known keys only, texts that say something, one for a list of one."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def listed(value: Any) -> Any:
    """A text that stands for the list of it alone."""
    return [value] if isinstance(value, str) else value


def _bare(value: str) -> str:
    if not value.strip():
        raise ValueError("expected a text, got nothing")
    return value


Words = Annotated[str, Field(strict=True), AfterValidator(_bare)]


class Shape(BaseModel):
    """A mapping of known keys; any other key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
