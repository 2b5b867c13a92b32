"""Which playbooks have a limit in dollars that nobody can hold, for want of a price; pure: it is told what is known."""

from collections.abc import Callable

from orchestrator.configuration.configuration import Configuration
from orchestrator.errors import Flaw, Mistake
from workflows.playbook import Playbook


def unpriced_doubts(
    configuration: Configuration, is_priced: Callable[[str], bool]
) -> list[Mistake]:
    """A warning for each such playbook, where its limit stands; `is_priced` says what a price list knows."""
    declared = configuration.allowance.prices
    return [
        configuration.documents[f"playbooks/{one.name}.md"].mistake(
            Flaw(("budget", "usd"), _doubt(configuration, one))
        )
        for one in configuration.playbooks.values()
        if one.model not in declared and not is_priced(one.model)
    ]


def _doubt(configuration: Configuration, one: Playbook) -> str:
    unknown = f"no price of {one.model!r} is known"
    mend = "say what it costs under prices: in limits.yaml"
    capped = _capped(configuration, one.name)
    if capped:
        return f"{unknown}, so under the dollars a day of {capped} a run of it parks before its first turn; {mend}"
    held = f"only its {one.budget.tokens} tokens end a run"
    return f"{one.budget.usd} dollars can't be held: {unknown}, so {held}; {mend}"


def _capped(configuration: Configuration, playbook: str) -> str:
    """Whose cap of the day counts dollars for a run of this playbook, if anybody's does."""
    allowance = configuration.allowance
    if any(cap.usd is not None for cap in (allowance.day, allowance.actor_day)):
        return "limits.yaml"
    rules = (rule for rule in configuration.rules if rule.playbook == playbook)
    capped = (
        f"rule {rule.name!r}"
        for rule in rules
        if any(cap.usd is not None for cap in (rule.caps.day, rule.caps.actor_day))
    )
    return next(capped, "")
