"""limits.yaml and the money keys of a rule's `limits:` as values; it knows what may be spent, and spends nothing."""

from orchestrator.configuration.document import Document
from orchestrator.configuration.shapes import DayCapsShape, LimitsFileShape, LimitsShape
from orchestrator.configuration.shaping import shaped
from orchestrator.errors import Flaw
from orchestrator.rules.caps import Allowance, Cap, Caps, Price


def allowance_of(document: Document, *, unread: bool) -> tuple[Allowance, list[Flaw]]:
    """What the file allows. With any mistake it allows nothing: what nobody can read might be a cap."""
    shape, flaws = None, list[Flaw]()
    if document.sound(()) and not unread:
        # A file of comments only limits nothing.
        shape, flaws = shaped(LimitsFileShape, document.value or {}, ())
    if shape is None:
        return Allowance(broken=True), flaws
    prices = {
        model: Price(input=price.input, output=price.output)
        for model, price in shape.prices.items()
    }
    return (
        Allowance(day=_day(shape), actor_day=_actor_day(shape), zone=shape.zone, prices=prices),
        flaws,
    )


def caps_of(shape: LimitsShape) -> Caps:
    """The money keys of a rule."""
    return Caps(day=_day(shape), actor_day=_actor_day(shape), over=shape.on_over_budget)


def _day(shape: DayCapsShape) -> Cap:
    return Cap(usd=shape.usd_per_day, tokens=shape.tokens_per_day)


def _actor_day(shape: DayCapsShape) -> Cap:
    return Cap(usd=shape.usd_per_actor_day, tokens=shape.tokens_per_actor_day)
