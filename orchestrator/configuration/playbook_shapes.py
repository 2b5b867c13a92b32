"""The keys of a playbook's front matter and what may stand under each; it knows shapes, not whether they fit together.

A key whose enforcement isn't built isn't here, so it is an unknown key.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from orchestrator.configuration.allowing import Allowing
from orchestrator.configuration.approve import Approving
from orchestrator.configuration.callbacks import CallbackShape, Lasting
from orchestrator.configuration.keys import Shape, Words, listed
from orchestrator.configuration.prompting import Prompting
from orchestrator.configuration.quantities import Count, Dollars, Positive
from workflows.playbook import Budget, InputType, OnDrift, Screening, Tokens, Unseen

DEFAULT_BUDGET = Budget()
DEFAULT_SCREENING = Screening()


class WriteShape(Shape):
    """How often a run may use one write tool, with which arguments, who must consent, and what shows its effect."""

    max: Positive = 1
    args: Mapping[str, Allowing] = Field(default_factory=dict)
    approve: Approving | None = None
    verify: Words | None = None


class BudgetShape(Shape):
    """What one run may spend."""

    usd: Dollars = DEFAULT_BUDGET.usd
    tokens: Positive = DEFAULT_BUDGET.tokens
    turns: Positive = DEFAULT_BUDGET.turns
    tool_calls: Count = DEFAULT_BUDGET.tool_calls
    active: Lasting | None = None
    open: Lasting | None = None


class TextShape(Shape):
    """How the model is shown what others wrote: what a person would not see in it, shown or taken out."""

    invisible: Unseen = Unseen.SHOW
    comments: Unseen = Unseen.SHOW


class ScreeningShape(Shape):
    """What one write may carry."""

    links: Count = DEFAULT_SCREENING.links
    mentions: Count = DEFAULT_SCREENING.mentions
    tokens: Tokens = DEFAULT_SCREENING.tokens


class PlaybookShape(Shape):
    """The front matter of a playbook."""

    model: Words
    max_tokens: Positive = 8192
    inputs: Mapping[str, InputType] = Field(default_factory=dict)
    tools: Mapping[str, list[Words]] = Field(default_factory=dict)
    optional: Annotated[list[Words], BeforeValidator(listed)] = Field(default_factory=list)
    on_drift: OnDrift = OnDrift.PARK
    read: Annotated[list[Words], BeforeValidator(listed)] = Field(default_factory=list)
    prompt: Prompting | None = None
    bind: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    writes: Mapping[str, WriteShape] = Field(default_factory=dict)
    waits: Mapping[str, CallbackShape] = Field(default_factory=dict)
    budget: BudgetShape = BudgetShape()
    text: TextShape = TextShape()
    screening: ScreeningShape = ScreeningShape()
    approve: Approving | None = None
